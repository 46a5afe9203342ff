//! The control statements, carried out: `KILL` goes to the supervisor, `SHOW PROCESSLIST` reads the slots.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use futures::future::{Either, select};
use tokio::{task::yield_now, time::Instant};

use super::shared::Shared;
use crate::{
    control::{Control, Scope},
    engine::{Engine, EngineSession, RowSink, StatementContext},
    model::{KillError, Killed, OwnedValue, Params, SqlError, Target},
    supervisor::{Kill, Listing},
};

/// So many slots are looked at before others on the arbiter have their turn.
const SLOTS: usize = 1024;

/// So many bytes of rows are made before others on the arbiter have their turn.
const TURN: usize = 32 * 1024;

/// What a row counts for, beside its statement.
const ROW: usize = 256;

/// What a control statement asks for, with its expressions resolved.
pub(super) enum Task {
    Kill(Kill),
    List { full: bool },
}

/// Whether the runtime answers a control statement; the others are passed to the engine.
pub(super) fn is_own(statement: &Control) -> bool {
    !matches!(statement, Control::ShowDiagnostics { .. } | Control::SetSessionContext { .. })
}

/// Finds out what a control statement means in this session. Changes nothing.
pub(super) fn plan<S: EngineSession>(
    session: Option<&S>,
    cx: &StatementContext,
    statement: Control,
    params: Option<&Params>,
) -> Result<Task, SqlError> {
    let statement = match statement {
        Control::ShowProcesslist { full } => return Ok(Task::List { full }),
        Control::Kill(statement) => statement,
        // They are the engine's: see `is_own`.
        Control::ShowDiagnostics { .. } | Control::SetSessionContext { .. } => return Err(SqlError::not_preparable()),
        // The session answers them itself, but not from within each other.
        Control::Prepare { .. } | Control::Execute { .. } | Control::Deallocate { .. } => {
            return Err(SqlError::not_preparable());
        }
    };
    let variable = |name: &str| session.and_then(|session| session.user_variable(name)).unwrap_or(OwnedValue::Null);
    let scope = Scope {
        own: cx.session(),
        principal: cx.principal(),
        variable: &variable,
        params: params.map(|params| params.0.as_slice()),
    };
    Ok(Task::Kill(Kill {
        by: Arc::clone(cx.principal()),
        from: Some(cx.session()),
        target: statement.target.resolve(&scope)?,
        mode: statement.mode,
    }))
}

/// Carries it out; returns the rows affected.
pub(super) async fn run<E: Engine>(
    shared: &Shared<E>,
    cx: &StatementContext,
    task: Task,
    sink: &mut RowSink,
) -> Result<u64, SqlError> {
    match task {
        Task::Kill(order) => kill(shared, cx, order).await,
        Task::List { full } => list(shared, cx, full, sink).await.map(|()| 0),
    }
}

async fn kill<E: Engine>(shared: &Shared<E>, cx: &StatementContext, order: Kill) -> Result<u64, SqlError> {
    let several = matches!(order.target, Target::User { .. });
    let answer = pin!(shared.supervisor.send(order));
    // Whoever kills itself is over before the answer is here.
    match select(answer, pin!(cx.killed())).await {
        Either::Left((answer, _)) => {
            let receipt = answer.unwrap_or(Err(KillError::Stopped))?;
            // OK means that it was signalled; MariaDB counts the sessions of a user.
            Ok(if several { receipt.sessions() as u64 } else { 0 })
        }
        Either::Right((reason, _)) => Err(Killed(reason).into()),
    }
}

async fn list<E: Engine>(
    shared: &Shared<E>,
    cx: &StatementContext,
    full: bool,
    sink: &mut RowSink,
) -> Result<(), SqlError> {
    cx.set_state("starting");
    let dialect = &shared.registry.dialect;
    let listing = Listing::new(Arc::clone(&shared.registry), Arc::clone(cx.principal()));
    // In order of their ids, and in pieces: others on the arbiter have their turn in between.
    let (mut slots, mut looked_at) = (BTreeMap::new(), 0);
    for chunk in shared.registry.chunks() {
        looked_at += chunk.len();
        slots.extend(chunk.into_iter().filter(|slot| listing.shows(slot)).map(|slot| (slot.id(), slot)));
        if looked_at > SLOTS {
            looked_at = 0;
            yield_now().await;
        }
    }
    sink.columns(dialect.process_columns(full))?;
    let now = Instant::now();
    let mut spent = 0;
    for slot in slots.values() {
        let row = listing.row(slot, now);
        let mut behind = Ok(false);
        dialect.process_row(&row, full, |values| behind = sink.row(values));
        if behind? {
            sink.ready().await?;
        }
        spent += ROW + row.info.map_or(0, |info| info.len());
        if spent > TURN {
            spent = 0;
            yield_now().await;
        }
    }
    Ok(())
}
