//! The kills that were asked for, the last ones: who, whom, how, and what came of it. The table `killdeer.kill_history`
//! shows them, and [`super::Listing::kills`].

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use super::{
    kill::Refusal,
    messages::Kill,
    receipt::{Fate, Receipt},
};
use crate::{
    control::logged_target,
    dialect::Dialect,
    id::SessionId,
    model::{KillCause, KillMode, KillResult, KillRow, KillVictim, Origin, Principal},
    state::Slot,
};

/// So many kills that ended something are kept, and so many that did not: who asks in vain, however often, drives out none
/// that were carried out.
const KEPT: usize = 1024;

/// Of a kill of several sessions, so many victims are remembered; the others are counted.
pub(super) const VICTIMS: usize = 16;

/// A session that a kill was aimed at.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    id: SessionId,
    principal: Option<Arc<Principal>>,
    peer: Origin,
}

impl Suspect {
    pub(super) fn of(slot: &Slot) -> Self {
        Self { id: slot.id(), principal: slot.principal(), peer: slot.peer() }
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
    /// It was carried out.
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
}

impl Outcome {
    fn of(result: &Result<Receipt, Refusal>) -> Self {
        match result {
            Ok(receipt) => Outcome::Struck(receipt.victims().iter().take(VICTIMS).map(|v| v.fate()).collect()),
            Err(refusal) => match (refusal.truth(), refusal.hidden(), &refusal.told) {
                (Some(truth), hidden, told) if truth.is_denial() => {
                    let as_if = if told.is_some() { KillResult::Unknown } else { KillResult::NothingToEnd };
                    Outcome::Denied { told: hidden.map(|_| as_if) }
                }
                (None, ..) => Outcome::Struck(Vec::new()),
                _ => Outcome::Unknown,
            },
        }
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct History {
    struck: VecDeque<Arc<Record>>,
    in_vain: VecDeque<Arc<Record>>,
}

impl History {
    /// Adds a kill, with its number.
    pub(super) fn add(
        &mut self,
        (number, at): (u64, SystemTime),
        kill: &Kill,
        cause: &KillCause,
        peer: Option<Origin>,
        result: &Result<Receipt, Refusal>,
    ) {
        let (found, sessions, ended_something) = match result {
            Ok(receipt) => {
                let victims = receipt.victims();
                let found = victims.iter().take(VICTIMS).map(|victim| Suspect::of(&victim.slot)).collect();
                (found, victims.len(), victims.iter().any(|victim| victim.struck.is_some()))
            }
            Err(refusal) => (refusal.suspects(), 0, false),
        };
        let from = kill.from.map(|session| (session, peer));
        let mut record = |found, sessions, ended_something, outcome| {
            let kept = if ended_something { &mut self.struck } else { &mut self.in_vain };
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(Arc::new(Record {
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
            }));
        };
        record(found, sessions, ended_something, Outcome::of(result));
        if let Some(spared) = result.as_ref().ok().map(Receipt::spared).filter(|spared| spared.count > 0) {
            record(spared.first.clone(), 0, false, Outcome::Spared);
        }
    }

    /// All of them, the oldest first.
    pub(super) fn records(&self) -> Vec<Arc<Record>> {
        let mut records: Vec<_> = self.struck.iter().chain(&self.in_vain).cloned().collect();
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
        let visible = self.found.iter().filter(|suspect| sees(suspect.principal.as_deref())).count();
        if !by_visible && visible == 0 {
            return None;
        }
        let all_visible = visible == self.found.len();
        let one = self.sessions <= 1 && visible == 1;
        let victim = self.found.iter().find(|suspect| one && sees(suspect.principal.as_deref()));
        let mut duration = None;
        let result = match &self.outcome {
            Outcome::Struck(fates) => {
                let times: Vec<_> = fates.iter().filter_map(Fate::time).collect();
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
            sessions: if all_visible || by_visible { self.sessions } else { visible.min(self.sessions) } as u64,
            cause: self.cause.clone(),
            result,
            duration,
        })
    }
}

#[cfg(test)]
mod tests;
