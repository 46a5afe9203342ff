//! The handshake: greeting, the client's answer, the proof of its password, and the session that it gets.

use std::{future::poll_fn, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use bytes::BytesMut;
use futures::FutureExt;
use mysql_common::{constants::CapabilityFlags, io::ParseBuf, packets::HandshakeResponse, proto::MyDeserialize};

use super::{
    auth::{self, NativeProof},
    conn::{Broken, Conn, Transport},
    frame::{FrameError, Packet},
    packet::{self, Peer},
    rows::WireRows,
};
use crate::{
    engine::{Engine, RowSink},
    model::{Command, ErrorKind, Login, Reason, Refused, SqlError},
    runtime::Shared,
    session::Core,
    supervisor::{Authenticated, Registration},
};

/// The longest packet that is read from somebody who has not logged in: names, a proof, connection attributes (which
/// MySQL bounds at 64 KiB).
const LOGIN_LIMIT: usize = 128 * 1024;

/// What we can do.
const OURS: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_FOUND_ROWS)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_IGNORE_SPACE)
    .union(CapabilityFlags::CLIENT_PROTOCOL_41)
    .union(CapabilityFlags::CLIENT_INTERACTIVE)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// A client that is in.
pub(super) struct Welcome<E: Engine> {
    pub(super) core: Core<E>,
    pub(super) peer: Peer,
}

/// A client that is not.
pub(super) enum Unwelcome {
    /// It went away, or the session was ended.
    Gone,
    /// It was told why.
    Told,
}

impl From<Broken> for Unwelcome {
    fn from(_: Broken) -> Self {
        Unwelcome::Gone
    }
}

/// Leads a client in. Its registration goes with the answer: into the session, or dropped.
pub(super) async fn login<E: Engine, T: Transport>(
    shared: &Arc<Shared<E>>,
    registration: Registration,
    conn: &mut Conn<T>,
    from: SocketAddr,
) -> Result<Welcome<E>, Unwelcome> {
    let mut talk = Talk { conn, sequence: 0, peer: Peer(CapabilityFlags::empty()) };
    let nonce = auth::nonce();
    // The protocol has 32 bits for the id.
    let id = u32::try_from(registration.id().get() & u64::from(u32::MAX)).unwrap_or_default();
    talk.send(|out, sequence, _| {
        packet::greeting(out, sequence, &shared.server_version, id, &nonce, OURS, auth::NATIVE);
    })
    .await?;
    let answer = talk.receive().await?;
    let hello = match read_hello(&answer.payload) {
        Some(hello) => hello,
        None => return talk.refuse(&SqlError::of(ErrorKind::BadHandshake, "Bad handshake")).await,
    };
    talk.peer = Peer(hello.capabilities);
    let response = if hello.native {
        hello.response
    } else {
        talk.send(|out, sequence, _| packet::auth_switch(out, sequence, auth::NATIVE, &nonce)).await?;
        talk.receive().await?.payload.to_vec()
    };
    let login = Login {
        user: hello.user,
        peer: from,
        database: hello.database,
        proof: Box::new(NativeProof { nonce, response }),
    };
    let asked = AssertUnwindSafe(shared.engine.authenticate(&login)).catch_unwind().await;
    let principal = match asked.unwrap_or_else(|_| Err(SqlError::panicked())) {
        Ok(principal) => Arc::new(principal),
        Err(error) => {
            tracing::info!(session = %registration.id(), user = %login.user.escape_debug(), %from, %error, "login refused");
            return talk.refuse(&error).await;
        }
    };
    let known = Authenticated { id: registration.id(), principal: Arc::clone(&principal) };
    if let Err(refused) = shared.supervisor.send(known).await.unwrap_or(Err(Refused::ShuttingDown)) {
        return talk.refuse(&refused.into()).await;
    }
    let mut core = match Core::open(Arc::clone(shared), registration, principal).await {
        Ok(core) => core,
        Err((_registration, Refused::Ended(_))) => return Err(Unwelcome::Gone),
        Err((_registration, refused)) => return talk.refuse(&refused.into()).await,
    };
    if let Some(name) = login.database
        && let Err(error) = begin_with(&mut core, name).await
    {
        let told = talk.refuse(&error).await;
        core.leave(Reason::Protocol).await;
        return told;
    }
    let state = core.state();
    let sent = talk.send(|out, sequence, _| packet::ok(out, sequence, &state, false)).await;
    if sent.is_err() {
        core.leave(Reason::ClientGone).await;
        return Err(Unwelcome::Gone);
    }
    let peer = talk.peer;
    Ok(Welcome { core, peer })
}

/// The database that the client asked for in its handshake.
async fn begin_with<E: Engine>(core: &mut Core<E>, name: String) -> Result<(), SqlError> {
    let (cx, began) = core.begin(Command::InitDb, None).map_err(crate::model::Killed)?;
    let mut sink = RowSink::new(WireRows::new(Peer(CapabilityFlags::empty())), &cx);
    let result = core.use_database(&cx, name, &mut sink, began).await;
    let farewell = core.settle(result);
    let end = farewell.result.as_ref().map(|_| 0).map_err(SqlError::clone);
    core.finish(&cx, end, farewell.killed, core.ended());
    farewell.result.map(drop)
}

/// The packets of a handshake, back and forth.
struct Talk<'a, T> {
    conn: &'a mut Conn<T>,
    sequence: u8,
    peer: Peer,
}

impl<T: Transport> Talk<'_, T> {
    async fn send(&mut self, fill: impl FnOnce(&mut BytesMut, &mut u8, Peer)) -> Result<(), Unwelcome> {
        let mut out = BytesMut::with_capacity(128);
        fill(&mut out, &mut self.sequence, self.peer);
        poll_fn(|task| self.conn.poll_write(task, &mut out)).await?;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Packet, Unwelcome> {
        let expected = self.sequence;
        let packet = match poll_fn(|task| self.conn.poll_packet(task, expected, LOGIN_LIMIT)).await {
            Ok(packet) => packet,
            Err(Broken::Gone) => return Err(Unwelcome::Gone),
            Err(Broken::Frame(error)) => return self.refuse(&frame_error(error)).await,
        };
        self.sequence = packet.sequence.wrapping_add(1);
        Ok(packet)
    }

    async fn refuse<R>(&mut self, error: &SqlError) -> Result<R, Unwelcome> {
        self.send(|out, sequence, peer| packet::error(out, sequence, peer, error)).await?;
        Err(Unwelcome::Told)
    }
}

/// What a client is told whose packets cannot be read.
pub(super) fn frame_error(error: FrameError) -> SqlError {
    match error {
        FrameError::OutOfOrder => SqlError::of(ErrorKind::PacketsOutOfOrder, "Got packets out of order"),
        FrameError::TooLarge => {
            SqlError::of(ErrorKind::PacketTooLarge, "Got a packet bigger than 'max_allowed_packet' bytes")
        }
    }
}

/// What we need of a client's answer to the greeting.
struct Hello {
    capabilities: CapabilityFlags,
    user: String,
    database: Option<String>,
    response: Vec<u8>,
    /// Whether the response is one by `mysql_native_password`.
    native: bool,
}

/// Reads the answer. `None`: it is none of protocol 4.1, or makes no sense.
fn read_hello(payload: &[u8]) -> Option<Hello> {
    let [a, b, ..] = payload else { return None };
    let low = CapabilityFlags::from_bits_truncate(u32::from(u16::from_le_bytes([*a, *b])));
    if !low.contains(CapabilityFlags::CLIENT_PROTOCOL_41) || low.contains(CapabilityFlags::CLIENT_SSL) {
        // Older than 4.1, or asks for a TLS that was not offered.
        return None;
    }
    let mut buffer = ParseBuf(payload);
    let response = HandshakeResponse::deserialize((), &mut buffer).ok()?;
    let plugin = response.auth_plugin().map(|plugin| plugin.as_bytes().to_vec());
    let database = response.db_name().filter(|name| !name.is_empty());
    Some(Hello {
        capabilities: response.capabilities() & OURS,
        user: String::from_utf8(response.user().to_vec()).ok()?,
        database: database.map(|name| String::from_utf8_lossy(name).into_owned()),
        response: response.scramble_buf().to_vec(),
        native: plugin.is_none_or(|plugin| plugin.is_empty() || plugin == auth::NATIVE.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is sent for a handshake is read or refused, and what is kept of it is no longer than it was.
        #[test]
        fn any_handshake_is_answered(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            plausible in any::<bool>(),
        ) {
            if plausible && bytes.len() > 2 {
                bytes[1] = (bytes[1] | 0x02) & !0x08;
            }
            if let Some(hello) = read_hello(&bytes) {
                let kept = hello.user.len() + hello.response.len() + hello.database.map_or(0, |d| d.len() / 3);
                prop_assert!(kept <= bytes.len());
            }
        }
    }
}
