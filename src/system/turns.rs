//! Whose questions are answered at a time: of the threads, one account never has more than its part, or endless questions
//! of one user would keep everybody's waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module's text. Accounts that ask nothing are forgotten.
#[derive(Debug)]
pub(super) struct Turns {
    /// So many questions of one account at a time.
    each: usize,
    accounts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A question's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new(each: usize) -> Self {
        Self { each, accounts: Mutex::default() }
    }

    /// Waits until fewer questions of this account run than may.
    pub(super) async fn take(&self, account: &str) -> Turn {
        let turns = self.of(account);
        // It is never closed.
        Turn { _permit: turns.acquire_owned().await.ok() }
    }

    fn of(&self, account: &str) -> Arc<Semaphore> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = accounts.get(account).and_then(Weak::upgrade) {
            return turns;
        }
        // No more of them are kept than ask at the moment, and one.
        accounts.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(self.each));
        accounts.insert(account.to_owned(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn one_account_has_its_part_and_leaves_the_others_theirs() {
        let turns = Turns::new(2);
        let take = |account: &'static str| turns.take(account).now_or_never();
        let (first, second) = (take("a"), take("a"));
        assert!(first.is_some() && second.is_some() && take("a").is_none());
        assert!(take("b").is_some(), "another one's turn");
        drop(first);
        let third = take("a");
        assert!(third.is_some() && take("a").is_none());
        drop((second, third));
        drop(take("c"));
        assert_eq!(turns.accounts.lock().unwrap().len(), 1, "those that ask nothing are forgotten");
    }
}
