//! A new server session for a client.
//!
//! A login is a task of its own: one that was begun goes on to its end also if the client's statement is killed meanwhile, since
//! servers shut out hosts that break off too many (MySQL: `max_connect_errors`).

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures::{
    channel::oneshot,
    future::{Either, select},
};
use tokio::time::Instant;

use super::{
    backend::{Account, Backend, BackendError, Reached, Wishes},
    engine::Shared,
    failure::{self, Failure},
    pool::Servers,
    server::{Lease, Server},
};
use crate::{
    engine::StatementContext,
    model::{Principal, ServerAddress, SqlError},
};

/// Whose server session it is to be.
pub(super) struct Client<'a> {
    pub(super) proxy: &'a Arc<Shared>,
    pub(super) who: &'a Principal,
    pub(super) servers: &'a Servers,
    pub(super) account: &'a Arc<Account>,
}

impl Client<'_> {
    /// One at this server, lent to the statement that needs it.
    ///
    /// # Errors
    /// The statement is killed meanwhile, or the server cannot be reached, or does not let the proxy in.
    pub(super) async fn connect(&self, cx: &StatementContext, at: usize) -> Result<Lease, SqlError> {
        let address = self.proxy.address(at).ok_or_else(failure::no_servers)?;
        cx.set_state("Connecting to server");
        let backend = self.backend(cx, at, address).await.map_err(|failure| match failure {
            Failure::Server(error) => {
                let account = &self.account.user;
                tracing::warn!(server = %address, account, %error, "a server did not let the proxy in");
                failure::not_let_in(address, self.who, &error)
            }
            Failure::Lost(why) => failure::unreachable(address, &why),
            other => other.told(address),
        })?;
        cx.set_state("executing");
        self.servers.add(Server::start(at, Arc::clone(address), backend)).ok_or_else(SqlError::interrupted)
    }

    async fn backend(
        &self,
        cx: &StatementContext,
        at: usize,
        address: &Arc<ServerAddress>,
    ) -> Result<Backend, Failure> {
        let since = self.proxy.trying(at);
        let until = Instant::now() + self.proxy.connect_timeout;
        let reached = unless_killed(cx, pin!(Reached::server(&**address, until))).await?;
        let reached = reached.inspect_err(|_| self.proxy.tried(at, since, false))?;
        let wishes = Wishes { collation: cx.login_collation(), found_rows: cx.counts_found_rows() };
        let entering = self.enter(reached, (at, since), wishes, until);
        // Its task goes down with its arbiter only.
        let entered = unless_killed(cx, entering).await?.map_err(|_| Failure::Ended)?;
        Ok(entered?)
    }

    /// Begins a login. Of one that nobody waits for any more, the connection is closed when it is over.
    fn enter(
        &self,
        reached: Reached,
        (at, since): (usize, u64),
        wishes: Wishes,
        until: Instant,
    ) -> oneshot::Receiver<Result<Backend, BackendError>> {
        let (proxy, account) = (Arc::clone(self.proxy), Arc::clone(self.account));
        let (mut told, entered) = oneshot::channel();
        actix_rt::spawn(async move {
            let login = async {
                let entered = reached.enter(&account, wishes, until).await;
                proxy.tried(at, since, !matches!(entered, Err(BackendError::Lost(_))));
                entered
            };
            let login = pin!(login);
            let entered = match select(login, told.cancellation()).await {
                Either::Left((entered, _)) => entered,
                Either::Right(((), login)) => match Abandoned::one_more(&proxy.abandoned) {
                    Some(_counted) => login.await,
                    None => return,
                },
            };
            if let Err(Ok(unneeded)) = told.send(entered) {
                unneeded.quit().await;
            }
        });
        entered
    }
}

/// Waits for something, unless the statement is killed meanwhile.
async fn unless_killed<T>(cx: &StatementContext, what: impl Future<Output = T> + Unpin) -> Result<T, Failure> {
    match select(what, pin!(cx.killed())).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right((reason, _)) => Err(Failure::Killed(reason)),
    }
}

/// So many logins go on at a time that nobody waits for any more.
const MOST_ABANDONED: usize = 64;

/// One of them, in their count.
struct Abandoned<'a>(&'a AtomicUsize);

impl<'a> Abandoned<'a> {
    /// `None`: there are enough of them.
    fn one_more(count: &'a AtomicUsize) -> Option<Self> {
        let more = |count| (count < MOST_ABANDONED).then_some(count + 1);
        count.fetch_update(Relaxed, Relaxed, more).is_ok().then(|| Self(count))
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_logins_go_on_that_nobody_waits_for() {
        let count = AtomicUsize::new(0);
        let mut all: Vec<_> = (0..MOST_ABANDONED).map(|_| Abandoned::one_more(&count).unwrap()).collect();
        assert!(Abandoned::one_more(&count).is_none());
        all.pop();
        assert!(Abandoned::one_more(&count).is_some());
    }
}
