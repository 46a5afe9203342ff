//! What subscribers are told, without ever keeping a session waiting: each has a bound, and what goes beyond it is
//! counted and told as [`Event::Lagged`].

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use actix::{Message, Recipient};

use crate::{
    id::SessionId,
    lock::{Held, Lock, Over},
    model::Event,
};

/// One event, sent to every subscriber.
///
/// It counts against the subscriber's bound until it is dropped. A subscriber that keeps events takes
/// [`SessionEvent::event`] out of it; that counts no more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SessionEvent {
    /// The session that it is about; `None` where there is none ([`Event::Lagged`], a kill by the host itself).
    pub session: Option<SessionId>,
    /// What happened.
    pub event: Event,
    /// Held, not read: its drop makes room.
    #[allow(dead_code)]
    place: Place,
}

/// A place within a subscriber's bound.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

struct Subscriber {
    to: Recipient<SessionEvent>,
    bound: usize,
    held: Arc<AtomicUsize>,
    lost: u64,
}

impl Subscriber {
    fn offer(&mut self, session: Option<SessionId>, event: &Event) {
        // A place for the event itself, and one for the word of what was lost before it.
        let wanted = if self.lost > 0 { 2 } else { 1 };
        if self.held.load(Ordering::Acquire) + wanted > self.bound {
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            self.send(None, Event::Lagged(lost));
        }
        self.send(session, event.clone());
    }

    fn send(&self, session: Option<SessionId>, event: Event) {
        self.held.fetch_add(1, Ordering::AcqRel);
        self.to.do_send(SessionEvent { session, event, place: Place(Arc::clone(&self.held)) });
    }
}

/// The subscribers of one runtime.
pub(crate) struct Events {
    wanted: AtomicBool,
    subscribers: Lock<Vec<Subscriber>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { wanted: AtomicBool::new(false), subscribers: Lock::new(Over::Subscribers, Vec::new()) }
    }
}

impl Events {
    /// Adds a subscriber; at most `bound` events (two at least) wait for it at a time.
    pub(crate) fn subscribe(&self, to: Recipient<SessionEvent>, bound: usize) {
        let subscriber = Subscriber { to, bound: bound.max(2), held: Arc::default(), lost: 0 };
        self.subscribers().push(subscriber);
        self.wanted.store(true, Ordering::Release);
    }

    /// Whether anybody listens: one load, for who would have to make something up first.
    pub(crate) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Tells all subscribers. Without any, `event` is not even made.
    pub(crate) fn publish(&self, session: Option<SessionId>, event: impl FnOnce() -> Event) {
        if !self.wanted() {
            return;
        }
        let event = event();
        let mut subscribers = self.subscribers();
        subscribers.retain(|subscriber| subscriber.to.connected());
        subscribers.iter_mut().for_each(|subscriber| subscriber.offer(session, &event));
        if subscribers.is_empty() {
            self.wanted.store(false, Ordering::Release);
        }
    }

    fn subscribers(&self) -> Held<'_, Vec<Subscriber>> {
        self.subscribers.hold()
    }
}
