//! The statements that a client has prepared: their ids, their texts, and what came ahead of their next execution.

use std::collections::HashMap;

use bytes::{Buf, Bytes};

use super::params::{self, ParamType};
use crate::{
    model::{CharacterSet, ErrorKind, SqlError, Statement},
    session::{MOST_PREPARED, too_many_prepared},
    supervisor::{Gauge, Gauged},
};

/// The statements of one connection.
#[derive(Debug)]
pub(super) struct Statements {
    /// What the last one got. Ids are not used again before all others were.
    last: u32,
    by_id: HashMap<u32, Prepared>,
    /// How many bytes of long data wait for executions.
    waiting: usize,
    /// How many may.
    limit: usize,
}

#[derive(Debug)]
struct Prepared {
    sql: Bytes,
    params: usize,
    types: Vec<ParamType>,
    /// By place. Of data that was refused, the error, which the execution is answered with.
    long: HashMap<u16, Result<Vec<u8>, SqlError>>,
    _counted: Gauged,
}

impl Statements {
    /// None yet. `limit`: so many bytes of long data may wait, of all statements together.
    pub(super) fn new(limit: usize) -> Self {
        Self { last: 0, by_id: HashMap::new(), waiting: 0, limit }
    }

    /// Keeps a statement; its id is never 0.
    ///
    /// # Errors
    /// 1461: all clients together have too many.
    pub(super) fn insert(&mut self, sql: &[u8], params: usize, gauge: &Gauge) -> Result<u32, SqlError> {
        let counted = gauge.enter(MOST_PREPARED).ok_or_else(too_many_prepared)?;
        let id = loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.by_id.contains_key(&self.last) {
                break self.last;
            }
        };
        // A copy: the packet that it came in may be longer than the statement.
        let sql = Bytes::copy_from_slice(sql);
        let prepared = Prepared { sql, params, types: Vec::new(), long: HashMap::new(), _counted: counted };
        self.by_id.insert(id, prepared);
        Ok(id)
    }

    /// COM_STMT_EXECUTE: the statement with its parameters. What came ahead for it is used up, whatever becomes of it.
    ///
    /// # Errors
    /// 1243 for an unknown id, 1210 for parameters that make no sense, and what was wrong with its long data.
    pub(super) fn execute(&mut self, mut payload: Bytes, set: CharacterSet) -> Result<Statement, SqlError> {
        let id = payload.try_get_u32_le().map_err(|_| params::wrong())?;
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown_id(id, "mysqld_stmt_execute"))?;
        let long = std::mem::take(&mut statement.long);
        self.waiting -= long.values().flatten().map(Vec::len).sum::<usize>();
        let mut came = HashMap::new();
        for (place, data) in long {
            came.insert(usize::from(place), data?);
        }
        // Flags, which ask for a cursor that there is none of, and a count of iterations, which is always 1.
        if payload.remaining() < 5 {
            return Err(params::wrong());
        }
        payload.advance(5);
        let params =
            params::read(&payload, statement.params, &mut statement.types, set, |place| came.get(&place).cloned())?;
        Ok(Statement { sql: statement.sql.clone(), params: Some(params) })
    }

    /// COM_STMT_SEND_LONG_DATA: a part of a parameter. It has no answer: what is wrong with it is told by the execution.
    pub(super) fn long_data(&mut self, mut payload: Bytes) {
        let (Ok(id), Ok(place)) = (payload.try_get_u32_le(), payload.try_get_u16_le()) else { return };
        let Some(statement) = self.by_id.get_mut(&id) else { return };
        let fits = self.waiting + payload.len() <= self.limit;
        let whole = statement.long.entry(place).or_insert_with(|| Ok(Vec::new()));
        let refused = match whole {
            Err(_) => return,
            Ok(_) if usize::from(place) >= statement.params => {
                SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to mysqld_stmt_send_long_data")
            }
            Ok(data) if fits => {
                data.extend_from_slice(&payload);
                self.waiting += payload.len();
                return;
            }
            Ok(data) => {
                self.waiting -= data.len();
                SqlError::of(
                    ErrorKind::UnknownError,
                    "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                     'max_allowed_packet' bytes",
                )
            }
        };
        *whole = Err(refused);
    }

    /// COM_STMT_RESET: what came ahead of its next execution is forgotten.
    ///
    /// # Errors
    /// 1243 for an unknown id.
    pub(super) fn reset(&mut self, mut payload: Bytes) -> Result<(), SqlError> {
        let id = payload.try_get_u32_le().map_err(|_| super::command::malformed())?;
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown_id(id, "mysqld_stmt_reset"))?;
        let long = std::mem::take(&mut statement.long);
        self.waiting -= long.values().flatten().map(Vec::len).sum::<usize>();
        Ok(())
    }

    /// COM_STMT_CLOSE. It has no answer.
    pub(super) fn close(&mut self, mut payload: Bytes) {
        let Ok(id) = payload.try_get_u32_le() else { return };
        if let Some(gone) = self.by_id.remove(&id) {
            self.waiting -= gone.long.values().flatten().map(Vec::len).sum::<usize>();
        }
        if self.by_id.is_empty() {
            // The room for many is not for the idle.
            self.by_id = HashMap::new();
        }
    }
}

/// What is told of an id that no statement has. The id leads the payload.
pub(super) fn unknown(mut payload: Bytes, by: &str) -> SqlError {
    match payload.try_get_u32_le() {
        Ok(id) => unknown_id(id, by),
        Err(_) => super::command::malformed(),
    }
}

fn unknown_id(id: u32, by: &str) -> SqlError {
    SqlError::of(ErrorKind::UnknownPrepared, format!("Unknown prepared statement handler ({id}) given to {by}"))
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;
    use crate::model::{OwnedValue, Params};

    fn bytes(parts: &[&[u8]]) -> Bytes {
        parts.concat().into()
    }

    fn execution(id: u32, rest: &[u8]) -> Bytes {
        bytes(&[&id.to_le_bytes(), &[0, 1, 0, 0, 0], rest])
    }

    fn long(id: u32, place: u16, data: &[u8]) -> Bytes {
        bytes(&[&id.to_le_bytes(), &place.to_le_bytes(), data])
    }

    fn execute(statements: &mut Statements, payload: Bytes) -> Result<Statement, SqlError> {
        statements.execute(payload, CharacterSet::Utf8mb4)
    }

    #[test]
    fn ids_are_new_and_unknown_ones_are_errors() {
        let (gauge, mut statements) = (Gauge::default(), Statements::new(100));
        let first = statements.insert(b"DO 1", 0, &gauge).unwrap();
        let second = statements.insert(b"DO 2", 0, &gauge).unwrap();
        assert_ne!(first, second);
        assert_eq!(execute(&mut statements, execution(second, &[])).unwrap().sql, b"DO 2".as_slice());
        statements.close(Bytes::copy_from_slice(&second.to_le_bytes()));
        assert_eq!(execute(&mut statements, execution(second, &[])).unwrap_err().code(), 1243);
        assert_eq!(statements.reset(Bytes::copy_from_slice(&second.to_le_bytes())).unwrap_err().code(), 1243);
        assert_ne!(statements.insert(b"DO 3", 0, &gauge).unwrap(), second);
        assert_eq!(gauge.get(), 2);
        drop(statements);
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let (gauge, mut statements, mut others) = (Gauge::default(), Statements::new(100), Statements::new(100));
        for _ in 0..MOST_PREPARED {
            statements.insert(b"DO 1", 0, &gauge).unwrap();
        }
        assert_eq!(others.insert(b"DO 1", 0, &gauge).unwrap_err().code(), 1461);
        statements.close(Bytes::from_static(&[1, 0, 0, 0]));
        others.insert(b"DO 1", 0, &gauge).unwrap();
    }

    #[test]
    fn long_data_is_put_together_used_once_and_bounded() {
        let (gauge, mut statements) = (Gauge::default(), Statements::new(8));
        let id = statements.insert(b"SELECT ?", 1, &gauge).unwrap();
        let typed = [0, 1, 252, 0];
        statements.long_data(long(id, 0, b"ab"));
        statements.long_data(long(id, 0, b"cd"));
        let whole = execute(&mut statements, execution(id, &typed)).unwrap();
        assert_eq!(whole.params, Some(Params(vec![OwnedValue::Bytes(b"abcd".to_vec())])));
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1210, "it was used up");
        statements.long_data(long(id, 0, b"12345678"));
        statements.long_data(long(id, 0, b"9"));
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1105);
        statements.long_data(long(id, 1, b"x"));
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1210, "no such parameter");
        statements.long_data(long(id, 0, b"12345678"));
        statements.reset(Bytes::copy_from_slice(&id.to_le_bytes())).unwrap();
        assert_eq!(statements.waiting, 0);
        statements.long_data(long(id, 0, b"12345678"));
        statements.close(Bytes::copy_from_slice(&id.to_le_bytes()));
        assert_eq!(statements.waiting, 0);
    }

    proptest! {
        /// Whatever is sent, what waits is counted and bounded.
        #[test]
        fn any_bytes_are_answered(
            commands in prop::collection::vec((0u8..4, 0u32..4, prop::collection::vec(any::<u8>(), 0..20)), 0..40),
        ) {
            let (gauge, mut statements) = (Gauge::default(), Statements::new(30));
            for _ in 0..2 {
                statements.insert(b"SELECT ?, ?", 2, &gauge).unwrap();
            }
            for (what, id, rest) in commands {
                let mut payload = BytesMut::new();
                payload.put_u32_le(id);
                payload.put_slice(&rest);
                let payload = payload.freeze();
                match what {
                    0 => drop(execute(&mut statements, payload)),
                    1 => statements.long_data(payload),
                    2 => drop(statements.reset(payload)),
                    _ => statements.close(payload),
                }
                let waiting: usize = statements
                    .by_id
                    .values()
                    .flat_map(|statement| statement.long.values().flatten())
                    .map(Vec::len)
                    .sum();
                prop_assert_eq!(waiting, statements.waiting);
                prop_assert!(waiting <= 30);
            }
        }
    }
}
