//! The supervisor actor. It admits sessions, orders kills and shuts the whole down; it is not on the way of a
//! statement. Its handlers return at once: what must look at many sessions does so in a future of its own, some
//! sessions at a time.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use actix::{
    Actor, AsyncContext, Context, Handler, MessageResult, ResponseFuture, WrapFuture,
    dev::{MessageResponse, OneshotSender},
};
use futures::FutureExt;
use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{
    counters::Asked,
    kill::{Refusal, Requester},
    listing::Listing,
    messages::{Authenticated, Connect, Kill, List, Reap, Shutdown, Summary},
    receipt::Receipt,
    registry::{Registration, Registry},
    timers,
};
use crate::{
    model::{Event, KillError, Origin, Reason, Refused, Target},
    state::{Raised, Signal, Slot},
};

/// How often a shutdown looks whether all have left.
const LOOK: Duration = Duration::from_millis(5);

/// See the module's text.
#[derive(Debug)]
pub struct Supervisor {
    registry: Arc<Registry>,
    /// What a session's end may take beyond its rollback.
    rollback_timeout: Duration,
}

impl Supervisor {
    pub(crate) fn new(registry: Arc<Registry>, rollback_timeout: Duration) -> Self {
        Self { registry, rollback_timeout }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Every asker waits for its answer, so there are never more messages than sessions; a kill must not wait
        // outside a full mailbox.
        ctx.set_mailbox_capacity(1 << 24);
        ctx.spawn(timers::keep(Arc::clone(&self.registry)).into_actor(self));
    }
}

impl Handler<Connect> for Supervisor {
    type Result = Result<Registration, Refused>;

    fn handle(&mut self, connect: Connect, _: &mut Self::Context) -> Self::Result {
        self.registry.admit(connect.peer, connect.control, connect.principal)
    }
}

impl Handler<Authenticated> for Supervisor {
    type Result = Result<(), Refused>;

    fn handle(&mut self, Authenticated { id, principal }: Authenticated, _: &mut Self::Context) -> Self::Result {
        let slot = self.registry.get(id).ok_or(Refused::Ended(Reason::ClientGone))?;
        self.registry.authenticated(&slot, principal);
        Ok(())
    }
}

impl Handler<List> for Supervisor {
    type Result = MessageResult<List>;

    fn handle(&mut self, List { by }: List, _: &mut Self::Context) -> Self::Result {
        MessageResult(Listing::new(Arc::clone(&self.registry), by))
    }
}

impl Handler<Kill> for Supervisor {
    type Result = KillAnswer;

    fn handle(&mut self, kill: Kill, _: &mut Self::Context) -> Self::Result {
        let registry = Arc::clone(&self.registry);
        match kill.target {
            Target::Session(id) => {
                let by = requester(&registry, &kill);
                let result = registry.kill_session(&by, id, kill.mode);
                KillAnswer::Now(told(&registry, &kill, by.kill, result))
            }
            Target::Statement(_) | Target::Named(_) | Target::User { .. } => KillAnswer::Later(Box::pin(async move {
                let (number, result) = search_and_kill(&registry, &kill).await;
                told(&registry, &kill, number, result)
            })),
        }
    }
}

/// Looks for the victims, some sessions at a time.
async fn search_and_kill(registry: &Arc<Registry>, kill: &Kill) -> (u64, Result<Receipt, Refusal>) {
    // With room for one: whether one is found is not to show by the time that it takes.
    let mut found: Vec<Arc<Slot>> = Vec::with_capacity(1);
    for chunk in registry.chunks() {
        found.extend(chunk.into_iter().filter(|slot| registry.matches(&kill.target, slot)));
        yield_now().await;
    }
    let by = requester(registry, kill);
    let result = match &kill.target {
        Target::Statement(query_id) => registry.kill_statement(&by, found.pop(), *query_id),
        Target::Named(name) => registry.kill_named(&by, name, found),
        _ => registry.kill_user(&by, &kill.target, found, kill.mode),
    };
    (by.kill, result)
}

/// Who asks, with a number for the kill. From where is looked up only if somebody is to be told of it.
fn requester<'a>(registry: &Registry, kill: &'a Kill) -> Requester<'a> {
    let told = registry.dialect.tells_killers();
    let peer = if told { peer(registry, kill) } else { None };
    Requester { principal: &kill.by, session: kill.from, peer, kill: registry.next_kill() }
}

fn peer(registry: &Registry, kill: &Kill) -> Option<Origin> {
    kill.from.and_then(|id| registry.get(id)).map(|slot| slot.peer())
}

/// Counts the kill, keeps it and tells the subscribers of it. What is hidden from the requester is not hidden from them.
fn told(registry: &Registry, kill: &Kill, number: u64, result: Result<Receipt, Refusal>) -> Result<Receipt, KillError> {
    let outcome = match &result {
        Ok(receipt) => Ok(receipt.sessions() as u64),
        Err(refusal) => refusal.truth().map_or(Ok(0), Err),
    };
    // Both always, and nothing copied that no subscriber reads: a denial that is hidden is not to take longer, or less
    // long, than that of an id that nobody has.
    registry.counters.killed(outcome.unwrap_or(0));
    // Of a kill that reached some, those are told of that it was aimed at as well and that were not the requester's.
    let spared = result.as_ref().map_or(0, |receipt| receipt.spared().count);
    let denied = spared > 0 || outcome.is_err_and(KillError::is_denial);
    registry.counters.denied(denied.into());
    let came_of_it = match &result {
        Ok(receipt) if receipt.victims().iter().any(|victim| victim.struck.is_some()) => Asked::Signalled,
        Ok(_) => Asked::NothingToEnd,
        Err(_) if denied => Asked::Denied,
        Err(refusal) if refusal.truth().is_some() => Asked::Unknown,
        Err(_) => Asked::NothingToEnd,
    };
    registry.counters.asked(kill.mode, came_of_it);
    let (by, target, mode) = (kill.by.user(), &kill.target, kill.mode);
    match &outcome {
        Ok(sessions @ 1..) => tracing::info!(%by, ?target, ?mode, sessions, spared, "kill"),
        // Anybody can ask for these as often as they like.
        other => tracing::debug!(%by, ?target, ?mode, outcome = ?other, "kill"),
    }
    // The host's clock is not asked under the lock: its code may panic, or look at the history itself.
    let (at, from) = (registry.clock().now(), peer(registry, kill));
    registry.history().add((number, at), kill, from, &result);
    registry.events.publish(kill.from, || Event::KillAsked {
        kill: number,
        by: Arc::clone(&kill.by),
        target: kill.target.clone(),
        mode: kill.mode,
        spared,
        outcome: outcome.map_err(KillError::clone),
    });
    result.or_else(|refusal| refusal.told.map_or_else(|| Ok(Receipt::of(Vec::new())), Err))
}

/// A kill of one session is answered at once; one that must be looked for, when it was found.
pub enum KillAnswer {
    /// The answer.
    Now(Result<Receipt, KillError>),
    /// It will come.
    Later(ResponseFuture<Result<Receipt, KillError>>),
}

impl MessageResponse<Supervisor, Kill> for KillAnswer {
    fn handle(self, ctx: &mut Context<Supervisor>, to: Option<OneshotSender<Result<Receipt, KillError>>>) {
        match self {
            KillAnswer::Now(result) => drop(to.map(|to| to.send(result))),
            KillAnswer::Later(future) => MessageResponse::<Supervisor, Kill>::handle(future, ctx, to),
        }
    }
}

impl Handler<Reap> for Supervisor {
    type Result = ();

    fn handle(&mut self, Reap(work): Reap, ctx: &mut Self::Context) {
        let time = self.rollback_timeout.saturating_add(Duration::from_secs(1));
        let reaping = async move {
            // Polling work that panicked panics again; either way it is dropped here, and the session leaves the list.
            if timeout(time, AssertUnwindSafe(work).catch_unwind()).await.is_err() {
                tracing::warn!("the work of a session whose actor died did not end in time");
            }
        };
        ctx.spawn(reaping.into_actor(self));
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseFuture<Summary>;

    fn handle(&mut self, Shutdown { grace }: Shutdown, _: &mut Self::Context) -> Self::Result {
        let registry = Arc::clone(&self.registry);
        registry.close();
        let rollback = self.rollback_timeout.saturating_add(Duration::from_secs(1));
        Box::pin(async move {
            let reason = Reason::Shutdown;
            let total = registry.len();
            // First those that run nothing, and those that run something as soon as that is over.
            each(&registry, |slot| {
                if slot.switch.drain(reason) == Raised::First {
                    slot.signal(Signal::Leaving);
                }
            })
            .await;
            left(&registry, grace).await;
            let mut forced = 0;
            each(&registry, |slot| {
                if slot.switch.terminate(reason) == Raised::First {
                    slot.signal(Signal::Leaving);
                    forced += 1;
                }
            })
            .await;
            left(&registry, rollback).await;
            Summary { drained: total.saturating_sub(forced), forced, left_behind: registry.len() }
        })
    }
}

async fn each(registry: &Registry, mut visit: impl FnMut(&Slot)) {
    for chunk in registry.chunks() {
        chunk.iter().for_each(|slot| visit(slot));
        yield_now().await;
    }
}

/// Waits until all have left, for so long at most.
async fn left(registry: &Registry, time: Duration) {
    let begin = Instant::now();
    // What is left, rather than a moment at which it is over: a host may wait as long as it takes (`Duration::MAX`).
    while let Some(rest) = time.checked_sub(begin.elapsed()).filter(|rest| !rest.is_zero())
        && registry.len() > 0
    {
        sleep(LOOK.min(rest)).await;
    }
}
