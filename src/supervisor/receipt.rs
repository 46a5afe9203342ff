//! What a kill has reached, and how whoever asked for it waits for the end of that.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::history::{Suspect, VICTIMS};
use crate::{
    model::{KillError, KillOutcome, Reason, StatementNo},
    state::{Ending, Slot},
};

/// Says that a kill was signalled, which is what SQL's OK means; and can be awaited until what was killed is over.
#[derive(Debug)]
#[must_use = "a kill is over when its receipt says so"]
pub struct Receipt {
    victims: Vec<Victim>,
    spared: Spared,
    /// How many sessions of other nodes it reached.
    elsewhere: u64,
    /// What the requester is told all the same: it may not have reached all.
    but: Option<KillError>,
}

/// The sessions that a kill was aimed at beside those that it reached, and that were not the requester's to kill. The
/// requester is not told of them; the host is.
#[derive(Debug, Default)]
pub(super) struct Spared {
    /// How many.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: Vec<Suspect>,
}

impl Spared {
    /// One more.
    pub(super) fn add(&mut self, slot: &Slot) {
        self.count += 1;
        if self.first.len() < VICTIMS {
            self.first.push(Suspect::of(slot));
        }
    }
}

#[cfg(feature = "cluster")]
impl From<Vec<Suspect>> for Spared {
    fn from(first: Vec<Suspect>) -> Self {
        Self { count: first.len() as u64, first }
    }
}

/// One session that a kill reached.
#[derive(Clone, Debug)]
pub(super) struct Victim {
    pub(super) slot: Arc<Slot>,
    pub(super) what: What,
    /// When it was struck, and its end; `None`: there was nothing to end.
    pub(super) struck: Option<(Instant, Arc<Ending>)>,
}

/// What of a session a kill ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// No statement was running.
    Nothing,
    /// With the first reason that reached it.
    Statement(StatementNo, Reason),
    /// The same.
    Session(Reason),
}

impl Victim {
    /// The same, without keeping the session.
    pub(super) fn fate(&self) -> Fate {
        Fate(self.struck.clone())
    }
}

/// What a kill has ended. Keeps nothing of the session.
#[derive(Clone, Debug)]
pub(super) struct Fate(Option<(Instant, Arc<Ending>)>);

impl Fate {
    /// How long after the kill it was over: `Some(None)` while it is not. `None`: there was nothing to end.
    pub(super) fn time(&self) -> Option<Option<Duration>> {
        self.0.as_ref().map(|(asked, ending)| ending.after(*asked))
    }
}

impl Receipt {
    /// Of the sessions that it reached; none: that there was nobody.
    pub(super) fn of(victims: Vec<Victim>) -> Self {
        Self { victims, spared: Spared::default(), elsewhere: 0, but: None }
    }

    /// Of so many sessions of other nodes.
    #[cfg(feature = "cluster")]
    pub(super) fn elsewhere(sessions: u64) -> Self {
        Self { elsewhere: sessions, ..Self::of(Vec::new()) }
    }

    /// The same; but the requester is told this error, since it may not have reached all.
    #[cfg(feature = "cluster")]
    pub(super) fn but(self, error: KillError) -> Self {
        Self { but: Some(error), ..self }
    }

    /// What the requester is told.
    pub(super) fn told(mut self) -> Result<Self, KillError> {
        self.but.take().map_or(Ok(self), Err)
    }

    /// Whether it has ended anything here.
    pub(super) fn has_struck(&self) -> bool {
        self.victims.iter().any(|victim| victim.struck.is_some())
    }

    /// Whether other nodes carried it out.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere > 0
    }

    /// The same, of a kill that was aimed at these too.
    pub(super) fn sparing(self, spared: Spared) -> Self {
        Self { spared, ..self }
    }

    /// How many sessions it reached.
    pub fn sessions(&self) -> usize {
        self.victims.len().saturating_add(usize::try_from(self.elsewhere).unwrap_or(usize::MAX))
    }

    pub(super) fn victims(&self) -> &[Victim] {
        &self.victims
    }

    pub(super) fn spared(&self) -> &Spared {
        &self.spared
    }

    /// Waits until what was killed is over: the statement has ended and its client was told; the session has rolled
    /// back and left the list. With several victims: until all are.
    ///
    /// The answer for a single victim names the first reason that reached it, which need not be this kill's. Of what
    /// another node has ended, nothing is waited for.
    pub async fn ended(self) -> KillOutcome {
        let mut outcome = if self.is_elsewhere() { KillOutcome::Elsewhere } else { KillOutcome::NotRunning };
        for Victim { slot, what, .. } in self.victims {
            match what {
                What::Nothing => {}
                What::Statement(number, first) => {
                    slot.switch.until(|word| (word.running() != Some(number)).then_some(())).await;
                    outcome = KillOutcome::Ended(first);
                }
                What::Session(first) => {
                    slot.switch.until(|word| word.gone().then_some(())).await;
                    outcome = KillOutcome::Ended(first);
                }
            }
        }
        outcome
    }
}
