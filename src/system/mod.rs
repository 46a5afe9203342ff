//! The system tables are asked here: tables that are filled, and a `SELECT` in MySQL's words, make rows.
//!
//! Who sees which rows is the dialect's to say. Each question gets an SQLite of its own in
//! memory, which holds the rows that its client may see and nothing else, and which does nothing but read them.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `fill` | which tables there are, and their rows |
//! | `table`, `facts` | what a question is answered from |
//! | `names`, `needle` | which tables a statement mentions; pure |
//! | `translate` | MySQL's questions in SQLite's SQL; pure |
//! | `functions` | MySQL's functions |
//! | `sandbox` | an SQLite that reads these tables alone, within limits |
//! | `value` | MySQL's values and columns in SQLite, and back |
//! | `question` | a question from its text to its rows |
//! | `refusal` | SQLite's errors as MySQL's |
//! | `turns` | whose questions are answered at a time |
//! | `held` | what results may hold of memory |

mod facts;
mod fill;
mod functions;
mod held;
mod names;
mod needle;
mod question;
mod refusal;
mod sandbox;
mod table;
#[cfg(test)]
mod tests;
mod translate;
mod turns;
mod value;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::{Either, select};

#[cfg(feature = "cluster")]
pub(crate) use self::fill::is_nodes;
pub(crate) use self::{
    facts::{Facts, Stop},
    fill::{Beyond, empty, filled, may_ask},
    held::Room,
    names::mentioned,
    question::Question,
};
use self::{
    held::{Held, Limits},
    question::Answer,
    table::Table,
    turns::Turns,
};
use crate::{
    model::{Column, Killed, OwnedValue, Reason, SqlError},
    threads::{Threads, processors},
};

/// The fewest threads that there are: one user's endless questions leave room for others' on a small machine too.
const FEWEST_THREADS: usize = 4;

/// Where questions are answered: the threads, and the memory that the answers may hold together. One for a runtime.
#[derive(Debug)]
pub(crate) struct SystemTables {
    threads: Threads,
    turns: Turns,
    limits: Limits,
    held: Held,
}

impl Default for SystemTables {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl SystemTables {
    /// With as many threads as there are processors, and at least [`FEWEST_THREADS`], which begin with the first questions.
    /// One account may have half of them.
    pub(crate) fn new(limits: Limits) -> Self {
        let threads = processors().max(FEWEST_THREADS);
        let turns = Turns::new(threads / 2);
        Self { threads: Threads::new("killdeer-tables", threads), turns, limits, held: Held::default() }
    }

    /// With so many bytes for the tables of a question.
    #[cfg(all(test, feature = "cluster"))]
    pub(crate) fn with_room(source: usize) -> Self {
        Self::new(Limits { source, ..Limits::default() })
    }

    /// Answers a question whole. `read` and `fill` are called on its thread: the one reads the question, the other gives
    /// the tables that it mentions with what the client may see of them, as far as there is room for it.
    ///
    /// It ends with `killed`, be it that it waits for a thread or that it runs; `stop` says the same to the thread. When
    /// this future is dropped the thread stops too.
    ///
    /// # Errors
    /// Those of `read` and `fill`; see [`Question::answer`]; the reason, if it is killed.
    pub(crate) async fn run(
        &self,
        account: &str,
        read: impl FnOnce() -> Result<Question, SqlError> + Send + 'static,
        params: Vec<OwnedValue>,
        fill: impl FnOnce(&Question, &mut Room) -> Result<Vec<Table>, SqlError> + Send + 'static,
        stop: Stop,
        killed: impl Future<Output = Reason>,
    ) -> Result<Answer, SqlError> {
        let (limits, held) = (self.limits, self.held.clone());
        let answer = move |stop: &Stop| {
            let (question, mut room) = (read()?, Room::new(limits, &held));
            let tables = fill(&question, &mut room)?;
            question.answer(&params, tables, stop, &limits, &held)
        };
        self.work(account, answer, stop, killed).await
    }

    /// Says how many parameters a question has, and which columns. It takes a thread as long as an answer does, if its
    /// text is long.
    ///
    /// # Errors
    /// Those of `read`; see [`Question::describe`]; the reason, if it is killed.
    pub(crate) async fn describe(
        &self,
        account: &str,
        read: impl FnOnce() -> Result<Question, SqlError> + Send + 'static,
        tables: Vec<Table>,
        stop: Stop,
        killed: impl Future<Output = Reason>,
    ) -> Result<(usize, Vec<Column>), SqlError> {
        let describe = move |_: &Stop| {
            let question = read()?;
            Ok((question.params(), question.describe(&tables)?))
        };
        self.work(account, describe, stop, killed).await
    }

    /// Does it on one of the threads, when it is the account's turn.
    async fn work<T: Send + 'static>(
        &self,
        account: &str,
        job: impl FnOnce(&Stop) -> Result<T, SqlError> + Send + 'static,
        stop: Stop,
        killed: impl Future<Output = Reason>,
    ) -> Result<T, SqlError> {
        let asker = Asker(Arc::default());
        let gone = Arc::clone(&asker.0);
        let stop = Stop::new(move || {
            let left = || gone.load(Ordering::Relaxed).then_some(Reason::Abandoned);
            stop.reason().or_else(left)
        });
        let job = async {
            let turn = self.turns.take(account).await;
            let job = move || {
                // Until the thread is free again, be the asker gone or not.
                let _turn = turn;
                match stop.reason() {
                    None => job(&stop),
                    // It has waited for long.
                    Some(reason) => Err(Killed(reason).into()),
                }
            };
            self.threads.run(job).await
        };
        match select(pin!(killed), pin!(job)).await {
            Either::Left((reason, _)) => Err(Killed(reason).into()),
            Either::Right((answer, _)) => answer.unwrap_or_else(|| Err(SqlError::panicked())),
        }
    }
}

/// Who waits for the answer. Dropped, it is gone.
struct Asker(Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
