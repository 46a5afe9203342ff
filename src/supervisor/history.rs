//! The kills that were asked for, the last ones: who, whom, how, and what came of it. The table `killdeer.kill_history`
//! shows them.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use super::{
    kill::{Receipt, Refusal, Victim},
    messages::Kill,
};
use crate::{
    dialect::Dialect,
    id::SessionId,
    model::{Column, ColumnType, DateTime, KillError, KillMode, Origin, OwnedValue, Principal, Target},
    state::Slot,
};

/// So many kills that were carried out are kept, and so many that were not: who asks in vain, however often, drives out
/// none that were carried out.
const KEPT: usize = 1024;

/// Of a kill of all of a user's sessions, so many victims are remembered; the others are counted.
const VICTIMS: usize = 16;

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

/// One kill.
#[derive(Debug)]
struct Record {
    at: SystemTime,
    by: Arc<Principal>,
    from: Option<(SessionId, Option<Origin>)>,
    /// As a statement would name it, what a client may choose cut.
    target: String,
    mode: KillMode,
    found: Vec<Suspect>,
    sessions: usize,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// It was carried out.
    Struck(Vec<Victim>),
    /// Not the requester's to kill.
    Denied {
        /// Who was told that there is no such session.
        hidden: bool,
    },
    /// There was no such session.
    Unknown,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct History {
    struck: VecDeque<Record>,
    refused: VecDeque<Record>,
}

impl History {
    /// Adds a kill.
    pub(super) fn add(&mut self, at: SystemTime, kill: &Kill, peer: Option<Origin>, result: &Result<Receipt, Refusal>) {
        let (found, sessions, outcome) = match result {
            Ok(receipt) => {
                let victims = &receipt.victims()[..receipt.sessions().min(VICTIMS)];
                let found = victims.iter().map(|victim| Suspect::of(&victim.slot)).collect();
                (found, receipt.sessions(), Outcome::Struck(victims.to_vec()))
            }
            Err(refusal) => {
                let denied = matches!(refusal.truth(), KillError::NotOwner(_) | KillError::NotQueryOwner(_));
                let hidden = refusal.hidden.is_some();
                let outcome = if denied { Outcome::Denied { hidden } } else { Outcome::Unknown };
                (refusal.suspect.iter().cloned().collect(), 0, outcome)
            }
        };
        let kept = match outcome {
            Outcome::Struck(_) => &mut self.struck,
            _ => &mut self.refused,
        };
        if kept.len() == KEPT {
            kept.pop_front();
        }
        let from = kill.from.map(|session| (session, peer));
        let (by, target, mode) = (Arc::clone(&kill.by), shown(&kill.target), kill.mode);
        kept.push_back(Record { at, by, from, target, mode, found, sessions, outcome });
    }

    /// The rows that `viewer` may see, the oldest first: those by and of whoever it may see, itself above all.
    pub(super) fn rows(&self, dialect: &Dialect, viewer: &Principal) -> Vec<Vec<OwnedValue>> {
        let mut rows: Vec<_> = self.struck.iter().chain(&self.refused).collect();
        rows.sort_by_key(|record| record.at);
        rows.into_iter().filter_map(|record| record.row(dialect, viewer)).collect()
    }

    /// The columns.
    pub(crate) fn columns() -> Vec<Column> {
        let text = |name, width| Column::new(name, ColumnType::VarChar).width(width);
        let id = |name| Column::new(name, ColumnType::BigInt).unsigned().width(20);
        vec![
            Column::new("TIME", ColumnType::DateTime).width(26).decimals(6).not_null(),
            text("BY_USER", 128).not_null(),
            id("BY_ID"),
            text("BY_HOST", 261),
            text("MODE", 16).not_null(),
            text("TARGET", 256).not_null(),
            id("VICTIM_ID"),
            text("VICTIM_USER", 128),
            text("VICTIM_HOST", 261),
            id("SESSIONS").not_null(),
            text("WHY", 64).not_null(),
            text("OUTCOME", 16).not_null(),
        ]
    }
}

impl Record {
    /// The row as `viewer` sees it; `None` if it does not concern it.
    fn row(&self, dialect: &Dialect, viewer: &Principal) -> Option<Vec<OwnedValue>> {
        let sees = |owner: Option<&Principal>| dialect.may_see(viewer, owner);
        let by_visible = sees(Some(&self.by));
        let victims_visible = !self.found.is_empty() && self.found.iter().all(|s| sees(s.principal.as_deref()));
        if !by_visible && !victims_visible {
            return None;
        }
        // A victim is named to whoever sees it. Who asked for a kill and was told that there is no such session, is not
        // told otherwise here.
        let victim = self.found.first().filter(|_| self.found.len() == 1 && victims_visible);
        let outcome = match &self.outcome {
            Outcome::Struck(victims) => {
                let over: Vec<bool> = victims.iter().filter_map(Victim::is_over).collect();
                match over.as_slice() {
                    [] => "nothing to end",
                    over if over.iter().all(|over| *over) => "ended",
                    _ => "ending",
                }
            }
            Outcome::Denied { hidden } if victims_visible || !hidden => "denied",
            Outcome::Denied { .. } | Outcome::Unknown => "unknown",
        };
        let text = |text: &str| OwnedValue::Text(text.to_owned());
        let or_null = |value: Option<OwnedValue>| value.unwrap_or(OwnedValue::Null);
        let (session, peer) = self.from.map_or((None, None), |(session, peer)| (Some(session), peer));
        Some(vec![
            OwnedValue::DateTime(DateTime::from(self.at)),
            text(self.by.user()),
            or_null(session.map(|id| OwnedValue::UInt(id.get()))),
            or_null(peer.map(|peer| OwnedValue::Text(peer.to_string()))),
            text(match self.mode {
                KillMode::Query => "QUERY",
                KillMode::Connection => "CONNECTION",
            }),
            text(&self.target),
            or_null(victim.map(|victim| OwnedValue::UInt(victim.id.get()))),
            or_null(victim.and_then(|victim| victim.principal.as_ref()).map(|owner| text(owner.user()))),
            or_null(victim.map(|victim| OwnedValue::Text(victim.peer.to_string()))),
            OwnedValue::UInt(self.sessions as u64),
            text(if self.from.is_some() { "statement" } else { "host" }),
            text(outcome),
        ])
    }
}

/// The target as a statement would name it; what a client may choose is cut.
fn shown(target: &Target) -> String {
    let cut = |text: &str| crate::control::truncate_chars(text, 80).to_owned();
    match target {
        Target::Session(id) => id.to_string(),
        Target::Statement(id) => format!("QUERY ID {id}"),
        Target::Named(name) => format!("'{}'", cut(name)),
        Target::User { user, host: None } => format!("USER {}", cut(user)),
        Target::User { user, host: Some(host) } => format!("USER {}@{}", cut(user), cut(host)),
    }
}
