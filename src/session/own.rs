//! The statements that the runtime answers itself, within a session: what they mean there, what they answer, and what they
//! leave for `SHOW WARNINGS`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    control::{self, Task},
    core::Core,
};
use crate::{
    control::Control,
    engine::{Engine, RowSink, StatementContext},
    model::{Column, ColumnType, Done, Level, OwnedValue, Params, Privileges, SqlError, Statement, Value, Warning},
};

/// So many characters a trace id may have: what its column holds.
const LONGEST_TRACE_ID: usize = 256;

/// What came of a statement that the runtime may have an answer to.
pub(super) enum Own {
    /// It was one of the runtime's own.
    Answered(Result<Done, SqlError>),
    /// It is the engine's, or a question about sessions; as it is to be run.
    Others(Statement),
}

impl<E: Engine> Core<E> {
    /// Answers a statement that was read as one of the runtime's own.
    pub(super) async fn own(
        &mut self,
        cx: &StatementContext,
        read: Result<Control, SqlError>,
        statement: Statement,
        sink: &mut RowSink,
        began: Instant,
    ) -> Own {
        let mut own = match read {
            Ok(own) => own,
            Err(error) => return Own::Answered(self.diagnose(Err(error))),
        };
        let mut statement = statement;
        if let Err(error) = self.fetch_variables(cx, &statement.sql, sink, began).await {
            return Own::Answered(self.diagnose(Err(error)));
        }
        if let Control::Execute { name, using } = &own {
            match self.bind_named(cx, name, using) {
                Ok(bound) => {
                    self.tells |= crate::control::may_tell_secrets(&bound.sql, &self.shared.syntax());
                    statement = bound;
                }
                Err(error) => return Own::Answered(self.diagnose(Err(error))),
            }
            self.time(&statement.sql, began);
            // What can be prepared is none of these again.
            match crate::control::parse(&statement.sql, &self.shared.syntax()) {
                Ok(None) => return Own::Others(statement),
                Ok(Some(prepared)) => own = prepared,
                Err(error) => return Own::Answered(self.diagnose(Err(error))),
            }
            if let Err(error) = self.fetch_variables(cx, &statement.sql, sink, began).await {
                return Own::Answered(self.diagnose(Err(error)));
            }
        }
        let result = match own {
            Control::ShowDiagnostics { errors, count, offset, rows } => {
                // Of a statement of the engine's, the engine knows.
                let Some(of) = &self.diagnostics else { return Own::Others(statement) };
                let shown = of.iter().filter(|warning| !errors || warning.level == Level::Error);
                return Own::Answered(show(shown, errors, count, (offset, rows), sink).map(|()| self.state()));
            }
            Control::Prepare { name, source } => self.prepare_named(cx, (name, source), sink, began).await,
            Control::Deallocate { name } => self.deallocate(&name),
            Control::SetSessionContext { value } => self.set_session_context(&value),
            Control::Set(set) => return Own::Answered(self.set(cx, set, statement.params, sink, began).await),
            Control::SetStatement(set) => {
                return Own::Answered(self.set_for_statement(cx, set, statement, sink, began).await);
            }
            Control::FlushHosts => self.flush_hosts(cx),
            other => match self.plan(cx, other, statement.params.as_ref()) {
                Ok(task) => {
                    let answer = control::run(&self.shared, cx, task, sink).await;
                    self.ran(Instant::now());
                    return Own::Answered(match answer {
                        Ok(answered) => self.warned(answered.affected, answered.warnings),
                        Err(error) => self.diagnose(Err(error)),
                    });
                }
                Err(error) => Err(error),
            },
        };
        Own::Answered(self.diagnose(result))
    }

    /// The statement was the runtime's own: its error is what `SHOW WARNINGS` shows.
    pub(super) fn diagnose(&mut self, result: Result<Done, SqlError>) -> Result<Done, SqlError> {
        self.diagnostics = Some(result.as_ref().err().map(Warning::from).into_iter().collect());
        result
    }

    /// The client was told this error, which is the runtime's own: it is what `SHOW WARNINGS` shows.
    pub(crate) fn refused(&mut self, error: &SqlError) {
        self.diagnostics = Some([error.into()].into());
    }

    /// The statement was the runtime's own, and ended well, with these warnings.
    pub(super) fn warned(&mut self, affected: u64, warnings: Vec<Warning>) -> Result<Done, SqlError> {
        let count = u16::try_from(warnings.len()).unwrap_or(u16::MAX);
        self.diagnostics = Some(warnings.into());
        Ok(Done { affected, warnings: count, ..self.state() })
    }

    /// `FLUSH HOSTS`
    fn flush_hosts(&self, cx: &StatementContext) -> Result<Done, SqlError> {
        if !cx.principal().has(Privileges::RELOAD) {
            return Err(SqlError::needs_privilege("RELOAD"));
        }
        self.registry().flush_hosts();
        Ok(self.state())
    }

    /// What a control statement means here. The value of `@x` comes from the engine, whose code may panic.
    fn plan(&mut self, cx: &StatementContext, own: Control, params: Option<&Params>) -> Result<Task, SqlError> {
        let session = self.session.as_deref();
        let dialect = &self.shared.registry.dialect;
        let planned = catch_unwind(AssertUnwindSafe(|| control::plan(session, cx, dialect, own, params)));
        planned.unwrap_or_else(|_| Err(self.panicked(cx)))
    }

    /// Doris: `SET session_context = 'trace_id:…'`, several of which may stand there with semicolons between them. What is
    /// no trace id has no meaning here.
    fn set_session_context(&mut self, value: &str) -> Result<Done, SqlError> {
        let pairs = value.split(';').filter_map(|pair| pair.trim().split_once(':'));
        let trace_id =
            pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case("trace_id")).map(|(_, id)| id.trim()).next_back();
        let trace_id = trace_id.filter(|id| !id.is_empty());
        if trace_id.is_some_and(|id| id.chars().nth(LONGEST_TRACE_ID).is_some()) {
            return Err(SqlError::wrong_value("session_context", value));
        }
        self.slot().set_trace_id(trace_id.map(Arc::from));
        Ok(self.state())
    }
}

/// Answers `SHOW WARNINGS` and the like.
fn show<'a>(
    shown: impl Iterator<Item = &'a Warning>,
    errors: bool,
    count: bool,
    (offset, rows): (u64, u64),
    sink: &mut RowSink,
) -> Result<(), SqlError> {
    if count {
        let name = if errors { "@@session.error_count" } else { "@@session.warning_count" };
        sink.columns([Column::new(name, ColumnType::BigInt).unsigned()])?;
        sink.row(&[Value::UInt(shown.count() as u64)])?;
        return Ok(());
    }
    sink.columns(Warning::columns())?;
    let within = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    for warning in shown.skip(within(offset)).take(within(rows)) {
        let row: [OwnedValue; 3] = warning.row();
        sink.row(&row.each_ref().map(OwnedValue::borrow))?;
    }
    Ok(())
}
