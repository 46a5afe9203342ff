//! One connection, from its greeting to its goodbye: the work of a session actor whose statements come over a socket.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use actix::WeakRecipient;
use futures::future::{Either, select};
use mysql_common::constants::CapabilityFlags;
use tokio::time::{sleep, timeout};

use super::{
    conn::Conn,
    driver::Driver,
    farewell,
    gate::Gate,
    login::{Left, Turned, Unwelcome, Welcome, login},
    packet::{self, Peer},
    stream::Stream,
};
use crate::{
    engine::Engine,
    model::{CharacterSets, Origin, Reason, Refused, SqlError},
    session::{Inbox, Shared, unless_leaving},
    state::{Raised, Signal, Slot},
    supervisor::Connect,
};

/// So long a client may take to read its last error, when its connection is being closed.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// The life of a connection.
pub(super) async fn live<E: Engine>(
    shared: Arc<Shared<E>>,
    inbox: Arc<Inbox>,
    control: WeakRecipient<Signal>,
    gate: Arc<Gate>,
    io: Stream,
    from: Origin,
) {
    let mut conn = Conn::new(io);
    let tell = shared.tell_killed;
    let connect = Connect { peer: from, control, principal: None };
    let registration = match shared.supervisor.send(connect).await.unwrap_or(Err(Refused::ShuttingDown)) {
        Ok(registration) => registration,
        Err(refused) => return refuse(&mut conn, &refused.into()).await,
    };
    let slot = Arc::clone(registration.slot());
    inbox.set_slot(&slot);
    // On the heap, and gone when the client is in: an idle connection has no room for it.
    let leading_in = Box::pin(async {
        let login = pin!(login(&shared, registration, &mut conn, &gate));
        match select(login, pin!(sleep(shared.login_timeout()))).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), _login)) => {
                if slot.switch.terminate(Reason::LoginTimeout) == Raised::First {
                    shared.registry.counters.timed_out(Reason::LoginTimeout);
                }
                Err(Unwelcome { left: Left::Nothing, why: Turned::Gone })
            }
        }
    });
    match unless_leaving(&slot, leading_in).await {
        Ok(Ok(Welcome { core, peer, nonce, compression, character_set })) => {
            slot.notes.set_character_sets(CharacterSets { client: character_set, results: character_set });
            compression.into_iter().for_each(|algorithm| conn.compress(algorithm));
            if peer.0.contains(CapabilityFlags::CLIENT_SESSION_TRACK) {
                slot.notes.tellable();
            }
            Driver::new(core, conn, gate, nonce, peer).serve().await;
        }
        Ok(Err(unwelcome)) => Box::pin(turn_away(conn, &slot, unwelcome, tell)).await,
        Err(reason) if tell => Box::pin(tell_and_close(conn, reason)).await,
        Err(_) => {}
    }
    tracing::debug!(session = %slot.id(), %from, reason = ?slot.switch.word().leaving(), "connection closed");
}

/// Ends a session whose client was not let in.
async fn turn_away<E: Engine>(mut conn: Conn, slot: &Slot, unwelcome: Unwelcome<E>, tell: bool) {
    let Unwelcome { left, why } = unwelcome;
    let reason = if why == Turned::Told { Reason::Protocol } else { Reason::ClientGone };
    slot.switch.terminate(reason);
    match left {
        Left::Opened(core) => core.leave(reason).await,
        Left::Registered(registration) => drop(registration),
        Left::Nothing => {}
    }
    if why == Turned::Told {
        let _ = timeout(FAREWELL, conn.linger()).await;
        return;
    }
    let forced = slot.switch.word().leaving().filter(|reason| !reason.is_goodbye());
    if let (Some(reason), true) = (forced, tell) {
        tell_and_close(conn, reason).await;
    }
}

/// Tells a client that is not in yet why its connection is closed.
async fn tell_and_close(mut conn: Conn, reason: Reason) {
    if let Some(next) = conn.next() {
        conn.part_with(&farewell::packet(reason, next, conn.heard()));
        let _ = timeout(FAREWELL, conn.depart()).await;
    }
}

/// Turns a client away before its greeting: an error without an SQLSTATE, since it has not said what it can read.
async fn refuse(conn: &mut Conn, error: &SqlError) {
    let (mut out, mut written) = (Vec::new(), 0);
    packet::error(&mut out, &mut 0, Peer(CapabilityFlags::empty()), error);
    let told = async {
        if poll_fn(|task| conn.poll_write(task, &out, &mut written)).await.is_ok() {
            conn.linger().await;
        }
    };
    // A client that does not read it will not know.
    let _ = timeout(FAREWELL, told).await;
}
