//! What the timers of a session watch, and what they find when they look; pure.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Limits, word::Word};
use crate::model::{Reason, StatementNo};

/// A session that was caught between two states is looked at again after this.
const AGAIN: Duration = Duration::from_millis(100);

/// What is watched, beside what lists show.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The session's time-outs; none before login.
    pub(super) limits: Option<Arc<Limits>>,
    /// What few sessions have, and none that has never run a statement with a limit.
    moments: Option<Box<Moments>>,
}

/// See [`Watch::moments`].
#[derive(Debug, Default)]
struct Moments {
    /// Until when the running statement may run, and what it is told then.
    until: Option<(Instant, Reason)>,
    /// Since when the client has left rows unread.
    stalled: Option<Instant>,
}

/// What is due in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing, until something changes in it.
    Never,
    /// Nothing before then.
    At(Instant),
    /// This statement is to end.
    Cancel(StatementNo, Reason),
    /// The session is to end, unless something was begun since this statement.
    LeaveIdle(StatementNo, Reason),
    /// The session is to end.
    Leave(Reason),
}

impl Watch {
    /// The session's time-outs.
    pub(super) fn limits(&self) -> &Limits {
        self.limits.as_deref().unwrap_or(&Limits::NONE)
    }

    /// The running statement may take until then; `None`: as long as it takes.
    pub(super) fn set_until(&mut self, until: Option<(Instant, Reason)>) {
        if until.is_some() || self.moments.is_some() {
            self.moments.get_or_insert_default().until = until;
        }
    }

    /// The client has left rows unread since then; `None`: not any more.
    #[cfg(any(feature = "mysql", test))]
    pub(super) fn set_stalled(&mut self, since: Option<Instant>) {
        if since.is_some() || self.moments.is_some() {
            self.moments.get_or_insert_default().stalled = since;
        }
    }

    /// What is due at this time in a session with this word, that runs this statement, or is idle since then, in a
    /// transaction or not.
    pub(super) fn due(
        &self,
        now: Instant,
        word: Word,
        running: Option<StatementNo>,
        idle: Option<(Instant, bool)>,
    ) -> Due {
        let moments = self.moments.as_deref();
        let stalled = moments.and_then(|moments| moments.stalled).zip(self.limits().net_write());
        let unread =
            stalled.and_then(|(since, time)| Some((since.checked_add(time)?, Due::Leave(Reason::NetWriteTimeout))));
        let other = match (running, idle) {
            (Some(statement), _) => {
                // One that was ended already has its reason.
                let ended = word.stop(statement).is_some();
                let until = moments.and_then(|moments| moments.until);
                until.filter(|_| !ended).map(|(at, reason)| (at, Due::Cancel(statement, reason)))
            }
            // Between two states: what is shown is not what the word says, or not yet.
            (None, Some(_)) if word.running().is_some() => Some((now + AGAIN, Due::Never)),
            (None, Some((since, in_transaction))) if word.leaving().is_none() => {
                let limit = self.limits().idle(in_transaction);
                limit.and_then(|(time, reason)| Some((since.checked_add(time)?, Due::LeaveIdle(word.number(), reason))))
            }
            _ => None,
        };
        match unread.into_iter().chain(other).min_by_key(|(at, _)| *at) {
            None => Due::Never,
            Some((at, _)) if at > now => Due::At(at),
            Some((_, due)) => due,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Setting;

    const SECOND: Duration = Duration::from_secs(1);

    fn watch(settings: &[(Setting, u64)]) -> Watch {
        let mut limits = Limits::NONE;
        settings.iter().for_each(|(setting, seconds)| assert!(limits.set(*setting, seconds * 1_000_000)));
        Watch { limits: Some(Arc::new(limits)), ..Watch::default() }
    }

    #[test]
    fn an_idle_session_is_to_end_unless_something_was_begun() {
        let start = Instant::now();
        let watch = watch(&[(Setting::WaitTimeout, 10), (Setting::IdleTransactionTimeout, 3)]);
        let word = Word::NEW.begin().unwrap().finish(false);
        let at = |seconds: u32, in_transaction| {
            watch.due(start + SECOND * seconds, word, None, Some((start, in_transaction)))
        };
        assert_eq!(at(9, false), Due::At(start + SECOND * 10));
        assert_eq!(at(10, false), Due::LeaveIdle(word.number(), Reason::WaitTimeout));
        assert_eq!(at(2, true), Due::At(start + SECOND * 3));
        assert_eq!(at(3, true), Due::LeaveIdle(word.number(), Reason::IdleTransaction));
        let (leaving, _) = word.leave(Reason::Shutdown, true);
        assert_eq!(watch.due(start + SECOND * 99, leaving, None, Some((start, false))), Due::Never);
    }

    #[test]
    fn one_that_has_just_begun_something_is_not_idle() {
        let start = Instant::now();
        let watch = watch(&[(Setting::WaitTimeout, 1)]);
        let word = Word::NEW.begin().unwrap();
        let now = start + SECOND * 5;
        assert_eq!(watch.due(now, word, None, Some((start, false))), Due::At(now + AGAIN));
    }

    #[test]
    fn a_statement_is_to_end_once_and_for_its_first_reason() {
        let start = Instant::now();
        let mut watch = watch(&[(Setting::WaitTimeout, 1)]);
        let word = Word::NEW.begin().unwrap();
        let statement = word.number();
        let due = |watch: &Watch, word| watch.due(start + SECOND * 5, word, Some(statement), None);
        assert_eq!(due(&watch, word), Due::Never, "one that runs is not idle");
        watch.set_until(Some((start + SECOND * 6, Reason::ExecutionTime)));
        assert_eq!(due(&watch, word), Due::At(start + SECOND * 6));
        watch.set_until(Some((start + SECOND * 5, Reason::ExecutionTime)));
        assert_eq!(due(&watch, word), Due::Cancel(statement, Reason::ExecutionTime));
        let (killed, _) = word.cancel(statement, Reason::KillQuery);
        assert_eq!(due(&watch, killed), Due::Never);
        let next = word.finish(false).begin().unwrap();
        assert_eq!(due(&watch, next), Due::Never, "the next one has begun, and what is shown is the last one's");
    }

    #[test]
    fn a_client_that_does_not_read_is_to_go_whatever_became_of_its_statement() {
        let start = Instant::now();
        let mut watch = watch(&[(Setting::NetWriteTimeout, 2)]);
        watch.set_stalled(Some(start));
        let word = Word::NEW.begin().unwrap();
        let (killed, _) = word.cancel(word.number(), Reason::KillQuery);
        let due = |seconds| watch.due(start + SECOND * seconds, killed, Some(word.number()), None);
        assert_eq!(due(1), Due::At(start + SECOND * 2));
        assert_eq!(due(2), Due::Leave(Reason::NetWriteTimeout));
    }
}
