//! How a connection begins: whom a proxy forwards, a place in the list, the greeting and the login. One deadline for all
//! of it, from the moment that the connection was accepted.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use actix::WeakRecipient;
use bytes::Bytes;
use futures::future::{Either, select};
use mysql_common::constants::CapabilityFlags;
use tokio::time::Instant;

use super::{
    conn::Conn,
    farewell,
    gate::Gate,
    login::{Left, Turned, Unwelcome, Welcome, login},
    packet::{self, Peer},
    proxy,
    stream::Stream,
};
use crate::{
    engine::Engine,
    model::{Origin, Reason, Refused, SqlError},
    session::{Inbox, Shared, Timer, unless_leaving, within},
    state::{Signal, Slot},
};

/// So long a client may take to read its last error, when its connection is being closed.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// A connection that was accepted just now.
pub(super) struct Arrival {
    pub(super) io: Stream,
    /// Whose it is: the client's, or a proxy's.
    pub(super) from: Origin,
    /// Whether it is a proxy's, which says first whom it forwards.
    pub(super) proxied: bool,
    pub(super) accepted: Instant,
    /// How the session is told to end something.
    pub(super) control: WeakRecipient<Signal>,
}

/// A client that is in.
pub(super) struct Entered<E: Engine> {
    pub(super) slot: Arc<Slot>,
    pub(super) conn: Conn,
    pub(super) welcome: Welcome<E>,
}

/// Leads a client in; `None`: it was turned away, and its connection is closed.
pub(super) async fn lead_in<E: Engine>(
    shared: &Arc<Shared<E>>,
    inbox: &Inbox,
    gate: &Gate,
    arrival: Arrival,
) -> Option<Entered<E>> {
    let Arrival { mut io, from, proxied, accepted, control } = arrival;
    let mut deadline = Timer::after(shared.login_timeout().saturating_sub(accepted.elapsed()));
    let (client, early) = match proxied {
        true => {
            // Nobody knows yet whose it is: it counts among those that nobody knows.
            let Some(_place) = shared.registry.await_header() else {
                shared.registry.counters.refused(&Refused::TooManyConnections);
                return None;
            };
            match before(&mut deadline, proxy::read(&mut io)).await {
                Some(Ok((client, early))) => (client.map(Origin::from), early),
                unread => {
                    let error = unread.and_then(Result::err);
                    let error = error.map_or_else(|| "it did not come in time".to_owned(), |error| error.to_string());
                    tracing::debug!(%from, error, "no header from a proxy: its connection is closed");
                    shared.registry.counters.aborted_login();
                    return None;
                }
            }
        }
        false => (Some(from), Bytes::new()),
    };
    // A proxy that looks whether we are there has no client.
    let from = client.unwrap_or(from);
    let mut conn = Conn::new(io);
    conn.keep(&early);
    // Whoever is not in yet is told why it does not come in.
    let _owed = shared.registry.owe();
    let registration = match shared.registry.admit(from, control, None) {
        Ok(mut registration) => {
            if client.is_none() {
                registration.excuse();
            }
            registration
        }
        Err(refused) => {
            refuse(conn, gate, &refused.into()).await;
            return None;
        }
    };
    let slot = Arc::clone(registration.slot());
    inbox.set_slot(&slot);
    let led = {
        let leading = pin!(async {
            let login = pin!(login(shared, registration, &mut conn, gate));
            match select(login, deadline).await {
                Either::Left((ended, _)) => ended,
                Either::Right(((), _login)) => {
                    shared.login_timed_out(&slot);
                    Err(Unwelcome { left: Left::Nothing, why: Turned::Gone })
                }
            }
        });
        unless_leaving(&slot, leading).await
    };
    let tell = shared.tell_killed;
    match led {
        Ok(Ok(welcome)) => return Some(Entered { slot, conn, welcome }),
        Ok(Err(unwelcome)) => turn_away(conn, gate, &slot, unwelcome, tell).await,
        Err(reason) if tell || reason.is_of_server() => tell_and_close(conn, gate, reason).await,
        Err(_) => {}
    }
    closed(&slot);
    None
}

/// Waits for `future` until the deadline; `None`: it did not come in time.
async fn before<F: Future>(deadline: &mut Timer, future: F) -> Option<F::Output> {
    match select(pin!(future), deadline).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Logs the end of a connection.
pub(super) fn closed(slot: &Slot) {
    let (from, reason) = (slot.peer(), slot.switch.word().leaving());
    tracing::debug!(session = %slot.id(), %from, ?reason, "connection closed");
}

/// Ends a session whose client was not let in.
async fn turn_away<E: Engine>(mut conn: Conn, gate: &Gate, slot: &Slot, unwelcome: Unwelcome<E>, tell: bool) {
    let Unwelcome { left, why } = unwelcome;
    let reason = if why == Turned::Told { Reason::Protocol } else { Reason::ClientGone };
    slot.switch.terminate(reason);
    match left {
        Left::Opened(core) => core.leave(reason).await,
        Left::Registered(registration) => drop(registration),
        Left::Nothing => {}
    }
    if why == Turned::Told {
        if let Some(_lingering) = gate.linger() {
            let _ = within(FAREWELL, conn.linger()).await;
        }
        return conn.close();
    }
    let forced = slot.switch.word().leaving().filter(|reason| !reason.is_goodbye());
    if let Some(reason) = forced.filter(|reason| tell || reason.is_of_server()) {
        tell_and_close(conn, gate, reason).await;
    }
}

/// Tells a client that is not in yet why its connection is closed.
async fn tell_and_close(mut conn: Conn, gate: &Gate, reason: Reason) {
    if let Some(next) = conn.next() {
        conn.part_with(&farewell::packet(reason, next, conn.heard()));
        depart(conn, gate).await;
    }
}

/// Turns a client away before its greeting: an error without an SQLSTATE, since it has not said what it can read.
async fn refuse(mut conn: Conn, gate: &Gate, error: &SqlError) {
    let mut out = Vec::new();
    packet::error(&mut out, &mut 0, Peer(CapabilityFlags::empty()), error);
    // A client that does not read it will not know.
    conn.part_with(&out);
    depart(conn, gate).await;
}

/// Waits until the client has read its last words; where too many are waited for, until they are on their way.
async fn depart(mut conn: Conn, gate: &Gate) {
    let lingering = gate.linger();
    let departed = async {
        match lingering {
            Some(_) => conn.depart().await,
            None => poll_fn(|task| conn.poll_last_words(task)).await,
        }
    };
    let _ = within(FAREWELL, departed).await;
}
