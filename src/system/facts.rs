//! What the functions of a question are answered from, beside their arguments.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::model::{OwnedValue, Reason};

/// What the server knows of itself and of the session that asks.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// `USER()`, `SESSION_USER()`, `SYSTEM_USER()`: the name that the client gave, `@`, and where it comes from.
    pub(crate) user: String,
    /// `CURRENT_USER()`: the account that matched at login.
    pub(crate) current_user: String,
    /// `CONNECTION_ID()`.
    pub(crate) connection_id: u64,
    /// `DATABASE()`; also the one whose tables need no prefix.
    pub(crate) database: Option<String>,
    /// `VERSION()`.
    pub(crate) version: String,
    /// When the statement began: `NOW()` and all that follows from it are of one moment, and UTC.
    pub(crate) now: SystemTime,
}

impl Facts {
    /// The statement's moment since 1970, UTC. A clock before that is taken for it.
    pub(super) fn since(&self) -> Duration {
        self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// What a variable is worth, by its name as it is written, without the signs: `(true, "global.x")` for `@@global.x`,
/// `(false, "x")` for `@x`.
pub(crate) type Variables<'a> = dyn Fn(bool, &str) -> Result<OwnedValue, crate::SqlError> + 'a;

/// Asked again and again whether the question is to end, and why.
#[derive(Clone)]
pub(crate) struct Stop(Arc<dyn Fn() -> Option<Reason> + Send + Sync>);

impl Stop {
    /// By `ask`, which is short and never waits.
    pub(crate) fn new(ask: impl Fn() -> Option<Reason> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// The reason, once there is one.
    pub(crate) fn reason(&self) -> Option<Reason> {
        (self.0)()
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stop").field(&self.reason()).finish()
    }
}
