//! The SQLite example over real sockets, with a real client (`mysql_async`).

mod errors;
mod kills;
mod locks;
mod server;
#[path = "../../examples/sqlite/mod.rs"]
#[allow(dead_code)] // the example itself reads users' files too
mod sqlite;
mod statements;
mod transactions;
mod values;
