//! Kills whose side connections fail, or come late.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};

use super::stage::{account, begin, code, connected, goes_on, played};
use crate::{
    SessionHandle, SqlError,
    model::ServerAddress,
    proxy::{
        backend::{
            command::QUIT,
            tests::player::{ALL, Played, question},
        },
        server::Server,
        side::{Aim, Said, SideKill},
    },
    wire::test_packets as packets,
};

/// For ever, in a test.
const TIME: Duration = Duration::from_secs(20);

const LONG: &str = "SELECT LONG";

/// A statement that runs at the played server.
async fn running(alice: &SessionHandle, listener: &TcpListener) -> (Played, JoinHandle<u16>) {
    let running = begin(alice, LONG);
    let mut main = Played::accept(listener).await;
    main.welcome(ALL).await;
    main.until(LONG).await;
    (main, running)
}

/// One that was killed.
async fn killed(alice: &SessionHandle, listener: &TcpListener) -> (Played, JoinHandle<u16>) {
    let (main, running) = running(alice, listener).await;
    alice.cancel(alice.running().unwrap());
    (main, running)
}

/// One that was killed, and the side connection, before anything is said there.
async fn beside(alice: &SessionHandle, listener: &TcpListener) -> (Played, JoinHandle<u16>, Played) {
    let (main, running) = killed(alice, listener).await;
    let mut side = Played::accept(listener).await;
    side.welcome(ALL).await;
    (main, running, side)
}

/// The kill comes, and ends what runs; the session goes on.
async fn hits(mut side: Played, mut main: Played, running: JoinHandle<u16>, alice: &SessionHandle) {
    assert_eq!(side.receive().await, b"\x03KILL QUERY 77");
    main.send(1, &[&packets::error(&SqlError::interrupted())]).await;
    side.ok(1).await;
    assert_eq!(main.receive().await, b"\x03DO 0");
    main.ok(1).await;
    assert_eq!(running.await.unwrap(), 1317);
    goes_on(alice, &mut main).await;
}

#[test]
fn a_kill_that_may_still_be_on_its_way_hits_no_later_statement() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (mut main, running, mut side) = beside(&alice, &listener).await;
        side.does("Query").await;
        assert_eq!(side.receive().await, b"\x03KILL QUERY 77");
        // Its answer is lost, and the statement ends by itself.
        drop(side);
        main.ok(1).await;
        assert_eq!(main.next().await, None, "nothing more is said there");
        assert_ne!(running.await.unwrap(), 0);
        let next = async {
            let mut other = Played::accept(&listener).await;
            other.welcome(ALL).await;
            other.until("INSERT next").await;
            other.ok(1).await;
        };
        let (code, ()) = tokio::join!(code(&alice, "INSERT next"), next);
        assert_eq!(code, 0);
    });
}

#[test]
fn a_kill_that_was_not_sent_before_the_statement_ended_is_none() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (mut main, running) = killed(&alice, &listener).await;
        // It says nothing yet.
        let mut side = Played::accept(&listener).await;
        main.ok(1).await;
        running.await.unwrap();
        side.welcome(ALL).await;
        assert_eq!(side.receive().await, [QUIT], "a whole login, and no kill");
        goes_on(&alice, &mut main).await;
    });
}

#[test]
fn a_kill_waits_for_its_statement_to_be_begun() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (main, running, mut side) = beside(&alice, &listener).await;
        // What runs there has not been read yet.
        side.does("Sleep").await;
        side.does("Sleep").await;
        side.does("Query").await;
        hits(side, main, running, &alice).await;
    });
}

#[test]
fn a_kill_of_a_statement_that_ends_while_it_waits_is_none() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (mut main, running, mut side) = beside(&alice, &listener).await;
        side.does("Sleep").await;
        main.ok(1).await;
        assert_eq!(running.await.unwrap(), 1317, "it was killed, if not there");
        // It may have asked again before.
        loop {
            match side.receive().await {
                goodbye if goodbye == [QUIT] => break,
                asked => assert_eq!(asked, question()),
            }
            side.says(&["Sleep"]).await;
        }
        goes_on(&alice, &mut main).await;
    });
}

#[test]
fn a_server_that_does_not_say_what_its_sessions_do_is_told_to_kill() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (main, running, mut side) = beside(&alice, &listener).await;
        side.receive().await;
        side.send(1, &[b"\xff\x7a\x04#42S02Table 'information_schema.processlist' doesn't exist"]).await;
        hits(side, main, running, &alice).await;
    });
}

#[test]
fn a_login_that_was_begun_goes_on_to_its_end_though_its_statement_is_killed() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let running = begin(&alice, LONG);
        let mut main = Played::accept(&listener).await;
        alice.cancel(alice.running().unwrap());
        assert_eq!(running.await.unwrap(), 1317, "at once: the server says nothing yet");
        main.welcome(ALL).await;
        assert_eq!(main.receive().await, [QUIT]);
        let next = async {
            let mut other = Played::accept(&listener).await;
            other.welcome(ALL).await;
            other
        };
        let asked = begin(&alice, "INSERT x");
        let mut other = next.await;
        other.until("INSERT x").await;
        other.ok(1).await;
        assert_eq!(asked.await.unwrap(), 0);
        goes_on(&alice, &mut other).await;
    });
}

#[test]
fn a_server_that_has_no_place_for_a_kill_is_asked_again() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (main, running) = killed(&alice, &listener).await;
        Played::accept(&listener).await.send(0, &[b"\xff\x10\x04Too many connections"]).await;
        let mut side = Played::accept(&listener).await;
        side.greet(ALL, "mysql_native_password").await;
        let refused = SqlError::new(1203, "42000", "User app already has more than 'max_user_connections'");
        side.send(2, &[&packets::error(&refused)]).await;
        let mut side = Played::accept(&listener).await;
        side.welcome(ALL).await;
        side.up_for("1000").await;
        side.does("Query").await;
        hits(side, main, running, &alice).await;
    });
}

#[test]
fn what_could_not_be_killed_in_time_is_killed_when_its_place_is_free() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (mut main, running) = killed(&alice, &listener).await;
        let full = b"\xff\x10\x04Too many connections";
        let refuse = async {
            loop {
                Played::accept(&listener).await.send(0, &[full]).await;
            }
        };
        tokio::select! {
            closed = main.next() => assert_eq!(closed, None),
            () = refuse => {}
        }
        assert_eq!(running.await.unwrap(), 1317);
        let mut side = Played::accept(&listener).await;
        side.welcome(ALL).await;
        side.up_for("1000").await;
        assert_eq!(side.receive().await, b"\x03KILL 77");
    });
}

#[test]
fn a_server_that_was_started_anew_is_told_no_number_of_before() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let (mut main, running) = killed(&alice, &listener).await;
        // It is away, and its numbers are those of others when it is back.
        Played::accept(&listener).await.send(0, &[b"\xff\x1d\x04Server shutdown in progress"]).await;
        let mut side = Played::accept(&listener).await;
        side.welcome(ALL).await;
        side.up_for("1").await;
        assert_eq!(side.receive().await, [QUIT]);
        main.send(1, &[&packets::error(&SqlError::interrupted())]).await;
        assert_eq!(running.await.unwrap(), 1317);
    });
}

#[test]
fn a_kill_goes_to_the_address_that_the_connection_has_reached() {
    played(async |_, listener| {
        let (backend, _main) = connected(&listener).await;
        // Its name stands for another server meanwhile.
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = ServerAddress::Tcp("127.0.0.1".to_owned(), other.local_addr().unwrap().port());
        let held = Server::start(0, Arc::new(name), backend);
        let account = Arc::new(account());
        let kill = SideKill::new(&held.server, &account, Aim::Session, TIME);
        let heard = async {
            let mut side = Played::accept(&listener).await;
            side.welcome(ALL).await;
            side.up_for("1000").await;
            assert_eq!(side.receive().await, b"\x03KILL 77");
            side.ok(1).await;
        };
        assert_eq!(tokio::join!(kill, heard), (Said::Answered, ()));
    });
}
