//! The locks over what many sessions share, or what others read of one. None is held for long, however many sessions
//! there are: with the feature `lock-times`, each tells how long it was held at most.

#[cfg(not(feature = "lock-times"))]
use std::sync::MutexGuard;
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "lock-times")]
pub(crate) use self::times::Held;
#[cfg(feature = "lock-times")]
pub use self::times::{Hold, longest};

/// What a lock is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The order of the ids.
    Ids,
    /// Which ids there are.
    Layout,
    /// A part of the list.
    Shard,
    /// The places before and behind login.
    Admission,
    /// The moments at which sessions are looked at.
    Timers,
    /// The kills that were asked for.
    History,
    /// Which sessions are for the same client of a proxy.
    Clients,
    /// Who is told of events.
    Subscribers,
    /// The status that was told last.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "only clients ask for it"))]
    Status,
    /// What one session shows.
    Slot,
}

/// A mutex. A panic of whoever holds it leaves what is behind it as it was: nothing there can be left half written.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    of: Mutex<T>,
    #[cfg(feature = "lock-times")]
    over: Over,
}

/// The right to what is behind a lock.
#[cfg(not(feature = "lock-times"))]
pub(crate) type Held<'a, T> = MutexGuard<'a, T>;

impl<T> Lock<T> {
    #[cfg_attr(not(feature = "lock-times"), expect(unused_variables, reason = "the name is for the times alone"))]
    pub(crate) fn new(over: Over, of: T) -> Self {
        Self {
            of: Mutex::new(of),
            #[cfg(feature = "lock-times")]
            over,
        }
    }

    /// Reads where the lock stands, and nothing behind it: whoever holds it next finds it near.
    pub(crate) fn approach(&self) -> bool {
        self.of.is_poisoned()
    }

    /// Waits for it.
    pub(crate) fn hold(&self) -> Held<'_, T> {
        let guard = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "lock-times")]
        let guard = Held::new(self.over, guard);
        guard
    }
}

#[cfg(feature = "lock-times")]
mod times {
    use std::{
        ops::{Deref, DerefMut},
        sync::{
            MutexGuard,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
        time::Duration,
    };

    use rustix::time::{ClockId, clock_gettime};

    use super::Over;

    /// How long the locks over one thing were held.
    #[derive(Clone, Debug)]
    pub struct Hold {
        /// Over what.
        pub over: &'static str,
        /// How often one was.
        pub times: u64,
        /// The longest of each 1,024 times, in their order.
        pub longest: Vec<Duration>,
    }

    /// So many times together have one longest.
    const TURN: u64 = 1024;

    /// So many turns are told apart; the last one goes on.
    const TURNS: usize = 1 << 14;

    struct Times {
        over: &'static str,
        count: AtomicU64,
        /// In nanoseconds.
        longest: [AtomicU64; TURNS],
    }

    const NAMES: [&str; 10] =
        ["ids", "layout", "shard", "admission", "timers", "history", "clients", "subscribers", "status", "slot"];

    static TIMES: [Times; NAMES.len()] = {
        let mut times = [const { Times::of("") }; NAMES.len()];
        let mut at = 0;
        while at < NAMES.len() {
            times[at].over = NAMES[at];
            at += 1;
        }
        times
    };

    impl Times {
        const fn of(over: &'static str) -> Self {
            Self { over, count: AtomicU64::new(0), longest: [const { AtomicU64::new(0) }; TURNS] }
        }

        fn add(&self, held: Duration) {
            let turn = usize::try_from(self.count.fetch_add(1, Relaxed) / TURN).unwrap_or(TURNS);
            let nanos = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
            self.longest[turn.min(TURNS - 1)].fetch_max(nanos, Relaxed);
        }

        fn hold(&self) -> Hold {
            let times = self.count.load(Relaxed);
            let turns = usize::try_from(times.div_ceil(TURN)).unwrap_or(TURNS).min(TURNS);
            let longest = self.longest[..turns].iter().map(|nanos| Duration::from_nanos(nanos.load(Relaxed))).collect();
            Hold { over: self.over, times, longest }
        }
    }

    /// How long each lock was held so far, in all runtimes of this process: processor time of the thread that held it, so
    /// that neither who waits for a processor nor who takes it away is counted. The time of the clock itself is.
    pub fn longest() -> Vec<Hold> {
        TIMES.iter().map(Times::hold).collect()
    }

    fn now() -> Duration {
        // A thread's own time is not negative.
        clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
    }

    /// The right to what is behind a lock.
    pub(crate) struct Held<'a, T> {
        guard: MutexGuard<'a, T>,
        over: Over,
        since: Duration,
    }

    impl<'a, T> Held<'a, T> {
        pub(super) fn new(over: Over, guard: MutexGuard<'a, T>) -> Self {
            Self { guard, over, since: now() }
        }
    }

    impl<T> Deref for Held<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for Held<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    impl<T> Drop for Held<'_, T> {
        fn drop(&mut self) {
            TIMES[self.over as usize].add(now().saturating_sub(self.since));
        }
    }
}
