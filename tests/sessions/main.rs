//! Sessions by their messages: the promises of the design, each with a test that fails without it. Time is paused, one
//! arbiter does everything, and nothing is slept for.

mod arbiters;
mod audit;
mod blocking;
mod clients;
mod commands;
mod diagnostics;
mod doris;
mod endurance;
mod events;
#[cfg(feature = "metrics")]
mod figures;
mod hidden;
mod kills;
mod lab;
mod listing;
mod own_kills;
mod panics;
mod places;
mod policies;
mod privileges;
mod registry;
mod security;
mod settings;
mod shutdown;
mod streaming;
mod tables;
mod tidb;
mod timeouts;
mod traces;
mod transactions;
