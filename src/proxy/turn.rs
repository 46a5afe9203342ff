//! One turn: something is asked of a server, on a server session that is lent for it, and the answer is handed on.
//!
//! Before, the server session is brought up to the client's state; a kill is passed on meanwhile (see `kill`). After it, the
//! connection is between two commands, or it is lost.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    backend::{Account, Answer, Prepared, command, execute_payload},
    connection::Connection,
    failure::{self, Failure},
    kill::Watch,
    pool::Servers,
    relay::{first_row, relay},
    route::{Reading, Verb},
    server::Lease,
};
use crate::{
    engine::{RowFormat, RowSink, StatementContext},
    model::{Done, Killed, OwnedValue, Params, SqlError},
    session::Allowed,
};

/// The server does not know the statement (any more).
const UNKNOWN_PREPARED: u16 = 1243;

/// The statement's tables have changed so much since that it has to be prepared again.
const NEEDS_PREPARATION: u16 = 1615;

/// What is asked of a server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'a> {
    /// To run a statement.
    Text(&'a Bytes),
    /// To run a prepared statement with these parameters, which was prepared in this database.
    Execute(&'a Bytes, &'a Params, Option<&'a Arc<str>>),
    /// To say what the first row of a statement's answer is: for the proxy itself.
    Values(&'a Bytes),
    /// To say what parameters and columns a statement has.
    Prepare(&'a Bytes),
    /// To make this the current database.
    Database(&'a str),
    /// The columns of a table whose names fit a pattern.
    Fields(&'a str, &'a str),
    /// To forget everything that the session has changed.
    Reset,
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Got {
    /// Its rows were handed on.
    Done(Answer),
    /// The first row.
    Values(Vec<OwnedValue>),
    Prepared(Prepared),
    /// The definitions of columns.
    Fields(Vec<Bytes>),
}

/// A turn that left its connection as it should be.
pub(super) struct Ended {
    pub(super) lease: Lease,
    pub(super) got: Result<Got, SqlError>,
    /// The session's flags at the server.
    pub(super) flags: Done,
    /// System variables of which the server has told behind a statement that failed.
    pub(super) later: Vec<(String, String)>,
    /// The server session could not be brought up to the client's state, which `got` says: nothing was asked of it.
    pub(super) unfit: bool,
}

/// See the module's text.
pub(super) struct Turn<'a> {
    pub(super) cx: &'a StatementContext,
    pub(super) servers: &'a Servers,
    pub(super) account: &'a Arc<Account>,
    pub(super) reading: &'a Reading<'a>,
    /// The session's flags before.
    pub(super) before: Done,
}

impl Turn<'_> {
    /// Takes it.
    ///
    /// # Errors
    /// The server session is over.
    pub(super) async fn take(
        &self,
        mut lease: Lease,
        ask: Ask<'_>,
        out: Option<&mut RowSink>,
    ) -> Result<Ended, Failure> {
        let server = Arc::clone(&lease.server);
        let mut watch = Watch::new(self.cx, &server, self.account);
        let connection = &mut *lease;
        let spoken = self.speak(connection, &mut watch, ask, out).await;
        let unfit = matches!(spoken, Err(Failure::Unfit(_)));
        let got = match spoken {
            Ok(got) => Ok(got),
            Err(Failure::Server(error) | Failure::Unfit(error)) => Err(error),
            Err(Failure::Killed(reason)) => {
                watch.drop_rest(&mut connection.backend).await?;
                Err(Killed(reason).into())
            }
            Err(over @ (Failure::Lost(_) | Failure::Ended)) => return Err(over),
        };
        let mut settled = watch.settle(&mut connection.backend).await?;
        if settled.is_none() && got.is_err() && !unfit && self.errors_leave_flags_open() {
            // On the heap, as all that is rare and large: each statement has room for what is not.
            match Box::pin(watch.over(connection.backend.command(command::PING, &[]))).await {
                Ok(answer) => {
                    watch.settle(&mut connection.backend).await?;
                    settled = Some(answer);
                }
                Err(Failure::Server(_) | Failure::Unfit(_)) => {}
                Err(over) => return Err(over),
            }
        }
        let flags = match (&got, &settled) {
            // Of a server session that was not brought up to the client's state they are not the client's.
            (Err(_), Some(_)) if self.is_behind(connection) => self.before,
            (_, Some(answer)) => answer.done,
            (Ok(Got::Done(answer)), None) => answer.done,
            (_, None) => self.before,
        };
        let later = settled.map(|answer| answer.changes.variables).unwrap_or_default();
        Ok(Ended { lease, got, flags, later, unfit })
    }

    /// Whether an error says too little: nothing of the transaction, which it may have ended, or which a procedure may have
    /// begun.
    fn errors_leave_flags_open(&self) -> bool {
        self.before.in_transaction || !self.before.autocommit || self.reading.verb == Verb::Call
    }

    /// Whether there are variables that the server session has not been told.
    fn is_behind(&self, connection: &Connection) -> bool {
        self.servers.state.hold().catch_up(&connection.versions).set.is_some()
    }

    async fn speak(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        ask: Ask<'_>,
        out: Option<&mut RowSink>,
    ) -> Result<Got, Failure> {
        connection.close_unneeded()?;
        if !matches!(ask, Ask::Reset) && self.is_to_be_told(connection, watch) {
            // On the heap: it is rare.
            Box::pin(self.bring_up(connection, watch, ask)).await?;
        }
        if !std::mem::replace(&mut connection.made, true) {
            watch.server().made();
        }
        if let Some(reason) = self.cx.stop() {
            return Err(Failure::Killed(reason));
        }
        match (ask, out) {
            (Ask::Text(sql), Some(out)) => {
                let backend = &mut connection.backend;
                backend.send(command::QUERY, &[sql])?;
                relay(watch, backend, out, RowFormat::Text).await.map(Got::Done)
            }
            (Ask::Execute(sql, params, database), Some(out)) => {
                let database = database.cloned().or_else(|| self.cx.database());
                self.execute(connection, watch, (database, sql), params, out).await.map(Got::Done)
            }
            (ask, _) => Box::pin(self.command(connection, watch, ask)).await,
        }
    }

    /// Asks what has no rows for a client.
    async fn command(&self, connection: &mut Connection, watch: &mut Watch<'_>, ask: Ask<'_>) -> Result<Got, Failure> {
        let backend = &mut connection.backend;
        match ask {
            Ask::Text(sql) => watch.over(backend.command(command::QUERY, &[sql])).await.map(Got::Done),
            Ask::Prepare(sql) | Ask::Execute(sql, ..) => {
                let database = self.cx.database();
                self.prepare(connection, watch, database.as_ref(), sql).await.map(Got::Prepared)
            }
            Ask::Values(sql) => {
                backend.send(command::QUERY, &[sql])?;
                let allowed = Allowed::of(self.cx.slot().globals(), self.cx.principal());
                first_row(watch, backend, allowed).await.map(Got::Values)
            }
            Ask::Database(name) => {
                watch.over(backend.command(command::INIT_DB, &[name.as_bytes()])).await.map(Got::Done)
            }
            Ask::Fields(table, pattern) => watch.over(backend.fields(table, pattern)).await.map(Got::Fields),
            Ask::Reset => {
                let answer = watch.over(backend.command(command::RESET_CONNECTION, &[])).await?;
                connection.forget();
                Ok(Got::Done(answer))
            }
        }
    }

    /// Runs a prepared statement; prepared first, if the server session does not know it.
    async fn execute(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        (database, sql): (Option<Arc<str>>, &Bytes),
        params: &Params,
        out: &mut RowSink,
    ) -> Result<Answer, Failure> {
        loop {
            connection.close_unneeded()?;
            let known = connection.prepared.find(database.as_deref(), sql);
            let id = match known {
                Some(id) => id,
                None => Box::pin(self.prepare_in(connection, watch, database.as_ref(), sql)).await?,
            };
            if let Some(reason) = self.cx.stop() {
                return Err(Failure::Killed(reason));
            }
            let payload = execute_payload(id, params);
            connection.backend.send(command::STMT_EXECUTE, &[&payload])?;
            match relay(watch, &mut connection.backend, out, RowFormat::Binary).await {
                Err(Failure::Server(error))
                    if known.is_some()
                        && !out.gave_rows()
                        && [UNKNOWN_PREPARED, NEEDS_PREPARATION].contains(&error.code()) =>
                {
                    connection.prepared.remove(database.as_deref(), sql);
                }
                ended => return ended,
            }
        }
    }

    /// Prepares a statement in the database that it was prepared in first, and goes back to the client's.
    async fn prepare_in(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        database: Option<&Arc<str>>,
        sql: &Bytes,
    ) -> Result<u32, Failure> {
        let now = self.cx.database();
        if database.is_none() || database == now.as_ref() {
            return Ok(self.prepare(connection, watch, database, sql).await?.id);
        }
        let (Some(there), Some(now)) = (database, now) else {
            return Err(Failure::Server(failure::no_database()));
        };
        watch.over(connection.backend.command(command::INIT_DB, &[there.as_bytes()])).await?;
        // Until it is back it is brought up to date before anything else runs there.
        connection.in_database = true;
        let seen = std::mem::take(&mut connection.versions.db_name);
        let prepared = self.prepare(connection, watch, database, sql).await;
        if let Err(over @ (Failure::Lost(_) | Failure::Ended)) = prepared {
            return Err(over);
        }
        watch.over(connection.backend.command(command::INIT_DB, &[now.as_bytes()])).await?;
        connection.versions.db_name = seen;
        Ok(prepared?.id)
    }

    /// Prepares a statement in the current database, which is this one.
    async fn prepare(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        database: Option<&Arc<str>>,
        sql: &Bytes,
    ) -> Result<Prepared, Failure> {
        let prepared = watch.over(connection.backend.prepare(sql)).await?;
        connection.prepared.insert(database.cloned(), Bytes::clone(sql), prepared.id);
        Ok(prepared)
    }
}
