//! The runtime that embedders build: an engine, a supervisor, and the rules that both go by.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr, Arbiter, Recipient};

use crate::{
    dialect::{Dialect, Node},
    engine::{Engine, Placement},
    id::Layout,
    model::{ClientSession, Clock, KillError, KillMode, Origin, Principal, Reason, Refused, Settings, Target},
    session::{Inbox, Session, SessionHandle, Shared, Whose, mailbox_work},
    state::owner,
    supervisor::{Kill, Listing, Readiness, Receipt, Registry, SessionEvent, Shutdown, Status, Summary, Supervisor},
};

/// A runtime being put together. See [`Runtime::builder`].
#[derive(Debug)]
pub struct Builder<E> {
    engine: E,
    dialect: Dialect,
    layout: Option<Layout>,
    node: Node,
    clock: Clock,
    placement: Placement,
    server_version: Option<Arc<str>>,
    rollback_timeout: Duration,
    settings: Settings,
    max_allowed_packet: usize,
    tell_killed: bool,
    queued_statements: usize,
    own_arbiter: bool,
    #[cfg(feature = "cluster")]
    cluster: Option<crate::cluster::Cluster>,
}

/// A running session runtime. Cheap to clone. After [`Runtime::shutdown`] it has no sessions and takes none; its
/// supervisor is gone when the last clone and the last session are.
pub struct Runtime<E: Engine> {
    pub(crate) shared: Arc<Shared<E>>,
    /// What kills by itself. The sessions keep it too.
    #[cfg(feature = "policies")]
    policies: Arc<crate::policy::Enforcer>,
}

impl<E: Engine> Clone for Runtime<E> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            #[cfg(feature = "policies")]
            policies: Arc::clone(&self.policies),
        }
    }
}

impl<E: Engine> std::fmt::Debug for Runtime<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("registry", &self.shared.registry).finish_non_exhaustive()
    }
}

impl<E: Engine> Builder<E> {
    /// Whose behaviour it shows; [`Dialect::mysql`] unless said otherwise.
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// Which ids sessions get; those of the dialect's system on its first server unless said otherwise
    /// ([`Dialect::ids`]).
    #[must_use]
    pub fn ids(self, layout: Layout) -> Self {
        Self { layout: Some(layout), ..self }
    }

    /// What this server is called in lists that name servers; 127.0.0.1, port 3306 unless said otherwise.
    #[must_use]
    pub fn node(self, node: Node) -> Self {
        Self { node, ..self }
    }

    /// What time lists show; the system's unless said otherwise.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Where the engine's statements run; [`Placement::Inline`] unless said otherwise.
    #[must_use]
    pub fn placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// What clients are told of the server's version. Many read its leading number; the dialect's
    /// ([`Dialect::server_version`]) unless said otherwise.
    #[must_use]
    pub fn server_version(self, version: impl Into<Arc<str>>) -> Self {
        Self { server_version: Some(version.into()), ..self }
    }

    /// So long a session's rollback may take at its end before the session leaves the list without it; 10 s unless said
    /// otherwise.
    #[must_use]
    pub fn rollback_timeout(self, time: Duration) -> Self {
        Self { rollback_timeout: time, ..self }
    }

    /// What the time-outs and limits are at the start; [`Setting`](crate::Setting) says what each is unless said otherwise. `SET GLOBAL`
    /// changes them later.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// The longest packet that a client may send once it is in, in bytes (MySQL: max_allowed_packet); 64 MiB unless said
    /// otherwise. As in MySQL, what is below 1 KiB or above 1 GiB becomes that, and the rest is rounded down to a multiple
    /// of 1024. A client that sends a longer one gets 1153 and is closed, as soon as a header shows it. An engine that
    /// is asked for `@@max_allowed_packet` should say the same.
    #[must_use]
    pub fn max_allowed_packet(self, bytes: usize) -> Self {
        Self { max_allowed_packet: bytes.clamp(1 << 10, 1 << 30) / 1024 * 1024, ..self }
    }

    /// Whether a client is sent an error before its connection is closed for it, idle or busy: 1927 after `KILL
    /// [CONNECTION]` by another (MariaDB's, for MySQL has none), 1053 at a shutdown, 1159 when its login took too long.
    /// For clients that show it; MySQL closes without a word, and so does this runtime unless told otherwise. Nobody
    /// waits for a client that does not read: its session is over and out of the list meanwhile, and after 2 s its
    /// connection is closed all the same.
    #[must_use]
    pub fn tell_killed(self, tell: bool) -> Self {
        Self { tell_killed: tell, ..self }
    }

    /// So many statements of one session in process may wait for their turn; 64 unless said otherwise. Further ones are
    /// refused.
    #[must_use]
    pub fn queued_statements(self, bound: usize) -> Self {
        Self { queued_statements: bound, ..self }
    }

    /// Makes the server a node of a cluster, in place of [`Builder::ids`]: it has a server id for as long as its coordinator
    /// says so, and admits nobody (3032) before it has one ([`Runtime::joined`]). Other nodes' lists call it by the address of
    /// [`Builder::node`].
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn cluster(self, cluster: crate::cluster::Cluster) -> Self {
        Self { cluster: Some(cluster), ..self }
    }

    /// Keeps the supervisor on the arbiter that calls [`Builder::start`], rather than on one of its own: for tests on
    /// paused time, and for hosts that want a single thread. A kill then waits for whatever that arbiter is doing.
    #[must_use]
    pub fn single_arbiter(self) -> Self {
        Self { own_arbiter: false, ..self }
    }

    /// Starts the runtime, inside an actix `System` (or, with [`Builder::single_arbiter`], any `LocalSet`).
    ///
    /// # Panics
    /// Outside of both.
    pub fn start(self) -> Runtime<E> {
        let layout = self.layout.unwrap_or_else(|| self.dialect.ids(1).expect("every system has a first server"));
        let registry = Registry::new(layout, self.dialect, self.node, self.clock, &self.settings);
        let actor = Supervisor::new(Arc::clone(&registry), self.rollback_timeout);
        let arbiter = self.own_arbiter.then(Arbiter::new);
        let supervisor = match &arbiter {
            Some(arbiter) => Supervisor::start_in_arbiter(&arbiter.handle(), |_| actor),
            None => actor.start(),
        };
        registry.set_supervisor(supervisor.downgrade());
        #[cfg(feature = "policies")]
        let policies = Arc::new(crate::policy::Enforcer::new(Arc::clone(&registry), self.own_arbiter));
        #[cfg(feature = "cluster")]
        let node = self.cluster.map(|cluster| cluster.start(&registry, self.rollback_timeout));
        let shared = Shared {
            engine: self.engine,
            #[cfg(feature = "policies")]
            _beside: policies.clone(),
            registry,
            supervisor,
            placement: self.placement,
            rollback_timeout: self.rollback_timeout,
            server_version: self.server_version.unwrap_or_else(|| self.dialect.server_version().into()),
            max_allowed_packet: self.max_allowed_packet,
            tell_killed: self.tell_killed,
            queued_statements: self.queued_statements,
            #[cfg(feature = "system-tables")]
            tables: crate::system::SystemTables::default(),
            #[cfg(feature = "cluster")]
            node,
            arbiter,
        };
        Runtime {
            shared: Arc::new(shared),
            #[cfg(feature = "policies")]
            policies,
        }
    }
}

impl<E: Engine> Runtime<E> {
    /// Begins a runtime for this engine.
    pub fn builder(engine: E) -> Builder<E> {
        Builder {
            engine,
            dialect: Dialect::mysql(),
            layout: None,
            node: Node::default(),
            clock: Clock::default(),
            placement: Placement::Inline,
            server_version: None,
            rollback_timeout: Duration::from_secs(10),
            settings: Settings::new(),
            max_allowed_packet: 64 << 20,
            tell_killed: false,
            queued_statements: 64,
            own_arbiter: true,
            #[cfg(feature = "cluster")]
            cluster: None,
        }
    }

    /// Connects a session on the arbiter that calls this. The host has made sure who it is.
    ///
    /// # Errors
    /// No id is free, the runtime is shutting down, or the engine does not open.
    pub async fn connect(&self, who: Principal, peer: Origin) -> Result<SessionHandle, Refused> {
        self.connect_for(who, peer, None).await
    }

    /// The same, of a session for a client of an OceanBase proxy: in that dialect it is shown under the client session's id,
    /// and a kill of that reaches all sessions for the client. An id that a server could have made says nothing.
    ///
    /// # Errors
    /// As [`Runtime::connect`]; [`Refused::ClientKilled`] for a client that was killed in the last 8 hours.
    pub async fn connect_client(
        &self,
        who: Principal,
        peer: Origin,
        client: ClientSession,
    ) -> Result<SessionHandle, Refused> {
        self.connect_for(who, peer, Some(client)).await
    }

    async fn connect_for(
        &self,
        who: Principal,
        peer: Origin,
        client: Option<ClientSession>,
    ) -> Result<SessionHandle, Refused> {
        let shared = Arc::clone(&self.shared);
        let inbox = Inbox::new(shared.queued_statements);
        let (registry, whose) = (Arc::clone(&shared.registry), Whose { principal: owner::shared(who), client });
        let (admitted, answer) = tokio::sync::oneshot::channel();
        let addr = Session::launch(&registry, Arc::clone(&inbox), |control| {
            Box::pin(mailbox_work(shared, inbox, control, whose, peer, admitted))
        });
        let life = answer.await.unwrap_or(Err(Refused::ShuttingDown))?;
        Ok(SessionHandle::new(addr, life))
    }

    /// Asks for a kill. The receipt says that it was signalled, and can be awaited until it is over.
    ///
    /// # Errors
    /// No such session, or not the requester's to kill.
    pub async fn kill(&self, by: &Arc<Principal>, target: Target, mode: KillMode) -> Result<Receipt, KillError> {
        let kill = Kill { by: Arc::clone(by), from: None, target, mode };
        self.shared.supervisor.send(kill).await.unwrap_or(Err(KillError::Stopped))
    }

    /// The list, as far as `by` may see it. Asks nobody: neither the supervisor nor a session.
    pub fn list(&self, by: &Arc<Principal>) -> Listing {
        Listing::new(Arc::clone(&self.shared.registry), Arc::clone(by))
    }

    /// The supervisor's address, for [`Kill`], [`crate::List`] and [`Shutdown`] as messages.
    pub fn supervisor(&self) -> &Addr<Supervisor> {
        &self.shared.supervisor
    }

    /// Tells `to` of everything that happens from now on. At most `bound` events wait for it at a time; what goes
    /// beyond is counted, and told as [`crate::Event::Lagged`]. The subscription ends with the actor behind `to`.
    pub fn subscribe(&self, to: Recipient<SessionEvent>, bound: usize) {
        self.shared.registry.events.subscribe(to, bound);
    }

    /// How the runtime is doing. Costs a walk over the list.
    pub fn status(&self) -> Status {
        self.shared.registry.status()
    }

    /// Hands the figures of this runtime to the recorder of the `metrics` crate: to be called before each time that they
    /// are collected (`killdeer_sessions{state="idle"}`, `killdeer_statements_total` and others; `docs/semantics.md` lists
    /// them). Costs a walk over the list, some sessions at a time.
    ///
    /// The times that kills take (`killdeer_kill_duration_seconds`) are recorded without this, at each end.
    ///
    /// One runtime to a recorder: a second one's figures would take the place of the first one's.
    #[cfg(feature = "metrics")]
    pub fn publish_figures(&self) {
        self.shared.registry.publish_figures();
    }

    /// How often each kind of time-out has ended a session or a statement.
    pub fn timeouts(&self) -> Vec<(Reason, u64)> {
        self.shared.registry.counters.timeouts().collect()
    }

    /// The rules that kill by themselves, to be loaded and looked at; none to begin with.
    #[cfg(feature = "policies")]
    pub fn policies(&self) -> &crate::policy::Enforcer {
        &self.policies
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.shared.engine
    }

    /// What a load balancer is to be told of this server. Costs a load.
    pub fn readiness(&self) -> Readiness {
        self.shared.registry.readiness()
    }

    /// Makes [`Runtime::readiness`] say [`Readiness::Draining`], and changes nothing else: clients are let in and served
    /// until [`Runtime::shutdown`]. A host calls it as long before that as its load balancers need to look elsewhere.
    pub fn announce_shutdown(&self) {
        self.shared.registry.announce_shutdown();
    }

    /// Takes no more sessions, lets running statements and open transactions end by themselves for as long as `grace`,
    /// ends the others, waits for their rollbacks, and says how it went. The actix `System` that it runs in stays up.
    ///
    /// Called again while that goes on, the grace that is over first counts; whoever calls it, then or later, gets the
    /// one summary. It goes on if its future is dropped.
    pub async fn shutdown(&self, grace: Duration) -> Summary {
        let summary = self.shared.supervisor.send(Shutdown { grace }).await.unwrap_or_default();
        #[cfg(feature = "cluster")]
        if let Some(node) = &self.shared.node {
            node.leave().await;
        }
        summary
    }

    /// Waits until this node has its place in the cluster, and says which. `None`: there is no cluster, or the node has left
    /// it.
    #[cfg(feature = "cluster")]
    pub async fn joined(&self) -> Option<crate::cluster::Identity> {
        self.shared.node.as_ref()?.joined().await
    }
}
