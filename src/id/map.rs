//! The map of the ids in use: hands them out, finds who has one, lists them all, takes them back. From any thread.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use super::{Layout, SessionId, order::Order, table::Table};

/// How many entries of a list are cloned under one lock: some microseconds.
const CHUNK: usize = 256;

/// The ids in use and what stands under each: a cheap handle, such as an `Arc`.
///
/// The entries are spread over shards, each with a lock of its own, so that neither a list of a million entries nor the
/// growth of a shard keeps anybody waiting for long. The order in which ids are handed out has a lock too.
///
/// Lock order: first the order's, then one shard's; never two shards' at once. No code of the caller's but `T::clone`
/// runs under a lock, and that must not use the map.
#[derive(Debug)]
pub(crate) struct IdMap<T> {
    layout: Layout,
    desk: Mutex<Desk>,
    /// Whether released numbers go back over the desk. If not, a release has no need of the desk's lock.
    takes_back: bool,
    shards: Box<[Mutex<Table<T>>]>,
    /// How many ids are in use. Goes up at the desk, and down only after the id can no longer be found: whoever looks
    /// from the desk never finds more ids in use than it says.
    live: AtomicUsize,
}

/// Where numbers are handed out.
#[derive(Debug)]
struct Desk {
    order: Order,
    /// The numbers handed out whose entries are still being made, hence are in no shard. As many as there are threads
    /// that allocate at this moment.
    making: Vec<u64>,
}

impl<T: Clone> IdMap<T> {
    /// Enough shards for a million entries: a shard then has some 4000, and grows in far less than a millisecond.
    pub(crate) const SHARDS: usize = 256;

    /// An empty map for the ids of `layout`. At least one shard is made.
    pub(crate) fn new(layout: Layout, shards: usize) -> Self {
        let order = Order::new(layout.locals());
        Self::with_order(layout, order, shards)
    }

    /// An empty map with an order of ids that the layout's size alone would not give.
    fn with_order(layout: Layout, order: Order, shards: usize) -> Self {
        Self {
            takes_back: order.takes_back(),
            layout,
            desk: Mutex::new(Desk { order, making: Vec::new() }),
            shards: (0..shards.max(1)).map(|_| Mutex::new(Table::new())).collect(),
            live: AtomicUsize::new(0),
        }
    }

    /// Takes the next free id and puts under it what `make` makes for it. `None` if all ids are in use.
    ///
    /// Of a large range, each live id that is next in turn is passed over at the cost of a look into its shard, with the
    /// desk locked; releases do not wait for it.
    ///
    /// `make` runs without any lock; until it returns the id is taken but not yet found by [`IdMap::get`]. If it
    /// panics, the id is free again.
    pub(crate) fn allocate(&self, make: impl FnOnce(SessionId) -> T) -> Option<T> {
        let taken = self.take()?;
        let entry = make(taken.id);
        taken.fill(entry.clone());
        Some(entry)
    }

    /// The entry under `id`.
    pub(crate) fn get(&self, id: SessionId) -> Option<T> {
        lock(self.shard(self.layout.decode(id)?)).get(id.get()).cloned()
    }

    /// Takes out the entry under `id` and frees the id. `None`, and nothing happens, if there is none: of several who
    /// release the same id, one gets the entry.
    pub(crate) fn release(&self, id: SessionId) -> Option<T> {
        let local = self.layout.decode(id)?;
        let mut shard = lock(self.shard(local));
        let entry = shard.remove(id.get())?;
        // The count goes down under the lock behind which the number becomes free, so it never exceeds the range.
        if self.takes_back {
            // Not both locks at once: the desk's would come first.
            drop(shard);
            let mut desk = lock(&self.desk);
            desk.order.release(local);
            self.live.fetch_sub(1, Ordering::Release);
        } else {
            self.live.fetch_sub(1, Ordering::Release);
            drop(shard);
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

    /// Takes the next free number.
    fn take(&self) -> Option<Taken<'_, T>> {
        let mut desk = lock(&self.desk);
        let Desk { order, making } = &mut *desk;
        // While the desk is locked no number comes into use, and none moves from `making` to a shard.
        let is_live = |local| making.contains(&local);
        let local = order.next(is_live, self.live.load(Ordering::Acquire))?;
        making.push(local);
        self.live.fetch_add(1, Ordering::Release);
        Some(Taken { map: self, local, id: self.layout.encode(local), filled: false })
    }

    /// Whether there is an entry under this number.
    fn holds(&self, local: u64) -> bool {
        lock(self.shard(local)).contains(self.layout.encode(local).get())
    }

    fn shard(&self, local: u64) -> &Mutex<Table<T>> {
        // By the local number, not the id: the former are dense, so all shards fill evenly. Both conversions keep the
        // number: a usize has at most 64 bits, and the remainder is less than a usize.
        &self.shards[(local % self.shards.len() as u64) as usize]
    }
}

/// An id that is taken and has no entry yet. Dropped without one, it is free again.
struct Taken<'a, T: Clone> {
    map: &'a IdMap<T>,
    local: u64,
    id: SessionId,
    filled: bool,
}

impl<T: Clone> Taken<'_, T> {
    /// Puts `entry` under the id.
    fn fill(mut self, entry: T) {
        // The desk stays locked until the number is both in its shard and no longer in `making`: so it is in exactly
        // one of the two for whoever counts or looks there.
        let mut desk = lock(&self.map.desk);
        let Ok(()) = lock(self.map.shard(self.local)).insert(self.id.get(), entry) else {
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
            let mut desk = lock(&self.map.desk);
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
            let next = lock(shard).chunk(self.slot, CHUNK - chunk.len(), &mut chunk);
            (self.shard, self.slot) = next.map_or((self.shard + 1, 0), |slot| (self.shard, slot));
        }
        Some(chunk).filter(|chunk| !chunk.is_empty())
    }
}

/// Locks. A panic under a lock can only come from a `T::clone`, which changes nothing of the map, so what is behind a
/// poisoned lock is as good as ever.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{
            Arc, Barrier,
            atomic::{AtomicBool, AtomicU64},
        },
        thread,
    };

    use proptest::{prelude::*, sample::Index};

    use super::*;
    use crate::id::naive::Naive;

    /// Both strategies over the same small range.
    fn map<T: Clone>(counter: bool, first: u64, last: u64, shards: usize) -> IdMap<T> {
        let layout = Layout::range(first, last).unwrap();
        if counter {
            let order = Order::counter(layout.locals());
            IdMap::with_order(layout, order, shards)
        } else {
            IdMap::new(layout, shards)
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Allocate,
        Release(Index),
        ReleaseAgain(Index),
        ReleaseUnknown(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => Just(Op::Allocate),
            3 => any::<Index>().prop_map(Op::Release),
            1 => any::<Index>().prop_map(Op::ReleaseAgain),
            1 => prop_oneof![0..20_u64, any::<u64>()].prop_map(Op::ReleaseUnknown),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_the_naive_model_does(
            counter: bool,
            first in 1..4_u64,
            size in 1..=12_u64,
            shards in 0..5_usize,
            ops in prop::collection::vec(op(), 0..120),
        ) {
            let last = first + size - 1;
            let map = map(counter, first, last, shards);
            let mut naive = Naive::new(counter, first..=last);
            // The entry of each live id: its serial number among all entries ever made.
            let mut entries = BTreeMap::new();
            let mut dead = Vec::new();
            for (serial, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Allocate => {
                        let got = map.allocate(|id| (id, serial));
                        prop_assert_eq!(got.map(|(id, _)| id.get()), naive.allocate());
                        if let Some((id, _)) = got {
                            prop_assert_eq!(entries.insert(id, (id, serial)), None, "two live sessions with one id");
                        } else {
                            prop_assert_eq!(entries.len() as u64, size, "exhausted only when all are live");
                        }
                    }
                    Op::Release(pick) if !entries.is_empty() => {
                        let (&id, &entry) = entries.iter().nth(pick.index(entries.len())).unwrap();
                        prop_assert_eq!(map.release(id), Some(entry));
                        prop_assert!(naive.release(id.get()));
                        entries.remove(&id);
                        dead.push(id);
                    }
                    Op::ReleaseAgain(pick) if !dead.is_empty() => {
                        let id = *pick.get(&dead);
                        if !entries.contains_key(&id) {
                            prop_assert_eq!(map.release(id), None);
                        }
                    }
                    Op::ReleaseUnknown(id) if !entries.contains_key(&SessionId::new(id)) => {
                        prop_assert_eq!(map.release(SessionId::new(id)), None);
                    }
                    _ => {}
                }
                prop_assert_eq!(map.len(), entries.len());
                for id in (0..=last + 1).map(SessionId::new) {
                    prop_assert_eq!(map.get(id), entries.get(&id).copied());
                }
                let mut listed: Vec<_> = map.chunks().flatten().collect();
                listed.sort_unstable();
                prop_assert_eq!(listed, entries.values().copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_list_comes_in_pieces_and_has_each_lasting_entry_once() {
        for shards in [1, 3, IdMap::<SessionId>::SHARDS] {
            let map = IdMap::new(Layout::plain32(), shards);
            let ids: Vec<_> = (0..5_000).map(|_| map.allocate(|id| id).unwrap()).collect();
            let (lasting, leaving) = ids.split_at(4_000);
            let mut leaving = leaving.iter();
            let mut seen = Vec::new();
            for chunk in map.chunks() {
                assert!((1..=CHUNK).contains(&chunk.len()));
                seen.extend(chunk);
                for _ in 0..20 {
                    map.release(*leaving.next().unwrap()).unwrap();
                    map.allocate(|id| id).unwrap();
                }
            }
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "an entry was listed twice");
            let seen: BTreeSet<_> = seen.into_iter().collect();
            assert!(lasting.iter().all(|id| seen.contains(id)), "an entry is missing");
        }
    }

    #[test]
    fn an_id_is_taken_but_not_found_while_its_entry_is_made() {
        for counter in [false, true] {
            let map = map(counter, 1, 2, 1);
            let first = map.allocate(|first| {
                assert_eq!((map.get(first), map.release(first), map.len()), (None, None, 1));
                let second = map.allocate(|second| second).unwrap();
                assert_ne!(first, second);
                assert_eq!(map.allocate(|third| third), None, "both are in use");
                assert_eq!(map.release(second), Some(second));
                assert_eq!(map.allocate(|again| again), Some(second), "the only free one");
                first
            });
            assert_eq!(map.get(first.unwrap()), first);
            assert_eq!(map.len(), 2);
        }
    }

    #[test]
    fn an_id_is_free_again_if_making_its_entry_panics() {
        for counter in [false, true] {
            let map: IdMap<SessionId> = map(counter, 7, 7, 1);
            catch_unwind(AssertUnwindSafe(|| map.allocate(|_| panic!("on purpose")))).unwrap_err();
            assert_eq!(map.len(), 0);
            assert_eq!(map.allocate(|id| id), Some(SessionId::new(7)));
        }
    }

    #[test]
    fn a_panic_under_a_lock_leaves_the_map_usable() {
        #[derive(Debug)]
        struct Fragile(Arc<AtomicBool>);
        impl Clone for Fragile {
            fn clone(&self) -> Self {
                assert!(!self.0.load(Ordering::Relaxed), "on purpose");
                Self(Arc::clone(&self.0))
            }
        }
        let broken = Arc::new(AtomicBool::new(false));
        let map = IdMap::new(Layout::plain32(), 1);
        map.allocate(|_| Fragile(Arc::clone(&broken))).unwrap();
        broken.store(true, Ordering::Relaxed);
        catch_unwind(AssertUnwindSafe(|| map.get(SessionId::new(1)))).unwrap_err();
        broken.store(false, Ordering::Relaxed);
        assert!(map.get(SessionId::new(1)).is_some());
        assert!(map.release(SessionId::new(1)).is_some());
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn many_threads_never_share_an_id() {
        const THREADS: u64 = 8;
        const ROUNDS: u64 = 4_000;
        for counter in [false, true] {
            // Fewer ids than the threads would like to have, so that they meet exhaustion too.
            let (first, last) = (1, 3 * THREADS);
            let map = &map(counter, first, last, 4);
            let lasting = &map.allocate(|id| id).unwrap();
            let owned: &Vec<AtomicBool> = &(first..=last).map(|_| AtomicBool::new(false)).collect();
            let flag = |id: SessionId| &owned[usize::try_from(id.get() - first).unwrap()];
            let (allocated, running) = (&AtomicU64::new(0), &AtomicU64::new(THREADS));
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    scope.spawn(move || {
                        let mut mine = Vec::new();
                        for round in 0..ROUNDS {
                            // As good as any order: now more are taken, now more are released.
                            if (round / 5 + thread) % 2 == 0 {
                                let got = map.allocate(|id| {
                                    assert!(!flag(id).swap(true, Ordering::SeqCst), "{id} has two owners");
                                    id
                                });
                                allocated.fetch_add(u64::from(got.is_some()), Ordering::Relaxed);
                                mine.extend(got);
                            } else if let Some(id) = mine.pop() {
                                assert!(flag(id).swap(false, Ordering::SeqCst));
                                assert_eq!(map.release(id), Some(id));
                            }
                            assert!(map.len() as u64 <= last, "more ids in use than there are");
                        }
                        for id in mine {
                            assert!(flag(id).swap(false, Ordering::SeqCst));
                            assert_eq!(map.release(id), Some(id));
                        }
                        running.fetch_sub(1, Ordering::SeqCst);
                    });
                }
                scope.spawn(move || {
                    while running.load(Ordering::SeqCst) > 0 {
                        assert_eq!(map.chunks().flatten().filter(|id| id == lasting).count(), 1);
                        assert_eq!(map.get(*lasting), Some(*lasting));
                    }
                });
            });
            assert!(allocated.load(Ordering::Relaxed) > ROUNDS);
            assert_eq!(map.release(*lasting), Some(*lasting));
            assert_eq!(map.len(), 0);
            assert_eq!(map.chunks().count(), 0);
            // None was lost on the way.
            let all: BTreeSet<_> = (first..=last).map(|_| map.allocate(|id| id).unwrap()).collect();
            assert_eq!(all.len() as u64, last);
            assert_eq!(map.allocate(|id| id), None);
        }
    }

    #[test]
    fn of_several_who_release_an_id_at_once_one_gets_the_entry() {
        for counter in [false, true] {
            let map = &map(counter, 1, 3, 2);
            for _ in 0..200 {
                let id = map.allocate(|id| id).unwrap();
                let start = &Barrier::new(3);
                let got: Vec<_> = thread::scope(|scope| {
                    let threads = [(); 3].map(|()| {
                        scope.spawn(move || {
                            start.wait();
                            map.release(id)
                        })
                    });
                    threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
                });
                assert_eq!(got, [id]);
                assert_eq!(map.len(), 0);
            }
        }
    }
}
