//! Clients of OceanBase's proxies, who have sessions on several nodes.

use super::*;
use crate::model::{ClientSession, Reason, Refused, Tenant};

fn rules() -> Rules {
    Rules { dialect: Dialect::oceanbase(), ..Rules::default() }
}

fn of(user: &str, tenant: &str) -> Arc<Principal> {
    let tenant = Tenant { name: tenant.into(), cluster: None };
    Arc::new(Principal::new(user, Privileges::NONE).in_tenant(tenant))
}

/// A client session's id as a proxy makes them.
const CLIENT: SessionId = SessionId::new(7);

fn client() -> ClientSession {
    ClientSession { id: CLIENT, connected: 1_700_000_000_000_000 }
}

fn login(peer: &Peer, who: &Arc<Principal>) -> Result<Registration, Refused> {
    let session = peer.connect(Arc::clone(who));
    peer.registry.name_client(session.slot(), Some(client())).map(|()| session)
}

#[tokio::test]
async fn a_kill_of_a_client_reaches_its_sessions_on_all_nodes_and_all_refuse_it() {
    let [one, two, three] = rules().peers();
    let (alice, mallory) = (of("alice", "shop"), of("mallory", "bank"));
    let killed = [login(&two, &alice).unwrap(), login(&three, &alice).unwrap(), login(&three, &alice).unwrap()];
    let spared = login(&three, &mallory).unwrap();
    let listed = one.list(Arc::clone(&alice)).await;
    let shown: Vec<_> = listed.lists.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.client)).collect();
    assert_eq!(shown, [Some(client()); 3]);
    // A statement's kill keeps nobody out.
    assert_eq!(one.kill(Arc::clone(&alice), Target::Session(CLIENT), KillMode::Query).await, Ok(3));
    assert!(login(&one, &alice).is_ok());
    let other = of("bob", "third");
    let unknown = Err(KillError::UnknownSession("7".into()));
    assert_eq!(one.kill_session(other, CLIENT).await, unknown, "of a tenant that sees none of them");
    assert_eq!(one.kill_session(of("bob", "shop"), CLIENT).await, Err(KillError::NotOwner(CLIENT)));
    assert!(killed.iter().all(|session| is_unharmed(session.slot())));
    assert_eq!(one.kill_session(Arc::clone(&alice), CLIENT).await, Ok(3));
    for session in &killed {
        assert_eq!(session.slot().switch.word().leaving(), Some(Reason::KillConnection));
    }
    assert!(is_unharmed(spared.slot()));
    for peer in [&one, &two, &three] {
        assert_eq!(login(peer, &alice).err(), Some(Refused::ClientKilled), "on {}", peer.member.identity.server);
        assert!(login(peer, &mallory).is_ok(), "on {}", peer.member.identity.server);
    }
}

#[tokio::test]
async fn a_client_that_may_have_sessions_on_a_node_that_is_down_is_not_said_to_be_killed() {
    let [one, two, mut three] = rules().peers();
    let alice = of("alice", "shop");
    let killed = login(&two, &alice).unwrap();
    three.network = None;
    assert_eq!(one.kill_session(Arc::clone(&alice), CLIENT).await, Err(KillError::ClientNotReached { client: CLIENT }));
    assert_eq!(killed.slot().switch.word().leaving(), Some(Reason::KillConnection), "what can be ended is");
    let nobody = SessionId::new(8);
    assert_eq!(one.kill_session(alice, nobody).await, Err(KillError::ClientNotReached { client: nobody }));
}
