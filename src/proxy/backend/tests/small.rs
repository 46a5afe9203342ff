//! A small engine, for servers of the tests.

use std::{future::pending, sync::Arc};

use bytes::Bytes;

use crate::{
    Column, ColumnType, Done, Engine, EngineSession, Login, OwnedValue, Params, Principal, Privileges, RowSink,
    SqlError, Statement, StatementContext, Tracking, Value,
    wire::{caching_sha2_verifier, native_verifier},
};

/// Whoever logs in has the password `secret`, by the method that the name says; `empty` has none.
pub(super) struct Small;

pub(super) struct SmallSession {
    /// Whether a transaction is open.
    open: bool,
}

impl Engine for Small {
    type Session = SmallSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        let verifier = match login.user.as_str() {
            "native" => native_verifier("secret"),
            "sha2" | "other" => caching_sha2_verifier("secret"),
            "empty" => native_verifier(""),
            _ => return Err(login.denied()),
        };
        if login.proves(&verifier).await {
            Ok(Principal::new(&*login.user, Privileges::ALL))
        } else {
            Err(login.denied())
        }
    }

    async fn open(&self, _: &Arc<Principal>) -> Result<SmallSession, SqlError> {
        Ok(SmallSession { open: false })
    }
}

impl EngineSession for SmallSession {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        let sql = String::from_utf8_lossy(&st.sql).into_owned();
        let mut words = sql.split(' ');
        let (verb, argument) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let number = argument.parse().unwrap_or_default();
        match verb {
            "ROWS" => {
                out.columns([Column::new("n", ColumnType::Int), Column::new("text", ColumnType::VarChar)])?;
                for n in 0..number {
                    if out.row(&[Value::Int(n), Value::Text(&format!("row {n}"))])? {
                        out.ready().await?;
                    }
                }
            }
            "LONG" => {
                out.columns([Column::new("text", ColumnType::Text)])?;
                out.row(&[Value::Text(&"x".repeat(usize::try_from(number).unwrap()))])?;
                out.row(&[Value::Text("behind it")])?;
            }
            "TWICE" => {
                for n in 1..=2 {
                    out.columns([Column::new("n", ColumnType::Int)])?;
                    out.row(&[Value::Int(n)])?;
                }
            }
            "HALF" => {
                out.columns([Column::new("n", ColumnType::Int)])?;
                out.row(&[Value::Int(1)])?;
                return Err(SqlError::new(1213, "40001", "Deadlock found"));
            }
            "TRACKED" => {
                cx.set_tracking(Tracking { database: true, ..Tracking::default() });
                cx.set_database(Some(argument));
                cx.variable_changed("time_zone", "+01:00");
            }
            "BEGIN" => self.open = true,
            "UPDATE" => return Ok(Done { affected: if cx.counts_found_rows() { 2 } else { 1 }, ..self.done() }),
            "INSERT" => return Ok(Done { affected: 3, last_insert_id: 1 << 40, warnings: 2, ..self.done() }),
            "LENGTH" => return Ok(Done { affected: sql.len() as u64, ..self.done() }),
            "WAIT" => pending().await,
            "PARAMS" => {
                let Params(values) = st.params.unwrap_or_default();
                let column = |value: &OwnedValue| match value {
                    OwnedValue::Int(_) => Column::new("?", ColumnType::BigInt),
                    OwnedValue::Bytes(_) => Column::new("?", ColumnType::Blob),
                    _ => Column::new("?", ColumnType::VarChar),
                };
                out.columns(values.iter().map(column).collect::<Vec<_>>())?;
                out.row(&values.iter().map(OwnedValue::borrow).collect::<Vec<_>>())?;
            }
            _ => return Err(SqlError::syntax(&sql, 1)),
        }
        Ok(self.done())
    }

    async fn prepare(&mut self, _: &StatementContext, sql: &Bytes) -> Result<crate::Prepared, SqlError> {
        if !sql.starts_with(b"PARAMS") {
            return Err(SqlError::not_preparable());
        }
        let params = sql.iter().filter(|byte| **byte == b'?').map(|_| Column::new("?", ColumnType::VarChar)).collect();
        Ok(crate::Prepared { params, columns: vec![Column::new("a", ColumnType::Int)] })
    }

    async fn fields(&mut self, _: &StatementContext, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
        if table != "t" {
            return Err(SqlError::no_such_table(None, table));
        }
        let all = ["a", "b"].into_iter().filter(|name| pattern.is_empty() || pattern == *name);
        Ok(all.map(|name| Column::new(name, ColumnType::Int)).collect())
    }

    async fn rollback(&mut self, _: crate::Reason) {
        self.open = false;
    }
}

impl SmallSession {
    fn done(&self) -> Done {
        Done { in_transaction: self.open, ..Done::default() }
    }
}
