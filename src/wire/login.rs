//! The handshake: greeting, the client's answer, the proof of its password, and the session that it gets.

use std::{future::poll_fn, panic::AssertUnwindSafe, sync::Arc, task::Poll};

use futures::FutureExt;
use mysql_common::constants::CapabilityFlags;
use tracing::Instrument;

use super::{
    auth::{self, Exchange},
    compress::{self, Algorithm},
    conn::{Broken, Conn},
    frame::{FrameError, Packet},
    gate::{Gate, USUAL_LOGIN},
    hello::{self, Hello},
    packet::{self, Peer},
    rows::WireRows,
};
use crate::{
    control::{logged, logged_attributes},
    engine::{Engine, RowSink},
    id::SessionId,
    model::{ClientSession, Command, ErrorKind, Login, Principal, Refused, SqlError},
    session::{Core, Shared},
    state::{Slot, owner},
    supervisor::{Gauged, Registration},
};

/// The longest packet that is read from somebody who has not logged in: connection attributes (which MySQL bounds at
/// 64 KiB), and 8 KiB of names and a proof.
const LOGIN_LIMIT: usize = 72 * 1024;

/// What we can do.
pub(super) const OURS: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
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
    /// A later change of user is proved with it too.
    pub(super) nonce: [u8; 20],
    /// How it wants its packets compressed from now on, if it does.
    pub(super) compression: Option<Algorithm>,
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
pub(super) async fn login<E: Engine>(
    shared: &Arc<Shared<E>>,
    mut registration: Registration,
    conn: &mut Conn,
    gate: &Gate,
) -> Result<Welcome<E>, Unwelcome<E>> {
    let mut talk = Talk::new(conn, gate, 0, Peer(CapabilityFlags::empty()));
    let nonce = auth::nonce();
    let mut compression = None;
    let mut interactive = false;
    let known = match talk.greet(&shared.server_version, registration.id(), &nonce, gate).await {
        Ok(hello) => {
            compression = hello.compression;
            registration.heard();
            interactive = hello.capabilities.contains(CapabilityFlags::CLIENT_INTERACTIVE);
            note(registration.slot(), &hello);
            prove(&mut talk, shared, registration.slot(), gate, nonce, hello).await
        }
        Err(why) => Err(Unproved::Turned(why)),
    };
    let known = match known {
        Ok(known) => announce(shared, &mut registration, known),
        unproved => unproved,
    };
    let Known { principal, database, .. } = match known {
        Ok(known) => known,
        Err(unproved) => {
            let why = match unproved {
                Unproved::Turned(why) => why,
                Unproved::Refused(error) => talk.refuse(&error).await,
            };
            return Err(Unwelcome { left: Left::Registered(registration), why });
        }
    };
    let mut core = match Core::open(Arc::clone(shared), registration, principal, interactive).await {
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
            core.logged_in();
            Ok(Welcome { core, peer: talk.peer, nonce, compression })
        }
        Err(why) => Err(Unwelcome { left: Left::Opened(core), why }),
    }
}

/// What the engine may go by as soon as it is asked for the client's database.
fn note(slot: &Slot, hello: &Hello) {
    slot.notes.set_login(hello.charset);
    #[cfg(feature = "proxy")]
    if hello.capabilities.contains(CapabilityFlags::CLIENT_FOUND_ROWS) {
        slot.notes.count_found_rows();
    }
}

/// The database that the client asked for in its handshake, if it did.
async fn begin_with<E: Engine>(core: &mut Core<E>, name: Option<String>) -> Result<(), SqlError> {
    let Some(name) = name else { return Ok(()) };
    let (cx, began) = core.begin(Command::InitDb, None).map_err(crate::model::Killed)?;
    let mut sink = RowSink::new(WireRows::new(Peer(CapabilityFlags::empty())), &cx);
    let result = core.use_database(&cx, name, &mut sink, began).await;
    let farewell = core.settle(result);
    let end = farewell.result.as_ref().map(|_| 0).map_err(SqlError::clone);
    core.finish(cx, end, farewell.killed, core.ended());
    farewell.result.map(drop)
}

/// Why it is not known who a client is.
pub(super) enum Unproved {
    /// It is to be told.
    Refused(SqlError),
    /// There is nothing more to tell.
    Turned(Turned),
}

/// Who a client is.
pub(super) struct Known {
    pub(super) principal: Arc<Principal>,
    /// The database that it wants.
    pub(super) database: Option<String>,
    /// If it is a proxy that is believed: which of its clients this is for.
    pub(super) client: Option<ClientSession>,
}

/// Makes the session that one's.
fn announce<E: Engine>(
    shared: &Arc<Shared<E>>,
    registration: &mut Registration,
    known: Known,
) -> Result<Known, Unproved> {
    match shared.registry.authenticate(registration.slot(), Arc::clone(&known.principal), known.client, None) {
        Ok(place) => {
            registration.enter(place);
            Ok(known)
        }
        Err(refused) => {
            registration.refused();
            Err(Unproved::Refused(refused.into()))
        }
    }
}

/// Finds out who a client is.
pub(super) async fn prove<E: Engine>(
    talk: &mut Talk<'_>,
    shared: &Arc<Shared<E>>,
    slot: &Slot,
    gate: &Gate,
    nonce: [u8; 20],
    hello: Hello,
) -> Result<Known, Unproved> {
    let (id, from) = (slot.id(), slot.peer());
    let Hello { charset, user, claim, database, attributes, .. } = hello;
    let mut exchange = Exchange::new(talk, &gate.prover, nonce, claim);
    let (asked, login) = {
        let (name, tenant) = shared.registry.dialect.account(&user);
        let mut login = Login::new(name, from, &mut exchange);
        login.tenant = tenant;
        login.database = database;
        login.attributes = attributes;
        // Within a future of ours, so that a panic before the engine's own first await is caught too.
        let asked = AssertUnwindSafe(async { shared.engine.authenticate(&mut login).await }).catch_unwind();
        let asked = asked.instrument(slot.trace.span()).await;
        (asked, (login.user, login.database, login.attributes))
    };
    let (user, database, attributes) = login;
    if let Some(turned) = exchange.turned() {
        return Err(Unproved::Turned(turned));
    }
    let principal = match asked {
        Ok(Ok(principal)) => owner::shared(principal),
        Ok(Err(error)) => {
            tracing::info!(session = %id, user = logged(&user), %from, code = error.code(), "login refused");
            return Err(Unproved::Refused(error));
        }
        Err(_panic) => {
            shared.registry.counters.panicked();
            tracing::error!(session = %id, %from, "the engine panicked while it let a client in");
            return Err(Unproved::Refused(SqlError::panicked()));
        }
    };
    let said = || logged_attributes(attributes.as_ref());
    tracing::debug!(session = %id, user = logged(principal.user()), %from, charset, attributes = said(), "logged in");
    let client = attributes.as_ref().filter(|_| gate.names_clients(&from)).and_then(ClientSession::told);
    slot.set_attributes(attributes);
    #[cfg(feature = "tls")]
    slot.set_encryption(talk.conn.encryption());
    Ok(Known { principal, database, client })
}

/// The packets of a handshake, back and forth.
pub(super) struct Talk<'a> {
    pub(super) conn: &'a mut Conn,
    /// Of the next packet.
    pub(super) sequence: u8,
    pub(super) peer: Peer,
    gate: &'a Gate,
    /// The client has sent more than is usual.
    large: Option<Gauged>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(conn: &'a mut Conn, gate: &'a Gate, sequence: u8, peer: Peer) -> Self {
        Self { conn, sequence, peer, gate, large: None }
    }
}

impl Talk<'_> {
    /// Greets the client, goes on under TLS if it wishes, and hears who it says that it is.
    async fn greet(&mut self, version: &str, id: SessionId, nonce: &[u8; 20], gate: &Gate) -> Result<Hello, Turned> {
        let mut ours = OURS;
        ours.set(CapabilityFlags::CLIENT_SSL, gate.offers_tls());
        // The protocol has 32 bits for the id.
        let low = u32::try_from(id.get() & u64::from(u32::MAX)).unwrap_or_default();
        let plugin = gate.prover.default.name();
        self.send(|out, sequence, _| packet::greeting(out, sequence, version, low, nonce, ours, plugin)).await?;
        let mut answer = self.receive().await?.payload;
        let under_tls = gate.offers_tls() && hello::wants_tls(&answer);
        if under_tls {
            gate.start_tls(self.conn).await?;
            answer = self.receive().await?.payload;
        }
        match hello::read_answer(&answer, ours) {
            // To wish for TLS and go on without it, or to wish for one that was not offered, makes no sense.
            Some(hello) if under_tls || !hello::mentions_tls(&answer) => {
                self.peer = Peer(hello.capabilities);
                Ok(hello)
            }
            _ => Err(self.refuse(&SqlError::of(ErrorKind::BadHandshake, "Bad handshake")).await),
        }
    }

    /// Whether nobody on the way can read what the client sends.
    pub(super) fn is_secure(&self) -> bool {
        self.conn.is_secure()
    }

    pub(super) async fn send(&mut self, fill: impl FnOnce(&mut Vec<u8>, &mut u8, Peer)) -> Result<(), Turned> {
        let (mut out, mut written) = (Vec::with_capacity(128), 0);
        fill(&mut out, &mut self.sequence, self.peer);
        poll_fn(|task| self.conn.poll_write(task, &out, &mut written)).await?;
        self.conn.written_up_to(self.sequence);
        Ok(())
    }

    pub(super) async fn receive(&mut self) -> Result<Packet, Turned> {
        let Self { sequence: expected, ref mut conn, gate, ref mut large, .. } = *self;
        let received = poll_fn(|task| {
            let polled = conn.poll_packet(task, expected, LOGIN_LIMIT);
            let come = match &polled {
                Poll::Ready(Ok(packet)) => packet.payload.len(),
                Poll::Ready(Err(_)) => 0,
                Poll::Pending => conn.unread(),
            };
            if come > USUAL_LOGIN && large.is_none() {
                *large = gate.large_login();
                if large.is_none() {
                    return Poll::Ready(Err(None));
                }
            }
            polled.map_err(Some)
        });
        let error = match received.await {
            Ok(packet) => {
                self.sequence = packet.sequence.wrapping_add(1);
                return Ok(packet);
            }
            Err(Some(Broken::Gone)) => return Err(Turned::Gone),
            Err(Some(Broken::Frame(error))) => frame_error(error),
            Err(None) => Refused::TooManyConnections.into(),
        };
        // The answer to it, whatever it is.
        self.sequence = expected.wrapping_add(1);
        Err(self.refuse(&error).await)
    }

    /// Ends it at any moment: the number that the client expects of the next packet. A packet of its that was waited for
    /// is on its way, and counts as read. `None`: it was sent a part of a packet.
    pub(super) fn break_off(self) -> Option<u8> {
        let next = self.conn.next()?;
        if next != self.sequence {
            self.conn.skip_frame();
        }
        Some(next)
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
