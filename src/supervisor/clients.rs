//! OceanBase: the sessions that are for the same client of a proxy. The proxy opens one on each server that the client's
//! statements go to, or several, and all are shown and killed by the client session's id.
//!
//! Whose sessions they are, their accounts say, and never the id: a kill reaches those of them that the requester may kill,
//! as if each had been named.

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use tokio::time::Instant;

use super::{
    kill::{Passed, Refusal, Requester, denial, strike},
    receipt::Receipt,
    registry::Registry,
    tombs::{Tomb, Tombs},
};
use crate::{
    dialect::Verdict,
    id::{Reading, SessionId},
    model::{ClientSession, KillError, KillMode, Refused},
    state::Slot,
};
#[cfg(feature = "cluster")]
use crate::{
    model::{Reason, Target},
    state::{Raised, Signal},
};

/// So many sessions are looked at while others wait who log in for a client, or list them, or kill one.
const PIECE: usize = 64;

/// Which sessions are for which client. Nothing where no proxy is believed.
///
/// Lock order: this one before a slot's, and before those of the ids.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// A client's id with that of a session for it.
    sessions: BTreeSet<(SessionId, SessionId)>,
    tombs: Tombs,
}

impl Clients {
    /// The next sessions for this client, after the one named.
    fn siblings(&self, client: SessionId, after: SessionId) -> Vec<SessionId> {
        let rest = self.sessions.range((Excluded((client, after)), Unbounded));
        rest.take_while(|(of, _)| *of == client).take(PIECE).map(|(_, session)| *session).collect()
    }

    /// The next sessions that are for a client, in the order of their clients' ids, after the one named.
    fn page(&self, after: (SessionId, SessionId)) -> Vec<(SessionId, SessionId)> {
        self.sessions.range((Excluded(after), Unbounded)).take(PIECE).copied().collect()
    }
}

/// Ends a session that was killed elsewhere.
#[cfg(feature = "cluster")]
fn end(slot: &Slot, now: Instant) {
    if slot.kill(now, None, |switch| switch.terminate(Reason::KillConnection)) == Raised::First {
        slot.signal(Signal::Leaving);
    }
}

/// Nobody's: before all ids.
const NOBODY: SessionId = SessionId::new(0);

impl Registry {
    /// Whether a client session has such an id: never one that this server, or another of its cluster, gives out.
    pub(crate) fn is_client_id(&self, id: SessionId) -> bool {
        self.dialect.has_client_sessions() && self.layout().read(id.get()) == Reading::OfProxy
    }

    /// The session is for this client from now on, whom a proxy has named that may; `None`: for none. Its owner is known.
    ///
    /// # Errors
    /// [`Refused::ClientKilled`]: the session is to end. It is for no client then.
    pub(crate) fn name_client(&self, slot: &Slot, client: Option<ClientSession>) -> Result<(), Refused> {
        if !self.dialect.has_client_sessions() {
            return Ok(());
        }
        let before = slot.client();
        let client = client.filter(|client| self.is_client_id(client.id));
        if before.is_none() && client.is_none() {
            return Ok(());
        }
        // In one step: a kill finds the session, or its tomb is found here.
        let mut clients = self.clients();
        if let Some(before) = before {
            clients.sessions.remove(&(before.id, slot.id()));
            slot.set_client(None);
        }
        let Some(client) = client else { return Ok(()) };
        if let Some(owner) = slot.principal()
            && clients.tombs.has(&Tomb::new(client, &owner), Instant::now())
        {
            return Err(Refused::ClientKilled);
        }
        slot.set_client(Some(client));
        clients.sessions.insert((client.id, slot.id()));
        Ok(())
    }

    /// Whether a client of this account may have sessions: to be asked before anybody is told that it is logged in.
    ///
    /// # Errors
    /// It was killed.
    #[cfg(feature = "mysql")]
    pub(super) fn refuse_client(
        &self,
        client: Option<ClientSession>,
        owner: &crate::model::Principal,
    ) -> Result<(), Refused> {
        match client.filter(|client| self.is_client_id(client.id)) {
            Some(client) if self.clients().tombs.has(&Tomb::new(client, owner), Instant::now()) => {
                Err(Refused::ClientKilled)
            }
            _ => Ok(()),
        }
    }

    /// The sessions that are for a proxy's client, in the order in which lists show them, some at a time.
    pub(crate) fn client_ids(&self) -> impl Iterator<Item = Vec<SessionId>> + '_ {
        let mut after = (NOBODY, NOBODY);
        std::iter::from_fn(move || {
            // Elsewhere there are none.
            let page = self.dialect.has_client_sessions().then(|| self.clients().page(after))?;
            after = *page.last()?;
            Some(page.into_iter().map(|(_, session)| session).collect())
        })
    }

    /// Kills the sessions that are for this client, or the statements that they run: those of them that the requester may
    /// kill. Of the others it is told as of a single session's. A client that is killed is refused if its proxy still
    /// wants to log in for it.
    pub(crate) fn kill_client(
        &self,
        by: &Requester<'_>,
        client: SessionId,
        mode: KillMode,
    ) -> Result<Receipt, Refusal> {
        let unknown = || Some(KillError::UnknownSession(client.to_string()));
        let (mut victims, mut passed, mut after) = (Vec::new(), Passed::default(), NOBODY);
        loop {
            // Struck while that is held: a session that becomes another client's, as proxies reuse them, is this one's
            // until then.
            let mut clients = self.clients();
            let piece = clients.siblings(client, after);
            let Some(last) = piece.last() else { break };
            after = *last;
            for slot in piece.into_iter().filter_map(|id| self.get(id)) {
                let observed = slot.switch.word().running();
                match self.may_kill(by, &slot) {
                    Verdict::Allowed => {
                        if let (KillMode::Connection, Some(of), Some(owner)) = (mode, slot.client(), slot.principal()) {
                            clients.tombs.add(Tomb::new(of, &owner), Instant::now());
                        }
                        victims.push(strike(by, slot, mode, observed));
                    }
                    verdict => passed.add(verdict, &slot, denial(verdict, client), unknown()),
                }
            }
        }
        passed.receipt(victims, || self.nobody(by, unknown()))
    }

    /// The tombs of a client that a kill was aimed at: the other servers of the cluster are to refuse it too.
    #[cfg(feature = "cluster")]
    pub(crate) fn tombs_of_kill(&self, target: &Target, mode: KillMode) -> Vec<Tomb> {
        match (target, mode) {
            (Target::Session(id), KillMode::Connection) if self.is_client_id(*id) => {
                self.clients().tombs.of(*id, Instant::now())
            }
            _ => Vec::new(),
        }
    }

    /// Another server of the cluster has killed this client: it is refused here too, and ended if it came in since this
    /// server was asked for the kill.
    #[cfg(feature = "cluster")]
    pub(crate) fn bury(&self, tomb: &Tomb) {
        let now = Instant::now();
        self.clients().tombs.add(tomb.clone(), now);
        let mut after = NOBODY;
        loop {
            let clients = self.clients();
            let piece = clients.siblings(tomb.client.id, after);
            let Some(last) = piece.last() else { return };
            after = *last;
            for slot in piece.into_iter().filter_map(|id| self.get(id)) {
                let own = slot.client().zip(slot.principal()).map(|(of, owner)| Tomb::new(of, &owner));
                if own.as_ref() == Some(tomb) {
                    end(&slot, now);
                }
            }
        }
    }

    fn clients(&self) -> crate::lock::Held<'_, Clients> {
        self.clients.hold()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        dialect::{Dialect, Node},
        id::Layout,
        model::{Clock, Origin, Principal, Privileges, Reason, Settings, Tenant},
        supervisor::{Listing, Registration, kill::tests::deaf},
    };

    fn of(user: &str, tenant: &str) -> Arc<Principal> {
        let tenant = Tenant { name: tenant.into(), cluster: None };
        Arc::new(Principal::new(user, Privileges::NONE).in_tenant(tenant))
    }

    fn client(id: u64) -> ClientSession {
        ClientSession { id: SessionId::new(id), connected: 1 }
    }

    struct Lab(Arc<Registry>);

    impl Lab {
        fn new() -> Self {
            let (dialect, layout) = (Dialect::oceanbase(), Layout::oceanbase(1).unwrap());
            Self(Registry::new(layout, dialect, Node::default(), Clock::default(), &Settings::new()))
        }

        fn admit(&self, who: &Arc<Principal>, client: ClientSession) -> Registration {
            let registration = self.0.admit(Origin::Local, deaf(), Some(Arc::clone(who))).unwrap();
            self.0.name_client(registration.slot(), Some(client)).unwrap();
            registration
        }

        fn kill(&self, by: &Principal, id: u64) -> Result<usize, Option<KillError>> {
            let by = Requester { principal: by, session: None, peer: None, kill: 0 };
            let result = self.0.kill_client(&by, SessionId::new(id), KillMode::Connection);
            result.map(|receipt| receipt.sessions()).map_err(|refusal| refusal.told)
        }
    }

    fn leaving(registration: &Registration) -> Option<Reason> {
        registration.slot().switch.word().leaving()
    }

    #[test]
    fn a_client_with_more_sessions_than_a_piece_is_killed_whole_and_listed_in_order() {
        let lab = Lab::new();
        let alice = of("alice", "shop");
        let ids = [9, 7, 8];
        let all: Vec<_> = (0..3 * PIECE + 5).map(|n| lab.admit(&alice, client(ids[n % 3]))).collect();
        let direct = lab.0.admit(Origin::Local, deaf(), Some(Arc::clone(&alice))).unwrap();
        let rows = Listing::new(Arc::clone(&lab.0), Arc::clone(&alice)).rows();
        let shown: Vec<_> = rows.iter().map(|row| (row.client.map_or(row.id, |client| client.id), row.id)).collect();
        assert_eq!(shown.len(), all.len() + 1, "each once");
        assert!(shown.is_sorted());
        assert_eq!(shown.last(), Some(&(direct.id(), direct.id())));
        // Of one client more than are looked at in one go.
        let many: Vec<_> = (0..3 * PIECE + 5).map(|_| lab.admit(&alice, client(5))).collect();
        assert_eq!(lab.kill(&alice, 5), Ok(many.len()));
        assert!(many.iter().all(|session| leaving(session) == Some(Reason::KillConnection)));
        assert!(all.iter().chain([&direct]).all(|session| leaving(session).is_none()), "others are not touched");
    }

    #[test]
    fn a_session_is_its_last_clients_and_nobodys_when_it_is_over() {
        let lab = Lab::new();
        let alice = of("alice", "shop");
        let session = lab.admit(&alice, client(7));
        // A proxy gives it to another client.
        lab.0.name_client(session.slot(), Some(client(8))).unwrap();
        let unknown = |id: &str| Err(Some(KillError::UnknownSession(id.into())));
        assert_eq!(lab.kill(&alice, 7), unknown("7"));
        assert_eq!(leaving(&session), None);
        assert_eq!(lab.kill(&alice, 8), Ok(1));
        drop(session);
        assert_eq!(lab.kill(&alice, 8), unknown("8"));
        assert!(lab.0.clients().sessions.is_empty());
        // An id that this server gives out, or that is none.
        for id in [0xC004_0007, 0, 1 << 32] {
            let session = lab.admit(&alice, client(id));
            assert_eq!(session.slot().client(), None, "{id:#x}");
        }
    }

    #[test]
    fn a_killed_client_comes_in_no_more_and_stays_out_of_the_list_of_its_sessions() {
        let lab = Lab::new();
        let alice = of("alice", "shop");
        let first = lab.admit(&alice, client(7));
        assert_eq!(lab.kill(&alice, 7), Ok(1));
        let late = lab.0.admit(Origin::Local, deaf(), Some(Arc::clone(&alice))).unwrap();
        assert_eq!(lab.0.name_client(late.slot(), Some(client(7))), Err(Refused::ClientKilled));
        assert_eq!(late.slot().client(), None);
        drop((first, late));
        assert!(lab.0.clients().sessions.is_empty());
        let next = lab.0.admit(Origin::Local, deaf(), Some(alice)).unwrap();
        let next_client = ClientSession { connected: 2, ..client(7) };
        assert_eq!(lab.0.name_client(next.slot(), Some(next_client)), Ok(()));
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn a_client_that_another_server_has_killed_is_refused_here_and_ended() {
        let (there, here) = (Lab::new(), Lab::new());
        let (alice, bob) = (of("alice", "shop"), of("bob", "shop"));
        let _killed = there.admit(&alice, client(7));
        assert_eq!(there.kill(&alice, 7), Ok(1));
        let of = |id| there.0.tombs_of_kill(&Target::Session(SessionId::new(id)), KillMode::Connection);
        let tombs = of(7);
        assert_eq!(tombs, [Tomb::new(client(7), &alice)]);
        assert!(of(8).is_empty());
        // It came in after this server was asked for the kill, and before it was told what had been killed.
        let between: Vec<_> = (0..PIECE + 5).map(|_| here.admit(&alice, client(7))).collect();
        let spared = [
            here.admit(&alice, ClientSession { connected: 2, ..client(7) }),
            here.admit(&alice, client(8)),
            here.admit(&bob, client(7)),
        ];
        tombs.iter().for_each(|tomb| here.0.bury(tomb));
        assert!(between.iter().all(|session| leaving(session) == Some(Reason::KillConnection)));
        assert!(spared.iter().all(|session| leaving(session).is_none()));
        let late = here.0.admit(Origin::Local, deaf(), Some(alice)).unwrap();
        assert_eq!(here.0.name_client(late.slot(), Some(client(7))), Err(Refused::ClientKilled));
    }
}
