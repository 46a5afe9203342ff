//! Lists of all nodes' sessions.

use std::time::Duration;

use super::*;
use crate::{
    Node, ProcessRow,
    supervisor::{Missing, NodeState},
    system::SystemTables,
};

const CLUSTER: &str = "information_schema.cluster_processlist";

/// An idle session of this user's.
fn session(id: SessionId, user: &str) -> ProcessRow {
    ProcessRow {
        principal: Some(Arc::new(Principal::new(user, Privileges::NONE))),
        peer: peer(),
        time: Duration::from_secs(7),
        state_time: Duration::from_secs(7),
        ..ProcessRow::idle(id)
    }
}

/// The node with this server id, and its first session, which is alice's.
fn node(dialect: Dialect, server: u32) -> (Node, ProcessRow) {
    let layout = if dialect.has_tenants() { Layout::oceanbase(server) } else { Layout::tidb(server) };
    let id = crate::id::IdMap::new(layout.unwrap(), 1).allocate(|id| id).unwrap();
    (Node::new(format!("192.0.2.{server}:3306").parse().unwrap()), session(id, "alice"))
}

/// Two nodes with a session each, of which those tell who may see it, and one that does not answer.
fn two_and_one(dialect: Dialect) -> Arc<Others> {
    Others::telling(move |by| {
        let sees = |row: &ProcessRow| dialect.may_see(by, row.principal.as_deref());
        let lists = [2, 5].map(|server| node(dialect, server));
        let lists = lists.into_iter().map(|(node, row)| (node, Some(row).filter(sees).into_iter().collect())).collect();
        Gathered { lists, missing: vec![Missing { server: 3, why: "it has not answered in 500 ms".into() }] }
    })
}

const MISSING: &str = "The sessions of server 3 of the cluster are missing: it has not answered in 500 ms";

#[test]
fn a_list_of_all_nodes_has_their_rows_and_a_warning_for_each_that_is_missing() {
    run(async {
        let dialect = Dialect::tidb();
        let others = two_and_one(dialect);
        let (runtime, _) = start(dialect, &others);
        let (root, alice, bob) = (
            connect(&runtime, "root", Privileges::ALL).await,
            connect(&runtime, "alice", Privileges::NONE).await,
            connect(&runtime, "bob", Privileges::NONE).await,
        );
        let [second, fifth] = [2, 5].map(|server| node(dialect, server).1.id.to_string());
        let own = |session: &SessionHandle, user: &str| {
            vec!["127.0.0.1:3306".to_owned(), session.id().to_string(), user.into()]
        };
        let theirs = |server, id: &str| vec![format!("192.0.2.{server}:3306"), id.to_owned(), "alice".to_owned()];
        let sql = format!("SELECT INSTANCE, ID, USER FROM {CLUSTER}");
        for (by, expected) in [
            (
                &root,
                vec![own(&root, "root"), own(&alice, "alice"), own(&bob, "bob"), theirs(2, &second), theirs(5, &fifth)],
            ),
            (&alice, vec![own(&alice, "alice"), theirs(2, &second), theirs(5, &fifth)]),
            (&bob, vec![own(&bob, "bob")]),
        ] {
            assert_eq!(ask(by, sql.clone()).await.unwrap(), (expected, 1));
            assert_eq!(others.lists(), 1);
            let warning = vec!["Warning".to_owned(), "1430".to_owned(), MISSING.to_owned()];
            assert_eq!(ask(by, "SHOW WARNINGS").await.unwrap().0, [warning]);
            assert_eq!(ask(by, "SHOW COUNT(*) WARNINGS").await.unwrap().0, [["1"]]);
        }
        // Once for a statement, however often it names the table; and beside others.
        let sql = format!(
            "SELECT COUNT(*), COUNT(DISTINCT c.INSTANCE), (SELECT COUNT(*) FROM {CLUSTER}), \
             (SELECT COUNT(*) FROM information_schema.processlist) FROM {CLUSTER} c WHERE c.TIME < 1000"
        );
        assert_eq!(ask(&root, sql).await.unwrap(), (vec![["5", "3", "5", "3"].map(str::to_owned).to_vec()], 1));
        assert_eq!(others.lists(), 1);
        let sql = format!("SELECT TIME, COMMAND FROM {CLUSTER} WHERE ID = ?");
        assert_eq!(root.prepare(sql.clone()).await.unwrap().columns.len(), 2);
        assert_eq!(
            told(&root, &format!("PREPARE one FROM 'SELECT TIME FROM {CLUSTER} WHERE ID = {second}'")).await.0,
            0
        );
        assert_eq!(others.lists(), 0, "who prepares asks for nothing");
        assert_eq!(ask(&root, "SHOW WARNINGS").await.unwrap().0.len(), 0);
        let params = Some(crate::Params(vec![OwnedValue::Text(second.clone())]));
        let rows = ask(&root, Statement { sql: sql.into(), params, ..Statement::default() }).await.unwrap();
        assert_eq!(rows, (vec![vec!["7".to_owned(), "Sleep".to_owned()]], 1));
        assert_eq!(ask(&root, "EXECUTE one").await.unwrap(), (vec![vec!["7".to_owned()]], 1));
        assert_eq!(others.lists(), 2);
    });
}

#[test]
fn who_asks_for_this_nodes_sessions_alone_asks_nobody_else() {
    run(async {
        for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
            let others = two_and_one(dialect);
            let (runtime, _) = start(dialect, &others);
            let by = connect(&runtime, "root", Privileges::ALL).await;
            for sql in [
                "SHOW PROCESSLIST",
                "SHOW FULL PROCESSLIST",
                "SELECT COUNT(*) FROM information_schema.processlist",
                "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'cluster_processlist'",
                "SELECT COUNT(*) FROM killdeer.kill_history",
                "EXPLAIN SELECT * FROM information_schema.cluster_processlist",
            ] {
                assert_eq!(ask(&by, sql).await.unwrap().1, 0, "{sql}");
            }
            assert_eq!(others.lists(), 0, "{}", dialect.name());
        }
    });
}

#[test]
fn oceanbase_has_one_list_of_all_servers_and_one_of_its_own() {
    run(async {
        let dialect = Dialect::oceanbase();
        let others = Others::telling(move |_| Gathered {
            lists: vec![(node(dialect, 9).0, vec![node(dialect, 9).1])],
            missing: Vec::new(),
        });
        let (runtime, _) = start(dialect, &others);
        let tenant = crate::Tenant { name: "sys".into(), cluster: None };
        let by = Principal::new("root", Privileges::ALL).in_tenant(tenant);
        let by = runtime.connect(by, peer()).await.unwrap();
        let sql = "SELECT SVR_IP, SVR_PORT, ID FROM oceanbase.GV$OB_PROCESSLIST";
        let own = vec!["127.0.0.1".to_owned(), "3306".to_owned(), by.id().to_string()];
        let theirs = vec!["192.0.2.9".to_owned(), "3306".to_owned(), node(dialect, 9).1.id.to_string()];
        assert_eq!(ask(&by, sql).await.unwrap(), (vec![own.clone(), theirs], 0));
        assert_eq!(ask(&by, sql.replace("GV$", "V$")).await.unwrap(), (vec![own], 0));
        assert_eq!(others.lists(), 1);
    });
}

/// The columns FE, CurrentConnected and Id of Doris's list.
async fn frontends(by: &SessionHandle, sql: &str) -> (Vec<[String; 3]>, u16) {
    let (rows, warnings) = ask(by, sql.to_owned()).await.unwrap();
    (rows.into_iter().map(|row| [row[12].clone(), row[0].clone(), row[1].clone()]).collect(), warnings)
}

#[test]
fn doris_lists_all_nodes_once_the_session_says_so() {
    run(async {
        let dialect = Dialect::doris();
        let others = two_and_one(dialect);
        let (runtime, _) = start(dialect, &others);
        let (by, alice) = (
            connect(&runtime, "root", Privileges::ADMIN_PRIV).await,
            connect(&runtime, "alice", Privileges::NONE).await,
        );
        let row = |fe: &str, own: &str, id: SessionId| [fe.to_owned(), own.to_owned(), id.to_string()];
        let here = [row("127.0.0.1", "Yes", by.id()), row("127.0.0.1", "No", alice.id())];
        let there = [2, 5].map(|server| row(&format!("192.0.2.{server}"), "No", node(dialect, server).1.id));
        let all = [here.clone(), there].concat();
        let lists = ["SHOW PROCESSLIST", "SHOW FULL PROCESSLIST", "SELECT * FROM information_schema.processlist"];
        for (set, wide) in [
            ("", false),
            ("SET show_all_fe_connection = true", true),
            ("SET show_all_fe_connection = DEFAULT", false),
            ("SET SESSION show_all_fe_connection = 'On', wait_timeout = 60", true),
            ("SET @@show_all_fe_connection = FALSE", false),
            ("SET a = 1, `show_all_fe_connection` = 1", true),
            ("SET show_all_fe_connection = off", false),
        ] {
            assert_eq!(told(&by, set).await.0, 0, "{set}");
            for list in lists {
                let expected = if wide { (all.clone(), 1) } else { (here.to_vec(), 0) };
                assert_eq!(frontends(&by, list).await, expected, "{list} after {set}");
                assert_eq!(others.lists(), usize::from(wide), "{list} after {set}");
                let warned = ask(&by, "SHOW WARNINGS").await.unwrap().0;
                assert_eq!(warned.iter().map(|row| &*row[2]).collect::<Vec<_>>(), vec![MISSING; usize::from(wide)]);
            }
            assert_eq!(frontends(&alice, lists[0]).await.0.len(), 1, "another session is another's");
        }
        assert_eq!(others.lists(), 0);
        assert_eq!(
            frontends(&by, "SET STATEMENT show_all_fe_connection = 1 FOR SHOW PROCESSLIST").await,
            (all.clone(), 1)
        );
        assert_eq!(frontends(&by, "SHOW PROCESSLIST").await, (here.to_vec(), 0));
        assert_eq!(by.prepare("SHOW PROCESSLIST").await.unwrap().columns.len(), 14);
        for (value, code) in
            [("2", 1231), ("-1", 1231), ("'maybe'", 1231), ("maybe", 1231), ("NULL", 1231), ("0.5", 1232)]
        {
            assert_eq!(told(&by, &format!("SET show_all_fe_connection = {value}")).await.0, code, "{value}");
        }
        assert_eq!(told(&alice, "SET GLOBAL show_all_fe_connection = 1").await.0, 1227);
        others.lists();
        assert_eq!(frontends(&alice, "SHOW PROCESSLIST").await.1, 0);
        assert_eq!(others.lists(), 0);
    });
}

#[test]
fn in_other_systems_the_variable_changes_nothing() {
    run(async {
        for dialect in [Dialect::mysql(), Dialect::mariadb(), Dialect::tidb(), Dialect::oceanbase()] {
            let others = two_and_one(dialect);
            let (runtime, _) = start(dialect, &others);
            let by = connect(&runtime, "root", Privileges::ALL).await;
            assert_eq!(told(&by, "SET show_all_fe_connection = true").await.0, 0);
            assert_eq!(ask(&by, "SHOW PROCESSLIST").await.unwrap().0.len(), 1);
            assert_eq!(others.lists(), 0, "{}", dialect.name());
        }
    });
}

#[test]
fn who_waits_for_other_nodes_lists_can_be_killed() {
    run(async {
        for (dialect, sql) in [
            (Dialect::tidb(), format!("SELECT * FROM {CLUSTER}")),
            (Dialect::tidb(), "SELECT * FROM killdeer.nodes".to_owned()),
            (Dialect::doris(), "SHOW PROCESSLIST".to_owned()),
        ] {
            let others = two_and_one(dialect);
            let (runtime, _) = start(dialect, &others);
            let (by, other) =
                (connect(&runtime, "root", Privileges::ALL).await, connect(&runtime, "root", Privileges::ALL).await);
            assert_eq!(told(&by, "SET show_all_fe_connection = true").await.0, 0);
            others.hold();
            let waiting = begin(&by, &sql).await;
            assert!(!waiting.is_finished(), "{sql}");
            assert_eq!(told(&other, &format!("KILL QUERY {}", by.id())).await.0, 0);
            assert_eq!(waiting.await.unwrap().unwrap_err().code(), 1317, "{sql}");
            assert_eq!(told(&by, "hello").await.0, 0);
        }
    });
}

#[test]
fn what_others_tell_counts_as_memory_of_the_question() {
    run(async {
        let dialect = Dialect::tidb();
        let others = Others::telling(move |_| {
            let (node, row) = node(dialect, 2);
            let long = ProcessRow { info: Some("x".repeat(100_000)), ..row };
            Gathered { lists: vec![(node, vec![long; 3])], missing: Vec::new() }
        });
        for (room, expected) in [(200_000, 1041), (400_000, 0)] {
            let (mut runtime, _) = start(dialect, &others);
            Arc::get_mut(&mut runtime.shared).unwrap().tables = SystemTables::with_room(room);
            let by = connect(&runtime, "root", Privileges::ALL).await;
            let (code, _) = told(&by, &format!("SELECT COUNT(*) FROM {CLUSTER}")).await;
            assert_eq!(code, expected, "room for {room} bytes");
        }
    });
}

#[test]
fn the_table_of_nodes_shows_all_of_them_to_those_who_see_all_sessions() {
    run(async {
        let dialect = Dialect::tidb();
        let others = Others::new(|_| Ok(1));
        let row = |server, state, sessions, lease_left| NodeRow {
            server,
            address: "192.0.2.1:3306".into(),
            epoch: 40,
            state,
            sessions,
            lease_left,
        };
        *others.nodes.lock().unwrap() = vec![
            row(Some(1), NodeState::Up, Some(2), Some(Duration::from_millis(9_070))),
            row(Some(7), NodeState::Unreachable, None, None),
        ];
        let (runtime, _) = start(dialect, &others);
        let (root, alice) =
            (connect(&runtime, "root", Privileges::PROCESS).await, connect(&runtime, "alice", Privileges::NONE).await);
        let own = ["1", "192.0.2.1:3306", "40", "UP", "2", "9.070"].map(str::to_owned).to_vec();
        let other = ["7", "192.0.2.1:3306", "40", "UNREACHABLE", "NULL", "NULL"].map(str::to_owned).to_vec();
        let sql = "SELECT * FROM killdeer.nodes";
        assert_eq!(ask(&root, sql).await.unwrap(), (vec![own.clone(), other], 0));
        assert_eq!(ask(&alice, sql).await.unwrap(), (vec![own], 0));
        root.use_database("killdeer").await.unwrap();
        let sql = "SELECT SUM(SESSIONS), MIN(LEASE_LEFT) < 10 FROM nodes n WHERE STATE = 'up'";
        assert_eq!(ask(&root, sql).await.unwrap().0, [["2", "1"]]);
        // One that has lost its place has no server id.
        *others.nodes.lock().unwrap() = vec![row(None, NodeState::Offline, Some(0), Some(Duration::ZERO))];
        let lost = ["NULL", "192.0.2.1:3306", "40", "OFFLINE", "0", "0.000"].map(str::to_owned).to_vec();
        assert_eq!(ask(&alice, "SELECT * FROM killdeer.nodes").await.unwrap().0, [lost]);
        // A server alone is one node.
        let runtime = Runtime::builder(Idle).single_arbiter().dialect(dialect).start();
        let by = connect(&runtime, "alice", Privileges::NONE).await;
        let alone = ["1", "127.0.0.1:3306", "0", "UP", "1", "NULL"].map(str::to_owned).to_vec();
        assert_eq!(ask(&by, "SELECT * FROM killdeer.nodes").await.unwrap().0, [alone]);
    });
}

#[test]
fn a_node_without_its_place_shows_no_sessions() {
    run(async {
        let others = Others::new(|_| Ok(1));
        let (runtime, _) = start(Dialect::tidb(), &others);
        let by = connect(&runtime, "root", Privileges::ALL).await;
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        assert_eq!(runtime.list(&root).rows().len(), 1);
        runtime.shared.registry.standing.lose();
        assert_eq!(runtime.list(&root).rows().len(), 0);
        assert_eq!(told(&by, "SHOW PROCESSLIST").await.0, 3032);
        // It is lost while a list is asked for elsewhere.
        let (runtime, _) = start(Dialect::tidb(), &others);
        let by = connect(&runtime, "root", Privileges::ALL).await;
        let go = others.hold();
        let sent = by.addr().send(Query(format!("SELECT COUNT(*) FROM {CLUSTER}").into()));
        let listed = tokio::task::spawn_local(async move { sent.await.unwrap()?.collect_rows().await });
        settle().await;
        assert_eq!(others.lists(), 1);
        runtime.shared.registry.standing.lose();
        go.notify_waiters();
        assert_eq!(listed.await.unwrap().unwrap_err().code(), 3032);
    });
}
