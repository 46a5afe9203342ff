//! What the session's actor and its work loop share: the queue of what was asked, and the slot once there is one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use actix::dev::OneshotSender;
use bytes::Bytes;

use super::{results::ReplyTo, slot::Slot};
use crate::model::{ErrorKind, Killed, Prepared, Reason, SqlError, Statement};

/// What a session was asked for by a message.
pub(crate) enum Request {
    /// [`super::Query`].
    Query(Statement, Option<ReplyTo>),
    /// [`super::Prepare`].
    Prepare(Bytes, Option<OneshotSender<Result<Prepared, SqlError>>>),
}

impl Request {
    /// Answers with an error.
    pub(crate) fn refuse(self, error: SqlError) {
        // Whoever asked may have gone: then there is nobody to tell.
        match self {
            Request::Query(_, Some(to)) => drop(to.send(Err(error))),
            Request::Prepare(_, Some(to)) => drop(to.send(Err(error))),
            Request::Query(_, None) | Request::Prepare(_, None) => {}
        }
    }
}

/// See the module's text. There are no wakers in it: the actor polls its work loop after every message.
pub(crate) struct Inbox {
    slot: OnceLock<Arc<Slot>>,
    state: Mutex<State>,
    bound: usize,
}

struct State {
    queue: VecDeque<Request>,
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
        let state = Mutex::new(State { queue: VecDeque::new(), early: None, open });
        Arc::new(Self { slot: OnceLock::new(), state, bound })
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
        } else if state.queue.len() >= self.bound {
            SqlError::of(ErrorKind::UnknownError, "Too many statements wait in this session")
        } else {
            state.queue.push_back(request);
            return;
        };
        drop(state);
        request.refuse(error);
    }

    pub(crate) fn pop(&self) -> Option<Request> {
        let mut state = self.state();
        let request = state.queue.pop_front();
        if state.queue.is_empty() && state.queue.capacity() > 8 {
            state.queue = VecDeque::new();
        }
        request
    }

    /// Takes no more; what still waits is answered with the error.
    pub(crate) fn close(&self, reason: Reason) {
        let waiting = {
            let mut state = self.state();
            state.open = false;
            std::mem::take(&mut state.queue)
        };
        for request in waiting {
            request.refuse(Killed(reason).into());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
