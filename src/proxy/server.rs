//! A server session: one connection to a server on behalf of one client, and the actor that keeps it while no statement uses
//! it.
//!
//! What is shared of it is the [`Server`]: lists read it, kills end it, and a statement borrows the connection from it, as a
//! [`Lease`]. Meanwhile the actor has nothing to watch. When the statement gives it back, the actor sees whether the server
//! closes it. Whoever ends a server session marks it so, which a statement that uses it sees at once, and tells the actor,
//! which says goodbye to the server if it has the connection.

use std::{
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context as TaskContext, Poll, Waker},
};

use actix::{
    Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, WrapFuture,
    fut::{ActorFuture, ActorFutureExt},
};

use tokio::time::Instant;

use super::{backend::Backend, connection::Connection};
use crate::{
    lock::{Lock, Over},
    model::{ServerAddress, ServerEnd, ServerPeer, ServerState, Versions},
};

/// The number of the last server session in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Why a server session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The server closed it, or what it said made no sense.
    Lost,
    /// Somebody ended it.
    Ended,
    /// The client's session has no use for it any more.
    Left,
}

/// See the module's text.
pub(super) struct Server {
    /// The proxy's own number for it: counted from 1 in this process.
    pub(super) ss_id: u64,
    /// Which of the proxy's servers it is at.
    pub(super) at: usize,
    pub(super) address: Arc<ServerAddress>,
    /// The address that the connection has reached, whatever the name stands for.
    pub(super) peer: ServerPeer,
    /// The server's number for it.
    pub(super) server_sessid: u64,
    /// When it was made.
    pub(super) began: Instant,
    inside: Lock<Inside>,
}

/// What changes of it. Behind a lock that is held for a few words at a time.
struct Inside {
    /// The connection, unless a statement has it.
    kept: Option<Box<Connection>>,
    gone: Option<Gone>,
    /// How the statement that uses it is told that it is over.
    user: Option<Waker>,
    /// How its actor is told to look at it.
    actor: Option<Waker>,
    made: bool,
    statements: u64,
    standing: Standing,
    versions: Versions,
}

/// How a statement leaves the server session that it ran on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether a transaction is open on it.
    pub(super) in_transaction: bool,
    /// Whether something else that it keeps binds the client to it.
    pub(super) bound: bool,
}

impl Standing {
    /// Whether the client's next statement has to run there.
    pub(super) fn binds(self) -> bool {
        self.in_transaction || self.bound
    }
}

/// What lists show of one.
pub(super) struct Seen {
    pub(super) state: ServerState,
    pub(super) statements: u64,
    pub(super) in_transaction: bool,
    pub(super) versions: Versions,
}

impl Server {
    /// Gives a new connection its number, and its actor, on the arbiter that calls this.
    pub(super) fn start(at: usize, address: Arc<ServerAddress>, backend: Backend) -> Held {
        let server = Arc::new(Self {
            ss_id: LAST.fetch_add(1, Relaxed) + 1,
            at,
            address,
            peer: backend.peer().clone(),
            server_sessid: backend.server_sessid(),
            began: Instant::now(),
            inside: Lock::new(
                Over::Slot,
                Inside {
                    kept: Some(Box::new(Connection::new(backend))),
                    gone: None,
                    user: None,
                    actor: None,
                    made: false,
                    statements: 0,
                    standing: Standing::default(),
                    versions: Versions::default(),
                },
            ),
        });
        let actor = Keeper { server: Arc::clone(&server), parting: false }.start();
        Held { server, actor }
    }

    /// Why it is over, if it is.
    pub(super) fn gone(&self) -> Option<Gone> {
        self.inside.hold().gone
    }

    /// Lends the connection to a statement. `None`: it is over.
    pub(super) fn take(self: &Arc<Self>) -> Option<Lease> {
        self.lend(1)
    }

    /// Lends the connection, to so many statements.
    fn lend(self: &Arc<Self>, statements: u64) -> Option<Lease> {
        let mut inside = self.inside.hold();
        if inside.gone.is_some() {
            return None;
        }
        let connection = inside.kept.take()?;
        inside.statements += statements;
        drop(inside);
        Some(Lease { server: Arc::clone(self), connection: Some(connection) })
    }

    /// A prepared statement is not executed any more: closed at the server, unless a statement runs there.
    pub(super) fn close_prepared(self: &Arc<Self>, database: Option<&str>, sql: &[u8]) {
        // What is written is written without the lock.
        let Some(mut lease) = self.lend(0) else { return };
        lease.close_prepared(database, sql);
        let standing = self.inside.hold().standing;
        lease.give_back(standing);
    }

    /// It was brought up to the client's state for the first time.
    pub(super) fn made(&self) {
        self.inside.hold().made = true;
    }

    /// For the statement that uses it: ready when somebody has ended it.
    pub(super) fn poll_ended(&self, task: &TaskContext<'_>) -> Poll<()> {
        let mut inside = self.inside.hold();
        if inside.gone.is_some() {
            return Poll::Ready(());
        }
        if !inside.user.as_ref().is_some_and(|user| user.will_wake(task.waker())) {
            inside.user = Some(task.waker().clone());
        }
        Poll::Pending
    }

    /// For its actor: ready when the server has closed it.
    fn poll_lost(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let mut inside = self.inside.hold();
        if !inside.actor.as_ref().is_some_and(|actor| actor.will_wake(task.waker())) {
            inside.actor = Some(task.waker().clone());
        }
        let lost = inside.look(task);
        if inside.gone == Some(Gone::Lost) {
            drop(inside);
            drop(lost);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Marks it as over. The first to do so says why.
    fn part(&self, why: Gone) -> Option<Box<Connection>> {
        let mut inside = self.inside.hold();
        inside.gone.get_or_insert(why);
        let woken = inside.user.take();
        let kept = inside.kept.take();
        drop(inside);
        if let Some(user) = woken {
            user.wake();
        }
        kept
    }

    /// What lists show of it; `None`: it is over.
    pub(super) fn seen(&self) -> Option<Seen> {
        let inside = self.inside.hold();
        if inside.gone.is_some() {
            return None;
        }
        let state = match (&inside.kept, inside.standing) {
            _ if !inside.made => ServerState::Init,
            (None, _) => ServerState::Active,
            (Some(_), Standing { in_transaction: false, bound: false }) => ServerState::Kept,
            (Some(_), _) => ServerState::KeptForClient,
        };
        Some(Seen {
            state,
            statements: inside.statements,
            in_transaction: inside.standing.in_transaction,
            versions: inside.versions,
        })
    }
}

impl Inside {
    /// Whether the server has closed the connection that is kept: then it is taken out.
    fn look(&mut self, task: &mut TaskContext<'_>) -> Option<Box<Connection>> {
        let kept = self.kept.as_mut()?;
        if kept.backend.poll_closed(task).is_pending() {
            return None;
        }
        self.gone.get_or_insert(Gone::Lost);
        self.kept.take()
    }
}

/// A server session in its client's hands. Its drop ends it.
pub(super) struct Held {
    pub(super) server: Arc<Server>,
    actor: Addr<Keeper>,
}

impl Held {
    /// Ends it on somebody's behalf: at once, unless a transaction is open on it. `None`: it is over.
    pub(super) fn end(&self) -> Option<ServerEnd> {
        let mut inside = self.server.inside.hold();
        if inside.gone.is_some() {
            return None;
        }
        if inside.standing.in_transaction {
            return Some(ServerEnd::WithItsClient);
        }
        inside.gone = Some(Gone::Ended);
        let user = inside.user.take();
        drop(inside);
        if let Some(user) = user {
            user.wake();
        }
        self.actor.do_send(Close);
        Some(ServerEnd::Alone)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.server.inside.hold().gone.get_or_insert(Gone::Left);
        self.actor.do_send(Close);
    }
}

/// A connection in a statement's hands. Dropped without being given back, it is lost.
pub(super) struct Lease {
    pub(super) server: Arc<Server>,
    connection: Option<Box<Connection>>,
}

impl Lease {
    /// The statement is over, and the connection can take the next one. `false`: somebody has ended the server session
    /// meanwhile.
    pub(super) fn give_back(mut self, standing: Standing) -> bool {
        let Some(connection) = self.connection.take() else { return false };
        let mut inside = self.server.inside.hold();
        if inside.gone.is_some() {
            drop(inside);
            say_goodbye(connection);
            return false;
        }
        inside.standing = standing;
        inside.versions = connection.versions;
        inside.kept = Some(connection);
        // The actor is not woken for it: what it would look at is looked at here, for it.
        let lost = match inside.actor.clone() {
            Some(actor) => {
                let lost = inside.look(&mut TaskContext::from_waker(&actor));
                if lost.is_some() {
                    actor.wake();
                }
                lost
            }
            // It has not begun yet, and will look when it does.
            None => None,
        };
        drop(inside);
        drop(lost);
        true
    }

    /// The connection is of no use any more, but can be told so.
    pub(super) fn give_up(mut self) {
        if let Some(connection) = self.connection.take() {
            self.server.part(Gone::Left);
            say_goodbye(connection);
        }
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_deref().expect("a lease has its connection until it is given back")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_deref_mut().expect("a lease has its connection until it is given back")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.connection.is_some() {
            self.server.part(Gone::Lost);
        }
    }
}

/// Tells the server that the connection is not needed any more; nobody waits for it.
fn say_goodbye(connection: Box<Connection>) {
    actix_rt::spawn(connection.backend.quit());
}

/// The actor: see the module's text.
struct Keeper {
    server: Arc<Server>,
    /// It says goodbye to the server, and stops when that is done.
    parting: bool,
}

/// The server session is over.
#[derive(Message)]
#[rtype(result = "()")]
struct Close;

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Watch);
    }
}

/// Looks whether the server has closed the connection.
struct Watch;

impl ActorFuture<Keeper> for Watch {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        keeper: &mut Keeper,
        ctx: &mut Context<Keeper>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        if keeper.server.poll_lost(task).is_pending() {
            return Poll::Pending;
        }
        ctx.stop();
        Poll::Ready(())
    }
}

impl Handler<Close> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        match self.server.part(Gone::Left) {
            Some(connection) => {
                self.parting = true;
                let goodbye = async move { connection.backend.quit().await };
                ctx.spawn(goodbye.into_actor(self).map(|(), _, ctx| ctx.stop()));
            }
            // It was ended, and now its client has left it too.
            None if self.parting => {}
            // A statement has it, and closes it.
            None => ctx.stop(),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Its arbiter is torn down, and the connection with it.
        drop(self.server.part(Gone::Lost));
    }
}
