//! A side connection: another one of the client's account to the server that runs its statement, to say a kill there.
//!
//! It goes to the very address that the server session's connection has reached: the name may stand for several servers, and
//! a server's number for a session means nothing to another one. At a Unix socket it has to find the same process. A server
//! that has no place for it is asked again: as long as the kill was not sent, it is none. By then it may have been started
//! anew, and have given the number to somebody else: so it has to have been up for as long as the server session has been
//! there.
//!
//! A kill may come before its statement: a busy server has room for a new connection, and has not read yet what an old one
//! asks. It would do nothing there (MariaDB heeds no kill of a statement while the session sleeps), and it is said once only:
//! so the server is asked first whether the session has begun. (Where the server is another proxy, its number may be that of
//! another session at the servers behind it, which are asked in its place: the kill is late then.)

use std::{
    borrow::Cow,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicU8,
            Ordering::{AcqRel, Acquire},
        },
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, channel::oneshot};
use tokio::time::Instant;

use super::{
    backend::{Account, Backend, BackendError, Head, Rows, Wishes, column, command, payloads, text_row},
    server::Server,
};
use crate::{
    model::{ErrorKind, OwnedValue, ServerAddress, ServerPeer},
    session::{Timer, within},
};

/// So long it is tried to end a server session at its server that is closed here.
const PERSISTENCE: Duration = Duration::from_secs(60);

/// A login may take so long.
const LOGIN: Duration = Duration::from_secs(5);

/// A server that did not let us in is asked again after so long, and each time after twice as long, up to the other.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
const MOST_PAUSE: Duration = Duration::from_secs(2);

/// A server that has not begun a statement is asked again after so long, and each time after twice as long, up to the other.
const LEAST_WAIT: Duration = Duration::from_millis(1);
const MOST_WAIT: Duration = Duration::from_millis(20);

/// What a server is asked for how long it has been up.
pub(super) const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

/// What a server is asked for what one of its sessions does.
pub(super) fn command_of(server_sessid: u64) -> String {
    format!("SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = {server_sessid}")
}

/// What a kill ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The running statement.
    Statement,
    /// The server session, with what it runs.
    Session,
}

/// What has become of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The server has carried it out, or refused to: nothing of it is on its way.
    Answered,
    /// It was never sent.
    Unsent,
    /// It was sent, and the answer has not come: it may hit at any time, whatever runs then.
    Unanswered,
}

/// How far a kill has come: it is sent, or withdrawn, but never both.
#[derive(Debug, Default)]
struct Progress(AtomicU8);

impl Progress {
    const GOING: u8 = 0;
    const SENT: u8 = 1;
    const WITHDRAWN: u8 = 2;

    fn turn(&self, into: u8) -> bool {
        let turned = self.0.compare_exchange(Self::GOING, into, AcqRel, Acquire);
        turned.is_ok() || turned == Err(into)
    }

    /// It is sent now. `false`: it was withdrawn.
    fn send(&self) -> bool {
        self.turn(Self::SENT)
    }

    /// It is not to be sent any more. `false`: it was sent.
    fn withdraw(&self) -> bool {
        self.turn(Self::WITHDRAWN)
    }

    fn is_sent(&self) -> bool {
        self.0.load(Acquire) == Self::SENT
    }

    fn is_withdrawn(&self) -> bool {
        self.0.load(Acquire) == Self::WITHDRAWN
    }
}

/// A kill on its way to a server. Dropped before it was sent, it is withdrawn.
///
/// What it takes is a task of its own: a login that was begun goes on to its end, since servers shut out hosts that break off
/// too many (MySQL: max_connect_errors).
pub(super) struct SideKill {
    said: oneshot::Receiver<Said>,
    progress: Arc<Progress>,
}

impl SideKill {
    /// Says it within this time, or not at all.
    pub(super) fn new(server: &Server, account: &Arc<Account>, aim: Aim, time: Duration) -> Self {
        let (told, said) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let saying = Side::new(server, account, &progress).say(aim, time);
        actix_rt::spawn(saying.map(|said| told.send(said)));
        Self { said, progress }
    }

    /// It is not needed any more. `false`: the server may have heard of it.
    pub(super) fn withdraw(&self) -> bool {
        self.progress.withdraw()
    }
}

impl Future for SideKill {
    type Output = Said;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Said> {
        // Its task goes down with its arbiter only.
        let lost = if self.progress.is_sent() { Said::Unanswered } else { Said::Unsent };
        self.said.poll_unpin(task).map(|said| said.unwrap_or(lost))
    }
}

impl Drop for SideKill {
    fn drop(&mut self) {
        self.progress.withdraw();
    }
}

/// Ends a server session at its server, with what it runs: it is closed here, which a server that is busy does not see. Nobody
/// waits for it.
pub(super) fn kill_session(server: &Server, account: &Arc<Account>) {
    let side = Side::new(server, account, &Arc::default());
    actix_rt::spawn(side.say(Aim::Session, PERSISTENCE).map(drop));
}

/// What a side connection is for.
struct Side {
    peer: ServerPeer,
    address: Arc<ServerAddress>,
    server_sessid: u64,
    /// When the server session was made.
    began: Instant,
    account: Arc<Account>,
    progress: Arc<Progress>,
}

impl Side {
    fn new(server: &Server, account: &Arc<Account>, progress: &Arc<Progress>) -> Self {
        Self {
            peer: server.peer.clone(),
            address: Arc::clone(&server.address),
            server_sessid: server.server_sessid,
            began: server.began,
            account: Arc::clone(account),
            progress: Arc::clone(progress),
        }
    }

    async fn say(self, aim: Aim, time: Duration) -> Said {
        let (address, server_sessid) = (&self.address, self.server_sessid);
        let answered = within(time, async {
            let mut side = self.connect(aim).await?;
            let kill = match aim {
                Aim::Statement => format!("KILL QUERY {server_sessid}"),
                Aim::Session => format!("KILL {server_sessid}"),
            };
            let answered = match self.progress.send() {
                true => Some(side.command(command::QUERY, &[kill.as_bytes()]).await),
                false => None,
            };
            // Nobody waits for its goodbye.
            actix_rt::spawn(side.quit());
            answered
        });
        match answered.await {
            Some(None) => Said::Unsent,
            Some(Some(Ok(_))) => Said::Answered,
            Some(Some(Err(BackendError::Server(error)))) => {
                // What has ended meanwhile is not there any more.
                if error.code() != ErrorKind::UnknownThread.code().0 {
                    tracing::warn!(%address, server_sessid, %error, "a server refused to kill");
                }
                Said::Answered
            }
            Some(Some(Err(BackendError::Lost(why)))) => {
                tracing::warn!(%address, server_sessid, why, "a server's answer to a kill was lost");
                Said::Unanswered
            }
            None if self.progress.is_sent() => {
                tracing::warn!(%address, server_sessid, "a server did not answer to a kill in time");
                Said::Unanswered
            }
            None => {
                tracing::warn!(%address, server_sessid, "a server could not be told to kill in time");
                Said::Unsent
            }
        }
    }

    /// Connects, sooner or later, unless the kill is withdrawn, or what it aims at is gone.
    async fn connect(&self, aim: Aim) -> Option<Backend> {
        let (mut pause, mut first) = (LEAST_PAUSE, true);
        while !self.progress.is_withdrawn() {
            match self.enter(aim, first).await {
                Ok(side) => return side,
                Err(error) => {
                    first = false;
                    let (address, server_sessid) = (&self.address, self.server_sessid);
                    tracing::debug!(%address, server_sessid, %error, "a server could not be told to kill yet");
                }
            }
            Timer::after(pause).await;
            pause = (2 * pause).min(MOST_PAUSE);
        }
        None
    }

    /// Connects, and waits until there is something to kill. `None`: the server was started anew since.
    async fn enter(&self, aim: Aim, first: bool) -> Result<Option<Backend>, BackendError> {
        let mut side = Backend::connect(&self.peer, &self.account, Wishes::default(), LOGIN).await?;
        let is_there = first && aim == Aim::Statement;
        if *side.peer() != self.peer || !is_there && self.is_anew(&mut side).await? {
            actix_rt::spawn(side.quit());
            return Ok(None);
        }
        if aim == Aim::Statement {
            self.until_begun(&mut side).await?;
        }
        Ok(Some(side))
    }

    /// Whether the server was started anew since, or does not say for how long it has been up.
    async fn is_anew(&self, side: &mut Backend) -> Result<bool, BackendError> {
        let up: Option<u64> = told(side, UPTIME).await?.and_then(|seconds| seconds.parse().ok());
        // A second may be missing, or one too many.
        Ok(up.unwrap_or(0) <= self.began.elapsed().as_secs() + 1)
    }

    /// Waits until the server has begun what it was sent, unless the kill is withdrawn. One that does not say what its sessions
    /// do is taken for one that has.
    async fn until_begun(&self, side: &mut Backend) -> Result<(), BackendError> {
        let (asked, mut wait) = (command_of(self.server_sessid), LEAST_WAIT);
        while !self.progress.is_withdrawn() {
            match told(side, &asked).await {
                Ok(Some(command)) if command == "Sleep" => Timer::after(wait).await,
                Ok(_) | Err(BackendError::Server(_)) => break,
                Err(lost @ BackendError::Lost(_)) => return Err(lost),
            }
            wait = (2 * wait).min(MOST_WAIT);
        }
        Ok(())
    }
}

/// What a statement's answer says last: the last column of the last row.
async fn told(side: &mut Backend, sql: &str) -> Result<Option<String>, BackendError> {
    side.send(command::QUERY, &[sql.as_bytes()])?;
    let Head::Columns(definitions) = side.head().await? else { return Ok(None) };
    let columns: Vec<_> = definitions.iter().map(|definition| column(definition)).collect::<Result<_, _>>()?;
    let mut told = None;
    loop {
        match side.rows().await? {
            Rows::Some(packets) => {
                for payload in payloads(packets) {
                    let row = text_row(&columns, &payload)?;
                    told = row.last().and_then(OwnedValue::text).map(Cow::into_owned);
                }
            }
            Rows::Part(_) => {}
            Rows::End(_) => return Ok(told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_sent_or_withdrawn_and_never_both() {
        let sent = Progress::default();
        assert!(sent.send() && sent.is_sent() && !sent.withdraw() && !sent.is_withdrawn());
        let withdrawn = Progress::default();
        assert!(withdrawn.withdraw() && withdrawn.withdraw() && withdrawn.is_withdrawn());
        assert!(!withdrawn.send() && !withdrawn.is_sent());
    }

    #[cfg(unix)]
    #[test]
    fn another_process_that_has_a_sockets_path_by_now_is_told_nothing() {
        use crate::proxy::backend::{
            command::QUIT,
            tests::player::{ALL, Played, SERVER_SESSID},
        };

        let path = std::env::temp_dir().join(format!("killdeer-another-{}.sock", std::process::id()));
        actix_rt::System::new().block_on(async {
            let listener = tokio::net::UnixListener::bind(&path).unwrap();
            let here = i32::try_from(std::process::id()).unwrap();
            for (process, expected) in [(here, Said::Answered), (here + 1, Said::Unsent)] {
                let side = Side {
                    peer: ServerPeer::Unix { path: path.as_path().into(), process: Some(process) },
                    address: Arc::new(ServerAddress::Unix(path.clone())),
                    server_sessid: SERVER_SESSID.into(),
                    began: Instant::now(),
                    account: Arc::new(Account { user: "alice".into(), password: String::new(), takes_keys: false }),
                    progress: Arc::default(),
                };
                let heard = async {
                    let mut played = Played::of_unix(listener.accept().await.unwrap().0);
                    played.welcome(ALL).await;
                    if process == here {
                        played.does("Query").await;
                        assert_eq!(played.receive().await, b"\x03KILL QUERY 77");
                        played.ok(1).await;
                    }
                    assert_eq!(played.receive().await, [QUIT]);
                };
                let (said, ()) = tokio::join!(side.say(Aim::Statement, Duration::from_secs(20)), heard);
                assert_eq!(said, expected);
            }
        });
        std::fs::remove_file(&path).unwrap();
    }
}
