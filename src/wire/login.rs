//! The handshake: greeting, the client's answer, the proof of its password, and the session that it gets.

use std::{future::poll_fn, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use mysql_common::{constants::CapabilityFlags, io::ParseBuf, packets::HandshakeResponse, proto::MyDeserialize};

use super::{
    auth::{self, NativeProof},
    compress::{self, Algorithm},
    conn::{Broken, Conn, Transport},
    frame::{FrameError, Packet},
    packet::{self, Peer},
    rows::{HELD, WireRows},
};
use crate::{
    engine::{Engine, RowSink},
    id::SessionId,
    model::{CharacterSet, Command, ErrorKind, Login, Principal, Refused, SqlError},
    session::{Core, Pipe, Shared},
    supervisor::{Authenticated, Registration},
};

/// The longest packet that is read from somebody who has not logged in: names, a proof, connection attributes (which
/// MySQL bounds at 64 KiB).
const LOGIN_LIMIT: usize = 128 * 1024;

/// Of a name that was not let in, so many characters are logged.
const LOGGED_NAME: usize = 64;

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
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(compress::OFFERED)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// A client that is in.
pub(super) struct Welcome<E: Engine> {
    pub(super) core: Core<E>,
    pub(super) peer: Peer,
    /// How it wants its packets compressed from now on, if it does.
    pub(super) compression: Option<Algorithm>,
    /// What it writes and reads.
    pub(super) character_set: CharacterSet,
}

/// A client that is not, and what is left to be ended.
pub(super) struct Unwelcome<E: Engine> {
    pub(super) left: Left<E>,
    pub(super) why: Turned,
}

/// How far a login had got that failed.
pub(super) enum Left<E: Engine> {
    /// It had its place in the list, which is to be held until the reason is written down.
    Registered(Registration),
    Opened(Core<E>),
    Nothing,
}

/// How a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// The client went away, or the session was ended.
    Gone,
    /// The client was told why.
    Told,
}

impl From<Broken> for Turned {
    fn from(_: Broken) -> Self {
        Turned::Gone
    }
}

/// Leads a client in.
pub(super) async fn login<E: Engine, T: Transport>(
    shared: &Arc<Shared<E>>,
    registration: Registration,
    conn: &mut Conn<T>,
    from: SocketAddr,
) -> Result<Welcome<E>, Unwelcome<E>> {
    let mut talk = Talk {
        conn,
        sequence: 0,
        peer: Peer(CapabilityFlags::empty()),
        compression: None,
        character_set: CharacterSet::default(),
    };
    let (principal, database) = match talk.identify(shared, registration.id(), from).await {
        Ok(known) => known,
        Err(why) => return Err(Unwelcome { left: Left::Registered(registration), why }),
    };
    let mut core = match Core::open(Arc::clone(shared), registration, principal).await {
        Ok(core) => core,
        Err((registration, refused)) => {
            let why = match refused {
                Refused::Ended(_) => Turned::Gone,
                refused => talk.refuse(&refused.into()).await,
            };
            return Err(Unwelcome { left: Left::Registered(registration), why });
        }
    };
    let answered = match begin_with(&mut core, database).await {
        Ok(()) => {
            let state = core.state();
            talk.send(|out, sequence, _| packet::ok(out, sequence, &state, false)).await
        }
        Err(error) => Err(talk.refuse(&error).await),
    };
    match answered {
        Ok(()) => {
            Ok(Welcome { core, peer: talk.peer, compression: talk.compression, character_set: talk.character_set })
        }
        Err(why) => Err(Unwelcome { left: Left::Opened(core), why }),
    }
}

/// The database that the client asked for in its handshake, if it did.
async fn begin_with<E: Engine>(core: &mut Core<E>, name: Option<String>) -> Result<(), SqlError> {
    let Some(name) = name else { return Ok(()) };
    let (cx, began) = core.begin(Command::InitDb, None).map_err(crate::model::Killed)?;
    let mut sink = RowSink::new(WireRows::new(Peer(CapabilityFlags::empty()), &Pipe::new(HELD)), &cx);
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
    compression: Option<Algorithm>,
    character_set: CharacterSet,
}

impl<T: Transport> Talk<'_, T> {
    /// From the greeting to the proof: who it is, and the database that it wants.
    async fn identify<E: Engine>(
        &mut self,
        shared: &Arc<Shared<E>>,
        id: SessionId,
        from: SocketAddr,
    ) -> Result<(Arc<Principal>, Option<String>), Turned> {
        let nonce = auth::nonce();
        // The protocol has 32 bits for the id.
        let low = u32::try_from(id.get() & u64::from(u32::MAX)).unwrap_or_default();
        self.send(|out, sequence, _| {
            packet::greeting(out, sequence, &shared.server_version, low, &nonce, OURS, auth::NATIVE);
        })
        .await?;
        let answer = self.receive().await?;
        let Some(hello) = read_hello(&answer.payload) else {
            return Err(self.refuse(&SqlError::of(ErrorKind::BadHandshake, "Bad handshake")).await);
        };
        self.peer = Peer(hello.capabilities);
        self.character_set = hello.character_set;
        self.compression = Algorithm::asked(hello.capabilities, &answer.payload);
        let response = if hello.native {
            hello.response
        } else {
            self.send(|out, sequence, _| packet::auth_switch(out, sequence, auth::NATIVE, &nonce)).await?;
            self.receive().await?.payload.to_vec()
        };
        let login = Login {
            user: hello.user,
            peer: from,
            database: hello.database,
            proof: Box::new(NativeProof { nonce, response }),
        };
        // Within a future of ours, so that a panic before the engine's own first await is caught too.
        let asked = AssertUnwindSafe(async { shared.engine.authenticate(&login).await }).catch_unwind().await;
        let principal = match asked {
            Ok(Ok(principal)) => Arc::new(principal),
            Ok(Err(error)) => {
                let user: String = login.user.chars().take(LOGGED_NAME).collect();
                tracing::info!(session = %id, user = %user.escape_debug(), %from, code = error.code(), "login refused");
                return Err(self.refuse(&error).await);
            }
            Err(_panic) => {
                shared.registry.counters.panicked();
                tracing::error!(session = %id, %from, "the engine panicked while it let a client in");
                return Err(self.refuse(&SqlError::panicked()).await);
            }
        };
        let known = Authenticated { id, principal: Arc::clone(&principal) };
        match shared.supervisor.send(known).await.unwrap_or(Err(Refused::ShuttingDown)) {
            Ok(()) => Ok((principal, login.database)),
            Err(refused) => Err(self.refuse(&refused.into()).await),
        }
    }

    async fn send(&mut self, fill: impl FnOnce(&mut Vec<u8>, &mut u8, Peer)) -> Result<(), Turned> {
        let (mut out, mut written) = (Vec::with_capacity(128), 0);
        fill(&mut out, &mut self.sequence, self.peer);
        poll_fn(|task| self.conn.poll_write(task, &out, &mut written)).await?;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Packet, Turned> {
        let expected = self.sequence;
        let packet = match poll_fn(|task| self.conn.poll_packet(task, expected, LOGIN_LIMIT)).await {
            Ok(packet) => packet,
            Err(Broken::Gone) => return Err(Turned::Gone),
            Err(Broken::Frame(error)) => return Err(self.refuse(&frame_error(error)).await),
        };
        self.sequence = packet.sequence.wrapping_add(1);
        Ok(packet)
    }

    /// Says why not.
    async fn refuse(&mut self, error: &SqlError) -> Turned {
        let told = self.send(|out, sequence, peer| packet::error(out, sequence, peer, error)).await;
        told.map_or(Turned::Gone, |()| Turned::Told)
    }
}

/// What a client is told whose packets cannot be read.
pub(super) fn frame_error(error: FrameError) -> SqlError {
    match error {
        FrameError::OutOfOrder => SqlError::of(ErrorKind::PacketsOutOfOrder, "Got packets out of order"),
        FrameError::TooLarge => {
            SqlError::of(ErrorKind::PacketTooLarge, "Got a packet bigger than 'max_allowed_packet' bytes")
        }
        FrameError::Uncompressed => {
            SqlError::of(ErrorKind::UncompressFailed, "Couldn't uncompress communication packet")
        }
    }
}

/// What we need of a client's answer to the greeting.
struct Hello {
    capabilities: CapabilityFlags,
    user: String,
    database: Option<String>,
    response: Vec<u8>,
    character_set: CharacterSet,
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
    // Behind the capabilities and the client's own limit.
    let character_set = CharacterSet::of_collation(u16::from(*payload.get(8)?));
    let plugin = response.auth_plugin().map(|plugin| plugin.as_bytes().to_vec());
    let database = response.db_name().filter(|name| !name.is_empty());
    Some(Hello {
        capabilities: response.capabilities() & OURS,
        user: String::from_utf8(character_set.decode(response.user()).into_owned()).ok()?,
        database: database.map(|name| String::from_utf8_lossy(&character_set.decode(name)).into_owned()),
        character_set,
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
