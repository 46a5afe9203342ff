//! Sessions by their messages: the promises of the design, each with a test that fails without it. Time is paused, one
//! arbiter does everything, and nothing is slept for.

mod blocking;
mod commands;
mod events;
mod kills;
mod lab;
mod listing;
mod panics;
mod registry;
mod shutdown;
mod streaming;
mod transactions;
