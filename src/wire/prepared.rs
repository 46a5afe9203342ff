//! The statements that a client has prepared: their ids, their texts, and what came ahead of their next execution.

use std::collections::HashMap;

use bytes::{Buf, Bytes};

use super::params::{self, ParamType};
use crate::{
    model::{CharacterSet, ErrorKind, SqlError, Statement},
    session::{MOST_PREPARED, too_many_prepared},
    supervisor::{Gauge, Gauged},
};

/// What a parameter that came ahead costs beside its bytes.
const PLACE: usize = 64;

/// The statements of one connection.
#[derive(Debug)]
pub(super) struct Statements {
    /// What the last one got. Ids are not used again before all others were.
    last: u32,
    by_id: HashMap<u32, Prepared>,
    /// How many bytes they hold: their texts, and what came ahead of their executions.
    held: usize,
    /// How many they may.
    limit: usize,
}

#[derive(Debug)]
struct Prepared {
    sql: Bytes,
    params: usize,
    types: Vec<ParamType>,
    /// By place.
    long: HashMap<usize, Vec<u8>>,
    /// What was wrong with the parameters that came ahead: the execution is answered with it.
    wrong: Option<SqlError>,
    _counted: Gauged,
}

impl Prepared {
    /// What it costs without what came ahead. Of each parameter, the type is remembered.
    fn own(&self) -> usize {
        self.sql.len() + self.params * size_of::<ParamType>()
    }

    /// What came ahead is forgotten; returns what it cost.
    fn forget(&mut self) -> usize {
        self.wrong = None;
        cost(&std::mem::take(&mut self.long))
    }
}

fn cost(long: &HashMap<usize, Vec<u8>>) -> usize {
    long.values().map(|data| PLACE + data.len()).sum()
}

impl Statements {
    /// None yet. `limit`: so many bytes they may hold together.
    pub(super) fn new(limit: usize) -> Self {
        Self { last: 0, by_id: HashMap::new(), held: 0, limit }
    }

    /// How many bytes they hold.
    #[cfg(feature = "fuzzing")]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Keeps a statement; its id is never 0.
    ///
    /// # Errors
    /// 1461: all clients together have too many. 1041: this one's are too long.
    pub(super) fn insert(&mut self, sql: &[u8], params: usize, gauge: &Gauge) -> Result<u32, SqlError> {
        let counted = gauge.enter(MOST_PREPARED).ok_or_else(too_many_prepared)?;
        // A copy: the packet that it came in may be longer than the statement.
        let sql = Bytes::copy_from_slice(sql);
        let (types, long) = (Vec::new(), HashMap::new());
        let prepared = Prepared { sql, params, types, long, wrong: None, _counted: counted };
        if self.held + prepared.own() > self.limit {
            return Err(SqlError::out_of_resources("the prepared statements of a session"));
        }
        self.held += prepared.own();
        let id = loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.by_id.contains_key(&self.last) {
                break self.last;
            }
        };
        self.by_id.insert(id, prepared);
        Ok(id)
    }

    /// COM_STMT_EXECUTE: the statement with its parameters. What came ahead for it is used up, whatever becomes of it.
    /// `set`: what the client writes its text in.
    ///
    /// # Errors
    /// 1243 for an unknown id, 1210 for parameters that make no sense, and what was wrong with those that came ahead.
    pub(super) fn execute(&mut self, mut payload: Bytes, set: CharacterSet) -> Result<Statement, SqlError> {
        let id = payload.try_get_u32_le().map_err(|_| params::wrong())?;
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown_id(id, "mysqld_stmt_execute"))?;
        let mut long = std::mem::take(&mut statement.long);
        self.held -= cost(&long);
        if let Some(wrong) = statement.wrong.take() {
            return Err(wrong);
        }
        // Flags, which ask for a cursor that there is none of, and a count of iterations, which is always 1.
        if payload.remaining() < 5 {
            return Err(params::wrong());
        }
        payload.advance(5);
        let came = |place: usize| long.remove(&place);
        let params = params::read(&payload, statement.params, &mut statement.types, set, came)?;
        Ok(Statement { sql: statement.sql.clone(), params: Some(params) })
    }

    /// COM_STMT_SEND_LONG_DATA: a part of a parameter. It has no answer: what is wrong with it is told by the execution.
    pub(super) fn long_data(&mut self, mut payload: Bytes) {
        let (Ok(id), Ok(place)) = (payload.try_get_u32_le(), payload.try_get_u16_le()) else { return };
        let Some(statement) = self.by_id.get_mut(&id) else { return };
        let place = usize::from(place);
        if statement.wrong.is_some() {
            return;
        }
        if place >= statement.params {
            self.held -= statement.forget();
            let text = "Incorrect arguments to mysqld_stmt_send_long_data";
            statement.wrong = Some(SqlError::of(ErrorKind::WrongArguments, text));
            return;
        }
        let fresh = if statement.long.contains_key(&place) { 0 } else { PLACE };
        let more = payload.len() + fresh;
        if self.held + more > self.limit {
            self.held -= statement.forget();
            let text = "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                        'max_allowed_packet' bytes";
            statement.wrong = Some(SqlError::of(ErrorKind::UnknownError, text));
            return;
        }
        statement.long.entry(place).or_default().extend_from_slice(&payload);
        self.held += more;
    }

    /// COM_STMT_RESET: what came ahead of its next execution is forgotten.
    ///
    /// # Errors
    /// 1243 for an unknown id.
    pub(super) fn reset(&mut self, mut payload: Bytes) -> Result<(), SqlError> {
        let id = payload.try_get_u32_le().map_err(|_| super::command::malformed())?;
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown_id(id, "mysqld_stmt_reset"))?;
        self.held -= statement.forget();
        Ok(())
    }

    /// COM_STMT_CLOSE. It has no answer.
    pub(super) fn close(&mut self, mut payload: Bytes) {
        let Ok(id) = payload.try_get_u32_le() else { return };
        if let Some(mut gone) = self.by_id.remove(&id) {
            self.held -= gone.forget() + gone.own();
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
        let (gauge, mut statements, mut others) = (Gauge::default(), Statements::new(1 << 20), Statements::new(100));
        for _ in 0..MOST_PREPARED {
            statements.insert(b"DO 1", 0, &gauge).unwrap();
        }
        assert_eq!(others.insert(b"DO 1", 0, &gauge).unwrap_err().code(), 1461);
        statements.close(Bytes::from_static(&[1, 0, 0, 0]));
        others.insert(b"DO 1", 0, &gauge).unwrap();
    }

    #[test]
    fn long_data_is_put_together_used_once_and_bounded() {
        let limit = b"SELECT ?".len() + size_of::<ParamType>() + PLACE + 8;
        let (gauge, mut statements) = (Gauge::default(), Statements::new(limit));
        let id = statements.insert(b"SELECT ?", 1, &gauge).unwrap();
        let empty = statements.held;
        let typed = [0, 1, 252, 0];
        statements.long_data(long(id, 0, b"ab"));
        statements.long_data(long(id, 0, b"cd"));
        let whole = execute(&mut statements, execution(id, &typed)).unwrap();
        assert_eq!(whole.params, Some(Params(vec![OwnedValue::Bytes(b"abcd".to_vec())])));
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1210, "it was used up");
        statements.long_data(long(id, 0, b""));
        let nothing = execute(&mut statements, execution(id, &typed)).unwrap();
        assert_eq!(nothing.params, Some(Params(vec![OwnedValue::Bytes(Vec::new())])), "given, and empty");
        statements.long_data(long(id, 0, b"12345678"));
        statements.long_data(long(id, 0, b"9"));
        assert_eq!(statements.held, empty, "what cannot be whole is not kept");
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1105);
        statements.long_data(long(id, 1, b"x"));
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1210, "no such parameter");
        statements.long_data(long(id, 0, b"12345678"));
        statements.reset(Bytes::copy_from_slice(&id.to_le_bytes())).unwrap();
        assert_eq!(statements.held, empty);
        statements.long_data(long(id, 0, b"12345678"));
        assert_eq!(statements.insert(b"DO 1", 0, &gauge).unwrap_err().code(), 1041, "no room for a further text");
        statements.close(Bytes::copy_from_slice(&id.to_le_bytes()));
        assert_eq!((statements.held, gauge.get()), (0, 0));
    }

    proptest! {
        /// Whatever is sent, what waits is counted and bounded.
        #[test]
        fn any_bytes_are_answered(
            commands in prop::collection::vec((0u8..4, 0u32..4, prop::collection::vec(any::<u8>(), 0..20)), 0..40),
        ) {
            let (gauge, mut statements) = (Gauge::default(), Statements::new(300));
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
                let held: usize = statements.by_id.values().map(|each| each.own() + cost(&each.long)).sum();
                prop_assert_eq!(held, statements.held);
                prop_assert!(held <= 300);
            }
        }
    }
}
