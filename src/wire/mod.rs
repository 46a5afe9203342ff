//! The MySQL client/server protocol, version 4.1 of it, over TCP.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `server` | accepting: `serve`, workers |
//! | `driver` | one connection, from greeting to goodbye |
//! | `login` | the handshake |
//! | `command` | the commands a client sends after it |
//! | `stream` | what a connection runs over: TCP or a Unix socket, with TLS or without |
//! | `conn` | packets in, bytes out, and whether the client is still there |
//! | `farewell` | what a client is told whose connection is closed for it; pure |
//! | `frame` | packets in a stream of bytes; pure |
//! | `packet` | the packets that we send; pure |
//! | `rows`, `binary` | result sets on their way out |
//! | `track` | what changed in the session, as OK packets tell it; pure |
//! | `prepared`, `params` | prepared statements, and what they are executed with |
//! | `pace` | when a worker gives way before it sleeps |
//! | `golden` | packets as MariaDB sends them, to test ours by |
//! | `heads` | the columns of a result set, encoded once |
//! | `auth` | proofs of passwords; pure |

mod auth;
mod binary;
mod command;
mod conn;
mod driver;
mod farewell;
mod frame;
#[cfg(all(test, feature = "compat"))]
mod golden;
mod heads;
mod login;
mod pace;
mod packet;
mod params;
mod prepared;
mod rows;
mod server;
mod stream;
mod track;

pub use self::{
    auth::native_verifier,
    server::{Serving, listen, serve},
};
