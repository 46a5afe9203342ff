//! The map beside the naive model, in pieces, and from many threads.

use std::{
    cell::RefCell,
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
use crate::id::{
    naive::{Kind, Naive},
    span::Span,
};

/// Each kind of order over the same small layout.
fn map<T: Clone>(kind: Kind, layout: Layout, shards: usize) -> IdMap<T> {
    let order = kind.order(&layout);
    IdMap::with_order(layout, order, shards)
}

/// All ids that there are.
fn ids(layout: &Layout) -> Vec<SessionId> {
    let of = |pool, span: Span| (span.first()..=span.last()).map(move |number| Local { pool, number });
    let main = of(Pool::Main, layout.main());
    main.chain(layout.spare().into_iter().flat_map(|spare| of(Pool::Spare, spare)))
        .map(|local| layout.encode(local))
        .collect()
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
        kind in Kind::any(),
        size in 1..=12_u64,
        spare in 1..=6_u64,
        start in 0..20_u64,
        shards in 0..5_usize,
        ops in prop::collection::vec(op(), 0..120),
    ) {
        let layout = kind.layout(size, spare).starting_at(start);
        let map = map(kind, layout, shards);
        let mut naive = Naive::new(kind, &layout);
        let all = ids(&layout);
        // The entry of each live id: its serial number among all entries ever made.
        let mut entries = BTreeMap::new();
        let mut dead = Vec::new();
        for (serial, op) in ops.into_iter().enumerate() {
            match op {
                Op::Allocate => {
                    let got = map.allocate(|id| (id, serial));
                    prop_assert_eq!(got.map(|(id, _)| id), naive.allocate().map(|local| layout.encode(local)));
                    if let Some((id, _)) = got {
                        prop_assert_eq!(entries.insert(id, (id, serial)), None, "two live sessions with one id");
                    } else {
                        prop_assert_eq!(entries.len(), all.len(), "exhausted only when all are live");
                    }
                }
                Op::Release(pick) if !entries.is_empty() => {
                    let (&id, &entry) = entries.iter().nth(pick.index(entries.len())).unwrap();
                    prop_assert_eq!(map.release(id), Some(entry));
                    prop_assert!(naive.release(layout.decode(id).unwrap()));
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
            for id in all.iter().copied().chain([0, 1, 2, 16, 407].map(SessionId::new)) {
                prop_assert_eq!(map.get(id), entries.get(&id).copied());
            }
            let mut found = Vec::new();
            map.get_each(&all, |_| (), &mut found);
            prop_assert_eq!(found, all.iter().filter_map(|id| entries.get(id).copied()).collect::<Vec<_>>());
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
fn many_ids_are_looked_up_in_their_order_wherever_they_stand() {
    for shards in [1, 3, IdMap::<SessionId>::SHARDS] {
        let map = IdMap::new(Layout::plain32(), shards);
        let ids: Vec<_> = (0..1_000).map(|_| map.allocate(|id| id).unwrap()).collect();
        let (gone, live): (Vec<_>, Vec<_>) = ids.iter().copied().partition(|id| id.get() % 7 == 0);
        gone.into_iter().for_each(|id| assert!(map.release(id).is_some()));
        for step in [1, 3, RUN, 333] {
            // Those in a row, and those that are far from each other.
            let mut asked: Vec<_> = (0..step).flat_map(|first| ids.iter().copied().skip(first).step_by(step)).collect();
            asked.insert(500, SessionId::new(u64::MAX));
            asked.insert(600, SessionId::new(0));
            let expected: Vec<_> = asked.iter().copied().filter(|id| live.contains(id)).collect();
            let (approached, mut found) = (RefCell::new(Vec::new()), Vec::new());
            map.get_each(&asked, |id| approached.borrow_mut().push(*id), &mut found);
            assert_eq!(found, expected, "{shards} shards, {step} apart");
            assert_eq!(approached.into_inner(), expected);
        }
    }
}

#[test]
fn an_id_is_taken_but_not_found_while_its_entry_is_made() {
    for kind in Kind::ALL {
        let map = map(kind, kind.layout_of(2), 1);
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
    for kind in Kind::ALL {
        let map: IdMap<SessionId> = map(kind, kind.layout_of(1), 1);
        catch_unwind(AssertUnwindSafe(|| map.allocate(|_| panic!("on purpose")))).unwrap_err();
        assert_eq!(map.len(), 0);
        assert!(map.allocate(|id| id).is_some());
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
    for kind in Kind::ALL {
        // Fewer ids than the threads would like to have, so that they meet exhaustion too.
        let layout = kind.layout_of(3 * THREADS);
        let map = &map(kind, layout, 4);
        let lasting = &map.allocate(|id| id).unwrap();
        let owned: &BTreeMap<SessionId, AtomicBool> =
            &ids(&layout).into_iter().map(|id| (id, AtomicBool::new(false))).collect();
        let flag = |id: SessionId| &owned[&id];
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
                        assert!(map.len() <= owned.len(), "more ids in use than there are");
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
        let all: BTreeSet<_> = owned.iter().map(|_| map.allocate(|id| id).unwrap()).collect();
        assert_eq!(all.len(), owned.len());
        assert_eq!(map.allocate(|id| id), None);
    }
}

#[test]
fn a_free_id_is_found_whatever_other_threads_do() {
    const THREADS: u64 = 4;
    for kind in Kind::ALL {
        // One id for each thread, and none takes a second one.
        let map = &map(kind, kind.layout_of(THREADS), 2);
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
    for kind in Kind::ALL {
        let map = &map(kind, kind.layout_of(3), 2);
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

/// As tests of the systems' documents have them: the count is set before each.
#[test]
fn the_ids_of_the_documents_are_given_out() {
    for (layout, starts) in [
        (Layout::oceanbase(1), vec![(1, 3_221_487_617), (3, 3_221_487_619), (12, 3_221_487_628)]),
        (Layout::oceanbase(1), vec![(150_596, 3_221_638_212)]),
        (Layout::oceanbase_older(1), vec![(19, 2_147_549_203)]),
        (Layout::tidb64(2_663_502), vec![(203, 5_857_102_839_209_263_511)]),
        (Layout::tidb64(3_777_336), vec![(203, 8_306_449_708_033_769_879)]),
        (Layout::tidb(1), vec![(1, 2_097_154)]),
        (Ok(Layout::plain32()), vec![(7, 7)]),
    ] {
        for (start, id) in starts {
            let map = IdMap::new(layout.unwrap().starting_at(start), 4);
            assert_eq!(map.allocate(|id| id), Some(SessionId::new(id)));
        }
    }
}

#[test]
fn all_of_oceanbases_sequences_are_given_out_and_then_no_more() {
    let layout = Layout::oceanbase_older(1).unwrap();
    let map = IdMap::new(layout.starting_at(60_000), IdMap::<SessionId>::SHARDS);
    let all: BTreeSet<_> = std::iter::from_fn(|| map.allocate(|id| id)).collect();
    assert_eq!(all.len(), 65_535);
    assert!(all.iter().all(|id| layout.decode(*id).is_some()));
    // Two are free: the one that was released first comes first.
    let (first, second) = (SessionId::new(2_147_549_203), SessionId::new(2_147_549_202));
    assert!(map.release(first).is_some() && map.release(second).is_some());
    assert_eq!(map.release(first), None, "a second time");
    assert_eq!([(); 3].map(|()| map.allocate(|id| id)), [Some(first), Some(second), None]);
}

/// TiDB's own test, with a pool of 15.
#[test]
fn tidbs_ids_go_over_to_64_bits_and_come_back() {
    let layout = Layout::tidb(1).unwrap().pool_of(15).unwrap();
    let map = IdMap::new(layout, 4);
    let take = || map.allocate(|id| id).unwrap();
    let of_32_bits = |id: SessionId| id.get() <= u64::from(u32::MAX);
    let short: Vec<_> = (0..15).map(|_| take()).collect();
    assert!(short.iter().all(|id| of_32_bits(*id)));
    let long = take();
    assert_eq!(long.get(), 0x200_0000_0003);
    for id in &short[..7] {
        map.release(*id).unwrap();
        assert_eq!(map.release(*id), None, "a second release frees no second one");
        assert!(!of_32_bits(take()));
    }
    map.release(short[7]).unwrap();
    // Half of the pool is free: the oldest first. The session with the long id keeps it.
    assert_eq!([(); 8].map(|()| take()), short[..8]);
    assert!(!of_32_bits(take()));
    assert_eq!(map.get(long), Some(long));
    // What the greeting carries of it is nobody's.
    assert_eq!(map.get(SessionId::new(long.get() & 0xFFFF_FFFF)), None);
    assert_eq!(map.release(SessionId::new(long.get() & 0xFFFF_FFFF)), None);
}
