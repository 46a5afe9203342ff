//! The ids in use, in their order: what a list goes by.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet, VecDeque},
    vec,
};

use super::SessionId;

/// The ids of some shards, merged while they are read. No step takes long, however many there are: a shard is sorted when
/// it is added, and the whole never.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    shards: Vec<vec::IntoIter<SessionId>>,
    /// The next id of each shard that has one, with the shard's place.
    heads: BinaryHeap<Reverse<(SessionId, usize)>>,
    /// Those that come before all others, in the order in which they were given.
    front: VecDeque<SessionId>,
    /// The same, to be left out of the shards.
    fronted: HashSet<SessionId>,
}

impl Roll {
    /// These come first, in this order, whatever their ids, and behind those that were given before. To be called before
    /// any shard is added.
    pub(crate) fn lead(&mut self, mut ids: Vec<SessionId>) {
        // One may have got another place meanwhile.
        ids.retain(|id| self.fronted.insert(*id));
        self.front.extend(ids);
    }

    /// Adds a shard's ids, in any order.
    pub(crate) fn add(&mut self, mut ids: Vec<SessionId>) {
        if !self.fronted.is_empty() {
            ids.retain(|id| !self.fronted.contains(id));
        }
        ids.sort_unstable();
        let mut ids = ids.into_iter();
        if let Some(first) = ids.next() {
            self.heads.push(Reverse((first, self.shards.len())));
            self.shards.push(ids);
        }
    }
}

impl Roll {
    /// How many ids are left.
    pub(crate) fn len(&self) -> usize {
        self.front.len() + self.heads.len() + self.shards.iter().map(|ids| ids.len()).sum::<usize>()
    }

    /// Puts the next ids in place of `ids`, up to `most` of them; none at the end.
    pub(crate) fn next(&mut self, most: usize, ids: &mut Vec<SessionId>) {
        ids.clear();
        ids.extend(self.front.drain(..self.front.len().min(most)));
        while ids.len() < most
            && let Some(Reverse((first, shard))) = self.heads.pop()
        {
            // A shard's ids come in runs: those before the next shard's first are taken at once.
            let end = self.heads.peek().map(|Reverse((id, _))| *id);
            let rest = &mut self.shards[shard];
            ids.push(first);
            let run = rest.as_slice().iter().take(most - ids.len());
            let run = run.take_while(|id| end.is_none_or(|end| **id < end)).count();
            ids.extend(rest.by_ref().take(run));
            self.heads.extend(rest.next().map(|next| Reverse((next, shard))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_all_shards_come_in_order_and_once() {
        for most in [1, 2, 3, 9, 10] {
            let mut roll = Roll::default();
            for shard in [vec![9, 3, 6], vec![], vec![5], vec![1, 8, 4, 7, 2]] {
                roll.add(shard.into_iter().map(SessionId::new).collect());
            }
            let (mut all, mut ids) = (Vec::new(), Vec::new());
            loop {
                roll.next(most, &mut ids);
                assert!(ids.len() <= most);
                assert_eq!(roll.len() + all.len() + ids.len(), 9);
                if ids.is_empty() {
                    break;
                }
                all.extend(ids.iter().map(|id| id.get()));
            }
            assert_eq!(all, [1, 2, 3, 4, 5, 6, 7, 8, 9], "{most} at a time");
        }
    }
    #[test]
    fn some_come_first_in_their_own_order_and_not_again() {
        for most in [1, 2, 3, 9] {
            let ids = |ids: &[u64]| ids.iter().copied().map(SessionId::new).collect::<Vec<_>>();
            let mut roll = Roll::default();
            roll.lead(ids(&[8, 3]));
            roll.lead(ids(&[5, 99]));
            [&[9, 3, 8][..], &[5], &[1, 2]].into_iter().for_each(|shard| roll.add(ids(shard)));
            assert_eq!(roll.len(), 7);
            let (mut all, mut next) = (Vec::new(), Vec::new());
            loop {
                roll.next(most, &mut next);
                if next.is_empty() {
                    break;
                }
                all.extend(next.iter().map(|id| id.get()));
            }
            assert_eq!(all, [8, 3, 5, 99, 1, 2, 9], "{most} at a time");
        }
    }
}
