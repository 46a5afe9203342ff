//! Timers of a session's work. A session may outlive the arbiter that it was begun on: then its work is polled to the end
//! on the supervisor's, where the timers of the first, whose tokio runtime is gone, can no longer be polled.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    runtime::{Handle, Id},
    time::{Instant, Sleep, sleep_until},
};

/// Ready after a time, on whichever runtime it is polled.
#[derive(Debug)]
pub(crate) struct Timer {
    /// `None`: never.
    at: Option<Instant>,
    armed: Option<(Id, Pin<Box<Sleep>>)>,
}

impl Timer {
    /// The time begins now.
    pub(crate) fn after(time: Duration) -> Self {
        Self { at: Instant::now().checked_add(time), armed: None }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let here = Handle::current().id();
        let (_, sleep) = match self.armed.take_if(|(there, _)| *there == here) {
            Some(armed) => self.armed.insert(armed),
            None => self.armed.insert((here, Box::pin(sleep_until(at)))),
        };
        sleep.as_mut().poll(cx)
    }
}

/// The future's output, unless it takes longer than `time`.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = Timer::after(time);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        Pin::new(&mut timer).poll(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
    }

    #[test]
    fn it_goes_on_where_its_runtime_has_ended() {
        let (first, second) = (runtime(), runtime());
        let mut timer = Timer::after(Duration::from_secs(3));
        first.block_on(async { assert!(poll!(&mut timer).is_pending()) });
        drop(first);
        second.block_on(async {
            assert!(poll!(&mut timer).is_pending());
            let before = Instant::now();
            timer.await;
            assert!(before.elapsed() >= Duration::from_secs(2));
        });
    }

    #[test]
    fn what_is_done_in_time_is_not_cut_off() {
        runtime().block_on(async {
            let second = Duration::from_secs(1);
            assert_eq!(within(second, async { 7 }).await, Some(7));
            assert_eq!(within(Duration::ZERO, async { 7 }).await, Some(7), "what is done is done");
            assert_eq!(within(second, std::future::pending::<()>()).await, None);
            let slow = tokio::time::sleep(Duration::from_secs(60));
            assert_eq!(within(Duration::MAX, slow).await, Some(()), "no end is an end like any other");
        });
    }
}
