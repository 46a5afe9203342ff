//! Questions about the system tables, within a session: which statements are some, what they are told of the session, and
//! how their rows get to the client.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::time::Instant;

use super::core::Core;
use crate::{
    engine::{Engine, EngineSession, RowSink, StatementContext},
    model::{Column, ColumnType, Done, OwnedValue, Prepared, SqlError, Statement, Value},
    system::{self, Facts, Question, Stop},
};

/// A statement that asks for system tables: which ones, by their places among those that there are.
pub(super) struct Asked {
    places: Vec<usize>,
}

impl<E: Engine> Core<E> {
    /// Whether a statement asks for system tables. Nearly none does, which a look at its bytes tells.
    pub(super) fn asks(&self, cx: &StatementContext, sql: &[u8]) -> Option<Asked> {
        let dialect = &self.shared.registry.dialect;
        if !system::may_ask(sql, dialect) {
            return None;
        }
        let database = cx.database();
        let places = system::mentioned(sql, &dialect.syntax(), database.as_deref(), &dialect.system_tables());
        (!places.is_empty()).then_some(Asked { places })
    }

    /// Answers it, with the rows that this session's user may see.
    pub(super) async fn answer_question(
        &mut self,
        cx: &StatementContext,
        asked: Asked,
        statement: Statement,
        sink: &mut RowSink,
    ) -> Result<Done, SqlError> {
        let result = self.ask(cx, asked, statement, sink).await;
        self.ran(Instant::now());
        self.diagnose(result)
    }

    async fn ask(
        &mut self,
        cx: &StatementContext,
        Asked { places }: Asked,
        statement: Statement,
        sink: &mut RowSink,
    ) -> Result<Done, SqlError> {
        cx.set_state("executing");
        let question = self.question(cx, &statement.sql)?;
        let params = statement.params.map(|params| params.0).unwrap_or_default();
        let (registry, context) = (Arc::clone(&self.shared.registry), cx.clone());
        let now = Instant::now();
        let fill = move || system::filled(&registry, &context, &places, now);
        let context = cx.clone();
        let stop = Stop::new(move || context.stop());
        let answer = self.shared.tables.run(question, params, fill, stop, cx.killed()).await?;
        cx.set_state("Sending data");
        sink.columns(answer.columns)?;
        let mut values = Vec::new();
        for row in &answer.rows {
            values.clear();
            values.extend(row.iter().map(OwnedValue::borrow));
            if sink.row(&values)? {
                sink.ready().await?;
            }
        }
        // Its place in memory is free from here on.
        drop(answer.share);
        Ok(self.state())
    }

    /// Says what parameters it takes and which columns it gives.
    pub(super) fn describe_question(
        &mut self,
        cx: &StatementContext,
        Asked { places }: Asked,
        sql: &[u8],
    ) -> Result<Prepared, SqlError> {
        let question = self.question(cx, sql)?;
        let columns = question.describe(&system::empty(&self.shared.registry, cx, &places))?;
        let params = vec![Column::new("?", ColumnType::Null); question.params()];
        Ok(Prepared { params, columns })
    }

    fn question(&mut self, cx: &StatementContext, sql: &[u8]) -> Result<Question, SqlError> {
        let principal = cx.principal();
        let facts = Facts {
            user: format!("{}@{}", principal.user(), cx.peer().host()),
            current_user: principal.account(),
            connection_id: cx.session().get(),
            database: cx.database().map(|name| name.to_string()),
            version: self.shared.server_version.to_string(),
            now: self.shared.registry.clock().now(),
            zone: 0,
        };
        let session = self.session.as_deref();
        let version = &self.shared.server_version;
        let variable = |system: bool, name: &str| match system {
            // The engine's user variables; its code may panic.
            false => Ok(session.and_then(|session| session.user_variable(name)).unwrap_or(OwnedValue::Null)),
            true if name.rsplit('.').next().is_some_and(|name| name.eq_ignore_ascii_case("version")) => {
                Ok(Value::Text(version).to_owned())
            }
            true => Err(SqlError::unknown_system_variable(name)),
        };
        let read = catch_unwind(AssertUnwindSafe(|| Question::read(sql, &self.shared.syntax(), facts, &variable)));
        read.unwrap_or_else(|_| Err(self.panicked(cx)))
    }
}
