//! What SQLite asks while a statement runs: whether it is to stop, and whether to go on waiting for a lock.
//!
//! SQLite calls its hooks on the thread that runs the statement, so they are the place to look at the kill flag.
//! `sqlite3_interrupt()` is the other way to stop a statement, from another thread, and is a race: it stops whatever the
//! connection runs when it arrives, which may be the next statement by then. The flag that is polled here belongs to one
//! statement and to no other.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use killdeer::StatementContext;

/// The longest pause between two attempts to get a lock: so late a waiting statement sees that it is killed.
const PAUSE: Duration = Duration::from_millis(5);

/// Shared by a session and the hooks of its connection.
#[derive(Default)]
pub struct Watch(Mutex<State>);

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// The first row that the running statement has inserted.
    inserted: Option<i64>,
}

struct Running {
    cx: StatementContext,
    /// How long it may wait for a lock.
    patience: Duration,
    /// Since when it waits for one.
    waiting: Option<Instant>,
}

/// As long as this lives, the hooks look at its statement's flag. Between statements they let everything be: a rollback,
/// above all, is never stopped, although its session is being killed.
pub struct Watching(Arc<Watch>);

impl Watch {
    /// The statement begins.
    pub fn begin(self: &Arc<Self>, cx: &StatementContext, patience: Duration) -> Watching {
        let running = Running { cx: cx.clone(), patience, waiting: None };
        self.with(|state| *state = State { running: Some(running), inserted: None });
        Watching(Arc::clone(self))
    }

    /// The progress handler's answer: whether to stop.
    pub fn is_killed(&self) -> bool {
        self.with(|state| state.running.as_ref().is_some_and(|running| running.cx.is_killed()))
    }

    /// The busy handler's: whether to try again to get a lock that another connection has. `tries`: how often that was
    /// done before, for this lock.
    pub fn wait(&self, tries: i32) -> bool {
        let goes_on = self.with(|state| {
            let Some(running) = &mut state.running else { return false };
            if tries == 0 {
                running.cx.set_state("Waiting for lock");
                running.waiting = None;
            }
            let since = running.waiting.get_or_insert_with(Instant::now);
            !running.cx.is_killed() && since.elapsed() < running.patience
        });
        if goes_on {
            // SQLite does not tell when a lock is let go: it has to be tried. Short pauses first.
            sleep(PAUSE.min(Duration::from_millis(u64::try_from(tries).unwrap_or_default() + 1)));
        }
        goes_on
    }

    /// The update hook's: a row was inserted.
    pub fn insert(&self, rowid: i64) {
        self.with(|state| _ = state.inserted.get_or_insert(rowid));
    }

    /// The first row that the running statement has inserted.
    pub fn inserted(&self) -> Option<i64> {
        self.with(|state| state.inserted)
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in it is half done when a panic passes by.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.with(|state| *state = State::default());
    }
}
