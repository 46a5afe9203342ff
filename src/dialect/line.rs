//! One session in one list: what the columns' functions read.

use std::{
    cell::OnceCell,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use crate::{
    control::truncate_chars,
    id::SessionId,
    model::{Address, DateTime, Lines, Principal, Seen, escaped, is_clean},
};

/// Without FULL, Info ends after so many characters. (MySQL cuts bytes, and with them a character.)
const SHORT_INFO: usize = 100;

/// What a server is called in its lists.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its address: Doris's FE, TiDB's INSTANCE, OceanBase's SVR_IP and SVR_PORT.
    pub address: SocketAddr,
    /// The first half of its query ids, as Doris writes them: random, so that no other server has the same.
    pub query_ids: u64,
    /// Where the second half begins to count.
    pub first_query_id: u64,
}

impl Node {
    /// A server at an address, with query ids of its own.
    pub fn new(address: SocketAddr) -> Self {
        use std::hash::{BuildHasher, RandomState};
        let random = || RandomState::new().hash_one(address);
        Self { address, query_ids: random(), first_query_id: random() }
    }

    /// The name of the statement with this number, as Doris writes it.
    pub(crate) fn query_name(&self, query_id: u64) -> String {
        format!("{:x}-{:x}", self.query_ids, self.first_query_id.wrapping_add(query_id))
    }

    /// The number of the statement with this name; `None`: it is none of this server's.
    pub(crate) fn query_id(&self, name: &str) -> Option<u64> {
        let (first, second) = name.split_once('-')?;
        let number = |digits: &str| {
            let plain = (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        (number(first)? == self.query_ids).then_some(number(second)?.wrapping_sub(self.first_query_id))
    }
}

impl Default for Node {
    /// A server at 127.0.0.1, port 3306.
    fn default() -> Self {
        Self::new(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3306)))
    }
}

/// Who looks at a list, and how.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Who asks.
    pub by: &'a Principal,
    /// From which session, if from one.
    pub own: Option<SessionId>,
    /// Whose sessions they are.
    pub node: &'a Node,
    /// Whether whole statements are asked for, not their first 100 characters.
    pub full: bool,
    pub(super) trace_column: bool,
}

impl<'a> View<'a> {
    /// What `by` sees of the sessions of `node`.
    pub fn new(by: &'a Principal, own: Option<SessionId>, node: &'a Node, full: bool) -> Self {
        Self { by, own, node, full, trace_column: false }
    }
}

/// A session in a list. Texts that are not in the row are made when a column asks.
pub(crate) struct Line<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) row: &'a Seen<'a>,
    host: Address,
    made: Made,
}

impl<'a> Line<'a> {
    pub(super) fn new(view: &'a View<'a>, row: &'a Seen<'a>) -> Self {
        Self { view, row, host: row.peer.into(), made: Made::default() }
    }

    /// The user's name; before login `unauthenticated user`.
    pub(super) fn user(&self) -> &str {
        self.name(self.row.user())
    }

    /// OceanBase: the name of its tenant.
    pub(super) fn tenant(&self) -> Option<&str> {
        let tenant = self.row.principal.and_then(|principal| principal.tenant());
        tenant.map(|tenant| self.name(tenant))
    }

    /// OceanBase: the name of its tenant's cluster, if its client named one.
    pub(super) fn cluster(&self) -> Option<&str> {
        let cluster = self.row.principal.and_then(|principal| principal.tenant_cluster());
        cluster.map(|cluster| self.name(cluster))
    }

    /// The current database.
    pub(super) fn database(&self) -> Option<&str> {
        self.row.database.map(|database| self.name(database))
    }

    /// Doris: the trace id; empty if there is none.
    pub(super) fn trace_id(&self) -> &str {
        self.name(self.row.trace_id.map_or("", |trace_id| trace_id))
    }

    /// The client's address and port.
    pub(super) fn host(&self) -> &str {
        self.host.as_str()
    }

    /// The client's address without its port.
    pub(super) fn bare_host(&self) -> &str {
        self.made.keep(self.row.peer.host())
    }

    /// The server's address without its port.
    pub(super) fn node_host(&self) -> &str {
        self.made.keep(self.view.node.address.ip().to_string())
    }

    /// The server's address and port.
    pub(super) fn node_address(&self) -> &str {
        self.made.keep(self.view.node.address.to_string())
    }

    /// The running or last statement as Doris names it; empty before the first.
    pub(super) fn query_name(&self) -> &str {
        match self.row.last_query_id {
            0 => "",
            id => self.made.keep(self.view.node.query_name(id)),
        }
    }

    /// Milliseconds since the last start or end of a command, with microseconds.
    pub(super) fn time_ms(&self) -> &str {
        let micros = self.row.time.as_micros();
        self.made.keep(format!("{}.{:03}", micros / 1_000, micros % 1_000))
    }

    /// Whole seconds since the last start or end of a command, as many as an int column takes.
    pub(super) fn time_text(&self) -> &str {
        self.made.keep(self.row.time.as_secs().min(i32::MAX.unsigned_abs().into()).to_string())
    }

    /// The statement, cut unless the list is a full one.
    pub(super) fn info(&self) -> Option<&str> {
        self.row.info.map(|info| self.cut(info))
    }

    pub(super) fn cut<'b>(&self, text: &'b str) -> &'b str {
        if self.view.full { text } else { truncate_chars(text, SHORT_INFO) }
    }

    /// When it logged in, in whole seconds.
    pub(super) fn login(&self) -> Option<DateTime> {
        self.row.login.map(|at| DateTime { micros: 0, ..at.into() })
    }

    /// A name that a client chose, escaped: nearly always as it is.
    #[inline]
    fn name<'b>(&'b self, name: &'b str) -> &'b str {
        if is_clean(name, Lines::Escaped) {
            return name;
        }
        self.made.keep(escaped(name.as_bytes(), Lines::Escaped).into_owned())
    }
}

/// The texts that were made for a line's columns: one, and those behind it. Few columns ask for one, so none is looked for.
#[derive(Default)]
struct Made(OnceCell<Box<(String, Made)>>);

impl Made {
    /// Keeps a text for as long as the line is there.
    fn keep(&self, text: String) -> &str {
        let mut end = self;
        while let Some(kept) = end.0.get() {
            end = &kept.1;
        }
        &end.0.get_or_init(|| Box::new((text, Made::default()))).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_name_is_read_as_it_is_written_and_on_its_own_server_alone() {
        let node = Node { query_ids: 0xe4d6_9a1c_ce81_468d, first_query_id: 0x91c9_ae32_b175_40e8, ..Node::default() };
        assert_eq!(node.query_name(1), "e4d69a1cce81468d-91c9ae32b17540e9");
        assert_eq!(node.query_id("e4d69a1cce81468d-91c9ae32b17540e9"), Some(1));
        assert_eq!(node.query_id("E4D69A1CCE81468D-91C9AE32B17540E9"), Some(1));
        let last = Node { first_query_id: u64::MAX, ..node.clone() };
        assert_eq!(last.query_id(&last.query_name(5)), Some(5), "the count goes round");
        for foreign in ["", "-", "e4d69a1cce81468d-", "+4d69a1cce81468d-1", "1-1", "e4d69a1cce81468d-00000000000000001"]
        {
            assert_eq!(node.query_id(foreign), None, "{foreign}");
        }
    }
}
