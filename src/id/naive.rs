//! For tests: the order of ids as one would write it without a thought for time or memory.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::select};

use super::{
    Layout,
    layout::{Local, Pool},
    order::Order,
};

/// The kinds of orders, each over ranges of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Queue,
    Counter,
    Overflow,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Queue, Kind::Counter, Kind::Overflow];

    pub(super) fn any() -> impl Strategy<Value = Self> {
        select(&Self::ALL[..])
    }

    /// A layout with `size` numbers, or of two pools with `spare` in the second.
    pub(super) fn layout(self, size: u64, spare: u64) -> Layout {
        match self {
            Kind::Queue | Kind::Counter => Layout::range(3, 2 + size).unwrap(),
            Kind::Overflow => Layout::tidb(5).unwrap().pool_of(size).unwrap().spare_of(spare),
        }
    }

    /// A layout with `size` numbers in all, at least 1.
    pub(super) fn layout_of(self, size: u64) -> Layout {
        match self {
            Kind::Overflow if size > 1 => self.layout(size - size / 2, size / 2),
            Kind::Overflow => Kind::Queue.layout(size, 0),
            _ => self.layout(size, 0),
        }
    }

    pub(super) fn order(self, layout: &Layout) -> Order {
        if self == Kind::Counter { Order::counter(layout) } else { Order::new(layout) }
    }
}

/// Which numbers are free and which are live, in plain lists.
pub(super) struct Naive {
    /// The free numbers of the main pool in the order in which they are handed out: by a counter, in the order of the
    /// range, beginning after the number handed out last; otherwise in the order in which they became free.
    main: Vec<u64>,
    /// Those of the spare pool: by a counter.
    spare: Vec<u64>,
    counter: bool,
    live: BTreeSet<Local>,
    /// By a counter: the number to go on from.
    next: u64,
    /// Of two pools: whether it is the spare one's turn, and how many free numbers in the main one end it.
    over: bool,
    back_at: usize,
}

impl Naive {
    pub(super) fn new(kind: Kind, layout: &Layout) -> Self {
        let all = |span: super::span::Span| -> Vec<u64> { (span.first()..=span.last()).collect() };
        let mut main = all(layout.main());
        let size = main.len();
        let start = main.iter().position(|number| *number == layout.main().round(layout.start()));
        main.rotate_left(start.unwrap());
        let counted = layout.spare().unwrap_or(layout.main());
        Self {
            main,
            spare: layout.spare().map(all).unwrap_or_default(),
            counter: kind == Kind::Counter,
            live: BTreeSet::new(),
            next: counted.round(layout.start()),
            over: false,
            back_at: size - size / 2,
        }
    }

    pub(super) fn allocate(&mut self) -> Option<Local> {
        let Self { main, spare, .. } = self;
        self.over |= main.is_empty();
        let next = self.next;
        let pool = if self.over && !spare.is_empty() { Pool::Spare } else { Pool::Main };
        let free = if pool == Pool::Spare { spare } else { main };
        let counted = pool == Pool::Spare || self.counter;
        if counted {
            // Those before the next one come last.
            free.sort_by_key(|number| (*number < next, *number));
        }
        if free.is_empty() {
            return None;
        }
        let local = Local { pool, number: free.remove(0) };
        if counted {
            self.next = local.number + 1;
        }
        self.live.insert(local);
        Some(local)
    }

    /// Whether the number was live.
    pub(super) fn release(&mut self, local: Local) -> bool {
        let was_live = self.live.remove(&local);
        if was_live {
            match local.pool {
                Pool::Main => self.main.push(local.number),
                Pool::Spare => self.spare.push(local.number),
            }
            if local.pool == Pool::Main && self.main.len() >= self.back_at {
                self.over = false;
            }
        }
        was_live
    }

    pub(super) fn live(&self) -> &BTreeSet<Local> {
        &self.live
    }
}
