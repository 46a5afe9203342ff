//! The kills that were asked for, the last ones: who, whom, how, and what came of it. The table `killdeer.kill_history`
//! shows them, and [`super::Listing::kills`].

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use super::{
    kill::Refusal,
    messages::Kill,
    receipt::{Fate, Receipt, Victim},
};
use crate::{
    control::logged_target,
    dialect::{Dialect, Verdict},
    id::SessionId,
    model::{KillCause, KillError, KillMode, KillResult, KillRow, KillVictim, Origin, Principal},
    state::Slot,
};

/// So many kills are kept of each [`Kind`].
const KEPT: usize = 1024;

/// Of a kill of several sessions, so many victims are remembered, first those of whom something was ended; the others are
/// counted.
pub(super) const VICTIMS: usize = 16;

/// A session that a kill was aimed at, by the id that lists show.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    id: SessionId,
    principal: Option<Arc<Principal>>,
    peer: Origin,
}

impl Suspect {
    pub(super) fn of(slot: &Slot) -> Self {
        Self { id: slot.shown_id(), principal: slot.principal(), peer: slot.peer() }
    }
}

/// What may drive out what: kills of one kind drive out others of that kind alone. What anybody may do as often as it likes
/// drives out nothing that an administrator or a policy has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It ended something of another user's.
    Others,
    /// All that it ended was the requester's own.
    Own,
    /// It ended nothing.
    InVain,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Others, Kind::Own, Kind::InVain];

    fn of(dialect: &Dialect, by: &Principal, cause: &KillCause, receipt: &Receipt) -> Self {
        if receipt.is_elsewhere() {
            // Whose it was is not known here. Whoever may end nobody's sessions has ended some of its own.
            let administrator = dialect.may_kill(by, None) == Verdict::Allowed;
            return if administrator { Kind::Others } else { Kind::Own };
        }
        let own = |owner: &Principal| owner.user() == by.user() && owner.tenant() == by.tenant();
        let mut ended = receipt.victims().iter().filter(|victim| victim.struck.is_some()).peekable();
        if ended.peek().is_none() {
            Kind::InVain
        } else if matches!(cause, KillCause::Policy(_))
            || ended.any(|victim| !victim.slot.principal().is_some_and(|owner| own(&owner)))
        {
            // The policies are no account, whatever a user is called.
            Kind::Others
        } else {
            Kind::Own
        }
    }
}

/// One kill. Keeps no session: what a client has sent goes when the session does.
#[derive(Debug)]
pub(crate) struct Record {
    /// The kill's number: clocks can be set back.
    number: u64,
    at: SystemTime,
    by: Arc<Principal>,
    from: Option<(SessionId, Option<Origin>)>,
    /// As a statement would name it, what a client may choose cut.
    target: String,
    mode: KillMode,
    cause: KillCause,
    found: Vec<Suspect>,
    sessions: usize,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// It was carried out: what came of each that was found, in their order.
    Struck(Vec<Fate>),
    /// Not the requester's to kill.
    Denied {
        /// What the requester reads here, if it was told something else.
        told: Option<KillResult>,
    },
    /// Left alone by a kill that reached other sessions, which has a record of its own. Who sees none of them, such as the
    /// requester, has no such row.
    Spared,
    /// There was no such session.
    Unknown,
    /// Other nodes know what came of it, or nobody does.
    Elsewhere(KillResult),
}

impl Outcome {
    /// `remembered`: of the victims, if there were any.
    fn of(result: &Result<Receipt, Refusal>, remembered: &[&Victim]) -> Self {
        match result {
            Ok(receipt) if receipt.is_elsewhere() => Outcome::Elsewhere(KillResult::Elsewhere),
            Ok(_) => Outcome::Struck(remembered.iter().map(|victim| victim.fate()).collect()),
            Err(refusal) => match (refusal.truth(), refusal.hidden(), &refusal.told) {
                (Some(truth), hidden, told) if truth.is_denial() => {
                    let as_if = match told {
                        None => KillResult::NothingToEnd,
                        Some(told) if told.is_denial() => KillResult::Denied,
                        Some(KillError::Unreachable { .. }) => KillResult::Unreachable,
                        Some(KillError::Unanswered { .. } | KillError::ClientNotReached { .. }) => {
                            KillResult::Unanswered
                        }
                        Some(_) => KillResult::Unknown,
                    };
                    Outcome::Denied { told: hidden.map(|_| as_if) }
                }
                (None, ..) => Outcome::Struck(Vec::new()),
                (Some(KillError::Unreachable { .. }), ..) => Outcome::Elsewhere(KillResult::Unreachable),
                (Some(KillError::Unanswered { .. } | KillError::ClientNotReached { .. }), ..) => {
                    Outcome::Elsewhere(KillResult::Unanswered)
                }
                _ => Outcome::Unknown,
            },
        }
    }
}

/// What is added of a kill.
pub(super) struct Entry(Kind, Arc<Record>);

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// By [`Kind`].
    kept: [VecDeque<Arc<Record>>; Kind::ALL.len()],
}

/// A kill as it is kept, with its number; twice, if it left some alone: who sees none of those is not told of them. Made
/// before the history is locked: of a kill of many, all are looked at.
pub(super) fn entries(
    (number, at): (u64, SystemTime),
    dialect: &Dialect,
    kill: &Kill,
    cause: &KillCause,
    from: Option<(SessionId, Option<Origin>)>,
    result: &Result<Receipt, Refusal>,
) -> impl Iterator<Item = Entry> + use<> {
    let victims = result.as_ref().map_or(&[][..], Receipt::victims);
    // Those of whom something was ended come first.
    let (struck, idle) = (victims.iter().filter(|v| v.struck.is_some()), victims.iter().filter(|v| v.struck.is_none()));
    let remembered: Vec<&Victim> = struck.chain(idle).take(VICTIMS).collect();
    let (found, kind) = match result {
        Ok(receipt) => {
            let found = remembered.iter().map(|victim| Suspect::of(&victim.slot)).collect();
            (found, Kind::of(dialect, &kill.by, cause, receipt))
        }
        Err(refusal) => (refusal.suspects(), Kind::InVain),
    };
    let entry = |found, sessions, kind: Kind, outcome| {
        let record = Record {
            number,
            at,
            by: Arc::clone(&kill.by),
            from,
            target: logged_target(&kill.target),
            mode: kill.mode,
            cause: cause.clone(),
            found,
            sessions,
            outcome,
        };
        Entry(kind, Arc::new(record))
    };
    let sessions = result.as_ref().map_or(0, Receipt::sessions);
    let first = entry(found, sessions, kind, Outcome::of(result, &remembered));
    let spared = result.as_ref().ok().map(Receipt::spared).filter(|spared| spared.count > 0);
    let second = spared.map(|spared| entry(spared.first.clone(), 0, Kind::InVain, Outcome::Spared));
    [Some(first), second].into_iter().flatten()
}

impl History {
    /// Adds a kill.
    pub(super) fn add(&mut self, entries: impl Iterator<Item = Entry>) {
        for Entry(kind, record) in entries {
            let kept = &mut self.kept[kind as usize];
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(record);
        }
    }

    /// All of them, the oldest first.
    pub(super) fn records(&self) -> Vec<Arc<Record>> {
        let mut records: Vec<_> = self.kept.iter().flatten().cloned().collect();
        // Stable: of one kill, what was carried out comes first.
        records.sort_by_key(|record| record.number);
        records
    }
}

impl Record {
    /// The row as `viewer` sees it; `None` if it does not concern it: neither the requester nor any victim is somebody
    /// whose sessions it may see.
    pub(super) fn row(&self, dialect: &Dialect, viewer: &Principal) -> Option<KillRow> {
        let sees = |owner: Option<&Principal>| dialect.may_see(viewer, owner);
        // The policies are no account: a user of their name is nothing to them.
        let by_visible = match self.cause {
            KillCause::Policy(_) => sees(None),
            _ => sees(Some(&self.by)),
        };
        let seen: Vec<bool> = self.found.iter().map(|suspect| sees(suspect.principal.as_deref())).collect();
        let visible = seen.iter().filter(|seen| **seen).count();
        if !by_visible && visible == 0 {
            return None;
        }
        let one = self.sessions <= 1 && visible == 1;
        let victim = self.found.iter().find(|suspect| one && sees(suspect.principal.as_deref()));
        let mut duration = None;
        let result = match &self.outcome {
            Outcome::Struck(fates) => {
                // Who does not see the requester reads of what came of the sessions that it sees.
                let told = fates.iter().zip(&seen).filter(|(_, seen)| by_visible || **seen);
                let times: Vec<_> = told.filter_map(|(fate, _)| fate.time()).collect();
                duration = times.iter().copied().collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().max());
                match (times.as_slice(), duration) {
                    ([], _) => KillResult::NothingToEnd,
                    (_, Some(_)) => KillResult::Ended,
                    (_, None) => KillResult::Ending,
                }
            }
            // Who was told that there is no such session is not told otherwise here, unless it sees the session by now.
            Outcome::Denied { told: Some(told) } if visible == 0 => *told,
            Outcome::Spared if visible == 0 => return None,
            Outcome::Denied { .. } | Outcome::Spared => KillResult::Denied,
            Outcome::Unknown => KillResult::Unknown,
            Outcome::Elsewhere(result) => *result,
        };
        // Of a session that is not to be seen, its victim reads whose it was, and nothing more.
        let (by_id, by_host) = self.from.filter(|_| by_visible).unzip();
        Some(KillRow {
            at: self.at,
            by: Arc::clone(self.by.user()),
            by_id,
            by_host: by_host.flatten(),
            mode: self.mode,
            target: self.target.clone(),
            victim: victim.map(|suspect| KillVictim {
                id: suspect.id,
                user: suspect.principal.as_ref().map(|owner| Arc::clone(owner.user())),
                host: suspect.peer,
            }),
            // Those that are not remembered may be anybody's.
            sessions: if by_visible { self.sessions } else { visible.min(self.sessions) } as u64,
            cause: self.cause.clone(),
            result,
            duration,
        })
    }
}

#[cfg(test)]
mod tests;
