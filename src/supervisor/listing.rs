//! What somebody may see of the list. Rows are filtered where they are made, and made by whoever asks: a list waits for
//! no session and keeps none waiting.

use std::sync::Arc;

use tokio::time::Instant;

use super::{history::History, registry::Registry};
use crate::{
    model::{Column, OwnedValue, Principal, ProcessRow},
    state::Slot,
};

/// The list, as far as one principal may see it. Made by [`super::List`]; the rows are made when they are asked for.
#[derive(Debug)]
pub struct Listing {
    registry: Arc<Registry>,
    by: Arc<Principal>,
}

impl Listing {
    pub(crate) fn new(registry: Arc<Registry>, by: Arc<Principal>) -> Self {
        Self { registry, by }
    }

    /// The rows that the requester may see, by ascending id (as MySQL lists them).
    pub fn rows(&self) -> Vec<ProcessRow> {
        let mut slots: Vec<_> = self.registry.chunks().flatten().filter(|slot| self.shows(slot)).collect();
        slots.sort_unstable_by_key(|slot| slot.id());
        let now = Instant::now();
        slots.iter().filter_map(|slot| self.row(slot, now)).collect()
    }

    /// The kills that the requester may know of, the oldest first: the rows of `killdeer.kill_history`, with a value for
    /// each of [`Listing::kill_columns`].
    pub fn kills(&self) -> Vec<Vec<OwnedValue>> {
        self.registry.history().rows(&self.registry.dialect, &self.by)
    }

    /// What is told of a kill.
    pub fn kill_columns() -> Vec<Column> {
        History::columns()
    }

    /// Whether the requester may see this session.
    pub(crate) fn shows(&self, slot: &Slot) -> bool {
        self.registry.dialect.may_see(&self.by, slot.principal().as_deref())
    }

    /// Its row; `None` if it has become somebody's whose sessions the requester may not see.
    pub(crate) fn row(&self, slot: &Slot, now: Instant) -> Option<ProcessRow> {
        let dialect = &self.registry.dialect;
        let row = slot.row(now, &dialect.syntax());
        dialect.may_see(&self.by, row.principal.as_deref()).then_some(row)
    }
}
