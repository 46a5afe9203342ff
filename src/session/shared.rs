//! What all sessions of a runtime share.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Arbiter};

use crate::{
    control::Syntax,
    engine::Placement,
    supervisor::{Registry, Retire, Supervisor},
};

/// The engine, the supervisor, and the rules that both go by.
pub(crate) struct Shared<E> {
    pub(crate) engine: E,
    pub(crate) registry: Arc<Registry>,
    pub(crate) supervisor: Addr<Supervisor>,
    pub(crate) placement: Placement,
    pub(crate) rollback_timeout: Duration,
    #[cfg_attr(
        not(any(feature = "mysql", feature = "system-tables")),
        expect(dead_code, reason = "read by wires and system tables alone")
    )]
    pub(crate) server_version: Arc<str>,
    /// The longest packet that a client may send, in bytes.
    pub(crate) max_allowed_packet: usize,
    /// Whether every client is told why its connection is closed for it.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "read by wires alone"))]
    pub(crate) tell_killed: bool,
    pub(crate) queued_statements: usize,
    /// Where questions about system tables are answered.
    #[cfg(feature = "system-tables")]
    pub(crate) tables: crate::system::SystemTables,
    /// What goes on beside the sessions for as long as there are any: dropped with the last of them.
    #[cfg(feature = "policies")]
    pub(crate) _beside: Arc<dyn std::any::Any + Send + Sync>,
    /// Its place in a cluster.
    #[cfg(feature = "cluster")]
    pub(crate) node: Option<crate::cluster::Node>,
    /// The supervisor's own, if it has one.
    pub(crate) arbiter: Option<Arbiter>,
}

impl<E> Shared<E> {
    pub(crate) fn syntax(&self) -> Syntax {
        self.registry.dialect.syntax()
    }

    /// So long a client may take from its connect to the end of its login.
    #[cfg(feature = "mysql")]
    pub(crate) fn login_timeout(&self) -> Duration {
        self.registry.settings.time(crate::model::Setting::ConnectTimeout).unwrap_or_default()
    }

    /// A login, or a change of user, has taken longer than that: its session is to end.
    #[cfg(feature = "mysql")]
    pub(crate) fn login_timed_out(&self, slot: &crate::state::Slot) {
        let reason = crate::model::Reason::LoginTimeout;
        if slot.switch.terminate(reason) == crate::state::Raised::First {
            self.registry.counters.timed_out(reason);
        }
    }
}

impl<E> Drop for Shared<E> {
    fn drop(&mut self) {
        match &self.arbiter {
            Some(arbiter) => _ = arbiter.stop(),
            None => self.supervisor.do_send(Retire),
        }
    }
}
