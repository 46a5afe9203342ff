//! The statements that a client has prepared: their ids, their texts, and what came ahead of their next execution.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::{Buf, Bytes};

use super::params::{self, ParamType};
use crate::{
    model::{CharacterSet, ErrorKind, SqlError, Statement},
    session::{Allowed, Keep, Kept},
    supervisor::Gauge,
};

/// What a parameter that came ahead costs beside its bytes.
const PLACE: usize = 64;

/// The statements of one connection.
#[derive(Debug)]
pub(super) struct Statements {
    /// What the last one got. Ids are not used again before all others were.
    last: u32,
    by_id: BTreeMap<u32, Prepared>,
    /// The session's count of what it keeps.
    keep: Arc<Keep>,
    /// So long a parameter may be that comes ahead of its execution.
    longest: usize,
}

#[derive(Debug)]
struct Prepared {
    sql: Bytes,
    params: usize,
    /// The current database when it was prepared.
    database: Option<Arc<str>>,
    types: Vec<ParamType>,
    /// By place.
    long: HashMap<usize, Vec<u8>>,
    /// What was wrong with the parameters that came ahead: the execution is answered with it.
    wrong: Option<SqlError>,
    kept: Kept,
}

impl Prepared {
    /// What came ahead, which is not kept any more.
    fn take_long(&mut self) -> HashMap<usize, Vec<u8>> {
        let long = std::mem::take(&mut self.long);
        self.kept.shrink(long.values().map(|data| PLACE + data.capacity()).sum());
        long
    }

    /// A part of the parameter at this place.
    fn put(&mut self, place: usize, part: &[u8], longest: usize, allowed: Allowed) -> Result<(), SqlError> {
        let Self { long, kept, .. } = self;
        let before = long.get(&place);
        let (length, room) = before.map_or((0, 0), |data| (data.len(), data.capacity()));
        let whole = length + part.len();
        if whole > longest {
            let text = "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                        'max_allowed_packet' bytes";
            return Err(SqlError::of(ErrorKind::UnknownError, text));
        }
        let fresh = if before.is_none() { PLACE } else { 0 };
        // Twice the room, so that many small parts are not copied over and over; or just as much as is needed.
        let mut wanted = if whole > room { whole.max(2 * room).min(longest) } else { room };
        if kept.grow(fresh + wanted - room, allowed).is_err() {
            wanted = whole.max(room);
            kept.grow(fresh + wanted - room, allowed)?;
        }
        let data = long.entry(place).or_default();
        data.reserve_exact(wanted - length);
        data.extend_from_slice(part);
        Ok(())
    }
}

impl Statements {
    /// None yet. `longest`: so long a parameter may be that comes ahead of its execution.
    pub(super) fn new(keep: Arc<Keep>, longest: usize) -> Self {
        Self { last: 0, by_id: BTreeMap::new(), keep, longest }
    }

    /// Keeps a statement; its id is never 0.
    ///
    /// # Errors
    /// 1461: this client, or all of them together, have too many. 1041: this one's are too long.
    pub(super) fn insert(
        &mut self,
        sql: &[u8],
        params: usize,
        database: Option<Arc<str>>,
        allowed: Allowed,
        everybodys: &Gauge,
    ) -> Result<u32, SqlError> {
        // Of each parameter, the type is remembered.
        let bytes = sql.len() + params * size_of::<ParamType>() + database.as_deref().map_or(0, str::len);
        let kept = self.keep.statement(bytes, allowed, everybodys)?;
        // A copy: the packet that it came in may be longer than the statement.
        let sql = Bytes::copy_from_slice(sql);
        let (types, long) = (Vec::new(), HashMap::new());
        let prepared = Prepared { sql, params, database, types, long, wrong: None, kept };
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
        let mut long = statement.take_long();
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
        Ok(Statement { sql: statement.sql.clone(), params: Some(params), database: statement.database.clone() })
    }

    /// COM_STMT_SEND_LONG_DATA: a part of a parameter. It has no answer: what is wrong with it is told by the execution.
    pub(super) fn long_data(&mut self, mut payload: Bytes, allowed: Allowed) {
        let (Ok(id), Ok(place)) = (payload.try_get_u32_le(), payload.try_get_u16_le()) else { return };
        let Some(statement) = self.by_id.get_mut(&id) else { return };
        let place = usize::from(place);
        if statement.wrong.is_some() {
            return;
        }
        let put = if place < statement.params {
            statement.put(place, &payload, self.longest, allowed)
        } else {
            let text = "Incorrect arguments to mysqld_stmt_send_long_data";
            Err(SqlError::of(ErrorKind::WrongArguments, text))
        };
        if let Err(wrong) = put {
            // What cannot be whole is not kept.
            statement.take_long();
            statement.wrong = Some(wrong);
        }
    }

    /// COM_STMT_RESET: what came ahead of its next execution is forgotten.
    ///
    /// # Errors
    /// 1243 for an unknown id.
    pub(super) fn reset(&mut self, mut payload: Bytes) -> Result<(), SqlError> {
        let id = payload.try_get_u32_le().map_err(|_| super::command::malformed())?;
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown_id(id, "mysqld_stmt_reset"))?;
        statement.take_long();
        statement.wrong = None;
        Ok(())
    }

    /// COM_STMT_CLOSE. It has no answer. The statement's text, and the database in which it was prepared.
    pub(super) fn close(&mut self, mut payload: Bytes) -> Option<(Bytes, Option<Arc<str>>)> {
        let id = payload.try_get_u32_le().ok()?;
        let closed = self.by_id.remove(&id);
        if self.by_id.is_empty() {
            // The room for many is not for the idle.
            self.by_id = BTreeMap::new();
        }
        closed.map(|Prepared { sql, database, .. }| (sql, database))
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
    use crate::{
        model::{OwnedValue, Params},
        session::STATEMENT,
    };

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

    /// Some statements, and what they are counted by.
    fn none(longest: usize) -> (Arc<Keep>, Gauge, Statements) {
        let keep = Arc::<Keep>::default();
        (Arc::clone(&keep), Gauge::default(), Statements::new(keep, longest))
    }

    const MANY: usize = 1 << 20;

    #[test]
    fn ids_are_new_and_unknown_ones_are_errors() {
        let (keep, gauge, mut statements) = none(MANY);
        let insert = |statements: &mut Statements, sql: &str| {
            statements.insert(sql.as_bytes(), 0, None, Allowed::bytes(MANY), &gauge).unwrap()
        };
        let first = insert(&mut statements, "DO 1");
        let second = insert(&mut statements, "DO 2");
        assert_ne!(first, second);
        assert_eq!(execute(&mut statements, execution(second, &[])).unwrap().sql, b"DO 2".as_slice());
        statements.close(Bytes::copy_from_slice(&second.to_le_bytes()));
        assert_eq!(execute(&mut statements, execution(second, &[])).unwrap_err().code(), 1243);
        assert_eq!(statements.reset(Bytes::copy_from_slice(&second.to_le_bytes())).unwrap_err().code(), 1243);
        assert_ne!(insert(&mut statements, "DO 3"), second);
        assert_eq!((gauge.get(), keep.held()), (2, 2 * (STATEMENT + 4)));
        drop(statements);
        assert_eq!((gauge.get(), keep.held()), (0, 0));
    }

    #[test]
    fn a_statement_is_executed_in_the_database_that_it_was_prepared_in() {
        let (keep, gauge, mut statements) = none(MANY);
        let database = Some(Arc::from("shop"));
        let id = statements.insert(b"DO 1", 0, database.clone(), Allowed::bytes(MANY), &gauge).unwrap();
        assert_eq!(execute(&mut statements, execution(id, &[])).unwrap().database, database);
        assert_eq!(keep.held(), STATEMENT + 4 + 4);
    }

    #[test]
    fn long_data_is_put_together_used_once_and_bounded() {
        let allowed = Allowed::bytes(STATEMENT + b"SELECT ?".len() + size_of::<ParamType>() + PLACE + 8);
        let (keep, gauge, mut statements) = none(MANY);
        let id = statements.insert(b"SELECT ?", 1, None, allowed, &gauge).unwrap();
        let empty = keep.held();
        let typed = [0, 1, 252, 0];
        statements.long_data(long(id, 0, b"ab"), allowed);
        statements.long_data(long(id, 0, b"cd"), allowed);
        let whole = execute(&mut statements, execution(id, &typed)).unwrap();
        assert_eq!(whole.params, Some(Params(vec![OwnedValue::Bytes(b"abcd".to_vec())])));
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1210, "it was used up");
        statements.long_data(long(id, 0, b""), allowed);
        let nothing = execute(&mut statements, execution(id, &typed)).unwrap();
        assert_eq!(nothing.params, Some(Params(vec![OwnedValue::Bytes(Vec::new())])), "given, and empty");
        for part in [&b"1"[..], b"2", b"3", b"4", b"5", b"678"] {
            statements.long_data(long(id, 0, part), allowed);
        }
        assert_eq!(keep.held(), empty + PLACE + 8, "as much as may be");
        statements.long_data(long(id, 0, b"9"), allowed);
        assert_eq!(keep.held(), empty, "what cannot be whole is not kept");
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1041);
        statements.long_data(long(id, 1, b"x"), allowed);
        assert_eq!(execute(&mut statements, execution(id, &typed)).unwrap_err().code(), 1210, "no such parameter");
        statements.long_data(long(id, 0, b"12345678"), allowed);
        statements.reset(Bytes::copy_from_slice(&id.to_le_bytes())).unwrap();
        assert_eq!(keep.held(), empty);
        statements.long_data(long(id, 0, b"12345678"), allowed);
        assert_eq!(
            statements.insert(b"DO 1", 0, None, allowed, &gauge).unwrap_err().code(),
            1041,
            "no room for another"
        );
        statements.close(Bytes::copy_from_slice(&id.to_le_bytes()));
        assert_eq!((keep.held(), gauge.get()), (0, 0));
    }

    #[test]
    fn one_parameter_is_no_longer_than_a_packet() {
        let (keep, gauge, mut statements) = none(10);
        let allowed = Allowed::bytes(MANY);
        let id = statements.insert(b"SELECT ?, ?", 2, None, allowed, &gauge).unwrap();
        let empty = keep.held();
        for place in 0..2 {
            statements.long_data(long(id, place, b"123456"), allowed);
            statements.long_data(long(id, place, b"7890"), allowed);
        }
        assert_eq!(keep.held(), empty + 2 * (PLACE + 10));
        statements.long_data(long(id, 1, b"x"), allowed);
        assert_eq!(keep.held(), empty);
        assert_eq!(execute(&mut statements, execution(id, &[0, 1, 252, 0, 252, 0])).unwrap_err().code(), 1105);
    }

    proptest! {
        /// Whatever is sent, what waits is counted and bounded.
        #[test]
        fn any_bytes_are_answered(
            commands in prop::collection::vec((0u8..4, 0u32..4, prop::collection::vec(any::<u8>(), 0..20)), 0..40),
        ) {
            let most = 2 * STATEMENT + 300;
            let ((keep, gauge, mut statements), allowed) = (none(50), Allowed::bytes(most));
            for _ in 0..2 {
                statements.insert(b"SELECT ?, ?", 2, None, allowed, &gauge).unwrap();
            }
            for (what, id, rest) in commands {
                let mut payload = BytesMut::new();
                payload.put_u32_le(id);
                payload.put_slice(&rest);
                let payload = payload.freeze();
                match what {
                    0 => drop(execute(&mut statements, payload)),
                    1 => statements.long_data(payload, allowed),
                    2 => drop(statements.reset(payload)),
                    _ => drop(statements.close(payload)),
                }
                let of = |each: &Prepared| {
                    let long: usize = each.long.values().map(|data| PLACE + data.capacity()).sum();
                    STATEMENT + each.sql.len() + each.params * size_of::<ParamType>() + long
                };
                prop_assert_eq!(statements.by_id.values().map(of).sum::<usize>(), keep.held());
                prop_assert!(statements.by_id.values().all(|each| each.kept.bytes() == of(each)));
                prop_assert!(keep.held() <= most);
            }
        }
    }
}
