//! The pace of a worker: busy ones let others run before they sleep.
//!
//! A worker that has answered all it had sleeps until the next packet comes, and under load that is at once: then much of
//! its time goes into falling asleep and being woken. One that gives the processor away once before that, to its clients
//! among others, comes back to several packets at a time. Measured by `benches/side_by_side`.
//!
//! Three kinds of worker do not. One with a single answer would gain nothing. One whose answers wait for something else, as a
//! proxy's for its servers, has not only its clients to come back to it: it would be behind all of them with every step of an
//! answer. And one beside which something computes would wait for whole time slices where a sleeper is woken at once: for that
//! there is [`Patience`].

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::poll_fn,
    task::{Poll, Waker},
    time::Duration,
};

use futures::FutureExt;
use tokio::time::Instant;

/// So many answers since its last sleep make a worker a busy one.
const BUSY: u32 = 2;

thread_local! {
    static ANSWERS: Cell<u32> = const { Cell::new(0) };
    static PACER: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Keeps the pace of the arbiter that it is spawned on: once per arbiter.
pub(super) async fn keep() -> Infallible {
    let mut patience = Patience::new(Instant::now());
    poll_fn(|task| {
        PACER.with_borrow_mut(|pacer| match pacer {
            Some(waker) => waker.clone_from(task.waker()),
            None => *pacer = Some(task.waker().clone()),
        });
        if ANSWERS.replace(0) >= BUSY {
            let before = Instant::now();
            if patience.lasts(before) {
                std::thread::yield_now();
                patience.waited(before.elapsed());
            }
        }
        Poll::Pending
    })
    .await
}

/// Waits for an answer, and counts it for the pace of this arbiter if it comes at once.
pub(super) async fn counted<A: Future + Unpin>(mut answer: A) -> A::Output {
    let mut at_once = true;
    poll_fn(|task| {
        let polled = answer.poll_unpin(task);
        if polled.is_ready() && at_once {
            answered();
        }
        at_once = false;
        polled
    })
    .await
}

/// A session of this arbiter has answered. The pacer's turn is behind those who are ready already.
fn answered() {
    let answers = ANSWERS.get().saturating_add(1);
    ANSWERS.set(answers);
    if answers == 1 {
        PACER.with_borrow(|pacer| pacer.iter().for_each(Waker::wake_by_ref));
    }
}

/// How much longer a worker puts up with losing the processor to what computes.
///
/// Clients with something to do are mostly back sooner than a slice of time is over: only longer waits count as lost, and
/// of these a worker can afford a fiftieth of its time.
#[derive(Debug)]
struct Patience {
    left: Duration,
    at: Instant,
}

impl Patience {
    /// A shorter wait is no loss. Linux gives those who compute between 0.7 ms and 4 ms at a time.
    const SLICE: Duration = Duration::from_millis(2);
    /// One part in so many of its time.
    const SHARE: u32 = 50;
    /// What is not lost is saved up to here.
    const MOST: Duration = Duration::from_millis(20);

    fn new(now: Instant) -> Self {
        Self { left: Self::MOST, at: now }
    }

    /// Whether there is any left.
    fn lasts(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.at) / Self::SHARE;
        self.at = now;
        self.left = (self.left + earned).min(Self::MOST);
        // More than is lost at once: no loss goes uncounted.
        self.left >= Self::MOST / 2
    }

    /// It was away for so long.
    fn waited(&mut self, time: Duration) {
        if time >= Self::SLICE {
            self.left = self.left.saturating_sub(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Context};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_answer_that_waits_for_something_else_is_not_counted() {
        let (mut task, mut polls) = (Context::from_waker(Waker::noop()), 0);
        ANSWERS.set(0);
        let mut slow = pin!(counted(poll_fn(|_| {
            polls += 1;
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        })));
        assert!(slow.as_mut().poll(&mut task).is_pending());
        assert!(slow.as_mut().poll(&mut task).is_ready());
        assert_eq!(ANSWERS.get(), 0);
        assert_eq!(counted(std::future::ready(7)).now_or_never(), Some(7));
        assert_eq!(ANSWERS.get(), 1);
    }

    #[test]
    fn whoever_loses_nothing_never_runs_out_of_patience() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        for turn in 0..10_000 {
            assert!(patience.lasts(start + turn * MS));
            patience.waited(MS);
        }
    }

    #[test]
    fn beside_something_that_computes_a_worker_loses_a_fiftieth_of_its_time() {
        let mut now = Instant::now();
        let mut patience = Patience::new(now);
        let (mut lost, end) = (Duration::ZERO, now + 10_000 * MS);
        while now < end {
            if patience.lasts(now) {
                patience.waited(3 * MS);
                lost += 3 * MS;
                now += 3 * MS;
            }
            now += MS / 10;
        }
        let share = (10_000 * MS) / Patience::SHARE;
        assert!((share / 2..=2 * share + Patience::MOST).contains(&lost), "{lost:?} of 10 s");
    }
}
