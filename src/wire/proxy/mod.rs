//! The PROXY protocol, versions 1 and 2: how a proxy that is trusted says whom it forwards. The header is read ahead of
//! everything else, from networks that the host has named and from nowhere else.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `header` | headers in the bytes that have come; pure |
//! | `network` | networks of addresses; pure |

#[cfg(feature = "internals")]
pub(super) mod fuzz;
mod header;
mod network;

use std::{io, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use self::header::{HeaderError, find};
pub use self::network::{Network, NetworkError};
use super::stream::Stream;

/// Room for every header of version 1, and for one of version 2 with the usual additions.
const USUAL: usize = 256;

/// Why it is not known whom a proxy forwards.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// Rubbish, or a client that has no proxy.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It is gone.
    #[error("the connection has ended: {0}")]
    Gone(#[from] io::Error),
}

/// Reads a proxy's header from a connection of which nothing was read yet: the client's address, if the header gives one,
/// and what has come behind it. Call it with a time limit.
pub(super) async fn read(io: &mut Stream) -> Result<(Option<SocketAddr>, Bytes), Unread> {
    let mut come = BytesMut::with_capacity(USUAL);
    loop {
        if io.read_buf(&mut come).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if let Some(header) = find(&come)? {
            let behind = come.split_off(header.length);
            return Ok((header.client, behind.freeze()));
        }
    }
}
