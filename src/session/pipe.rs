//! A bounded pipe between the engine's side of a statement and whoever takes its rows.
//!
//! The bound is soft, in bytes: a push never fails and never waits, it says whether the pipe is full, and the engine
//! then waits for room. So a row is never half encoded, and what is held is bounded by the bound and one push.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::engine::Closed;

/// See the module's text.
pub(crate) struct Pipe<T> {
    state: Mutex<State<T>>,
    bound: usize,
}

struct State<T> {
    queue: VecDeque<(T, usize)>,
    held: usize,
    ended: bool,
    closed: bool,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

impl<T> Pipe<T> {
    pub(crate) fn new(bound: usize) -> Arc<Self> {
        let state = State { queue: VecDeque::new(), held: 0, ended: false, closed: false, writer: None, reader: None };
        Arc::new(Self { state: Mutex::new(state), bound })
    }

    /// Adds something of this many bytes. `true`: the pipe is full.
    pub(crate) fn push(&self, item: T, bytes: usize) -> bool {
        let mut state = self.state();
        if state.closed {
            return true;
        }
        state.queue.push_back((item, bytes));
        state.held += bytes;
        let full = state.held >= self.bound;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        full
    }

    /// Ready when there is room.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.state();
        if state.closed {
            Poll::Ready(Err(Closed))
        } else if state.held < self.bound {
            Poll::Ready(Ok(()))
        } else {
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    /// The next item; `None` after the end.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state();
        let Some((item, bytes)) = state.queue.pop_front() else {
            if state.ended {
                return Poll::Ready(None);
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.held -= bytes;
        if state.queue.is_empty() {
            // Nothing is kept for the idle.
            state.queue = VecDeque::new();
        }
        let writer = if state.held < self.bound { state.writer.take() } else { None };
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(item))
    }

    /// The writer is done.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// The reader is gone: what waits is dropped, and the writer is told.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.held = 0;
        let dropped = std::mem::take(&mut state.queue);
        let writer = state.writer.take();
        drop(state);
        drop(dropped);
        writer.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;

    use super::*;

    #[test]
    fn it_is_full_at_its_bound_and_has_room_again_below_it() {
        let mut cx = Context::from_waker(noop_waker_ref());
        let pipe = Pipe::new(10);
        assert!(!pipe.push("a", 9));
        assert!(pipe.push("b", 1));
        assert!(pipe.poll_room(&mut cx).is_pending());
        assert_eq!(pipe.poll_next(&mut cx), Poll::Ready(Some("a")));
        assert!(matches!(pipe.poll_room(&mut cx), Poll::Ready(Ok(()))));
        pipe.end();
        assert_eq!(pipe.poll_next(&mut cx), Poll::Ready(Some("b")));
        assert_eq!(pipe.poll_next(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn a_closed_pipe_holds_nothing_and_says_so() {
        let mut cx = Context::from_waker(noop_waker_ref());
        let kept = Arc::new(());
        let pipe = Pipe::new(10);
        pipe.push(Arc::clone(&kept), 100);
        pipe.close();
        pipe.push(Arc::clone(&kept), 100);
        assert_eq!(Arc::strong_count(&kept), 1);
        assert!(matches!(pipe.poll_room(&mut cx), Poll::Ready(Err(Closed))));
    }
}
