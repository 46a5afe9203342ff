//! The timers of all sessions: one ordered set of moments, and one future that waits for the first of them.
//!
//! A session has one moment in the set at most, and it is set anew only to be earlier. When it comes, the session is
//! asked what is due (`state::due`): nothing yet, mostly, for statements came and went meanwhile, and then the moment at
//! which something would be due is the next one. So a statement costs its session one look at a number, an idle session
//! costs nothing at all, and a timer that comes too late for its statement finds another number there.
//!
//! They run on the supervisor's arbiter: neither a session that keeps its own arbiter busy nor one that panics holds
//! them up.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures::future::{Either, select};
use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::registry::Registry;
use crate::{
    id::SessionId,
    lock::{Held, Lock, Over},
    state::{Due, Raised, Signal, Slot, UNARMED},
};

/// So many sessions are looked at before the supervisor sees to its mail.
const TURN: usize = 256;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    moments: Lock<Moments>,
    /// There is a moment before the one that is waited for.
    earlier: Notify,
}

/// Moments, in nanoseconds since the start.
#[derive(Debug)]
struct Moments {
    set: BTreeSet<(u64, SessionId)>,
    /// Which is waited for: never later than the first, but it may be gone, for nobody is woken since there is less to do.
    awaited: u64,
}

impl Timers {
    pub(super) fn new() -> Self {
        let moments = Moments { set: BTreeSet::new(), awaited: UNARMED };
        Self { start: Instant::now(), moments: Lock::new(Over::Timers, moments), earlier: Notify::new() }
    }

    /// The session is to be looked at by then.
    pub(crate) fn arm(&self, slot: &Slot, at: Instant) {
        let nanos = u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(UNARMED - 1);
        // Whoever finds an earlier moment here is seen by the look at that moment: the session's state was changed before
        // this, and is read behind the same lock after the moment was taken out.
        if slot.armed.load(Relaxed) <= nanos {
            return;
        }
        let mut moments = self.moments();
        let before = slot.armed.load(Relaxed);
        if before <= nanos {
            return;
        }
        moments.set.remove(&(before, slot.id()));
        slot.armed.store(nanos, Relaxed);
        moments.set.insert((nanos, slot.id()));
        let earlier = nanos < moments.awaited;
        if earlier {
            moments.awaited = nanos;
        }
        drop(moments);
        if earlier {
            self.earlier.notify_one();
        }
    }

    /// The session is over: nobody looks at it any more.
    pub(super) fn disarm(&self, slot: &Slot) {
        if slot.armed.load(Relaxed) == UNARMED {
            return;
        }
        let mut moments = self.moments();
        moments.set.remove(&(slot.armed.swap(UNARMED, Relaxed), slot.id()));
    }

    /// The first moment, which is the one that is waited for from now on.
    fn first(&self) -> Option<Instant> {
        let mut moments = self.moments();
        moments.awaited = moments.set.first().map_or(UNARMED, |(moment, _)| *moment);
        self.start.checked_add(Duration::from_nanos(moments.set.first()?.0))
    }

    /// Takes out the first session whose moment has come.
    fn take(&self, registry: &Registry, now: Instant) -> Option<Option<Arc<Slot>>> {
        let now = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let mut moments = self.moments();
        let (moment, id) = *moments.set.first().filter(|(moment, _)| *moment <= now)?;
        moments.set.pop_first();
        let slot = registry.get(id);
        // The id may be another session's by now, which has a moment of its own.
        let slot = slot.filter(|slot| slot.armed.compare_exchange(moment, UNARMED, Relaxed, Relaxed).is_ok());
        Some(slot)
    }

    fn moments(&self) -> Held<'_, Moments> {
        self.moments.hold()
    }

    /// How many sessions are watched.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.moments().set.len()
    }
}

/// Waits for the moments of this registry's sessions, and does what is due. Never ends.
pub(super) async fn keep(registry: Arc<Registry>) {
    let timers = &registry.timers;
    loop {
        let earlier = std::pin::pin!(timers.earlier.notified());
        match timers.first() {
            None => earlier.await,
            Some(first) => {
                if let Either::Right(_) = select(std::pin::pin!(sleep_until(first)), earlier).await {
                    continue;
                }
                let mut turn = 0;
                while let Some(found) = timers.take(&registry, Instant::now()) {
                    if let Some(slot) = found
                        && catch_unwind(AssertUnwindSafe(|| look(&registry, &slot))).is_err()
                    {
                        tracing::error!(session = %slot.id(), "looking at a session's time-outs panicked");
                    }
                    turn += 1;
                    if turn % TURN == 0 {
                        yield_now().await;
                    }
                }
            }
        }
    }
}

/// Does what is due in a session.
fn look(registry: &Registry, slot: &Arc<Slot>) {
    let now = Instant::now();
    loop {
        let (due, raised) = slot.obey(now);
        let (reason, signal) = match due {
            Due::Never => return,
            Due::At(moment) => return registry.timers.arm(slot, moment),
            Due::Cancel(_, reason) => (reason, Signal::Cancelled),
            Due::LeaveIdle(_, reason) | Due::Leave(reason) => (reason, Signal::Leaving),
        };
        if raised == Raised::First {
            registry.counters.timed_out(reason);
            tracing::info!(session = %slot.id(), %reason, "time-out");
            slot.signal(signal);
        }
        if signal == Signal::Leaving {
            return;
        }
        // A statement that took too long may leave rows behind that its client does not read.
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::{
        dialect::{Dialect, Node},
        id::Layout,
        model::{Clock, Command, Origin, Principal, Privileges, Reason, Settings},
        state::{Limits, Running},
        supervisor::{Registration, kill::tests::deaf},
    };

    #[test]
    fn a_client_that_does_not_read_is_watched_whatever_became_of_its_statement() {
        let registry =
            Registry::new(Layout::plain32(), Dialect::mysql(), Node::default(), Clock::default(), &Settings::new());
        let who = Arc::new(Principal::new("app", Privileges::NONE));
        let session = registry.admit(Origin::Local, deaf(), Some(Arc::clone(&who))).unwrap();
        let slot = session.slot();
        slot.set_limits(Arc::new(Limits::first(&registry.settings, &who, false)));
        let began = registry.timers.start;
        let statement = slot.switch.begin().unwrap();
        slot.show(Command::Query, "", None, Some(Running { statement, query_id: 1 }), began);
        slot.set_until(Some((began, Reason::StatementTime)));
        slot.set_stalled(Some(began));
        look(&registry, slot);
        assert_eq!(slot.switch.word().killed(), Some(Reason::StatementTime));
        assert_eq!(registry.timers.first(), Some(began + Duration::from_secs(60)), "the rows that it leaves unread");
    }

    #[test]
    fn the_wait_is_broken_off_for_an_earlier_moment_alone() {
        let registry =
            Registry::new(Layout::plain32(), Dialect::mysql(), Node::default(), Clock::default(), &Settings::new());
        let admit = || registry.admit(Origin::Local, deaf(), None).unwrap();
        let (timers, start) = (&registry.timers, registry.timers.start);
        let woken = || timers.earlier.notified().now_or_never().is_some();
        let arm = |session: &Registration, seconds| timers.arm(session.slot(), start + Duration::from_secs(seconds));
        let (first, second) = (admit(), admit());
        arm(&first, 9);
        assert!(woken(), "nobody has waited for anything");
        drop(first);
        arm(&second, 20);
        assert!(!woken(), "it is waited for an earlier one, which is gone");
        arm(&second, 5);
        assert!(woken());
        assert_eq!(timers.first(), Some(start + Duration::from_secs(5)));
        arm(&admit(), 6);
        assert!(!woken());
    }

    #[test]
    fn a_moment_is_set_anew_only_to_be_earlier_and_goes_with_its_session() {
        let registry =
            Registry::new(Layout::plain32(), Dialect::mysql(), Node::default(), Clock::default(), &Settings::new());
        let session = registry.admit(Origin::Local, deaf(), None).unwrap();
        let (timers, slot, start) = (&registry.timers, session.slot(), registry.timers.start);
        let in_seconds = |n| start + Duration::from_secs(n);
        timers.arm(slot, in_seconds(9));
        timers.arm(slot, in_seconds(20));
        assert_eq!((timers.first(), timers.len()), (Some(in_seconds(9)), 1));
        timers.arm(slot, in_seconds(5));
        assert_eq!((timers.first(), timers.len()), (Some(in_seconds(5)), 1));
        assert!(timers.take(&registry, in_seconds(4)).is_none());
        let taken = timers.take(&registry, in_seconds(5)).flatten().expect("its moment has come");
        assert_eq!((taken.id(), timers.len()), (slot.id(), 0));
        timers.arm(slot, in_seconds(20));
        assert_eq!(timers.len(), 1);
        drop(session);
        assert_eq!(timers.len(), 0, "who left is not kept");
    }
}
