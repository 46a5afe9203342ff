//! What an operator may choose within one system's behaviour.

use super::Dialect;

/// What somebody is told who may not kill a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KillDenied {
    /// The system's own error, 1095 or 1227, which says that the session exists.
    #[default]
    Told,
    /// To those who may not see the session the same as if there were none, so that ids cannot be probed.
    Hidden,
}

/// See the module's text.
#[derive(Clone, Copy)]
pub(super) struct Switches {
    pub(super) kill_denied: KillDenied,
    pub(super) lenient_kill: bool,
    pub(super) global_kill: bool,
    pub(super) compatible_kill_query: bool,
    pub(super) trace_column: bool,
    pub(super) cancel_text: bool,
}

impl Switches {
    pub(super) const DEFAULT: Self = Self {
        kill_denied: KillDenied::Told,
        lenient_kill: false,
        global_kill: true,
        compatible_kill_query: false,
        trace_column: false,
        cancel_text: false,
    };
}

impl Dialect {
    /// What somebody is told who may not kill a session; [`KillDenied::Told`] unless said otherwise.
    #[must_use]
    pub const fn kill_denied(mut self, answer: KillDenied) -> Self {
        self.switches.kill_denied = answer;
        self
    }

    /// Whether a `KILL` of something that is no session is answered OK, with a warning where TiDB gives one; an error
    /// unless said otherwise. Has no effect on other systems.
    #[must_use]
    pub const fn lenient_kill(mut self, lenient: bool) -> Self {
        self.switches.lenient_kill = lenient && self.rules.syntax.kill.tidb_keyword;
        self
    }

    /// TiDB's `enable-global-kill`; on unless said otherwise. Without it, a `KILL` needs the keyword `TIDB`.
    #[must_use]
    pub const fn global_kill(mut self, on: bool) -> Self {
        self.switches.global_kill = on;
        self
    }

    /// TiDB's `compatible-kill-query`; off unless said otherwise. With it, a `KILL` without `TIDB` is carried out where
    /// global kill is off.
    #[must_use]
    pub const fn compatible_kill_query(mut self, on: bool) -> Self {
        self.switches.compatible_kill_query = on;
        self
    }

    /// Doris: whether its process list has the column TraceId, 15 in all; 14 without it unless said otherwise.
    #[must_use]
    pub const fn trace_column(mut self, on: bool) -> Self {
        self.switches.trace_column = on;
        self
    }

    /// Doris: whether the client of a killed query is told `cancel query by user from ip:port` (1105), rather than 1317 as
    /// in MySQL. Has no effect on other systems.
    #[must_use]
    pub const fn cancel_text(mut self, on: bool) -> Self {
        self.switches.cancel_text = on && self.rules.syntax.kill.named_queries;
        self
    }
}
