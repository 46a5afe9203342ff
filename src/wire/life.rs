//! One connection, from its greeting to its goodbye: the work of a session actor whose statements come over a socket.

use std::sync::Arc;

use mysql_common::constants::CapabilityFlags;

use super::{
    driver::Driver,
    gate::Gate,
    lead_in::{Arrival, Entered, lead_in},
    login::Welcome,
};
use crate::{
    engine::Engine,
    session::{Inbox, Shared},
};

/// The life of a connection. What an idle one waits with is all that it has room for: the way in is on the heap, and gone
/// when the client is in.
pub(super) fn live<E: Engine>(
    shared: Arc<Shared<E>>,
    inbox: Arc<Inbox>,
    gate: Arc<Gate>,
    arrival: Arrival,
) -> impl Future<Output = ()> + Send {
    let entering = Box::pin(enter(shared, inbox, gate, arrival));
    async move {
        let Some(driver) = entering.await else { return };
        driver.serve().await;
    }
}

/// Leads the client in; `None`: it was turned away.
async fn enter<E: Engine>(
    shared: Arc<Shared<E>>,
    inbox: Arc<Inbox>,
    gate: Arc<Gate>,
    arrival: Arrival,
) -> Option<Box<Driver<E>>> {
    let Entered { slot, mut conn, welcome } = lead_in(&shared, &inbox, &gate, arrival).await?;
    let Welcome { core, peer, nonce, compression } = welcome;
    compression.into_iter().for_each(|algorithm| conn.compress(algorithm));
    if peer.0.contains(CapabilityFlags::CLIENT_SESSION_TRACK) {
        slot.notes.tellable();
    }
    Some(Driver::new(core, conn, gate, nonce, peer))
}
