//! How a kill strikes a session: the switch is thrown and what is to be known of it noted in one step, so that whoever finds the
//! one finds the other.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Shown, Slot};
use crate::{
    model::{Origin, Reason, StatementNo},
    state::{
        Ending,
        switch::KillSwitch,
        word::{Raised, Word},
    },
};

/// A kill that somebody asked for, as its victim notes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    /// Its number.
    pub(crate) kill: u64,
    /// When it strikes.
    pub(crate) at: Instant,
    /// From where it comes, if somebody is to be told of that.
    pub(crate) from: Option<Origin>,
}

/// A session as a look at it found it. A kill that is given this ends nothing if the session has gone on since.
#[cfg(feature = "policies")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(super) word: Word,
    pub(super) since: Instant,
}

impl Shown {
    /// Notes a kill that came to this. Its end, if there is anything to end.
    fn struck(&mut self, strike: Strike, statement: Option<StatementNo>, raised: Raised) -> Option<Arc<Ending>> {
        if raised == Raised::NotRunning {
            return None;
        }
        let rare = self.rare.get_or_insert_default();
        if raised == Raised::First {
            rare.killed = Some((strike.at, strike.from));
        }
        let new = || Arc::new(Ending::new(strike.kill, strike.at));
        let ending = match statement {
            None => rare.ending.get_or_insert_with(new),
            Some(number) => match &mut rare.statement_ending {
                Some((of, ending)) if *of == number => ending,
                other => &mut other.insert((number, new())).1,
            },
        };
        Some(Arc::clone(ending))
    }
}

impl Slot {
    /// Throws the switch by `throw`, which says whether it was the first, and if so notes when and from where. Whoever
    /// finds the switch thrown finds that noted.
    pub(crate) fn kill(&self, now: Instant, from: Option<Origin>, throw: impl FnOnce(&KillSwitch) -> Raised) -> Raised {
        let mut shown = self.shown();
        let raised = throw(&self.switch);
        if raised == Raised::First {
            shown.rare.get_or_insert_default().killed = Some((now, from));
        }
        raised
    }

    /// The same, if the session is still as it was seen: busy with the same statement, or idle since the same time.
    #[cfg(feature = "policies")]
    pub(crate) fn strike_seen(
        &self,
        seen: Moment,
        strike: Strike,
        statement: Option<StatementNo>,
        throw: impl FnOnce(&KillSwitch, Word) -> Raised,
    ) -> (Raised, Option<Arc<Ending>>) {
        let mut shown = self.shown();
        if shown.since != seen.since {
            return (Raised::NotRunning, None);
        }
        let raised = throw(&self.switch, seen.word);
        (raised, shown.struck(strike, statement, raised))
    }

    /// The same for a kill that somebody asked for, of this statement, or of the session; with its end, if there is anything
    /// to end.
    pub(crate) fn strike(
        &self,
        strike: Strike,
        statement: Option<StatementNo>,
        throw: impl FnOnce(&KillSwitch) -> Raised,
    ) -> (Raised, Option<Arc<Ending>>) {
        let mut shown = self.shown();
        let raised = throw(&self.switch);
        (raised, shown.struck(strike, statement, raised))
    }

    /// A statement that was ended from outside is over. Its end, if that was somebody's kill; whoever finds the statement
    /// over finds that noted. With it what [`KillSwitch::finish`] gives.
    pub(crate) fn finish_killed(
        &self,
        number: StatementNo,
        now: Instant,
        open: bool,
    ) -> (Option<Arc<Ending>>, (Word, Word)) {
        let shown = self.shown();
        let ending = shown.rare.as_ref().and_then(|rare| rare.statement_ending.as_ref());
        let ending = ending.filter(|(of, _)| *of == number).map(|(_, ending)| Arc::clone(ending));
        ending.iter().for_each(|ending| ending.end(now));
        (ending, self.switch.finish(open))
    }

    /// The session is over: for `why`, if there was no reason before. The ends of its killed statement, if that was cut off,
    /// and of itself, if it was killed; whoever finds it over finds that noted.
    pub(crate) fn close(&self, why: Reason, now: Instant) -> (Option<Arc<Ending>>, Option<Arc<Ending>>) {
        let shown = self.shown();
        let rare = shown.rare.as_ref();
        let statement = rare.and_then(|rare| rare.statement_ending.as_ref()).map(|(_, ending)| Arc::clone(ending));
        let statement = statement.filter(|ending| ending.time().is_none());
        let session = rare.and_then(|rare| rare.ending.clone());
        statement.iter().chain(&session).for_each(|ending| ending.end(now));
        self.switch.close(why);
        (statement, session)
    }

    /// From where the last kill came that reached it.
    pub(crate) fn killer(&self) -> Option<Origin> {
        self.shown().rare.as_ref()?.killed?.1
    }
}
