//! Errors, and the one place where each gets its code, SQLSTATE and text.

use std::borrow::Cow;

use super::{ErrorKind, Reason, cut};
use crate::id::SessionId;

/// The longest text of an error, in bytes (MySQL: MYSQL_ERRMSG_SIZE). What a client sent may be in it, and it may be kept.
const LONGEST_TEXT: usize = 512;

/// An error as a SQL client sees it: code, SQLSTATE and text.
///
/// Engines make their own with [`SqlError::new`]; those that the runtime itself gives have constructors here and carry
/// MySQL's codes and texts (MySQL 8.0 error message reference).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERROR {code} ({}): {message}", self.state())]
pub struct SqlError {
    code: u16,
    state: [u8; 5],
    message: Cow<'static, str>,
}

impl SqlError {
    /// An error of the engine's own. A `state` that is not five ASCII letters or digits becomes `HY000`; a text longer than
    /// 512 bytes is cut there, as in MySQL, at a character's end.
    pub fn new(code: u16, state: &str, message: impl Into<Cow<'static, str>>) -> Self {
        let state = match <[u8; 5]>::try_from(state.as_bytes()) {
            Ok(bytes) if bytes.iter().all(u8::is_ascii_alphanumeric) => bytes,
            _ => *b"HY000",
        };
        let message = message.into();
        let message =
            if message.len() > LONGEST_TEXT { cut(&message, LONGEST_TEXT).to_owned().into() } else { message };
        Self { code, state, message }
    }

    /// One of the runtime's own kinds with the given text.
    pub fn of(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let (code, state) = kind.code();
        Self::new(code, state, message)
    }

    /// The error number, such as 1317.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The SQLSTATE, five characters.
    pub fn state(&self) -> &str {
        std::str::from_utf8(&self.state).unwrap_or("HY000")
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// 1064 with the place of the error: the statement's rest from the offending token on (at most 80 characters, as
    /// MySQL shows it), and its line, counted from 1.
    pub fn syntax(near: &str, line: usize) -> Self {
        let near: String = near.chars().take(80).collect();
        Self::of(
            ErrorKind::SyntaxError,
            format!(
                "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version \
                 for the right syntax to use near '{near}' at line {line}"
            ),
        )
    }

    /// 1045, as MySQL words it.
    pub fn access_denied(user: &str, host: &str, using_password: bool) -> Self {
        let using = if using_password { "YES" } else { "NO" };
        Self::of(ErrorKind::AccessDenied, format!("Access denied for user '{user}'@'{host}' (using password: {using})"))
    }

    /// 1047: a command that this server does not know or serve.
    pub fn unknown_command() -> Self {
        Self::of(ErrorKind::UnknownCommand, "Unknown command")
    }

    /// 1049.
    pub fn unknown_database(name: &str) -> Self {
        Self::of(ErrorKind::UnknownDatabase, format!("Unknown database '{name}'"))
    }

    /// 1041: what a session would keep is more than it may. `what` is plural.
    pub fn out_of_resources(what: &str) -> Self {
        Self::of(ErrorKind::OutOfResources, format!("Out of memory: {what} are longer than 'max_allowed_packet' bytes"))
    }

    /// 1146, as MySQL words it.
    pub fn no_such_table(database: Option<&str>, table: &str) -> Self {
        let database = database.map(|name| format!("{name}.")).unwrap_or_default();
        Self::of(ErrorKind::NoSuchTable, format!("Table '{database}{table}' doesn't exist"))
    }

    /// 1305, as MySQL words it. A database is named if one is current.
    pub fn no_such_function(database: Option<&str>, function: &str) -> Self {
        let database = database.map(|name| format!("{name}.")).unwrap_or_default();
        Self::of(ErrorKind::UnknownFunction, format!("FUNCTION {database}{function} does not exist"))
    }

    /// 1295: a statement that cannot be prepared.
    pub fn not_preparable() -> Self {
        let text = "This command is not supported in the prepared statement protocol yet";
        Self::of(ErrorKind::UnsupportedPrepared, text)
    }

    /// 1390: a statement with more than 65,535 parameters. No answer to its preparation could count them.
    pub fn too_many_placeholders() -> Self {
        Self::of(ErrorKind::TooManyPlaceholders, "Prepared statement contains too many placeholders")
    }

    /// 1105: what the client is told when the engine panicked. The panic's text goes to the log, not to the client.
    pub fn panicked() -> Self {
        Self::of(ErrorKind::UnknownError, "Unknown error: the statement failed inside the server")
    }

    /// 1690: a whole number beyond what there are, in this expression.
    #[cfg(feature = "system-tables")]
    pub(crate) fn bigint_out_of_range(expression: &str) -> Self {
        Self::of(ErrorKind::DataOutOfRange, format!("BIGINT value is out of range in '{expression}'"))
    }

    /// 1235: a feature that this server does not offer.
    pub fn not_supported(what: &str) -> Self {
        Self::of(ErrorKind::NotSupportedYet, format!("This version of the server doesn't yet support '{what}'"))
    }

    /// 1094 with the id as it was written (MySQL prints the number it understood; a number that does not fit is shown
    /// as typed rather than wrapped).
    pub fn unknown_thread(id: impl std::fmt::Display) -> Self {
        Self::of(ErrorKind::UnknownThread, format!("Unknown thread id: {id}"))
    }

    /// 1097, as Doris words it: no statement has this query id or trace id.
    pub fn unknown_query_name(name: &str) -> Self {
        Self::of(ErrorKind::UnknownQueryName, format!("Unknown query id: {name}"))
    }

    /// 1193.
    pub fn unknown_system_variable(name: &str) -> Self {
        Self::of(ErrorKind::UnknownSystemVariable, format!("Unknown system variable '{name}'"))
    }

    /// 1229: sessions have no value of this variable's.
    pub(crate) fn global_variable(name: &str) -> Self {
        let text = format!("Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL");
        Self::of(ErrorKind::GlobalVariable, text)
    }

    /// 1621: a session has a value of this variable's, and cannot change it.
    pub(crate) fn session_read_only(name: &str) -> Self {
        let text = format!("SESSION variable '{name}' is read-only. Use SET GLOBAL to assign the value");
        Self::of(ErrorKind::SessionReadOnly, text)
    }

    /// 1231. Of the value, what an error can show.
    pub fn wrong_value(variable: &str, value: &str) -> Self {
        let value: String = value.chars().take(80).collect();
        Self::of(
            ErrorKind::WrongValueForVariable,
            format!("Variable '{variable}' can't be set to the value of '{value}'"),
        )
    }

    /// 1095: the session is somebody else's.
    pub fn not_owner(id: SessionId) -> Self {
        Self::of(ErrorKind::KillDenied, format!("You are not owner of thread {id}"))
    }

    /// 1227: `privileges` are MySQL's names, as a text such as `SUPER or CONNECTION_ADMIN`.
    pub fn needs_privilege(privileges: &str) -> Self {
        Self::of(
            ErrorKind::SpecificAccessDenied,
            format!("Access denied; you need (at least one of) the {privileges} privilege(s) for this operation"),
        )
    }

    /// 1317.
    pub fn interrupted() -> Self {
        Self::of(ErrorKind::QueryInterrupted, "Query execution was interrupted")
    }

    /// 1927, MariaDB's word for the client of a killed connection.
    pub fn connection_killed() -> Self {
        Self::of(ErrorKind::ConnectionKilled, "Connection was killed")
    }

    /// 1969, MariaDB's word for a statement that ran too long.
    pub fn statement_timeout() -> Self {
        let text = "Query execution was interrupted (max_statement_time exceeded)";
        Self::of(ErrorKind::StatementTimeout, text)
    }

    /// 5010, ODP's word for what only its operators may say.
    pub fn unknown_operator() -> Self {
        Self::of(ErrorKind::UnknownOperator, "Unknown operator, bad internal cmd")
    }

    /// 1105, Doris's word for the client of a killed query.
    pub fn cancelled_from(peer: impl std::fmt::Display) -> Self {
        Self::of(ErrorKind::UnknownError, format!("cancel query by user from {peer}"))
    }
}

/// A statement was ended from outside, for this reason.
///
/// Engines meet it as the error of `StatementContext::check` and of the row sink, and pass it on with `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("statement ended from outside: {0}")]
pub struct Killed(pub Reason);

impl From<Killed> for SqlError {
    fn from(Killed(reason): Killed) -> Self {
        match reason {
            Reason::ExecutionTime => SqlError::of(
                ErrorKind::QueryTimeout,
                "Query execution was interrupted, maximum statement execution time exceeded",
            ),
            Reason::StatementTime => SqlError::statement_timeout(),
            Reason::WaitTimeout | Reason::IdleTransaction => SqlError::of(
                ErrorKind::ClientInteractionTimeout,
                "The client was disconnected by the server because of inactivity. See wait_timeout and \
                 interactive_timeout for configuring this behavior.",
            ),
            Reason::Shutdown => SqlError::of(ErrorKind::ServerShutdown, "Server shutdown in progress"),
            Reason::Offline => SqlError::of(
                ErrorKind::ServerOffline,
                "The server is currently in offline mode: it has no lease in its cluster",
            ),
            Reason::Panic => SqlError::panicked(),
            _ => SqlError::interrupted(),
        }
    }
}

/// Why a session was not admitted, or a statement not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No place, or no id, is free: 1040.
    #[error("too many connections")]
    TooManyConnections,
    /// The account has as many sessions as the server lets each have: 1203.
    #[error("user {0} has too many connections")]
    TooManyUserConnections(String),
    /// The account has as many sessions as it may have itself: 1226.
    #[error("user {0} has as many connections as it may have ({1})")]
    UserLimitReached(String, u64),
    /// Too many connections from this address broke off before their login: 1129.
    #[error("host {0} is blocked")]
    HostBlocked(String),
    /// The runtime is shutting down, or has been stopped: 1053.
    #[error("server shutdown in progress")]
    ShuttingDown,
    /// The server has no place in its cluster, or might have lost it: 3032.
    #[error("the server has no place in its cluster")]
    Offline,
    /// It is for a client of a proxy that was killed: 4401 (OceanBase).
    #[error("the client was killed")]
    ClientKilled,
    /// The session was ended while it was being set up.
    #[error("the session was ended: {0}")]
    Ended(Reason),
    /// The engine refused to open a session.
    #[error(transparent)]
    Engine(SqlError),
}

impl Refused {
    /// The causes by which refusals of connections are counted.
    pub(crate) const CAUSES: [&str; 7] = [
        "too_many_connections",
        "too_many_user_connections",
        "user_limit_reached",
        "host_blocked",
        "shutdown",
        "offline",
        "client_killed",
    ];

    /// Which of them it is; `None`: the session was admitted before.
    pub(crate) fn cause(&self) -> Option<usize> {
        match self {
            Refused::TooManyConnections => Some(0),
            Refused::TooManyUserConnections(_) => Some(1),
            Refused::UserLimitReached(..) => Some(2),
            Refused::HostBlocked(_) => Some(3),
            Refused::ShuttingDown => Some(4),
            Refused::Offline => Some(5),
            Refused::ClientKilled => Some(6),
            Refused::Ended(_) | Refused::Engine(_) => None,
        }
    }
}

impl From<Refused> for SqlError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooManyConnections => SqlError::of(ErrorKind::TooManyConnections, "Too many connections"),
            Refused::TooManyUserConnections(user) => SqlError::of(
                ErrorKind::TooManyUserConnections,
                format!("User {user} already has more than 'max_user_connections' active connections"),
            ),
            Refused::UserLimitReached(user, most) => SqlError::of(
                ErrorKind::UserLimitReached,
                format!("User '{user}' has exceeded the 'max_user_connections' resource (current value: {most})"),
            ),
            Refused::HostBlocked(host) => SqlError::of(
                ErrorKind::HostBlocked,
                format!("Host '{host}' is blocked because of many connection errors; unblock with 'FLUSH HOSTS'"),
            ),
            Refused::ShuttingDown => Killed(Reason::Shutdown).into(),
            Refused::Offline => Killed(Reason::Offline).into(),
            Refused::ClientKilled => SqlError::of(ErrorKind::ClientSessionKilled, "Client Session need be killed"),
            Refused::Ended(reason) => Killed(reason).into(),
            Refused::Engine(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_map_to_the_codes_of_the_reference() {
        let code = |reason| SqlError::from(Killed(reason)).code();
        assert_eq!(code(Reason::KillQuery), 1317);
        assert_eq!(code(Reason::KillOwnConnection), 1317);
        assert_eq!(code(Reason::ExecutionTime), 3024);
        assert_eq!(code(Reason::Shutdown), 1053);
        assert_eq!(code(Reason::Panic), 1105);
        assert_eq!(SqlError::from(Killed(Reason::KillQuery)).state(), "70100");
        let late = SqlError::from(Refused::ClientKilled);
        assert_eq!((late.code(), late.state(), late.message()), (4401, "HY000", "Client Session need be killed"));
    }

    #[test]
    fn a_malformed_sqlstate_becomes_hy000() {
        assert_eq!(SqlError::new(1, "toolong", "x").state(), "HY000");
        assert_eq!(SqlError::new(1, "é123", "x").state(), "HY000");
        assert_eq!(SqlError::new(1, "42S02", "x").state(), "42S02");
    }

    #[test]
    fn texts_are_bounded_and_never_split_a_character() {
        assert_eq!(SqlError::new(1, "HY000", "x".repeat(512)).message().len(), 512);
        let long = SqlError::unknown_database(&format!("x{}", "ä".repeat(1 << 20)));
        assert_eq!((long.message().len(), long.message().chars().last()), (511, Some('ä')));
        assert!(matches!(&long.message, Cow::Owned(text) if text.capacity() == text.len()), "and keep no more");
    }

    #[test]
    fn syntax_errors_show_at_most_80_characters_and_never_split_one() {
        let e = SqlError::syntax(&"ä".repeat(100), 2);
        assert!(e.message().ends_with(&format!("near '{}' at line 2", "ä".repeat(80))));
    }
}
