//! The work loop of a session in process: it runs what the mailbox brought, one thing after the other.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use actix::{WeakRecipient, dev::OneshotSender};
use bytes::Bytes;
use futures::{
    TryFutureExt,
    future::{BoxFuture, Either, select},
};
use tokio::time::Instant;

use super::{
    core::Core,
    handle::Life,
    inbox::{Inbox, Request, tell},
    results::{ReplySink, ReplyTo},
    shared::Shared,
};
use crate::{
    engine::{Engine, RowSink, StatementContext},
    model::{ClientSession, Command, Killed, Origin, Principal, Reason, Refused, SqlError, Statement},
    state::Signal,
};

/// Who waits to hear whether the session was admitted.
pub(crate) type Admitted = tokio::sync::oneshot::Sender<Result<Life, Refused>>;

/// Whose session it is.
pub(crate) struct Whose {
    pub(crate) principal: Arc<Principal>,
    /// The client of a proxy that it is for.
    pub(crate) client: Option<ClientSession>,
}

/// The life of a session that the host connected. What an idle one waits with is all that it has room for: the way in is on
/// the heap, and gone when the session is open.
pub(crate) fn live<E: Engine>(
    shared: Arc<Shared<E>>,
    inbox: Arc<Inbox>,
    control: WeakRecipient<Signal>,
    whose: Whose,
    peer: Origin,
    admitted: Admitted,
) -> impl Future<Output = ()> + Send {
    let entering = Box::pin(enter(shared, Arc::clone(&inbox), control, whose, peer, admitted));
    async move {
        let Some(core) = entering.await else { return };
        let reason = serve(core, &inbox).await;
        inbox.close(reason);
    }
}

/// Opens the session, and tells the host; `None`: it was refused.
async fn enter<E: Engine>(
    shared: Arc<Shared<E>>,
    inbox: Arc<Inbox>,
    control: WeakRecipient<Signal>,
    Whose { principal, client }: Whose,
    peer: Origin,
    mut admitted: Admitted,
) -> Option<Box<Core<E>>> {
    let registry = &shared.registry;
    let registered = registry.admit(peer, control, Some(Arc::clone(&principal))).and_then(|registration| {
        let named = registry.name_client(registration.slot(), client);
        named.inspect_err(|refused| registry.counters.refused(refused)).map(|()| registration)
    });
    let registration = match registered {
        Ok(registration) => registration,
        Err(refused) => {
            let _ = admitted.send(Err(refused));
            return None;
        }
    };
    inbox.set_slot(registration.slot());
    let opened = {
        let slot = Arc::clone(registration.slot());
        let opening = Box::pin(Core::open(shared, registration, principal, false));
        match select(opening, pin!(admitted.closed())).await {
            Either::Left((opened, _)) => opened,
            // The host waits no longer: nor does the session.
            Either::Right(((), opening)) => {
                slot.switch.terminate(Reason::Quit);
                opening.await
            }
        }
    };
    let core = match opened {
        Ok(core) => core,
        Err((registration, refused)) => {
            drop(registration);
            let _ = admitted.send(Err(refused));
            return None;
        }
    };
    // A host that no longer waits has dropped its end: then the session ends, too.
    if admitted.send(Ok(Life::new(Arc::clone(core.slot())))).is_err() {
        core.leave(Reason::Quit).await;
        return None;
    }
    Some(Box::new(core))
}

async fn serve<E: Engine>(mut core: Box<Core<E>>, inbox: &Inbox) -> Reason {
    let reason = loop {
        let slot = core.slot();
        let next = poll_fn(|_| match (slot.switch.word().leaving(), inbox.pop()) {
            (Some(reason), request) => {
                request.into_iter().for_each(|request| request.refuse(Killed(reason).into()));
                Poll::Ready(Err(reason))
            }
            (None, Some(request)) => Poll::Ready(Ok(request)),
            // The actor polls this loop after every message.
            (None, None) => Poll::Pending,
        });
        match next.await {
            // Nobody waits for it any more: it is not even begun.
            Ok(request) if request.is_abandoned() => {}
            Ok(request) => answer(&mut core, *request).await,
            Err(reason) => break reason,
        }
    };
    inbox.close(reason);
    Box::pin(core.leave(reason)).await;
    reason
}

/// Does what was asked. On the heap, as all that an idle session has no room for.
fn answer<E: Engine>(core: &mut Core<E>, request: Request) -> BoxFuture<'_, ()> {
    match request {
        Request::Query(statement, to) => Box::pin(query(core, statement, to)),
        Request::Prepare(sql, to) => {
            let info = Some(sql.clone());
            Box::pin(command(core, Command::Prepare, info, to, |core, cx, sink, began| {
                Box::pin(core.prepare(cx, sql, sink, began))
            }))
        }
        Request::UseDatabase(name, to) => {
            Box::pin(command(core, Command::InitDb, None, to, |core, cx, sink, began| {
                Box::pin(core.use_database(cx, name, sink, began).map_ok(drop))
            }))
        }
        Request::Reset(to) => Box::pin(command(core, Command::ResetConnection, None, to, |core, cx, sink, began| {
            Box::pin(core.reset(cx, sink, began).map_ok(drop))
        })),
    }
}

/// Runs a statement.
async fn query<E: Engine>(core: &mut Core<E>, statement: Statement, mut to: Option<ReplyTo>) {
    let (cx, began) = match core.begin(Command::Query, Some(statement.sql.clone())) {
        Ok(begun) => begun,
        Err(reason) => return Request::Query(statement, to).refuse(Killed(reason).into()),
    };
    let (reply, sink) = ReplySink::lend();
    if to.is_none() {
        reply.forget();
    }
    let mut sink = RowSink::new(sink, &cx);
    let result = {
        let mut run = pin!(core.execute(&cx, statement, &mut sink, began));
        poll_fn(|task| {
            let polled = run.as_mut().poll(task);
            if polled.is_pending() {
                if let Some(to) = to.take() {
                    reply.wait(to, &cx);
                }
                if reply.poll_abandoned(task).is_ready() {
                    abandon(&cx, task);
                    reply.forget();
                }
            }
            polled
        })
        .await
    };
    let farewell = core.settle(result);
    let end = farewell.result.as_ref().map(|done| done.affected).map_err(SqlError::clone);
    match sink.into_sink::<ReplySink>() {
        Some(sink) => sink.finish(farewell.result, to, &cx, reply),
        // It went down with a task that held it, and has told the reader so.
        None => tell(to.or_else(|| reply.take()), Err(SqlError::panicked())),
    }
    core.finish(cx, end, farewell.killed, core.ended());
}

/// Runs what has no rows.
async fn command<E: Engine, T, F>(
    core: &mut Core<E>,
    command: Command,
    info: Option<Bytes>,
    mut to: Option<OneshotSender<Result<T, SqlError>>>,
    run: F,
) where
    F: for<'a> FnOnce(
        &'a mut Core<E>,
        &'a StatementContext,
        &'a mut RowSink,
        Instant,
    ) -> BoxFuture<'a, Result<T, SqlError>>,
{
    let (cx, began) = match core.begin(command, info) {
        Ok(begun) => begun,
        Err(reason) => return tell(to, Err(Killed(reason).into())),
    };
    let mut sink = RowSink::new(ReplySink::of_nobody(), &cx);
    let result = {
        let mut running = run(core, &cx, &mut sink, began);
        poll_fn(|task| {
            let polled = running.as_mut().poll(task);
            if polled.is_pending() && to.as_mut().is_some_and(|to| to.poll_closed(task).is_ready()) {
                abandon(&cx, task);
                to = None;
            }
            polled
        })
        .await
    };
    let farewell = core.settle(result);
    let end = farewell.result.as_ref().map(|_| 0).map_err(SqlError::clone);
    tell(to, farewell.result);
    core.finish(cx, end, farewell.killed, core.ended());
}

/// Nobody waits for the answer any more: the next poll, which comes at once, sees that.
fn abandon(cx: &StatementContext, task: &std::task::Context<'_>) {
    cx.slot().switch.cancel(cx.number(), Reason::Abandoned);
    task.waker().wake_by_ref();
}
