//! The commands that a client sends once it is in.

use bytes::{Buf, Bytes};

use crate::model::{ErrorKind, SqlError};

/// A command, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WireCommand {
    /// COM_QUIT: goodbye.
    Quit,
    /// COM_INIT_DB: change the database.
    InitDb(String),
    /// COM_QUERY: run a statement, or several.
    Query(Bytes),
    /// COM_STATISTICS: a line of figures.
    Statistics,
    /// COM_PING: are you there?
    Ping,
    /// COM_CHANGE_USER: I am somebody else. What follows depends on what the client can do.
    ChangeUser(Bytes),
    /// COM_RESET_CONNECTION: forget all but who I am.
    Reset,
    /// COM_FIELD_LIST: the columns of a table.
    FieldList {
        /// The table's name.
        table: String,
        /// Which of them: a pattern as `LIKE` takes it; empty: all.
        pattern: String,
    },
    /// COM_SET_OPTION: whether a command may have several statements.
    SeveralStatements(bool),
    /// COM_STMT_PREPARE: prepare a statement.
    Prepare(Bytes),
    /// COM_STMT_EXECUTE: run a prepared one.
    Execute(Bytes),
    /// COM_STMT_SEND_LONG_DATA: a part of a parameter.
    LongData(Bytes),
    /// COM_STMT_CLOSE: forget a prepared statement.
    CloseStatement(Bytes),
    /// COM_STMT_RESET: forget what came ahead of its execution.
    ResetStatement(Bytes),
}

/// Reads a command. Old commands that say what a statement says as well become that statement.
///
/// # Errors
/// 1047 for a command that is not served, 1835 for one that is cut short. The session goes on.
pub(super) fn read(mut payload: Bytes) -> Result<WireCommand, SqlError> {
    // A packet without a payload is MySQL's COM_SLEEP, which nobody may send.
    let code = if payload.is_empty() { 0 } else { payload.get_u8() };
    Ok(match code {
        0x01 => WireCommand::Quit,
        0x02 => WireCommand::InitDb(String::from_utf8_lossy(&payload).into_owned()),
        0x03 => WireCommand::Query(payload),
        0x04 => {
            let (table, pattern) = payload.split_at(payload.iter().position(|b| *b == 0).ok_or_else(malformed)?);
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            WireCommand::FieldList { table: text(table), pattern: text(&pattern[1..]) }
        }
        0x09 => WireCommand::Statistics,
        0x0a => WireCommand::Query(Bytes::from_static(b"SHOW PROCESSLIST")),
        0x0c => {
            let id = payload.try_get_u32_le().map_err(|_| malformed())?;
            WireCommand::Query(format!("KILL {id}").into())
        }
        0x0e => WireCommand::Ping,
        0x11 => WireCommand::ChangeUser(payload),
        0x16 => WireCommand::Prepare(payload),
        0x17 => WireCommand::Execute(payload),
        0x18 => WireCommand::LongData(payload),
        0x19 => WireCommand::CloseStatement(payload),
        0x1a => WireCommand::ResetStatement(payload),
        0x1b => match payload.try_get_u16_le().map_err(|_| malformed())? {
            0 => WireCommand::SeveralStatements(true),
            1 => WireCommand::SeveralStatements(false),
            _ => return Err(SqlError::unknown_command()),
        },
        0x1f => WireCommand::Reset,
        _ => return Err(SqlError::unknown_command()),
    })
}

/// What is told of a command that is cut short.
pub(super) fn malformed() -> SqlError {
    SqlError::of(ErrorKind::MalformedPacket, "Malformed communication packet")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_that_are_not_served_are_refused_and_never_taken_for_served() {
        for code in 0..=u8::MAX {
            let read = read(Bytes::from(vec![code, 0, 0, 0, 0]));
            let served =
                [1, 2, 3, 4, 9, 0x0a, 0x0c, 0x0e, 0x11, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f].contains(&code);
            assert_eq!(read.is_ok(), served, "{code:#x}");
            if let Err(error) = read {
                assert_eq!(error.code(), 1047);
            }
        }
        assert_eq!(read(Bytes::new()).unwrap_err().code(), 1047);
    }

    #[test]
    fn a_kill_that_is_cut_short_kills_nobody() {
        assert_eq!(read(Bytes::from_static(&[0x0c, 7, 0, 0])).unwrap_err().code(), 1835);
        let whole = read(Bytes::from_static(&[0x0c, 7, 1, 0, 0])).unwrap();
        assert_eq!(whole, WireCommand::Query(Bytes::from_static(b"KILL 263")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(Bytes::from(bytes));
        }
    }
}
