//! The order beside the naive model, and the promises of each kind.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::id::naive::{Kind, Naive};

/// A number is handed out, or if there is a pick, one of the live numbers is released.
fn ops() -> impl Strategy<Value = Vec<Option<Index>>> {
    prop::collection::vec(prop::option::weighted(0.45, any::<Index>()), 0..150)
}

fn pick(live: &BTreeSet<Local>, index: Index) -> Option<Local> {
    (!live.is_empty()).then(|| index.index(live.len())).and_then(|n| live.iter().nth(n)).copied()
}

fn local(pool: Pool, number: u64) -> Local {
    Local { pool, number }
}

proptest! {
    #[test]
    fn it_does_what_the_naive_model_does(
        kind in Kind::any(),
        size in 1..=12_u64,
        spare in 1..=6_u64,
        start in 0..20_u64,
        ops in ops(),
    ) {
        let layout = kind.layout(size, spare).starting_at(start);
        let mut order = kind.order(&layout);
        let mut naive = Naive::new(kind, &layout);
        for op in ops {
            match op {
                None => {
                    let live = naive.live();
                    let next = order.next(|n| live.contains(&n), live.len()).found();
                    prop_assert_eq!(next.is_none(), live.len() as u64 == layout.size(), "exhausted only when all are live");
                    prop_assert_eq!(next, naive.allocate());
                }
                Some(index) => if let Some(local) = pick(naive.live(), index) {
                    order.release(local);
                    naive.release(local);
                }
            }
            // A number outside of the range was never handed out.
            order.release(local(Pool::Main, 0));
            order.release(local(Pool::Main, layout.main().last() + 1));
        }
    }

    /// The promise itself, whatever the model says: a released number comes back only after all others that were
    /// free at its release.
    #[test]
    fn a_queue_hands_out_all_other_free_numbers_first(size in 1..=12_u64, start in 0..20_u64, ops in ops()) {
        let mut order = Order::new(&Layout::range(1, size).unwrap().starting_at(start));
        let mut live = BTreeSet::new();
        // For each released number: those that must be handed out before it.
        let mut before: BTreeMap<Local, BTreeSet<Local>> = BTreeMap::new();
        for op in ops {
            match op {
                None => if let Some(local) = order.next(|n| live.contains(&n), live.len()).found() {
                    prop_assert!(live.insert(local), "handed out while live");
                    prop_assert_eq!(before.remove(&local).unwrap_or_default(), BTreeSet::new());
                    before.values_mut().for_each(|others| { others.remove(&local); });
                }
                Some(index) => if let Some(released) = pick(&live, index) {
                    before.insert(released, (1..=size).map(|n| local(Pool::Main, n)).filter(|n| !live.contains(n)).collect());
                    live.remove(&released);
                    order.release(released);
                }
            }
        }
    }

    /// Between two turns of a number lies the whole range: each other number had its turn, or was live.
    #[test]
    fn a_counter_passes_all_other_numbers_first(size in 1..=12_u64, start in 0..20_u64, ops in ops()) {
        let mut order = Order::counter(&Layout::range(1, size).unwrap().starting_at(start));
        let mut live = BTreeSet::new();
        // For each number that had a turn: which others were not yet passed since.
        let mut unpassed: BTreeMap<Local, BTreeSet<Local>> = BTreeMap::new();
        for op in ops {
            match op {
                None => if let Some(next) = order.next(|n| live.contains(&n), live.len()).found() {
                    prop_assert!(live.insert(next), "handed out while live");
                    prop_assert_eq!(unpassed.remove(&next).unwrap_or_default(), BTreeSet::new());
                    unpassed.values_mut().for_each(|others| { others.remove(&next); });
                    unpassed.insert(next, (1..=size).map(|n| local(Pool::Main, n)).filter(|n| !live.contains(n)).collect());
                }
                Some(index) => if let Some(local) = pick(&live, index) {
                    live.remove(&local);
                    order.release(local);
                }
            }
        }
    }
}

#[test]
fn ranges_up_to_2_to_the_20_are_queued() {
    let range = |first, last| Layout::range(first, last).unwrap();
    for (layout, queued) in [
        (range(1, 1), true),
        (range(1, QUEUED_AT_MOST), true),
        (range(1, QUEUED_AT_MOST + 1), false),
        (range(u64::MAX - 1, u64::MAX), true),
        (range(1, u64::MAX), false),
        (Layout::plain32(), false),
        (Layout::oceanbase(1).unwrap(), true),
        (Layout::oceanbase_older(1).unwrap(), true),
        (Layout::tidb(1).unwrap(), true),
        (Layout::tidb64(1).unwrap(), false),
    ] {
        assert_eq!(Order::new(&layout).takes_back(), queued.then_some(Pool::Main), "{layout:?}");
    }
}

#[test]
fn the_greatest_numbers_are_handed_out_and_then_the_first_again() {
    let layout = Layout::range(u64::MAX - 1, u64::MAX).unwrap();
    for mut order in [Order::new(&layout), Order::counter(&layout)] {
        for number in [u64::MAX - 1, u64::MAX, u64::MAX - 1] {
            let next = local(Pool::Main, number);
            assert_eq!(order.next(|_| false, 0).found(), Some(next));
            order.release(next);
        }
    }
}
