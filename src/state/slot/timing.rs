//! The session's time-outs: its own values, what they are measured from, and what its timers do.

use std::sync::Arc;

use tokio::time::Instant;

use super::Slot;
use crate::{
    model::{Globals, Reason},
    state::{Due, Limits, word::Raised},
};

impl Slot {
    /// The session's time-outs.
    pub(crate) fn limits(&self) -> Limits {
        *self.shown().watch.limits()
    }

    /// The server's settings.
    pub(crate) fn globals(&self) -> &Arc<Globals> {
        &self.globals
    }

    /// The session's time-outs from now on. Returns until when it may be idle, if it is.
    pub(crate) fn set_limits(&self, limits: Arc<Limits>) -> Option<Instant> {
        let mut shown = self.shown();
        shown.watch.limits = Some(limits);
        let (time, _) = shown.watch.limits().idle(shown.transaction.is_some())?;
        shown.since.checked_add(time)
    }

    /// The statement that runs, or the next part of it, may take until then; `None`: as long as it takes.
    pub(crate) fn set_until(&self, until: Option<(Instant, Reason)>) {
        self.shown().watch.set_until(until);
    }

    /// The client leaves rows unread, since then; `None`: not any more. Returns until when it may.
    #[cfg(any(feature = "mysql", test))]
    pub(crate) fn set_stalled(&self, since: Option<Instant>) -> Option<Instant> {
        let mut shown = self.shown();
        shown.watch.set_stalled(since);
        since?.checked_add(shown.watch.limits().net_write()?)
    }

    /// Ends the session unless its owner is known by now.
    pub(crate) fn end_before_login(&self, why: Reason) -> Raised {
        let shown = self.shown();
        if shown.principal.is_some() { Raised::NotRunning } else { self.switch.terminate(why) }
    }

    /// What its timers find at this time; what is due is done, and what came of it. In one step: what a client does meanwhile
    /// comes before it, and is seen, or after it.
    pub(crate) fn obey(&self, now: Instant) -> (Due, Raised) {
        let mut shown = self.shown();
        if shown.principal.is_none() {
            // Before login there is another deadline.
            return (Due::Never, Raised::NotRunning);
        }
        let running = shown.running;
        let idle = if running.is_none() { Some((shown.since, shown.transaction.is_some())) } else { None };
        let due = shown.watch.due(now, self.switch.word(), running, idle);
        let raised = match due {
            Due::Never | Due::At(_) => Raised::NotRunning,
            Due::Cancel(statement, reason) => self.switch.cancel(statement, reason),
            Due::LeaveIdle(number, reason) => self.switch.leave_idle(number, reason),
            Due::Leave(reason) => self.switch.terminate(reason),
        };
        if raised == Raised::First {
            shown.rare.get_or_insert_default().killed = Some((now, None));
        }
        (due, raised)
    }
}
