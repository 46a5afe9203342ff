//! A new server session for a client.
//!
//! Making the connection is a task of its own: a login that was begun goes on to its end also if the client's statement is
//! killed meanwhile, since servers shut out hosts that break off too many (MySQL: `max_connect_errors`).

use std::{pin::pin, sync::Arc};

use futures::{
    channel::oneshot,
    future::{Either, select},
};

use super::{
    backend::{Account, Backend, BackendError, Wishes},
    engine::Shared,
    failure,
    pool::Servers,
    server::{Lease, Server},
};
use crate::{
    engine::StatementContext,
    model::{Killed, Principal, ServerAddress, SqlError},
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
        let connecting = begin(self.proxy, (at, address), self.account, cx.counts_found_rows());
        let connected = match select(connecting, pin!(cx.killed())).await {
            // Its task goes down with its arbiter only.
            Either::Left((connected, _)) => connected.map_err(|_| SqlError::interrupted())?,
            Either::Right((reason, _)) => return Err(Killed(reason).into()),
        };
        let backend = connected.map_err(|error| match error {
            BackendError::Server(error) => {
                let account = &self.account.user;
                tracing::warn!(server = %address, account, %error, "a server did not let the proxy in");
                failure::not_let_in(address, self.who, &error)
            }
            BackendError::Lost(why) => failure::unreachable(address, &why),
        })?;
        cx.set_state("executing");
        self.servers.add(Server::start(at, Arc::clone(address), backend)).ok_or_else(SqlError::interrupted)
    }
}

/// Begins to make a connection. One that nobody waits for any more is closed when it is made.
fn begin(
    proxy: &Arc<Shared>,
    (at, address): (usize, &Arc<ServerAddress>),
    account: &Arc<Account>,
    found_rows: bool,
) -> oneshot::Receiver<Result<Backend, BackendError>> {
    let (proxy, address, account) = (Arc::clone(proxy), Arc::clone(address), Arc::clone(account));
    let (told, connected) = oneshot::channel();
    let since = proxy.trying(at);
    actix_rt::spawn(async move {
        let wishes = Wishes { database: None, found_rows };
        let connected = Backend::connect(&*address, &account, wishes, proxy.connect_timeout).await;
        proxy.tried(at, since, !matches!(connected, Err(BackendError::Lost(_))));
        if let Err(Ok(unneeded)) = told.send(connected) {
            unneeded.quit().await;
        }
    });
    connected
}
