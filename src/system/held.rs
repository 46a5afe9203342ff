//! What results may hold: each for itself, and all together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::model::{ErrorKind, OwnedValue, SqlError};

/// So much of each result does not count in the sum of all: as much as rows of any statement may wait for their reader.
/// Small answers are never refused for the sake of large ones.
const FREE: usize = 64 << 10;

/// How much results may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// One result, in bytes. The longest value that a question may make, too.
    pub(crate) result: usize,
    /// What the tables of one question may take while it is answered, in bytes: their rows, and SQLite's copy of them.
    pub(crate) source: usize,
    /// All results that are held at once, and the tables of all questions that are answered, in bytes.
    pub(crate) all: usize,
    /// The instructions of a question that sorts, groups or keeps rows aside, beside those it is given for each row of
    /// its tables: what is kept aside grows with them.
    pub(crate) work: u64,
    /// The instructions of any question: some ten seconds of one processor. What a function does counts by the bytes it
    /// goes through.
    pub(crate) instructions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { result: 64 << 20, source: 192 << 20, all: 512 << 20, work: 10_000_000, instructions: 600_000_000 }
    }
}

/// The bytes of all results that are held at once, and of the tables that questions are answered from. Cheap to clone: clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

impl Held {
    /// A part of it that is empty yet.
    pub(super) fn share(&self) -> Share {
        Share { held: Arc::clone(&self.0), bytes: 0 }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one result holds; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Share {
    /// Takes room for `bytes` more.
    ///
    /// # Errors
    /// 1041: it would be more than this result may hold, or all together.
    pub(super) fn take(&mut self, bytes: usize, limits: &Limits) -> Result<(), SqlError> {
        self.grow(bytes, limits.result, "the result is too large", limits)
    }

    /// The same, where `most` is what there may be, and `beyond` says what is wrong with more.
    fn grow(&mut self, bytes: usize, most: usize, beyond: &str, limits: &Limits) -> Result<(), SqlError> {
        let mine = self.bytes.saturating_add(bytes);
        if mine > most {
            return Err(too_much(beyond));
        }
        let more = counted(mine) - counted(self.bytes);
        let fits = |all: usize| all.checked_add(more).filter(|all| *all <= limits.all);
        match self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => self.bytes = mine,
            Err(_) => return Err(too_much("other results are held at the moment; try again later, or")),
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(counted(self.bytes), Ordering::Relaxed);
    }
}

/// Room for the tables of one question, while it is answered.
#[derive(Debug)]
pub(crate) struct Room {
    share: Share,
    limits: Limits,
}

impl Room {
    pub(super) fn new(limits: Limits, held: &Held) -> Self {
        Self { share: held.share(), limits }
    }

    /// Takes room for what the tables are made of, until they are answered from.
    ///
    /// # Errors
    /// The same as of [`Room::take`].
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), SqlError> {
        self.share.grow(bytes, self.limits.source, "the system tables are too large at the moment", &self.limits)
    }

    /// Takes room for a row and SQLite's copy of it, which is no longer.
    ///
    /// # Errors
    /// 1041: it would be more than the tables of one question may take, or all together.
    pub(super) fn take(&mut self, row: &[OwnedValue]) -> Result<(), SqlError> {
        let bytes = size_of::<Vec<OwnedValue>>() + row.iter().map(weight).sum::<usize>();
        self.hold(2 * bytes)
    }
}

/// What of a result's bytes counts in the sum of all.
fn counted(bytes: usize) -> usize {
    bytes.saturating_sub(FREE)
}

/// What a value takes of memory, about.
pub(super) fn weight(value: &OwnedValue) -> usize {
    let more = match value {
        OwnedValue::Decimal(text) | OwnedValue::Text(text) => text.capacity(),
        OwnedValue::Bytes(bytes) => bytes.capacity(),
        _ => 0,
    };
    size_of::<OwnedValue>() + more
}

/// 1041 for a question that does more than any may.
pub(super) fn too_long() -> SqlError {
    let text =
        "Out of resources: the question does more work than one to the system tables may: join fewer of their rows";
    SqlError::of(ErrorKind::OutOfResources, text)
}

/// 1041, with what to do about it.
pub(super) fn too_much(what: &str) -> SqlError {
    let text = format!("Out of memory: {what}: ask the system tables for fewer rows or columns, by WHERE or LIMIT");
    SqlError::of(ErrorKind::OutOfResources, text.replace("or: ask", "or ask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_with_the_drop_and_what_was_refused_was_not_taken() {
        let (held, limits) = (Held::default(), Limits { result: FREE + 10, all: 15, ..Limits::default() });
        let (mut one, mut other) = (held.share(), held.share());
        one.take(FREE, &limits).unwrap();
        assert_eq!(held.bytes(), 0, "small results do not count");
        one.take(10, &limits).unwrap();
        assert_eq!(one.take(1, &limits).unwrap_err().code(), 1041);
        assert_eq!(other.take(FREE + 6, &limits).unwrap_err().code(), 1041);
        other.take(FREE + 5, &limits).unwrap();
        assert_eq!(held.bytes(), 15);
        drop(one);
        other.take(5, &limits).unwrap();
        drop(other);
        assert_eq!(held.bytes(), 0);
    }
}
