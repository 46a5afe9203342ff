//! How a statement that runs at a server is ended: by a kill on a connection of its own, a side connection, to the server
//! that runs it.
//!
//! The kill is said once, and only while the statement's answer has not ended. Until it is answered, nothing else is sent on
//! the server session: so it cannot hit a later statement. A server may take note of a kill that comes too late, and end the
//! next statement with it (MariaDB does); so one that does nothing is sent before the session is used again.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};

use super::{
    backend::{Account, Answer, Backend, BackendError, Wishes},
    failure::Failure,
    server::Server,
};
use crate::{
    engine::StatementContext,
    model::{Killed, ServerAddress},
    session::{Timer, within},
};

/// So long a killed statement has until its server session is closed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// COM_QUERY.
const QUERY: u8 = 0x03;

/// What a kill ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    /// The running statement.
    Statement,
    /// The server session, with what it runs.
    Session,
}

/// Says a kill to a server on a connection of its own. Whether the server has carried it out.
async fn side_kill(address: Arc<ServerAddress>, account: Arc<Account>, server_sessid: u64, aim: Aim) -> bool {
    let said = async {
        let mut side = Backend::connect(&address, &account, Wishes::default(), PATIENCE).await?;
        let kill = match aim {
            Aim::Statement => format!("KILL QUERY {server_sessid}"),
            Aim::Session => format!("KILL {server_sessid}"),
        };
        let said = side.command(QUERY, &[kill.as_bytes()]).await;
        // Nobody waits for its goodbye.
        actix_rt::spawn(side.quit());
        said
    };
    match within(PATIENCE, said).await {
        Some(Ok(_)) => true,
        Some(Err(BackendError::Server(error))) => {
            tracing::warn!(%address, server_sessid, %error, "a server refused to kill a statement");
            false
        }
        Some(Err(BackendError::Lost(why))) => {
            tracing::warn!(%address, server_sessid, why, "a server could not be told to kill a statement");
            false
        }
        None => {
            tracing::warn!(%address, server_sessid, "a server did not answer to a kill in time");
            false
        }
    }
}

/// Ends a server session at its server, with what it runs: somebody has ended it here. Nobody waits for it.
fn kill_session(server: &Server, account: &Arc<Account>) {
    let kill = side_kill(Arc::clone(&server.address), Arc::clone(account), server.server_sessid, Aim::Session);
    actix_rt::spawn(kill.map(drop));
}

/// Watches a statement that runs at a server: a kill of it is passed on, once.
pub(super) struct Watch<'a> {
    cx: &'a StatementContext,
    server: Arc<Server>,
    account: &'a Arc<Account>,
    kill: Kill,
    /// When the server session is closed, however the server answers.
    patience: Option<Timer>,
}

/// What has become of the kill.
enum Kill {
    /// There is none.
    Unasked,
    /// It is on its way.
    Said(BoxFuture<'static, bool>),
    /// The server has answered to it, or could not be told.
    Answered,
}

impl<'a> Watch<'a> {
    pub(super) fn new(cx: &'a StatementContext, server: &Arc<Server>, account: &'a Arc<Account>) -> Self {
        Self { cx, server: Arc::clone(server), account, kill: Kill::Unasked, patience: None }
    }

    /// The server session that it runs on.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Says the kill, unless it was said.
    fn say(&mut self) {
        if matches!(self.kill, Kill::Unasked) {
            let (address, account) = (Arc::clone(&self.server.address), Arc::clone(self.account));
            let id = self.server.server_sessid;
            self.kill = Kill::Said(Box::pin(side_kill(address, account, id, Aim::Statement)));
            self.patience = Some(Timer::after(PATIENCE));
        }
    }

    /// Goes on with the kill; ready when it has been answered.
    fn poll_kill(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if let Kill::Said(said) = &mut self.kill {
            if said.poll_unpin(task).is_pending() {
                return Poll::Pending;
            }
            self.kill = Kill::Answered;
        }
        Poll::Ready(())
    }

    /// Whether the server session was ended, or the kill has taken too long.
    fn poll_over(&mut self, task: &mut Context<'_>) -> Option<Failure> {
        if self.server.poll_ended(task).is_ready() {
            kill_session(&self.server, self.account);
            return Some(Failure::Ended);
        }
        let late = self.patience.as_mut().is_some_and(|patience| Pin::new(patience).poll(task).is_ready());
        late.then(|| Failure::Lost("a killed statement did not end in time".to_owned()))
    }

    /// Waits for the server, and passes a kill on meanwhile. What is read is read to its end all the same: a kill shows in
    /// what the server answers.
    pub(super) async fn over<T>(
        &mut self,
        reading: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Failure> {
        let mut reading = pin!(reading);
        let cx = self.cx;
        let mut killed = pin!(cx.killed());
        poll_fn(|task| {
            if let Poll::Ready(read) = reading.as_mut().poll(task) {
                return Poll::Ready(read.map_err(Failure::from));
            }
            if matches!(self.kill, Kill::Unasked) && killed.as_mut().poll(task).is_ready() {
                self.say();
            }
            let _ = self.poll_kill(task);
            self.poll_over(task).map_or(Poll::Pending, |failure| Poll::Ready(Err(failure)))
        })
        .await
    }

    /// Waits for the client to take rows, and sees meanwhile whether the server session is ended.
    pub(super) async fn aside(&mut self, ready: impl Future<Output = Result<(), Killed>>) -> Result<(), Failure> {
        let mut ready = pin!(ready);
        poll_fn(|task| {
            if let Poll::Ready(taken) = ready.as_mut().poll(task) {
                return Poll::Ready(taken.map_err(Failure::from));
            }
            self.poll_over(task).map_or(Poll::Pending, |failure| Poll::Ready(Err(failure)))
        })
        .await
    }

    /// Reads and drops what is left of the answer to a statement that nobody waits for any more; the server is told to end it,
    /// unless all of it is there.
    pub(super) async fn drop_rest(&mut self, backend: &mut Backend) -> Result<(), Failure> {
        let rest = async {
            while backend.finish().await?.more {}
            Ok(())
        };
        let mut rest = pin!(rest);
        poll_fn(|task| {
            if let Poll::Ready(read) = rest.as_mut().poll(task) {
                return Poll::Ready(match read {
                    Ok(()) | Err(BackendError::Server(_)) => Ok(()),
                    Err(error @ BackendError::Lost(_)) => Err(Failure::from(error)),
                });
            }
            self.say();
            let _ = self.poll_kill(task);
            self.poll_over(task).map_or(Poll::Pending, |failure| Poll::Ready(Err(failure)))
        })
        .await
    }

    /// The answer has ended. If a kill was said, waits until it was answered, and makes sure that it hits nothing that comes
    /// after. `Some`: what the server says of the session's state since.
    ///
    /// # Errors
    /// The server session cannot be used any more.
    pub(super) async fn settle(&mut self, backend: &mut Backend) -> Result<Option<Answer>, Failure> {
        if matches!(self.kill, Kill::Unasked) {
            return Ok(None);
        }
        let mut nothing = pin!(async {
            loop {
                match backend.command(QUERY, &[b"DO 0"]).await {
                    Ok(answer) => return Ok(answer),
                    // The kill that came too late.
                    Err(BackendError::Server(error)) if error.code() == 1317 => {}
                    Err(error) => return Err(error),
                }
            }
        });
        poll_fn(|task| {
            if self.poll_kill(task).is_ready()
                && let Poll::Ready(done) = nothing.as_mut().poll(task)
            {
                return Poll::Ready(match done {
                    Ok(answer) => Ok(Some(answer)),
                    Err(error) => Err(Failure::from(error)),
                });
            }
            self.poll_over(task).map_or(Poll::Pending, |failure| Poll::Ready(Err(failure)))
        })
        .await
    }
}
