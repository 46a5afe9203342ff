//! What subscribers are told, and that they never hold anybody up.

use actix::{Actor, Context, Handler, Message};
use killdeer::{Event, KillMode, SessionEvent, Target};

use crate::lab::{Running, code, connect, lab, paused, root, settle};

/// Keeps what it is told; while `busy`, the events themselves, and with them their places.
#[derive(Default)]
struct Subscriber {
    busy: bool,
    held: Vec<SessionEvent>,
    told: Vec<String>,
}

impl Actor for Subscriber {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Subscriber {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        self.told.push(match &told.event {
            Event::Connected { .. } => "connected".into(),
            Event::Authenticated { principal } => format!("is {}", principal.user()),
            Event::StatementBegan { sql, .. } => format!("began {sql}"),
            Event::StatementEnded { result: Ok(rows), .. } => format!("ended {rows}"),
            Event::StatementEnded { result: Err(error), killed, .. } => format!("ended {} {killed:?}", error.code()),
            Event::KillAsked { by, outcome, .. } => format!("kill by {} {outcome:?}", by.user()),
            Event::KillEnded { kill, reason, .. } => format!("kill {kill} is over: {reason}"),
            Event::Disconnected { reason, .. } => format!("left: {reason}"),
            Event::Lagged(lost) => format!("lagged {lost}"),
            other => format!("{other:?}"),
        });
        if self.busy {
            self.held.push(told);
        }
    }
}

#[derive(Message)]
#[rtype(result = "Vec<String>")]
struct Told;

impl Handler<Told> for Subscriber {
    type Result = Vec<String>;

    fn handle(&mut self, _: Told, _: &mut Self::Context) -> Vec<String> {
        self.held.clear();
        std::mem::take(&mut self.told)
    }
}

#[test]
fn a_session_is_told_from_its_first_moment_to_its_last() {
    paused(async {
        let (runtime, _) = lab();
        let subscriber = Subscriber::default().start();
        runtime.subscribe(subscriber.clone().recipient(), 100);
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "SET PASSWORD = 'swordfish'").await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        receipt.ended().await;
        waiting.code().await;
        drop(alice);
        settle().await;
        let told = subscriber.send(Told).await.unwrap();
        assert_eq!(told[..2], ["connected", "is alice"]);
        assert!(told[2].starts_with("began SET PASSWORD = ") && !told[2].contains("swordfish"), "{}", told[2]);
        let rest = [
            "ended 0",
            "began wait",
            "kill by root Ok(1)",
            "ended 1317 Some(KillQuery)",
            "kill 1 is over: kill query",
            "left: quit",
        ];
        assert_eq!(told[3..], rest);
    });
}

#[test]
fn a_slow_subscriber_loses_events_and_is_told_how_many() {
    paused(async {
        let (runtime, _) = lab();
        let slow = Subscriber { busy: true, ..Subscriber::default() }.start();
        let quick = Subscriber::default().start();
        runtime.subscribe(slow.clone().recipient(), 10);
        runtime.subscribe(quick.clone().recipient(), 1000);
        let alice = connect(&runtime, "alice").await;
        for _ in 0..50 {
            assert_eq!(code(&alice, "hello").await, 0);
        }
        settle().await;
        assert_eq!(quick.send(Told).await.unwrap().len(), 102);
        // 102 were made, ten were held.
        assert_eq!(slow.send(Told).await.unwrap().len(), 10);
        assert_eq!(code(&alice, "again").await, 0);
        settle().await;
        assert_eq!(slow.send(Told).await.unwrap(), ["lagged 92", "began again", "ended 0"]);
    });
}

#[test]
fn a_subscriber_that_is_gone_is_forgotten() {
    paused(async {
        let (runtime, _) = lab();
        let subscriber = Subscriber::default().start();
        runtime.subscribe(subscriber.clone().recipient(), 10);
        drop(subscriber);
        settle().await;
        assert_eq!(code(&connect(&runtime, "alice").await, "hello").await, 0);
    });
}
