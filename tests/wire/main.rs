//! The wire, with a real client (`mysql_async`) and byte by byte, against the echo-SQL server.

mod auth;
mod blocking;
mod bounds;
mod change_user;
mod charsets;
mod client;
mod clients;
#[cfg(feature = "compression")]
mod compressed;
mod door;
#[allow(dead_code)] // it is echo_sql's, which has more users than these
#[path = "../../examples/echo/mod.rs"]
mod echo;
mod escalation;
#[cfg(feature = "metrics")]
mod figures;
mod kills;
mod lent;
mod login;
mod main_job;
#[cfg(feature = "metrics")]
#[path = "../../examples/echo/metrics.rs"]
mod metrics_endpoint;
mod odp;
mod own_kills;
mod packets;
mod panics;
mod places;
mod pools;
mod prepared;
mod privileges;
mod protocol;
mod proxied;
mod raw;
mod security;
mod server;
mod settings;
mod shutdown;
mod strangers;
mod tables;
mod timeouts;
mod tls;
mod told;
mod tracking;
#[cfg(unix)]
mod unix;
mod vanished;
