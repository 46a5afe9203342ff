//! What `benches/` measures of the inside: no part of the interface of this crate.

#[cfg(feature = "lock-times")]
pub use crate::lock::{Hold, longest};
#[cfg(feature = "mysql")]
pub use crate::wire::bench::{binary_row, text_row};
use crate::{Layout, SessionId, id::IdMap};

/// The map of the ids in use, with nothing under them.
#[derive(Debug)]
pub struct Ids(IdMap<()>);

impl Ids {
    /// An empty one, as large as a server's.
    pub fn new(layout: Layout) -> Self {
        Self(IdMap::new(layout, IdMap::<()>::SHARDS))
    }

    /// The next free id; `None` if all are in use.
    pub fn allocate(&self) -> Option<SessionId> {
        let mut taken = None;
        self.0.allocate(|id| taken = Some(id))?;
        taken
    }

    /// Frees an id. Whether it was in use.
    pub fn release(&self, id: SessionId) -> bool {
        self.0.release(id).is_some()
    }
}
