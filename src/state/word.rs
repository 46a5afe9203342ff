//! The state of a session in one word, and every change that it can go through.
//!
//! ```text
//!  63                      19     18        17     16    15    14        8 7              0
//! +--------------------------+---------+----------+------+------+-----------+--------------+
//! | number of last statement | telling | draining | open | gone |  leaving  |     phase    |
//! +--------------------------+---------+----------+------+------+-----------+--------------+
//! ```
//!
//! *phase*: 0 idle, 1 a statement runs, from 2 on the first reason that reached the running statement. *leaving*: 0, or
//! the first reason for which the session is to end; it is never taken back. *gone*: the session is over. *open*: the
//! last statement left a transaction open. *draining*: the server is being shut down, and the session is to end as soon as
//! it is between two transactions; it is never taken back. *telling*: the last statement ended well, and its client is
//! still being told so.
//!
//! Pure functions from one word to the next: [`super::switch`] applies them by compare-and-swap. Because the number and
//! the reason sit in one word, a kill that was authorised for statement 7 cannot hit statement 8, and a second reason
//! cannot replace the first. Because *open* and *draining* do, no session slips through between the end of its
//! transaction and the shutdown that looks at it.

use crate::model::{Reason, StatementNo};

const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const PHASE: u64 = 0xff;
const LEAVING_SHIFT: u32 = 8;
const LEAVING: u64 = 0x7f << LEAVING_SHIFT;
const GONE: u64 = 1 << 15;
const OPEN: u64 = 1 << 16;
const DRAINING: u64 = 1 << 17;
const TELLING: u64 = 1 << 18;
const NUMBER_SHIFT: u32 = 19;
const NUMBERS: u64 = (1 << 45) - 1;

/// The state of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(pub u64);

/// What an attempt to end something came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// This was the first reason to reach it; whoever gets this answer tells the session.
    First,
    /// An earlier reason stands.
    Already(Reason),
    /// There was nothing to end: that statement does not run (any more), or the session is over.
    NotRunning,
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No statement runs.
    Idle,
    /// A statement runs.
    Running,
    /// A statement was ended from outside, and is not over yet.
    Ended(Reason),
}

impl Word {
    /// A session that has run nothing.
    pub const NEW: Word = Word(0);

    /// What it is doing.
    pub fn phase(self) -> Phase {
        match self.0 & PHASE {
            IDLE => Phase::Idle,
            RUNNING => Phase::Running,
            // Only `cancel` and `leave` write other values, and they write codes of reasons.
            code => Phase::Ended(reason(code)),
        }
    }

    /// The number of the running or last statement; 0 before the first.
    pub fn number(self) -> StatementNo {
        StatementNo::new(self.0 >> NUMBER_SHIFT)
    }

    /// The running statement, one that was ended and is not over yet included.
    pub fn running(self) -> Option<StatementNo> {
        (self.0 & PHASE != IDLE).then(|| self.number())
    }

    /// Why the session is to end, if it is.
    pub fn leaving(self) -> Option<Reason> {
        let code = (self.0 & LEAVING) >> LEAVING_SHIFT;
        (code != 0).then(|| reason(code))
    }

    /// Why the running statement was ended, if it was and is not over yet.
    pub fn killed(self) -> Option<Reason> {
        match self.phase() {
            Phase::Ended(reason) => Some(reason),
            Phase::Idle | Phase::Running => None,
        }
    }

    /// Whether the last statement left a transaction open.
    pub fn open(self) -> bool {
        self.0 & OPEN != 0
    }

    /// Whether the session is to end as soon as it is between two transactions.
    pub fn draining(self) -> bool {
        self.0 & DRAINING != 0
    }

    /// Whether the session is over.
    pub fn gone(self) -> bool {
        self.0 & GONE != 0
    }

    /// Whether statement `number` must stop, and why. A statement that is not the running one must stop too: whatever
    /// still asks on its behalf has outlived it.
    pub fn stop(self, number: StatementNo) -> Option<Reason> {
        match self.phase() {
            Phase::Running if self.number() == number => None,
            Phase::Ended(reason) if self.number() == number => Some(reason),
            _ => Some(Reason::Abandoned),
        }
    }

    /// The next statement begins; refused once the session is to end.
    pub fn begin(self) -> Result<Word, Reason> {
        if let Some(reason) = self.leaving() {
            return Err(reason);
        }
        debug_assert_eq!(self.phase(), Phase::Idle, "one statement at a time");
        let next = match (self.number().get() + 1) & NUMBERS {
            0 => 1,
            n => n,
        };
        Ok(Word(next << NUMBER_SHIFT | (self.0 & (LEAVING | GONE | OPEN | DRAINING)) | RUNNING))
    }

    /// Statement `number` is to stop.
    pub fn cancel(self, number: StatementNo, why: Reason) -> (Word, Raised) {
        match self.phase() {
            Phase::Running if self.number() == number => (self.with_phase(why.code().into()), Raised::First),
            Phase::Ended(first) if self.number() == number => (self, Raised::Already(first)),
            _ => (self, Raised::NotRunning),
        }
    }

    /// The session is to end: now, with the statement that it runs, or (`after_statement`) when that is over.
    pub fn leave(self, why: Reason, after_statement: bool) -> (Word, Raised) {
        if self.gone() {
            return (self, Raised::NotRunning);
        }
        let stopped = match self.phase() {
            Phase::Running if !after_statement => self.with_phase(why.code().into()),
            _ => self,
        };
        match self.leaving() {
            // A session that was to end after its statement can still be told to end now.
            Some(_) if stopped != self => (stopped, Raised::First),
            Some(first) => (self, Raised::Already(first)),
            None => (Word(stopped.0 | u64::from(why.code()) << LEAVING_SHIFT), Raised::First),
        }
    }

    /// The session is to end as soon as it is between two transactions, for [`Reason::Shutdown`]. [`Raised::First`]: it
    /// is, and ends now; [`Raised::NotRunning`]: it will end by itself, or is over.
    pub fn wind_down(self) -> (Word, Raised) {
        match (self.gone(), self.leaving()) {
            (true, _) => (self, Raised::NotRunning),
            (_, Some(first)) => (self, Raised::Already(first)),
            _ => {
                let next = Word(self.0 | DRAINING).between();
                (next, if next.leaving().is_some() { Raised::First } else { Raised::NotRunning })
            }
        }
    }

    /// What is draining, and between two transactions, leaves.
    fn between(self) -> Word {
        match self.0 & (DRAINING | OPEN | TELLING | LEAVING | PHASE) {
            DRAINING => Word(self.0 | u64::from(Reason::Shutdown.code()) << LEAVING_SHIFT),
            _ => self,
        }
    }

    /// The session is to end, if nothing was begun in it since statement `number`.
    pub fn leave_idle(self, number: StatementNo, why: Reason) -> (Word, Raised) {
        match self.phase() {
            Phase::Idle if self.number() == number => self.leave(why, true),
            _ => (self, Raised::NotRunning),
        }
    }

    /// The running statement ends well, unless a reason came first.
    pub fn complete(self) -> Result<Word, Reason> {
        match self.phase() {
            Phase::Ended(reason) => Err(reason),
            Phase::Running => Ok(Word(self.with_phase(IDLE).0 | TELLING)),
            Phase::Idle => Ok(self),
        }
    }

    /// The running statement is over, however it ended, and its client was told. `open`: it leaves a transaction open.
    pub fn finish(self, open: bool) -> Word {
        let over = self.with_phase(IDLE).0 & !(TELLING | OPEN);
        Word(if open { over | OPEN } else { over }).between()
    }

    /// The session is over.
    pub fn close(self, why: Reason) -> Word {
        let leaving = if self.leaving().is_some() { 0 } else { u64::from(why.code()) << LEAVING_SHIFT };
        Word(self.with_phase(IDLE).0 & !TELLING | leaving | GONE)
    }

    fn with_phase(self, phase: u64) -> Word {
        Word(self.0 & !PHASE | phase)
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Word")
            .field("number", &self.number().get())
            .field("phase", &self.phase())
            .field("leaving", &self.leaving())
            .field("open", &self.open())
            .field("draining", &self.draining())
            .field("gone", &self.gone())
            .finish()
    }
}

fn reason(code: u64) -> Reason {
    u8::try_from(code).ok().and_then(Reason::from_code).expect("only codes of reasons are ever written into a word")
}

#[cfg(test)]
mod tests;
