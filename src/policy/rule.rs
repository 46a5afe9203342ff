//! One rule: which sessions it hits.

use std::{sync::Arc, time::Duration};

use regex_lite::Regex;

use super::facts::Fact;
use crate::model::{Command, ProcessRow};

/// What a rule does to its victims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Logs them.
    Log,
    /// Ends their statements.
    KillQuery,
    /// Ends their sessions.
    KillConnection,
}

impl Action {
    pub(super) const ALL: [Action; 3] = [Action::Log, Action::KillQuery, Action::KillConnection];

    /// As rules write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Log => "log",
            Action::KillQuery => "kill-query",
            Action::KillConnection => "kill-connection",
        }
    }
}

/// Whom of a group a rule takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victims {
    All,
    Oldest,
    AllButOldest,
}

impl Victims {
    pub(super) const ALL: [Victims; 3] = [Victims::All, Victims::Oldest, Victims::AllButOldest];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Victims::All => "all",
            Victims::Oldest => "oldest",
            Victims::AllButOldest => "all-but-oldest",
        }
    }
}

/// Regexes for one fact; any of them will do.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    pub(super) fact: Fact,
    pub(super) any_of: Vec<Regex>,
}

impl Patterns {
    fn fit(&self, row: &ProcessRow) -> bool {
        self.fact.of(row).is_some_and(|text| self.any_of.iter().any(|regex| regex.is_match(&text)))
    }

    /// Whether it takes the statement's text to say.
    fn is_dear(&self) -> bool {
        self.fact == Fact::Info
    }
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    pub(super) matches: Vec<Patterns>,
    pub(super) ignores: Vec<Patterns>,
    pub(super) busy_time: Option<Duration>,
    pub(super) idle_time: Option<Duration>,
    pub(super) transaction_age: Option<Duration>,
    pub(super) victims: Victims,
    pub(super) group_by: Vec<Fact>,
    pub(super) count: usize,
    pub(super) action: Action,
    pub(super) dry_run: bool,
}

impl Rule {
    /// Whether it may hit a session, as far as can be said without the statement's text.
    pub(super) fn may_hit(&self, row: &ProcessRow) -> bool {
        let busy = row.statement.is_some();
        let idle = row.command == Command::Sleep;
        (busy || self.action != Action::KillQuery)
            && self.busy_time.is_none_or(|time| busy && row.time >= time)
            && self.idle_time.is_none_or(|time| idle && row.time >= time)
            && self.transaction_age.is_none_or(|age| row.transaction_time.is_some_and(|time| time >= age))
            && self.fits(row, false)
    }

    /// The rest of it, for a row with the text.
    pub(super) fn hits(&self, row: &ProcessRow) -> bool {
        self.fits(row, true)
    }

    fn fits(&self, row: &ProcessRow, dear: bool) -> bool {
        let some = |of: &&Patterns| of.is_dear() == dear;
        self.matches.iter().filter(some).all(|patterns| patterns.fit(row))
            && !self.ignores.iter().filter(some).any(|patterns| patterns.fit(row))
    }

    /// By what the oldest is the oldest.
    pub(super) fn age(&self, row: &ProcessRow) -> Duration {
        match (self.busy_time.or(self.idle_time), self.transaction_age) {
            (None, Some(_)) => row.transaction_time.unwrap_or_default(),
            _ => row.time,
        }
    }
}
