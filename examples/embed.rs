//! Sessions without a socket, inside an actix `System` of the host's own.
//!
//! The host has an actor; it connects sessions, runs statements, lists, cancels and kills, and is told what happens.
//! When the runtime is stopped, the host goes on.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use killdeer::{
    Cancel, Column, ColumnType, Done, Engine, EngineSession, Kill, KillMode, List, Principal, Privileges, Query,
    Reason, RowSink, Runtime, SessionEvent, SessionHandle, SqlError, Statement, StatementContext, StatementNo, Target,
    Terminate, Value,
};

/// An engine that says everything back; `wait` takes its time.
struct Echo;

impl Engine for Echo {
    type Session = Echo;

    async fn open(&self, _: &Arc<Principal>) -> Result<Echo, SqlError> {
        Ok(Echo)
    }
}

impl EngineSession for Echo {
    async fn execute(&mut self, _: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        if st.sql_lossy() == "wait" {
            actix_rt::time::sleep(Duration::from_secs(60)).await;
        }
        out.columns([Column::new("echo", ColumnType::VarChar)])?;
        out.row(&[Value::Bytes(&st.sql)])?;
        Ok(Done::default())
    }
}

/// The host's own actor: it watches.
struct Watch;

impl Actor for Watch {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Watch {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        println!("  event: session {:?} {:?}", told.session.map(|id| id.get()), told.event);
    }
}

/// Waits until a statement runs.
async fn running(session: &SessionHandle) -> StatementNo {
    loop {
        match session.running() {
            Some(statement) => return statement,
            None => actix_rt::task::yield_now().await,
        }
    }
}

#[actix_rt::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::builder(Echo).start();
    runtime.subscribe(Watch.start().recipient(), 1024);
    let peer = "127.0.0.1:50000".parse()?;
    let alice = runtime.connect(Principal::new("alice", Privileges::NONE), peer).await?;
    let (rows, _) = alice.query("hello").await?.collect_rows().await?;
    println!("alice's session {} answered {rows:?}", alice.id());

    // A statement runs; another task looks at the list, and ends it.
    let waiting = actix_rt::spawn(alice.addr().send(Query(Statement::from("wait"))));
    running(&alice).await;
    let by = Arc::new(Principal::new("root", Privileges::ALL));
    let supervisor = runtime.supervisor();
    for row in supervisor.send(List { by: Arc::clone(&by) }).await?.rows() {
        println!("listed: {} {} {} {:?}", row.id, row.user(), row.command.as_str(), row.info);
    }
    let kill = Kill { by, from: None, target: Target::Session(alice.id()), mode: KillMode::Query };
    let receipt = supervisor.send(kill).await??;
    println!("the kill's receipt: {:?}", receipt.ended().await);
    println!("the killed statement: {:?}", waiting.await??.err());

    // Messages to the session itself do the same, for the host needs nobody's leave.
    let waiting = actix_rt::spawn(alice.addr().send(Query(Statement::from("wait"))));
    let statement = running(&alice).await;
    alice.addr().send(Cancel { statement, reason: Reason::KillQuery }).await?;
    println!("the cancelled statement: {:?}", waiting.await??.err());
    alice.addr().send(Terminate { reason: Reason::KillConnection }).await?;
    println!("alice's session ended: {}", alice.ended().await);

    println!("{:?}", runtime.shutdown(Duration::from_secs(1)).await);
    println!("the System is still up: {}", actix_rt::System::current().id());
    Ok(())
}
