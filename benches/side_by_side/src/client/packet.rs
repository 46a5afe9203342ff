//! Packets: the bytes of requests, and the shape of answers.

use std::io;

/// Header of a packet: three bytes of length, one of sequence.
pub const HEADER: usize = 4;

pub const COM_QUIT: u8 = 0x01;
pub const COM_QUERY: u8 = 0x03;
pub const COM_STMT_PREPARE: u8 = 0x16;
pub const COM_STMT_EXECUTE: u8 = 0x17;

const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
const CLIENT_PLUGIN_AUTH: u32 = 1 << 19;
const CLIENT_DEPRECATE_EOF: u32 = 1 << 24;

/// What the client does and the server must do too.
const WANTED: u32 = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH | CLIENT_DEPRECATE_EOF;

/// A packet with this sequence number.
fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    debug_assert_eq!(d, 0, "requests are short");
    [&[a, b, c, sequence], body].concat()
}

/// A command with what belongs to it.
pub fn command(code: u8, body: &[u8]) -> Vec<u8> {
    packet(0, &[&[code], body].concat())
}

pub fn query(sql: &str) -> Vec<u8> {
    command(COM_QUERY, sql.as_bytes())
}

/// COM_STMT_EXECUTE of a statement without parameters.
pub fn execute(statement: u32) -> Vec<u8> {
    let [a, b, c, d] = statement.to_le_bytes();
    command(COM_STMT_EXECUTE, &[a, b, c, d, 0, 1, 0, 0, 0])
}

/// The wish for TLS, before the login.
pub fn wish_for_tls() -> Vec<u8> {
    packet(1, &begin_of_login(WANTED | CLIENT_SSL))
}

/// The login of `root` without a password, by `mysql_native_password`.
pub fn login(secure: bool) -> Vec<u8> {
    let (capabilities, sequence) = if secure { (WANTED | CLIENT_SSL, 2) } else { (WANTED, 1) };
    let begin = begin_of_login(capabilities);
    packet(sequence, &[begin.as_slice(), b"root\0", b"\0", b"mysql_native_password\0"].concat())
}

/// Capabilities, the longest packet, utf8mb4.
fn begin_of_login(capabilities: u32) -> Vec<u8> {
    [capabilities.to_le_bytes().as_slice(), &(1_u32 << 24).to_le_bytes(), &[45], &[0; 23]].concat()
}

/// Looks at a greeting: whether it offers what the client needs.
pub fn greeted(body: &[u8], secure: bool) -> io::Result<()> {
    if let Some(error) = error(body) {
        return Err(error.into());
    }
    let capabilities = (|| {
        let version = body.strip_prefix(&[10])?;
        let rest = &version[version.iter().position(|byte| *byte == 0)? + 1..];
        // The id, eight bytes of the challenge and a zero; the lower half, the character set, the status; the upper half.
        let [lower, upper] = [rest.get(13..15)?, rest.get(18..20)?];
        Some(u32::from_le_bytes([lower[0], lower[1], upper[0], upper[1]]))
    })();
    let wanted = if secure { WANTED | CLIENT_SSL } else { WANTED };
    match capabilities {
        Some(capabilities) if capabilities & wanted == wanted => Ok(()),
        Some(capabilities) => Err(io::Error::other(format!("the server cannot do {:#x}", wanted & !capabilities))),
        None => Err(io::Error::other(format!("no greeting: {body:?}"))),
    }
}

/// An error that a server answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    pub code: u16,
    pub message: String,
}

impl From<SqlError> for io::Error {
    fn from(error: SqlError) -> Self {
        io::Error::other(format!("{}: {}", error.code, error.message))
    }
}

/// The error in a packet, if it is one.
pub fn error(body: &[u8]) -> Option<SqlError> {
    match body {
        [0xff, a, b, rest @ ..] => {
            let message = rest.strip_prefix(b"#").and_then(|rest| rest.get(5..)).unwrap_or(rest);
            let message = String::from_utf8_lossy(message).into_owned();
            Some(SqlError { code: u16::from_le_bytes([*a, *b]), message })
        }
        _ => None,
    }
}

/// Where the first packet of these bytes ends, if all of it is there. Without those of 16 MB and more, which nobody sends
/// here.
pub fn whole(bytes: &[u8]) -> Option<usize> {
    let [a, b, c, _, ..] = *bytes else { return None };
    let end = HEADER + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
    (bytes.len() >= end).then_some(end)
}

/// The first column of a row in text, if it is not NULL and shorter than 251 bytes.
pub fn first_column(row: &[u8]) -> Option<&[u8]> {
    let (length, rest) = row.split_first()?;
    (*length < 251).then(|| rest.get(..usize::from(*length)))?
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok,
    Rows { rows: u64 },
    Error(SqlError),
}

impl Answer {
    /// The number of rows; any other answer is an error.
    pub fn rows(self) -> io::Result<u64> {
        match self {
            Self::Rows { rows } => Ok(rows),
            Self::Error(error) => Err(error.into()),
            Self::Ok => Err(io::Error::other("OK, and no rows")),
        }
    }

    /// Any answer but OK is an error.
    pub fn ok(self) -> io::Result<()> {
        match self {
            Self::Ok => Ok(()),
            Self::Error(error) => Err(error.into()),
            Self::Rows { .. } => Err(io::Error::other("rows, and no OK")),
        }
    }
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    #[default]
    Begin,
    /// So many columns are still to be described.
    Columns(u8),
    Rows(u64),
}

impl Progress {
    /// Takes the next packet's body, and says whether it is a row, or the end.
    pub fn take(&mut self, body: &[u8]) -> io::Result<Step> {
        let first = *body.first().ok_or_else(|| io::Error::other("an empty packet"))?;
        let failed = error(body);
        match (*self, failed) {
            (_, Some(error)) => return Ok(Step::End(Answer::Error(error))),
            (Self::Begin, None) if first == 0 => return Ok(Step::End(Answer::Ok)),
            (Self::Begin, None) if first < 251 && body.len() == 1 => *self = Self::Columns(first),
            (Self::Columns(1), None) => *self = Self::Rows(0),
            (Self::Columns(left), None) => *self = Self::Columns(left - 1),
            // An OK packet in the place of an EOF packet.
            (Self::Rows(rows), None) if first == 0xfe && body.len() >= 7 => {
                return Ok(Step::End(Answer::Rows { rows }));
            }
            (Self::Rows(rows), None) => {
                *self = Self::Rows(rows + 1);
                return Ok(Step::Row);
            }
            (Self::Begin, None) => return Err(io::Error::other(format!("no answer begins so: {body:?}"))),
        }
        Ok(Step::More)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    More,
    Row,
    End(Answer),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows these packets, one after the other.
    fn steps(bodies: &[&[u8]]) -> Vec<Step> {
        let mut progress = Progress::default();
        bodies.iter().map(|body| progress.take(body).unwrap()).collect()
    }

    #[test]
    fn answers_are_followed_to_their_end() {
        let end = b"\xfe\0\0\x02\0\0\0";
        assert_eq!(steps(&[b"\0\0\0\x02\0\0\0"]), [Step::End(Answer::Ok)]);
        assert_eq!(
            steps(&[b"\x02", b"\x03def", b"\x03def", b"\x011\x012", b"\x013\x014", end]),
            [Step::More, Step::More, Step::More, Step::Row, Step::Row, Step::End(Answer::Rows { rows: 2 })]
        );
        let killed = SqlError { code: 1317, message: "Query execution was interrupted".into() };
        let packet = b"\xff\x25\x05#70100Query execution was interrupted";
        assert_eq!(steps(&[packet]), [Step::End(Answer::Error(killed.clone()))]);
        // In the middle of the rows.
        assert_eq!(steps(&[b"\x01", b"\x03def", b"\x011", packet])[3], Step::End(Answer::Error(killed)));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for body in [b"".as_slice(), b"\xfb", b"\x01\x02"] {
            assert!(Progress::default().take(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn packets_are_taken_when_they_are_whole() {
        assert_eq!(query("SELECT 1"), b"\x09\0\0\0\x03SELECT 1");
        assert_eq!(execute(7), b"\x0a\0\0\0\x17\x07\0\0\0\0\x01\0\0\0");
        for (bytes, end) in [
            (b"".as_slice(), None),
            (b"\x01\0\0", None),
            (b"\x02\0\0\0a", None),
            (b"\x02\0\0\0ab", Some(6)),
            (b"\x02\0\0\0abc", Some(6)),
            (b"\0\0\0\0", Some(4)),
        ] {
            assert_eq!(whole(bytes), end, "{bytes:?}");
        }
    }

    #[test]
    fn a_greeting_must_offer_what_is_needed() {
        let greeting = |capabilities: u32| {
            let [a, b, c, d] = capabilities.to_le_bytes();
            [b"\x0a8.0\0".as_slice(), &[1, 0, 0, 0], b"aaaaaaaa\0", &[a, b, 45, 2, 0, c, d, 21]].concat()
        };
        assert!(greeted(&greeting(WANTED), false).is_ok());
        assert!(greeted(&greeting(WANTED), true).is_err());
        assert!(greeted(&greeting(WANTED | CLIENT_SSL), true).is_ok());
        assert!(greeted(&greeting(WANTED & !CLIENT_DEPRECATE_EOF), false).is_err());
        assert!(greeted(b"\x0a8.0", false).is_err());
        assert!(greeted(b"\xff\x10\x04Too many connections", false).unwrap_err().to_string().starts_with("1040"));
    }

    #[test]
    fn the_first_column_of_a_row() {
        assert_eq!(first_column(b"\x0242\x04root"), Some(b"42".as_slice()));
        assert_eq!(first_column(b"\xfb\x04root"), None);
        assert_eq!(first_column(b"\x0542"), None);
    }
}
