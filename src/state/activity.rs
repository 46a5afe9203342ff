//! What a session is at, for those who count sessions.

use super::{
    slot::Shown,
    word::{Phase, Word},
};
use crate::model::Command;

/// What a session is at, for those who count: each session is at one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Its client has not proved yet who it is.
    Login,
    /// Nothing.
    Idle,
    /// Nothing, with a transaction open.
    InTransaction,
    /// A statement runs.
    Running,
    /// It, or its statement, was ended from outside and is not over.
    Killed,
    /// It is over but for its rollback.
    RollingBack,
}

impl Activity {
    /// All of them.
    pub(crate) const ALL: [Activity; 6] = [
        Activity::Login,
        Activity::Idle,
        Activity::InTransaction,
        Activity::Running,
        Activity::Killed,
        Activity::RollingBack,
    ];

    /// What a session is at whose state and slot are these.
    pub(super) fn of(word: Word, shown: &Shown) -> Self {
        match word.phase() {
            _ if shown.command == Command::Quit => Activity::RollingBack,
            _ if shown.principal.is_none() => Activity::Login,
            Phase::Ended(_) => Activity::Killed,
            Phase::Running => Activity::Running,
            Phase::Idle if word.leaving().is_some_and(|reason| !reason.is_goodbye()) => Activity::Killed,
            Phase::Idle if shown.transaction.is_some() => Activity::InTransaction,
            Phase::Idle => Activity::Idle,
        }
    }
}
