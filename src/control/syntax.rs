//! What depends on the server's version: which comments are code.

/// How a server reads the comments that are meant for some servers only.
///
/// `/*! … */` is always code; `/*!50000 … */` (five or six digits) is code for a server of this version or a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// The server's version as MySQL writes it in such comments: 80036 for 8.0.36, 101106 for MariaDB 10.11.6.
    pub version: u32,
    /// Whether `/*M! … */` and `/*M!100103 … */` are code too, as they are for MariaDB alone.
    ///
    /// MariaDB leaves out `/*!50700 … */` to `/*!99999 … */`, since these are written for a MySQL that it is not. So does
    /// a server with this flag if its version is a MariaDB's (100000 and above).
    pub mariadb_comments: bool,
}

impl Default for Syntax {
    /// MySQL 8.0.36.
    fn default() -> Self {
        Self { version: 80036, mariadb_comments: false }
    }
}

/// What a `/*` opens.
pub(super) enum Opened {
    /// Code, after this many bytes of marker and version.
    Code(usize),
    /// Code for another version; MySQL allows one level of comments within.
    OtherVersion,
    /// A comment.
    Comment,
}

impl Syntax {
    /// To this one, every executable comment is code.
    pub(super) const EVERY_VERSION: Self = Self { version: u32::MAX, mariadb_comments: true };

    /// What the comment whose text after `/*` is `rest` is for this server.
    pub(super) fn open(&self, rest: &[u8]) -> Opened {
        let marker = match rest {
            [b'!', ..] => 1,
            [b'M', b'!', ..] if self.mariadb_comments => 2,
            _ => return Opened::Comment,
        };
        let digits = rest[marker..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        if digits < 5 {
            return Opened::Code(marker);
        }
        let version = rest[marker..marker + digits].iter().fold(0, |v, b| v * 10 + u32::from(b - b'0'));
        let is_mariadb = self.mariadb_comments && self.version >= 100_000 && *self != Self::EVERY_VERSION;
        if version > self.version || (is_mariadb && marker == 1 && (50_700..100_000).contains(&version)) {
            return Opened::OtherVersion;
        }
        Opened::Code(marker + digits)
    }
}
