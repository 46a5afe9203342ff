//! What a system's grammar takes: which comments are code, and which forms of the control statements there are. Plain
//! data; what the forms mean is in the parser.

/// What a server takes for code, and which forms of the control statements it knows.
///
/// Every system reads `/*! … */` as code, and `/*!50000 … */` (five or six digits) if its version is this or a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// The server's version as MySQL writes it in such comments: 80036 for 8.0.36, 101106 for MariaDB 10.11.6.
    pub version: u32,
    /// Whether `/*M! … */` and `/*M!100103 … */` are code too, as they are for MariaDB alone.
    ///
    /// MariaDB leaves out `/*!50700 … */` to `/*!99999 … */`, since these are written for a MySQL that it is not. So does
    /// a server with this flag if its version is a MariaDB's (100000 and above).
    pub mariadb_comments: bool,
    /// Whether `/*T! … */` and `/*T![feature,feature] … */` are code too, as they are for TiDB alone.
    ///
    /// TiDB takes every `/*!50000 … */` (five digits) for code, whatever its version; so does a server with this flag. It
    /// leaves out features that it does not know, of which this knows none: all are code.
    pub tidb_comments: bool,
    /// The forms of `KILL`.
    pub kill: KillForms,
    /// Whether `SET session_context = '…'` is the runtime's own: it names a session's statements (Doris: the trace id).
    pub session_context: bool,
    /// Whether there are `SHOW PROXYSESSION` and `KILL PROXYSESSION` (ODP).
    pub proxy_sessions: bool,
}

/// Which forms of `KILL` a grammar has beside `KILL [CONNECTION | QUERY] id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillForms {
    /// What may stand in the place of the id.
    pub ids: IdForms,
    /// MariaDB's `HARD`, `SOFT`, `USER name` and `QUERY ID n`.
    pub mariadb: bool,
    /// Whether a subquery or a function in the place of the id is refused with 1970, as MariaDB refuses the one and stored
    /// functions, rather than with MySQL's 1235.
    pub mariadb_errors: bool,
    /// TiDB's `KILL TIDB …`.
    pub tidb_keyword: bool,
    /// Whether a string in `KILL QUERY '…'` is the name of a statement, its query id or its trace id, and never a number
    /// (Doris).
    pub named_queries: bool,
    /// OceanBase's `ALTER SYSTEM KILL SESSION 'id[,serial#]'`.
    pub alter_system: bool,
}

/// What may stand in the place of the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForms {
    /// One value: a number, a string, `@x`, `?`, or `CONNECTION_ID()`. TiDB itself takes no strings and no variables, and
    /// Doris digits alone; their users ask for the others.
    Value,
    /// A constant expression (MySQL, MariaDB, OceanBase).
    Expression,
}

impl KillForms {
    /// `KILL [CONNECTION | QUERY] expression`, as MySQL has it.
    pub const MYSQL: Self = Self {
        ids: IdForms::Expression,
        mariadb: false,
        mariadb_errors: false,
        tidb_keyword: false,
        named_queries: false,
        alter_system: false,
    };
}

impl Syntax {
    /// MySQL 8.0.36.
    pub const MYSQL: Self = Self {
        version: 80_036,
        mariadb_comments: false,
        tidb_comments: false,
        kill: KillForms::MYSQL,
        session_context: false,
        proxy_sessions: false,
    };

    /// MariaDB 10.11.6.
    pub const MARIADB: Self = Self {
        version: 101_106,
        mariadb_comments: true,
        kill: KillForms { mariadb: true, mariadb_errors: true, ..KillForms::MYSQL },
        ..Self::MYSQL
    };

    /// Apache Doris, which calls itself 5.7.99.
    pub const DORIS: Self = Self {
        version: 50_799,
        kill: KillForms { ids: IdForms::Value, named_queries: true, ..KillForms::MYSQL },
        session_context: true,
        ..Self::MYSQL
    };

    /// OceanBase in MySQL mode, which calls itself 5.7.25.
    pub const OCEANBASE: Self =
        Self { version: 50_725, kill: KillForms { alter_system: true, ..KillForms::MYSQL }, ..Self::MYSQL };

    /// OceanBase's proxy, ODP. It stands before servers of any version: what is code for some of them is code for it, so that
    /// none of it is taken for a statement of nothing but comments, nor a `KILL` in it passed on.
    pub const ODP: Self = Self { proxy_sessions: true, ..Self::EVERY_VERSION };

    /// TiDB, which calls itself 8.0.11.
    pub const TIDB: Self = Self {
        version: 80_011,
        tidb_comments: true,
        kill: KillForms { ids: IdForms::Value, tidb_keyword: true, ..KillForms::MYSQL },
        ..Self::MYSQL
    };
}

impl Default for Syntax {
    /// [`Syntax::MYSQL`].
    fn default() -> Self {
        Self::MYSQL
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
    pub(super) const EVERY_VERSION: Self =
        Self { version: u32::MAX, mariadb_comments: true, tidb_comments: true, ..Self::MYSQL };

    /// Whether the comment whose text after `/*` is `rest` is code for some server, but none for this one.
    #[cfg(feature = "proxy")]
    pub(crate) fn hides(&self, rest: &[u8]) -> bool {
        let is_code = |syntax: &Self| matches!(syntax.open(rest), Opened::Code(_));
        is_code(&Self::EVERY_VERSION) && !is_code(self)
    }

    /// What the comment whose text after `/*` is `rest` is for this server.
    pub(super) fn open(&self, rest: &[u8]) -> Opened {
        let marker = match rest {
            [b'!', ..] => 1,
            [b'M', b'!', ..] if self.mariadb_comments => 2,
            [b'T', b'!', features @ ..] if self.tidb_comments => return Opened::Code(2 + listed(features)),
            _ => return Opened::Comment,
        };
        let every = self.version == u32::MAX;
        let most = if self.tidb_comments && !every { 5 } else { 6 };
        let digits = rest[marker..].iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        if digits < 5 {
            return Opened::Code(marker);
        }
        let version = rest[marker..marker + digits].iter().fold(0, |v, b| v * 10 + u32::from(b - b'0'));
        let is_mariadb = self.mariadb_comments && self.version >= 100_000 && !every;
        let for_mysql = is_mariadb && marker == 1 && (50_700..100_000).contains(&version);
        if !self.tidb_comments && (version > self.version || for_mysql) {
            return Opened::OtherVersion;
        }
        Opened::Code(marker + digits)
    }
}

/// How long the list of features that `text` begins with is: `[a,b_c]`. One that is not as TiDB has it is no list.
fn listed(text: &[u8]) -> usize {
    let Some(list) = text.strip_prefix(b"[") else { return 0 };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let Some(end) = list.iter().position(|b| !is_name(b) && *b != b',') else { return 0 };
    let whole = list[end] == b']' && list[..end].split(|b| *b == b',').all(|name| !name.is_empty());
    if whole { end + 2 } else { 0 }
}
