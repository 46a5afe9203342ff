//! What of a session rules ask for by name.

use std::borrow::Cow;

use crate::model::ProcessRow;

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    User,
    Host,
    Db,
    Command,
    State,
    Info,
}

impl Fact {
    pub(super) const ALL: [Fact; 6] = [Fact::User, Fact::Host, Fact::Db, Fact::Command, Fact::State, Fact::Info];

    /// As rules name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Fact::User => "user",
            Fact::Host => "host",
            Fact::Db => "db",
            Fact::Command => "command",
            Fact::State => "state",
            Fact::Info => "info",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.name() == name)
    }

    /// The session's; `None` if it has none.
    pub(super) fn of(self, row: &ProcessRow) -> Option<Cow<'_, str>> {
        match self {
            Fact::User => Some(row.user().into()),
            Fact::Host => Some(row.peer.host().into()),
            Fact::Db => row.database.as_deref().map(Cow::from),
            // Of one that was killed, what it is still doing.
            Fact::Command => Some(row.active.as_str().into()),
            Fact::State => Some(row.state.as_str().into()),
            Fact::Info => row.info.as_deref().map(Cow::from),
        }
    }
}
