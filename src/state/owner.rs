//! Whose sessions are, once for the sessions of an account: an idle session has no room for its own copy, and a list of
//! thousands reads the same few names again and again.

use std::{cell::RefCell, sync::Arc};

use crate::model::Principal;

/// So many accounts are remembered by a thread.
const KEPT: usize = 8;

thread_local! {
    /// Those whose sessions came last, the latest first. A thread has its own: nobody waits for it, and no two threads
    /// count the uses of the same one.
    static LAST: RefCell<Vec<Arc<Principal>>> = const { RefCell::new(Vec::new()) };
}

/// The same, shared with a session that has come to this thread lately, if one was quite the same's.
pub(crate) fn shared(principal: Principal) -> Arc<Principal> {
    LAST.with_borrow_mut(|last| {
        let known = last.iter().position(|known| **known == principal);
        let owner = match known {
            Some(0) => return Arc::clone(&last[0]),
            Some(place) => last.remove(place),
            None => Arc::new(principal),
        };
        last.truncate(KEPT - 1);
        last.insert(0, Arc::clone(&owner));
        owner
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Privileges;

    #[test]
    fn sessions_of_the_same_account_with_the_same_rights_share_it() {
        let of = |name: &str, privileges| shared(Principal::new(name, privileges));
        let alice = of("alice", Privileges::NONE);
        let other = of("alice", Privileges::SUPER);
        assert!(!Arc::ptr_eq(&alice, &other) && *alice != *other, "what an account may do has changed");
        assert!(Arc::ptr_eq(&alice, &of("alice", Privileges::NONE)));
        assert!(Arc::ptr_eq(&other, &of("alice", Privileges::SUPER)));
        for number in 0..KEPT {
            assert_eq!(**of(&number.to_string(), Privileges::NONE).user(), *number.to_string());
        }
        assert!(!Arc::ptr_eq(&alice, &of("alice", Privileges::NONE)), "so many came in between");
        assert_eq!(Arc::strong_count(&alice), 1, "nobody keeps it");
    }
}
