//! Why a statement or a session was ended.

/// Why a statement or a session was ended before its time.
///
/// The first reason that reaches a statement stays its reason: a statement stopped by `KILL QUERY` does not turn into
/// one stopped by a shutdown that came a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Reason {
    /// `KILL QUERY` (or Ctrl-C in a client): the statement ends with 1317, the session lives.
    KillQuery = 2,
    /// `KILL [CONNECTION]` by another session: the connection is closed without a word, as MySQL does.
    KillConnection = 3,
    /// `KILL [CONNECTION]` of one's own id: 1317 first, then the close.
    KillOwnConnection = 4,
    /// The statement ran longer than its time limit: 3024.
    ExecutionTime = 5,
    /// The server is being shut down: a running statement ends with 1053, then the close; an idle client is closed
    /// without a word.
    Shutdown = 6,
    /// The client's connection is gone: nobody is left to answer.
    ClientGone = 7,
    /// Whoever asked in process dropped the results, or the future that waited for them: 1317.
    Abandoned = 8,
    /// The engine panicked: 1105, then the close, since the engine's state is unknown.
    Panic = 9,
    /// The client did not finish its login in time.
    LoginTimeout = 10,
    /// The peer broke the protocol, or its login was refused; it was told so, then the connection is closed.
    Protocol = 11,
    /// The client said goodbye (`COM_QUIT`), or the last handle of an in-process session was dropped.
    Quit = 12,
    /// The statement ran longer than MariaDB's limit for all statements: 1969.
    StatementTime = 13,
    /// The session was idle for longer than its `wait_timeout`. MySQL (8.0.24) says 4031 before it closes, MariaDB closes
    /// without a word.
    WaitTimeout = 14,
    /// The session was idle in an open transaction for longer than it may; closed as [`Reason::WaitTimeout`].
    IdleTransaction = 15,
    /// The client left rows unread for longer than `net_write_timeout`: it is closed without a word, which it would not
    /// read.
    NetWriteTimeout = 16,
    /// Its client had waited with its login for a second or more while all places before login were taken, and made room for
    /// another.
    MadeRoom = 17,
    /// The node may have lost its place in the cluster (MySQL's offline_mode: 3032): a running statement ends with it, then
    /// the close; an idle client is told so first.
    Offline = 18,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 17] = [
        Reason::KillQuery,
        Reason::KillConnection,
        Reason::KillOwnConnection,
        Reason::ExecutionTime,
        Reason::Shutdown,
        Reason::ClientGone,
        Reason::Abandoned,
        Reason::Panic,
        Reason::LoginTimeout,
        Reason::Protocol,
        Reason::Quit,
        Reason::StatementTime,
        Reason::WaitTimeout,
        Reason::IdleTransaction,
        Reason::NetWriteTimeout,
        Reason::MadeRoom,
        Reason::Offline,
    ];

    /// A small number for it, from 2 to 127; it fits into a session's state word beside the phases 0 and 1.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The reason with this number.
    pub fn from_code(code: u8) -> Option<Reason> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }

    /// Whether a client whose connection is closed for it is told so first. A kill by somebody else closes without a
    /// word, as MySQL does.
    pub fn is_told(self) -> bool {
        use Reason::{KillOwnConnection, Offline, Panic, Protocol, Shutdown};
        matches!(self, KillOwnConnection | Shutdown | Panic | Protocol | Offline)
    }

    /// Whether the server as a whole ends its sessions: whoever has asked for something by then is told so.
    pub fn is_of_server(self) -> bool {
        matches!(self, Reason::Shutdown | Reason::Offline)
    }

    /// Whether the client has done nothing for too long.
    pub fn is_inactivity(self) -> bool {
        matches!(self, Reason::WaitTimeout | Reason::IdleTransaction)
    }

    /// Whether the client itself has left.
    pub fn is_goodbye(self) -> bool {
        matches!(self, Reason::Quit | Reason::ClientGone)
    }

    /// A short name for logs and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::KillQuery => "kill query",
            Reason::KillConnection => "kill connection",
            Reason::KillOwnConnection => "killed itself",
            Reason::ExecutionTime => "execution time exceeded",
            Reason::Shutdown => "shutdown",
            Reason::ClientGone => "client gone",
            Reason::Abandoned => "results dropped",
            Reason::Panic => "panic in the engine",
            Reason::LoginTimeout => "login timed out",
            Reason::Protocol => "refused",
            Reason::Quit => "quit",
            Reason::StatementTime => "statement time exceeded",
            Reason::WaitTimeout => "idle for too long",
            Reason::IdleTransaction => "idle in a transaction for too long",
            Reason::NetWriteTimeout => "rows left unread for too long",
            Reason::MadeRoom => "made room for others before its login",
            Reason::Offline => "the node lost its place in the cluster",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_code() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
        }
        assert_eq!(Reason::from_code(0), None);
        assert_eq!(Reason::from_code(1), None);
    }
}
