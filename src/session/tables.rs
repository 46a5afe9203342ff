//! Questions about the system tables, within a session: which statements are some, what they are told of the session, and
//! how their rows get to the client.

use std::{
    cell::Cell,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    core::Core,
    gather::{self, Others},
    prepared::length,
};
use crate::{
    control::{Lexer, TokenKind},
    engine::{Engine, RowSink, StatementContext},
    model::{Column, ColumnType, Done, Killed, OwnedValue, Prepared, SqlError, Statement, Warning},
    supervisor::Registry,
    system::{self, Beyond, Facts, Question, Room, Stop},
};

/// A statement that asks for system tables: which ones, by their places among those that there are.
pub(super) struct Asked {
    places: Vec<usize>,
}

impl<E: Engine> Core<E> {
    /// Whether a statement asks for system tables. Nearly none does, which a look at its bytes tells.
    pub(super) fn asks(&self, cx: &StatementContext, sql: &[u8]) -> Option<Asked> {
        if !system::may_ask(sql) {
            return None;
        }
        let dialect = &self.shared.registry.dialect;
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
        match result {
            Ok(warnings) => self.warned(0, warnings),
            Err(error) => self.diagnose(Err(error)),
        }
    }

    /// Gives its rows, and says what is to be warned of.
    async fn ask(
        &mut self,
        cx: &StatementContext,
        Asked { places }: Asked,
        statement: Statement,
        sink: &mut RowSink,
    ) -> Result<Vec<Warning>, SqlError> {
        let read = self.reader(cx, &statement.sql)?;
        let params = statement.params.map(|params| params.0).unwrap_or_default();
        let (registry, context) = (Arc::clone(&self.shared.registry), cx.clone());
        let (beyond, warnings) = beyond(&registry, cx, &places).await?;
        let now = Instant::now();
        let fill = move |question: &Question, room: &mut Room| {
            system::filled(&registry, &context, &places, beyond, now, question, room)
        };
        let answer = self.shared.tables.run(&account(cx), read, params, fill, stop(cx), cx.killed()).await?;
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
        Ok(warnings)
    }

    /// Says what parameters it takes and which columns it gives.
    pub(super) async fn describe_question(
        &mut self,
        cx: &StatementContext,
        Asked { places }: Asked,
        sql: &Bytes,
    ) -> Result<Prepared, SqlError> {
        let read = self.reader(cx, sql)?;
        let tables = system::empty(&self.shared.registry, cx, &places);
        let described = self.shared.tables.describe(&account(cx), read, tables, stop(cx), cx.killed()).await;
        self.ran(Instant::now());
        let (params, columns) = described?;
        Ok(Prepared { params: vec![Column::new("?", ColumnType::Null); params], columns })
    }

    /// What reads the question, on another thread: that takes as long as the text is.
    fn reader(
        &mut self,
        cx: &StatementContext,
        sql: &Bytes,
    ) -> Result<impl FnOnce() -> Result<Question, SqlError> + Send + 'static, SqlError> {
        let principal = cx.principal();
        let facts = Facts {
            user: format!("{}@{}", principal.user(), cx.peer().host()),
            current_user: principal.account(),
            connection_id: cx.connection_id().get(),
            database: cx.database().map(|name| name.to_string()),
            version: self.shared.server_version.to_string(),
            now: self.shared.registry.clock().now(),
        };
        let (sql, syntax, variables) = (sql.clone(), self.shared.syntax(), self.variables(cx, sql)?);
        // A variable may be named many times: what is copied is bounded, not what there is.
        let room = Cell::new(self.shared.max_allowed_packet);
        Ok(move || {
            let variable = |system: bool, name: &str| match system {
                false => {
                    let value = variables.get(name).cloned().unwrap_or(OwnedValue::Null);
                    let left = room.get().checked_sub(length(&value));
                    room.set(left.ok_or_else(|| SqlError::out_of_resources("the variables of a question"))?);
                    Ok(value)
                }
                true if name.rsplit('.').next().is_some_and(|name| name.eq_ignore_ascii_case("version")) => {
                    Ok(OwnedValue::Text(facts.version.clone()))
                }
                true => Err(SqlError::unknown_system_variable(name)),
            };
            Question::read(&sql, &syntax, facts.clone(), &variable)
        })
    }

    /// The user variables that a question names, each once. They come from the engine, whose code may panic.
    fn variables(&mut self, cx: &StatementContext, sql: &[u8]) -> Result<HashMap<String, OwnedValue>, SqlError> {
        let (mut values, mut room) = (HashMap::new(), self.shared.max_allowed_packet);
        if !sql.contains(&b'@') {
            return Ok(values);
        }
        let syntax = self.shared.syntax();
        let mut lexer = Lexer::new(sql, &syntax);
        loop {
            let name = match lexer.next_token().kind {
                TokenKind::UserVar(name) => name.to_string_lossy(),
                TokenKind::End | TokenKind::Unterminated => return Ok(values),
                _ => continue,
            };
            if let Entry::Vacant(place) = values.entry(name) {
                let value = self.variable(cx, place.key())?;
                let left = room.checked_sub(length(&value));
                room = left.ok_or_else(|| SqlError::out_of_resources("the variables of a question"))?;
                place.insert(value);
            }
        }
    }
}

/// What the tables at these places have of other nodes, and what is to be warned of. Nobody is asked for tables that show
/// this one's sessions alone.
async fn beyond(
    registry: &Registry,
    cx: &StatementContext,
    places: &[usize],
) -> Result<(Beyond, Vec<Warning>), Killed> {
    let mut beyond = Beyond::default();
    let tables = registry.dialect.tables();
    let wide = |place: &usize| tables.get(*place).is_some_and(|table| gather::is_wide(cx, table.reach));
    beyond.wide = places.iter().copied().filter(|place| wide(place)).collect();
    let others = match beyond.wide.is_empty() {
        true => Others::default(),
        false => gather::others(registry, cx).await?,
    };
    beyond.lists = others.lists;
    #[cfg(feature = "cluster")]
    if places.iter().any(|place| system::is_nodes(&registry.dialect, *place)) {
        beyond.nodes = gather::nodes(registry, cx).await?;
    }
    Ok((beyond, others.warnings))
}

/// Whether the statement is to end.
fn stop(cx: &StatementContext) -> Stop {
    let cx = cx.clone();
    Stop::new(move || cx.stop())
}

/// Whose questions take turns.
fn account(cx: &StatementContext) -> String {
    let principal = cx.principal();
    format!("{}@{}", principal.account(), principal.tenant().unwrap_or_default())
}
