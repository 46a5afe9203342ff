//! An actor-model session runtime for servers and proxies that speak to MySQL clients.
//!
//! Whoever writes a SQL server (on DataFusion, on SQLite, on an engine of their own) writes a process manager beside
//! it: connection ids, the process list, `KILL`, what becomes of a transaction whose client is gone. Killdeer is that
//! part, and only that part. Every connection is a session actor. A supervisor gives out the ids, keeps the list and
//! carries out kills. The host brings an [`Engine`], which runs the statements.
//!
//! # Embedding
//!
//! An engine opens a session for each client; the session runs statements and pushes rows. The runtime is started
//! within an actix `System`. Sessions can be connected by the host, as here, or by clients over the MySQL protocol:
//! with the feature `mysql`, `wire::serve` takes a runtime and a listener, `wire::Serve` a Unix socket and TLS as well, and
//! `wire::Door` connections that the host has accepted itself.
//!
//! ```
//! use std::sync::Arc;
//!
//! use killdeer::{
//!     Column, ColumnType, Done, Engine, EngineSession, KillMode, KillOutcome, OwnedValue, Principal, Privileges,
//!     Reason, RowSink, Runtime, SqlError, Statement, StatementContext, Target, Value,
//! };
//!
//! /// An engine that says everything back.
//! struct Echo;
//!
//! impl Engine for Echo {
//!     type Session = Echo;
//!
//!     async fn open(&self, _: &Arc<Principal>) -> Result<Echo, SqlError> {
//!         Ok(Echo)
//!     }
//! }
//!
//! impl EngineSession for Echo {
//!     async fn execute(&mut self, _: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
//!         out.columns([Column::new("echo", ColumnType::VarChar)])?;
//!         out.row(&[Value::Bytes(&st.sql)])?;
//!         Ok(Done::default())
//!     }
//! }
//!
//! #[actix_rt::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let runtime = Runtime::builder(Echo).start();
//!     let alice = runtime.connect(Principal::new("alice", Privileges::NONE), "127.0.0.1:50000".parse()?).await?;
//!     let (rows, _) = alice.query("hello").await?.collect_rows().await?;
//!     assert_eq!(rows, [[OwnedValue::Bytes(b"hello".to_vec())]]);
//!
//!     let root = Arc::new(Principal::new("root", Privileges::ALL));
//!     assert_eq!(runtime.list(&root).rows().len(), 1);
//!     let receipt = runtime.kill(&root, Target::Session(alice.id()), KillMode::Connection).await?;
//!     assert_eq!(receipt.ended().await, KillOutcome::Ended(Reason::KillConnection));
//!     assert!(runtime.list(&root).rows().is_empty());
//!     Ok(())
//! }
//! ```
//!
//! `examples/embed.rs` does the same with messages and events; `examples/echo_sql.rs` serves MySQL clients.
//!
//! # Modules
//!
//! `control`, `cluster`, `policy`, `wire` and `compat` are public. Of the others, what a host uses stands at the root of the crate. Lower ones
//! first:
//!
//! | module | what lives there | feature |
//! | --- | --- | --- |
//! | `id` | session ids, the order in which they are given out, the map of those in use: [`SessionId`], [`Layout`], [`Reading`]; the proxy's ids: [`CsId`], [`ProxySessionId`] | |
//! | `model` | the nouns: [`Principal`], [`Statement`], [`Value`], [`SqlError`], [`Reason`], [`Event`], [`Login`] and others | |
//! | [`control`] | the control statements `KILL`, `SHOW PROCESSLIST` and `PREPARE`, `EXECUTE`, `DEALLOCATE`: lexer, parser, redaction of secrets | |
//! | `dialect` | the rules of one system: who may see and kill whom, what its list looks like: [`Dialect`] | |
//! | `state` | what a session shares with everybody: its state in one word, the kill switch, the slot that lists read | |
//! | `engine` | the traits that an engine implements: [`Engine`], [`EngineSession`], [`BlockingEngine`], [`BlockingSession`]; [`RowSink`], [`StatementContext`] | |
//! | `supervisor` | the supervisor actor and its messages: [`Kill`], [`List`], [`Shutdown`]; [`Receipt`], [`Listing`], [`Status`] | |
//! | `cluster` | many servers with one list and one `KILL` | `cluster` |
//! | `policy` | rules that log or kill by themselves | `policies` |
//! | `session` | the session actor and its messages: [`Query`], [`Prepare`], [`UseDatabase`], [`Reset`], [`Cancel`], [`Terminate`]; [`SessionHandle`], [`Results`] | |
//! | `runtime` | [`Builder`] and [`Runtime`] | |
//! | `wire` | the MySQL protocol over TCP and Unix sockets | `mysql`; with TLS `tls`, compressed `compression` |
//! | `threads` | a bounded set of threads for slow work | `mysql`, `system-tables` |
//! | `system` | SELECT over the system tables, by an SQLite of the crate's own | `system-tables` |
//! | `compat` | answers to what ordinary clients ask of their own accord | `compat` |
//!
//! # Design
//!
//! **A session is one future.** Its *work loop* owns the engine's session and the place in the list, and runs one
//! statement after the other. The session's actor polls the loop, and polls it again after each message. If the actor
//! dies before the loop has ended, the loop is handed to the supervisor, which polls it to its end under a deadline.
//! So the end of the loop is the end of the session, wherever it is polled.
//!
//! **Its state is one word.** The number of the last statement, the first reason that reached it, and the first reason
//! for which the session is to end stand in one 64-bit atomic, changed by compare-and-swap alone. A kill carries the
//! number of the statement that it was authorised for; if another one runs by now, the swap does nothing. A second
//! reason does not replace the first. Whether a statement ended well is decided by such a swap, too: a kill comes
//! before it, and the client is told of the kill, or after it, and has nothing to end.
//!
//! **The supervisor is not on the way of a statement.** Its registry admits sessions, and authorises and carries out kills, in
//! plain code behind locks that are held for a few words, on the arbiter that asks: to wake another thread would take longer
//! than all of that. Its actor, on an arbiter of its own, looks for the victims of other kills, keeps the time, ends what is
//! left over, and shuts the whole down. The one that throws a session's switch sends the session a message; others
//! find it thrown and send none.
//!
//! **Lists read slots.** Each session publishes its row in a slot that everybody may read. A list asks no session and
//! waits for none. Secrets in statements are replaced when the slot is read.
//!
//! **The engine's part is a contract.** Under [`Placement::Inline`] each poll is short, or every session of the arbiter
//! waits; the longest one is measured ([`Status::longest_poll`]). What becomes of a killed statement's future is the
//! engine's choice: [`OnKill`]. Panics in the engine are caught, and end the one session.
//!
//! **What a host can see.** Events tell of single things ([`Runtime::subscribe`]), [`Status`] of all together. With the
//! feature `metrics`, `Runtime::publish_figures` hands the same and more to a recorder of the `metrics` crate. Logs, the
//! engine's own among them, are within spans of the level debug: `killdeer::session`, with the id, the peer and the user, and
//! `killdeer::statement`. No span and no label has the text of a statement.
//!
//! The guarantees, each with the test that shows it, stand in `docs/semantics.md` of the repository.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod bench;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "compat")]
pub mod compat;
pub mod control;
mod dialect;
#[cfg(all(test, feature = "cluster", feature = "mysql", feature = "system-tables"))]
mod elsewhere_tests;
mod engine;
#[cfg(all(feature = "mysql", feature = "internals"))]
#[doc(hidden)]
pub mod fuzz;
mod id;
mod lock;
mod model;
#[cfg(feature = "policies")]
pub mod policy;
#[cfg(all(test, feature = "proxy"))]
mod proxied_tests;
#[cfg(feature = "proxy")]
pub mod proxy;
mod runtime;
mod session;
mod state;
mod supervisor;
#[cfg(feature = "system-tables")]
mod system;
#[cfg(any(feature = "mysql", feature = "system-tables"))]
mod threads;
#[cfg(feature = "mysql")]
pub mod wire;

#[cfg(feature = "cluster")]
pub use crate::model::PeerRefusal;
pub use crate::{
    dialect::{Dialect, KillAnswer, KillDenied, Node, Verdict, View},
    engine::{
        Blocking, BlockingEngine, BlockingEngineSession, BlockingSession, Engine, EngineSession, OnKill, Placement,
        RowSink, SettingValues, StatementContext,
    },
    id::{CsId, CsIdLayout, CsIdVersion, Layout, LayoutError, Malformed, ProxySessionId, Reading, SessionId},
    model::{
        Attributes, Behind, CharacterSet, CharacterSets, Checking, ClientSession, Clock, Column, ColumnType, Command,
        Date, DateTime, Done, ErrorKind, Event, KillCause, KillError, KillMode, KillOutcome, KillResult, KillRow,
        KillVictim, Killed, Level, Login, NotTemporal, Origin, Outcome, OwnedValue, Params, Prepared, Principal,
        Privileges, ProcessRow, Progress, Proof, Reason, Refused, Setting, SettingReach, SettingUnit, Settings,
        SqlError, Statement, StatementNo, Target, Tenant, Time, Tracking, UnknownPrivilege, Value, Verifier, Warning,
    },
    runtime::{Builder, Runtime},
    session::{Cancel, Part, Prepare, Query, Reset, Results, RowBatch, Session, SessionHandle, Terminate, UseDatabase},
    supervisor::{Kill, List, Listing, Readiness, Receipt, SessionEvent, Shutdown, Status, Summary, Supervisor},
};
