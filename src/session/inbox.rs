//! What the session's actor and its work loop share: the queue of what was asked, and the slot once there is one.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::{Message, dev::OneshotSender};
use bytes::Bytes;

use super::messages::{Prepare, Query, Reset, UseDatabase};
use crate::{
    model::{ErrorKind, Killed, Reason, SqlError, Statement},
    state::Slot,
};

/// Where the answer to `M` goes; nowhere, if it came by `do_send`.
type To<M> = Option<OneshotSender<<M as Message>::Result>>;

/// What a session was asked for by a message.
pub enum Request {
    Query(Statement, To<Query>),
    Prepare(Bytes, To<Prepare>),
    UseDatabase(String, To<UseDatabase>),
    Reset(To<Reset>),
}

/// A message that waits in the inbox for its turn.
pub trait Ask: Message {
    /// What is put there.
    fn request(self, to: Option<OneshotSender<Self::Result>>) -> Request;
}

impl Ask for Query {
    fn request(self, to: To<Self>) -> Request {
        Request::Query(self.0, to)
    }
}

impl Ask for Prepare {
    fn request(self, to: To<Self>) -> Request {
        Request::Prepare(self.0, to)
    }
}

impl Ask for UseDatabase {
    fn request(self, to: To<Self>) -> Request {
        Request::UseDatabase(self.0, to)
    }
}

impl Ask for Reset {
    fn request(self, to: To<Self>) -> Request {
        Request::Reset(to)
    }
}

impl Request {
    /// Whether whoever asked has stopped waiting for the answer.
    pub(crate) fn is_abandoned(&self) -> bool {
        fn gone<T>(to: &Option<OneshotSender<T>>) -> bool {
            to.as_ref().is_some_and(OneshotSender::is_closed)
        }
        match self {
            Request::Query(_, to) => gone(to),
            Request::Prepare(_, to) => gone(to),
            Request::UseDatabase(_, to) | Request::Reset(to) => gone(to),
        }
    }

    /// Answers with an error.
    pub(crate) fn refuse(self, error: SqlError) {
        match self {
            Request::Query(_, to) => tell(to, Err(error)),
            Request::Prepare(_, to) => tell(to, Err(error)),
            Request::UseDatabase(_, to) | Request::Reset(to) => tell(to, Err(error)),
        }
    }
}

/// Answers, if anybody waits for it.
pub(crate) fn tell<T>(to: Option<OneshotSender<T>>, answer: T) {
    if let Some(to) = to {
        let _ = to.send(answer);
    }
}

/// See the module's text. There are no wakers in it: the actor polls its work loop after every message.
pub(crate) struct Inbox {
    slot: OnceLock<Arc<Slot>>,
    state: Mutex<State>,
    /// Whether anything waits: so that the loop, which looks after every poll, does so without the lock. Changed within it.
    waits: AtomicBool,
    bound: usize,
}

struct State {
    /// The one that is next: nearly always the only one, and then no queue is needed. On the heap: an idle session has
    /// none.
    next: Option<Box<Request>>,
    queue: VecDeque<Box<Request>>,
    /// Asked to end before there was a slot to write it to.
    early: Option<Reason>,
    open: bool,
}

impl Inbox {
    /// For a session that takes its statements from messages, so many of which may wait.
    pub(crate) fn new(bound: usize) -> Arc<Self> {
        Self::with(bound, true)
    }

    /// For a session that takes its statements from elsewhere.
    #[cfg(feature = "mysql")]
    pub(crate) fn closed() -> Arc<Self> {
        Self::with(0, false)
    }

    fn with(bound: usize, open: bool) -> Arc<Self> {
        let state = Mutex::new(State { next: None, queue: VecDeque::new(), early: None, open });
        Arc::new(Self { slot: OnceLock::new(), state, waits: AtomicBool::new(false), bound })
    }

    /// The session has its slot now.
    pub(crate) fn set_slot(&self, slot: &Arc<Slot>) {
        let mut state = self.state();
        // Set once, by the one work loop.
        let _ = self.slot.set(Arc::clone(slot));
        if let Some(reason) = state.early.take() {
            slot.switch.terminate(reason);
        }
    }

    pub(crate) fn slot(&self) -> Option<&Arc<Slot>> {
        self.slot.get()
    }

    /// Ends the session, whether it has a slot yet or not.
    pub(crate) fn terminate(&self, reason: Reason) {
        let mut state = self.state();
        match self.slot.get() {
            Some(slot) => {
                slot.switch.terminate(reason);
            }
            None => {
                state.early.get_or_insert(reason);
            }
        }
    }

    /// Queues what was asked, or answers with an error at once.
    pub(crate) fn push(&self, request: Request) {
        let mut state = self.state();
        let error = if !state.open {
            match self.slot().and_then(|slot| slot.switch.word().leaving()) {
                Some(reason) => Killed(reason).into(),
                None => SqlError::not_supported("statements by message in a session that a client drives"),
            }
        } else if state.queue.len() + usize::from(state.next.is_some()) >= self.bound {
            SqlError::of(ErrorKind::UnknownError, "Too many statements wait in this session")
        } else {
            let request = Box::new(request);
            if state.next.is_none() && state.queue.is_empty() {
                state.next = Some(request);
            } else {
                state.queue.push_back(request);
            }
            self.waits.store(true, Ordering::Release);
            return;
        };
        drop(state);
        request.refuse(error);
    }

    pub(crate) fn pop(&self) -> Option<Box<Request>> {
        if !self.waits.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state();
        let request = state.next.take().or_else(|| state.queue.pop_front());
        if state.queue.is_empty() {
            self.waits.store(false, Ordering::Release);
            if state.queue.capacity() > 0 {
                // Nothing is kept for the idle.
                state.queue = VecDeque::new();
            }
        }
        request
    }

    /// Takes no more; what still waits is answered with the error.
    pub(crate) fn close(&self, reason: Reason) {
        let waiting = {
            let mut state = self.state();
            state.open = false;
            (state.next.take(), std::mem::take(&mut state.queue))
        };
        for request in waiting.0.into_iter().chain(waiting.1) {
            request.refuse(Killed(reason).into());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
