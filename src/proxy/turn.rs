//! One turn: something is asked of a server, on a server session that is lent for it, and the answer is handed on.
//!
//! Before, the server session is brought up to the client's state; a kill is passed on meanwhile (see `kill`). After it, the
//! connection is between two commands, or it is lost.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    backend::{Account, Answer, Prepared, command, execute_payload},
    failure::{self, Failure},
    kill::Watch,
    pool::Servers,
    relay::{first_row, relay},
    route::Reading,
    server::{Connection, Lease},
};
use crate::{
    engine::{RowFormat, RowSink, StatementContext},
    model::{Done, Killed, OwnedValue, Params, SqlError, Versions},
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
    /// To run a prepared statement with these parameters.
    Execute(&'a Bytes, &'a Params),
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
        let got = match spoken {
            Ok(got) => Ok(got),
            Err(Failure::Server(error)) => Err(error),
            Err(Failure::Killed(reason)) => {
                watch.drop_rest(&mut connection.backend).await?;
                Err(Killed(reason).into())
            }
            Err(over @ (Failure::Lost(_) | Failure::Ended)) => return Err(over),
        };
        let settled = watch.settle(&mut connection.backend).await?;
        let flags = match (&got, settled) {
            (_, Some(answer)) => answer.done,
            (Ok(Got::Done(answer)), None) => answer.done,
            (Ok(_), None) => self.before,
            // An error says nothing of the transaction, which it may have ended.
            (Err(_), None) if self.before.in_transaction || !self.before.autocommit => {
                match watch.over(connection.backend.command(command::PING, &[])).await {
                    Ok(answer) => {
                        watch.settle(&mut connection.backend).await?;
                        answer.done
                    }
                    Err(Failure::Server(_)) => self.before,
                    Err(over) => return Err(over),
                }
            }
            (Err(_), None) => self.before,
        };
        Ok(Ended { lease, got, flags })
    }

    async fn speak(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        ask: Ask<'_>,
        out: Option<&mut RowSink>,
    ) -> Result<Got, Failure> {
        if !matches!(ask, Ask::Database(_) | Ask::Reset) {
            self.catch_up(connection, watch).await?;
            self.tell_id(connection, watch).await?;
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
                watch.over(backend.send(command::QUERY, &[sql])).await?;
                relay(watch, backend, out, RowFormat::Text).await.map(Got::Done)
            }
            (Ask::Execute(sql, params), Some(out)) => {
                self.execute(connection, watch, sql, params, out).await.map(Got::Done)
            }
            (Ask::Text(sql), None) => watch.over(backend.command(command::QUERY, &[sql])).await.map(Got::Done),
            (Ask::Prepare(sql) | Ask::Execute(sql, _), _) => {
                close_unneeded(connection, watch).await?;
                let prepared = watch.over(connection.backend.prepare(sql)).await?;
                connection.prepared.insert(Bytes::clone(sql), prepared.id);
                Ok(Got::Prepared(prepared))
            }
            (Ask::Values(sql), _) => {
                watch.over(backend.send(command::QUERY, &[sql])).await?;
                first_row(watch, backend).await.map(Got::Values)
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
        sql: &Bytes,
        params: &Params,
        out: &mut RowSink,
    ) -> Result<Answer, Failure> {
        loop {
            close_unneeded(connection, watch).await?;
            let known = connection.prepared.find(sql);
            let id = match known {
                Some(id) => id,
                None => {
                    let id = watch.over(connection.backend.prepare(sql)).await?.id;
                    connection.prepared.insert(Bytes::clone(sql), id);
                    id
                }
            };
            if let Some(reason) = self.cx.stop() {
                return Err(Failure::Killed(reason));
            }
            let payload = execute_payload(id, params);
            watch.over(connection.backend.send(command::STMT_EXECUTE, &[&payload])).await?;
            match relay(watch, &mut connection.backend, out, RowFormat::Binary).await {
                Err(Failure::Server(error))
                    if known.is_some()
                        && !out.gave_rows()
                        && [UNKNOWN_PREPARED, NEEDS_PREPARATION].contains(&error.code()) =>
                {
                    connection.prepared.remove(sql);
                }
                ended => return ended,
            }
        }
    }

    /// Brings the server session up to what the client has changed elsewhere.
    async fn catch_up(&self, connection: &mut Connection, watch: &mut Watch<'_>) -> Result<(), Failure> {
        let (database, set, versions) = {
            let state = self.servers.state.hold();
            let behind = state.catch_up(&connection.versions);
            if behind.is_empty() {
                return Ok(());
            }
            (behind.database.map(str::to_owned), behind.set, state.versions())
        };
        let mut seen = versions;
        if let Some(name) = database {
            match watch.over(connection.backend.command(command::INIT_DB, &[name.as_bytes()])).await {
                Ok(_) => {}
                // It was dropped, or is not there yet: as in a session whose database is dropped, the statement has none.
                Err(Failure::Server(error)) => {
                    tracing::debug!(%error, "the client's database could not be made current");
                    seen.db_name = connection.versions.db_name;
                }
                Err(failure) => return Err(failure),
            }
        }
        if let Some(set) = set {
            watch.over(connection.backend.command(command::QUERY, &[&set])).await?;
        }
        connection.versions = seen;
        Ok(())
    }

    /// Tells the server the client's id, if the statement asks for it.
    async fn tell_id(&self, connection: &mut Connection, watch: &mut Watch<'_>) -> Result<(), Failure> {
        if !self.reading.uses_connection_id || connection.knows_id {
            return Ok(());
        }
        let set = format!("SET pseudo_thread_id = {}", self.cx.connection_id());
        match watch.over(connection.backend.command(command::QUERY, &[set.as_bytes()])).await {
            Ok(_) => {
                connection.knows_id = true;
                Ok(())
            }
            Err(Failure::Server(error)) => Err(Failure::Server(failure::no_connection_id(&error))),
            Err(failure) => Err(failure),
        }
    }
}

/// Closes those prepared statements at the server that there is no room for any more.
async fn close_unneeded(connection: &mut Connection, watch: &mut Watch<'_>) -> Result<(), Failure> {
    while let Some(id) = connection.prepared.unneeded() {
        let id = id.to_le_bytes();
        watch.over(connection.backend.tell(command::STMT_CLOSE, &[&id])).await?;
    }
    Ok(())
}

impl Connection {
    /// The server has forgotten all that the session had changed.
    fn forget(&mut self) {
        self.prepared = Default::default();
        self.versions = Versions::default();
        self.knows_id = false;
    }
}
