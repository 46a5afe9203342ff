//! The MySQL client/server protocol, version 4.1 of it, over TCP and Unix sockets, with TLS or
//! without.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `server` | accepting: `serve`, workers |
//! | `door` | letting in a connection, whoever has accepted it |
//! | `life` | one connection, from greeting to goodbye |
//! | `lead_in` | the beginning of it: whom a proxy forwards, a place in the list, the login; one deadline for all |
//! | `proxy` | the PROXY protocol: who a client is that a proxy forwards |
//! | `keepalive` | when a silent client is given up |
//! | `driver` | a client that is in: its commands, one after the other |
//! | `login` | the handshake |
//! | `command` | the commands a client sends after it |
//! | `codec` | how a connection compresses: zlib and zstd |
//! | `compress` | the compressed protocol: frames around the packets; pure |
//! | `stream` | what a connection runs over: TCP or a Unix socket, with TLS or without |
//! | `conn` | packets in, bytes out, and whether the client is still there |
//! | `farewell` | what a client is told whose connection is closed for it; pure |
//! | `frame` | packets in a stream of bytes, and long rows in parts; pure |
//! | `fuzz` | what is tried with bytes of any kind |
//! | `packet` | the packets that we send; pure |
//! | `rows`, `binary` | result sets on their way out |
//! | `track` | what changed in the session, as OK packets tell it; pure |
//! | `prepared`, `params` | prepared statements, and what they are executed with |
//! | `pace` | when a worker gives way before it sleeps |
//! | `golden` | packets as MariaDB sends them, to test ours by |
//! | `heads` | the columns of a result set, encoded once |
//! | `hello` | what a client says of itself in its packets; pure |
//! | `reader` | the fields of a packet that we read; pure |
//! | `scratch` | what a thread reads into |
//! | `auth` | proofs of passwords |
//! | `gate` | what logins need of the server, and the terms that a host sets: proofs, TLS |
//! | `test_packets` | what the other side makes and reads, for the tests of the proxy |
//! | `tls` | rules for TLS from PEM files |

mod auth;
#[cfg(feature = "internals")]
pub(crate) mod bench;
mod binary;
#[cfg(feature = "compression")]
mod codec;
mod command;
#[cfg(feature = "compression")]
mod compress;
#[cfg(not(feature = "compression"))]
#[path = "uncompressed.rs"]
mod compress;
mod conn;
mod door;
mod driver;
mod farewell;
mod frame;
#[cfg(feature = "internals")]
pub(crate) mod fuzz;
mod gate;
#[cfg(all(test, feature = "compat"))]
mod golden;
mod heads;
mod hello;
mod keepalive;
mod lead_in;
mod life;
mod login;
mod pace;
mod packet;
mod params;
mod prepared;
mod proxy;
mod reader;
mod rows;
pub(crate) mod scratch;
mod server;
mod stream;
#[cfg(all(test, feature = "proxy"))]
pub(crate) mod test_packets;
#[cfg(feature = "tls")]
mod tls;
mod track;

#[cfg(unix)]
pub use self::server::listen_unix;
#[cfg(feature = "tls")]
pub use self::tls::{TlsError, tls_from_pem};
pub use self::{
    auth::{AuthPlugin, caching_sha2_verifier, native_verifier},
    door::Door,
    gate::Terms,
    keepalive::Keepalive,
    proxy::{Network, NetworkError},
    server::{Serve, Serving, listen, serve},
};
/// What the proxy speaks to servers with.
#[cfg(feature = "proxy")]
pub(crate) use self::{
    binary::{put_date, put_time},
    frame::{FrameError, HEADER, Inbound, LongRow, MAX_CHUNK, RowPart},
    packet::{lenenc_bytes, packet, text_value},
    reader::Reader,
    stream::Socket,
};
/// The TLS library whose `ServerConfig` [`Serve::tls`] and [`Terms::tls`] take.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
