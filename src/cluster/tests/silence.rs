//! What who asks is told when a node does not answer, or is not the one that it was.

use super::*;

#[tokio::test]
async fn an_owner_that_is_down_cannot_be_reached() {
    let [one, mut two, three] = Rules::default().peers();
    let (victim, other) = (two.connect(user("alice")), three.connect(user("alice")));
    // There was a connection.
    assert_eq!(one.list(root()).await.missing.len(), 0);
    two.go_down(&one).await;
    let kill = one.kill_session(root(), victim.slot().id()).await;
    assert_eq!(kill, Err(KillError::Unreachable { server: 2 }));
    let gathered = one.list(root()).await;
    assert_eq!(gathered.missing.iter().map(|missing| missing.server).collect::<Vec<_>>(), [2]);
    let told: Vec<_> = gathered.lists.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.id)).collect();
    assert_eq!(told, [other.slot().id()], "the others are listed");
}

#[tokio::test]
async fn an_owner_that_does_not_answer_costs_the_deadline() {
    let deadlines = Deadlines { kill: SHORT, list: SHORT };
    let one = Rules { deadlines, ..Rules::default() }.peer(1);
    let two = Rules::default().peer(2);
    let victim = two.connect(user("alice"));
    // It accepts, as the kernel of a stopped process does, and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = Addresses { peers: mute.local_addr().unwrap(), ..two.member.addresses };
    meet([&one], [one.member, Member { addresses, ..two.member }]);
    let kill = one.kill_session(root(), victim.slot().id()).await;
    assert_eq!(kill, Err(KillError::Unanswered { server: 2 }));
    let named = one.kill(root(), Target::Named("1-2".into()), KillMode::Query).await;
    assert_eq!(named, Err(KillError::Unanswered { server: 2 }));
    let gathered = one.list(root()).await;
    assert_eq!(gathered.missing[0].why, "it has not answered: not within 200ms");
}

#[tokio::test]
async fn a_node_that_is_another_by_now_does_nothing() {
    let [one, two] = Rules::default().peers();
    let victim = two.connect(user("alice"));
    let id = victim.slot().id();
    let before = Identity { epoch: 1, ..two.member.identity };
    meet([&one], [one.member, Member { identity: before, ..two.member }]);
    assert_eq!(one.kill_session(root(), id).await, Err(KillError::UnknownSession(id.to_string())));
    assert_eq!(one.list(root()).await.missing[0].why, "it is not the node that it was any more");
    let all = Target::User { user: "alice".into(), host: None };
    assert_eq!(one.kill(root(), all, KillMode::Query).await, Err(KillError::Unreachable { server: 2 }));
    assert!(is_unharmed(victim.slot()));
    // Nor one that has no place at all.
    meet([&one], [one.member, two.member]);
    let _ = two.identity.send(None);
    assert_eq!(one.kill_session(root(), id).await, Err(KillError::UnknownSession(id.to_string())));
    assert!(is_unharmed(victim.slot()));
}

#[tokio::test]
async fn a_node_that_may_have_lost_its_place_neither_asks_nor_answers() {
    let [one, two] = Rules::default().peers();
    let victim = two.connect(user("alice"));
    let id = victim.slot().id();
    two.registry.standing.depend(|| Duration::from_secs(100));
    assert_eq!(one.kill_session(root(), id).await, Err(KillError::Unreachable { server: 2 }));
    assert_eq!(one.list(root()).await.missing[0].why, "it has no place in the cluster");
    two.registry.standing.extend(Duration::from_secs(101));
    assert!(one.list(root()).await.missing.is_empty());
    one.registry.standing.depend(|| Duration::from_secs(100));
    assert_eq!(one.kill_session(root(), id).await, Err(KillError::Offline));
    assert_eq!(one.list(root()).await.missing[0].why, "this node has no place in the cluster");
    assert!(is_unharmed(victim.slot()));
}

#[tokio::test]
async fn who_joins_is_asked_at_once_and_who_leaves_no_more() {
    let [one, two] = Rules::default().peers();
    let three = Rules::default().peer(3);
    let victim = three.connect(user("alice"));
    let id = victim.slot().id();
    meet([&one], [one.member, two.member, three.member]);
    assert_eq!(one.kill(root(), Target::Session(id), KillMode::Query).await, Ok(1));
    meet([&one], [one.member, two.member]);
    assert_eq!(one.kill_session(root(), id).await, Err(KillError::UnknownSession(id.to_string())));
    assert!(is_unharmed(victim.slot()));
}

#[tokio::test]
async fn without_a_secret_nodes_are_on_one_machine() {
    let one = Rules::default().peer(1);
    let elsewhere: SocketAddr = "192.0.2.1:7000".parse().unwrap();
    let two = Member {
        identity: Identity { server: 2, epoch: 1 },
        addresses: Addresses { peers: elsewhere, ..one.member.addresses },
    };
    meet([&one], [one.member, two]);
    let gathered = one.list(root()).await;
    assert!(gathered.missing[0].why.contains("192.0.2.1:7000 is not a loopback address"), "{gathered:?}");
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (_, identity) = watch::channel(None);
    let (_, members) = watch::channel(Arc::default());
    let (registry, deadlines, trust) = (Arc::clone(&one.registry), Deadlines::default(), Trust::loopback());
    let refused = Network::start(Setup { registry, identity, members, deadlines, trust, address, listener });
    assert!(matches!(refused.err(), Some(NetworkError::Trust(_))));
}
