//! The wire, with a real client (`mysql_async`) and byte by byte, against the echo-SQL server.

mod blocking;
mod charsets;
mod client;
#[cfg(feature = "compression")]
mod compressed;
#[path = "../../examples/echo/mod.rs"]
mod echo;
mod kills;
mod login;
mod main_job;
mod packets;
mod panics;
mod protocol;
mod raw;
mod server;
mod told;
mod tracking;
mod vanished;
