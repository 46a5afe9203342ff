//! How a statement that runs at a server is ended: by a kill on a connection of its own, a side connection, to the server
//! that runs it.
//!
//! The kill is sent once, and only while the statement's answer has not ended. Until it is answered, nothing else is sent on
//! the server session: so it cannot hit a later statement. A server may take note of a kill that comes just when the statement
//! ends, and end the next one with it (MariaDB does); so one that does nothing is sent before the session is used again. A server session
//! whose kill was sent and not answered is not used again.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::FutureExt;

use super::{
    backend::{Account, Answer, Backend, BackendError, command},
    failure::Failure,
    server::Server,
    side::{Aim, Said, SideKill, kill_session},
};
use crate::{
    engine::StatementContext,
    model::{ErrorKind, Killed},
    session::Timer,
};

/// So long a killed statement has until its server session is closed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

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
    Going(SideKill),
    /// It is over.
    Over(Said),
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
            self.kill = Kill::Going(SideKill::new(&self.server, self.account, Aim::Statement, PATIENCE));
            self.patience = Some(Timer::after(PATIENCE));
        }
    }

    /// Goes on with the kill; ready when nothing more becomes of it.
    fn poll_kill(&mut self, task: &mut Context<'_>) -> Poll<Said> {
        match &mut self.kill {
            Kill::Unasked => Poll::Ready(Said::Unsent),
            Kill::Going(kill) => kill.poll_unpin(task).map(|said| {
                self.kill = Kill::Over(said);
                said
            }),
            Kill::Over(said) => Poll::Ready(*said),
        }
    }

    /// Whether the server session was ended, or the kill has taken too long: then the server is told to end all of it.
    fn poll_over(&mut self, task: &mut Context<'_>) -> Option<Failure> {
        let failure = if self.server.poll_ended(task).is_ready() {
            Failure::Ended
        } else if self.patience.as_mut().is_some_and(|patience| Pin::new(patience).poll(task).is_ready()) {
            Failure::Lost("a killed statement did not end in time".to_owned())
        } else {
            return None;
        };
        kill_session(&self.server, self.account);
        Some(failure)
    }

    /// Waits for the server, and passes a kill on meanwhile. What is read is read to its end all the same: a kill shows in
    /// what the server answers.
    pub(super) async fn over<T>(
        &mut self,
        reading: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Failure> {
        let mut reading = pin!(reading);
        poll_fn(|task| {
            if let Poll::Ready(read) = reading.as_mut().poll(task) {
                return Poll::Ready(read.map_err(Failure::from));
            }
            // Nothing waits for the kill: the session's actor hears of it, and polls its statement then.
            if self.cx.is_killed() {
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

    /// The answer has ended. If a kill was sent, waits until it was answered, and makes sure that it hits nothing that comes
    /// after; one that was not sent yet is none. `Some`: what the server says of the session's state since.
    ///
    /// # Errors
    /// The server session cannot be used any more: it was ended, or a kill may still be on its way to it.
    pub(super) async fn settle(&mut self, backend: &mut Backend) -> Result<Option<Answer>, Failure> {
        match &self.kill {
            Kill::Unasked | Kill::Over(Said::Unsent) => return Ok(None),
            Kill::Going(kill) if kill.withdraw() => {
                self.kill = Kill::Over(Said::Unsent);
                return Ok(None);
            }
            Kill::Going(_) | Kill::Over(_) => {}
        }
        let mut nothing = pin!(async {
            loop {
                match backend.command(command::QUERY, &[b"DO 0"]).await {
                    Ok(answer) => return Ok(answer),
                    // The kill that came too late.
                    Err(BackendError::Server(error)) if error.code() == ErrorKind::QueryInterrupted.code().0 => {}
                    Err(error) => return Err(error),
                }
            }
        });
        poll_fn(|task| {
            if let Some(failure) = self.poll_over(task) {
                return Poll::Ready(Err(failure));
            }
            match ready!(self.poll_kill(task)) {
                Said::Answered => nothing.as_mut().poll(task).map(|done| done.map(Some).map_err(Failure::from)),
                Said::Unsent => Poll::Ready(Ok(None)),
                Said::Unanswered => Poll::Ready(Err(Failure::Lost("a kill of it may still be on its way".to_owned()))),
            }
        })
        .await
    }
}
