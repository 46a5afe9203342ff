//! What a server session is told before a statement runs on it: what the client has changed elsewhere, the client's id, and that
//! nothing is to be written at a replica.

use super::{
    backend::command,
    connection::{ClientId, Connection},
    failure::{self, Failure},
    kill::Watch,
    pins::Pins,
    state::without_first,
    turn::{Ask, Turn},
};
use crate::model::Versions;

/// The server does not know a system variable.
const UNKNOWN_VARIABLE: u16 = 1193;

/// What a replica's sessions begin with.
const READ_ONLY: &[u8] = b"SET SESSION TRANSACTION READ ONLY";

impl Turn<'_> {
    /// Whether the server session has to be told something first.
    pub(super) fn is_to_be_told(&self, connection: &Connection, watch: &Watch<'_>) -> bool {
        connection.versions != self.servers.state.hold().versions()
            || self.is_to_know_id(connection)
            || is_to_read_only(connection, watch)
    }

    /// Tells it.
    ///
    /// # Errors
    /// The statement cannot run there, or the server session is over.
    pub(super) async fn bring_up(
        &self,
        connection: &mut Connection,
        watch: &mut Watch<'_>,
        ask: Ask<'_>,
    ) -> Result<(), Failure> {
        if is_to_read_only(connection, watch) {
            self.forbid_writing(connection, watch).await?;
        }
        if connection.versions != self.servers.state.hold().versions() {
            self.catch_up(connection, watch, ask).await?;
        }
        if self.is_to_know_id(connection) {
            self.tell_id(connection, watch).await?;
        }
        Ok(())
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
    fn is_to_know_id(&self, connection: &Connection) -> bool {
        !matches!(connection.id, ClientId::Told)
            && (self.reading.uses_connection_id || self.reading.pins.any_of(Pins::TEMPORARY_TABLES.and(Pins::ROUTINES)))
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

/// Whether the server is still to refuse all that writes.
fn is_to_read_only(connection: &Connection, watch: &Watch<'_>) -> bool {
    watch.server().at != 0 && !connection.reads_only
}

/// Whether a `SET` says whether the session may write.
fn may_write(set: &[u8]) -> bool {
    let name = b"_read_only";
    set.windows(name.len()).any(|window| window == name)
}
