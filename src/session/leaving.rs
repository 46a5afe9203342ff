//! How a session ends, or becomes another user's: what may be open is rolled back, and the engine's session is dropped.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures::FutureExt;
use tokio::{runtime::Handle, time::Instant};
use tracing::Instrument;

use super::{core::Core, timer::within};
use crate::{
    engine::{Engine, EngineSession, Placement},
    model::{Command, Reason},
    state::Phase,
};

impl<E: Engine> Core<E> {
    /// Ends the session: rolls back, drops the engine's session, and leaves the list. `why` counts if no reason came
    /// before.
    pub(crate) async fn leave(mut self, why: Reason) {
        let slot = Arc::clone(self.slot());
        self.named = None;
        slot.switch.terminate(why);
        let reason = slot.switch.word().leaving().unwrap_or(why);
        // A statement that was cut off together with its client is over now.
        let word = slot.switch.word();
        if let Phase::Ended(first) = word.phase() {
            self.trace.end(&Ok(()), Some(first));
            let (ending, _) = slot.finish_killed(word.number(), Instant::now(), word.open());
            self.registry().cut_short(&slot, word.number(), first, ending.as_deref());
        } else {
            slot.switch.finish(word.open());
        }
        if self.session.is_some() && self.unsettled {
            slot.show(Command::Quit, "Rolling back", None, None, Instant::now());
        }
        self.put_away(reason).await;
        // Dropped last: with the registration, the session leaves the list.
        drop(self.registration);
    }

    /// Rolls back, if anything may be open, and drops the engine's session.
    pub(super) async fn put_away(&mut self, reason: Reason) {
        let Some(mut session) = self.session.take() else { return };
        if !std::mem::take(&mut self.unsettled) {
            return drop_quietly(session);
        }
        if reason == Reason::Shutdown && self.state.in_transaction && self.slot().switch.word().draining() {
            self.registry().counters.transaction_rolled_back();
        }
        let time = self.shared.rollback_timeout;
        let rollback = async move {
            let done = roll_back(&mut *session, reason).await;
            (session, done)
        };
        let ended = match &self.shared.placement {
            Placement::Inline => within(time, Box::pin(rollback)).await,
            Placement::Pool(pool) => {
                let mut task = pool.spawn(rollback.instrument(self.slot().trace.span()));
                let ended = within(time, &mut task).await;
                task.abort();
                ended.and_then(Result::ok)
            }
        };
        match ended {
            Some((session, true)) => drop_quietly(session),
            Some((session, false)) => {
                self.registry().counters.panicked();
                tracing::error!(session = %self.slot().id(), "the engine panicked while it rolled back");
                drop_quietly(session);
            }
            None => tracing::warn!(session = %self.slot().id(), ?time, "the rollback did not end in time"),
        }
    }
}

/// Whether the engine rolled back, rather than panicked. What panics since it was begun on an arbiter that has died
/// meanwhile, and holds that one's timers, is begun again where the session is now.
async fn roll_back<S: EngineSession>(session: &mut S, reason: Reason) -> bool {
    let mut begun = Handle::current().id();
    loop {
        let caught = AssertUnwindSafe(async { session.rollback(reason).await }).catch_unwind().await;
        let here = Handle::current().id();
        if caught.is_ok() || here == begun {
            return caught.is_ok();
        }
        begun = here;
    }
}

/// Drops an engine's session; its `Drop` is the engine's code, and may panic.
fn drop_quietly<T>(session: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(session))).is_err() {
        tracing::error!("the engine panicked while a session of its was dropped");
    }
}
