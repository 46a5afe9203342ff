//! The list of this node's sessions for another node: as much of it as the requester may see, in pieces.

use std::{collections::VecDeque, sync::Arc};

use futures::{Stream, stream};
use prost::Message;
use tokio::{task::yield_now, time::Instant};
use tonic::Status;

use super::{
    desk::Heeded,
    messages::{Answer, ListPiece, Row, Standing},
};
use crate::{
    id::{RUN, Roll},
    model::{Principal, Seen},
    state::Slot,
    supervisor::{Listing, Registry},
};

/// A piece has about so many bytes: it is sent on when it has more.
const PIECE: usize = 64 << 10;

/// After so many ids others have their turn.
const IDS: usize = 16 << 10;

/// Where a list has come to.
struct Walk {
    registry: Arc<Registry>,
    listing: Listing,
    heeded: Heeded,
    now: Instant,
    roll: Roll,
    /// Whose the last row is.
    last: Option<Arc<Principal>>,
    /// Those that come next.
    found: VecDeque<Arc<Slot>>,
    number: u32,
}

/// The pieces of the answer. Each is made when the one before was taken: who does not read has nothing made.
pub(super) async fn list(
    registry: Arc<Registry>,
    by: Arc<Principal>,
    heeded: Heeded,
) -> impl Stream<Item = Result<Answer, Status>> + Send + 'static {
    let (mut roll, mut gathered) = (Roll::default(), 0);
    for ids in registry.ids() {
        gathered += ids.len();
        roll.add(ids);
        if gathered > IDS {
            gathered = 0;
            yield_now().await;
        }
    }
    let listing = Listing::new(Arc::clone(&registry), by);
    let walk =
        Walk { registry, listing, heeded, now: Instant::now(), roll, last: None, found: VecDeque::new(), number: 0 };
    stream::unfold(Some(walk), |walk| async move {
        let (answer, walk) = walk?.piece().await;
        Some((Ok(answer), walk))
    })
}

impl Walk {
    fn is_over(&self) -> bool {
        self.found.is_empty() && self.roll.len() == 0
    }

    /// The next piece, and what is left; others have their turn in between.
    async fn piece(mut self) -> (Answer, Option<Self>) {
        let node = (self.number == 0).then(|| (&self.registry.node).into());
        // A row is some hundred bytes, but any may be long.
        let mut piece = Vec::with_capacity(PIECE + (1 << 10));
        ListPiece { node, rows: Vec::new() }.encode(&mut piece).expect("a Vec has room");
        let (mut ids, mut slots) = (Vec::new(), Vec::new());
        let standing = loop {
            // What was listed before it lost its place is nothing to rely on.
            if !self.registry.stands() {
                piece.clear();
                break Standing::Offline;
            }
            if piece.len() > PIECE || self.is_over() {
                break Standing::Good;
            }
            if self.found.is_empty() {
                self.roll.next(RUN, &mut ids);
                self.registry.get_each(&ids, &mut slots);
                self.found.extend(slots.drain(..));
            }
            // Any row may be long: a message has its bound, and others their turn.
            while piece.len() <= PIECE
                && let Some(slot) = self.found.pop_front()
            {
                let last = &mut self.last;
                let row = self.listing.show(&slot, self.now, |seen| {
                    // Many sessions in a row are of one account, which is told once. And no list shows attributes.
                    let same = seen.principal.zip(last.as_ref()).is_some_and(|(this, last)| Arc::ptr_eq(this, last));
                    let principal = seen.principal.filter(|_| !same);
                    if !same {
                        *last = principal.cloned();
                    }
                    Row { same_principal: same, ..Row::from(&Seen { principal, attributes: None, ..*seen }) }
                });
                if let Some(row) = row {
                    ListPiece::encode_row(&row, &mut piece);
                }
            }
            yield_now().await;
        };
        let last = standing != Standing::Good || self.is_over();
        let answer = self.heeded.piece(self.number, last, standing, piece);
        self.number += 1;
        (answer, (!last).then_some(self))
    }
}
