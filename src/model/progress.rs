//! How far a session has come on its way in.

use super::Reason;

/// How far a session has come on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Progress {
    /// Its client was greeted, and has said nothing yet that makes sense.
    Greeted,
    /// Its client has said who it is, and may have to prove it.
    Heard,
    /// There was no place for it: that is nobody's failure.
    Refused,
    /// It is logged in.
    In,
}

impl Progress {
    /// Whether a connection that ended here, for this reason, counts against its host: only if nothing that makes sense was
    /// heard of its client, and that was the client's doing. A password that is wrong does not count, as in MySQL.
    pub(crate) fn is_failure(self, reason: Reason) -> bool {
        self == Progress::Greeted && matches!(reason, Reason::ClientGone | Reason::LoginTimeout | Reason::Protocol)
    }
}
