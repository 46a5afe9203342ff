//! The MySQL client/server protocol, version 4.1 of it, over TCP.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `server` | accepting: `serve`, workers |
//! | `driver` | one connection, from greeting to goodbye |
//! | `login` | the handshake |
//! | `command` | the commands a client sends after it |
//! | `compress` | the compressed protocol: frames around the packets; pure |
//! | `conn` | the socket: packets in, bytes out, and whether the client is still there |
//! | `farewell` | what a client is told whose connection is closed for it; pure |
//! | `frame` | packets in a stream of bytes; pure |
//! | `packet` | the packets that we send; pure |
//! | `rows` | result sets on their way out |
//! | `track` | what changed in the session, as OK packets tell it; pure |
//! | `heads` | the columns of a result set, encoded once |
//! | `auth` | proofs of passwords; pure |

mod auth;
mod command;
#[cfg(feature = "compression")]
mod compress;
#[cfg(not(feature = "compression"))]
#[path = "uncompressed.rs"]
mod compress;
mod conn;
mod driver;
mod farewell;
mod frame;
mod heads;
mod login;
mod pace;
mod packet;
mod rows;
mod server;
mod track;

pub use self::{
    auth::native_verifier,
    server::{Serving, listen, serve},
};
