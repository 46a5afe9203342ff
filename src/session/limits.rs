//! A session's time-outs, as it goes on: until when it may be idle, and a statement may run.

use std::sync::Arc;

use tokio::time::Instant;

use super::core::Core;
use crate::{control, engine::Engine, model::Setting, state::Limits};

impl<E: Engine> Core<E> {
    /// The session is idle since then, and for no longer than it may be.
    pub(super) fn rest(&self, since: Instant) {
        if let Some(until) = self.slot().show_idle(since, &self.state) {
            self.shared.registry.timers.arm(self.slot(), until);
        }
    }

    /// The client was heard of: Time starts again (MySQL: with every command, ping too).
    #[cfg(feature = "mysql")]
    pub(crate) fn touch(&self) {
        self.rest(Instant::now());
    }

    /// The session's time-outs.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The session has these time-outs from now on; the statement that runs goes by its own.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = self.shared.registry.limits.share(limits);
        if let Some(until) = self.slot().set_limits(Arc::clone(&self.limits)) {
            self.shared.registry.timers.arm(self.slot(), until);
        }
    }

    /// The time-outs that a session of this user begins with.
    pub(super) fn first_limits(&self) -> Limits {
        Limits::first(&self.shared.registry.settings, &self.principal, self.interactive)
    }

    /// A statement that began then may run as long as these say.
    fn limit(&mut self, limits: &Limits, sql: &[u8], began: Instant) {
        let limit = limits.statement(control::only_reads(sql, &self.shared.syntax()));
        let until = limit.and_then(|(time, reason)| Some((began.checked_add(time)?, reason)));
        self.bounded = until.is_some();
        self.slot().set_until(until);
        if let Some((at, _)) = until {
            self.shared.registry.timers.arm(self.slot(), at);
        }
    }

    /// A statement that begins now has the time that the session's settings leave it, or its own hint.
    pub(super) fn time(&mut self, sql: &[u8], began: Instant) {
        if let Some(milliseconds) = control::execution_time_hint(sql, &self.shared.syntax()) {
            let setting = Setting::MaxExecutionTime;
            let amount = setting.amount(milliseconds.into()).unwrap_or_else(|nearest| nearest);
            let mut hinted = *self.limits;
            hinted.set(setting, self.principal.clamp(setting, amount).0);
            self.limit(&hinted, sql, began);
        } else if self.limits.any_for_statements() {
            let limits = *self.limits;
            self.limit(&limits, sql, began);
        } else {
            self.time_over();
        }
    }

    /// A statement is over: its time is not that of what follows in the same command.
    pub(crate) fn time_over(&mut self) {
        if std::mem::take(&mut self.bounded) {
            self.slot().set_until(None);
        }
    }
}
