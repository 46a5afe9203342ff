//! The supervisor actor. It carries out kills, keeps the time and shuts the whole down; it is on the way of no statement, and
//! of no connect: what both need of the registry they find there, under locks that are held for a few words. Its handlers
//! return at once: what must look at many sessions does so in a future of its own, some sessions at a time.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, MessageResult, ResponseFuture, WrapFuture,
    dev::{MessageResponse, OneshotSender},
};
use futures::{FutureExt, future::BoxFuture};
use tokio::{task::yield_now, time::timeout};

#[cfg(feature = "cluster")]
use super::errand;
use super::{
    counters::Asked,
    history,
    kill::{Refusal, Requester},
    listing::Listing,
    messages::{Kill, List, Reap, Retire, Shutdown, Summary},
    receipt::Receipt,
    registry::Registry,
    shutdown::Closing,
    timers,
};
use crate::{
    control::{logged, logged_target, shown_kill_error, shown_target},
    id::SessionId,
    model::{Event, KillCause, KillError, Origin, Target},
    state::Slot,
};

/// See the module's text.
pub struct Supervisor {
    registry: Arc<Registry>,
    /// How long a session's rollback may take at its end.
    rollback_timeout: Duration,
    /// The shutdown, once it was asked for.
    closing: Option<Closing>,
}

impl Supervisor {
    pub(crate) fn new(registry: Arc<Registry>, rollback_timeout: Duration) -> Self {
        Self { registry, rollback_timeout, closing: None }
    }

    #[cfg(feature = "policies")]
    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("registry", &self.registry).finish_non_exhaustive()
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

impl Handler<List> for Supervisor {
    type Result = MessageResult<List>;

    fn handle(&mut self, List { by }: List, _: &mut Self::Context) -> Self::Result {
        MessageResult(Listing::new(Arc::clone(&self.registry), by))
    }
}

impl Handler<Kill> for Supervisor {
    type Result = KillAnswer;

    fn handle(&mut self, kill: Kill, _: &mut Self::Context) -> Self::Result {
        if let Some(answer) = kill_by_id(&self.registry, &kill) {
            return answer;
        }
        let registry = Arc::clone(&self.registry);
        KillAnswer::Later(Box::pin(async move {
            if !registry.stands() {
                return Err(KillError::Offline);
            }
            let by = requester(&registry, &kill);
            let result = search_and_kill(&registry, &by, &kill).await;
            #[cfg(feature = "cluster")]
            let result = errand::search_elsewhere(&registry, &kill, result).await;
            told(&registry, &kill, cause(&kill), peer(&registry, &kill), by.kill, result)
        }))
    }
}

/// Carries out a kill of one session, by its id, wherever in the cluster the session is; `None`: its victims must be looked
/// for. A statement's kill comes here on its session's own arbiter: a message to the supervisor would wait until the machine
/// has woken its thread, which takes longer than all of the rest, and milliseconds where the processors are busy.
pub(crate) fn kill_by_id(registry: &Arc<Registry>, kill: &Kill) -> Option<KillAnswer> {
    let Target::Session(id) = kill.target else { return None };
    // A client of a proxy has several.
    if registry.is_client_id(id) {
        return None;
    }
    if !registry.is_supervised() {
        return Some(KillAnswer::Now(Err(KillError::Stopped)));
    }
    if !registry.stands() {
        return Some(KillAnswer::Now(Err(KillError::Offline)));
    }
    #[cfg(feature = "cluster")]
    if let Some(elsewhere) = errand::owner(registry, id) {
        return Some(KillAnswer::Later(errand::send(registry, elsewhere, kill)));
    }
    let by = requester(registry, kill);
    let result = registry.kill_session(&by, id, kill.mode);
    Some(KillAnswer::Now(told(registry, kill, cause(kill), peer(registry, kill), by.kill, result)))
}

/// Looks for the victims among this server's sessions, some at a time.
pub(super) async fn search_and_kill(registry: &Registry, by: &Requester<'_>, kill: &Kill) -> Result<Receipt, Refusal> {
    // By its id, that can be nothing but a client of a proxy: others were not looked for.
    if let Target::Session(id) = kill.target {
        return registry.kill_client(by, id, kill.mode);
    }
    // With room for one: whether one is found is not to show by the time that it takes.
    let mut found: Vec<Arc<Slot>> = Vec::with_capacity(1);
    for chunk in registry.chunks() {
        found.extend(chunk.into_iter().filter(|slot| registry.matches(&kill.target, slot)));
        yield_now().await;
    }
    match &kill.target {
        Target::Statement(query_id) => registry.kill_statement(by, found.pop(), *query_id),
        Target::Named(name) => registry.kill_named(by, name, found),
        _ => registry.kill_user(by, &kill.target, found, kill.mode),
    }
}

/// Who asks, with a number for the kill. From where is looked up only if somebody is to be told of it.
fn requester<'a>(registry: &Registry, kill: &'a Kill) -> Requester<'a> {
    let told = registry.dialect.tells_killers();
    let peer = if told { peer(registry, kill) } else { None };
    Requester { principal: &kill.by, session: kill.from, peer, kill: registry.next_kill() }
}

pub(super) fn peer(registry: &Registry, kill: &Kill) -> Option<Origin> {
    kill.from.and_then(|id| registry.get(id)).map(|slot| slot.peer())
}

/// The id that lists show of a session: of one that is not here, its own.
pub(super) fn shown_id(registry: &Registry, id: SessionId) -> SessionId {
    registry.get(id).map_or(id, |slot| slot.shown_id())
}

/// Why it was asked for, if by somebody else than the policies.
pub(super) fn cause(kill: &Kill) -> KillCause {
    if kill.from.is_some() { KillCause::Statement } else { KillCause::Host }
}

/// Counts the kill, keeps it and tells the subscribers of it. What is hidden from the requester is not hidden from them.
/// `from`: where the requester's client is.
pub(super) fn told(
    registry: &Registry,
    kill: &Kill,
    cause: KillCause,
    from: Option<Origin>,
    number: u64,
    result: Result<Receipt, Refusal>,
) -> Result<Receipt, KillError> {
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
        Ok(receipt) if receipt.is_elsewhere() => Asked::Signalled,
        Ok(receipt) if receipt.has_struck() => Asked::Signalled,
        Ok(_) => Asked::NothingToEnd,
        Err(_) if denied => Asked::Denied,
        Err(refusal) => match refusal.truth() {
            Some(KillError::Unreachable { .. }) => Asked::Unreachable,
            Some(KillError::Unanswered { .. } | KillError::ClientNotReached { .. }) => Asked::Unanswered,
            Some(_) => Asked::Unknown,
            None => Asked::NothingToEnd,
        },
    };
    registry.counters.asked(kill.mode, came_of_it);
    let (by, target, mode) = (kill.by.user(), &kill.target, kill.mode);
    match &outcome {
        Ok(sessions @ 1..) => {
            tracing::info!(by = logged(by), target = logged_target(target), ?mode, %cause, sessions, spared, "kill");
        }
        // Anybody can ask for these as often as they like.
        Ok(_) => tracing::debug!(by = logged(by), target = logged_target(target), ?mode, %cause, sessions = 0, "kill"),
        Err(error) => {
            let why = || logged(&error.to_string());
            tracing::debug!(by = logged(by), target = logged_target(target), ?mode, %cause, error = why(), "kill");
        }
    }
    // The host's clock is not asked under the lock: its code may panic, or look at the history itself.
    let at = registry.clock().now();
    let asker = kill.from.map(|id| (shown_id(registry, id), from));
    let entries = history::entries((number, at), &registry.dialect, kill, &cause, asker, &result);
    registry.history().add(entries);
    registry.events.publish(kill.from, || Event::KillAsked {
        kill: number,
        by: Arc::clone(&kill.by),
        target: shown_target(&kill.target),
        mode: kill.mode,
        cause,
        spared,
        outcome: outcome.map_err(shown_kill_error),
    });
    match result {
        Ok(receipt) => receipt.told(),
        Err(refusal) => refusal.told.map_or_else(|| Ok(Receipt::of(Vec::new())), Err),
    }
}

/// A kill of one session of this server is answered at once; one that must be looked for, or is for another node to carry
/// out, when that was done.
pub enum KillAnswer {
    /// The answer.
    Now(Result<Receipt, KillError>),
    /// It will come.
    Later(BoxFuture<'static, Result<Receipt, KillError>>),
}

impl MessageResponse<Supervisor, Kill> for KillAnswer {
    fn handle(self, ctx: &mut Context<Supervisor>, to: Option<OneshotSender<Result<Receipt, KillError>>>) {
        match self {
            KillAnswer::Now(result) => drop(to.map(|to| to.send(result))),
            KillAnswer::Later(future) => {
                let future: ResponseFuture<_> = future;
                MessageResponse::<Supervisor, Kill>::handle(future, ctx, to);
            }
        }
    }
}

impl Handler<Retire> for Supervisor {
    type Result = ();

    /// Its timers would keep it for ever.
    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
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
        let closing = match &self.closing {
            Some(closing) => {
                closing.again(grace);
                closing
            }
            None => {
                let rollback = self.rollback_timeout.saturating_add(Duration::from_secs(1));
                self.closing.insert(Closing::begin(&self.registry, grace, rollback))
            }
        };
        Box::pin(closing.summary())
    }
}
