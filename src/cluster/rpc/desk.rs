//! Who is heard at the peers' port, and who is refused.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};
use tonic::{Request, Status};

use super::{
    Method,
    listen::Caller,
    messages::{Answer, Call, Standing},
    millis,
    seal::{Heard, Secret, Unheard},
};
use crate::{
    cluster::{Identity, trust::Trust},
    model::{Event, Origin, PeerRefusal},
    supervisor::Registry,
};

/// Strangers are warned of once in so long; those in between are counted.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// See the module's text.
pub(super) struct Desk {
    pub(super) registry: Arc<Registry>,
    pub(super) trust: Trust,
    /// What this node is, while it has a place in the cluster.
    identity: watch::Receiver<Option<Identity>>,
    /// Since when it hears, in milliseconds since 1970.
    begun: u64,
    heard: Mutex<Heard>,
    /// When somebody was last warned of, and how many since.
    warned: Mutex<(Option<Instant>, u64)>,
}

/// A call of a node's that is to be answered: with a seal, if there is a secret.
pub(super) struct Heeded {
    method: Method,
    secret: Option<Secret>,
    /// What it asks for.
    pub(super) call: Call,
}

impl Desk {
    pub(super) fn new(registry: Arc<Registry>, trust: Trust, identity: watch::Receiver<Option<Identity>>) -> Self {
        let begun = millis(SystemTime::now());
        Self { registry, trust, identity, begun, heard: Mutex::default(), warned: Mutex::default() }
    }

    /// Hears a call: whether it is a node's comes first. Then, whether this node may act, and whether it is the one that
    /// was meant: of a call that another answer than that is due to, the answer.
    ///
    /// # Errors
    /// It is no node's.
    pub(super) fn hear(&self, method: Method, request: Request<Call>) -> Result<Result<Heeded, Answer>, Status> {
        let caller = request.extensions().get::<Arc<Caller>>().cloned();
        let caller = caller.ok_or_else(|| Status::internal("a call without a connection"))?;
        let call = request.into_inner();
        let secret = self.trust.sealing().cloned();
        if let Some(secret) = &secret {
            let unheard = |unheard| match unheard {
                Unheard::Refused(why) => self.refused(caller.from, why),
                Unheard::TooMany => Status::resource_exhausted("too many calls within the time of a seal"),
            };
            let nonce = secret.check_call(method.path(), &call).map_err(|why| unheard(Unheard::Refused(why)))?;
            // Without epochs nothing else tells a call to this process from one to the one before, which may have heard it.
            if call.epoch == 0 && call.moment < self.begun {
                return Err(unheard(Unheard::Refused(PeerRefusal::Stale)));
            }
            let now = millis(SystemTime::now());
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let result = heard.hear(now, call.moment, nonce);
            drop(heard);
            result.map_err(unheard)?;
        }
        caller.known.store(true, Ordering::Release);
        let whom = Identity { server: call.server, epoch: call.epoch };
        let heeded = Heeded { method, secret, call };
        if !self.registry.stands() {
            return Ok(Err(heeded.answer(Standing::Offline, Vec::new())));
        }
        if *self.identity.borrow() != Some(whom) {
            return Ok(Err(heeded.answer(Standing::Another, Vec::new())));
        }
        Ok(Ok(heeded))
    }

    /// Somebody is no node: that is counted, told, and warned of.
    pub(super) fn refused(&self, from: SocketAddr, why: PeerRefusal) -> Status {
        self.registry.counters.peer_refused();
        self.registry.events.publish(None, || Event::PeerRefused { from: Origin::from(from), why });
        self.warn(|omitted| tracing::warn!(%from, %why, omitted, "somebody who is no node called at the peers' port"));
        Status::unauthenticated(why.to_string())
    }

    /// Warns, unless that was done just before; with how many times it was not.
    pub(super) fn warn(&self, warn: impl FnOnce(u64)) {
        let now = Instant::now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, omitted) = &mut *warned;
        if last.is_some_and(|last| now.saturating_duration_since(last) < WARN_EVERY) {
            *omitted += 1;
            return;
        }
        *last = Some(now);
        let omitted = std::mem::take(omitted);
        drop(warned);
        warn(omitted);
    }
}

impl Heeded {
    /// The one answer.
    pub(super) fn answer(&self, standing: Standing, body: Vec<u8>) -> Answer {
        self.piece(0, true, standing, body)
    }

    /// A piece of the answer.
    pub(super) fn piece(&self, number: u32, last: bool, standing: Standing, body: Vec<u8>) -> Answer {
        let standing = standing.into();
        let mut answer = Answer { number, last, standing, body: body.into(), ..Answer::default() };
        if let Some(secret) = &self.secret {
            answer.seal = secret.of_answer(self.method.path(), &self.call.nonce, &answer).to_vec().into();
        }
        answer
    }
}
