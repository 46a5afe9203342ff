//! Doris's names of statements: query ids, and the trace ids that clients choose.

use killdeer::{Dialect, OwnedValue, Privileges, Runtime, SessionHandle, SessionId};

use crate::lab::{Lab, Running, build, code, connect, paused, peer, rows, settle};

/// Where SHOW PROCESSLIST has the ids.
const ID: usize = 1;
const QUERY_ID: usize = 10;

/// The id of the statement that a session runs or ran last, as somebody reads it who sees the session.
pub async fn query_id(by: &SessionHandle, session: SessionId) -> String {
    let list = rows(by, "SHOW PROCESSLIST").await.unwrap();
    let row = list.iter().find(|row| row[ID] == OwnedValue::UInt(session.get())).expect("it is in the list");
    match &row[QUERY_ID] {
        OwnedValue::Text(id) => id.clone(),
        other => panic!("no query id: {other:?}"),
    }
}

fn start() -> Runtime<Lab> {
    build(Lab::default()).dialect(Dialect::doris()).start()
}

async fn connect_root(runtime: &Runtime<Lab>) -> SessionHandle {
    runtime.connect(killdeer::Principal::new("root", Privileges::ADMIN_PRIV), peer()).await.unwrap()
}

async fn kill(by: &SessionHandle, name: &str) -> u16 {
    code(by, &format!("KILL QUERY '{name}'")).await
}

#[test]
fn a_query_id_ends_the_statement_that_has_it_and_no_other() {
    paused(async {
        let runtime = start();
        let (alice, root) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        assert_eq!(code(&alice, "hello").await, 0);
        let idle = query_id(&root, alice.id()).await;
        assert_eq!(kill(&root, &idle).await, 0, "it was its last statement: known, and over");
        let waiting = Running::begin(&alice, "wait").await;
        let id = query_id(&root, alice.id()).await;
        assert_ne!(id, idle);
        assert_eq!(kill(&root, &idle).await, 1097, "it is no session's last one any more");
        let (first, second) = id.split_once('-').unwrap();
        let not_its: [&str; 6] =
            ["5", "1-1", &format!("{second}-{first}"), &format!("{id}0"), &alice.id().to_string(), "nosuch"];
        for name in not_its {
            assert_eq!(kill(&root, name).await, 1097, "{name}");
        }
        assert_eq!(kill(&root, "").await, 1097);
        settle().await;
        assert!(!waiting.is_over());
        assert_eq!(kill(&root, &id.to_uppercase()).await, 0);
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(kill(&root, &id).await, 0, "idle again");
        assert_eq!(code(&alice, "hello").await, 0);
    });
}

#[test]
fn another_users_query_is_not_ones_own_to_name() {
    paused(async {
        let runtime = start();
        let (alice, bob, root) =
            (connect(&runtime, "alice").await, connect(&runtime, "bob").await, connect_root(&runtime).await);
        assert_eq!(code(&alice, "SET session_context = 'trace_id:batch'").await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        let id = query_id(&root, alice.id()).await;
        for name in [&*id, "batch"] {
            let error = rows(&bob, &format!("KILL QUERY '{name}'")).await.unwrap_err();
            let text = format!("You are not owner of thread {}", alice.id());
            assert_eq!((error.code(), error.message()), (1095, &*text), "{name}");
        }
        settle().await;
        assert!(!waiting.is_over());
        let other = connect(&runtime, "alice").await;
        assert_eq!(kill(&other, "batch").await, 0, "its own user's");
        assert_eq!(waiting.code().await, 1317);
    });
}

#[test]
fn a_trace_id_ends_the_statements_of_all_sessions_that_have_it_and_are_the_killers() {
    paused(async {
        let runtime = start();
        let mut sessions = Vec::new();
        for name in ["alice", "alice", "alice", "bob"] {
            let session = connect(&runtime, name).await;
            assert_eq!(code(&session, "SET session_context = 'user:x; trace_id: batch ;more'").await, 0);
            sessions.push(session);
        }
        let [first, second, idle, bobs] = &sessions[..] else { panic!() };
        let [mut one, mut two, mut theirs] = [
            Running::begin(first, "wait").await,
            Running::begin(second, "wait").await,
            Running::begin(bobs, "wait").await,
        ];
        let alice = connect(&runtime, "alice").await;
        assert_eq!(kill(&alice, "batch").await, 0);
        assert_eq!((one.code().await, two.code().await), (1317, 1317));
        settle().await;
        assert!(!theirs.is_over(), "not hers");
        for session in [first, second, idle] {
            assert_eq!(code(session, "hello").await, 0, "the sessions live, the idle one too");
        }
        one = Running::begin(first, "wait").await;
        two = Running::begin(second, "wait").await;
        assert_eq!(kill(&connect_root(&runtime).await, "batch").await, 0);
        assert_eq!((one.code().await, two.code().await, theirs.code().await), (1317, 1317, 1317), "everybody's");
        theirs = Running::begin(bobs, "wait").await;
        assert_eq!(kill(&alice, "BATCH").await, 1097, "as it was chosen");
        assert!(!theirs.is_over());
    });
}

#[test]
fn a_trace_id_goes_when_its_session_says_so_or_is_reset() {
    paused(async {
        let runtime = start();
        let (alice, root) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        for end in ["SET session_context = ''", "SET session_context = DEFAULT", "SET @@session_context = 'a:b'", ""] {
            assert_eq!(code(&alice, "SET session_context = 'trace_id:batch'").await, 0);
            assert_eq!(kill(&root, "batch").await, 0, "idle");
            match end {
                "" => alice.reset().await.unwrap(),
                sql => assert_eq!(code(&alice, sql).await, 0, "{sql}"),
            }
            let waiting = Running::begin(&alice, "wait").await;
            assert_eq!(kill(&root, "batch").await, 1097, "{end}");
            alice.cancel(alice.running().unwrap());
            assert_eq!(waiting.code().await, 1317);
        }
        let long = format!("SET session_context = 'trace_id:{}'", "x".repeat(257));
        assert_eq!(code(&alice, &long).await, 1231);
        assert_eq!(code(&alice, &long.replacen('x', "", 1)).await, 0);
    });
}

#[test]
fn the_trace_id_stands_in_the_list_where_there_is_a_column_for_it() {
    paused(async {
        let runtime = build(Lab::default()).dialect(Dialect::doris().trace_column(true)).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "SET session_context = 'trace_id:batch'").await, 0);
        let list = rows(&alice, "SHOW PROCESSLIST").await.unwrap();
        assert_eq!((list[0].len(), &list[0][QUERY_ID + 1]), (15, &OwnedValue::Text("batch".into())));
    });
}
