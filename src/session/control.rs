//! The control statements, carried out: `KILL` of one session is done here, or asked of the node that has it, of others by
//! the supervisor, `SHOW PROCESSLIST` reads the slots.

use std::{pin::pin, sync::Arc};

use futures::future::{Either, select};
use tokio::{task::yield_now, time::Instant};

use super::{gather, proxied, shared::Shared};
use crate::{
    control::{Control, Scope},
    dialect::{self, Dialect, Field, View, columns, row_of},
    engine::{Engine, EngineSession, RowSink, StatementContext},
    id::{RUN, Roll, SessionId},
    model::{KillError, Killed, OwnedValue, Params, Reason, Seen, ServerEnd, SqlError, Target, Warning},
    supervisor::{Kill, KillAnswer, Listing, kill_by_id},
};

/// So many ids are gathered before others on the arbiter have their turn.
const IDS: usize = 4096;

/// So many bytes of rows are made before others on the arbiter have their turn.
const TURN: usize = 64 * 1024;

/// What a row counts for, beside its statement.
const ROW: usize = 256;

/// What a session counts for that has no row in the list.
const HIDDEN: usize = 32;

/// The columns of a list, for whoever looks at it.
type Fields = for<'a> fn(&Dialect, &View<'a>) -> &'static [Field];

/// What a control statement asks for, with its expressions resolved.
pub(super) enum Task {
    Kill(Kill),
    List {
        full: bool,
    },
    /// `SHOW PROXYSESSION`
    ProxySessions,
    /// The same, of one session.
    Inspect(proxied::Inspect),
    /// `KILL PROXYSESSION id ss_id`
    EndServerSession {
        id: SessionId,
        ss_id: u64,
    },
    /// There is nothing to do: a `KILL` that the system answers with no more than a word.
    Say(Option<Warning>),
}

/// What came of a control statement that ended well.
#[derive(Default)]
pub(super) struct Answered {
    pub(super) affected: u64,
    pub(super) warnings: Vec<Warning>,
}

impl Answered {
    fn warned(warning: Option<Warning>) -> Self {
        Self { affected: 0, warnings: warning.into_iter().collect() }
    }
}

/// Finds out what a control statement means in this session. Changes nothing.
pub(super) fn plan<S: EngineSession>(
    session: Option<&S>,
    cx: &StatementContext,
    dialect: &Dialect,
    statement: Control,
    params: Option<&Params>,
) -> Result<Task, SqlError> {
    let variable = |name: &str| session.and_then(|session| session.user_variable(name)).unwrap_or(OwnedValue::Null);
    let scope = Scope {
        own: cx.connection_id(),
        principal: cx.principal(),
        variable: &variable,
        params: params.map(|params| params.0.as_slice()),
    };
    let statement = match statement {
        Control::ShowProcesslist { full } => return Ok(Task::List { full }),
        Control::ShowProxySession(show) => {
            return proxied::show(show, &scope).map(|asked| asked.map_or(Task::ProxySessions, Task::Inspect));
        }
        Control::KillProxySession(kill) => {
            return proxied::kill(&kill, &scope, dialect, cx).map(|end| match end {
                proxied::End::Client(kill) => Task::Kill(kill),
                proxied::End::ServerSession { id, ss_id } => Task::EndServerSession { id, ss_id },
            });
        }
        Control::Kill(statement) => statement,
        // The session answers the others itself, but not from within each other.
        _ => return Err(SqlError::not_preparable()),
    };
    match dialect.accepts(&statement) {
        Ok(()) => {}
        Err(dialect::KillAnswer::Error(error)) => return Err(error),
        Err(dialect::KillAnswer::Lenient(warning)) => return Ok(Task::Say(warning)),
    }
    let target = match statement.target.resolve(&scope) {
        Ok(target) => target,
        Err(error) => return dialect.not_an_id(error).map(|warning| Task::Say(Some(warning))),
    };
    let (by, from) = (Arc::clone(cx.principal()), Some(cx.session()));
    Ok(Task::Kill(Kill { by, from, target, mode: statement.mode }))
}

/// Carries it out.
pub(super) async fn run<E: Engine>(
    shared: &Shared<E>,
    cx: &StatementContext,
    task: Task,
    sink: &mut RowSink,
) -> Result<Answered, SqlError> {
    match task {
        Task::Kill(order) => kill(shared, cx, order).await,
        Task::List { full } => list(shared, cx, (full, Dialect::process_fields), sink).await,
        Task::ProxySessions => list(shared, cx, (true, |dialect, _| dialect.proxy_fields()), sink).await,
        Task::Inspect(asked) => {
            proxied::inspect(&shared.registry, cx, &asked, sink).await.map(|()| Answered::default())
        }
        Task::EndServerSession { id, ss_id } => end_server_session(shared, cx, id, ss_id).await,
        Task::Say(warning) => Ok(Answered::warned(warning)),
    }
}

async fn kill<E: Engine>(shared: &Shared<E>, cx: &StatementContext, order: Kill) -> Result<Answered, SqlError> {
    let dialect = &shared.registry.dialect;
    let several = matches!(order.target, Target::User { .. });
    let answer = match kill_by_id(&shared.registry, &order) {
        Some(KillAnswer::Now(answer)) => Ok(answer),
        // What was asked for goes on, be there somebody who waits for it or not.
        Some(KillAnswer::Later(answer)) => unless_killed(cx, answer).await,
        None => {
            let answer = unless_killed(cx, shared.supervisor.send(order)).await;
            answer.map(|answer| answer.unwrap_or(Err(KillError::Stopped)))
        }
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Killed(reason)) => return killed_itself(dialect, reason),
    };
    // Whoever kills itself is over before it hears of it.
    if let (Ok(_), Err(Killed(reason))) = (&answer, cx.check()) {
        return killed_itself(dialect, reason);
    }
    match answer {
        // OK means that it was signalled; MariaDB counts the sessions of a user.
        Ok(receipt) => {
            let affected = if several { receipt.sessions() as u64 } else { 0 };
            Ok(Answered { affected, ..Answered::default() })
        }
        Err(error) => match dialect.kill_answer(&error, &shared.registry.layout()) {
            dialect::KillAnswer::Error(error) => Err(error),
            dialect::KillAnswer::Lenient(warning) => Ok(Answered::warned(warning)),
        },
    }
}

/// Waits for what others do, unless the statement is killed first.
pub(super) async fn unless_killed<T>(cx: &StatementContext, what: impl Future<Output = T>) -> Result<T, Killed> {
    match select(pin!(what), pin!(cx.killed())).await {
        Either::Left((what, _)) => Ok(what),
        Either::Right((reason, _)) => Err(Killed(reason)),
    }
}

fn killed_itself(dialect: &Dialect, reason: Reason) -> Result<Answered, SqlError> {
    match reason {
        Reason::KillOwnConnection if dialect.own_kill_is_ok() => Ok(Answered::default()),
        reason => Err(Killed(reason).into()),
    }
}

/// Ends one of a client's server sessions; the client with it, if a transaction is open there.
async fn end_server_session<E: Engine>(
    shared: &Shared<E>,
    cx: &StatementContext,
    id: SessionId,
    ss_id: u64,
) -> Result<Answered, SqlError> {
    let registry = &shared.registry;
    match registry.end_server_session(cx.principal(), Some(cx.session()), id, ss_id) {
        Ok(ServerEnd::Alone) => Ok(Answered::default()),
        Ok(ServerEnd::WithItsClient) => kill(shared, cx, proxied::of_client(cx, id)).await,
        Err(error) => match registry.dialect.kill_answer(&error, &registry.layout()) {
            dialect::KillAnswer::Error(error) => Err(error),
            dialect::KillAnswer::Lenient(warning) => Ok(Answered::warned(warning)),
        },
    }
}

async fn list<E: Engine>(
    shared: &Shared<E>,
    cx: &StatementContext,
    (full, fields): (bool, Fields),
    sink: &mut RowSink,
) -> Result<Answered, SqlError> {
    cx.set_state("starting");
    let dialect = &shared.registry.dialect;
    let others = match gather::is_wide(cx, dialect.shows()) {
        true => gather::others(&shared.registry, cx).await?,
        false => gather::Others::default(),
    };
    let view = View::new(cx.principal(), Some(cx.session()), &shared.registry.node, full);
    let listing = Listing::new(Arc::clone(&shared.registry), Arc::clone(cx.principal()));
    // In order of their ids, and in pieces: others on the arbiter have their turn in between. Each slot is looked at once:
    // they are all over the memory, and of a long list that is most of the time.
    let (mut roll, mut gathered) = (Roll::default(), 0);
    let leading = shared.registry.client_ids().map(|ids| (true, ids));
    for (leads, ids) in leading.chain(shared.registry.ids().map(|ids| (false, ids))) {
        gathered += ids.len();
        if leads {
            roll.lead(ids)
        } else {
            roll.add(ids)
        }
        if gathered > IDS {
            gathered = 0;
            yield_now().await;
        }
    }
    let fields = fields(dialect, &view);
    sink.columns(columns(fields))?;
    let now = Instant::now();
    let (mut ids, mut slots) = (Vec::new(), Vec::new());
    let mut spent = 0;
    loop {
        roll.next(RUN, &mut ids);
        if !shared.registry.stands() {
            // A node that may have lost its place has no sessions to show.
            return Err(Killed(Reason::Offline).into());
        }
        if ids.is_empty() {
            break;
        }
        shared.registry.get_each(&ids, &mut slots);
        for slot in slots.drain(..) {
            let shown = listing.show(&slot, now, |seen| {
                row_of(fields, &view, seen, |values| sink.put(values));
                seen.info.map_or(0, str::len)
            });
            spent += HIDDEN;
            if let Some(length) = shown {
                spent += ROW + length;
                if sink.offer()? {
                    sink.ready().await?;
                }
            }
            if spent > TURN {
                spent = 0;
                yield_now().await;
            }
        }
    }
    // Each node's by themselves, behind this one's.
    for (node, rows) in others.lists {
        let view = View::new(cx.principal(), Some(cx.session()), &node, full);
        for row in rows {
            row_of(fields, &view, &Seen::from(&row), |values| sink.put(values));
            spent += ROW + row.info.as_deref().map_or(0, str::len);
            if sink.offer()? {
                sink.ready().await?;
            }
            if spent > TURN {
                spent = 0;
                yield_now().await;
            }
        }
    }
    Ok(Answered { affected: 0, warnings: others.warnings })
}
