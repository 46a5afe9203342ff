//! How the engine's session is opened: unless the session ends meanwhile, and whatever the engine does.

#[cfg(feature = "mysql")]
use std::pin::pin;
use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, task::Poll};

use futures::FutureExt;
#[cfg(feature = "mysql")]
use futures::future::{Either, select};
use tracing::Instrument;

use super::shared::Shared;
#[cfg(feature = "mysql")]
use super::timer::within;
use crate::{
    engine::Engine,
    model::{Principal, Reason, Refused, SqlError},
    state::Slot,
};
#[cfg(feature = "mysql")]
use crate::{engine::StatementContext, model::Killed};

/// Opens the engine's session for this user.
pub(super) async fn open_session<E: Engine>(
    shared: &Arc<Shared<E>>,
    slot: &Slot,
    principal: &Arc<Principal>,
) -> Result<Box<E::Session>, Refused> {
    // Within a future of ours, so that a panic before the engine's own first await is caught too.
    let opening = AssertUnwindSafe(async { shared.engine.open(principal).await }).catch_unwind();
    let opening = opening.instrument(slot.trace.span());
    match unless_leaving(slot, Box::pin(opening)).await {
        Ok(Ok(opened)) => opened.map(Box::new).map_err(Refused::Engine),
        Ok(Err(_panic)) => {
            slot.switch.drain(Reason::Panic);
            shared.registry.counters.panicked();
            Err(Refused::Engine(SqlError::panicked()))
        }
        Err(reason) => Err(Refused::Ended(reason)),
    }
}

/// Opens a session within a statement, which a kill ends, and which has as much time as a login.
#[cfg(feature = "mysql")]
pub(super) async fn reopen<E: Engine>(
    shared: &Arc<Shared<E>>,
    cx: &StatementContext,
    principal: &Arc<Principal>,
) -> Result<Box<E::Session>, SqlError> {
    let opening = within(shared.login_timeout(), open_session(shared, cx.slot(), principal));
    match select(pin!(opening), pin!(cx.killed())).await {
        Either::Left((Some(opened), _)) => Ok(opened?),
        Either::Left((None, _)) => {
            shared.login_timed_out(cx.slot());
            Err(Killed(Reason::LoginTimeout).into())
        }
        Either::Right((reason, _)) => Err(Killed(reason).into()),
    }
}

/// Waits for `future`, or until the session is to end.
pub(crate) async fn unless_leaving<F: Future + Unpin>(slot: &Slot, mut future: F) -> Result<F::Output, Reason> {
    let mut leaving = slot.switch.until(|word| word.leaving());
    std::future::poll_fn(|task| {
        if let Some(reason) = slot.switch.word().leaving() {
            return Poll::Ready(Err(reason));
        }
        if let Poll::Ready(output) = future.poll_unpin(task) {
            return Poll::Ready(Ok(output));
        }
        // Nobody waits for the end of what is there at once.
        Pin::new(&mut leaving).poll(task).map(Err)
    })
    .await
}
