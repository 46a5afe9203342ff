//! A client that is in: its commands, one after the other.
//!
//! A statement runs as a future of its own beside the socket: while the engine works, rows are written as they come,
//! and the client is watched.

mod change_user;
mod ending;
mod statements;

use std::{
    borrow::Cow,
    future::poll_fn,
    sync::Arc,
    task::{Poll, ready},
};

use bytes::Bytes;
use futures::future::{BoxFuture, join};
use mysql_common::constants::CapabilityFlags;
use tokio::{task::yield_now, time::Instant};

use super::{
    command::{self, WireCommand},
    conn::{Broken, Conn},
    farewell,
    gate::Gate,
    lead_in::{FAREWELL, closed},
    login::frame_error,
    pace,
    packet::Peer,
    prepared::Statements,
    rows::WireRows,
};
use crate::{
    control,
    engine::{Engine, RowSink, StatementContext},
    model::{CharacterSet, Command, Done, ErrorKind, Reason, SqlError, Statement},
    session::{Core, within},
    state::{Phase, Slot},
    supervisor::{Gauged, Registry},
};

/// See the module's text.
pub(super) struct Driver<E: Engine> {
    core: Core<E>,
    conn: Conn,
    gate: Arc<Gate>,
    /// The greeting's: a change of user is proved with it.
    nonce: [u8; 20],
    peer: Peer,
    /// The answer to the command, lent to its statements while they run; nothing of an idle connection.
    rows: Option<Box<WireRows>>,
    /// What the client has prepared; nothing where it has not.
    statements: Option<Box<Statements>>,
    /// Whether the client kept the last answer waiting.
    waited: bool,
    /// Whether the last answer said why the connection is closed.
    told: bool,
    /// While a shutdown is to wait for the client to read its last answer.
    owed: Option<Gauged>,
}

/// Watches whether the client takes what is written: one that does not for too long is closed (net_write_timeout), and
/// by nothing else before that. Returns whether it has taken something since the last look.
fn watch_flow(conn: &mut Conn, slot: &Slot, registry: &Registry) -> bool {
    let Some(blocked) = conn.flow_change() else { return false };
    let now = Instant::now();
    if let Some(until) = slot.set_stalled(blocked.then_some(now)) {
        conn.bear(until - now);
        registry.timers.arm(slot, until);
    }
    true
}

/// What follows a command.
enum Next {
    Serve,
    Leave(Reason),
    /// The command was not begun, since the session is to end.
    Unbegun(Reason),
}

/// A call of the session, as a future beside the socket.
type Running<'a, T> = BoxFuture<'a, Result<T, SqlError>>;

impl<E: Engine> Driver<E> {
    /// For a client that was let in.
    pub(super) fn new(core: Core<E>, conn: Conn, gate: Arc<Gate>, nonce: [u8; 20], peer: Peer) -> Box<Self> {
        let (rows, statements, owed) = (None, None, None);
        Box::new(Self { core, conn, gate, nonce, peer, rows, statements, waited: false, told: false, owed })
    }

    /// Serves the client until one of us leaves.
    pub(super) async fn serve(mut self: Box<Self>) {
        let slot = Arc::clone(self.core.slot());
        let longest = self.core.shared().max_allowed_packet;
        let reason = loop {
            let (Driver { core, conn, .. }, slot) = (&mut *self, &slot);
            let mut arrived = 0;
            let packet = poll_fn(move |task| {
                if let Some(reason) = slot.switch.word().leaving() {
                    return Poll::Ready(Err(reason));
                }
                let polled = conn.poll_packet(task, 0, longest);
                if polled.is_pending() && conn.unread() != arrived {
                    // Who is sending a command is not idle, however long it takes.
                    arrived = conn.unread();
                    core.touch();
                }
                polled.map(Ok)
            });
            let next = match packet.await {
                Ok(Ok(packet)) => {
                    // On the heap, as all that an idle connection has no room for.
                    let next = pace::counted(Box::pin(self.answer(packet.payload))).await;
                    if let Some(rows) = self.rows.take() {
                        rows.give_back();
                    }
                    next
                }
                Ok(Err(Broken::Gone)) => Next::Leave(Reason::ClientGone),
                Ok(Err(Broken::Frame(error))) => {
                    slot.switch.terminate(Reason::Protocol);
                    self.begin().failed(&frame_error(error));
                    self.told = true;
                    self.flush().await
                }
                Err(reason) => Next::Leave(reason),
            };
            match next {
                Next::Serve => {}
                Next::Leave(reason) => break reason,
                Next::Unbegun(reason) => {
                    Box::pin(self.turn_down(reason)).await;
                    break reason;
                }
            }
        };
        Box::pin(self.leave(&slot, reason)).await;
        closed(&slot);
    }

    /// The end of the connection, and of its session.
    async fn leave(mut self: Box<Self>, slot: &Slot, reason: Reason) {
        let reason = slot.switch.word().leaving().unwrap_or(reason);
        if reason.is_of_server() && !self.told {
            self.turn_down_arrived(reason).await;
        }
        let shared = self.core.shared();
        let tell = shared.tell_killed || reason.is_inactivity() && shared.registry.dialect.tells_inactivity();
        if tell && !self.told && farewell::is_due(reason) {
            self.conn.part_ahead(&[], &farewell::packet(reason, 1, true));
        }
        let told = reason.is_told() || tell && self.told;
        // An answer of just now may still be on its way.
        let owed = self.told || slot.since().elapsed() < FAREWELL;
        let owed = self.owed.take().or_else(|| owed.then(|| self.core.shared().registry.owe()));
        self.statements = None;
        let Driver { core, mut conn, .. } = *self;
        // At once: the rollback that may follow is none of the client's business.
        if told && !conn.is_parting() {
            conn.half_close();
        } else {
            conn.close();
        }
        if conn.is_parting() {
            // Its session does not wait for it.
            let departed = within(FAREWELL, conn.depart());
            let ((), _) = join(core.leave(reason), departed).await;
        } else {
            core.leave(reason).await;
            let _ = within(FAREWELL, conn.linger()).await;
        }
        drop(owed);
    }

    /// A command with its text as UTF-8.
    fn decoded(&self, payload: Bytes) -> Bytes {
        let set = self.core.slot().notes.character_sets().client;
        match (set, payload.first()) {
            (CharacterSet::Utf8mb4, _) => payload,
            // COM_INIT_DB, COM_QUERY, COM_FIELD_LIST, COM_STMT_PREPARE: text, and before it a byte that is the same in all
            // of them.
            (set, Some(0x02..=0x04 | 0x16)) => match set.decode(&payload) {
                Cow::Borrowed(_) => payload,
                Cow::Owned(text) => text.into(),
            },
            _ => payload,
        }
    }

    async fn answer(&mut self, payload: Bytes) -> Next {
        let payload = self.decoded(payload);
        let command = match command::read(payload) {
            Ok(command) => command,
            Err(error) => return self.refuse(&error).await,
        };
        match command {
            WireCommand::Quit => Next::Leave(Reason::Quit),
            WireCommand::Query(sql) => self.query(sql).await,
            WireCommand::InitDb(name) => self.use_database(name).await,
            // On the heap: it is rare, and large.
            WireCommand::ChangeUser(payload) => Box::pin(self.change_user(payload)).await,
            WireCommand::Reset => self.reset().await,
            WireCommand::Prepare(sql) => self.prepare(sql).await,
            WireCommand::Execute(payload) => self.execute(payload).await,
            WireCommand::LongData(payload) => self.long_data(payload),
            WireCommand::CloseStatement(payload) => self.close_statement(payload),
            WireCommand::ResetStatement(payload) => self.reset_statement(payload).await,
            WireCommand::FieldList { table, pattern } => self.fields(table, pattern).await,
            WireCommand::SeveralStatements(several) => self.several_statements(several).await,
            WireCommand::Ping => {
                self.core.touch();
                let state = self.core.state();
                self.begin().done(&state, false, &[]);
                self.flush().await
            }
            WireCommand::Statistics => {
                self.core.touch();
                let line = self.core.shared().registry.statistics();
                self.begin().line(&line);
                self.flush().await
            }
        }
    }

    /// Runs the statement, or the statements, of one COM_QUERY. They have one number: a kill ends the running one and
    /// drops the rest.
    async fn query(&mut self, sql: Bytes) -> Next {
        let (cx, began) = match self.core.begin(Command::Query, Some(sql.clone())) {
            Ok(begun) => begun,
            Err(reason) => return Next::Unbegun(reason),
        };
        self.begin();
        let several = self.peer.0.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
        let mut first = true;
        let mut statements = control::split(&sql, &self.core.shared().syntax());
        let result = loop {
            let Some(range) = statements.next() else {
                break Err(SqlError::of(ErrorKind::EmptyQuery, "Query was empty"));
            };
            let rest = statements.rest();
            if let (Some(rest), false) = (rest, several) {
                break Err(control::syntax_error(&sql, rest));
            }
            if rest.is_some() || !first {
                self.rows().one_of_several(rest.is_some());
            }
            let statement = Statement::text(sql.slice(range));
            let began = if first { began } else { Instant::now() };
            first = false;
            let run =
                self.watched(&cx, began, |core, cx, sink, began| Box::pin(core.execute(cx, statement, sink, began)));
            match (run.await, rest) {
                // Once it was killed, no part of it looks complete.
                (Ok(_), Some(_)) if cx.is_killed() => break Ok(Done::default()),
                (Ok(done), Some(_)) => {
                    self.done(&done, true);
                    self.between(&cx).await;
                }
                (ended, _) => break ended,
            }
        };
        self.conclude(cx, result).await
    }

    /// Between two statements of one command: the first one's answer is written, as MySQL does, and others on the arbiter
    /// have their turn. One packet has room for millions of statements: their answers are not gathered for a client that
    /// does not read, nor does an engine that never waits keep the arbiter to their end.
    async fn between(&mut self, cx: &StatementContext) {
        self.core.time_over();
        yield_now().await;
        let Driver { core, conn, rows, .. } = self;
        let (slot, registry) = (core.slot(), &core.shared().registry);
        let Some(rows) = rows.as_deref_mut() else { return };
        poll_fn(|task| {
            // What is not written yet goes out with the error, if the client is told at all.
            if cx.is_killed() {
                return Poll::Ready(());
            }
            let polled = rows.poll_write(task, conn);
            watch_flow(conn, slot, registry);
            let lost = match polled {
                Poll::Ready(written) => written.is_err(),
                Poll::Pending => {
                    ready!(conn.poll_gone(task));
                    true
                }
            };
            if lost {
                cx.slot().switch.terminate(Reason::ClientGone);
                conn.close();
            }
            Poll::Ready(())
        })
        .await;
    }

    /// COM_INIT_DB.
    async fn use_database(&mut self, name: String) -> Next {
        let run =
            self.run(Command::InitDb, None, |core, cx, sink, began| Box::pin(core.use_database(cx, name, sink, began)));
        match run.await {
            Ok((cx, result)) => self.conclude(cx, result).await,
            Err(reason) => Next::Unbegun(reason),
        }
    }

    /// Begins a command that has no rows, and runs it to its end, which is still to be told.
    ///
    /// # Errors
    /// The session is to end: the command was not begun.
    async fn run<R, F>(
        &mut self,
        command: Command,
        info: Option<Bytes>,
        run: F,
    ) -> Result<(StatementContext, Result<R, SqlError>), Reason>
    where
        F: for<'a> FnOnce(&'a mut Core<E>, &'a StatementContext, &'a mut RowSink, Instant) -> Running<'a, R>,
    {
        let (cx, began) = self.core.begin(command, info)?;
        self.begin();
        let result = self.watched(&cx, began, run).await;
        Ok((cx, result))
    }

    /// Runs something of the session's beside the socket.
    async fn watched<R, F>(&mut self, cx: &StatementContext, began: Instant, run: F) -> Result<R, SqlError>
    where
        F: for<'a> FnOnce(&'a mut Core<E>, &'a StatementContext, &'a mut RowSink, Instant) -> Running<'a, R>,
    {
        let Driver { core, conn, rows, peer, .. } = self;
        let tell = core.shared().tell_killed;
        let lent = rows.take().unwrap_or_else(|| WireRows::lend(*peer));
        let pipe = Arc::clone(lent.pipe());
        let mut sink = RowSink::new(lent, cx);
        let switch = &cx.slot().switch;
        let registry = Arc::clone(&core.shared().registry);
        let result = {
            let mut running = run(core, cx, &mut sink, began);
            poll_fn(|task| {
                loop {
                    if let Poll::Ready(result) = running.as_mut().poll(task) {
                        return Poll::Ready(result);
                    }
                    let word = switch.word();
                    let closed = word.leaving().is_some_and(|reason| !reason.is_told());
                    if closed && matches!(word.phase(), Phase::Ended(_)) {
                        // At once, however long the engine takes to see it.
                        let forced = word.leaving().filter(|reason| tell && !reason.is_goodbye());
                        if let (Some(reason), Some(next)) = (forced, conn.next()) {
                            conn.part_with(&farewell::packet(reason, next, true));
                        }
                        conn.close();
                    }
                    if conn.is_parting() {
                        let _ = conn.poll_last_words(task);
                    }
                    if !conn.is_open() {
                        return Poll::Pending;
                    }
                    let lost = matches!(conn.poll_stream(task, &pipe), Poll::Ready(Err(_)));
                    watch_flow(conn, cx.slot(), &registry);
                    if !lost && conn.poll_gone(task).is_pending() {
                        return Poll::Pending;
                    }
                    switch.terminate(Reason::ClientGone);
                    conn.close();
                }
            })
            .await
        };
        *rows = sink.into_sink::<WireRows>();
        if rows.as_ref().is_none_or(|rows| rows.is_torn()) {
            // It went down with a pool that held it, and nobody knows any more which packet would be the next; or no packet
            // can come next, but the rest of a row that will not come.
            conn.close();
        }
        result
    }
}
