//! Session ids: what they are, in which order they are given out, and the map of those in use.
//!
//! The promise that everything here keeps: two live sessions never have the same id, and a released id comes back only
//! after all other free ids of its form (where the range is too large to keep a queue of them, the ids are passed in
//! turn, and an id comes back only after the whole range was passed).
//!
//! No actors and no I/O. [`Layout`], the order and the table are plain values; the map alone has locks.

mod layout;
mod map;
#[cfg(test)]
mod naive;
mod odp;
mod order;
mod roll;
mod span;
mod table;

pub use {
    layout::{Layout, LayoutError, Malformed, Reading},
    odp::{CsId, CsIdLayout, CsIdVersion, ProxySessionId},
};
pub(crate) use {
    map::{IdMap, RUN},
    roll::Roll,
};

/// The id of a session: what the greeting carries, `CONNECTION_ID()` returns, the lists show and `KILL` takes.
///
/// 64 bits, since some systems' ids need them. 0 is nobody's.
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
