//! One connection to a server: this crate's side of it is the client's.
//!
//! All state of reading and writing is in [`Backend`]. The futures of its calls may be dropped between two polls: the next
//! call goes on where they were. What a server sends is held only as it arrives, and rows are handed on as they came.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `greeting` | the server's first packet, and our answer to it; pure |
//! | `proof` | proofs of passwords, as clients make them; pure |
//! | `login` | the packets of a login, up to its end |
//! | `link` | the socket: bytes in and out, packets of them |
//! | `reply` | the packets of an answer, one after the other: what each of them is; pure |
//! | `answer` | how an answer ends: OK, EOF or an error, and what changed in the session; pure |
//! | `decode` | definitions of columns, and rows, where they are not passed on as they are; pure |
//! | `shown` | values of binary rows as texts; pure |
//! | `execute` | the parameters of a prepared statement on their way out; pure |

mod answer;
mod decode;
mod execute;
mod greeting;
mod link;
mod login;
mod proof;
mod reply;
mod shown;
#[cfg(test)]
pub(in crate::proxy) mod tests;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

pub(in crate::proxy) use self::{
    answer::{Answer, Gathered},
    decode::{binary_row, column, payloads, text_row},
    execute::execute_payload,
    link::To,
    reply::{Head, Prepared},
    shown::Shown,
};
use self::{
    link::Link,
    login::Whole,
    reply::{Event, Reply, Rest},
};
use crate::{
    model::{Done, ServerPeer, SqlError},
    wire::RowPart,
};

/// The commands that a client sends, by the numbers of the protocol.
pub(in crate::proxy) mod command {
    /// Goodbye; there is no answer.
    pub(in crate::proxy) const QUIT: u8 = 0x01;
    /// Another current database: its name follows.
    pub(in crate::proxy) const INIT_DB: u8 = 0x02;
    /// A statement: its text follows.
    pub(in crate::proxy) const QUERY: u8 = 0x03;
    /// The columns of a table.
    pub(in crate::proxy) const FIELD_LIST: u8 = 0x04;
    /// Whether the server is there.
    pub(in crate::proxy) const PING: u8 = 0x0e;
    /// A statement is to be prepared: its text follows.
    pub(in crate::proxy) const STMT_PREPARE: u8 = 0x16;
    /// A prepared statement is to run. See [`super::execute_payload`].
    pub(in crate::proxy) const STMT_EXECUTE: u8 = 0x17;
    /// A prepared statement is not needed any more: its id follows. There is no answer: see [`super::Backend::tell`].
    pub(in crate::proxy) const STMT_CLOSE: u8 = 0x19;
    /// The session is to be as it was after its login.
    pub(in crate::proxy) const RESET_CONNECTION: u8 = 0x1f;
}

/// So many bytes of rows are handed on at a time at most, or one row if it is longer.
const MOST_ROWS: usize = 64 * 1024;

/// A server may take so long to hear goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who the client is at the servers.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Account {
    pub(in crate::proxy) user: String,
    pub(in crate::proxy) password: String,
    /// Whether the password may be encrypted for a public key that the server sends, also if it is on another machine.
    pub(in crate::proxy) takes_keys: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a connection is to begin with.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) struct Wishes {
    /// The collation in which texts are compared, by its number, as far as it can be said at a login: see
    /// [`character_sets::told`](super::character_sets::told). 0: the server's own.
    pub(in crate::proxy) collation: u16,
    /// Whether an `UPDATE` counts the rows that it found, also those that stay as they were (MySQL: `CLIENT_FOUND_ROWS`).
    pub(in crate::proxy) found_rows: bool,
}

/// Why a server gave no answer, or not the wanted one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::proxy) enum BackendError {
    /// The server answered with an error: the connection goes on. (Of [`Backend::connect`]: there is none.)
    #[error("{0}")]
    Server(SqlError),
    /// The connection is gone, or what came over it makes no sense: it cannot be used any more.
    #[error("{0}")]
    Lost(String),
}

/// What came next of a result set.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Rows<'a> {
    /// Rows: whole ones, each in its packet with its header (in several, if it is very long), one after the other.
    Some(&'a [u8]),
    /// A part of a row of several packets: see [`Backend::pieces`].
    Part(Part<'a>),
    /// There are no more.
    End(Answer),
}

/// A part of a row of several packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Part<'a> {
    pub(in crate::proxy) bytes: &'a [u8],
    /// Whether it begins with a packet's header.
    pub(in crate::proxy) starts: bool,
    /// Whether the row is whole with it.
    pub(in crate::proxy) ends: bool,
}

/// See the module's text.
///
/// A command is sent by [`Backend::send`]; its answer is read by [`Backend::head`], by [`Backend::rows`] after columns, and
/// again by [`Backend::head`] while an [`Answer`] says that more follows. [`Backend::finish`] may come at any time instead.
/// [`Backend::command`], [`Backend::prepare`] and [`Backend::fields`] are all of it in one.
pub(in crate::proxy) struct Backend {
    link: Link,
    reply: Reply,
    /// The rows that the last call gave.
    given: Bytes,
    /// The server's number for this connection.
    server_sessid: u64,
    /// The session's flags at the login.
    first_flags: Done,
}

/// A server that was reached, and does not know yet who comes.
pub(in crate::proxy) struct Reached(Link);

impl Reached {
    /// Connects; up to this moment.
    ///
    /// # Errors
    /// [`BackendError::Lost`]: nobody is there.
    pub(in crate::proxy) async fn server(to: impl Into<To<'_>>, until: Instant) -> Result<Self, BackendError> {
        let to = to.into();
        let connected = timeout_at(until, Link::connect(to)).await;
        connected.unwrap_or_else(|_| Err(late(to))).map(Self)
    }

    /// Logs in; up to this moment.
    ///
    /// # Errors
    /// As of [`Backend::connect`].
    pub(in crate::proxy) async fn enter(
        self,
        account: &Account,
        wishes: Wishes,
        until: Instant,
    ) -> Result<Backend, BackendError> {
        let Self(mut link) = self;
        let whole = Whole::of(account, link.peer());
        let entered = timeout_at(until, login::login(&mut link, account, wishes, whole)).await;
        let entered = entered.unwrap_or_else(|_| Err(late(link.peer())))?;
        let (id, version) = (entered.server_sessid, &*entered.version);
        tracing::debug!(server = %link.peer(), id, version, "connected to a server");
        Ok(Backend {
            link,
            reply: Reply::new(entered.writes_eofs),
            given: Bytes::new(),
            server_sessid: entered.server_sessid,
            first_flags: entered.flags,
        })
    }
}

fn late(server: impl std::fmt::Display) -> BackendError {
    BackendError::Lost(format!("{server} did not answer in time"))
}

impl Backend {
    /// Connects and logs in; all of it within this time.
    ///
    /// # Errors
    /// [`BackendError::Server`]: the server does not want us (1045, 1040 and others). [`BackendError::Lost`]: it is not
    /// there, or does not speak as a server does.
    pub(in crate::proxy) async fn connect(
        to: impl Into<To<'_>>,
        account: &Account,
        wishes: Wishes,
        within: Duration,
    ) -> Result<Self, BackendError> {
        let until = Instant::now() + within;
        Reached::server(to, until).await?.enter(account, wishes, until).await
    }

    /// The server's number for this connection, which a `KILL` there takes.
    pub(in crate::proxy) fn server_sessid(&self) -> u64 {
        self.server_sessid
    }

    /// The flags of a session in which nothing was said yet: the server's own settings show in them.
    pub(in crate::proxy) fn first_flags(&self) -> Done {
        self.first_flags
    }

    /// The address that it has reached.
    pub(in crate::proxy) fn peer(&self) -> &ServerPeer {
        self.link.peer()
    }

    /// Whether no command is on its way, so that another can be sent. Never again once the connection is lost.
    pub(in crate::proxy) fn is_between_commands(&self) -> bool {
        self.reply.is_over() && self.link.is_usable()
    }

    /// Begins a command: its number, and the parts of what follows it. The call that reads the answer sends it.
    ///
    /// # Errors
    /// The connection is lost: another answer was not read to its end, for instance.
    pub(in crate::proxy) fn send(&mut self, command: u8, parts: &[&[u8]]) -> Result<(), BackendError> {
        self.begin(command, parts, Reply::begin)
    }

    /// The same, of a command that has no answer: it is sent with the next one.
    ///
    /// # Errors
    /// As [`Backend::send`].
    pub(in crate::proxy) fn tell(&mut self, command: u8, parts: &[&[u8]]) -> Result<(), BackendError> {
        self.begin(command, parts, |_| ())
    }

    fn begin(&mut self, command: u8, parts: &[&[u8]], expect: fn(&mut Reply)) -> Result<(), BackendError> {
        if !self.reply.is_over() {
            return Err(self.link.lose("a command came in the middle of an answer"));
        }
        self.link.queue_command(command, parts)?;
        expect(&mut self.reply);
        Ok(())
    }

    /// The beginning of the next result.
    ///
    /// # Errors
    /// The statement's own, which ends the answer; or the connection is lost.
    pub(in crate::proxy) async fn head(&mut self) -> Result<Head, BackendError> {
        loop {
            match self.event().await? {
                Event::Head(head) => return Ok(head),
                Event::Part => {}
                Event::Prepared(_) | Event::End(_) => return Err(self.link.lose("a result that is none")),
            }
        }
    }

    /// The next rows of the result set that [`Backend::head`] began, or its end.
    ///
    /// # Errors
    /// The statement's own, which ends the answer; or the connection is lost.
    pub(in crate::proxy) async fn rows(&mut self) -> Result<Rows<'_>, BackendError> {
        self.next_rows(false).await
    }

    /// The same, where rows of several packets, of 16 MiB and more, come in parts, as they arrive.
    ///
    /// # Errors
    /// As of [`Backend::rows`].
    pub(in crate::proxy) async fn pieces(&mut self) -> Result<Rows<'_>, BackendError> {
        self.next_rows(true).await
    }

    async fn next_rows(&mut self, in_parts: bool) -> Result<Rows<'_>, BackendError> {
        if !self.reply.is_in_rows() || self.link.is_in_row() && !in_parts {
            return Err(self.link.lose("there are no rows to read"));
        }
        self.given = Bytes::new();
        loop {
            if !self.link.is_in_row()
                && let Some(rows) = self.link.rows(MOST_ROWS)?
            {
                self.given = rows;
                break;
            }
            if in_parts && let Some(RowPart { bytes, starts, ends }) = self.link.part(MOST_ROWS)? {
                self.given = bytes;
                return Ok(Rows::Part(Part { bytes: &self.given, starts, ends }));
            }
            if !self.link.is_in_row()
                && let Some(packet) = self.link.next_packet()?
            {
                return match self.take(packet)? {
                    Event::End(answer) => Ok(Rows::End(answer)),
                    _ => Err(self.link.lose("rows ended in what is no end")),
                };
            }
            self.link.fill().await?;
        }
        Ok(Rows::Some(&self.given))
    }

    /// Reads and drops whatever is left of the answer.
    ///
    /// # Errors
    /// The statement's own, which ends the answer; or the connection is lost.
    pub(in crate::proxy) async fn finish(&mut self) -> Result<Answer, BackendError> {
        let (mut last, mut changes) = (Answer::default(), Gathered::default());
        while !self.reply.is_over() {
            let next = if self.reply.is_in_rows() {
                match self.pieces().await? {
                    Rows::Some(_) | Rows::Part(_) => continue,
                    Rows::End(answer) => answer,
                }
            } else {
                match self.event().await? {
                    Event::Head(Head::Ok(answer)) | Event::End(answer) => answer,
                    Event::Head(Head::Columns(_)) | Event::Prepared(_) | Event::Part => continue,
                }
            };
            last = next;
            if let Err(error) = changes.add(std::mem::take(&mut last.changes)) {
                return Err(self.link.lose(error.to_string()));
            }
        }
        Ok(Answer { changes: changes.all(), ..last })
    }

    /// Sends a command and reads its answer, of which only the end is wanted.
    ///
    /// # Errors
    /// The statement's own; or the connection is lost.
    pub(in crate::proxy) async fn command(&mut self, command: u8, parts: &[&[u8]]) -> Result<Answer, BackendError> {
        self.send(command, parts)?;
        self.finish().await
    }

    /// Prepares a statement. Dropped before it is done, [`Backend::finish`] reads the rest; the server keeps the statement then.
    ///
    /// # Errors
    /// The statement's own; or the connection is lost.
    pub(in crate::proxy) async fn prepare(&mut self, sql: &[u8]) -> Result<Prepared, BackendError> {
        self.begin(command::STMT_PREPARE, &[sql], Reply::begin_prepare)?;
        loop {
            match self.event().await? {
                Event::Prepared(prepared) => return Ok(prepared),
                Event::Part => {}
                Event::Head(_) | Event::End(_) => return Err(self.link.lose("a preparation ended in what is no end")),
            }
        }
    }

    /// The definitions of a table's columns whose names fit `pattern` (`LIKE`'s; empty: all), by `COM_FIELD_LIST`.
    ///
    /// # Errors
    /// The table is unknown, for instance; or the connection is lost.
    pub(in crate::proxy) async fn fields(&mut self, table: &str, pattern: &str) -> Result<Vec<Bytes>, BackendError> {
        self.begin(command::FIELD_LIST, &[table.as_bytes(), &[0], pattern.as_bytes()], Reply::begin_rows)?;
        let (mut fields, mut bytes) = (Vec::new(), 0);
        loop {
            match self.rows().await? {
                Rows::Some(packets) => {
                    bytes += packets.len();
                    fields.extend(payloads(packets).map(|payload| Bytes::from(payload.into_owned())));
                }
                Rows::Part(_) => {}
                Rows::End(_) => return Ok(fields),
            }
            if bytes > reply::MOST_DEFINITIONS {
                return Err(self.link.lose("there is no end of columns"));
            }
        }
    }

    /// Sends what is queued, as far as that takes no waiting: the rest goes with what comes next.
    pub(in crate::proxy) fn flush_at_once(&mut self) {
        self.link.flush_at_once();
    }

    /// Says goodbye, if no command is on its way, and closes the connection.
    pub(in crate::proxy) async fn quit(mut self) {
        let between = self.is_between_commands();
        let goodbye = async {
            if between && self.tell(command::QUIT, &[]).is_ok() && self.link.flush().await.is_ok() {
                self.link.close().await;
            }
        };
        // It is closed in any case.
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    /// Between commands: ready when the server has closed the connection, or says something that nobody asked for (as MySQL
    /// does before it closes one). At once if it was lost before.
    pub(in crate::proxy) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.reply.is_over() || self.link.is_lost() { self.link.poll_closed(cx) } else { Poll::Pending }
    }

    /// What the next packet of an answer is, outside of rows.
    async fn event(&mut self) -> Result<Event, BackendError> {
        if self.reply.is_over() || self.reply.is_in_rows() {
            return Err(self.link.lose("there is no answer to read"));
        }
        self.given = Bytes::new();
        let packet = self.link.packet().await?;
        self.take(packet)
    }

    fn take(&mut self, packet: Bytes) -> Result<Event, BackendError> {
        match self.reply.take(packet) {
            Ok(event) => {
                if self.reply.is_over() {
                    self.link.rest();
                }
                Ok(event)
            }
            Err(Rest::Failed(error)) => {
                self.link.rest();
                Err(BackendError::Server(error))
            }
            Err(Rest::Malformed(what)) => Err(self.link.lose(what)),
        }
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("server_sessid", &self.server_sessid).finish_non_exhaustive()
    }
}
