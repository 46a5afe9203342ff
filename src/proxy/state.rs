//! What a client has set in its session: the current database, system variables and user variables. Noted when a statement has
//! ended well, from its text and from what the server tells of changes; and the statements that bring another server session
//! up to it.
//!
//! Every change has a number (its version). A server session is told what is newer than the versions that it has seen.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `assigned` | what the text of a `SET` says of the values that it has assigned |
//! | `kept` | the variables, as they are written, within bounds |
//! | `literal` | values as literals |

mod assigned;
mod kept;
mod literal;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::kept::Kept;
use super::{
    assign::{Target, behind_for, for_one_statement},
    character_sets,
    pins::Pins,
    route::{Reading, Verb},
};
use crate::{
    control::{Lexer, Syntax, TokenKind},
    model::{ChangedVariable, CharacterSet, Versions},
};

/// What a server session is told first of all: to tell of every change.
const FIRST: &[u8] = b"session_track_system_variables = '*', session_track_schema = 1";

/// And what holds of every connection of the proxy's: its texts are in utf8mb4, whatever the server takes a login for; and the
/// proxy bounds how long a client may take to read, so that the server waits for the longest time that there is.
const OWN: &[u8] = b"character_set_client = utf8mb4, character_set_results = utf8mb4, net_write_timeout = 31536000";

/// The version of the system variables of a client that has set none: a server session that has seen nothing yet is behind
/// it, for it has to be told [`FIRST`].
const BEGIN: u64 = 1;

/// The system variable that is the clock, or stands still.
const TIMESTAMP: &str = "timestamp";

/// System variables that change often, which have a version of their own.
const HOT: &[&str] =
    &["autocommit", "timestamp", "transaction_isolation", "transaction_read_only", "tx_isolation", "tx_read_only"];

/// System variables that are not brought along: those of one statement or one server, those that the proxy sets itself, and
/// those that cannot be set. By the beginning of their names.
const LEFT_ALONE: &[&str] = &[
    "character_set_client",
    "character_set_database",
    "character_set_results",
    "collation_database",
    "error_count",
    "external_user",
    "gtid_",
    "identity",
    "in_transaction",
    "insert_id",
    "last_gtid",
    "last_insert_id",
    "proxy_user",
    "pseudo_",
    "rand_seed",
    "session_track_",
    "skip_parallel_replication",
    "skip_replication",
    "warning_count",
    "wsrep_",
];

/// What a client has set in its session. Small while it has set nothing.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct State {
    database: Option<Box<str>>,
    /// The one of the login, where servers are told it.
    collation: Option<u16>,
    pins: Pins,
    versions: Versions,
    /// What `LAST_INSERT_ID()` gives, as far as answers tell; 0 at first.
    insert_id: u64,
    /// What most clients never fill.
    kept: Option<Box<Kept>>,
}

/// What a server said of a statement that ended well.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) struct Told<'a> {
    /// The current database, if it has changed; empty: there is none any more.
    pub(in crate::proxy) schema: Option<&'a str>,
    /// The system variables that have changed, with their values.
    pub(in crate::proxy) variables: &'a [(String, String)],
    /// The number that the statement made for a row, or 0.
    pub(in crate::proxy) insert_id: u64,
    /// Whether backslashes escaped nothing when the statement was read, which the proxy reads otherwise.
    pub(in crate::proxy) no_backslash_escapes: bool,
}

/// What a server session is to be told before the client's next statement runs there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct CatchUp<'a> {
    /// The database to change to (`COM_INIT_DB`).
    pub(in crate::proxy) database: Option<&'a str>,
    /// A `SET` to run.
    pub(in crate::proxy) set: Option<Vec<u8>>,
}

impl CatchUp<'_> {
    /// Whether there is nothing to tell.
    pub(in crate::proxy) fn is_empty(&self) -> bool {
        self.database.is_none() && self.set.is_none()
    }
}

impl State {
    /// That of a client that has just logged in, with this collation.
    pub(in crate::proxy) fn new(database: Option<&str>, collation: u16) -> Self {
        let versions = Versions { sys_var: BEGIN, db_name: database.is_some().into(), ..Versions::default() };
        let collation = character_sets::told(collation);
        Self { database: database.map(Box::from), collation, pins: Pins::NONE, versions, insert_id: 0, kept: None }
    }

    /// What ties the client to the server session at which its state lives; while there is something, every statement is to
    /// run there.
    pub(in crate::proxy) fn pins(&self) -> Pins {
        self.pins
    }

    /// How often each part has changed: what a server session has that has been brought up to date.
    pub(in crate::proxy) fn versions(&self) -> Versions {
        self.versions
    }

    /// The current database.
    pub(in crate::proxy) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The database is this one from now on.
    pub(in crate::proxy) fn set_database(&mut self, name: Option<&str>) {
        if self.database.as_deref() != name {
            self.database = name.map(Box::from);
            self.versions.db_name += 1;
        }
    }

    /// Literals are compared in this character set from now on (`SET NAMES`): told to server sessions when they are used.
    pub(in crate::proxy) fn set_connection(&mut self, set: CharacterSet) {
        self.keep("character_set_connection", set.name().as_bytes());
        if let Some(kept) = &mut self.kept {
            // it brings its own along
            kept.remove("collation_connection");
        }
    }

    /// `COM_RESET_CONNECTION`: everything is as after the login, its collation too, but for the database. Server sessions that
    /// are kept have to be reset too, and have seen nothing then: `Versions::default()`.
    pub(in crate::proxy) fn reset(&mut self) {
        self.insert_id = 0;
        self.pins = Pins::NONE;
        if self.kept.take().is_some() {
            self.versions.sys_var += 1;
            self.versions.user_var += 1;
        }
    }

    /// The server session is gone at which the state lived. What was tied to it, which the client misses from now on.
    pub(in crate::proxy) fn lost(&mut self) -> Pins {
        let lost = self.pins.lost();
        self.pins = self.pins.stay();
        lost
    }

    /// A statement has ended well on a server session that had been brought up to date: what it has set is noted, from its
    /// text and from what the server said has changed. `at` is what the server session has seen, and has seen then.
    pub(in crate::proxy) fn note(
        &mut self,
        sql: &[u8],
        syntax: &Syntax,
        reading: &Reading<'_>,
        told: &Told<'_>,
        at: &mut Versions,
    ) {
        let mut retold = false;
        if reading.verb != Verb::Set {
            self.pins = self.pins.without(Pins::NEXT_TRANSACTION);
        }
        self.pins = self.pins.without(reading.unpins).and(reading.pins);
        if told.insert_id != 0 {
            self.insert_id = told.insert_id;
            self.versions.last_insert_id += 1;
        }
        if let Some(schema) = told.schema {
            self.set_database((!schema.is_empty()).then_some(schema));
        } else if reading.verb == Verb::Use
            && let Some(name) = used(sql, syntax)
        {
            self.set_database(Some(&name));
        }
        let variables = match reading.verb {
            Verb::Set | Verb::Call => lasting(sql, syntax, told.variables),
            Verb::Use | Verb::Other => Cow::Borrowed(&[][..]),
        };
        if reading.verb == Verb::Set {
            let other_quotes = told.no_backslash_escapes || self.pins.any_of(Pins::QUOTES);
            if other_quotes && sql.iter().any(|byte| matches!(byte, b'\\' | b'"')) {
                self.note_unread_set();
            } else {
                retold = self.note_set(sql, syntax, &variables);
            }
        }
        self.keep_all_told(reading, &variables);
        *at = self.versions;
        if retold {
            at.sys_var = 0;
        }
    }

    /// A statement has failed: what it may have set all the same. `told`: the system variables of which the server has told
    /// since. `at` is what the server session has seen.
    pub(in crate::proxy) fn note_failed(
        &mut self,
        reading: &Reading<'_>,
        told: &[(String, String)],
        at: &mut Versions,
    ) {
        self.pins = self.pins.and(reading.pins.left_by_failures());
        if matches!(reading.verb, Verb::Set | Verb::Call) && !told.is_empty() {
            let had_all = *at == Versions { last_insert_id: at.last_insert_id, ..self.versions };
            self.keep_all_told(reading, told);
            if had_all {
                *at = Versions { last_insert_id: at.last_insert_id, ..self.versions };
            }
        }
    }

    /// System variables' values, as the server tells them.
    fn keep_all_told(&mut self, reading: &Reading<'_>, told: &[(String, String)]) {
        for (name, value) in told {
            let name = name.to_ascii_lowercase();
            match &*name {
                // of a `SET`, its text has said it
                TIMESTAMP if reading.verb == Verb::Set => {}
                TIMESTAMP => self.pins = self.pins.and(Pins::VARIABLES),
                _ if begins_with_any(&name, LEFT_ALONE) => {}
                _ => self.keep(&name, &literal::told(value)),
            }
        }
    }

    /// Keeps a system variable.
    fn keep(&mut self, name: &str, written: &[u8]) {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.')) {
            self.pins = self.pins.and(Pins::VARIABLES);
            return;
        }
        if name == "sql_mode" {
            self.note_quotes(written);
        }
        let versions = &mut self.versions;
        let version = if HOT.contains(&name) { &mut versions.hot_sys_var } else { &mut versions.sys_var };
        let kept = self.kept.get_or_insert_default();
        if kept.system.get(name).is_some_and(|value| *value.written == *written) {
            return;
        }
        if let Some(other) = other_name(name) {
            kept.remove(other);
        }
        *version += 1;
        if !kept.insert(true, name, written, *version) {
            self.pins = self.pins.and(Pins::VARIABLES);
        }
    }

    /// Keeps a user variable.
    fn keep_user(&mut self, name: &str, written: &[u8]) {
        self.versions.user_var += 1;
        let kept = self.kept.get_or_insert_default();
        if !kept.insert(false, name, written, self.versions.user_var) {
            self.pins = self.pins.and(Pins::USER_VARIABLES);
        }
    }

    /// Whether text in quotes ends where the proxy reads it to end.
    fn note_quotes(&mut self, mode: &[u8]) {
        let mode = mode.to_ascii_uppercase();
        let has = |name: &str| mode.windows(name.len()).any(|window| window == name.as_bytes());
        let plain = mode.starts_with(b"'") || mode.starts_with(b"\"");
        let other = !plain || has("ANSI") || has("NO_BACKSLASH_ESCAPES") || has("DB2") || has("MAXDB");
        let other = other || ["MSSQL", "ORACLE", "POSTGRESQL"].into_iter().any(has);
        self.pins = if other { self.pins.and(Pins::QUOTES) } else { self.pins.without(Pins::QUOTES) };
    }

    /// What a server session is to be told that has seen `at`, before a statement runs there. Once that is done it has seen
    /// [`State::versions`].
    pub(in crate::proxy) fn catch_up(&self, at: &Versions) -> CatchUp<'_> {
        let database = self.database.as_deref().filter(|_| at.db_name != self.versions.db_name);
        let mut set = Vec::new();
        let mut add = |text: &[&[u8]]| {
            set.extend_from_slice(if set.is_empty() { b"SET " } else { b", " });
            text.iter().for_each(|text| set.extend_from_slice(text));
        };
        if at.sys_var == 0 {
            add(&[FIRST]);
            add(&[OWN]);
            if let Some(collation) = self.collation {
                add(&[b"collation_connection = ", collation.to_string().as_bytes()]);
            }
            // the primary alone is asked for it: one that is not new has it
            if self.insert_id != 0 && at.last_insert_id != self.versions.last_insert_id {
                add(&[b"last_insert_id = ", self.insert_id.to_string().as_bytes()]);
            }
        }
        if let Some(kept) = &self.kept {
            for (name, value) in &kept.system {
                let seen = if HOT.contains(&&**name) { at.hot_sys_var } else { at.sys_var };
                if value.version > seen {
                    add(&[b"@@session.", name.as_bytes(), b" = ", &value.written]);
                }
            }
            for (name, value) in kept.user.iter().filter(|(_, value)| value.version > at.user_var) {
                add(&[b"@`", name.replace('`', "``").as_bytes(), b"` = ", &value.written]);
            }
        }
        CatchUp { database, set: (!set.is_empty()).then_some(set) }
    }

    /// What the client has changed, by name: the system variables, then the user variables.
    pub(in crate::proxy) fn variables(&self) -> Vec<ChangedVariable> {
        let Some(kept) = &self.kept else { return Vec::new() };
        let system = kept.system.iter().map(|one| (one, false));
        let all = system.chain(kept.user.iter().map(|one| (one, true)));
        all.map(|((name, value), user)| ChangedVariable {
            name: name.to_string(),
            value: literal::bare(&value.written),
            user,
            hot: !user && HOT.contains(&&**name),
        })
        .collect()
    }
}

/// A `SET` that brings a server session up to date, for a server that knows nothing of [`FIRST`]; `None`: it does not say that.
pub(in crate::proxy) fn without_first(set: &[u8]) -> Option<Vec<u8>> {
    let rest = set.strip_prefix(b"SET ")?.strip_prefix(FIRST)?.strip_prefix(b", ")?;
    Some([b"SET ", rest].concat())
}

/// What a server has told, without what a `SET STATEMENT … FOR` had set for itself: that is told as it was meanwhile.
fn lasting<'a>(sql: &[u8], syntax: &Syntax, told: &'a [(String, String)]) -> Cow<'a, [(String, String)]> {
    let passing = passing(sql, syntax);
    if passing.is_empty() {
        return Cow::Borrowed(told);
    }
    told.iter().filter(|(name, _)| !passing.iter().any(|passing| same(name, passing))).cloned().collect()
}

/// The system variables that a `SET STATEMENT … FOR` sets, which are as before when it has ended.
fn passing(sql: &[u8], syntax: &Syntax) -> Vec<String> {
    let names = for_one_statement(sql, syntax).filter_map(|assignment| match assignment.target {
        Target::System(_, name) => Some(String::from_utf8_lossy(name).to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

/// The database that a `USE` names.
fn used(sql: &[u8], syntax: &Syntax) -> Option<String> {
    let mut lexer = behind_for(sql, syntax).unwrap_or_else(|| Lexer::new(sql, syntax));
    lexer.next_token();
    match lexer.next_token().kind {
        TokenKind::Word(name) => Some(String::from_utf8_lossy(name).into_owned()),
        TokenKind::QuotedIdent(name) | TokenKind::Str(name) => Some(name.to_string_lossy()),
        _ => None,
    }
}

/// The other name of a system variable that has two. Not every server knows both: a variable is kept by the one that its own
/// used.
fn other_name(name: &str) -> Option<&'static str> {
    match name {
        "tx_isolation" => Some("transaction_isolation"),
        "tx_read_only" => Some("transaction_read_only"),
        "transaction_isolation" => Some("tx_isolation"),
        "transaction_read_only" => Some("tx_read_only"),
        _ => None,
    }
}

/// Whether both names are of one variable; `name` is in lower case.
fn same(told: &str, name: &str) -> bool {
    told.eq_ignore_ascii_case(name) || other_name(name).is_some_and(|other| told.eq_ignore_ascii_case(other))
}

fn begins_with_any(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}
