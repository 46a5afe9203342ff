//! How an answer ends: OK, EOF or an error, and what OK packets tell of changes in the session.

use mysql_common::constants::StatusFlags;

use super::BackendError;
use crate::{
    model::{Done, SqlError},
    wire::Reader,
};

/// The first byte of an error.
pub(super) const ERROR: u8 = 0xff;

/// The length of an EOF.
pub(super) const EOF_LENGTH: usize = 5;

/// So much room the variables may take that the results of one command tell of. All that a server has take a fraction of it.
const MOST_CHANGES: usize = 4 << 20;

/// MySQL's `SESSION_TRACK_SYSTEM_VARIABLES`: names and values, one pair in MySQL, any number of them in MariaDB.
const SYSTEM_VARIABLES: u8 = 0;

/// `SESSION_TRACK_SCHEMA`.
const SCHEMA: u8 = 1;

/// How a result ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Answer {
    pub(in crate::proxy) done: Done,
    /// Whether another result of the same command follows.
    pub(in crate::proxy) more: bool,
    /// What it says to people.
    pub(in crate::proxy) info: Option<String>,
    /// What the server says that changed in the session.
    pub(in crate::proxy) changes: Changes,
}

/// Changes in a session, by session tracking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Changes {
    /// The current database, if there is another one.
    pub(in crate::proxy) schema: Option<String>,
    /// Names of system variables with their values, in the order of the changes.
    pub(in crate::proxy) variables: Vec<(String, String)>,
}

/// What the results of one command tell of changes, all together: servers tell of them at the end of whichever result comes next.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Gathered {
    changes: Changes,
    /// How long the variables are.
    bytes: usize,
}

impl Gathered {
    /// Adds those that came after these.
    ///
    /// # Errors
    /// There is no end of them.
    pub(in crate::proxy) fn add(&mut self, later: Changes) -> Result<(), BackendError> {
        let length = |(name, value): &(String, String)| size_of::<(String, String)>() + name.len() + value.len();
        self.bytes += later.variables.iter().map(length).sum::<usize>();
        if self.bytes > MOST_CHANGES {
            return Err(BackendError::Lost("there is no end of changed variables".to_owned()));
        }
        self.changes.schema = later.schema.or(self.changes.schema.take());
        self.changes.variables.extend(later.variables);
        Ok(())
    }

    /// All of them.
    pub(in crate::proxy) fn all(self) -> Changes {
        self.changes
    }
}

/// Reads an OK, or the OK that stands at the end of rows. `None`: it is cut short.
pub(super) fn ok(payload: &[u8]) -> Option<Answer> {
    let mut rest = Reader::new(payload);
    let [_marker] = *rest.array()?;
    let (affected, last_insert_id) = (rest.number()?, rest.number()?);
    let status = u16::from_le_bytes(*rest.array()?);
    let warnings = u16::from_le_bytes(*rest.array()?);
    let flags = StatusFlags::from_bits_truncate(status);
    // From here on: what cannot be read says nothing.
    let info = rest.counted().filter(|info| !info.is_empty()).map(text);
    let mut changes = Changes::default();
    if flags.contains(StatusFlags::SERVER_SESSION_STATE_CHANGED) {
        let _ = rest.counted().and_then(|told| read_changes(told, &mut changes));
    }
    let done = Done { affected, last_insert_id, ..Done::default() };
    Some(Answer { info, changes, ..ended(done, flags, warnings) })
}

/// Reads the end of rows: an EOF of five bytes, or an OK in its place, which is longer.
pub(super) fn end(payload: &[u8]) -> Option<Answer> {
    if payload.len() == EOF_LENGTH { eof(payload) } else { ok(payload) }
}

/// Reads an EOF.
fn eof(payload: &[u8]) -> Option<Answer> {
    let mut rest = Reader::new(payload);
    let [_marker] = *rest.array()?;
    let warnings = u16::from_le_bytes(*rest.array()?);
    let flags = StatusFlags::from_bits_truncate(u16::from_le_bytes(*rest.array()?));
    Some(ended(Done::default(), flags, warnings))
}

fn ended(done: Done, flags: StatusFlags, warnings: u16) -> Answer {
    let done = Done {
        warnings,
        in_transaction: flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS),
        autocommit: flags.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT),
        no_backslash_escapes: flags.contains(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES),
        ..done
    };
    Answer { done, more: flags.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS), ..Answer::default() }
}

/// The entries one after the other: what kind, how long, what. `None`: it is cut short; what came before holds.
fn read_changes(told: &[u8], changes: &mut Changes) -> Option<()> {
    let mut entries = Reader::new(told);
    while !entries.is_empty() {
        let [kind] = *entries.array()?;
        let mut data = Reader::new(entries.counted()?);
        match kind {
            SYSTEM_VARIABLES => {
                while !data.is_empty() {
                    let (name, value) = data.pair()?;
                    changes.variables.push((text(name), text(value)));
                }
            }
            SCHEMA => changes.schema = Some(text(data.counted()?)),
            // Of transactions and GTIDs nobody here wants to know.
            _ => {}
        }
    }
    Some(())
}

/// Reads an error. One before the greeting has no SQLSTATE.
pub(super) fn error(payload: &[u8]) -> Option<SqlError> {
    let mut rest = Reader::new(payload);
    let [_marker] = *rest.array()?;
    let code = u16::from_le_bytes(*rest.array()?);
    let (state, message) = match rest.rest() {
        [b'#', behind @ ..] => behind.split_at_checked(5).unwrap_or((b"HY000", behind)),
        message => (&b"HY000"[..], message),
    };
    Some(SqlError::new(code, std::str::from_utf8(state).unwrap_or("HY000"), text(message)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_told_behind_several_results_is_all_known() {
        let told = |schema: Option<&str>, variables: &[(&str, &str)]| Changes {
            schema: schema.map(str::to_owned),
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let mut all = Gathered::default();
        let later = [told(None, &[]), told(Some("b"), &[("x", "2"), ("y", "3")]), Changes::default()];
        for changes in [told(Some("a"), &[("x", "1")])].into_iter().chain(later) {
            all.add(changes).unwrap();
        }
        assert_eq!(all.all(), told(Some("b"), &[("x", "1"), ("x", "2"), ("y", "3")]));
    }

    #[test]
    fn changes_have_an_end() {
        let mut all = Gathered::default();
        let long = Changes { schema: None, variables: vec![("x".to_owned(), "1".repeat(MOST_CHANGES / 2 - 1_000))] };
        assert_eq!([all.add(long.clone()), all.add(long.clone())], [Ok(()), Ok(())]);
        assert!(all.add(long).is_err());
        let mut all = Gathered::default();
        let none = || Changes { schema: None, variables: vec![Default::default(); 1_000] };
        assert!((0..1_000).any(|_| all.add(none()).is_err()), "empty ones take room, too");
    }

    #[test]
    fn an_ok_says_what_was_done_and_what_state_the_session_is_in() {
        // MariaDB: an INSERT within a transaction.
        let answer = ok(b"\x00\x03\x07\x03\0\x02\0").unwrap();
        let done = Done { affected: 3, last_insert_id: 7, warnings: 2, in_transaction: true, ..Done::default() };
        assert_eq!(answer, Answer { done, ..Answer::default() });
        // SET sql_mode = 'NO_BACKSLASH_ESCAPES'
        let done = Done { no_backslash_escapes: true, ..Done::default() };
        assert_eq!(ok(b"\x00\0\0\x02\x02\0\0").unwrap().done, done);
        // DO 1; DO 2
        assert!(ok(b"\x00\0\0\x0a\0\0\0").unwrap().more);
        // The end of rows, for old and for new clients, in a session without autocommit.
        let done = Done { autocommit: false, warnings: 1, ..Done::default() };
        assert_eq!(end(b"\xfe\x01\0\0\0").unwrap().done, done);
        assert_eq!(end(b"\xfe\0\0\0\0\x01\0").unwrap().done, done);
        for cut in [&b""[..], b"\0", b"\0\0\0\x02\0\0", b"\0\xfc\x01"] {
            assert_eq!(ok(cut), None);
        }
        assert_eq!(end(b"\xfe\0\0\x02"), None);
    }

    #[test]
    fn an_ok_tells_what_changed() {
        let of = |told: &[u8]| {
            let length = u8::try_from(told.len()).unwrap();
            ok(&[b"\x00\0\0\x02\x40\0\0\x04text", &[length][..], told].concat()).unwrap().changes
        };
        // As MySQL's manual of the protocol shows them.
        assert_eq!(of(b"\x01\x05\x04test").schema.as_deref(), Some("test"));
        assert_eq!(of(b"\x00\x0f\x0aautocommit\x03OFF").variables, [("autocommit".into(), "OFF".into())]);
        // As MariaDB has several; what is neither is passed over.
        let told = of(b"\x04\x01\x00\x00\x08\x01a\x011\x01b\x012\x05\x09\x08T_______\x01\x03\x02db");
        assert_eq!(told.variables, [("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert_eq!(told.schema.as_deref(), Some("db"));
        // What is cut short says what came before.
        assert_eq!(of(b"\x01\x02\x01x\x00\x0f\x0aauto").schema.as_deref(), Some("x"));
    }

    #[test]
    fn an_error_is_read_with_its_state_and_without() {
        let read = error(b"\xff\x19\x04#42000Unknown database 'nowhere'").unwrap();
        assert_eq!(read, SqlError::unknown_database("nowhere"));
        let read = error(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!((read.code(), read.state(), read.message()), (1040, "HY000", "Too many connections"));
        assert_eq!(error(b"\xff\x10\x04#42").unwrap().message(), "42");
        assert_eq!(error(b"\xff\x10"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..100), tracked in any::<bool>()) {
            let bytes = if tracked { [b"\x00\0\0\x02\x40\0\0\0".as_slice(), &bytes].concat() } else { bytes };
            let _ = (end(&bytes), error(&bytes));
            if let Some(Answer { changes, .. }) = ok(&bytes) {
                // A byte that is no UTF-8 becomes three.
                let kept: usize = changes.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
                prop_assert!(kept <= 3 * bytes.len());
            }
        }
    }
}
