//! What a client is told whose connection is closed for it, where the host wants every client to be told; pure.

use mysql_common::constants::CapabilityFlags;

use super::packet::{self, Peer};
use crate::model::{ErrorKind, Killed, Reason, SqlError};

/// The error for this reason.
pub(super) fn error(reason: Reason) -> SqlError {
    match reason {
        // MariaDB's; MySQL has none of its own.
        Reason::KillConnection => SqlError::connection_killed(),
        Reason::LoginTimeout | Reason::MadeRoom => {
            SqlError::of(ErrorKind::NetReadInterrupted, "Got timeout reading communication packets")
        }
        reason => Killed(reason).into(),
    }
}

/// Whether a close for this reason is told by itself. Who has left is not told, and who is closed for an error of its own,
/// or the engine's, was told by that.
pub(super) fn is_due(reason: Reason) -> bool {
    !reason.is_goodbye() && !matches!(reason, Reason::Protocol | Reason::Panic | Reason::NetWriteTimeout)
}

/// The packet for this reason, with this number. `heard`: the client has said of itself what it can read.
pub(super) fn packet(reason: Reason, mut sequence: u8, heard: bool) -> Vec<u8> {
    let known = if heard { CapabilityFlags::CLIENT_PROTOCOL_41 } else { CapabilityFlags::empty() };
    let mut out = Vec::new();
    packet::error(&mut out, &mut sequence, Peer(known), &error(reason));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_error() {
        let code = |reason| error(reason).code();
        assert_eq!(code(Reason::KillConnection), 1927);
        assert_eq!(code(Reason::KillOwnConnection), 1317);
        assert_eq!(code(Reason::Shutdown), 1053);
        assert_eq!(code(Reason::LoginTimeout), 1159);
    }

    #[test]
    fn what_was_told_already_is_not_told_again() {
        for due in [Reason::KillConnection, Reason::KillOwnConnection, Reason::Shutdown, Reason::LoginTimeout] {
            assert!(is_due(due), "{due:?}");
        }
        for told in [Reason::Protocol, Reason::Panic, Reason::Quit, Reason::ClientGone] {
            assert!(!is_due(told), "{told:?}");
        }
    }

    #[test]
    fn who_has_not_spoken_gets_no_sqlstate() {
        assert_eq!(packet(Reason::KillConnection, 0, false), b"\x18\0\0\0\xff\x87\x07Connection was killed");
        assert_eq!(packet(Reason::KillConnection, 2, true), b"\x1e\0\0\x02\xff\x87\x07#70100Connection was killed");
    }
}
