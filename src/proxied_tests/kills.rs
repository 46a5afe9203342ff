//! What ends a proxy's sessions.

use super::*;

#[test]
fn only_operators_may_say_kill_proxysession_and_others_hear_nothing_else() {
    on_stage(async |stage| {
        let (alice, played) = stage.client("alice").await;
        let super_user = account("mallory", "shop", Privileges::ALL);
        let mallory = stage.runtime.connect(super_user, alice_peer()).await.unwrap();
        let others = [stage.connect("bob", "sys").await, stage.connect("root", "shop").await, mallory];
        for by in others.iter().chain([&alice]) {
            for sql in
                ["KILL PROXYSESSION 7", "KILL PROXYSESSION 999", "KILL PROXYSESSION 7 1", "KILL PROXYSESSION 'x' 0"]
            {
                let error = ask(by, sql).await.unwrap_err();
                let told = (error.code(), error.state(), error.message());
                assert_eq!(told, (5010, "21000", "Unknown operator, bad internal cmd"), "{sql}");
            }
        }
        assert_eq!((alice.running(), played.count()), (None, 3), "nothing was touched");
        assert_eq!(told(&alice, "first").await.0, 0);
    });
}

#[test]
fn kill_proxysession_ends_the_client_by_either_id() {
    on_stage(async |stage| {
        for operator in [("root", "proxysys"), ("root", "sys")] {
            for mark in [0, 1_u64 << 31] {
                let by = stage.connect(operator.0, operator.1).await;
                let (alice, _) = stage.client("alice").await;
                let waiting = alice.addr().send(Query("wait".to_owned().into()));
                let waiting = tokio::task::spawn_local(waiting);
                settle().await;
                assert_eq!(told(&by, &format!("KILL PROXYSESSION {}", alice.id().get() | mark)).await.0, 0);
                assert_eq!(alice.ended().await, Reason::KillConnection);
                drop(waiting);
                // Itself.
                let own = format!("KILL PROXYSESSION {}", by.id().get() | mark);
                let (code, text) = told(&by, &own).await;
                assert_eq!((code, &*text), (1317, "Query execution was interrupted"));
                assert_eq!(by.ended().await, Reason::KillOwnConnection);
                // By what CONNECTION_ID() says.
                let by = stage.connect(operator.0, operator.1).await;
                assert_eq!(told(&by, "KILL PROXYSESSION CONNECTION_ID()").await.0, 1317);
                assert_eq!(by.ended().await, Reason::KillOwnConnection);
            }
        }
        let root = stage.connect("root", "sys").await;
        for id in ["999", "2147484647", "0", "1 / 2"] {
            let (code, text) = told(&root, &format!("KILL PROXYSESSION {id}")).await;
            assert_eq!((code, text), (1094, format!("Unknown thread id: {id}")));
        }
        let elsewhere = Tenant { name: "shop".into(), cluster: Some("west".into()) };
        let other = Principal::new("alice", Privileges::NONE).in_tenant(elsewhere);
        let other = stage.runtime.connect(other, alice_peer()).await.unwrap();
        let kill = format!("KILL PROXYSESSION {}", other.id());
        assert_eq!(told(&root, &kill).await, (1094, format!("Unknown thread id: {}", other.id())), "another cluster's");
        assert_eq!(told(&stage.connect("root", "proxysys").await, &kill).await.0, 0);
        assert_eq!(other.ended().await, Reason::KillConnection);
    });
}

#[test]
fn a_server_session_ends_alone_unless_a_transaction_is_open_on_it() {
    on_stage(async |stage| {
        let (alice, played) = stage.client("alice").await;
        let root = stage.connect("root", "sys").await;
        for ss_id in [4, 99] {
            let (code, text) = told(&root, &format!("KILL PROXYSESSION 7 {ss_id}")).await;
            assert_eq!((code, text), (1094, format!("Unknown thread id: {ss_id}")));
        }
        assert_eq!(told(&root, "KILL PROXYSESSION 999 1").await, (1094, "Unknown thread id: 999".into()));
        let own = format!("KILL PROXYSESSION {} 1", root.id());
        assert_eq!(told(&root, &own).await, (1094, "Unknown thread id: 1".into()), "it has none");
        assert_eq!(told(&root, "KILL PROXYSESSION 2147483655 '1'").await.0, 0);
        assert_eq!(told(&root, "KILL PROXYSESSION 3 + 4 (2)").await.0, 0);
        assert_eq!(*played.ended.lock().unwrap(), [1, 2]);
        assert_eq!(told(&alice, "first").await.0, 0, "the client lives");
        assert_eq!(told(&root, "KILL PROXYSESSION 7 1").await.0, 1094, "once");
        played.sessions.lock().unwrap()[0].in_transaction = true;
        assert_eq!(told(&root, "KILL PROXYSESSION 7 3").await.0, 0);
        assert_eq!(alice.ended().await, Reason::KillConnection);
        assert_eq!(*played.ended.lock().unwrap(), [1, 2], "its own session ends it");
        let kills = stage.runtime.list(&Arc::new(account("root", "proxysys", Privileges::NONE))).kills();
        assert_eq!(
            kills.iter().filter(|kill| kill.victim.as_ref().is_some_and(|victim| victim.id == alice.id())).count(),
            1
        );
    });
}

#[test]
fn an_operators_own_server_session_ends_with_it_in_a_transaction() {
    on_stage(async |stage| {
        let played = Arc::new(Played::default());
        let current = server(5, ServerPlace::Current, ServerState::KeptForClient);
        *played.sessions.lock().unwrap() = vec![ServerSession { in_transaction: true, ..current }];
        stage.played.0.lock().unwrap().insert("root".into(), played);
        let root = stage.connect("root", "proxysys").await;
        ask(&root, "first").await.unwrap();
        let (code, text) = told(&root, "KILL PROXYSESSION 7 5").await;
        assert_eq!((code, &*text), (1317, "Query execution was interrupted"));
        assert_eq!(root.ended().await, Reason::KillOwnConnection);
    });
}

#[test]
fn kill_takes_either_id_and_tells_who_may_not_by_the_tenant() {
    with(Dialect::odp().kill_denied(KillDenied::Told), async |stage| {
        let (alice, _) = stage.client("alice").await;
        for (who, code) in [(("bob", "shop"), 1095), (("bob", "other"), 1094), (("alice", "other"), 1094)] {
            let by = stage.connect(who.0, who.1).await;
            for id in ["7", "2147483655"] {
                for form in ["KILL", "KILL CONNECTION", "KILL QUERY"] {
                    let (found, text) = told(&by, &format!("{form} {id}")).await;
                    let expected = match code {
                        1095 => format!("You are not owner of thread {id}"),
                        _ => format!("Unknown thread id: {id}"),
                    };
                    assert_eq!((found, text), (code, expected), "{form} by {who:?}");
                }
            }
        }
        let sibling = stage.connect("alice", "shop").await;
        assert_eq!(told(&sibling, "KILL QUERY 2147483655").await.0, 0);
        assert_eq!(told(&sibling, "KILL 2147483655").await.0, 0);
        assert_eq!(alice.ended().await, Reason::KillConnection);
    });
}
