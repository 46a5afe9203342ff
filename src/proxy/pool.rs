//! The server sessions of one client: at most one at each server. Statements borrow them from here, lists look at them here,
//! and kills of single ones come here.

use std::sync::Arc;

use super::{
    server::{Held, Lease, Server},
    state::State,
};
use crate::{
    lock::{Lock, Over},
    model::{ChangedVariable, ServerEnd, ServerPlace, ServerSession, ServerSessions, Versions},
};

/// See the module's text.
pub(super) struct Servers {
    shown: Lock<Shown>,
    /// What the client has changed in its session.
    pub(super) state: Lock<State>,
}

/// Behind a lock that is held for a few words at a time.
#[derive(Default)]
struct Shown {
    held: Vec<Held>,
    /// On which the last statement ran, by its number.
    last: Option<u64>,
    /// On which a statement runs, or to which the client is bound.
    current: Option<u64>,
    transactions: u64,
}

impl Shown {
    fn server(&self, ss_id: Option<u64>) -> Option<&Held> {
        self.held.iter().find(|held| Some(held.server.ss_id) == ss_id)
    }

    /// Lends one of them.
    fn take(&mut self, of: impl Fn(&Server) -> bool) -> Option<Lease> {
        let lease = self.held.iter().find(|held| of(&held.server))?.server.take()?;
        self.current = Some(lease.server.ss_id);
        Some(lease)
    }
}

impl Servers {
    /// None yet, of a client in this state.
    pub(super) fn new(state: State) -> Self {
        Self { shown: Lock::new(Over::Slot, Shown::default()), state: Lock::new(Over::Slot, state) }
    }

    /// Lends the one at this server, if there is one.
    pub(super) fn take_at(&self, at: usize) -> Option<Lease> {
        self.shown.hold().take(|server| server.at == at)
    }

    /// Lends the one on which the last statement ran, if it is there still.
    pub(super) fn take_last(&self) -> Option<Lease> {
        let mut shown = self.shown.hold();
        let last = shown.last?;
        shown.take(|server| server.ss_id == last)
    }

    /// Lends the one with this number, if it is there still.
    pub(super) fn take(&self, ss_id: u64) -> Option<Lease> {
        self.shown.hold().take(|server| server.ss_id == ss_id)
    }

    /// One more, which a statement takes at once. What was at the same server before is over.
    pub(super) fn add(&self, held: Held) -> Option<Lease> {
        let mut shown = self.shown.hold();
        let (gone, kept) = std::mem::take(&mut shown.held).into_iter().partition(|old| old.server.at == held.server.at);
        shown.held = kept;
        let ss_id = held.server.ss_id;
        shown.held.push(held);
        shown.held.sort_by_key(|held| held.server.at);
        let lease = shown.take(|server| server.ss_id == ss_id);
        drop(shown);
        drop::<Vec<Held>>(gone);
        lease
    }

    /// A prepared statement is not executed any more.
    pub(super) fn close_prepared(&self, database: Option<&str>, sql: &[u8]) {
        let servers: Vec<_> = self.shown.hold().held.iter().map(|held| Arc::clone(&held.server)).collect();
        for server in servers {
            server.close_prepared(database, sql);
        }
    }

    /// A statement has ended on this one; `bound`: the client's next one has to run there.
    pub(super) fn ran(&self, ss_id: u64, bound: bool) {
        let mut shown = self.shown.hold();
        shown.last = Some(ss_id);
        shown.current = bound.then_some(ss_id);
    }

    /// A statement outside of transactions was sent.
    pub(super) fn transaction_begun(&self) {
        self.shown.hold().transactions += 1;
    }

    /// Drops those that are over.
    pub(super) fn sweep(&self) {
        let mut shown = self.shown.hold();
        if shown.held.iter().all(|held| held.server.gone().is_none()) {
            return;
        }
        let (gone, kept) = std::mem::take(&mut shown.held).into_iter().partition(|held| held.server.gone().is_some());
        shown.held = kept;
        if shown.server(shown.current).is_none() {
            shown.current = None;
        }
        drop(shown);
        drop::<Vec<Held>>(gone);
    }

    /// Drops all of them.
    pub(super) fn leave_all(&self) {
        self.leave_all_but(None);
    }

    /// Drops all of them but this one.
    pub(super) fn leave_all_but(&self, ss_id: Option<u64>) {
        let mut shown = self.shown.hold();
        let (kept, gone) =
            std::mem::take(&mut shown.held).into_iter().partition(|held| Some(held.server.ss_id) == ss_id);
        shown.held = kept;
        shown.current = None;
        drop(shown);
        drop::<Vec<Held>>(gone);
    }
}

impl ServerSessions for Servers {
    fn servers(&self) -> Vec<ServerSession> {
        let shown = self.shown.hold();
        let mut pooled = 0;
        let all = shown.held.iter().filter_map(|held| {
            let seen = held.server.seen()?;
            let ss_id = held.server.ss_id;
            let place = match () {
                () if shown.current == Some(ss_id) => ServerPlace::Current,
                () if shown.last == Some(ss_id) => ServerPlace::LastUsed,
                () => {
                    pooled += 1;
                    ServerPlace::Pooled(pooled - 1)
                }
            };
            Some(ServerSession {
                ss_id,
                server: held.server.peer.clone(),
                server_sessid: held.server.server_sessid,
                place,
                state: seen.state,
                statements: seen.statements,
                in_transaction: seen.in_transaction,
                versions: seen.versions,
            })
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|session| match session.place {
            ServerPlace::LastUsed => (0, 0),
            ServerPlace::Current => (1, 0),
            ServerPlace::Pooled(place) => (2, place),
        });
        all
    }

    fn count(&self) -> usize {
        self.shown.hold().held.iter().filter(|held| held.server.gone().is_none()).count()
    }

    fn transactions(&self) -> u64 {
        self.shown.hold().transactions
    }

    fn versions(&self) -> Versions {
        self.state.hold().versions()
    }

    fn variables(&self) -> Vec<ChangedVariable> {
        self.state.hold().variables()
    }

    fn end(&self, ss_id: u64) -> Option<ServerEnd> {
        self.shown.hold().server(Some(ss_id))?.end()
    }
}
