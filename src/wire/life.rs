//! One connection, from its greeting to its goodbye: the work of a session actor whose statements come over a socket.

use std::sync::Arc;

use mysql_common::constants::CapabilityFlags;

use super::{
    driver::Driver,
    gate::Gate,
    lead_in::{Arrival, Entered, closed, lead_in},
    login::Welcome,
};
use crate::{
    engine::Engine,
    model::CharacterSets,
    session::{Inbox, Shared},
};

/// The life of a connection.
pub(super) async fn live<E: Engine>(shared: Arc<Shared<E>>, inbox: Arc<Inbox>, gate: Arc<Gate>, arrival: Box<Arrival>) {
    // On the heap, and gone when the client is in: an idle connection has no room for it.
    let led = Box::pin(lead_in(&shared, &inbox, &gate, arrival)).await;
    let Some(Entered { slot, mut conn, welcome }) = led else { return };
    let Welcome { core, peer, nonce, compression, character_set } = welcome;
    slot.notes.set_character_sets(CharacterSets { client: character_set, results: character_set });
    compression.into_iter().for_each(|algorithm| conn.compress(algorithm));
    if peer.0.contains(CapabilityFlags::CLIENT_SESSION_TRACK) {
        slot.notes.tellable();
    }
    Driver::new(core, conn, gate, nonce, peer).serve().await;
    closed(&slot);
}
