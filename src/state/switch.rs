//! The kill switch: a session's [`Word`], shared between the session that lives by it and everybody who may end it,
//! and whoever waits for it to change.
//!
//! Reading is one load; every change is one compare-and-swap, so nobody waits for anybody. The list of waiters has a
//! lock of its own, taken only by those who wait and when a reason was raised or settled: never on the way of a
//! statement that nobody kills.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use slab::Slab;

use super::{
    sync::{AtomicU64, Mutex, Ordering},
    word::{Raised, Word},
};
use crate::model::{Reason, StatementNo};

/// See the module's text.
pub struct KillSwitch {
    word: AtomicU64,
    waiters: Mutex<Slab<Waker>>,
}

impl KillSwitch {
    /// A session that has run nothing.
    pub fn new() -> Self {
        Self { word: AtomicU64::new(Word::NEW.0), waiters: Mutex::new(Slab::new()) }
    }

    /// The state as it is now.
    pub fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Begins the next statement; refused once the session is to end. Called by the session alone.
    pub fn begin(&self) -> Result<StatementNo, Reason> {
        self.change(|word| match word.begin() {
            Ok(next) => (next, Ok(next.number())),
            Err(reason) => (word, Err(reason)),
        })
    }

    /// Ends statement `number` if it is the running one.
    pub fn cancel(&self, number: StatementNo, why: Reason) -> Raised {
        let raised = self.change(|word| word.cancel(number, why));
        if raised == Raised::First {
            self.wake_all();
        }
        raised
    }

    /// Ends the session, and with it what it runs.
    pub fn terminate(&self, why: Reason) -> Raised {
        self.leave(why, false)
    }

    /// Ends the session, and with it what it runs, if its state is still the one that was seen.
    #[cfg(feature = "policies")]
    pub fn terminate_seen(&self, seen: Word, why: Reason) -> Raised {
        let leave = |word: Word| if word == seen { word.leave(why, false) } else { (word, Raised::NotRunning) };
        let raised = self.change(leave);
        if raised == Raised::First {
            self.wake_all();
        }
        raised
    }

    /// Ends the session when the statement that it runs is over.
    pub fn drain(&self, why: Reason) -> Raised {
        self.leave(why, true)
    }

    /// Ends the session for [`Reason::Shutdown`] as soon as it is between two transactions: now, with
    /// [`Raised::First`], or when the statement is finished that ends the last one.
    pub fn wind_down(&self) -> Raised {
        let raised = self.change(Word::wind_down);
        if raised == Raised::First {
            self.wake_all();
        }
        raised
    }

    /// Ends the session, if nothing was begun in it since statement `number`.
    pub fn leave_idle(&self, number: StatementNo, why: Reason) -> Raised {
        let raised = self.change(|word| word.leave_idle(number, why));
        if raised == Raised::First {
            self.wake_all();
        }
        raised
    }

    fn leave(&self, why: Reason, after_statement: bool) -> Raised {
        let raised = self.change(|word| word.leave(why, after_statement));
        if raised == Raised::First {
            self.wake_all();
        }
        raised
    }

    /// The running statement ends well, unless a reason was raised first: then that reason is the answer, and the
    /// statement stays `Killed` until [`KillSwitch::finish`]. Called by the session alone.
    pub fn complete(&self) -> Result<(), Reason> {
        self.change(|word| match word.complete() {
            Ok(next) => (next, Ok(())),
            Err(reason) => (word, Err(reason)),
        })
    }

    /// The running statement is over, however it ended; `open`: it leaves a transaction open. Gives the state as it was
    /// before, and as it is now. Called by the session alone.
    pub fn finish(&self, open: bool) -> (Word, Word) {
        let (before, after) = self.change(|word| {
            let next = word.finish(open);
            (next, (word, next))
        });
        if before.killed().is_some() || before.leaving() != after.leaving() {
            self.wake_all();
        }
        (before, after)
    }

    /// The session is over. Called once, by the session's registration.
    pub fn close(&self, why: Reason) {
        self.change(|word| (word.close(why), ()));
        self.wake_all();
    }

    /// Waits until `seen` finds what it looks for. It is asked at once, and again whenever a reason was raised or
    /// settled.
    pub fn until<T, F: Fn(Word) -> Option<T> + Unpin>(&self, seen: F) -> Until<'_, F> {
        Until { switch: self, seen, place: None }
    }

    fn change<T>(&self, step: impl Fn(Word) -> (Word, T)) -> T {
        let mut current = self.word.load(Ordering::Acquire);
        loop {
            let (next, answer) = step(Word(current));
            if next.0 == current {
                return answer;
            }
            match self.word.compare_exchange_weak(current, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return answer,
                Err(newer) => current = newer,
            }
        }
    }

    fn waiters<T>(&self, visit: impl FnOnce(&mut Slab<Waker>) -> T) -> T {
        // A waker's clone or drop that panicked leaves a list that is still a list.
        visit(&mut self.waiters.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiters(|list| list.len())
    }

    fn wake_all(&self) {
        // Woken outside the lock: a waker may run code that comes back here. Nearly always there is one at most.
        let (first, others) = self.waiters(|list| {
            let mut wakers = list.iter().map(|(_, waker)| waker.clone());
            (wakers.next(), wakers.collect::<Vec<Waker>>())
        });
        first.into_iter().chain(others).for_each(Waker::wake);
    }
}

impl Default for KillSwitch {
    fn default() -> Self {
        Self::new()
    }
}

/// The future of [`KillSwitch::until`].
pub struct Until<'a, F> {
    switch: &'a KillSwitch,
    seen: F,
    place: Option<usize>,
}

impl<T, F: Fn(Word) -> Option<T> + Unpin> Future for Until<'_, F> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        if let Some(found) = (this.seen)(this.switch.word()) {
            return Poll::Ready(found);
        }
        this.place = Some(this.switch.waiters(|list| match this.place.and_then(|place| list.get_mut(place)) {
            Some(waker) => {
                waker.clone_from(cx.waker());
                this.place.unwrap_or_default()
            }
            None => list.insert(cx.waker().clone()),
        }));
        // A change between the first look and the entry in the list has woken nobody: look again.
        match (this.seen)(this.switch.word()) {
            Some(found) => Poll::Ready(found),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Until<'_, F> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let waker = self.switch.waiters(|list| {
                let waker = list.try_remove(place);
                if list.is_empty() {
                    // Nothing is kept for the idle.
                    *list = Slab::new();
                }
                waker
            });
            drop(waker);
        }
    }
}
