//! What becomes of one client's statements: each is passed on to one of the client's server sessions, which is chosen, or made,
//! here.
//!
//! What is said on a server session then is in `turn`, how a kill is passed on in `kill`.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    backend::{Account, column, command},
    character_sets,
    connect::Client,
    engine::Shared,
    failure::{self, Failure},
    kill::PATIENCE,
    open::Open,
    pool::Servers,
    route::{self, Own, Place, Reading},
    server::{Lease, Standing},
    state::State,
    turn::{Ask, Ended, Got, Turn},
};
use crate::{
    engine::{EngineSession, OnKill, RowSink, StatementContext},
    model::{
        Column, ColumnType, Done, ErrorKind, OwnedValue, Prepared, Principal, Reason, ServerSessions, SqlError,
        Statement, Value,
    },
    session::{Allowed, length, within},
};

/// What a proxy keeps for one client.
pub struct ProxySession {
    proxy: Arc<Shared>,
    who: Arc<Principal>,
    /// Nothing before the first statement.
    open: Option<Box<Open>>,
}

impl ProxySession {
    pub(super) fn new(proxy: Arc<Shared>, who: Arc<Principal>) -> Self {
        Self { proxy, who, open: None }
    }

    /// What the client has, shown to others from now on.
    fn open(&mut self, cx: &StatementContext) -> Result<&mut Open, SqlError> {
        let (proxy, who) = (&self.proxy, &self.who);
        if self.open.is_none() {
            let account = proxy.account(who).ok_or_else(|| failure::no_account(who))?;
            let open =
                Open::new(account, State::new(cx.database().as_deref(), cx.login_collation()), proxy.first_flags());
            cx.publish_servers(Arc::clone(&open.servers) as Arc<dyn ServerSessions>);
            self.open = Some(Box::new(open));
        }
        self.open.as_deref_mut().ok_or_else(SqlError::panicked)
    }

    /// What is said of a statement that the proxy answers itself.
    fn quiet(&self) -> Done {
        self.open.as_ref().map_or_else(|| self.proxy.first_flags(), |open| open.done)
    }

    /// A server session for a statement that may run there, lent to it.
    ///
    /// # Errors
    /// What the client relied on is gone, or no server takes the statement.
    async fn lease(&mut self, cx: &StatementContext, place: Place) -> Result<Lease, SqlError> {
        cx.check()?;
        let read_split = self.proxy.read_split;
        let open = self.open(cx)?;
        let (servers, account) = (Arc::clone(&open.servers), Arc::clone(&open.account));
        servers.sweep();
        if let Some(owed) = open.owed.take() {
            return Err(owed);
        }
        if let Some(home) = open.home.clone() {
            match servers.take(home.ss_id) {
                Some(lease) => return Ok(lease),
                None => {
                    if let Err(lost) = open.leave(&home) {
                        open.forget_last();
                        return Err(lost);
                    }
                }
            }
        }
        if matches!(place, Place::Last | Place::LastAtPrimary)
            && let Some(lease) = open.take_last(place)?
        {
            return Ok(lease);
        }
        if read_split && open.place(place) == Place::Any {
            let mut refused = None;
            for at in self.proxy.readers() {
                if self.open(cx)?.is_refused_at(at) {
                    continue;
                }
                match self.lease_at(cx, at, &servers, &account).await {
                    Ok((lease, true)) => return Ok(lease),
                    Ok((lease, false)) => {
                        lease.give_back(Standing::default());
                        refused = None;
                        break;
                    }
                    Err(error) => refused = Some(error),
                }
                cx.check()?;
            }
            if let Some(refused) = refused {
                return Err(refused);
            }
        }
        self.lease_at(cx, 0, &servers, &account).await.map(|(lease, _)| lease)
    }

    /// The server session at this server, made if there is none, and whether it serves the client as far as its flags tell.
    async fn lease_at(
        &mut self,
        cx: &StatementContext,
        at: usize,
        servers: &Servers,
        account: &Arc<Account>,
    ) -> Result<(Lease, bool), SqlError> {
        if let Some(lease) = servers.take_at(at) {
            return Ok((lease, true));
        }
        // On the heap: it is rare, and large.
        let client = Client { proxy: &self.proxy, who: &self.who, servers, account };
        let lease = Box::pin(client.connect(cx, at)).await?;
        let flags = lease.backend.first_flags();
        if at == 0 {
            self.proxy.begins_with(flags);
        }
        let serves = self.open(cx)?.begin(at, flags);
        Ok((lease, serves))
    }

    /// Asks a server, and notes what its answer says of the client's session. What only reads is asked again, of another
    /// server if there is one, if the first was lost before it gave rows.
    async fn ask(
        &mut self,
        cx: &StatementContext,
        (reading, mut place): (&Reading<'_>, Place),
        ask: Ask<'_>,
        mut out: Option<&mut RowSink>,
    ) -> Result<Got, SqlError> {
        let (mut tries, mut counted) = (self.proxy.count(), false);
        loop {
            let lease = self.lease(cx, place).await?;
            let syntax = self.proxy.syntax;
            let open = self.open(cx)?;
            let (server, servers, account) =
                (Arc::clone(&lease.server), Arc::clone(&open.servers), Arc::clone(&open.account));
            let begins = !open.done.in_transaction && matches!(ask, Ask::Text(_) | Ask::Execute(..));
            if begins && !std::mem::replace(&mut counted, true) {
                servers.transaction_begun();
            }
            let turn = Turn { cx, servers: &servers, account: &account, reading, before: open.done };
            match turn.take(lease, ask, out.as_deref_mut()).await {
                Ok(Ended { lease, got: Err(error), unfit: true, .. }) => {
                    open.unfit(lease, error, place)?;
                    place = Place::Primary;
                }
                Ok(Ended { lease, got: Err(error), flags, .. })
                    if lease.server.at != 0
                        && place == Place::Any
                        && failure::is_of_a_write(&error)
                        && !out.as_ref().is_some_and(|out| out.gave_rows()) =>
                {
                    // It only looked like a read.
                    open.leave_replica(lease, flags);
                    place = Place::Primary;
                }
                Ok(ended) => return open.ended(cx, ended, ask, reading, &syntax),
                Err(failure) => {
                    let lost = matches!(failure, Failure::Lost(_));
                    tracing::debug!(server = %server.address, ?failure, "a server session is over");
                    servers.sweep();
                    let missed = if open.home.is_some() { open.leave(&server).err() } else { None };
                    tries = tries.saturating_sub(1);
                    let told = out.as_ref().is_some_and(|out| out.gave_rows());
                    let again = lost && missed.is_none() && !told && reading.place == Place::Any && tries > 0;
                    if !lost || cx.is_killed() {
                        open.owed = missed;
                    }
                    if !again || cx.is_killed() {
                        return Err(failure.told(&server.address));
                    }
                }
            }
        }
    }

    /// The values of variables of the client's, of which servers alone know.
    async fn values(&mut self, cx: &StatementContext, variables: &[&[u8]]) -> Result<Vec<OwnedValue>, SqlError> {
        if variables.is_empty() {
            return Ok(Vec::new());
        }
        let sql = Bytes::from([b"SELECT ", &*variables.join(&b", "[..])].concat());
        let syntax = self.proxy.syntax;
        let reading = route::read(&sql, &syntax);
        match self.ask(cx, (&reading, Place::Primary), Ask::Values(&sql), None).await? {
            Got::Values(values) => Ok(values),
            Got::Done(_) | Got::Prepared(_) | Got::Fields(_) => Ok(Vec::new()),
        }
    }

    /// A statement that the proxy has to do with itself.
    async fn own(
        &mut self,
        cx: &StatementContext,
        own: Own<'_>,
        statement: &Statement,
        out: &mut RowSink,
    ) -> Result<Done, SqlError> {
        match own {
            Own::ConnectionId { header } => {
                out.columns([id_column(header.to_string_lossy())])?;
                out.row(&[Value::UInt(cx.connection_id().get())])?;
            }
            Own::LocalInfile => return Err(failure::no_local_files()),
            Own::CharacterSets => {
                let syntax = self.proxy.syntax;
                let values = self.values(cx, &character_sets::asked(&statement.sql, &syntax)).await?;
                let named = character_sets::read(&statement.sql, &syntax, cx.character_sets(), &values)?;
                if let Some(rest) = named.rest {
                    let rest = Bytes::from(rest);
                    let reading = route::read(&rest, &syntax);
                    self.ask(cx, (&reading, reading.place), Ask::Text(&rest), None).await?;
                }
                if let Some(set) = named.connection {
                    self.open(cx)?.servers.state.hold().set_connection(set);
                }
                cx.set_character_sets(named.sets);
            }
        }
        Ok(self.quiet())
    }
}

/// The column of `SELECT CONNECTION_ID()`.
fn id_column(header: String) -> Column {
    Column::new(header, ColumnType::BigInt).unsigned().not_null()
}

/// Columns as callers see them.
fn columns(definitions: &[Bytes]) -> Result<Vec<Column>, SqlError> {
    let columns = definitions.iter().map(|definition| column(definition));
    columns.collect::<Result<_, _>>().map_err(|error| failure::malformed(&error))
}

impl EngineSession for ProxySession {
    /// A statement that is killed ends when its server says so: within a bound, see `kill`.
    const ON_KILL: OnKill = OnKill::Finish;

    async fn execute(
        &mut self,
        cx: &StatementContext,
        statement: Statement,
        out: &mut RowSink,
    ) -> Result<Done, SqlError> {
        let syntax = self.proxy.syntax;
        let reading = match (&statement.params, &mut self.open) {
            (Some(_), Some(open)) => open.readings.of(&statement.sql, &syntax),
            _ => route::read(&statement.sql, &syntax),
        };
        if let Some(own) = reading.own {
            return Box::pin(self.own(cx, own, &statement, out)).await;
        }
        let (ask, place) = match &statement.params {
            None => (Ask::Text(&statement.sql), reading.place),
            // It is prepared where it is executed, and stays there.
            Some(params) => {
                let place = if reading.place == Place::Any { Place::Primary } else { reading.place };
                (Ask::Execute(&statement.sql, params, statement.database.as_ref()), place)
            }
        };
        match self.ask(cx, (&reading, place), ask, Some(out)).await? {
            Got::Done(answer) => Ok(answer.done),
            Got::Values(_) | Got::Prepared(_) | Got::Fields(_) => Ok(self.quiet()),
        }
    }

    async fn prepare(&mut self, cx: &StatementContext, sql: &Bytes) -> Result<Prepared, SqlError> {
        let syntax = self.proxy.syntax;
        let reading = route::read(sql, &syntax);
        match reading.own {
            Some(Own::ConnectionId { header }) => {
                return Ok(Prepared { params: Vec::new(), columns: vec![id_column(header.to_string_lossy())] });
            }
            Some(Own::LocalInfile) => return Err(SqlError::not_preparable()),
            Some(Own::CharacterSets) => return Ok(Prepared::default()),
            None => {}
        }
        match self.ask(cx, (&reading, Place::Primary), Ask::Prepare(sql), None).await? {
            Got::Prepared(prepared) => {
                Ok(Prepared { params: columns(&prepared.params)?, columns: columns(&prepared.columns)? })
            }
            Got::Values(_) | Got::Done(_) | Got::Fields(_) => Ok(Prepared::default()),
        }
    }

    async fn fields(&mut self, cx: &StatementContext, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
        let reading = route::read(b"", &self.proxy.syntax);
        match self.ask(cx, (&reading, Place::Primary), Ask::Fields(table, pattern), None).await? {
            Got::Fields(fields) => columns(&fields),
            Got::Values(_) | Got::Done(_) | Got::Prepared(_) => Ok(Vec::new()),
        }
    }

    async fn use_database(&mut self, cx: &StatementContext, name: &str) -> Result<(), SqlError> {
        let reading = route::read(b"", &self.proxy.syntax);
        let ask = Ask::Database(name);
        match self.ask(cx, (&reading, Place::Primary), ask, None).await {
            // Clients that only read can do without the primary. Nothing was lost with it: they would have been told that.
            Err(error) if self.proxy.read_split && error.code() == ErrorKind::UnreachableNode.code().0 => {
                self.ask(cx, (&reading, Place::Any), ask, None).await.map(drop)
            }
            asked => asked.map(drop),
        }
    }

    async fn reset(&mut self, cx: &StatementContext) -> Result<(), SqlError> {
        cx.restore_character_sets();
        let Some(open) = self.open.as_deref_mut() else { return Ok(()) };
        // One server session is kept, if its server can reset it.
        open.reset(self.proxy.first_flags(), false);
        let (servers, account) = (Arc::clone(&open.servers), Arc::clone(&open.account));
        servers.sweep();
        let lease = servers.take_last();
        servers.leave_all_but(lease.as_ref().map(|lease| lease.server.ss_id));
        if let Some(lease) = lease {
            let reading = route::read(b"", &self.proxy.syntax);
            let turn = Turn { cx, servers: &servers, account: &account, reading: &reading, before: Done::default() };
            match turn.take(lease, Ask::Reset, None).await {
                Ok(Ended { lease, got: Ok(_), flags, .. }) => {
                    if lease.server.at == 0 {
                        open.reset(flags, true);
                    }
                    lease.give_back(Standing::default());
                }
                // One that cannot be reset is of no use: the next statement has a new one.
                Ok(Ended { lease, got: Err(_), .. }) => lease.give_up(),
                Err(_) => {}
            }
            servers.sweep();
        }
        servers.state.hold().reset();
        Ok(())
    }

    /// Nothing that the client has at servers outlives it: a transaction is rolled back, and all connections are closed.
    async fn rollback(&mut self, _: Reason) {
        let Some(mut open) = self.open.take() else { return };
        if let (true, Some(home)) = (open.done.in_transaction, open.home.take())
            && let Some(mut lease) = open.servers.take(home.ss_id)
        {
            let done = within(PATIENCE, lease.backend.command(command::QUERY, &[b"ROLLBACK"])).await;
            match done {
                Some(Ok(_)) => lease.give_up(),
                // The server rolls back when it sees that the connection is gone.
                other => tracing::warn!(server = %home.address, ?other, "a transaction was not rolled back"),
            }
        }
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.open.as_ref().is_some_and(|open| open.done.in_transaction))
    }

    fn flags(&self) -> Option<Done> {
        Some(self.quiet())
    }

    fn close_prepared(&mut self, sql: &Bytes, database: Option<&str>) {
        if let Some(open) = &self.open {
            open.servers.close_prepared(database, sql);
        }
    }

    /// The server alone knows what a variable is that was not given a literal, and of what type.
    const FETCHES_USER_VARIABLES: bool = true;

    async fn fetch_user_variables(&mut self, cx: &StatementContext, names: &[String]) -> Result<(), SqlError> {
        let there: Vec<String> = names.iter().map(|name| format!("@`{}`", name.replace('`', "``"))).collect();
        let there: Vec<&[u8]> = there.iter().map(String::as_bytes).collect();
        let values = self.values(cx, &there).await?;
        Allowed::of(cx.slot().globals(), cx.principal()).check(values.iter().map(length).sum())?;
        self.open(cx)?.fetched = names.iter().cloned().zip(values).collect();
        Ok(())
    }

    fn forget_user_variables(&mut self) {
        if let Some(open) = &mut self.open {
            open.fetched = Vec::new();
        }
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        let fetched = &self.open.as_ref()?.fetched;
        fetched.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

impl std::fmt::Debug for ProxySession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers = self.open.as_ref().map_or(0, |open| open.servers.count());
        f.debug_struct("ProxySession").field("who", &self.who).field("servers", &servers).finish_non_exhaustive()
    }
}
