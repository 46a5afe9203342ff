//! What is asked for and done, and what who asks is told.

use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::{
    dialect::KillDenied,
    id::RUN,
    model::{Command, KillCause, KillResult, Reason},
    state::{Phase, Running},
    supervisor::{Kill, KillAnswer, Listing, kill_by_id},
};

#[tokio::test]
async fn a_kill_reaches_the_session_wherever_it_was_asked_for() {
    let [one, two] = Rules::default().peers();
    let victim = two.connect(user("alice"));
    let bystander = two.connect(user("alice"));
    assert_eq!(one.kill_session(root(), victim.slot().id()).await, Ok(1));
    assert_eq!(victim.slot().switch.word().leaving(), Some(Reason::KillConnection));
    assert!(is_unharmed(bystander.slot()));
    let statement = bystander.slot().switch.begin().unwrap();
    let target = Target::Session(bystander.slot().id());
    assert_eq!(one.kill(root(), target, KillMode::Query).await, Ok(1));
    let word = bystander.slot().switch.word();
    assert_eq!((word.number(), word.phase()), (statement, Phase::Ended(Reason::KillQuery)));
    assert!(is_unharmed(bystander.slot()), "and it lives");
    // The owner's history says from where it came.
    let kills = Listing::new(Arc::clone(&two.registry), root()).kills();
    let told: Vec<_> = kills.iter().map(|kill| (kill.by_id, kill.by_host, &kill.cause, kill.result)).collect();
    let (session, peer) = asker();
    let row = (Some(session), Some(peer), &KillCause::Peer(1), KillResult::Ending);
    assert_eq!(told, [row, row]);
    assert_eq!(kills[0].cause.to_string(), "server 1");
}

#[tokio::test]
async fn who_may_not_gets_the_error_of_a_local_kill_and_the_victim_is_unharmed() {
    for name in Dialect::NAMES {
        for denied in [KillDenied::Told, KillDenied::Hidden] {
            let dialect = Dialect::named(name).unwrap().kill_denied(denied);
            let [one, two] = Rules { dialect, ..Rules::default() }.peers();
            let victim = two.connect(user("alice"));
            let id = victim.slot().id();
            let local = Kill { by: user("mallory"), from: None, target: Target::Session(id), mode: KillMode::Query };
            let Some(KillAnswer::Now(Err(local))) = kill_by_id(&two.registry, &local) else { panic!("{name}") };
            let remote = one.kill(user("mallory"), Target::Session(id), KillMode::Query).await;
            assert_eq!(remote, Err(local), "{name}");
            // The session that asks has the same id, on its own node: that makes the victim nobody's own.
            let from = Some((id, Origin::Local));
            let target = Target::Session(id);
            let errand = Errand { by: user("mallory"), from, target, mode: KillMode::Connection };
            assert!(one.elsewhere().kill(errand).await.is_err(), "{name}");
            assert!(is_unharmed(victim.slot()), "{name}");
            let told = two.registry.status().kills_denied;
            assert_eq!(told, 3, "{name}: the host of the owner knows");
        }
    }
}

#[tokio::test]
async fn ids_that_no_session_has_are_unknown() {
    let [one, two] = Rules::default().peers();
    let (own, other) = (one.connect(user("alice")), two.connect(user("alice")));
    let (own, gone) = (own.slot().id(), other.slot().id());
    drop(other);
    let nowhere = Layout::tidb(9).unwrap();
    let nowhere = Registry::new(nowhere, Dialect::tidb(), Node::default(), Clock::default(), &Settings::new());
    let nowhere = nowhere.admit(Origin::Local, deaf(), Some(user("alice"))).unwrap();
    for id in [own, gone, nowhere.slot().id(), SessionId::new(1), SessionId::new(0), SessionId::new(u64::MAX)] {
        assert_eq!(one.kill_session(root(), id).await, Err(KillError::UnknownSession(id.to_string())));
    }
}

#[tokio::test]
async fn the_victim_can_be_told_who_killed_it() {
    let dialect = Dialect::doris().cancel_text(true);
    let [one, two] = Rules { dialect, ..Rules::default() }.peers();
    let victim = two.connect(user("alice"));
    victim.slot().switch.begin().unwrap();
    one.kill(root(), Target::Session(victim.slot().id()), KillMode::Query).await.unwrap();
    assert_eq!(victim.slot().killer(), Some(asker().1));
}

/// Whether its statement was ended.
fn is_cut(slot: &Slot) -> bool {
    matches!(slot.switch.word().phase(), Phase::Ended(_))
}

/// A session that runs the statement with this number.
fn running(peer: &Peer, who: &str, query_id: u64) -> Registration {
    let session = peer.connect(user(who));
    let statement = session.slot().switch.begin().unwrap();
    let running = Running { statement, query_id };
    session.slot().show(crate::model::Command::Query, "", None, Some(running), tokio::time::Instant::now());
    session
}

#[tokio::test]
async fn a_statement_is_found_by_its_name_on_any_node() {
    let [one, mut two, three] = Rules { dialect: Dialect::doris(), ..Rules::default() }.peers();
    let sessions = [running(&two, "alice", 7), running(&three, "alice", 7), running(&three, "bob", 8)];
    let name = three.registry.node.query_name(7);
    let kill = |by, name: &str| one.kill(by, Target::Named(name.to_owned()), KillMode::Query);
    assert_eq!(kill(user("bob"), &name).await, Err(KillError::NotOwner(sessions[1].slot().id())));
    assert_eq!(kill(user("alice"), &name).await, Ok(1));
    let ended = sessions.each_ref().map(|session| is_cut(session.slot()));
    assert_eq!(ended, [false, true, false]);
    let unknown = Err(KillError::UnknownName("1-2".into()));
    assert_eq!(kill(root(), "1-2").await, unknown);
    // A number of a statement is one of its own server's: those of others have it too.
    let by_number = one.kill(root(), Target::Statement(8), KillMode::Query).await;
    assert_eq!(by_number, Err(KillError::UnknownQuery(8)));
    assert!(!is_cut(sessions[2].slot()));
    // It may be on the one that is down.
    two.go_down(&one).await;
    assert_eq!(kill(root(), "1-2").await, Err(KillError::Unreachable { server: 2 }));
    assert_eq!(kill(root(), &three.registry.node.query_name(8)).await, Ok(1), "it was found");
    let long = kill(root(), &"x".repeat(100_000)).await;
    assert_eq!(long, Err(KillError::UnknownName("x".repeat(80))));
}

#[tokio::test]
async fn a_users_sessions_end_on_all_nodes_or_the_error_says_that_not_all_did() {
    let [one, two, mut three] = Rules { dialect: Dialect::mariadb(), ..Rules::default() }.peers();
    let sessions = [two.connect(user("alice")), three.connect(user("alice")), three.connect(user("bob"))];
    let all_of = |user: &str| Target::User { user: user.to_owned(), host: None };
    assert_eq!(one.kill(root(), all_of("nobody"), KillMode::Connection).await, Ok(0));
    assert!(one.kill(user("bob"), all_of("alice"), KillMode::Connection).await.unwrap_err().is_denial());
    assert!(sessions.iter().all(|session| is_unharmed(session.slot())));
    assert_eq!(one.kill(root(), all_of("alice"), KillMode::Connection).await, Ok(2));
    assert_eq!(sessions.each_ref().map(|session| is_unharmed(session.slot())), [false, false, true]);
    three.go_down(&one).await;
    let kill = one.kill(root(), all_of("alice"), KillMode::Connection).await;
    assert_eq!(kill, Err(KillError::Unreachable { server: 3 }));
}

#[tokio::test]
async fn a_list_has_the_sessions_of_all_other_nodes() {
    let [one, two, three] = Rules::default().peers();
    let sessions = [two.connect(user("alice")), two.connect(user("bob")), three.connect(user("alice"))];
    let _own = one.connect(user("alice"));
    let gathered = one.list(root()).await;
    assert!(gathered.missing.is_empty(), "{gathered:?}");
    let told: Vec<_> = gathered.lists.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.id)).collect();
    assert_eq!(told, sessions.each_ref().map(|session| session.slot().id()));
    let nodes: Vec<_> = gathered.lists.iter().map(|(node, _)| (node.address, node.query_ids)).collect();
    assert_eq!(nodes, [&two, &three].map(|peer| (peer.registry.node.address, peer.registry.node.query_ids)));
    let alices = one.list(user("alice")).await;
    let told: Vec<_> = alices.lists.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(told, [1, 1], "what alice may see");
}

#[tokio::test]
async fn a_long_list_comes_in_pieces_and_whole() {
    let [one, two] = Rules::default().peers();
    // Some of one account in a row, and then of another: each is told once.
    let accounts = [user("alice"), user("bob")];
    let sessions: Vec<_> = (0..3000).map(|n| two.connect(Arc::clone(&accounts[n / 3 % 2]))).collect();
    let mut ids: Vec<_> =
        sessions.iter().map(|session| (session.slot().id(), session.slot().principal().unwrap())).collect();
    ids.sort_unstable_by_key(|(id, _)| *id);
    let gathered = one.list(root()).await;
    let told: Vec<_> = gathered.lists[0].1.iter().map(|row| (row.id, row.principal.clone().unwrap())).collect();
    assert_eq!(told, ids);
    drop(sessions);
    let gathered = one.list(root()).await;
    assert_eq!(gathered.lists.len(), 1, "{gathered:?}");
    assert!(gathered.lists[0].1.is_empty());
}

/// A message has its bound, which many long statements side by side do not reach: of a whole run of ids, all together would.
#[tokio::test]
async fn long_statements_side_by_side_are_all_listed() {
    const LONG: usize = 64 << 10;
    let [one, two] = Rules::default().peers();
    let sessions: Vec<_> = (0..2 * RUN).map(|_| two.connect(user("alice"))).collect();
    for session in &sessions {
        let sql = Bytes::from(vec![b'x'; LONG]);
        let (statement, query_id) = (session.slot().switch.begin().unwrap(), two.registry.next_query_id());
        let running = Some(Running { statement, query_id });
        session.slot().show(Command::Query, "executing", Some(sql), running, Instant::now());
    }
    let gathered = one.list(root()).await;
    assert_eq!(gathered.lists.len(), 1, "{:?}", gathered.missing);
    let lengths: Vec<_> = gathered.lists[0].1.iter().map(|row| row.info.as_ref().map(String::len)).collect();
    assert_eq!(lengths, vec![Some(LONG); 2 * RUN]);
}

#[tokio::test]
async fn the_nodes_say_how_they_are_doing() {
    let [one, two, mut three] = Rules::default().peers();
    let _sessions = [two.connect(user("alice")), two.connect(user("alice"))];
    two.registry.standing.depend(|| Duration::from_secs(100));
    two.registry.standing.extend(Duration::from_secs(107));
    three.go_down(&one).await;
    let nodes = one.elsewhere().nodes().await;
    let told: Vec<_> = nodes
        .iter()
        .map(|node| (node.server, node.epoch, node.state.as_str(), node.sessions, node.lease_left))
        .collect();
    let left = Some(Duration::from_secs(7));
    let expected = [
        (Some(1), 101, "UP", Some(0), None),
        (Some(2), 102, "UP", Some(2), left),
        (Some(3), 103, "UNREACHABLE", None, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(nodes[1].address, "127.0.0.1:4002");
    let _ = one.identity.send(None);
    let nodes = one.elsewhere().nodes().await;
    assert_eq!((nodes[0].server, nodes[0].state.as_str()), (None, "OFFLINE"));
}
