//! The map of the ids in use: hands them out, finds who has one, lists them all, takes them back. From any thread.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    SessionId,
    layout::{Layout, Local, Pool},
    order::{Order, Search},
    table::{Room, Table},
};
use crate::lock::{Lock, Over};

/// How many entries of a list are cloned under one lock: some microseconds.
const CHUNK: usize = 256;

/// So many numbers in a row stand in one shard: a list goes by ids, and finds so many sessions behind one lock.
pub(crate) const RUN: usize = 64;

/// The ids in use and what stands under each: a cheap handle, such as an `Arc`.
///
/// The entries are spread over shards, each with a lock of its own, so that neither a list of a million entries nor the
/// growth of a shard keeps anybody waiting for long. The order in which ids are handed out has a lock too.
///
/// Lock order: first the order's, then one shard's, or the plan's; never two shards' at once. No code of the caller's but `T::clone`
/// and `approach` runs under a lock, and they must not use the map.
#[derive(Debug)]
pub(crate) struct IdMap<T> {
    plan: Lock<Plan>,
    desk: Lock<Desk>,
    shards: Box<[Lock<Table<T>>]>,
    /// How many ids are in use. Goes up at the desk, and down only after the id can no longer be found: whoever looks
    /// from the desk never finds more ids in use than it says.
    live: AtomicUsize,
}

/// How ids are made of numbers. It changes only while no id is in use.
#[derive(Clone, Copy, Debug)]
struct Plan {
    layout: Layout,
    /// Whose released numbers go back over the desk. A release of others has no need of the desk's lock.
    takes_back: Option<Pool>,
}

/// Where numbers are handed out.
#[derive(Debug)]
struct Desk {
    order: Order,
    /// The numbers handed out whose entries are still being made, hence are in no shard. As many as there are threads
    /// that allocate at this moment.
    making: Vec<Local>,
}

impl<T: Clone> IdMap<T> {
    /// Enough shards for a million entries: a shard then has some 4000, and grows in far less than a millisecond.
    pub(crate) const SHARDS: usize = 256;

    /// An empty map for the ids of `layout`. At least one shard is made.
    pub(crate) fn new(layout: Layout, shards: usize) -> Self {
        let order = Order::new(&layout);
        Self::with_order(layout, order, shards)
    }

    /// An empty map with an order of ids that the layout alone would not give.
    fn with_order(layout: Layout, order: Order, shards: usize) -> Self {
        Self {
            plan: Lock::new(Over::Layout, Plan { layout, takes_back: order.takes_back() }),
            desk: Lock::new(Over::Ids, Desk { order, making: Vec::new() }),
            shards: (0..shards.max(1)).map(|_| Lock::new(Over::Shard, Table::new())).collect(),
            live: AtomicUsize::new(0),
        }
    }

    /// Takes the next free id and puts under it what `make` makes for it. `None` if all ids are in use.
    ///
    /// Of a counted range, each live id that is next in turn is passed over at the cost of a look into its shard,
    /// some of them at a time with the desk locked; releases do not wait for it.
    ///
    /// `make` runs without any lock; until it returns the id is taken but not yet found by [`IdMap::get`]. If it
    /// panics, the id is free again.
    pub(crate) fn allocate(&self, make: impl FnOnce(SessionId) -> T) -> Option<T> {
        let taken = self.take()?;
        let entry = make(taken.id);
        taken.fill(entry.clone());
        Some(entry)
    }

    /// Which ids it gives out.
    pub(crate) fn layout(&self) -> Layout {
        self.plan().layout
    }

    /// Gives out the ids of another layout from now on, such as those of a server with another id. `false`, and nothing
    /// happens, while an id is in use.
    #[cfg(feature = "cluster")]
    pub(crate) fn renumber(&self, layout: Layout) -> bool {
        // While the desk is locked no number comes into use.
        let mut desk = self.desk.hold();
        if self.len() > 0 {
            return false;
        }
        desk.order = Order::new(&layout);
        *self.plan.hold() = Plan { layout, takes_back: desk.order.takes_back() };
        true
    }

    fn plan(&self) -> Plan {
        *self.plan.hold()
    }

    /// The entry under `id`.
    pub(crate) fn get(&self, id: SessionId) -> Option<T> {
        let layout = self.layout();
        let local = layout.decode(id)?;
        // A session may have two ids, of which the entry stands under one.
        self.shard(local).hold().get(layout.encode(local).get()).cloned()
    }

    /// Adds the entries under those of `ids` that are in use to `found`. `approach` is called with some of them before they
    /// are cloned: what it reads of each is read of all at the same time.
    pub(crate) fn get_each(&self, ids: &[SessionId], approach: impl Fn(&T), found: &mut Vec<T>) {
        let layout = self.layout();
        let block = |id: &SessionId| layout.decode(*id).map(block);
        let mut rest = ids;
        while let Some(first) = rest.first().map(block) {
            let run = rest.iter().take(RUN).take_while(|id| block(id) == first).count();
            let (run, others) = rest.split_at(run);
            rest = others;
            let Some(block) = first else { continue };
            let shard = self.shards[self.place(block)].hold();
            let mut entries = [None; RUN];
            for (entry, id) in entries.iter_mut().zip(run) {
                *entry = shard.get(id.get());
            }
            entries.iter().flatten().for_each(|entry| approach(entry));
            found.extend(entries.iter().flatten().map(|entry| T::clone(entry)));
        }
    }

    /// Takes out the entry under `id` and frees the id. `None`, and nothing happens, if there is none: of several who
    /// release the same id, one gets the entry.
    pub(crate) fn release(&self, id: SessionId) -> Option<T> {
        let Plan { layout, takes_back } = self.plan();
        let local = layout.decode(id)?;
        let mut shard = self.shard(local).hold();
        let entry = shard.remove(id.get())?;
        let enough = shard.enough();
        // The count goes down under the lock behind which the number becomes free, so it never exceeds the range.
        if takes_back == Some(local.pool) {
            // Not both locks at once: the desk's would come first.
            drop(shard);
            let mut desk = self.desk.hold();
            desk.order.release(local);
            self.live.fetch_sub(1, Ordering::Release);
        } else {
            self.live.fetch_sub(1, Ordering::Release);
            drop(shard);
        }
        if let Some(enough) = enough {
            let room = Room::of(enough);
            let shrunk = self.shard(local).hold().shrink(room);
            drop(shrunk);
        }
        Some(entry)
    }

    /// How many ids are in use, those included whose entries are still being made.
    pub(crate) fn len(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// All entries, some hundreds at a time, in no particular order.
    ///
    /// An entry that is there from the first call to the last is seen exactly once; one that comes or goes meanwhile
    /// once or not at all. No lock is held between the calls.
    pub(crate) fn chunks(&self) -> Chunks<'_, T> {
        Chunks { map: self, shard: 0, slot: 0 }
    }

    /// The ids in use, one shard's at a time, in no particular order. The entries are not looked at, and no lock is held
    /// between the calls.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Vec<SessionId>> + '_ {
        self.shards.iter().map(|shard| shard.hold().ids().map(SessionId::new).collect())
    }

    /// Takes the next free number.
    fn take(&self) -> Option<Taken<'_, T>> {
        loop {
            let mut desk = self.desk.hold();
            let Desk { order, making } = &mut *desk;
            let layout = self.layout();
            // While the desk is locked no number comes into use, and none moves from `making` to a shard.
            let is_live = |local| making.contains(&local) || self.holds(local, &layout);
            let local = match order.next(is_live, self.live.load(Ordering::Acquire)) {
                Search::Found(local) => local,
                Search::Exhausted => return None,
                Search::Unfinished => continue,
            };
            making.push(local);
            self.live.fetch_add(1, Ordering::Release);
            return Some(Taken { map: self, local, id: layout.encode(local), filled: false });
        }
    }

    /// Whether there is an entry under this number.
    fn holds(&self, local: Local, layout: &Layout) -> bool {
        self.shard(local).hold().contains(layout.encode(local).get())
    }

    fn shard(&self, local: Local) -> &Lock<Table<T>> {
        &self.shards[self.place(block(local))]
    }

    /// Which shard the numbers of a block stand in.
    fn place(&self, block: u64) -> usize {
        // Both conversions keep the number: a usize has at most 64 bits, and the remainder is less than a usize.
        (block % self.shards.len() as u64) as usize
    }
}

/// Which numbers stand together. By the local number, not the id: the former are dense, so all shards fill evenly.
fn block(local: Local) -> u64 {
    local.number / RUN as u64
}

/// An id that is taken and has no entry yet. Dropped without one, it is free again.
struct Taken<'a, T: Clone> {
    map: &'a IdMap<T>,
    local: Local,
    id: SessionId,
    filled: bool,
}

impl<T: Clone> Taken<'_, T> {
    /// Puts `entry` under the id.
    fn fill(mut self, entry: T) {
        // The desk stays locked until the number is both in its shard and no longer in `making`: so it is in exactly
        // one of the two for whoever counts or looks there.
        let mut desk = self.map.desk.hold();
        let Ok(()) = self.map.shard(self.local).hold().insert(self.id.get(), entry) else {
            unreachable!("the order handed out {} while it was in use", self.id);
        };
        desk.making.retain(|local| *local != self.local);
        drop(desk);
        self.filled = true;
    }
}

impl<T: Clone> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        if !self.filled {
            let mut desk = self.map.desk.hold();
            desk.making.retain(|local| *local != self.local);
            desk.order.release(self.local);
            self.map.live.fetch_sub(1, Ordering::Release);
        }
    }
}

/// The walk of [`IdMap::chunks`]. Its pieces are never empty.
#[derive(Debug)]
pub(crate) struct Chunks<'a, T> {
    map: &'a IdMap<T>,
    shard: usize,
    slot: usize,
}

impl<T: Clone> Iterator for Chunks<'_, T> {
    type Item = Vec<T>;

    fn next(&mut self) -> Option<Vec<T>> {
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK
            && let Some(shard) = self.map.shards.get(self.shard)
        {
            let next = shard.hold().chunk(self.slot, CHUNK - chunk.len(), &mut chunk);
            (self.shard, self.slot) = next.map_or((self.shard + 1, 0), |slot| (self.shard, slot));
        }
        Some(chunk).filter(|chunk| !chunk.is_empty())
    }
}

#[cfg(test)]
mod tests;
