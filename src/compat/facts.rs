//! What the server knows of itself and of the session that asks.

use crate::{
    engine::SettingValues,
    model::{CharacterSets, Encryption, Privileges},
};

/// What the server knows of itself and of the session that asks. Cheap to make: everything is borrowed.
///
/// ```
/// # use killdeer::compat::Facts;
/// let facts = Facts { version: "8.0.36-mine", connection_id: 7, user: "app@10.0.0.1", ..Facts::default() };
/// ```
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// `VERSION()` and `@@version`. Clients read MySQL's version from its start.
    pub version: &'a str,
    /// `@@version_comment`.
    pub version_comment: &'a str,
    /// `CONNECTION_ID()`.
    pub connection_id: u64,
    /// `USER()`: the name that the client gave, `@`, and the host that it comes from.
    pub user: &'a str,
    /// `CURRENT_USER()`: the account that matched at login.
    pub current_user: &'a str,
    /// What that account may do, for `SHOW GRANTS`.
    pub privileges: Privileges,
    /// The current database.
    pub database: Option<&'a str>,
    /// All databases that this account may see.
    pub databases: &'a [&'a str],
    /// All tables that this account may see. `None`: the server lists its tables itself, and every statement about
    /// tables is left to it.
    pub tables: Option<&'a [Table<'a>]>,
    /// What this client writes and reads, as its session knows it: for one that has chosen when it logged in.
    pub character_sets: CharacterSets,
    /// The server's own values of global system variables (`max_allowed_packet`, `wait_timeout`, `hostname`), in place
    /// of MySQL's defaults. A name that MySQL does not have becomes a read-only variable.
    pub variables: &'a [(&'a str, &'a str)],
    /// The runtime's settings ([`StatementContext::settings`](crate::StatementContext::settings)): `@@wait_timeout` and the
    /// like show what holds. `None`: MySQL's defaults are shown, and those that MySQL has not are no variables.
    pub settings: Option<&'a SettingValues>,
    /// How the connection is encrypted, if it is: `Ssl_cipher` and `Ssl_version` of `SHOW STATUS`.
    pub encryption: Option<&'static Encryption>,
    /// The counters of `SHOW STATUS`; asked for only when a client asks.
    pub status: &'a dyn Fn() -> Vec<(String, String)>,
    /// Whether this account may change global variables. It is told 1235 then, since they are not changeable here;
    /// otherwise 1227.
    pub may_set_global: bool,
}

/// One table of [`Facts::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// The database that it is in.
    pub database: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl Default for Facts<'_> {
    /// A server that calls itself 8.0.36, without databases and tables, asked by nobody.
    fn default() -> Self {
        Self {
            version: "8.0.36",
            version_comment: "",
            connection_id: 0,
            user: "",
            current_user: "",
            privileges: Privileges::NONE,
            database: None,
            databases: &[],
            tables: Some(&[]),
            character_sets: CharacterSets::default(),
            variables: &[],
            settings: None,
            encryption: None,
            status: &Vec::new,
            may_set_global: false,
        }
    }
}

impl Facts<'_> {
    /// The server's own value of the global variable `name`.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

impl std::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("version", &self.version)
            .field("connection_id", &self.connection_id)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
