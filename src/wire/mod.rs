//! The MySQL client/server protocol, version 4.1 of it, over TCP and Unix sockets, with TLS or without.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `server` | accepting: `serve`, workers |
//! | `driver` | one connection, from greeting to goodbye |
//! | `login` | the handshake |
//! | `change_user` | the handshake again, of a client that wants to be somebody else |
//! | `command` | the commands a client sends after it |
//! | `stream` | what a connection runs over: TCP or a Unix socket, with TLS or without |
//! | `conn` | packets in, bytes out, and whether the client is still there |
//! | `frame` | packets in a stream of bytes; pure |
//! | `packet` | the packets that we send; pure |
//! | `rows` | result sets on their way out |
//! | `heads` | the columns of a result set, encoded once |
//! | `hello` | what a client says of itself in its packets; pure |
//! | `auth` | proofs of passwords |
//! | `gate` | what logins need of the server: proofs, TLS |
//! | `tls` | rules for TLS from PEM files |

mod auth;
mod change_user;
mod command;
mod conn;
mod driver;
mod frame;
mod gate;
mod heads;
mod hello;
mod login;
mod pace;
mod packet;
mod rows;
mod server;
mod stream;
#[cfg(feature = "tls")]
mod tls;

#[cfg(unix)]
pub use self::server::listen_unix;
#[cfg(feature = "tls")]
pub use self::tls::{TlsError, tls_from_pem};
pub use self::{
    auth::{AuthPlugin, caching_sha2_verifier, native_verifier},
    server::{Serve, Serving, listen, serve},
};
/// The TLS library whose `ServerConfig` [`Serve::tls`] takes.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
