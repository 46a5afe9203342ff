//! OceanBase: the clients of proxies that were killed, for as long as a proxy may still want to open a session for one of
//! them. Plain code; moments are given.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

#[cfg(feature = "cluster")]
use crate::id::SessionId;
use crate::model::{ClientSession, Principal};

/// So long a killed client is refused (OceanBase: 8 h).
const KEPT: Duration = Duration::from_secs(8 * 60 * 60);

/// So many are remembered: some MiB. The oldest go first.
const MOST: usize = 16_384;

/// Of one client session's id, so many are told to other servers: more than one there are only where the id was given to
/// another, or somebody lies.
#[cfg(feature = "cluster")]
const TOLD: usize = 64;

/// A client that was killed, as one account's: whoever may say which client a session is for, and says it of somebody
/// else's, keeps nobody out but itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tomb {
    pub(crate) client: ClientSession,
    pub(crate) user: Arc<str>,
    /// The account's tenant, if it has one.
    pub(crate) tenant: Option<Box<str>>,
}

impl Tomb {
    /// That of a client whose sessions are `owner`'s.
    pub(crate) fn new(client: ClientSession, owner: &Principal) -> Self {
        Self { client, user: Arc::clone(owner.user()), tenant: owner.tenant().map(Box::from) }
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Tombs {
    /// The oldest first.
    made: VecDeque<(Instant, Tomb)>,
    known: HashSet<Tomb>,
}

impl Tombs {
    /// The client was killed. Of one that was killed before, that time counts.
    pub(super) fn add(&mut self, tomb: Tomb, now: Instant) {
        self.forget(now);
        if !self.known.insert(tomb.clone()) {
            return;
        }
        self.made.push_back((now, tomb));
        if self.made.len() > MOST {
            self.forget_oldest();
        }
    }

    /// Whether the client was killed lately.
    pub(super) fn has(&mut self, tomb: &Tomb, now: Instant) -> bool {
        self.forget(now);
        self.known.contains(tomb)
    }

    /// Those of a client session's id, the last [`TOLD`] of them.
    #[cfg(feature = "cluster")]
    pub(super) fn of(&mut self, client: SessionId, now: Instant) -> Vec<Tomb> {
        self.forget(now);
        let of = self.made.iter().rev().map(|(_, tomb)| tomb).filter(|tomb| tomb.client.id == client);
        of.take(TOLD).cloned().collect()
    }

    fn forget(&mut self, now: Instant) {
        while self.made.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= KEPT) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.made.pop_front() {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::SessionId,
        model::{Privileges, Tenant},
    };

    fn tomb(id: u64, connected: u64) -> Tomb {
        Tomb::new(ClientSession { id: SessionId::new(id), connected }, &Principal::new("alice", Privileges::NONE))
    }

    #[test]
    fn a_client_is_refused_for_eight_hours_from_its_first_kill() {
        let (mut tombs, killed) = (Tombs::default(), Instant::now());
        let at = |hours: u64| killed + Duration::from_secs(hours * 60 * 60);
        tombs.add(tomb(7, 1), killed);
        tombs.add(tomb(8, 1), at(1));
        // Once more: it is no younger for it.
        tombs.add(tomb(7, 1), at(2));
        assert!(tombs.has(&tomb(7, 1), at(8) - Duration::from_nanos(1)));
        assert!(!tombs.has(&tomb(7, 1), at(8)));
        assert!(tombs.has(&tomb(8, 1), at(8)));
        assert!(!tombs.has(&tomb(8, 1), at(9)));
        assert_eq!((tombs.made.len(), tombs.known.len()), (0, 0), "nothing is kept of them");
    }

    #[test]
    fn neither_the_next_with_the_same_id_nor_another_accounts_is_refused() {
        let (mut tombs, now) = (Tombs::default(), Instant::now());
        let client = tomb(7, 1).client;
        let of = |user: &str, tenant: &str| {
            let tenant = Tenant { name: tenant.into(), cluster: None };
            Tomb::new(client, &Principal::new(user, Privileges::NONE).in_tenant(tenant))
        };
        tombs.add(of("alice", "shop"), now);
        assert!(tombs.has(&of("alice", "shop"), now));
        for other in [of("bob", "shop"), of("alice", "bank"), tomb(7, 1)] {
            assert!(!tombs.has(&other, now), "{other:?}");
        }
        let next = Tomb { client: ClientSession { connected: 2, ..client }, ..of("alice", "shop") };
        assert!(!tombs.has(&next, now));
    }

    #[test]
    fn there_are_so_many_and_the_oldest_go_first() {
        let (mut tombs, now) = (Tombs::default(), Instant::now());
        for id in 0..=MOST as u64 {
            tombs.add(tomb(id, 1), now);
        }
        assert_eq!((tombs.made.len(), tombs.known.len()), (MOST, MOST));
        assert!(!tombs.has(&tomb(0, 1), now) && tombs.has(&tomb(1, 1), now) && tombs.has(&tomb(MOST as u64, 1), now));
    }
}
