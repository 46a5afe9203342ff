//! How a statement can fail on its way through the proxy, and what its client is told.

use super::backend::BackendError;
use crate::model::{ErrorKind, Killed, Principal, Reason, ServerAddress, SqlError};

/// See the module's text.
#[derive(Debug)]
pub(super) enum Failure {
    /// The statement is to stop.
    Killed(Reason),
    /// The server answered with an error: the connection is fine.
    Server(SqlError),
    /// The server session cannot be brought up to the client's state, and the statement was not said there: the connection is
    /// fine.
    Unfit(SqlError),
    /// The connection is gone, or what came over it makes no sense.
    Lost(String),
    /// Somebody ended the server session.
    Ended,
}

impl Failure {
    /// What the client is told; `address` is the server's.
    pub(super) fn told(self, address: &ServerAddress) -> SqlError {
        match self {
            Failure::Killed(reason) => Killed(reason).into(),
            Failure::Server(error) | Failure::Unfit(error) => error,
            Failure::Lost(why) => lost(address, &why),
            Failure::Ended => SqlError::interrupted(),
        }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Server(error) => Failure::Server(error),
            BackendError::Lost(why) => Failure::Lost(why),
        }
    }
}

impl From<Killed> for Failure {
    fn from(Killed(reason): Killed) -> Self {
        Failure::Killed(reason)
    }
}

/// The server went away while a statement ran: nobody knows whether it was carried out.
fn lost(address: &ServerAddress, why: &str) -> SqlError {
    SqlError::of(ErrorKind::ServerLost, format!("Lost connection to MySQL server '{address}' during query ({why})"))
}

/// The server went away between two statements, and with it what the client's next one relies on.
pub(super) fn lost_between(address: &ServerAddress, in_transaction: bool) -> SqlError {
    let what = if in_transaction {
        "the open transaction was rolled back"
    } else {
        "what the session kept there is gone: temporary tables, locks, or what its last statement left"
    };
    SqlError::of(
        ErrorKind::ServerLost,
        format!("Lost connection to MySQL server '{address}' between statements: {what}"),
    )
}

/// No connection to the server could be made.
pub(super) fn unreachable(address: &ServerAddress, why: &str) -> SqlError {
    SqlError::of(ErrorKind::UnreachableNode, format!("Unable to connect to MySQL server '{address}' ({why})"))
}

/// Errors of logins that say nothing of whom the proxy is at its servers, nor from where it comes.
const HARMLESS: [u16; 4] = [
    1040, // Too many connections
    1053, // Server shutdown in progress
    3159, // Connections using insecure transport are prohibited
    3168, // Server isn't available
];

/// A server did not let the proxy in on behalf of this user. Its own text may name the account there, which is not the
/// client's business: whoever runs the proxy reads it in the log.
pub(super) fn not_let_in(address: &ServerAddress, who: &Principal, error: &SqlError) -> SqlError {
    let why = if HARMLESS.contains(&error.code()) { error.message() } else { "see the proxy's log" };
    let text = format!("MySQL server '{address}' did not accept the proxy's login for '{}' ({why})", who.user());
    SqlError::new(error.code(), error.state(), text)
}

/// `LOAD DATA LOCAL`: the proxy does not ask its clients for files.
pub(super) fn no_local_files() -> SqlError {
    let text = "Loading local data is disabled; this must be enabled on both the client and server sides";
    SqlError::of(ErrorKind::LocalFilesDisabled, text)
}

/// `CONNECTION_ID()` beside other things, at a server that does not let this account say what it is.
pub(super) fn no_connection_id(refusal: &SqlError) -> SqlError {
    SqlError::of(
        ErrorKind::NotSupportedYet,
        format!(
            "CONNECTION_ID() is answered by the proxy as a statement of its own only: the server refuses to take the client's \
             id ({})",
            refusal.message()
        ),
    )
}

/// A statement of the primary's asks about the one before it, which ran at this server.
pub(super) fn asks_elsewhere(address: &ServerAddress) -> SqlError {
    SqlError::of(
        ErrorKind::NotSupportedYet,
        format!(
            "This statement runs at the first server and asks about the one before it, which ran at '{address}': ask for \
             FOUND_ROWS(), ROW_COUNT() or warnings in a SELECT or SHOW of its own"
        ),
    )
}

/// The account was let in by somebody else than this proxy.
pub(super) fn no_account(who: &Principal) -> SqlError {
    SqlError::of(ErrorKind::AccessDenied, format!("The proxy has no account of its servers' for '{}'", who.user()))
}

/// There is no server to pass statements on to.
pub(super) fn no_servers() -> SqlError {
    SqlError::of(ErrorKind::UnreachableNode, "Unable to connect to a MySQL server: the proxy has none")
}

/// The server session is in a database, and its client in none.
pub(super) fn no_database() -> SqlError {
    SqlError::of(ErrorKind::NoDatabaseSelected, "No database selected")
}

/// A server's settings are not those that the client goes by.
pub(super) fn other_flags() -> SqlError {
    SqlError::of(ErrorKind::UnknownError, "Unknown error: the server's autocommit or sql_mode is not the session's")
}

/// Whether a server refuses a statement because it writes.
pub(super) fn is_of_a_write(error: &SqlError) -> bool {
    // ER_OPTION_PREVENTS_STATEMENT (read_only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    [1290, 1792].contains(&error.code())
}

/// What a server sent makes no sense, or nobody here knows it.
pub(super) fn malformed(what: &BackendError) -> SqlError {
    SqlError::of(ErrorKind::UnknownError, format!("Unknown error: the server's answer makes no sense ({what})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Privileges;

    #[test]
    fn a_client_does_not_hear_as_whom_the_proxy_logs_in() {
        let (address, alice) = (ServerAddress::Tcp("db".to_owned(), 3306), Principal::new("alice", Privileges::NONE));
        let full = not_let_in(&address, &alice, &SqlError::new(1040, "08004", "Too many connections"));
        assert_eq!(
            full.to_string(),
            "ERROR 1040 (08004): MySQL server 'db:3306' did not accept the proxy's login for 'alice' (Too many connections)"
        );
        for (code, state, text) in [
            (1045, "28000", "Access denied for user 'app'@'10.0.0.5' (using password: YES)"),
            (1130, "HY000", "Host '10.0.0.5' is not allowed to connect to this MySQL server"),
            (1203, "42000", "User app already has more than 'max_user_connections' active connections"),
            (1226, "42000", "User 'app' has exceeded the 'max_user_connections' resource (current value: 1)"),
        ] {
            let told = not_let_in(&address, &alice, &SqlError::new(code, state, text));
            assert_eq!((told.code(), told.state()), (code, state));
            assert!(!told.message().contains("app") && !told.message().contains("10.0.0.5"), "{told}");
            assert!(told.message().contains("'db:3306'") && told.message().contains("'alice'"), "{told}");
        }
    }
}
