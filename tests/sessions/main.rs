//! Sessions by their messages: the promises of the design, each with a test that fails without it. Time is paused, one
//! arbiter does everything, and nothing is slept for.

mod blocking;
mod commands;
mod diagnostics;
mod doris;
mod events;
mod hidden;
mod kills;
mod lab;
mod listing;
mod own_kills;
mod panics;
mod places;
mod privileges;
mod registry;
mod settings;
mod shutdown;
mod streaming;
mod tables;
mod tidb;
mod timeouts;
mod transactions;
