//! What an engine must offer to be served: the traits that it implements, and what it is given while it runs a
//! statement.
//!
//! An [`Engine`] opens an [`EngineSession`] per client. A plain blocking engine implements [`BlockingEngine`] and
//! [`BlockingSession`] and is wrapped in [`Blocking`].

mod blocking;
mod context;
mod settings;
mod sink;

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;

#[cfg(feature = "mysql")]
pub(crate) use self::sink::RowFormat;
pub(crate) use self::sink::{Closed, Sink};
pub use self::{
    blocking::{Blocking, BlockingEngine, BlockingEngineSession, BlockingSession},
    context::StatementContext,
    settings::SettingValues,
    sink::RowSink,
};
use crate::model::{Column, Done, Login, OwnedValue, Prepared, Principal, Reason, SqlError, Statement, Verifier};

/// What becomes of a statement's future when the statement is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnKill {
    /// It is dropped at once. Right for engines whose futures can be dropped at any await.
    Drop,
    /// It is polled on for at most this long, so that it can see the flag and clean up; then it is dropped.
    Wait(Duration),
    /// It is polled to its end, however long that takes. The statement stays listed as `Killed` until then. Right
    /// where work goes on elsewhere and must be waited for, as on a blocking thread.
    Finish,
}

/// Where an engine's statements run.
#[derive(Clone, Debug, Default)]
pub enum Placement {
    /// On the session's own arbiter. The contract: every poll is short (well under a millisecond), since all sessions
    /// of the arbiter wait for it. The runtime measures it: see [`crate::Status::longest_poll`].
    #[default]
    Inline,
    /// On this multi-threaded tokio runtime, for engines that compute in their polls.
    Pool(tokio::runtime::Handle),
}

/// A database engine: whatever runs the statements of many clients.
pub trait Engine: Send + Sync + 'static {
    /// What it keeps for one client.
    type Session: EngineSession;

    /// Lets a client in, or not. Asked when a client logs in over a wire; a session that the host itself connects
    /// brings its principal along.
    ///
    /// The client proves itself against a [`Verifier`] by [`Login::proves`]; a clear-text password is never needed. For
    /// an unknown user ask it with [`Verifier::nobody`], so that it takes as long. An account that is to be used over
    /// secret connections only is refused unless [`Login::is_secure`]. The default admits nobody.
    ///
    /// Asked again when a client wants to go on as another user (`COM_CHANGE_USER`). If that one is let in, the old
    /// user's session is rolled back and dropped, and the new one's is opened by [`Engine::open`]; the id stays. If not,
    /// the connection is closed.
    ///
    /// # Errors
    /// [`Login::denied`] (1045), for an unknown user and a wrong password alike.
    fn authenticate(&self, login: &mut Login<'_>) -> impl Future<Output = Result<Principal, SqlError>> + Send {
        async {
            login.proves(&Verifier::nobody()).await;
            Err(login.denied())
        }
    }

    /// Opens what is kept for one client, now that it is known who it is.
    ///
    /// # Errors
    /// Whatever keeps the engine from serving this client; the client gets it and is disconnected.
    fn open(&self, who: &Arc<Principal>) -> impl Future<Output = Result<Self::Session, SqlError>> + Send;
}

/// What an engine keeps for one client. Its `Drop` is the last-resort rollback: it alone runs when the process ends
/// in the middle of things.
pub trait EngineSession: Send + 'static {
    /// What becomes of a statement's future when the statement is ended from outside.
    const ON_KILL: OnKill = OnKill::Drop;

    /// Runs a statement: columns and rows go into `out`, the rest is the answer. A statement without a result set
    /// leaves `out` alone; several result sets are several calls of [`RowSink::columns`].
    ///
    /// Control statements (`KILL`, `SHOW PROCESSLIST`, `FLUSH HOSTS`, `PREPARE`, `EXECUTE`, `DEALLOCATE PREPARE`) never come
    /// here: the runtime answers them. What an `EXECUTE` runs does, as the statement that was prepared, with its parameters.
    /// Of a `SET` that assigns settings of the runtime's, what it assigns beside them comes here, as a `SET` of its own; of
    /// `SET STATEMENT max_statement_time = 1 FOR …`, the statement alone.
    ///
    /// # Errors
    /// Whatever the client shall be told. The session goes on.
    ///
    /// # Panics
    /// A panic is caught: the statement ends with 1105, an open transaction is rolled back, and the session ends,
    /// since nobody knows what state it is in.
    fn execute(
        &mut self,
        cx: &StatementContext,
        statement: Statement,
        out: &mut RowSink,
    ) -> impl Future<Output = Result<Done, SqlError>> + Send;

    /// Says what parameters a statement takes and which columns it gives, without running it.
    ///
    /// # Errors
    /// The default refuses: 1295.
    fn prepare(
        &mut self,
        cx: &StatementContext,
        sql: &Bytes,
    ) -> impl Future<Output = Result<Prepared, SqlError>> + Send {
        let _ = (cx, sql);
        async { Err(SqlError::not_preparable()) }
    }

    /// The columns of a table whose names fit `pattern` (`LIKE`'s; empty: all), for `COM_FIELD_LIST`, by which command
    /// line clients complete names.
    ///
    /// # Errors
    /// The default knows no table: 1146.
    fn fields(
        &mut self,
        cx: &StatementContext,
        table: &str,
        pattern: &str,
    ) -> impl Future<Output = Result<Vec<Column>, SqlError>> + Send {
        let _ = pattern;
        let error = SqlError::no_such_table(cx.database().as_deref(), table);
        async { Err(error) }
    }

    /// Changes the current database. The runtime remembers the name when this has agreed. The default agrees to any.
    ///
    /// # Errors
    /// [`SqlError::unknown_database`] (1049), for instance.
    fn use_database(&mut self, cx: &StatementContext, name: &str) -> impl Future<Output = Result<(), SqlError>> + Send {
        let _ = (cx, name);
        async { Ok(()) }
    }

    /// Brings the session back to how it was after login (`COM_RESET_CONNECTION`): no transaction, no variables, no
    /// prepared statements. The id and the current database stay. The default rolls back.
    ///
    /// # Errors
    /// The client gets it; the session goes on.
    fn reset(&mut self, cx: &StatementContext) -> impl Future<Output = Result<(), SqlError>> + Send {
        let _ = cx;
        async {
            self.rollback(Reason::Quit).await;
            Ok(())
        }
    }

    /// Undoes an open transaction, because the session ends. It has the builder's `rollback_timeout`; the session
    /// stays in the list until it has returned, or its time is over. Not called where no transaction can be open. The
    /// default does nothing.
    fn rollback(&mut self, why: Reason) -> impl Future<Output = ()> + Send {
        let _ = why;
        async {}
    }

    /// Whether a transaction is open, asked after a call that failed or was dropped: the answers of the others say it. `None`,
    /// the default: it cannot tell; then the last answer that said it holds, and at the end `rollback` is called in any case.
    ///
    /// An engine whose errors end transactions (a deadlock, 1213) or leave open what a statement began implements it:
    /// idle_transaction_timeout, a shutdown's grace and policies go by it.
    fn in_transaction(&self) -> Option<bool> {
        None
    }

    /// The flags of the session as they are now, asked for where no statement says them: for the answers to a login, a reset
    /// and a change of database. `None`, the default: autocommit is on and no transaction open behind a login and a reset, and
    /// a change of database changes none.
    fn flags(&self) -> Option<Done> {
        None
    }

    /// A client has closed the prepared statement that it got for this text, in this database: nothing is executed from it any
    /// more, though maybe from another one of the same text. Called between two statements; returns at once. The default has
    /// nothing to do.
    fn close_prepared(&mut self, sql: &Bytes, database: Option<&str>) {
        let _ = (sql, database);
    }

    /// Whether the values of user variables are elsewhere, so that they have to be fetched: see
    /// [`EngineSession::fetch_user_variables`].
    const FETCHES_USER_VARIABLES: bool = false;

    /// Fetches the values of these user variables, where [`EngineSession::FETCHES_USER_VARIABLES`] says so: called before
    /// [`EngineSession::user_variable`] is asked for them, which tells what was fetched last, until
    /// [`EngineSession::forget_user_variables`]. The default has nothing to do.
    ///
    /// # Errors
    /// What the client is to be told of the statement that names them.
    fn fetch_user_variables(
        &mut self,
        cx: &StatementContext,
        names: &[String],
    ) -> impl Future<Output = Result<(), SqlError>> + Send {
        let _ = (cx, names);
        async { Ok(()) }
    }

    /// What was fetched is not needed any more: the statement that names it has all that it wants.
    fn forget_user_variables(&mut self) {}

    /// The value of a user variable, for `KILL @x`, `PREPARE … FROM @x` and `EXECUTE … USING @x`. The default knows none.
    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        let _ = name;
        None
    }
}
