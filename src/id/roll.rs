//! The ids in use, in their order: what a list goes by.

use std::{cmp::Reverse, collections::BinaryHeap, vec};

use super::SessionId;

/// The ids of some shards, merged while they are read. No step takes long, however many there are: a shard is sorted when
/// it is added, and the whole never.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    shards: Vec<vec::IntoIter<SessionId>>,
    /// The next id of each shard that has one, with the shard's place.
    heads: BinaryHeap<Reverse<(SessionId, usize)>>,
}

impl Roll {
    /// Adds a shard's ids, in any order.
    pub(crate) fn add(&mut self, mut ids: Vec<SessionId>) {
        ids.sort_unstable();
        let mut ids = ids.into_iter();
        if let Some(first) = ids.next() {
            self.heads.push(Reverse((first, self.shards.len())));
            self.shards.push(ids);
        }
    }
}

impl Iterator for Roll {
    type Item = SessionId;

    fn next(&mut self) -> Option<SessionId> {
        let mut head = self.heads.peek_mut()?;
        let Reverse((id, shard)) = *head;
        match self.shards[shard].next() {
            Some(next) => *head = Reverse((next, shard)),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_all_shards_come_in_order_and_once() {
        let mut roll = Roll::default();
        for shard in [vec![9, 3, 6], vec![], vec![5], vec![1, 8, 4, 7, 2]] {
            roll.add(shard.into_iter().map(SessionId::new).collect());
        }
        assert_eq!(roll.map(SessionId::get).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(Roll::default().next(), None);
    }
}
