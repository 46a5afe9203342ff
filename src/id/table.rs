//! The table of who has which id: one shard of the map, without its lock.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

use slab::Slab;

/// Tables of up to this many slots are not made smaller: there is nothing to win.
const KEPT: usize = 64;

/// Where in a table the entry of each id stands.
type Index = HashMap<u64, usize, BuildHasherDefault<IdHasher>>;

/// Memory for an index, with nothing in it. It is made, and dropped, while the table is unlocked: an allocator that has
/// put work off for a million entries that are gone does it then, which can take milliseconds.
#[derive(Debug)]
pub(crate) struct Room(Index);

impl Room {
    /// For so many entries.
    pub(crate) fn of(entries: usize) -> Self {
        Self(Index::with_capacity_and_hasher(entries, BuildHasherDefault::default()))
    }
}

/// Entries by id.
///
/// The entries stand in a slab and do not move while they live, so that a list can be made in pieces, with the table
/// unlocked in between. The slab's keys are nothing but places in it, never ids.
///
/// Growing and shrinking take time in proportion to the table, so a large number of entries is spread over many tables.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slots: Slab<T>,
    index: Index,
    /// Memory is given back when no more entries than this are left: an eighth of what there is room for. After a try
    /// it is at most half of what was left then, so that the cost, spread over the removals, is constant.
    shrink_at: usize,
}

impl<T> Table<T> {
    /// An empty table, without memory of its own.
    pub(crate) fn new() -> Self {
        Self { slots: Slab::new(), index: HashMap::default(), shrink_at: 0 }
    }

    /// Puts `entry` under `id`.
    ///
    /// # Errors
    /// Gives `entry` back if the id is taken; the table is as it was.
    pub(crate) fn insert(&mut self, id: u64, entry: T) -> Result<(), T> {
        match self.index.entry(id) {
            Entry::Occupied(_) => Err(entry),
            Entry::Vacant(place) => {
                let room = self.slots.capacity();
                place.insert(self.slots.insert(entry));
                if self.slots.capacity() != room {
                    self.shrink_at = self.slots.capacity() / 8;
                }
                Ok(())
            }
        }
    }

    /// The entry under `id`.
    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        self.slots.get(*self.index.get(&id)?)
    }

    /// Whether there is an entry under `id`.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.index.contains_key(&id)
    }

    /// Takes out the entry under `id`; `None` if there is none, as at a second time.
    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        self.slots.try_remove(self.index.remove(&id)?)
    }

    /// The ids of all entries, in no order. The entries themselves are not looked at.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.index.keys().copied()
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether memory is to be given back after a rush: room for so many entries is enough. To be asked after a removal.
    pub(crate) fn enough(&self) -> Option<usize> {
        let len = self.index.len();
        let room = self.slots.capacity().max(self.index.capacity());
        (len <= self.shrink_at && room > KEPT).then_some(2 * len)
    }

    /// Gives memory back, by moving the index to a smaller `room`, unless there are more entries again. Returns the room
    /// that is not needed. Slots before one in use stay, since entries do not move.
    pub(crate) fn shrink(&mut self, mut room: Room) -> Room {
        if self.enough().is_some() && self.index.len() <= room.0.capacity() {
            room.0.extend(self.index.drain());
            std::mem::swap(&mut self.index, &mut room.0);
            self.slots.shrink_to_fit();
            self.shrink_at = (self.slots.capacity() / 8).min(self.index.len() / 2);
        }
        room
    }
}

impl<T: Clone> Table<T> {
    /// Adds clones of the entries in the `at_most` slots from slot `from` on to `out`, and returns the slot to go on
    /// from; `None` at the end.
    ///
    /// Of a walk from slot 0 to the end: an entry that lives throughout is seen exactly once, whatever else happens in
    /// between; one that comes or goes meanwhile once or not at all. Slots count even when empty, so that the time is
    /// bounded; an `at_most` of 0 is taken as 1, or the walk would not end.
    pub(crate) fn chunk(&self, from: usize, at_most: usize, out: &mut Vec<T>) -> Option<usize> {
        // The slab does not tell how many slots it has used, but they are no more than it has room for.
        let end = self.slots.capacity();
        let to = from.saturating_add(at_most.max(1)).min(end);
        out.extend((from..to).filter_map(|slot| self.slots.get(slot)).cloned());
        (to < end).then_some(to)
    }
}

/// A quick hash for ids. They are the server's own numbers, so nobody can choose them to collide.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write_u64(&mut self, id: u64) {
        // Multiply-shift with 2^64 divided by the golden ratio. A product's low bits depend on the id's low bits only,
        // and those are all the same in a shard; the map takes the low bits of the hash for the bucket. So the good
        // bits, the high ones, are rotated down there.
        self.0 = (self.0 ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        hash::{BuildHasher, BuildHasherDefault},
    };

    use proptest::prelude::*;

    use super::*;

    impl<T> Table<T> {
        /// As the map does it.
        fn remove_and_shrink(&mut self, id: u64) -> Option<T> {
            let entry = self.remove(id);
            if let Some(enough) = self.enough() {
                let _ = self.shrink(Room::of(enough));
            }
            entry
        }
    }

    fn walk<T: Clone>(table: &Table<T>, at_most: usize) -> Vec<T> {
        let (mut seen, mut from) = (Vec::new(), Some(0));
        while let Some(slot) = from {
            from = table.chunk(slot, at_most, &mut seen);
        }
        seen
    }

    #[test]
    fn an_id_is_taken_until_its_entry_is_removed() {
        let mut table = Table::new();
        assert_eq!(table.insert(9, "a"), Ok(()));
        assert_eq!(table.insert(9, "b"), Err("b"));
        assert_eq!((table.get(9), table.get(0), table.contains(9)), (Some(&"a"), None, true));
        assert_eq!(table.remove(9), Some("a"));
        assert_eq!(table.remove(9), None);
        assert_eq!((table.get(9), table.contains(9), table.len()), (None, false, 0));
        assert_eq!(table.insert(9, "b"), Ok(()));
        assert_eq!(walk(&table, 0), ["b"]);
    }

    proptest! {
        /// Some entries are put in and taken out at first, then some more between the pieces of a walk.
        #[test]
        fn a_walk_sees_each_lasting_entry_once(
            before in prop::collection::vec((any::<bool>(), 0..300_u64), 0..400),
            during in prop::collection::vec((any::<bool>(), 0..300_u64), 0..400),
            at_most in 1..20_usize,
        ) {
            let mut table = Table::new();
            let mut naive = BTreeMap::new();
            // Entries are told apart by when they were put in, so that an id's next entry is another.
            let change = |table: &mut Table<usize>, naive: &mut BTreeMap<u64, usize>, entry, (put, id)| {
                let mut removed = None;
                if put {
                    let done = table.insert(id, entry).is_ok();
                    assert_eq!(done, !naive.contains_key(&id));
                    naive.entry(id).or_insert(entry);
                } else {
                    removed = table.remove_and_shrink(id);
                    assert_eq!(removed, naive.remove(&id));
                }
                assert_eq!(table.len(), naive.len());
                removed
            };
            for (n, op) in before.into_iter().enumerate() {
                change(&mut table, &mut naive, n, op);
            }
            let mut lasting: BTreeSet<_> = naive.values().copied().collect();
            let mut during = during.into_iter().enumerate();
            let (mut seen, mut from) = (Vec::new(), Some(0));
            while let Some(slot) = from {
                let seen_before = seen.len();
                from = table.chunk(slot, at_most, &mut seen);
                prop_assert!(seen.len() - seen_before <= at_most);
                for (n, op) in during.by_ref().take(10) {
                    if let Some(gone) = change(&mut table, &mut naive, 1_000 + n, op) {
                        lasting.remove(&gone);
                    }
                }
            }
            let once: BTreeSet<_> = seen.iter().copied().collect();
            prop_assert_eq!(once.len(), seen.len(), "an entry was seen twice");
            prop_assert!(lasting.is_subset(&once), "a lasting entry was not seen");
            // And with nothing in between, a walk sees exactly what is there.
            let mut all = walk(&table, at_most);
            all.sort_unstable();
            let mut live: Vec<_> = naive.into_values().collect();
            live.sort_unstable();
            prop_assert_eq!(all, live);
        }
    }

    #[test]
    fn memory_is_given_back_after_a_rush() {
        // Whether the oldest or the newest go first, those in the last slots among them or not.
        for newest_first in [false, true] {
            let mut table = Table::new();
            for id in 0..10_000 {
                table.insert(id, id).unwrap();
            }
            let room = (table.index.capacity(), table.slots.capacity());
            let mut ids: Vec<_> = (10..9_990).collect();
            if newest_first {
                ids.extend(9_990..10_000);
                ids.reverse();
            }
            for id in ids {
                table.remove_and_shrink(id).unwrap();
            }
            assert!(table.index.capacity() < room.0 / 50);
            assert!(!newest_first || table.slots.capacity() < room.1 / 50);
            let left: Vec<_> = (0..10_000).filter(|id| table.contains(*id)).collect();
            assert_eq!(walk(&table, 3), left);
            for id in left {
                table.remove_and_shrink(id).unwrap();
            }
            assert!(table.index.capacity() <= KEPT && table.slots.capacity() <= KEPT);
        }
    }

    #[test]
    fn room_for_fewer_entries_than_there_are_by_now_is_not_taken() {
        let mut table = Table::new();
        (0..1_000).for_each(|id| table.insert(id, id).unwrap());
        assert!((10..1_000).all(|id| table.remove(id) == Some(id)));
        let (small, room) = (Room::of(table.enough().unwrap()), table.index.capacity());
        (10..100).for_each(|id| table.insert(id, id).unwrap());
        assert!(table.shrink(small).0.capacity() < room);
        assert_eq!((table.index.capacity(), table.len()), (room, 100));
        let mut all = walk(&table, 9);
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn ids_of_one_shard_fall_into_different_buckets() {
        // The map takes the low bits of a hash for the bucket, and the top seven to tell entries in it apart.
        for step in [1, 2, 64, 256, 512, 1 << 11, 1 << 20] {
            let hashes = (0..4_096_u64).map(|n| BuildHasherDefault::<IdHasher>::default().hash_one(5 + n * step));
            let (buckets, tags): (BTreeSet<u64>, BTreeSet<u64>) =
                hashes.map(|hash: u64| (hash % 8_192, hash >> 57)).unzip();
            // 8192 buckets and 4096 balls thrown at random: some 3200 are hit.
            assert!(buckets.len() > 2_800, "step {step}: {} buckets", buckets.len());
            assert!(tags.len() > 100, "step {step}: {} tags", tags.len());
        }
    }
}
