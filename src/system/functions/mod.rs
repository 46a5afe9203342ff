//! MySQL's functions for SQLite, each called by its name in small letters behind [`PREFIX`]: SQLite's own functions of
//! such names mean other things.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `call` | the arguments of a call, read as MySQL reads them |
//! | `text`, `pattern` | of texts; `LIKE` and `REGEXP` |
//! | `number` | of numbers |
//! | `time`, `calendar` | of moments |
//! | `session` | what the session and the server are |
//!
//! What a function makes is bounded, and so is the work of one call: SQLite looks whether the question is to end between
//! its instructions, and a call is one.

mod calendar;
mod call;
mod number;
mod pattern;
mod session;
mod text;
mod time;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use rusqlite::{Connection, functions::FunctionFlags, types::Value};

use self::call::Call;
use super::facts::{Facts, Stop};
use crate::model::SqlError;

/// What stands before the names of these functions in SQLite's SQL.
pub(super) const PREFIX: &str = "my_";

/// What the functions know beside their arguments.
pub(super) struct Environment {
    pub(super) facts: Facts,
    pub(super) stop: Stop,
    /// The longest text that a function makes, in bytes.
    pub(super) longest: usize,
    /// Why the question cannot be answered: of a function's error SQLite passes on no more than its text.
    failure: Mutex<Option<SqlError>>,
    /// The longest text that the question handles, as far as is known, in bytes.
    widest: AtomicUsize,
    /// What the functions have done, in SQLite's instructions, about.
    work: AtomicU64,
}

impl Environment {
    pub(super) fn new(facts: Facts, stop: Stop, longest: usize) -> Self {
        Self { facts, stop, longest, failure: Mutex::default(), widest: AtomicUsize::new(1), work: AtomicU64::new(0) }
    }

    /// The question handles a text of so many bytes.
    pub(super) fn handles(&self, bytes: usize) {
        self.widest.fetch_max(bytes, Ordering::Relaxed);
    }

    /// See [`handles`](Self::handles). 1 or more.
    pub(super) fn widest(&self) -> usize {
        self.widest.load(Ordering::Relaxed)
    }

    /// A function goes through so many bytes, some of which are worth an instruction.
    pub(super) fn works(&self, bytes: u64) {
        self.work.fetch_add(bytes / 8, Ordering::Relaxed);
    }

    /// See [`works`](Self::works).
    pub(super) fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }

    /// Says why the question cannot be answered, where SQLite would not.
    pub(super) fn fail(&self, error: SqlError) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// The last of these errors, once.
    pub(super) fn failure(&self) -> Option<SqlError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Body = fn(&Call<'_, '_>) -> rusqlite::Result<Value>;

/// A function: its name, the least and the most of its arguments, and what it does.
type Entry = (&'static str, usize, usize, Body);

/// As many arguments as one likes.
const ANY: usize = usize::MAX;

fn all() -> impl Iterator<Item = &'static Entry> {
    [text::ALL, number::ALL, time::ALL, session::ALL].into_iter().flatten()
}

/// Whether there is one of this name, in small letters.
pub(super) fn is_known(name: &str) -> bool {
    all().any(|(known, ..)| *known == name)
}

/// Makes the functions known to a connection.
///
/// # Errors
/// SQLite's, which has no reason for one.
pub(super) fn install(connection: &Connection, environment: &Arc<Environment>) -> rusqlite::Result<()> {
    let add = |name: &str, arguments: i32, body: Body| {
        let environment = Arc::clone(environment);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection
            .create_scalar_function(name, arguments, flags, move |context| body(&Call::new(context, &environment)))
    };
    for (name, least, most, body) in all() {
        let name = format!("{PREFIX}{name}");
        if *most == ANY {
            add(&name, -1, *body)?;
        } else {
            (*least..=*most).try_for_each(|arguments| add(&name, arguments as i32, *body))?;
        }
    }
    add("like", 2, pattern::like)?;
    add("like", 3, pattern::like)?;
    add("regexp", 2, pattern::regexp)
}
