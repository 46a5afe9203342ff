//! How the whole is shut down: whoever is between two transactions leaves at once, the others when their transaction is
//! over, or when the grace is.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use super::{messages::Summary, registry::Registry};
use crate::{
    model::Reason,
    state::{Raised, Signal, Slot},
};

/// How often a shutdown looks whether all have left.
const LOOK: Duration = Duration::from_millis(5);

/// Answers that clients are still reading when the grace is over are waited for no longer than this, all in all: a session
/// rolls back when its own is read.
const ANSWERS: Duration = Duration::from_secs(10);

/// What clients are still being told is waited for no longer than this, once all sessions have left.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A shutdown that was begun. There is one for a runtime: whoever asks again shares its end.
pub(super) struct Closing {
    grace: Arc<Deadline>,
    summary: Shared<BoxFuture<'static, Summary>>,
}

impl Closing {
    /// Closes the registry, and says what is to be done then. `rollback`: how long what is left may take after the grace.
    pub(super) fn begin(registry: &Arc<Registry>, grace: Duration, rollback: Duration) -> Self {
        registry.stage.close();
        let grace = Arc::new(Deadline::after(grace));
        let summary = close(Arc::clone(registry), Arc::clone(&grace), rollback).boxed().shared();
        Self { grace, summary }
    }

    /// It was asked for again, with this grace: the one that is over first counts.
    pub(super) fn again(&self, grace: Duration) {
        self.grace.hasten(grace);
    }

    /// How it went, once it is over.
    pub(super) fn summary(&self) -> Shared<BoxFuture<'static, Summary>> {
        self.summary.clone()
    }
}

async fn close(registry: Arc<Registry>, grace: Arc<Deadline>, rollback: Duration) -> Summary {
    let total = registry.len();
    each(&registry, |slot| {
        if slot.switch.wind_down() == Raised::First {
            slot.signal(Signal::Leaving);
        }
    })
    .await;
    all(|| registry.len() == 0, &grace).await;
    let mut forced = 0;
    let (answers, telling) = (Deadline::after(ANSWERS), || registry.counters.farewells.get() > 0);
    each(&registry, |slot| {
        if slot.switch.terminate(Reason::Shutdown) == Raised::First {
            slot.signal(Signal::Leaving);
            forced += 1;
        }
    })
    .await;
    let left = || registry.len() == 0;
    all(left, &Deadline::after(rollback)).await;
    // Who is still reading rolls back behind that.
    if !left() && telling() {
        all(|| left() || !telling(), &answers).await;
        all(left, &Deadline::after(rollback)).await;
    }
    let left_behind = registry.len();
    all(|| !telling(), &Deadline::after(LAST_WORDS)).await;
    registry.stage.stop();
    Summary {
        drained: total.saturating_sub(forced),
        forced,
        transactions_ended: registry.counters.transactions_ended(),
        transactions_rolled_back: registry.counters.transactions_rolled_back(),
        left_behind,
    }
}

async fn each(registry: &Registry, mut visit: impl FnMut(&Slot)) {
    for chunk in registry.chunks() {
        chunk.iter().for_each(|slot| visit(slot));
        yield_now().await;
    }
}

/// Waits until `over`, or the deadline.
async fn all(over: impl Fn() -> bool, deadline: &Deadline) {
    while !over()
        && let Some(rest) = deadline.rest()
    {
        sleep(LOOK.min(rest)).await;
    }
}

/// When something is over, which may be moved forward. Never, for a host that waits as long as it takes
/// (`Duration::MAX`).
#[derive(Debug)]
struct Deadline(Mutex<Option<Instant>>);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(Mutex::new(Instant::now().checked_add(time)))
    }

    fn hasten(&self, time: Duration) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = sooner(*at, Instant::now().checked_add(time));
    }

    /// How long it is until then; `None`: it is over.
    fn rest(&self) -> Option<Duration> {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        (!rest.is_zero()).then_some(rest)
    }
}

/// The first of two moments; `None` is never.
fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use tracing::{Event, Subscriber};
    use tracing_subscriber::{
        Layer,
        layer::{Context, SubscriberExt},
    };

    use super::*;
    use crate::{
        dialect::{Dialect, Node},
        id::Layout,
        model::{Clock, Origin, Refused, Setting, Settings},
        supervisor::kill::tests::deaf,
    };

    /// Does something whenever the log is told of something: in the middle of what tells it.
    struct Meanwhile<F>(F);

    impl<S: Subscriber, F: Fn() + 'static> Layer<S> for Meanwhile<F> {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            (self.0)();
        }
    }

    /// Between the look at the stage and its entry in the list, a session has others make room, who are logged: a whole
    /// shutdown passes there.
    #[test]
    fn who_comes_while_a_shutdown_passes_is_refused() {
        let settings = Settings::new().count(Setting::MaxUnauthenticated, 1);
        let registry = Registry::new(Layout::plain32(), Dialect::mysql(), Node::default(), Clock::default(), &settings);
        let (passed, passing) = (Arc::new(Mutex::new(None)), Arc::clone(&registry));
        let shutdown = {
            let passed = Arc::clone(&passed);
            move || {
                let closing = Closing::begin(&passing, Duration::ZERO, Duration::ZERO);
                // It gives way between its steps, and there is nobody that it would wait for.
                *passed.lock().unwrap() =
                    std::iter::repeat_with(|| closing.summary().now_or_never()).take(100).flatten().next();
            }
        };
        let paused = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let late = paused.block_on(async {
            let first = registry.admit(Origin::Local, deaf(), None).unwrap();
            tokio::time::advance(Duration::from_secs(2)).await;
            let log = tracing_subscriber::registry().with(Meanwhile(shutdown));
            let late = tracing::subscriber::with_default(log, || registry.admit(Origin::Local, deaf(), None));
            drop(first);
            late
        });
        let summary = passed.lock().unwrap().expect("a shutdown has passed");
        let of_first = Summary { drained: 1, left_behind: 1, ..Summary::default() };
        assert_eq!(summary, of_first, "it has seen the first session alone");
        assert_eq!(late.err(), Some(Refused::ShuttingDown));
        assert_eq!(registry.status().sessions, 0);
    }

    #[test]
    fn the_sooner_of_two_deadlines_counts_and_never_is_the_latest() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        for (one, other, first) in [
            (Some(now), Some(later), Some(now)),
            (Some(later), Some(now), Some(now)),
            (None, Some(later), Some(later)),
            (Some(later), None, Some(later)),
            (None, None, None),
        ] {
            assert_eq!(sooner(one, other), first);
        }
    }

    #[test]
    fn no_time_is_over_at_once_and_all_time_never() {
        assert_eq!(Deadline::after(Duration::ZERO).rest(), None);
        let never = Deadline::after(Duration::MAX);
        assert_eq!(never.rest(), Some(Duration::MAX));
        never.hasten(Duration::ZERO);
        assert_eq!(never.rest(), None);
    }
}
