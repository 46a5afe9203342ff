//! What a session keeps for its client between statements, however it came: prepared statements with their texts, and the
//! parameters that came ahead of an execution. One count, and a bound on it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::{
    model::{ErrorKind, Globals, Principal, Setting, SqlError},
    supervisor::{Gauge, Gauged},
};

/// So many statements all sessions together may keep prepared: MySQL's default of max_prepared_stmt_count.
pub(crate) const MOST_PREPARED: usize = 16_382;

/// What a prepared statement costs beside its text, about: its place in tables, and its counts.
pub(crate) const STATEMENT: usize = 256;

/// How much a session may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    bytes: usize,
    statements: usize,
}

impl Allowed {
    /// What sessions of this account may.
    pub(crate) fn of(globals: &Globals, principal: &Principal) -> Self {
        let most = |setting| {
            let amount = principal.first(setting, globals.get(setting));
            usize::try_from(amount).unwrap_or(usize::MAX)
        };
        Self { bytes: most(Setting::MaxSessionMemory), statements: most(Setting::MaxSessionPreparedStatements) }
    }

    /// So many bytes, and any number of statements.
    #[cfg(any(test, all(feature = "mysql", feature = "internals")))]
    pub(crate) fn bytes(bytes: usize) -> Self {
        Self { bytes, statements: usize::MAX }
    }

    /// Whether that much more may be kept for a moment.
    ///
    /// # Errors
    /// 1041: it is too much.
    #[cfg(feature = "proxy")]
    pub(crate) fn check(self, bytes: usize) -> Result<(), SqlError> {
        if bytes > self.bytes { Err(self.too_much()) } else { Ok(()) }
    }

    /// 1041.
    pub(crate) fn too_much(self) -> SqlError {
        let text = "Out of memory: what the session keeps is longer than 'max_session_memory' bytes";
        SqlError::of(ErrorKind::OutOfResources, format!("{text} (current value: {})", self.bytes))
    }

    /// 1461, as MySQL words it for all sessions together.
    fn too_many(self) -> SqlError {
        too_many("max_session_prepared_statements", self.statements)
    }
}

fn too_many(setting: &str, most: usize) -> SqlError {
    let text = format!("Can't create more than {setting} statements (current value: {most})");
    SqlError::of(ErrorKind::TooManyPrepared, text)
}

/// The count of one session.
#[derive(Debug, Default)]
pub(crate) struct Keep {
    bytes: AtomicUsize,
    statements: Gauge,
}

impl Keep {
    /// How many bytes are kept.
    #[cfg(any(test, all(feature = "mysql", feature = "internals")))]
    pub(crate) fn held(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// A prepared statement that takes so many bytes beside [`STATEMENT`]. `everybodys`: the server's count of them.
    ///
    /// # Errors
    /// 1461: the session, or all of them together, have as many as they may. 1041: the session would keep too much.
    pub(crate) fn statement(
        self: &Arc<Self>,
        bytes: usize,
        allowed: Allowed,
        everybodys: &Gauge,
    ) -> Result<Kept, SqlError> {
        let own = self.statements.enter(allowed.statements).ok_or_else(|| allowed.too_many())?;
        let other =
            everybodys.enter(MOST_PREPARED).ok_or_else(|| too_many("max_prepared_stmt_count", MOST_PREPARED))?;
        let mut kept = Kept { keep: Arc::clone(self), bytes: 0, _counted: [own, other] };
        kept.grow(bytes.saturating_add(STATEMENT), allowed)?;
        Ok(kept)
    }
}

/// A prepared statement in the count, with what is kept for it. Its drop is its end.
#[derive(Debug)]
pub(crate) struct Kept {
    keep: Arc<Keep>,
    bytes: usize,
    /// By the session, and by the server.
    _counted: [Gauged; 2],
}

impl Kept {
    /// How many bytes are kept for it.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many bytes more.
    ///
    /// # Errors
    /// 1041: the session would keep too much; nothing is counted then.
    pub(crate) fn grow(&mut self, more: usize, allowed: Allowed) -> Result<(), SqlError> {
        let within = |held: usize| held.checked_add(more).filter(|sum| *sum <= allowed.bytes);
        self.keep.bytes.fetch_update(Relaxed, Relaxed, within).map_err(|_| allowed.too_much())?;
        self.bytes += more;
        Ok(())
    }

    /// So many bytes less, of those that it grew by.
    #[cfg(feature = "mysql")]
    pub(crate) fn shrink(&mut self, less: usize) {
        self.bytes -= less;
        self.keep.bytes.fetch_sub(less, Relaxed);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keep.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Privileges, Settings};

    #[test]
    fn what_is_kept_is_counted_to_its_end() {
        let (keep, everybodys, allowed) = (Arc::<Keep>::default(), Gauge::default(), Allowed::bytes(2 * STATEMENT + 8));
        let mut one = keep.statement(3, allowed, &everybodys).unwrap();
        let other = keep.statement(0, allowed, &everybodys).unwrap();
        assert_eq!(keep.held(), 2 * STATEMENT + 3);
        one.grow(5, allowed).unwrap();
        for more in [1, usize::MAX] {
            assert_eq!(one.grow(more, allowed).unwrap_err().code(), 1041);
        }
        assert_eq!(keep.statement(usize::MAX, allowed, &everybodys).unwrap_err().code(), 1041);
        assert_eq!((keep.held(), everybodys.get()), (2 * STATEMENT + 8, 2), "what was refused is not counted");
        drop(other);
        assert_eq!((keep.held(), everybodys.get(), one.bytes()), (STATEMENT + 8, 1, STATEMENT + 8));
        #[cfg(feature = "mysql")]
        {
            one.shrink(5);
            assert_eq!((keep.held(), one.bytes()), (STATEMENT + 3, STATEMENT + 3));
        }
        drop(one);
        assert_eq!((keep.held(), everybodys.get(), keep.statements.get()), (0, 0, 0));
    }

    #[test]
    fn no_session_has_all_that_there_are() {
        let (greedy, modest, everybodys) = (Arc::<Keep>::default(), Arc::<Keep>::default(), Gauge::default());
        let allowed = Allowed::of(&Globals::new(&Settings::new()), &Principal::new("app", Privileges::NONE));
        let mut kept = Vec::new();
        let refused = loop {
            match greedy.statement(6, allowed, &everybodys) {
                Ok(statement) => kept.push(statement),
                Err(error) => break error,
            }
        };
        let text = "Can't create more than max_session_prepared_statements statements (current value: 4096)";
        assert_eq!((refused.code(), refused.message(), kept.len()), (1461, text, 4096));
        drop(modest.statement(6, allowed, &everybodys).unwrap());
        let others: Vec<_> = (4096..MOST_PREPARED).map(|_| everybodys.count()).collect();
        let refused = modest.statement(6, allowed, &everybodys).unwrap_err();
        let text = "Can't create more than max_prepared_stmt_count statements (current value: 16382)";
        assert_eq!((refused.code(), refused.message()), (1461, text));
        assert_eq!((modest.held(), modest.statements.get()), (0, 0), "it is not half counted");
        kept.pop();
        modest.statement(6, allowed, &everybodys).unwrap();
        drop((kept, others));
        assert_eq!((greedy.held(), everybodys.get()), (0, 0));
    }

    #[test]
    fn an_account_may_have_bounds_of_its_own() {
        let globals = Globals::new(&Settings::new().count(Setting::MaxSessionMemory, 2 << 20));
        let own = Settings::new().count(Setting::MaxSessionPreparedStatements, 7);
        let principal = Principal::new("app", Privileges::NONE).with_settings(own);
        assert_eq!(Allowed::of(&globals, &principal), Allowed { bytes: 2 << 20, statements: 7 });
        let none = Settings::new().count(Setting::MaxSessionMemory, 0);
        assert_eq!(Globals::new(&none).get(Setting::MaxSessionMemory), 1 << 20, "the least");
    }
}
