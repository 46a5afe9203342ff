//! How a system behaves as its users know it: what its grammar takes for code, who may see and kill whom, what its
//! lists look like, what it says to a killed client and to one who may not kill.
//!
//! One file per system, all of the same shape: its [`Rules`], the functions that they name, and the columns of its lists.
//! The rest of the crate asks a [`Dialect`], and never for the name of a system.

mod doris;
mod field;
mod line;
#[cfg(all(test, feature = "system-tables"))]
mod lists_tests;
mod mariadb;
mod mysql;
mod oceanbase;
mod odp;
mod proxy_session;
mod switches;
#[cfg(test)]
mod tests;
mod tidb;

use std::sync::Arc;

use crate::{
    control::{self, Syntax},
    id::{Layout, LayoutError, SessionId},
    model::{
        Column, ErrorKind, KillError, Killed, Origin, Principal, ProcessRow, Reason, SqlError, Tenant, Value, Warning,
    },
};

pub use line::{Node, View};
pub use switches::KillDenied;

pub(crate) use field::{Field, columns, row_of};
pub(crate) use proxy_session::{Inspected, SessionSetting, show_columns};

use line::Line;
use switches::Switches;

/// The database of the tables that no system has.
pub(crate) const KILLDEER: &str = "killdeer";

/// Its table of kills.
pub(crate) const KILL_HISTORY: &str = "kill_history";

/// Its table of the nodes of a cluster.
#[cfg(feature = "cluster")]
pub(crate) const NODES: &str = "nodes";

/// The rules of one system, as plain functions and data. Each file of this folder fills one in.
struct Rules {
    /// What the system is called, as `--dialect` options take it.
    name: &'static str,
    /// What clients are told of the server's version, unless the host says otherwise.
    server_version: &'static str,
    /// What its grammar takes for code, and which forms of `KILL` it has.
    syntax: Syntax,
    /// Its ids, for the server with this number.
    ids: fn(server: u32) -> Result<Layout, LayoutError>,
    /// The account that a login name stands for.
    account: fn(login: &str) -> (&str, Option<Tenant>),
    /// Whether `by` sees sessions of `owner`; `None`: of nobody yet, before login.
    may_see: fn(by: &Principal, owner: Option<&Principal>) -> bool,
    /// Whether `by` may kill sessions of `owner`, and their statements.
    may_kill: fn(by: &Principal, owner: Option<&Principal>) -> Verdict,
    /// What somebody is told who may not kill the session; whether that is since its account is protected
    /// ([`Verdict::Protected`]).
    denied: fn(id: SessionId, protected: bool) -> SqlError,
    /// What a client is told whose statement or session was ended for this reason.
    killed: fn(reason: Reason) -> SqlError,
    /// Whether `KILL CONNECTION` of oneself is answered OK before the connection is closed, not by an error.
    own_kill_is_ok: bool,
    /// Whether a client that was idle for too long is told so before its connection is closed (4031).
    tells_inactivity: bool,
    /// Whether its lists show how a session's last statement ended.
    shows_outcomes: bool,
    /// Whether a proxy may say which client a session is for, whose id lists show then.
    client_sessions: bool,
    /// The columns of `SHOW [FULL] PROCESSLIST`.
    processlist: fn(view: &View<'_>) -> &'static [Field],
    /// Whose sessions it shows.
    shows: Reach,
    /// What it has as a proxy, if it is one.
    proxy: Option<&'static Proxying>,
    /// The system tables about sessions that it has.
    tables: &'static [Table],
}

/// The rules of a system that is a proxy.
struct Proxying {
    /// The columns of `SHOW PROXYSESSION`.
    sessions: &'static [Field],
    /// Whether `by` may say `KILL PROXYSESSION`.
    operates: fn(by: &Principal) -> bool,
}

/// A system table with a row for each session.
pub(crate) struct Table {
    /// In lower case.
    pub(crate) database: &'static str,
    /// In lower case.
    pub(crate) name: &'static str,
    /// Its columns.
    #[cfg_attr(not(feature = "system-tables"), expect(dead_code, reason = "read by the system tables alone"))]
    pub(crate) fields: fn(view: &View<'_>) -> &'static [Field],
    /// Whose sessions are in it.
    #[cfg_attr(not(feature = "system-tables"), expect(dead_code, reason = "read by the system tables alone"))]
    pub(crate) reach: Reach,
}

/// Whose sessions a list shows, on a node of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// That node's.
    Node,
    /// All nodes'.
    Cluster,
    /// That node's, or all nodes' if the session has said so (Doris: show_all_fe_connection).
    Chosen,
}

/// Whether a kill is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// It is not, and the requester is told so.
    Denied,
    /// The same: the requester may kill others' sessions, and not those of this protected account.
    Protected,
    /// It is not, and the requester is not to know that there is such a session.
    Unseen,
}

impl Verdict {
    /// Allowed, or else denied openly.
    const fn of(allowed: bool) -> Self {
        if allowed { Self::Allowed } else { Self::Denied }
    }
}

/// What whoever asked for a kill is told of one that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillAnswer {
    /// This error.
    Error(SqlError),
    /// OK, with this warning if there is one.
    Lenient(Option<Warning>),
}

/// The behaviour of one system, as a value: a server is given one when it is built.
#[derive(Clone, Copy)]
pub struct Dialect {
    rules: &'static Rules,
    comment_version: u32,
    switches: Switches,
}

impl Dialect {
    /// The systems that there are, by the names that [`Dialect::named`] takes.
    pub const NAMES: [&'static str; 6] = ["mysql", "mariadb", "doris", "oceanbase", "tidb", "odp"];

    const fn of(rules: &'static Rules) -> Self {
        Self { comment_version: rules.syntax.version, rules, switches: Switches::DEFAULT }
    }

    /// MySQL 8.0, with MariaDB's further forms of `KILL`.
    pub const fn mysql() -> Self {
        Self::of(&mysql::RULES)
    }

    /// MariaDB 10.11.
    pub const fn mariadb() -> Self {
        Self::of(&mariadb::RULES)
    }

    /// Apache Doris.
    pub const fn doris() -> Self {
        Self::of(&doris::RULES)
    }

    /// OceanBase, in its MySQL mode.
    pub const fn oceanbase() -> Self {
        Self::of(&oceanbase::RULES)
    }

    /// TiDB.
    pub const fn tidb() -> Self {
        Self::of(&tidb::RULES)
    }

    /// ODP, OceanBase's proxy: a server whose sessions are for clients of servers behind it.
    pub const fn odp() -> Self {
        Self::of(&odp::RULES)
    }

    /// The dialect of this name, one of [`Dialect::NAMES`], in any case.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::mysql(), Self::mariadb(), Self::doris(), Self::oceanbase(), Self::tidb(), Self::odp()];
        all.into_iter().find(|dialect| dialect.name().eq_ignore_ascii_case(name))
    }

    /// The same, where executable comments are code up to another version, such as 80400 (`/*!80400 … */`). What clients are
    /// told of the version does not change.
    #[must_use]
    pub const fn comment_version(self, comment_version: u32) -> Self {
        Self { comment_version, ..self }
    }

    /// What the system is called.
    pub fn name(&self) -> &'static str {
        self.rules.name
    }

    /// What clients are told of the server's version, unless the host says otherwise.
    pub fn server_version(&self) -> &'static str {
        self.rules.server_version
    }

    /// What its grammar takes for code, and which control statements it has.
    pub fn syntax(&self) -> Syntax {
        Syntax { version: self.comment_version, ..self.rules.syntax }
    }

    /// The ids that the system gives out, on the server with this number, which counts where the system's ids carry
    /// one.
    ///
    /// # Errors
    /// A number that the system's ids cannot carry.
    pub fn ids(&self, server: u32) -> Result<Layout, LayoutError> {
        (self.rules.ids)(server)
    }

    /// The user, and the tenant where the system has tenants, that a login name stands for.
    pub fn account<'a>(&self, login: &'a str) -> (&'a str, Option<Tenant>) {
        (self.rules.account)(login)
    }

    /// Whether `by` sees sessions of `owner`; `None`: of nobody yet, before login.
    pub fn may_see(&self, by: &Principal, owner: Option<&Principal>) -> bool {
        (self.rules.may_see)(by, owner)
    }

    /// Whether `by` may kill sessions of `owner`, and their statements. What the answer costs does not depend on the
    /// answer, or an id could be probed by the time that it takes.
    pub fn may_kill(&self, by: &Principal, owner: Option<&Principal>) -> Verdict {
        let verdict = (self.rules.may_kill)(by, owner);
        let seen = self.may_see(by, owner);
        match verdict {
            Verdict::Denied | Verdict::Protected if !seen && self.switches.kill_denied == KillDenied::Hidden => {
                Verdict::Unseen
            }
            other => other,
        }
    }

    /// What a client is told whose statement or session was ended for this reason; `killer`: from where it was killed,
    /// if that is known.
    pub fn killed(&self, reason: Reason, killer: Option<Origin>) -> SqlError {
        match killer {
            Some(from) if self.switches.cancel_text && reason == Reason::KillQuery => SqlError::cancelled_from(from),
            _ => (self.rules.killed)(reason),
        }
    }

    /// Whether a client that ends its own connection is told OK, rather than an error.
    pub fn own_kill_is_ok(&self) -> bool {
        self.rules.own_kill_is_ok
    }

    /// Whether a client that was idle for too long is told so before its connection is closed: by MySQL alone (8.0.24: 4031).
    pub fn tells_inactivity(&self) -> bool {
        self.rules.tells_inactivity
    }

    /// Whether an error says from where a statement was killed.
    pub(crate) fn tells_killers(&self) -> bool {
        self.switches.cancel_text
    }

    /// Whether a list shows how the last statement ended.
    pub(crate) fn shows_outcomes(&self) -> bool {
        self.rules.shows_outcomes
    }

    /// Whether a proxy may say which client a session is for.
    pub(crate) fn has_client_sessions(&self) -> bool {
        self.rules.client_sessions
    }

    /// Whether a `KILL` of this form is carried out at all on a server like this.
    ///
    /// # Errors
    /// TiDB without global kill: only with the keyword `TIDB`, unless `compatible-kill-query` is on.
    pub fn accepts(&self, kill: &control::Kill) -> Result<(), KillAnswer> {
        let Switches { global_kill, compatible_kill_query, .. } = self.switches;
        if !self.syntax().kill.tidb_keyword || global_kill || compatible_kill_query || kill.tidb {
            return Ok(());
        }
        Err(tidb::not_compatible(self.switches.lenient_kill))
    }

    /// What whoever asked for a kill is told of one that was not carried out.
    pub fn kill_answer(&self, error: &KillError, ids: &Layout) -> KillAnswer {
        match error {
            KillError::UnknownSession(id) if self.switches.lenient_kill => tidb::lenient(id, ids),
            KillError::NotOwner(id) => KillAnswer::Error((self.rules.denied)(*id, false)),
            KillError::Protected(id) => KillAnswer::Error((self.rules.denied)(*id, true)),
            other => KillAnswer::Error(other.clone().into()),
        }
    }

    /// What whoever asked is told of a `KILL` whose argument is no id at all.
    ///
    /// # Errors
    /// The error that says so, unless the answers are lenient.
    pub fn not_an_id(&self, error: SqlError) -> Result<Warning, SqlError> {
        match self.switches.lenient_kill && error.code() == ErrorKind::UnknownThread.code().0 {
            true => Ok(tidb::unreadable(&error)),
            false => Err(error),
        }
    }

    /// The columns of `SHOW [FULL] PROCESSLIST`.
    pub fn process_columns(&self, view: &View<'_>) -> Arc<[Column]> {
        columns(self.process_fields(view)).into()
    }

    /// A row of `SHOW [FULL] PROCESSLIST`, in the order of those columns.
    pub fn process_row(&self, view: &View<'_>, row: &ProcessRow, emit: impl FnMut(&[Value<'_>])) {
        row_of(self.process_fields(view), view, &row.into(), emit);
    }

    /// Whose sessions `SHOW PROCESSLIST` shows.
    pub(crate) fn shows(&self) -> Reach {
        self.rules.shows
    }

    /// The columns of `SHOW [FULL] PROCESSLIST`.
    pub(crate) fn process_fields(&self, view: &View<'_>) -> &'static [Field] {
        (self.rules.processlist)(&self.switched(view))
    }

    /// The columns of `SHOW PROXYSESSION`; none where there is no such statement.
    pub(crate) fn proxy_fields(&self) -> &'static [Field] {
        self.rules.proxy.map_or(&[], |proxy| proxy.sessions)
    }

    /// Whether `by` may say `KILL PROXYSESSION`, where there is such a statement; what it may end by that,
    /// [`Dialect::may_kill`] says.
    pub fn may_operate(&self, by: &Principal) -> bool {
        self.rules.proxy.is_some_and(|proxy| (proxy.operates)(by))
    }

    /// The databases in which its system tables are, in order.
    pub fn system_databases(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.system_tables().into_iter().map(|(database, _)| database).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The system tables that a `SELECT` can name where the feature `system-tables` is on, each with its database. In lower
    /// case; their case does not matter.
    pub fn system_tables(&self) -> Vec<(&'static str, &'static str)> {
        let tables = self.rules.tables.iter().map(|table| (table.database, table.name));
        let own = [
            (KILLDEER, KILL_HISTORY),
            #[cfg(feature = "cluster")]
            (KILLDEER, NODES),
        ];
        tables.chain(own).collect()
    }

    /// Whether it is a proxy: a server whose sessions are for clients of servers behind it.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_proxy(&self) -> bool {
        self.rules.proxy.is_some()
    }

    /// Whether accounts belong to tenants.
    pub fn has_tenants(&self) -> bool {
        self.account("").1.is_some()
    }

    /// The system tables about sessions.
    #[cfg(feature = "system-tables")]
    pub(crate) fn tables(&self) -> &'static [Table] {
        self.rules.tables
    }

    /// The columns of a system table.
    #[cfg(feature = "system-tables")]
    pub(crate) fn table_fields(&self, table: &Table, view: &View<'_>) -> &'static [Field] {
        (table.fields)(&self.switched(view))
    }

    fn switched<'a>(&self, view: &View<'a>) -> View<'a> {
        View { trace_column: self.switches.trace_column, ..*view }
    }
}

impl std::fmt::Debug for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialect({} {})", self.rules.name, self.comment_version)
    }
}

/// 1317 and its like, as MySQL has them.
fn killed(reason: Reason) -> SqlError {
    Killed(reason).into()
}

/// A login name that is the user's.
fn plain_account(login: &str) -> (&str, Option<Tenant>) {
    (login, None)
}
