//! The map beside the naive model, in pieces, and from many threads.

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
        let allocated = &AtomicU64::new(0);
        thread::scope(|scope| {
            let work = |thread| {
                move || {
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
                }
            };
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(work(thread))).collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                assert_eq!(map.chunks().flatten().filter(|id| id == lasting).count(), 1);
                assert_eq!(map.get(*lasting), Some(*lasting));
            }
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
fn a_free_id_is_found_whatever_other_threads_do() {
    const THREADS: u64 = 4;
    for counter in [false, true] {
        // One id for each thread, and none takes a second one.
        let map = &map(counter, 1, THREADS, 2);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let id = map.allocate(|id| id).expect("an id is free");
                        map.release(id).unwrap();
                    }
                });
            }
        });
        assert_eq!(map.len(), 0);
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
