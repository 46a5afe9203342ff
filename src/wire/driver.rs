//! One connection, from its greeting to its goodbye: the work of a session actor whose statements come over a socket.
//!
//! A statement runs as a future of its own beside the socket: while the engine works, rows are written as they come,
//! and the client is watched.

mod change_user;
mod statements;

use std::{
    borrow::Cow,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use actix::WeakRecipient;
use bytes::Bytes;
use futures::future::{BoxFuture, Either, join, select};
use mysql_common::constants::CapabilityFlags;
use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{
    command::{self, WireCommand},
    conn::{Broken, Chunk, Conn},
    farewell,
    gate::Gate,
    login::{Left, Turned, Unwelcome, Welcome, frame_error, login},
    pace,
    packet::{self, Peer},
    prepared::Statements,
    rows::{HELD, WireRows},
    stream::Stream,
    track,
};
use crate::{
    control,
    engine::{Engine, RowSink, StatementContext},
    model::{
        CharacterSet, CharacterSets, Command, Done, ErrorKind, Origin, Reason, Refused, SqlError, Statement,
        transaction_state,
    },
    session::{Core, Farewell, Inbox, Pipe, Shared, unless_leaving},
    state::{Phase, Signal, Slot},
    supervisor::Connect,
};

/// So long a client may take to read its last error, when its connection is being closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// The life of a connection.
pub(super) async fn live<E: Engine>(
    shared: Arc<Shared<E>>,
    inbox: Arc<Inbox>,
    control: WeakRecipient<Signal>,
    gate: Arc<Gate>,
    io: Stream,
    from: Origin,
) {
    let mut conn = Conn::new(io);
    let tell = shared.tell_killed;
    let connect = Connect { peer: from, control, principal: None };
    let registration = match shared.supervisor.send(connect).await.unwrap_or(Err(Refused::ShuttingDown)) {
        Ok(registration) => registration,
        Err(refused) => return refuse(&mut conn, &refused.into()).await,
    };
    let slot = Arc::clone(registration.slot());
    inbox.set_slot(&slot);
    // On the heap, and gone when the client is in: an idle connection has no room for it.
    let leading_in = Box::pin(async {
        let login = pin!(login(&shared, registration, &mut conn, &gate));
        match select(login, pin!(sleep(shared.login_timeout))).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), _login)) => {
                slot.switch.terminate(Reason::LoginTimeout);
                Err(Unwelcome { left: Left::Nothing, why: Turned::Gone })
            }
        }
    });
    match unless_leaving(&slot, leading_in).await {
        Ok(Ok(Welcome { core, peer, nonce, compression, character_set })) => {
            slot.notes.set_character_sets(CharacterSets { client: character_set, results: character_set });
            compression.into_iter().for_each(|algorithm| conn.compress(algorithm));
            if peer.0.contains(CapabilityFlags::CLIENT_SESSION_TRACK) {
                slot.notes.tellable();
            }
            let pipe = Pipe::new(HELD);
            let (rows, statements) = (None, None);
            let driver = Driver { core, conn, gate, nonce, peer, pipe, rows, statements, waited: false, told: false };
            Box::new(driver).serve().await;
        }
        Ok(Err(unwelcome)) => Box::pin(turn_away(conn, &slot, unwelcome, tell)).await,
        Err(reason) if tell => Box::pin(tell_and_close(conn, reason)).await,
        Err(_) => {}
    }
    tracing::debug!(session = %slot.id(), %from, reason = ?slot.switch.word().leaving(), "connection closed");
}

/// Ends a session whose client was not let in.
async fn turn_away<E: Engine>(mut conn: Conn, slot: &Slot, unwelcome: Unwelcome<E>, tell: bool) {
    let Unwelcome { left, why } = unwelcome;
    let reason = if why == Turned::Told { Reason::Protocol } else { Reason::ClientGone };
    slot.switch.terminate(reason);
    match left {
        Left::Opened(core) => core.leave(reason).await,
        Left::Registered(registration) => drop(registration),
        Left::Nothing => {}
    }
    if why == Turned::Told {
        let _ = timeout(FAREWELL, conn.linger()).await;
        return;
    }
    let forced = slot.switch.word().leaving().filter(|reason| !reason.is_goodbye());
    if let (Some(reason), true) = (forced, tell) {
        tell_and_close(conn, reason).await;
    }
}

/// Tells a client that is not in yet why its connection is closed.
async fn tell_and_close(mut conn: Conn, reason: Reason) {
    if let Some(next) = conn.next() {
        conn.part_with(&farewell::packet(reason, next, conn.heard()));
        let _ = timeout(FAREWELL, conn.depart()).await;
    }
}

/// Turns a client away before its greeting: an error without an SQLSTATE, since it has not said what it can read.
async fn refuse(conn: &mut Conn, error: &SqlError) {
    let (mut out, mut written) = (Vec::new(), 0);
    packet::error(&mut out, &mut 0, Peer(CapabilityFlags::empty()), error);
    let told = async {
        if poll_fn(|task| conn.poll_write(task, &out, &mut written)).await.is_ok() {
            conn.linger().await;
        }
    };
    // A client that does not read it will not know.
    let _ = timeout(FAREWELL, told).await;
}

struct Driver<E: Engine> {
    core: Core<E>,
    conn: Conn,
    gate: Arc<Gate>,
    /// The greeting's: a change of user is proved with it.
    nonce: [u8; 20],
    peer: Peer,
    /// From the sink of a long result to the socket.
    pipe: Arc<Pipe<Chunk>>,
    /// Lent to each statement while it runs.
    rows: Option<Box<WireRows>>,
    /// What the client has prepared; nothing where it has not.
    statements: Option<Box<Statements>>,
    /// Whether the client kept the last answer waiting.
    waited: bool,
    /// Whether the last answer said why the connection is closed.
    told: bool,
}

/// What follows a command.
enum Next {
    Serve,
    Leave(Reason),
}

/// A call of the session, as a future beside the socket.
type Running<'a, T> = BoxFuture<'a, Result<T, SqlError>>;

impl<E: Engine> Driver<E> {
    async fn serve(mut self: Box<Self>) {
        let slot = Arc::clone(self.core.slot());
        let longest = self.core.shared().max_allowed_packet;
        let reason = loop {
            let packet = poll_fn(|task| {
                if let Some(reason) = slot.switch.word().leaving() {
                    return Poll::Ready(Err(reason));
                }
                self.conn.poll_packet(task, 0, longest).map(Ok)
            });
            let next = match packet.await {
                Ok(Ok(packet)) => {
                    let next = self.answer(packet.payload).await;
                    pace::answered();
                    next
                }
                Ok(Err(Broken::Gone)) => Next::Leave(Reason::ClientGone),
                Ok(Err(Broken::Frame(error))) => {
                    slot.switch.terminate(Reason::Protocol);
                    self.refuse(&frame_error(error)).await
                }
                Err(reason) => Next::Leave(reason),
            };
            if let Next::Leave(reason) = next {
                break reason;
            }
        };
        let reason = slot.switch.word().leaving().unwrap_or(reason);
        let tell = self.core.shared().tell_killed;
        if tell && !self.told && !reason.is_goodbye() {
            self.conn.renumber();
            self.conn.part_with(&farewell::packet(reason, 1, true));
        }
        let told = reason.is_told() || tell && self.told;
        let Driver { core, mut conn, .. } = *self;
        // At once: the rollback that may follow is none of the client's business.
        if told && !conn.is_parting() {
            conn.half_close();
        } else {
            conn.close();
        }
        // On the heap: an idle connection has no room for its end.
        Box::pin(async move {
            if conn.is_parting() {
                // Its session does not wait for it.
                let departed = timeout(FAREWELL, conn.depart());
                let ((), _) = join(core.leave(reason), departed).await;
            } else {
                core.leave(reason).await;
                let _ = timeout(FAREWELL, conn.linger()).await;
            }
        })
        .await;
    }

    /// A command with its text as UTF-8.
    fn decoded(&self, payload: Bytes) -> Bytes {
        let set = self.core.slot().notes.character_sets().client;
        match (set, payload.first()) {
            (CharacterSet::Utf8mb4, _) => payload,
            // COM_INIT_DB, COM_QUERY, COM_STMT_PREPARE: text, and before it a byte that is the same in all of them.
            (set, Some(0x02 | 0x03 | 0x16)) => match set.decode(&payload) {
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
            WireCommand::InitDb(name) => {
                let command = Command::InitDb;
                self.command(command, |core, cx, sink, began| Box::pin(core.use_database(cx, name, sink, began))).await
            }
            // On the heap: it is rare, and an idle connection has no room for it.
            WireCommand::ChangeUser(payload) => Box::pin(self.change_user(payload)).await,
            WireCommand::Reset => {
                let command = Command::ResetConnection;
                self.statements = None;
                self.command(command, |core, cx, sink, began| Box::pin(core.reset(cx, sink, began))).await
            }
            // On the heap: they are rare, or at least not everybody's.
            WireCommand::Prepare(sql) => Box::pin(self.prepare(sql)).await,
            WireCommand::Execute(payload) => Box::pin(self.execute(payload)).await,
            WireCommand::LongData(payload) => self.long_data(payload),
            WireCommand::CloseStatement(payload) => self.close_statement(payload),
            WireCommand::ResetStatement(payload) => self.reset_statement(payload).await,
            WireCommand::FieldList { table, pattern } => Box::pin(self.fields(table, pattern)).await,
            WireCommand::SeveralStatements(several) => self.several_statements(several).await,
            WireCommand::Ping => {
                self.core.touch();
                let state = self.core.state();
                self.begin().done(&state, false, &[]);
                self.flush().await
            }
            WireCommand::Statistics => {
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
            Err(reason) => return Next::Leave(reason),
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
        self.conclude(&cx, result).await
    }

    /// Between two statements of one command: the first one's answer is written, as MySQL does, and others on the arbiter
    /// have their turn. One packet has room for millions of statements: their answers are not gathered for a client that
    /// does not read, nor does an engine that never waits keep the arbiter to their end.
    async fn between(&mut self, cx: &StatementContext) {
        yield_now().await;
        let Driver { conn, rows, .. } = self;
        let Some(rows) = rows.as_deref_mut() else { return };
        poll_fn(|task| {
            // What is not written yet goes out with the error, if the client is told at all.
            if cx.is_killed() {
                return Poll::Ready(());
            }
            let lost = match rows.poll_write(task, conn) {
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

    /// Runs a command that has no rows.
    async fn command<F>(&mut self, command: Command, run: F) -> Next
    where
        F: for<'a> FnOnce(&'a mut Core<E>, &'a StatementContext, &'a mut RowSink, Instant) -> Running<'a, Done>,
    {
        let (cx, began) = match self.core.begin(command, None) {
            Ok(begun) => begun,
            Err(reason) => return Next::Leave(reason),
        };
        self.begin();
        let result = self.watched(&cx, began, run).await;
        self.conclude(&cx, result).await
    }

    /// Runs something of the session's beside the socket.
    async fn watched<R, F>(&mut self, cx: &StatementContext, began: Instant, run: F) -> Result<R, SqlError>
    where
        F: for<'a> FnOnce(&'a mut Core<E>, &'a StatementContext, &'a mut RowSink, Instant) -> Running<'a, R>,
    {
        let Driver { core, conn, rows, pipe, peer, .. } = self;
        let tell = core.shared().tell_killed;
        let lent = rows.take().unwrap_or_else(|| WireRows::new(*peer, pipe));
        let mut sink = RowSink::new(lent, cx);
        let switch = &cx.slot().switch;
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
                    let lost = matches!(conn.poll_stream(task, pipe), Poll::Ready(Err(_)));
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
        if rows.is_none() {
            // It went down with a pool that held it, and nobody knows any more which packet would be the next.
            conn.close();
        }
        result
    }

    /// Decides how a command ended, tells the client, and only then calls it over.
    async fn conclude(&mut self, cx: &StatementContext, result: Result<Done, SqlError>) -> Next {
        let farewell = self.settle(result);
        match &farewell.result {
            Ok(done) => self.done(done, false),
            Err(error) => self.rows().failed(error),
        }
        self.tell(cx, farewell.result.map(|done| done.affected), farewell.killed).await
    }

    /// Decides how a command ended.
    fn settle<R>(&mut self, result: Result<R, SqlError>) -> Farewell<R> {
        let Farewell { mut result, killed } = self.core.settle(result);
        self.told = killed.is_some();
        if let (Some(reason @ Reason::KillConnection), true) = (killed, self.core.shared().tell_killed) {
            result = Err(farewell::error(reason));
        }
        Farewell { result, killed }
    }
    /// Tells the client how a command ended, and calls it over.
    async fn tell(&mut self, cx: &StatementContext, end: Result<u64, SqlError>, killed: Option<Reason>) -> Next {
        let next = self.flush().await;
        let at = if self.waited { Instant::now() } else { self.core.ended() };
        self.core.finish(cx, end, killed, at);
        next
    }

    /// A statement ended well: its OK, with what changed in the session.
    fn done(&mut self, done: &Done, more: bool) {
        let notes = &self.core.slot().notes;
        let changes = match &self.rows {
            Some(rows) if notes.any() && rows.can_tell() => track::encode(&notes.take(transaction_state(done))),
            _ => Vec::new(),
        };
        let results = notes.character_sets().results;
        let rows = self.rows();
        rows.done(done, more, &changes);
        // For the statements that follow in the same command.
        rows.results = results;
    }

    /// An error, outside of any statement.
    async fn refuse(&mut self, error: &SqlError) -> Next {
        self.begin().failed(error);
        self.told = true;
        self.flush().await
    }

    fn rows(&mut self) -> &mut WireRows {
        let Driver { rows, pipe, peer, .. } = self;
        rows.get_or_insert_with(|| WireRows::new(*peer, pipe))
    }

    /// Begins the answer to a command.
    fn begin(&mut self) -> &mut WireRows {
        let state = self.core.state();
        self.told = false;
        let first = self.conn.first();
        let results = self.core.slot().notes.character_sets().results;
        let rows = self.rows();
        rows.begin(first, state);
        rows.results = results;
        rows
    }

    /// Writes what is to be written. A client that does not read keeps its session here, but not when that is to end.
    async fn flush(&mut self) -> Next {
        let Driver { core, conn, rows, waited, told, .. } = self;
        let tell = core.shared().tell_killed;
        let switch = &core.slot().switch;
        *waited = false;
        let Some(rows) = rows.as_deref_mut() else { return Next::Serve };
        let mut patience = None;
        let flushed = poll_fn(|task| {
            // Who is closed without a word is not told how its statement ended.
            let leaving = switch.word().leaving();
            if let Some(reason) = leaving.filter(|reason| !reason.is_told()) {
                if !tell || reason.is_goodbye() {
                    return Poll::Ready(Err(reason));
                }
                // Told, but not waited for.
                return match rows.poll_write(task, conn) {
                    Poll::Ready(written) => Poll::Ready(written.map_err(|_| reason)),
                    Poll::Pending => {
                        let mut words = rows.unwritten();
                        if !*told {
                            words.extend(farewell::packet(reason, 1, true));
                        }
                        conn.part_with(&words);
                        Poll::Ready(Err(reason))
                    }
                };
            }
            if let Poll::Ready(written) = rows.poll_write(task, conn) {
                return Poll::Ready(written.map_err(|_| Reason::ClientGone));
            }
            *waited = true;
            if let Some(reason) = leaving {
                let over = patience.get_or_insert_with(|| Box::pin(sleep(FAREWELL)));
                if over.as_mut().poll(task).is_ready() {
                    return Poll::Ready(Err(reason));
                }
            }
            conn.poll_gone(task).map(|()| Err(Reason::ClientGone))
        })
        .await;
        rows.rest();
        match flushed {
            Ok(()) => switch.word().leaving().map_or(Next::Serve, Next::Leave),
            Err(reason) => {
                switch.terminate(reason);
                conn.close();
                Next::Leave(reason)
            }
        }
    }
}
