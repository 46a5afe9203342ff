//! Which passwords were proved before, by `caching_sha2_password`. In memory alone, and no more of them than so many.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

use super::sha2::Digested;

/// The most that are remembered; then the oldest is forgotten. Some 150 bytes each.
const MOST: usize = 8192;

/// See the module's text.
pub(super) struct Cache {
    kept: Mutex<Kept>,
    most: usize,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<Key, Digested>,
    /// In the order in which they came.
    order: VecDeque<Key>,
}

/// A user and its verifier: one whose password was changed is not found.
type Key = [u8; 32];

fn key(user: &str, verifier: &str) -> Key {
    let length = (user.len() as u64).to_le_bytes();
    Sha256::new().chain_update(length).chain_update(user).chain_update(verifier).finalize().into()
}

impl Default for Cache {
    fn default() -> Self {
        Self { kept: Mutex::default(), most: MOST }
    }
}

impl Cache {
    pub(super) fn get(&self, user: &str, verifier: &str) -> Option<Digested> {
        self.kept().by_key.get(&key(user, verifier)).copied()
    }

    pub(super) fn put(&self, user: &str, verifier: &str, password: Digested) {
        let key = key(user, verifier);
        let mut kept = self.kept();
        if kept.by_key.insert(key, password).is_some() {
            return;
        }
        kept.order.push_back(key);
        if kept.order.len() > self.most
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_key.remove(&oldest);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("len", &self.kept().order.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_a_user_by_its_verifier_and_forgets_the_oldest() {
        let cache = Cache { most: 2, ..Cache::default() };
        cache.put("a", "1", [1; 32]);
        cache.put("a", "1", [2; 32]);
        assert_eq!(cache.get("a", "1"), Some([2; 32]));
        assert_eq!(cache.get("a", "2"), None, "its password was changed");
        assert_eq!(cache.get("a1", ""), None, "where one ends and the other begins counts");
        cache.put("b", "1", [3; 32]);
        cache.put("c", "1", [4; 32]);
        assert_eq!(
            [cache.get("a", "1"), cache.get("b", "1"), cache.get("c", "1")],
            [None, Some([3; 32]), Some([4; 32])]
        );
        let kept = cache.kept();
        assert_eq!((kept.by_key.len(), kept.order.len()), (2, 2));
    }
}
