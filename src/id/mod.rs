//! Session ids: what they are, in which order they are given out, and the table of those in use.
//!
//! Pure: no actors, no locks.

/// The id of a session: what the greeting carries, `CONNECTION_ID()` returns, the lists show and `KILL` takes.
///
/// 64 bits, since some systems' ids need them. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

impl SessionId {
    /// The id with this number.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
