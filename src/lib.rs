//! Killdeer.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "compat")]
pub mod compat;
pub mod control;
pub mod dialect;
mod engine;
pub mod id;
pub mod model;
mod runtime;
mod session;
mod supervisor;
#[cfg(feature = "mysql")]
pub mod wire;

pub use crate::{
    dialect::Dialect,
    engine::*,
    id::{Layout, SessionId},
    model::*,
    runtime::{Builder, Runtime},
    session::{
        Cancel, Part, Prepare, Query, Reset, Results, RowBatch, Session, SessionHandle, Signal, Terminate, UseDatabase,
    },
    supervisor::{
        Connect, Kill, List, Listing, Receipt, Registration, SessionEvent, Shutdown, Status, Summary, Supervisor,
    },
};
