//! The life of a session, whoever feeds it: the mailbox of a session in process, or the driver of a wire.
//!
//! ```text
//! open -> (begin -> run -> settle -> finish)* -> leave
//! ```
//!
//! `settle` decides, in one compare-and-swap, whether a statement ended well or was killed; the caller then tells its
//! client, and calls `finish`, so that a killed statement stays listed until its client has been told.
//!
//! What is asked of the engine's session meanwhile is in `calls`.

mod calls;

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

#[cfg(feature = "mysql")]
use super::opening::reopen;
use super::{
    keep::{Allowed, Keep},
    opening::open_session,
    own::Own,
    prepared::Named,
    shared::Shared,
};
use crate::{
    control,
    engine::{Engine, EngineSession as _, RowSink, StatementContext},
    model::{Command, Done, Event, Outcome, Principal, Reason, Refused, SqlError, Statement, Warning},
    state::{Limits, Running, Slot, Trace, shown},
    supervisor::{Registration, Registry},
};

/// See the module's text.
pub(crate) struct Core<E: Engine> {
    pub(super) shared: Arc<Shared<E>>,
    pub(super) registration: Registration,
    pub(super) principal: Arc<Principal>,
    /// `None` once it went down with a task that held it.
    pub(super) session: Option<Box<E::Session>>,
    /// Prepared statements that have a name; nothing where there are none.
    pub(super) named: Option<Box<Named>>,
    /// The count of what is kept for the client; nothing where nothing was ever kept.
    keep: Option<Arc<Keep>>,
    /// What the last statement left for `SHOW WARNINGS`, if it was one of the runtime's own. Of others, the engine knows.
    pub(super) diagnostics: Option<Box<[Warning]>>,
    /// Whether the last statement gave rows.
    gave_rows: bool,
    /// Whether an error of the running statement may repeat a secret that does not stand in its text.
    pub(super) tells: bool,
    /// Whether a transaction may be open: the engine said so, or its last call did not end well.
    pub(super) unsettled: bool,
    /// The flags that its last good statement left: what a command that touches neither goes out with.
    pub(super) state: Done,
    /// When the engine was done with the last call.
    ended: Instant,
    /// What the running statement's logs are attributed to.
    pub(super) trace: Trace,
    /// The last statement's context, for the next one.
    spare: Option<StatementContext>,
    /// The session's time-outs; the slot has them too, for the timers.
    pub(super) limits: Arc<Limits>,
    /// A person types at the client's end.
    pub(super) interactive: bool,
    /// The last statement had a time of its own to end in.
    pub(super) bounded: bool,
}

/// Whether a statement that began then has its time already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timed {
    /// It has not.
    Not(Instant),
    /// It was given one by what stands before it.
    Already(Instant),
}

/// How a statement ended, for its client and for its subscribers.
#[derive(Debug)]
pub(crate) struct Farewell<T> {
    /// What the client is told.
    pub(crate) result: Result<T, SqlError>,
    /// Why it was ended from outside, if it was.
    pub(crate) killed: Option<Reason>,
}

impl<E: Engine> Core<E> {
    /// Opens the engine's session. The registration is given back with a refusal: the caller has to tell its client
    /// while the session is still listed.
    pub(crate) async fn open(
        shared: Arc<Shared<E>>,
        registration: Registration,
        principal: Arc<Principal>,
        interactive: bool,
    ) -> Result<Self, (Registration, Refused)> {
        let session = match open_session(&shared, registration.slot(), &principal).await {
            Ok(session) => session,
            Err(refused) => return Err((registration, refused)),
        };
        let ended = Instant::now();
        let limits = shared.registry.limits.share(Limits::first(&shared.registry.settings, &principal, interactive));
        registration.slot().set_limits(Arc::clone(&limits));
        let mut core = Self {
            ended,
            limits,
            interactive,
            bounded: false,
            shared,
            registration,
            principal,
            session: Some(session),
            named: None,
            keep: None,
            diagnostics: None,
            gave_rows: false,
            tells: false,
            unsettled: false,
            state: Done::default(),
            trace: Trace::default(),
            spare: None,
        };
        core.ask_for_flags();
        core.rest(ended);
        Ok(core)
    }

    /// Its client was told that it is logged in.
    #[cfg(feature = "mysql")]
    pub(crate) fn logged_in(&mut self) {
        self.registration.logged_in();
    }

    /// What is kept for the client, and how much that may be.
    pub(crate) fn keep(&mut self) -> (Arc<Keep>, Allowed) {
        (Arc::clone(self.keep.get_or_insert_default()), self.allowed())
    }

    /// How much may be kept for the client.
    pub(crate) fn allowed(&self) -> Allowed {
        Allowed::of(&self.shared.registry.settings, &self.principal)
    }

    pub(crate) fn slot(&self) -> &Arc<Slot> {
        self.registration.slot()
    }

    #[cfg(feature = "mysql")]
    pub(crate) fn shared(&self) -> &Arc<Shared<E>> {
        &self.shared
    }

    /// The flags of the session's state as its last good statement left them, with no counts.
    pub(crate) fn state(&self) -> Done {
        self.state
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.shared.registry
    }

    /// Begins a command: it has a number, and is listed.
    ///
    /// # Errors
    /// The session is to end: nothing more is executed in it.
    pub(crate) fn begin(
        &mut self,
        command: Command,
        info: Option<Bytes>,
    ) -> Result<(StatementContext, Instant), Reason> {
        let slot = self.registration.slot();
        self.shared.registry.end_unless_standing(slot);
        let statement = slot.switch.begin()?;
        let query_id = self.shared.registry.next_query_id();
        let began = Instant::now();
        if self.shared.registry.events.wanted() {
            let sql = info.as_deref().map_or(Default::default(), |sql| shown(sql, &self.shared.syntax()).into());
            self.shared.registry.events.publish(Some(slot.id()), || Event::StatementBegan { statement, sql });
        }
        // For what ends without a call of the engine.
        self.ended = began;
        self.trace = slot.trace.statement(statement, query_id);
        slot.show(command, "executing", info, Some(Running { statement, query_id }), began);
        let cx = match self.spare.take() {
            Some(spare) => spare.next(statement, query_id),
            None => StatementContext::new(Arc::clone(slot), Arc::clone(&self.principal), statement, query_id),
        };
        Ok((cx, began))
    }

    /// Runs a statement: one of the runtime's own, or the engine's.
    pub(crate) fn execute<'a>(
        &'a mut self,
        cx: &'a StatementContext,
        statement: Statement,
        sink: &'a mut RowSink,
        began: Instant,
    ) -> impl Future<Output = Result<Done, SqlError>> + Send + use<'a, E> {
        self.run(cx, statement, sink, Timed::Not(began))
    }

    /// The same, of a statement that may have its time already. One future, without others in it that hold the statement
    /// again: it is made for each statement.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` has room for its arguments twice")]
    pub(super) fn run<'a>(
        &'a mut self,
        cx: &'a StatementContext,
        mut statement: Statement,
        sink: &'a mut RowSink,
        timed: Timed,
    ) -> impl Future<Output = Result<Done, SqlError>> + Send + use<'a, E> {
        async move {
            let began = match timed {
                Timed::Not(began) => {
                    // Of several statements in one command, none is begun once the command was killed.
                    self.shared.registry.end_unless_standing(self.slot());
                    cx.check()?;
                    self.time(&statement.sql, began);
                    began
                }
                Timed::Already(began) => began,
            };
            if let Some(read) = control::parse(&statement.sql, &self.shared.syntax()).transpose() {
                // On the heap: it is rare, and what is not waits in every idle session.
                let own = Box::pin(self.own(cx, read, statement, sink, began)).await;
                if let (true, Some(session)) = (E::Session::FETCHES_USER_VARIABLES, &mut self.session) {
                    session.forget_user_variables();
                }
                match own {
                    Own::Answered(result) => {
                        self.gave_rows = sink.gave_rows();
                        return result;
                    }
                    Own::Others(others) => statement = others,
                }
            }
            #[cfg(feature = "system-tables")]
            if let Some(asked) = self.asks(cx, &statement.sql) {
                let result = Box::pin(self.answer_question(cx, asked, statement, sink)).await;
                self.gave_rows = sink.gave_rows();
                return result;
            }
            self.diagnostics = None;
            let answer = self.call(cx, &mut statement, sink, began).await;
            self.executed(answer, sink)
        }
    }

    /// A statement of the runtime's own was done at this time.
    pub(super) fn ran(&mut self, at: Instant) {
        self.ended = at;
    }

    /// Goes on as another user, who has proved itself: the old one's session is rolled back and dropped, the new one's is
    /// opened, and the list shows it, for the `client` of a proxy that is named now. It writes and reads the character set of
    /// this collation. The id stays. After an error the session is to end.
    #[cfg(feature = "mysql")]
    pub(crate) async fn change_user(
        &mut self,
        cx: &StatementContext,
        (principal, client): (Arc<Principal>, Option<crate::model::ClientSession>),
        collation: u16,
        database: Option<String>,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        self.put_away(Reason::Quit).await;
        self.state = Done::default();
        self.named = None;
        self.diagnostics = None;
        self.slot().notes.reset();
        self.slot().notes.set_login(collation);
        self.slot().set_trace_id(None);
        cx.check()?;
        // The database goes with the old user.
        let before = Some(&*self.principal);
        let place = self.shared.registry.authenticate(self.slot(), Arc::clone(&principal), client, before)?;
        self.registration.enter(place);
        self.principal = Arc::clone(&principal);
        self.set_limits(self.first_limits());
        let opened = reopen(&self.shared, cx, &principal).await;
        self.ended = Instant::now();
        self.session = Some(opened?);
        self.ask_for_flags();
        match database {
            Some(name) => self.use_database(&cx.of(principal), name, sink, began).await,
            None => Ok(self.state),
        }
    }

    /// Decides how the statement ended. A kill that came before this moment is its end; one that comes later finds
    /// nothing to end.
    pub(crate) fn settle<T>(&mut self, result: Result<T, SqlError>) -> Farewell<T> {
        match self.slot().switch.complete() {
            Ok(()) => Farewell { result, killed: None },
            Err(reason) => {
                let dialect = &self.registry().dialect;
                let own = reason == Reason::KillOwnConnection && dialect.own_kill_is_ok();
                let killer = if dialect.tells_killers() { self.slot().killer() } else { None };
                let result = if own { result } else { Err(dialect.killed(reason, killer)) };
                if let Err(error) = &result {
                    self.refused(error);
                }
                Farewell { result, killed: Some(reason) }
            }
        }
    }

    /// When the engine was done with the last call: for callers who were told at once.
    pub(crate) fn ended(&self) -> Instant {
        self.ended
    }

    /// The client was told, at this time, how the statement ended: the session is idle, or, if the server is being shut
    /// down and no transaction is open, to end.
    pub(crate) fn finish(
        &mut self,
        cx: StatementContext,
        end: Result<u64, SqlError>,
        killed: Option<Reason>,
        at: Instant,
    ) {
        let slot = self.registration.slot();
        let registry = &self.shared.registry;
        let shows_outcomes = registry.dialect.shows_outcomes();
        let shown = match &end {
            // The words of a kill are our own.
            Err(error) if killed.is_none() && (shows_outcomes || registry.events.wanted()) => {
                let syntax = self.shared.syntax();
                let tells = self.tells || slot.info().is_some_and(|sql| control::may_tell_secrets(&sql, &syntax));
                Err(control::shown_error(error, tells, &syntax))
            }
            end => end.clone(),
        };
        self.tells = false;
        if shows_outcomes {
            slot.set_outcome(match &shown {
                Ok(_) if self.gave_rows => Outcome::Rows,
                Ok(_) => Outcome::Ok,
                Err(error) => Outcome::Error(error.message().into()),
            });
        }
        self.gave_rows = false;
        self.trace.end(&end, killed);
        // First shown, then over: whoever waits for the end of a killed statement finds the session idle.
        self.rest(at);
        let slot = self.registration.slot();
        // Of one that nobody has killed there is no end to note.
        let open = self.state.in_transaction;
        let (ending, (before, after)) = match killed {
            Some(_) => slot.finish_killed(cx.number(), Instant::now(), open),
            None => (None, slot.switch.finish(open)),
        };
        let registry = &self.shared.registry;
        if before.draining() && before.open() && !after.open() {
            registry.counters.transaction_ended();
        }
        registry.events.publish(Some(slot.id()), || Event::StatementEnded {
            statement: cx.number(),
            result: shown,
            killed,
        });
        if let Some(reason) = killed {
            registry.cut_short(slot, cx.number(), reason, ending.as_deref());
        }
        // A change of user is the old one's command.
        self.spare = Arc::ptr_eq(cx.principal(), &self.principal).then_some(cx);
    }
}
