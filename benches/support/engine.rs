//! The engine that is measured under: it answers at once, so that what is measured is not its own.

use std::sync::Arc;

use killdeer::{
    Column, ColumnType, Done, Engine, EngineSession, Login, Principal, Privileges, RowSink, SqlError, Statement,
    StatementContext, Value,
};

/// Answers every statement with the number 1, but `DO` with nothing, and `WAIT` never.
pub struct One {
    columns: Arc<[Column]>,
}

impl One {
    pub fn new() -> Self {
        Self { columns: [Column::new("1", ColumnType::BigInt).not_null().width(1)].into() }
    }
}

impl Engine for One {
    type Session = One;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        Ok(Principal::new(login.user.as_str(), Privileges::NONE))
    }

    async fn open(&self, _: &Arc<Principal>) -> Result<One, SqlError> {
        Ok(One { columns: Arc::clone(&self.columns) })
    }
}

impl EngineSession for One {
    async fn execute(
        &mut self,
        _: &StatementContext,
        statement: Statement,
        out: &mut RowSink,
    ) -> Result<Done, SqlError> {
        match statement.sql.first() {
            Some(b'D') => {}
            Some(b'W') => std::future::pending().await,
            _ => {
                out.shared_columns(&self.columns)?;
                out.row(&[Value::Int(1)])?;
            }
        }
        Ok(Done::default())
    }
}
