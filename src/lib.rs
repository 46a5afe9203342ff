//! Killdeer.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "compat")]
pub mod compat;
pub mod control;
mod dialect;
mod engine;
mod id;
mod model;
mod runtime;
mod session;
mod supervisor;
#[cfg(feature = "mysql")]
pub mod wire;

pub use crate::{
    dialect::Dialect,
    engine::{
        Blocking, BlockingEngine, BlockingEngineSession, BlockingSession, Engine, EngineSession, OnKill, Placement,
        RowSink, StatementContext,
    },
    id::{Layout, SessionId},
    model::{
        Column, ColumnType, Command, Done, ErrorKind, Event, KillError, KillMode, KillOutcome, Killed, Login,
        OwnedValue, Params, Prepared, Principal, Privileges, ProcessRow, Proof, Reason, Refused, SqlError, Statement,
        StatementNo, Target, UnknownPrivilege, Value, Verifier,
    },
    runtime::{Builder, Runtime},
    session::{Cancel, Part, Prepare, Query, Reset, Results, RowBatch, Session, SessionHandle, Terminate, UseDatabase},
    supervisor::{Kill, List, Listing, Receipt, SessionEvent, Shutdown, Status, Summary, Supervisor},
};
