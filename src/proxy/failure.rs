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
            Failure::Server(error) => error,
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

/// The account was let in by somebody else than this proxy.
pub(super) fn no_account(who: &Principal) -> SqlError {
    SqlError::of(ErrorKind::AccessDenied, format!("The proxy has no account of its servers' for '{}'", who.user()))
}

/// There is no server to pass statements on to.
pub(super) fn no_servers() -> SqlError {
    SqlError::of(ErrorKind::UnreachableNode, "Unable to connect to a MySQL server: the proxy has none")
}

/// What a server sent makes no sense.
pub(super) fn malformed(what: &BackendError) -> SqlError {
    SqlError::of(ErrorKind::UnknownError, format!("Unknown error: the server's answer makes no sense ({what})"))
}
