//! What somebody may see of the list. Rows are filtered where they are made, and made by whoever asks: a list waits for
//! no session and keeps none waiting.

use std::sync::Arc;

use tokio::time::Instant;

use super::registry::Registry;
use crate::{
    control::Syntax,
    id::{RUN, Roll},
    model::{KillRow, Principal, ProcessRow, Seen},
    state::Slot,
};

/// The list, as far as one principal may see it. Made by [`super::List`]; the rows are made when they are asked for.
#[derive(Debug)]
pub struct Listing {
    registry: Arc<Registry>,
    by: Arc<Principal>,
    syntax: Syntax,
}

impl Listing {
    pub(crate) fn new(registry: Arc<Registry>, by: Arc<Principal>) -> Self {
        let syntax = registry.dialect.syntax();
        Self { registry, by, syntax }
    }

    /// The rows that the requester may see, by ascending id (as MySQL lists them), of the ids that lists show. None on a node
    /// of a cluster that has no place there, or may have lost it.
    pub fn rows(&self) -> Vec<ProcessRow> {
        let mut roll = Roll::default();
        self.registry.client_ids().for_each(|ids| roll.lead(ids));
        self.registry.ids().for_each(|ids| roll.add(ids));
        let now = Instant::now();
        // Room for all at once: to make room anew takes as long as the rows.
        let mut rows = Vec::with_capacity(roll.len());
        let (mut ids, mut slots) = (Vec::new(), Vec::new());
        loop {
            roll.next(RUN, &mut ids);
            // A node that may have lost its place shows nothing any more, whatever it has.
            if !self.registry.stands() {
                return Vec::new();
            }
            if ids.is_empty() {
                // Who sees few of them keeps no room for all.
                rows.shrink_to_fit();
                return rows;
            }
            self.registry.get_each(&ids, &mut slots);
            for slot in slots.drain(..) {
                self.show(&slot, now, |seen| rows.push(seen.into()));
            }
        }
    }

    /// The kills that the requester may know of, the oldest first: those that it or anybody whose sessions it may see has
    /// asked for, and those that were aimed at such sessions.
    ///
    /// The last 1024 that ended something are kept, and the last 1024 that did not; of a kill of several sessions, 16
    /// victims.
    pub fn kills(&self) -> Vec<KillRow> {
        // The rows are made without the lock: kills that are asked for meanwhile do not wait for them.
        let records = self.registry.history().records();
        records.iter().filter_map(|record| record.row(&self.registry.dialect, &self.by)).collect()
    }

    /// Shows a session's row where it stands; see [`Slot::show_if`]. `None` if the requester may not see it.
    pub(crate) fn show<T>(&self, slot: &Slot, now: Instant, show: impl FnOnce(&Seen<'_>) -> T) -> Option<T> {
        let dialect = &self.registry.dialect;
        slot.show_if(now, &self.syntax, |owner| dialect.may_see(&self.by, owner), show)
    }
}
