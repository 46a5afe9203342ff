//! Prepared statements: what the runtime knows of its own, what the engine says of the others, and those that have a name
//! (`PREPARE`, `EXECUTE`, `DEALLOCATE PREPARE`).

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{core::Core, keep::Kept, statement};
use crate::{
    control::{self, Control, Lexer, ProxyShow, Source, TokenKind},
    dialect::{View, columns, show_columns},
    engine::{Engine, EngineSession, RowSink, StatementContext},
    model::{Column, ColumnType, Done, ErrorKind, OwnedValue, Params, Prepared, SqlError, Statement, Warning},
};

/// The statements that have a name.
#[derive(Debug, Default)]
pub(super) struct Named {
    by_name: HashMap<String, Preparation>,
}

#[derive(Debug)]
struct Preparation {
    sql: Bytes,
    params: usize,
    /// The current database when it was prepared.
    database: Option<Arc<str>>,
    _kept: Kept,
}

/// How many bytes of text it has.
pub(crate) fn length(value: &OwnedValue) -> usize {
    match value {
        OwnedValue::Text(text) | OwnedValue::Decimal(text) => text.len(),
        OwnedValue::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

fn unknown(name: &str, by: &str) -> SqlError {
    let name = control::truncate_chars(name, 64);
    SqlError::of(ErrorKind::UnknownPrepared, format!("Unknown prepared statement handler ({name}) given to {by}"))
}

impl<E: Engine> Core<E> {
    /// Prepares a statement: says what parameters and columns it has.
    pub(crate) async fn prepare(
        &mut self,
        cx: &StatementContext,
        sql: Bytes,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Prepared, SqlError> {
        cx.check()?;
        let left = |prepared: &Result<_, SqlError>| prepared.as_ref().err().map(Warning::from).into_iter().collect();
        if let Ok(Some(Control::SetStatement(set))) = control::parse(&sql, &self.shared.syntax()) {
            return Box::pin(self.prepare_for_statement(cx, set, sql, sink, began)).await;
        }
        if let Some(prepared) = self.prepare_own(cx, &sql).transpose() {
            self.diagnostics = Some(left(&prepared));
            return prepared;
        }
        #[cfg(feature = "system-tables")]
        if let Some(asked) = self.asks(cx, &sql) {
            let prepared = self.describe_question(cx, asked, &sql).await;
            self.diagnostics = Some(left(&prepared));
            return prepared;
        }
        let prepared = self.call(cx, &mut statement::Prepare(sql), sink, began).await?;
        if prepared.params.len() > usize::from(u16::MAX) {
            return Err(SqlError::too_many_placeholders());
        }
        Ok(prepared)
    }

    /// Prepares one of the runtime's own statements; `None`: it is the engine's.
    fn prepare_own(&mut self, cx: &StatementContext, sql: &Bytes) -> Result<Option<Prepared>, SqlError> {
        let syntax = self.shared.syntax();
        let mut statements = control::split(sql, &syntax);
        if statements.next().is_none() {
            return Err(SqlError::of(ErrorKind::EmptyQuery, "Query was empty"));
        }
        if let Some(rest) = statements.rest() {
            return Err(control::syntax_error(sql, rest));
        }
        let own = match control::parse(sql, &syntax)? {
            Some(own) if own.can_be_prepared() => own,
            // Of the last statement, the engine may have to tell; or else what the runtime knows of it is kept.
            Some(Control::ShowDiagnostics { .. }) => return Ok(None),
            Some(_) => return Err(SqlError::not_preparable()),
            None => {
                self.diagnostics = None;
                return Ok(None);
            }
        };
        let params = vec![Column::new("?", ColumnType::Null); own.placeholders()];
        let columns = match own {
            Control::ShowProcesslist { full } => {
                let registry = &self.shared.registry;
                let view = View::new(cx.principal(), Some(cx.session()), &registry.node, full);
                registry.dialect.process_columns(&view).to_vec()
            }
            Control::ShowProxySession(show) => match show.what {
                ProxyShow::Sessions => columns(self.shared.registry.dialect.proxy_fields()),
                what => show_columns(what),
            },
            _ => Vec::new(),
        };
        Ok(Some(Prepared { params, columns }))
    }

    /// `PREPARE name FROM …`. A statement that had the name before is gone, whatever comes of it, as in MySQL.
    pub(super) async fn prepare_named(
        &mut self,
        cx: &StatementContext,
        (name, source): (String, Source),
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        self.forget_named(&name);
        let sql = match source {
            Source::Text(text) => text,
            Source::Variable(variable) => match self.variable(cx, &variable)? {
                OwnedValue::Text(text) => text.into_bytes(),
                OwnedValue::Bytes(bytes) => bytes,
                // MySQL takes the value's text, NULL's too, and finds no statement in it.
                other => return Err(control::syntax_error(other.text().unwrap_or("NULL".into()).as_bytes(), 0)),
            },
        };
        // No more room than it needs: it may be kept for long.
        let sql = Bytes::from(sql.into_boxed_slice());
        self.tells |= control::may_tell_secrets(&sql, &self.shared.syntax());
        let (keep, allowed) = self.keep();
        let database = cx.database();
        let bytes = name.len() + sql.len() + database.as_deref().map_or(0, str::len);
        let kept = keep.statement(bytes, allowed, &self.shared.registry.counters.prepared)?;
        let prepared = self.prepare(cx, sql.clone(), sink, began).await?;
        let preparation = Preparation { sql, params: prepared.params.len(), database, _kept: kept };
        self.named.get_or_insert_default().by_name.insert(name, preparation);
        Ok(self.state())
    }

    /// `EXECUTE name USING …`: the statement that is to be run.
    pub(super) fn bind_named(
        &mut self,
        cx: &StatementContext,
        name: &str,
        using: &[String],
    ) -> Result<Statement, SqlError> {
        let kept =
            self.named.as_ref().and_then(|named| named.by_name.get(name)).ok_or_else(|| unknown(name, "EXECUTE"))?;
        let (sql, params, database) = (kept.sql.clone(), kept.params, kept.database.clone());
        if using.len() != params {
            return Err(SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to EXECUTE"));
        }
        // One variable may be named many times: what is copied is bounded, not what there is.
        let mut room = self.shared.max_allowed_packet;
        let mut values = Vec::with_capacity(params);
        for variable in using {
            let value = self.variable(cx, variable)?;
            let left = room.checked_sub(length(&value));
            room = left.ok_or_else(|| SqlError::out_of_resources("the parameters of an execution"))?;
            values.push(value);
        }
        Ok(Statement { sql, params: Some(Params(values)), database })
    }

    /// `DEALLOCATE PREPARE name`.
    pub(super) fn deallocate(&mut self, name: &str) -> Result<Done, SqlError> {
        if self.forget_named(name) { Ok(self.state()) } else { Err(unknown(name, "DEALLOCATE PREPARE")) }
    }

    /// Whether there was one of this name.
    fn forget_named(&mut self, name: &str) -> bool {
        let gone = self.named.as_mut().and_then(|named| named.by_name.remove(name));
        if let Some(Preparation { sql, database, .. }) = &gone {
            self.close_prepared(sql, database.as_deref());
        }
        gone.is_some()
    }

    /// Has the engine fetch the user variables that a control statement names, if it has to.
    pub(super) async fn fetch_variables(
        &mut self,
        cx: &StatementContext,
        sql: &[u8],
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<(), SqlError> {
        if !E::Session::FETCHES_USER_VARIABLES || !sql.contains(&b'@') {
            return Ok(());
        }
        let (mut lexer, mut names) = (Lexer::new(sql, &self.shared.syntax()), Vec::new());
        loop {
            match lexer.next_token().kind {
                TokenKind::UserVar(name) => names.push(name.to_string_lossy()),
                TokenKind::End | TokenKind::Unterminated => break,
                _ => {}
            }
        }
        names.sort_unstable();
        names.dedup();
        match names.is_empty() {
            true => Ok(()),
            false => self.call(cx, &mut statement::Variables(names), sink, began).await,
        }
    }

    /// The value of a user variable; NULL if it has none. It comes from the engine, whose code may panic.
    pub(super) fn variable(&mut self, cx: &StatementContext, name: &str) -> Result<OwnedValue, SqlError> {
        let session = self.session.as_deref();
        let read = AssertUnwindSafe(|| session.and_then(|session| session.user_variable(name)));
        catch_unwind(read).map(|value| value.unwrap_or(OwnedValue::Null)).map_err(|_| self.panicked(cx))
    }
}
