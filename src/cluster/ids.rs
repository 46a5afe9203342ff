//! Which server ids the nodes of a cluster may have, and which one the next node gets; pure.

use std::collections::BTreeSet;

use crate::{
    dialect::Dialect,
    id::{Layout, LayoutError},
};

/// TiDB's greatest server id in ids of 32 bits, and in ids of 64 bits.
const TIDB: (u32, u32) = (2_047, 4_194_303);

/// The greatest id of a proxy (ODP).
const ODP: u32 = 255;

/// OceanBase's greatest server id.
const OCEANBASE: u32 = 4_095;

/// Which server ids the nodes of a cluster may have, and what ids their sessions have then.
///
/// OceanBase's nodes have its own layout, and so have its proxies (ODP). All others have TiDB's: their ids have 32 bits, so that the greeting carries all
/// of an id, as long as no more than nine in ten of the server ids for that are taken; further nodes have ids of 64 bits
/// (TiDB: `pkg/domain`, `enable-32bits-connection-id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIds {
    family: Family,
    /// The greatest server id for sessions' ids of 32 bits; 0: there are none.
    greatest: u32,
    /// So many ids of 32 bits each node has; `None`: as many as there are.
    pool: Option<u64>,
    /// Where each node's count begins; `None`: anywhere.
    start: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    TiDb,
    OceanBase,
    Odp,
}

impl ServerIds {
    /// Those of this system.
    pub fn of(dialect: &Dialect) -> Self {
        if dialect.is_proxy() {
            return Self { family: Family::Odp, greatest: ODP, pool: None, start: None };
        }
        match dialect.has_tenants() {
            true => Self { family: Family::OceanBase, greatest: OCEANBASE, pool: None, start: None },
            false => Self { family: Family::TiDb, greatest: TIDB.0, pool: None, start: None },
        }
    }

    /// The same, where sessions' ids have 64 bits on every node (TiDB: `enable-32bits-connection-id` off). OceanBase's ids, and its proxies',
    /// have 32 bits in any case.
    #[must_use]
    pub fn wide(self) -> Self {
        match self.family {
            Family::TiDb => Self { greatest: 0, ..self },
            Family::OceanBase | Family::Odp => self,
        }
    }

    /// The same, with server ids up to `greatest` alone for sessions' ids of 32 bits: for tests, and for clusters that
    /// share a range.
    #[must_use]
    pub fn up_to(self, greatest: u32) -> Self {
        Self { greatest: greatest.min(self.greatest), ..self }
    }

    /// The same, with so many ids of 32 bits on each node ([`Layout::pool_of`]).
    #[must_use]
    pub fn pool_of(self, ids: u64) -> Self {
        Self { pool: Some(ids), ..self }
    }

    /// The same, where each node's count begins at `local` ([`Layout::starting_at`]), rather than anywhere. A node that is
    /// started again then gives out the same ids as before: for examples and tests.
    #[must_use]
    pub fn starting_at(self, local: u64) -> Self {
        Self { start: Some(local), ..self }
    }

    /// The ids of a node's sessions.
    ///
    /// # Errors
    /// No node has this server id; the pool is none.
    pub fn layout(&self, server: u32) -> Result<Layout, LayoutError> {
        let (layout, narrow) = match self.family {
            Family::OceanBase => (Layout::oceanbase(server)?, true),
            Family::Odp => (Layout::odp(server)?, true),
            Family::TiDb if server <= self.greatest => (Layout::tidb(server)?, true),
            Family::TiDb => (Layout::tidb64(server)?, false),
        };
        self.pool.filter(|_| narrow).map_or(Ok(layout), |ids| layout.pool_of(ids))
    }

    /// Where each node's count begins; `None`: anywhere, so that what a server with the same id gave out before does not come
    /// back soon.
    pub(crate) fn first(&self) -> Option<u64> {
        self.start
    }

    /// A server id that is not `taken`, drawn: `draw(n)` is any number below `n`. `None`: none is free.
    pub(crate) fn choose(&self, taken: &BTreeSet<u32>, mut draw: impl FnMut(u32) -> u32) -> Option<u32> {
        // A range of a set does not end before it begins.
        let narrow = taken.range(1..=self.greatest.max(1)).filter(|id| **id <= self.greatest).count() as u64;
        let room = match self.family {
            // As TiDB has it, with nine in ten.
            Family::TiDb => narrow * 10 < u64::from(self.greatest) * 9,
            Family::OceanBase | Family::Odp => true,
        };
        let mut pick = |first: u32, last: u32| {
            let free = u64::from(last.checked_sub(first)?) + 1 - taken.range(first..=last).count() as u64;
            let mut nth = draw(u32::try_from(free).ok().filter(|free| *free > 0)?);
            // The nth of those that are free.
            let mut id = first;
            for taken in taken.range(first..=last) {
                let gap = taken - id;
                if nth < gap {
                    break;
                }
                nth -= gap;
                id = taken + 1;
            }
            Some(id + nth)
        };
        let narrow = if room { pick(1, self.greatest) } else { None };
        match self.family {
            Family::TiDb => narrow.or_else(|| pick(self.greatest + 1, TIDB.1)),
            Family::OceanBase | Family::Odp => narrow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_free_ones_each_is_drawn_and_no_other() {
        let ids = ServerIds::of(&Dialect::oceanbase()).up_to(6);
        let taken = BTreeSet::from([1, 3, 4]);
        let drawn: Vec<_> = (0..3).map(|n| ids.choose(&taken, |_| n)).collect();
        assert_eq!(drawn, [Some(2), Some(5), Some(6)]);
        assert_eq!(ids.choose(&(1..=6).collect(), |_| 0), None);
    }

    #[test]
    fn beyond_nine_in_ten_nodes_have_64_bits_and_below_32_again() {
        let ids = ServerIds::of(&Dialect::tidb()).up_to(3);
        assert_eq!(ids.choose(&BTreeSet::from([1, 2]), |_| 0), Some(3));
        assert_eq!(ids.choose(&BTreeSet::from([1, 2, 3]), |_| 0), Some(4));
        assert_eq!(ids.choose(&BTreeSet::from([1, 2, 3, 4]), |_| 0), Some(5));
        assert_eq!(ids.choose(&BTreeSet::from([1, 3, 4]), |_| 0), Some(2), "after a scale-down");
        assert_eq!((ids.layout(3), ids.layout(4)), (Layout::tidb(3), Layout::tidb64(4)));
        let ids = ServerIds::of(&Dialect::mysql());
        assert_eq!(ids.choose(&(1..=1842).collect(), |_| 0), Some(1843));
        assert_eq!(ids.choose(&(1..=1843).collect(), |_| 0), Some(2048), "TiDB's bound");
        assert_eq!(ids.wide().choose(&BTreeSet::new(), |_| 0), Some(1));
        assert_eq!(ids.wide().choose(&BTreeSet::from([1, 2, 4]), |_| 1), Some(5));
        assert_eq!(ids.wide().layout(1), Layout::tidb64(1));
    }

    #[test]
    fn every_drawn_id_is_free() {
        for dialect in [Dialect::tidb(), Dialect::oceanbase(), Dialect::odp()] {
            let ids = ServerIds::of(&dialect);
            for most in [|n: u32| n - 1, |_| 0, |n: u32| n / 2] {
                let mut taken: BTreeSet<u32> = (1..100).step_by(3).collect();
                for _ in 0..50 {
                    let id = ids.choose(&taken, most).unwrap();
                    assert!(ids.layout(id).is_ok());
                    assert!(taken.insert(id), "{id} was taken");
                }
            }
        }
    }
}
