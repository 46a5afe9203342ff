//! The control statements, carried out: `KILL` goes to the supervisor, `SHOW PROCESSLIST` reads the slots.

use std::{pin::pin, sync::Arc};

use futures::future::{Either, select};
use tokio::{
    task::{spawn_blocking, yield_now},
    time::Instant,
};

use crate::{
    control::{Control, Scope},
    engine::{Engine, EngineSession, RowSink, StatementContext},
    model::{KillError, Killed, OwnedValue, Params, SqlError, Target},
    runtime::Shared,
    supervisor::{Kill, Listing},
};

/// A list that is longer is put together on a thread of its own: sorting it would keep the arbiter.
const LONG_LIST: usize = 4096;

/// So many rows are made before others on the arbiter have their turn.
const ROWS_AT_A_TIME: usize = 128;

/// What a control statement asks for, with its expressions resolved.
pub(super) enum Task {
    Kill(Kill),
    List { full: bool },
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
    let (listing, slots) = if shared.registry.len() > LONG_LIST {
        let made = spawn_blocking(move || {
            let slots = listing.slots();
            (listing, slots)
        });
        made.await.map_err(|_| SqlError::panicked())?
    } else {
        let slots = listing.slots();
        (listing, slots)
    };
    sink.columns(dialect.process_columns(full))?;
    let now = Instant::now();
    for some in slots.chunks(ROWS_AT_A_TIME) {
        let mut behind = false;
        for slot in some {
            let row = listing.row(slot, now);
            let mut pushed = Ok(false);
            dialect.process_row(&row, full, |values| pushed = sink.row(values));
            behind |= pushed?;
        }
        if behind {
            sink.ready().await?;
        }
        yield_now().await;
    }
    Ok(())
}
