//! `COM_CHANGE_USER`: the same connection, and another user's session.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actix::{Actor, Handler};
use killdeer::{
    Command, Done, Engine, EngineSession, Event, KillMode, Login, Principal, Privileges, Reason, RowSink, Runtime,
    SessionEvent, Setting, Settings, SqlError, Statement, StatementContext, Target,
    wire::{self, native_verifier},
};
use mysql_async::{ChangeUserOpts, Conn, OptsBuilder, prelude::Queryable};
use mysql_common::scramble::scramble_native;

use crate::{
    auth::accounts,
    client::{code, opts},
    raw::{Answer, BASIC, PATIENCE, Raw, error},
    server::Server,
};

const NATIVE: &str = "mysql_native_password";

#[test]
fn the_id_stays_and_all_else_is_the_new_users() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let id = raw.id;
    for sql in ["SET @x = 5", "USE test", "BEGIN"] {
        assert_eq!(raw.query(sql).code(), 0);
    }
    raw.send_change_user("alice", &[], "", NATIVE);
    let Some(Answer::Ok { status, .. }) = raw.answer() else { panic!("not let in") };
    assert_eq!(status & 1, 0, "no transaction");
    // The list is told once the client is.
    server.wait("an idle session", |list| list[0].command == Command::Sleep);
    let row = server.row(id).unwrap();
    assert_eq!((row.user(), row.database.as_deref(), row.time.as_secs()), ("alice", None, 0));
    let Answer::Rows { rows, .. } = raw.query("SELECT CONNECTION_ID(), @x, USER()") else { panic!("no rows") };
    assert_eq!(rows, [[Some(id.to_string()), None, Some("alice@127.0.0.1".into())]]);
    // Whoever it was before has no say in it any more, and the new one has no more than its own rights.
    let mut root = Raw::login(&server);
    let mut bob = Raw::login_as(&server, "bob", BASIC);
    let mut alice = Raw::login_as(&server, "alice", BASIC);
    assert_eq!(raw.query(&format!("KILL {}", root.id)).code(), 1095);
    assert_eq!(bob.query(&format!("KILL {id}")).code(), 1095);
    root.send_change_user("alice", &[], "test", NATIVE);
    assert_eq!(root.answer().unwrap().code(), 0);
    assert_eq!(server.row(root.id).unwrap().database.as_deref(), Some("test"));
    assert_eq!(alice.query(&format!("KILL {id}")).code(), 0);
    assert!(raw.closes_silently());
}

#[test]
fn who_is_refused_is_closed() {
    let server = Server::start_with(accounts(), |builder| builder);
    let wrong: [(&str, &[u8], &str, u16); 4] = [
        ("nobody", &[], "", 1045),
        ("native", &[7; 20], "", 1045),
        ("native", &[], "", 1045),
        ("open", &[], "nosuch", 1049),
    ];
    for (user, proof, database, code) in wrong {
        let mut raw = Raw::login_as(&server, "open", BASIC);
        let plugin = if user == "nobody" { "caching_sha2_password" } else { NATIVE };
        raw.send_change_user(user, proof, database, plugin);
        assert_eq!(raw.answer().unwrap().code(), code, "{user}");
        assert!(raw.closes_silently());
        assert!(server.row(raw.id).is_none_or(|row| row.command != Command::Sleep));
    }
    for cut in [&b""[..], b"open", b"open\0\x05"] {
        let mut raw = Raw::login_as(&server, "open", BASIC);
        raw.command(0x11, cut);
        assert_eq!(raw.answer().unwrap().code(), 1835, "{cut:?}");
        assert!(raw.closes_silently());
    }
    server.wait_empty();
}

#[test]
fn a_proof_may_be_made_of_the_greetings_nonce_or_asked_for() {
    let server = Server::start_with(accounts(), |builder| builder);
    let mut raw = Raw::login_as(&server, "open", BASIC);
    let proof = scramble_native(&raw.nonce, b"secret").unwrap();
    raw.send_change_user("native", &proof, "", NATIVE);
    assert_eq!(raw.answer().unwrap().code(), 0);
    // The other plugin's: it is asked to switch.
    raw.send_change_user("native", &[1; 32], "", "caching_sha2_password");
    let switch = raw.receive().unwrap();
    assert!(switch.starts_with(b"\xfemysql_native_password\0"), "{switch:?}");
    raw.send(&scramble_native(&switch[23..43], b"secret").unwrap());
    assert_eq!(raw.receive().unwrap()[0], 0);
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }), "the numbers of packets go on");
}

#[test]
fn a_kill_in_the_middle_of_it_ends_the_session() {
    let server = Server::start_with(accounts(), |builder| builder);
    let root = Arc::new(Principal::new("root", Privileges::ALL));
    for mode in [KillMode::Connection, KillMode::Query] {
        let mut raw = Raw::login_as(&server, "open", BASIC);
        raw.send_change_user("native", &[1; 32], "", "caching_sha2_password");
        assert_eq!(raw.receive().unwrap()[0], 0xfe);
        let row = server.row(raw.id).unwrap();
        assert_eq!((row.user(), row.command.as_str()), ("open", "Change user"));
        let target = Target::Session(row.id);
        let kill = server.runtime.kill(&root, target, mode);
        assert_eq!(futures::executor::block_on(kill).unwrap().sessions(), 1);
        if mode == KillMode::Query {
            // Its own answer to the switch is on its way, and has the number 2.
            raw.expect_next(3);
            assert_eq!(error(&raw.receive().unwrap()).code(), 1317);
        }
        assert!(raw.closes_silently());
    }
    // And so does the client's own end.
    let mut raw = Raw::login_as(&server, "open", BASIC);
    raw.send_change_user("native", &[1; 32], "", "caching_sha2_password");
    assert_eq!(raw.receive().unwrap()[0], 0xfe);
    drop(raw);
    server.wait_empty();
}

#[test]
fn ten_thousand_changes_keep_id_count_and_list_right() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let users = ["root", "alice", "bob"];
    for turn in 0..10_000 {
        let user = users[turn % users.len()];
        raw.send_change_user(user, &[], if turn % 2 == 0 { "test" } else { "" }, NATIVE);
        assert_eq!(raw.answer().expect("an answer").code(), 0, "turn {turn}");
        if turn % 500 == 0 {
            let list = server.list();
            assert_eq!(list.len(), 1);
            assert_eq!((list[0].id.get(), list[0].user()), (u64::from(raw.id), user));
            assert_eq!(list[0].database.is_some(), turn % 2 == 0);
            let status = server.runtime.status();
            assert_eq!((status.sessions, status.actors), (1, 1));
        }
    }
    let Answer::Rows { rows, .. } = raw.query("SELECT CONNECTION_ID()") else { panic!("no rows") };
    assert_eq!(rows, [[Some(raw.id.to_string())]]);
    drop(raw);
    server.wait_empty();
}

/// Notes whose sessions it opens, rolls back and drops. Everybody may come in, but `asked` needs the password `secret`,
/// `musing` is thought about for ever, `eve` gets no session, and `slow` never gets its.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

struct Noting(Notes, String);

impl Notes {
    fn note(&self, what: &str, who: &str) {
        self.0.lock().unwrap().push(format!("{what} {who}"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.0.note("drop", &self.1);
    }
}

impl Engine for Notes {
    type Session = Noting;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        match &*login.user.clone() {
            "asked" if !login.proves(&native_verifier("secret")).await => return Err(login.denied()),
            "musing" => std::future::pending().await,
            _ => {}
        }
        Ok(Principal::new(login.user.as_str(), Privileges::NONE))
    }

    async fn open(&self, who: &Arc<Principal>) -> Result<Noting, SqlError> {
        if **who.user() == *"eve" {
            return Err(SqlError::new(1203, "42000", "too many"));
        }
        if **who.user() == *"slow" {
            std::future::pending::<()>().await;
        }
        self.note("open", who.user());
        Ok(Noting(self.clone(), who.user().to_string()))
    }
}

impl EngineSession for Noting {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        self.0.note(&st.sql_lossy(), cx.principal().user());
        Ok(Done { in_transaction: true, ..Done::default() })
    }

    async fn rollback(&mut self, _: Reason) {
        self.0.note("rollback", &self.1);
    }
}

/// Serves with [`Notes`] while a client, on a thread of its own, does this.
async fn while_serving<T: Send + 'static>(
    runtime: &Runtime<Notes>,
    client: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> T {
    let serving = wire::serve(runtime, wire::listen("127.0.0.1:0".parse().unwrap()).unwrap(), 1).unwrap();
    let (address, stop) = (serving.address(), serving.stop());
    let server = actix_rt::spawn(serving);
    let result = tokio::task::spawn_blocking(move || client(address)).await;
    runtime.shutdown(Duration::ZERO).await;
    stop.await;
    server.await.unwrap().unwrap();
    result.unwrap()
}

#[actix_rt::test]
async fn the_old_session_is_rolled_back_before_the_new_one_is_opened() {
    let notes = Notes::default();
    let runtime = Runtime::builder(notes.clone()).start();
    let client = while_serving(&runtime, |address| {
        let mut raw = Raw::login_at(address, "alice", BASIC);
        let mut codes = vec![raw.query("begin").code()];
        raw.send_change_user("bob", &[], "", NATIVE);
        codes.push(raw.answer().unwrap().code());
        codes.push(raw.query("begin").code());
        raw.send_change_user("eve", &[], "", NATIVE);
        codes.push(raw.answer().unwrap().code());
        assert!(raw.closes_silently());
        codes
    });
    assert_eq!(client.await, [0, 0, 0, 1203]);
    let expected = [
        "open alice",
        "begin alice",
        "rollback alice",
        "drop alice",
        "open bob",
        "begin bob",
        "rollback bob",
        "drop bob",
    ];
    assert_eq!(notes.take(), expected);
}

/// Kills the statement of the only session once the list shows it as this user's, at this command.
fn kill_query(runtime: &Runtime<Notes>, user: &str) {
    let root = Arc::new(Principal::new("root", Privileges::ALL));
    let id = loop {
        let rows = runtime.list(&root).rows();
        if let Some(row) = rows.iter().find(|row| row.user() == user && row.command.as_str() == "Change user") {
            break row.id;
        }
        std::thread::yield_now();
    };
    let kill = runtime.kill(&root, Target::Session(id), KillMode::Query);
    assert_eq!(futures::executor::block_on(kill).unwrap().sessions(), 1);
}

#[actix_rt::test]
async fn a_kill_of_the_statement_ends_an_open_that_hangs() {
    let runtime = Runtime::builder(Notes::default()).start();
    let killer = runtime.clone();
    while_serving(&runtime, move |address| {
        let mut raw = Raw::login_at(address, "alice", BASIC);
        raw.send_change_user("slow", &[], "", NATIVE);
        kill_query(&killer, "slow");
        assert_eq!(raw.answer().unwrap().code(), 1317);
        assert!(raw.closes_silently());
    })
    .await;
}

#[actix_rt::test]
async fn an_open_that_hangs_has_the_time_of_a_login() {
    for tell in [false, true] {
        let builder = Runtime::builder(Notes::default()).tell_killed(tell);
        let runtime = builder.settings(Settings::new().time(Setting::ConnectTimeout, Duration::from_secs(1))).start();
        while_serving(&runtime, move |address| {
            let mut raw = Raw::login_at(address, "alice", BASIC);
            raw.send_change_user("slow", &[], "", NATIVE);
            if tell {
                assert_eq!(raw.answer().unwrap().code(), 1159);
            }
            assert!(raw.closes_silently());
        })
        .await;
    }
}

#[actix_rt::test]
async fn an_interrupted_proof_is_told_with_the_number_that_the_client_expects() {
    let builder = Runtime::builder(Notes::default()).tell_killed(true);
    let runtime = builder.settings(Settings::new().time(Setting::ConnectTimeout, Duration::from_secs(1))).start();
    let killer = runtime.clone();
    while_serving(&runtime, move |address| {
        // The client has nothing to say: the error is the answer to its command.
        let mut raw = Raw::login_at(address, "alice", BASIC);
        raw.send_change_user("musing", &[], "", NATIVE);
        kill_query(&killer, "alice");
        assert_eq!(raw.answer().unwrap().code(), 1317);
        assert!(raw.closes_silently());
        let mut raw = Raw::login_at(address, "alice", BASIC);
        raw.send_change_user("musing", &[], "", NATIVE);
        assert_eq!(raw.answer().unwrap().code(), 1159);
        assert!(raw.closes_silently());
        // It was asked, and the error is the answer to what it is about to send.
        let mut raw = Raw::login_at(address, "alice", BASIC);
        raw.send_change_user("asked", &[1; 32], "", "caching_sha2_password");
        assert_eq!(raw.receive().unwrap()[0], 0xfe);
        raw.expect_next(3);
        assert_eq!(raw.answer().unwrap().code(), 1159);
        assert!(raw.closes_silently());
    })
    .await;
}

/// Hands on what it is told of statements.
struct Subscriber(mpsc::Sender<String>);

impl Actor for Subscriber {
    type Context = actix::Context<Self>;
}

impl Handler<SessionEvent> for Subscriber {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        let _ = self.0.send(match &told.event {
            Event::StatementBegan { .. } => "began".to_owned(),
            Event::StatementEnded { killed, .. } => format!("ended {killed:?}"),
            Event::Disconnected { reason, .. } => format!("left: {reason}"),
            _ => return,
        });
    }
}

#[actix_rt::test]
async fn one_that_comes_to_nothing_is_told_as_ended() {
    for vanishes in [true, false] {
        let runtime = Runtime::builder(Notes::default()).start();
        let (sender, told) = mpsc::channel();
        runtime.subscribe(Subscriber(sender).start().recipient(), 100);
        let told = while_serving(&runtime, move |address| {
            let mut raw = Raw::login_at(address, "alice", BASIC);
            raw.send_change_user("asked", &[1; 32], "", "caching_sha2_password");
            assert_eq!(raw.receive().unwrap()[0], 0xfe);
            if !vanishes {
                raw.send_numbered(9, &[0; 20]);
                raw.expect_next(3);
                assert_eq!(raw.answer().unwrap().code(), 1156);
            }
            drop(raw);
            (0..3).map(|_| told.recv_timeout(PATIENCE).unwrap()).collect::<Vec<_>>()
        });
        let ends = if vanishes {
            ["ended Some(ClientGone)", "left: client gone"]
        } else {
            ["ended Some(Protocol)", "left: refused"]
        };
        assert_eq!(told.await, [&["began"][..], &ends].concat());
    }
}

#[tokio::test]
async fn an_ordinary_client_changes_its_user_and_says_what_it_is() {
    let server = Server::start_with(accounts(), |builder| builder);
    let named = OptsBuilder::from_opts(opts(&server, "open")).connect_attribute("program_name", "sparrow");
    let mut conn = Conn::new(named).await.unwrap();
    let id = conn.id();
    let program = |server: &Server| server.row(id).unwrap().attributes.and_then(|said| said.get("program_name"));
    assert_eq!(program(&server).as_deref(), Some("sparrow"));
    for user in ["sha2", "native", "sha2", "open"] {
        let password = (user != "open").then(|| "secret".to_owned());
        let change = ChangeUserOpts::new().with_user(Some(user.into())).with_pass(password);
        conn.change_user(change).await.unwrap();
        let own: (u32, String) = conn.query_first("SELECT CONNECTION_ID(), USER()").await.unwrap().unwrap();
        assert_eq!(own, (id, format!("{user}@127.0.0.1")));
        assert_eq!(program(&server).as_deref(), Some("sparrow"), "said anew");
    }
    let wrong = ChangeUserOpts::new().with_user(Some("sha2".into())).with_pass(Some("wrong".into()));
    assert_eq!(code(conn.change_user(wrong).await), 1045);
    drop(conn);
    let wrong = OptsBuilder::from_opts(opts(&server, "sha2")).pass(Some("wrong"));
    assert_eq!(code(Conn::new(wrong).await), 1045);
}
