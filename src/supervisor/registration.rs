//! A session's place in the list, and how far the session has come.

use std::sync::Arc;

use super::{admission::Place, registry::Registry};
#[cfg(any(feature = "mysql", test))]
use crate::id::SessionId;
use crate::{model::Progress, state::Slot};

/// A session's place in the list. Owned by the session's work; dropping it takes the session out, at once and without
/// asking anybody.
#[derive(Debug)]
pub(crate) struct Registration {
    slot: Arc<Slot>,
    registry: Arc<Registry>,
    /// Among those who may be there. `None` while it is dropped.
    place: Option<Place>,
    progress: Progress,
    /// Whether its failure counts against nobody.
    excused: bool,
}

impl Registration {
    pub(super) fn new(slot: Arc<Slot>, registry: Arc<Registry>, place: Place, progress: Progress) -> Self {
        Self { slot, registry, place: Some(place), progress, excused: false }
    }

    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Its client has said who it is.
    #[cfg(feature = "mysql")]
    pub(crate) fn heard(&mut self) {
        self.progress = Progress::Heard;
    }

    /// Where its client is, nobody knows: should it fail, that counts against no host.
    #[cfg(feature = "mysql")]
    pub(crate) fn excuse(&mut self) {
        self.excused = true;
    }

    /// There was no place for it.
    #[cfg(feature = "mysql")]
    pub(crate) fn refused(&mut self) {
        self.progress = Progress::Refused;
    }

    /// It has this place from now on.
    #[cfg(feature = "mysql")]
    pub(crate) fn enter(&mut self, mut place: Place) {
        if let Some(before) = self.place.take() {
            place.succeed(before);
        }
        self.place = Some(place);
    }

    /// Its client is logged in.
    #[cfg(feature = "mysql")]
    pub(crate) fn logged_in(&mut self) {
        self.progress = Progress::In;
        self.registry.logged_in(&self.slot);
    }

    #[cfg(any(feature = "mysql", test))]
    pub(crate) fn id(&self) -> SessionId {
        self.slot.id()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // First: whoever sees that the session is gone finds its place free.
        drop(self.place.take());
        self.registry.release(&self.slot, self.progress, self.excused);
    }
}
