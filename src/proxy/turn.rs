//! One turn: something is asked of a server, on a server session that is lent for it, and the answer is handed on.
//!
//! Before, the server session is brought up to the client's state; a kill is passed on meanwhile (see `kill`). After it, the
//! connection is between two commands, or it is lost.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    backend::{Account, Answer, Prepared, command, execute_payload},
    connection::{ClientId, Connection},
    failure::{self, Failure},
    kill::Watch,
    pins::Pins,
    pool::Servers,
    relay::{first_row, relay},
    route::{Reading, Verb},
    server::Lease,
    state::without_first,
};
use crate::{
    engine::{RowFormat, RowSink, StatementContext},
    model::{Done, Killed, OwnedValue, Params, SqlError, Versions},
    session::Allowed,
};

/// The server does not know the statement (any more).
const UNKNOWN_PREPARED: u16 = 1243;

/// The statement's tables have changed so much since that it has to be prepared again.
const NEEDS_PREPARATION: u16 = 1615;

/// The server does not know a system variable.
const UNKNOWN_VARIABLE: u16 = 1193;

/// What a replica's sessions begin with.
const READ_ONLY: &[u8] = b"SET SESSION TRANSACTION READ ONLY";

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
            match watch.over(connection.backend.command(command::PING, &[])).await {
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
        if !matches!(ask, Ask::Reset) {
            // On the heap: these are rare.
            if watch.server().at != 0 && !connection.reads_only {
                Box::pin(self.forbid_writing(connection, watch)).await?;
            }
            if connection.versions != self.servers.state.hold().versions() {
                Box::pin(self.catch_up(connection, watch, ask)).await?;
            }
            if !matches!(connection.id, ClientId::Told) && self.needs_id() {
                Box::pin(self.tell_id(connection, watch)).await?;
            }
        }
        if !std::mem::replace(&mut connection.made, true) {
            watch.server().made();
        }
        if let Some(reason) = self.cx.stop() {
            return Err(Failure::Killed(reason));
        }
        let backend = &mut connection.backend;
        match (ask, out) {
            (Ask::Text(sql), Some(out)) => {
                backend.send(command::QUERY, &[sql])?;
                relay(watch, backend, out, RowFormat::Text).await.map(Got::Done)
            }
            (Ask::Execute(sql, params, database), Some(out)) => {
                let database = database.cloned().or_else(|| self.cx.database());
                self.execute(connection, watch, (database, sql), params, out).await.map(Got::Done)
            }
            (Ask::Text(sql), None) => watch.over(backend.command(command::QUERY, &[sql])).await.map(Got::Done),
            (Ask::Prepare(sql) | Ask::Execute(sql, ..), _) => {
                let database = self.cx.database();
                self.prepare(connection, watch, database.as_ref(), sql).await.map(Got::Prepared)
            }
            (Ask::Values(sql), _) => {
                backend.send(command::QUERY, &[sql])?;
                let allowed = Allowed::of(self.cx.slot().globals(), self.cx.principal());
                first_row(watch, backend, allowed).await.map(Got::Values)
            }
            (Ask::Database(name), _) => {
                watch.over(backend.command(command::INIT_DB, &[name.as_bytes()])).await.map(Got::Done)
            }
            (Ask::Fields(table, pattern), _) => watch.over(backend.fields(table, pattern)).await.map(Got::Fields),
            (Ask::Reset, _) => {
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
                None => self.prepare_in(connection, watch, database.as_ref(), sql).await?,
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

    /// Brings the server session up to what the client has changed elsewhere.
    async fn catch_up(&self, connection: &mut Connection, watch: &mut Watch<'_>, ask: Ask<'_>) -> Result<(), Failure> {
        let (database, set, seen) = {
            let state = self.servers.state.hold();
            let mut behind = state.catch_up(&connection.versions);
            if matches!(ask, Ask::Database(_)) {
                // Another one is asked for.
                behind.database = None;
            } else if connection.in_database && state.database().is_none() {
                return Err(Failure::Unfit(failure::no_database()));
            }
            if behind.is_empty() {
                return Ok(());
            }
            (behind.database.map(str::to_owned), behind.set, state.versions())
        };
        if let Some(name) = database
            && self.change_database(connection, watch, &name).await?
        {
            connection.versions.db_name = seen.db_name;
        }
        if let Some(set) = set {
            self.tell_variables(connection, watch, set).await?;
        }
        connection.versions = Versions { db_name: connection.versions.db_name, ..seen };
        Ok(())
    }

    /// Sees to it that nothing writes at a replica, whatever a statement does that looks like a read: a view may call a
    /// function that writes.
    async fn forbid_writing(&self, connection: &mut Connection, watch: &mut Watch<'_>) -> Result<(), Failure> {
        match watch.over(connection.backend.command(command::QUERY, &[READ_ONLY])).await {
            Ok(_) => connection.reads_only = true,
            Err(Failure::Server(error)) => return Err(Failure::Unfit(error)),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Makes the client's database current. `false`: there is none of that name.
    async fn change_database(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        name: &str,
    ) -> Result<bool, Failure> {
        match watch.over(connection.backend.command(command::INIT_DB, &[name.as_bytes()])).await {
            Ok(_) => connection.in_database = true,
            // A replica does not have it yet. Elsewhere the statement must not run in the database before it.
            Err(Failure::Server(error)) if watch.server().at != 0 || connection.in_database => {
                return Err(Failure::Unfit(error));
            }
            // It was dropped: as in a session whose database is dropped, the statement has none.
            Err(Failure::Server(error)) => {
                tracing::debug!(%error, "the client's database could not be made current");
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        }
        Ok(true)
    }

    /// Runs the `SET` that brings the client's variables along.
    async fn tell_variables(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        mut set: Vec<u8>,
    ) -> Result<(), Failure> {
        let replica = watch.server().at != 0;
        let autocommit = self.before.autocommit;
        if connection.versions.sys_var == 0 && connection.backend.first_flags().autocommit != autocommit {
            set.extend_from_slice(if autocommit { b", autocommit = 1" } else { b", autocommit = 0" });
        }
        let mut told = watch.over(connection.backend.command(command::QUERY, &[&set])).await;
        if let Err(Failure::Server(error)) = &told
            && error.code() == UNKNOWN_VARIABLE
            && let Some(rest) = without_first(&set)
        {
            told = watch.over(connection.backend.command(command::QUERY, &[&rest])).await;
        }
        match told {
            Ok(answer) if replica && answer.done.quiet() != self.before.quiet() => {
                Err(Failure::Unfit(failure::other_flags()))
            }
            Ok(_) if replica && may_write(&set) => self.forbid_writing(connection, watch).await,
            Ok(_) => Ok(()),
            Err(Failure::Server(error)) if replica && self.cx.stop().is_none() => Err(Failure::Unfit(error)),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the server has to know the client's id first: the statement asks for it, or leaves something that the server
    /// keeps by that id. (MariaDB finds temporary tables by it: they would be gone with the id before.)
    fn needs_id(&self) -> bool {
        self.reading.uses_connection_id || self.reading.pins.any_of(Pins::TEMPORARY_TABLES.and(Pins::ROUTINES))
    }

    /// Tells the server the client's id.
    async fn tell_id(&self, connection: &mut Connection, watch: &mut Watch<'_>) -> Result<(), Failure> {
        if let ClientId::Untold = connection.id {
            let set = format!("SET pseudo_thread_id = {}", self.cx.connection_id());
            connection.id = match watch.over(connection.backend.command(command::QUERY, &[set.as_bytes()])).await {
                Ok(_) => ClientId::Told,
                Err(Failure::Server(error)) if self.cx.stop().is_none() => ClientId::Refused(error),
                Err(failure) => return Err(failure),
            };
        }
        match &connection.id {
            ClientId::Refused(error) if self.reading.uses_connection_id => {
                Err(Failure::Server(failure::no_connection_id(error)))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a `SET` says whether the session may write.
fn may_write(set: &[u8]) -> bool {
    let name = b"_read_only";
    set.windows(name.len()).any(|window| window == name)
}
