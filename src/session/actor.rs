//! The session actor. It receives, and leaves the deciding to the `KillSwitch` and the work to its work loop,
//! which it polls after every message.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, WeakRecipient,
    dev::{MessageResponse, OneshotSender},
    fut::ActorFuture,
};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::{
    inbox::{Ask, Inbox},
    messages::{Cancel, Terminate},
};
use crate::{
    model::Reason,
    state::Signal,
    supervisor::{Gauged, Reap, Registry, Work},
};

/// One client's session: an actor with the mailbox messages [`Query`](super::Query), [`Cancel`] and [`Terminate`]; beside
/// these [`Prepare`](super::Prepare), [`UseDatabase`](super::UseDatabase) and [`Reset`](super::Reset), which wait for
/// their turn as statements do.
pub struct Session {
    work: Option<Work>,
    inbox: Arc<Inbox>,
    registry: Arc<Registry>,
    _alive: Gauged,
}

impl Session {
    /// Starts a session on this arbiter. `work` is made from the address by which the session can be signalled.
    pub(crate) fn launch(
        registry: &Arc<Registry>,
        inbox: Arc<Inbox>,
        work: impl FnOnce(WeakRecipient<Signal>) -> Work,
    ) -> actix::Addr<Session> {
        Session::create(|ctx| {
            let control = ctx.address().downgrade().recipient();
            Session { work: Some(work(control)), inbox, registry: Arc::clone(registry), _alive: registry.alive() }
        })
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(PollWork);
    }
}

/// Polls the actor's work loop. The loop stays in the actor, so that the actor's `Drop` can hand it on.
struct PollWork;

impl ActorFuture<Session> for PollWork {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session,
        ctx: &mut Context<Session>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let Some(work) = session.work.as_mut() else { return Poll::Ready(()) };
        let _entered = session.inbox.slot().and_then(|slot| slot.trace.enter());
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(task))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => session.work = None,
            // The engine's panics are caught long before: this one is ours, and the work cannot be polled again. Its
            // drop takes the session out of the list, and the engine session's own must do for the rollback.
            Err(_) => {
                tracing::error!(slot = ?session.inbox.slot(), "the work of a session panicked");
                session.inbox.terminate(Reason::Panic);
                let work = session.work.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
            }
        }
        ctx.stop();
        Poll::Ready(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The actor dies before its work is done, since its arbiter is torn down. The work still has to roll back and to
        // leave the list.
        if let Some(work) = self.work.take() {
            self.inbox.terminate(Reason::Shutdown);
            let span = self.inbox.slot().map_or_else(Span::none, |slot| slot.trace.span());
            self.registry.reap(Reap(Box::pin(work.instrument(span))));
        }
    }
}

/// Puts what was asked into the inbox, with the very sender that actix made for the answer: the work loop answers.
pub struct Queued<M> {
    inbox: Arc<Inbox>,
    asked: M,
}

impl<M: Ask> MessageResponse<Session, M> for Queued<M> {
    fn handle(self, _: &mut Context<Session>, to: Option<OneshotSender<M::Result>>) {
        self.inbox.push(self.asked.request(to));
    }
}

impl<M: Ask> Handler<M> for Session {
    type Result = Queued<M>;

    fn handle(&mut self, asked: M, _: &mut Self::Context) -> Queued<M> {
        Queued { inbox: Arc::clone(&self.inbox), asked }
    }
}

impl Handler<Cancel> for Session {
    type Result = ();

    fn handle(&mut self, Cancel { statement, reason }: Cancel, _: &mut Self::Context) {
        if let Some(slot) = self.inbox.slot() {
            slot.kill(Instant::now(), None, |switch| switch.cancel(statement, reason));
        }
    }
}

impl Handler<Terminate> for Session {
    type Result = ();

    fn handle(&mut self, Terminate { reason }: Terminate, _: &mut Self::Context) {
        self.inbox.terminate(reason);
    }
}

impl Handler<Signal> for Session {
    type Result = ();

    /// The switch was thrown by whoever sent this; the message makes the actor look at it.
    fn handle(&mut self, _: Signal, _: &mut Self::Context) {}
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("slot", &self.inbox.slot()).finish_non_exhaustive()
    }
}
