//! Whose behaviour the server shows: the options about it, and what they make.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use killdeer::{Dialect, KillDenied, Layout, LayoutError, Node};

/// Whose behaviour the server shows.
#[derive(Args)]
pub struct System {
    /// Whose behaviour it shows: mysql, mariadb, doris, oceanbase, tidb or odp
    #[arg(long, value_name = "NAME", default_value = "mysql", value_parser = dialect)]
    dialect: Dialect,
    /// Which of the servers it is, for ids that carry their server's number (OceanBase, TiDB, ODP)
    #[arg(long, value_name = "N", default_value_t = 1)]
    server_id: u32,
    /// The address by which lists name it [default: where it listens]
    #[arg(long, value_name = "ADDR")]
    node_address: Option<SocketAddr>,
    /// What somebody is told who may not kill a session nor see it
    #[arg(long, value_name = "ANSWER", value_enum, default_value_t = Denied::Told)]
    kill_denied: Denied,
    /// Give ids of 64 bits from the first on (TiDB)
    #[arg(long)]
    long_ids: bool,
    /// Give ids whose bit 31 is clear, for clients that read them as signed numbers (not OceanBase)
    #[arg(long)]
    signed_ids: bool,
    /// Answer OK to a KILL of something that is no session, with a warning (TiDB)
    #[arg(long)]
    lenient_kill: bool,
    /// Want the keyword TIDB in every KILL, as TiDB does where global kill is off
    #[arg(long)]
    no_global_kill: bool,
    /// Do without the keyword all the same (TiDB's compatible-kill-query)
    #[arg(long)]
    compatible_kill_query: bool,
    /// Show the column TraceId in the process list (Doris)
    #[arg(long)]
    trace_column: bool,
    /// Tell the client of a killed query from where it was killed, with 1105 (Doris)
    #[arg(long)]
    cancel_text: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Denied {
    /// That it exists: the system's own error
    Told,
    /// That there is no such session
    Hidden,
}

fn dialect(name: &str) -> Result<Dialect, String> {
    Dialect::named(name).ok_or_else(|| format!("one of {}", Dialect::NAMES.join(", ")))
}

impl System {
    /// The dialect, with its switches. An error if there are switches of another one, which would do nothing.
    pub fn dialect(&self) -> Result<Dialect, String> {
        let own = [
            (self.long_ids, "--long-ids", Dialect::tidb()),
            (self.lenient_kill, "--lenient-kill", Dialect::tidb()),
            (self.no_global_kill, "--no-global-kill", Dialect::tidb()),
            (self.compatible_kill_query, "--compatible-kill-query", Dialect::tidb()),
            (self.trace_column, "--trace-column", Dialect::doris()),
            (self.cancel_text, "--cancel-text", Dialect::doris()),
        ];
        for (given, option, owner) in own {
            if given && owner.name() != self.dialect.name() {
                return Err(format!(
                    "{option} is for --dialect {} only, not for {}",
                    owner.name(),
                    self.dialect.name()
                ));
            }
        }
        let denied = match self.kill_denied {
            Denied::Told => KillDenied::Told,
            Denied::Hidden => KillDenied::Hidden,
        };
        Ok(self
            .dialect
            .kill_denied(denied)
            .lenient_kill(self.lenient_kill)
            .global_kill(!self.no_global_kill)
            .compatible_kill_query(self.compatible_kill_query)
            .trace_column(self.trace_column)
            .cancel_text(self.cancel_text))
    }

    /// The ids that it gives out.
    pub fn ids(&self) -> Result<Layout, LayoutError> {
        let ids = if self.long_ids { Layout::tidb64(self.server_id) } else { self.dialect.ids(self.server_id) }?;
        if self.signed_ids { ids.keep_bit_31_clear() } else { Ok(ids) }
    }

    /// Which of the servers it is, and whether its ids have 64 bits.
    #[cfg(feature = "cluster")]
    pub fn server(&self) -> (u32, bool) {
        (self.server_id, self.long_ids)
    }

    /// What it is called where servers are listed.
    pub fn node(&self, listens: SocketAddr) -> Node {
        Node::new(self.node_address.unwrap_or(listens))
    }
}
