//! How a system behaves as its users know it: what its grammar takes for code, who may see and kill whom, what its
//! lists look like. One file per system; the rest of the crate asks a [`Dialect`], and never for the name of a system.

mod mysql;

use std::sync::Arc;

use crate::{
    control::{KillForms, Syntax},
    model::{Column, Principal, ProcessRow, Value},
};

/// Takes the values of a row.
type Emit<'a> = &'a mut dyn FnMut(&[Value<'_>]);

/// The rules of one system, as plain functions and data. Each file of this folder fills one in.
struct Rules {
    name: &'static str,
    version: u32,
    mariadb_comments: bool,
    may_see: fn(by: &Principal, owner: Option<&Principal>) -> bool,
    may_kill: fn(by: &Principal, owner: Option<&Principal>) -> bool,
    process_columns: fn(full: bool) -> Vec<Column>,
    process_row: fn(row: &ProcessRow, full: bool, emit: Emit<'_>),
}

/// The behaviour of one system, as a value: a server is given one when it is built.
#[derive(Clone, Copy)]
pub struct Dialect {
    rules: &'static Rules,
    version: u32,
}

impl Dialect {
    /// MySQL 8.0, with MariaDB's further forms of `KILL`.
    pub const fn mysql() -> Self {
        Self { rules: &mysql::RULES, version: mysql::RULES.version }
    }

    /// The same, for another version of the system, such as 80400: executable comments go by it.
    #[must_use]
    pub const fn version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// What the system is called.
    pub fn name(&self) -> &'static str {
        self.rules.name
    }

    /// What its grammar takes for code.
    pub fn syntax(&self) -> Syntax {
        // The forms of KILL that MariaDB added come with its comments.
        let kill = KillForms { mariadb: self.rules.mariadb_comments, ..KillForms::MYSQL };
        Syntax { version: self.version, mariadb_comments: self.rules.mariadb_comments, kill, ..Syntax::MYSQL }
    }

    /// Whether `by` sees sessions of `owner`; `None`: of nobody yet, before login.
    pub fn may_see(&self, by: &Principal, owner: Option<&Principal>) -> bool {
        (self.rules.may_see)(by, owner)
    }

    /// Whether `by` may kill sessions of `owner`, and their statements.
    pub fn may_kill(&self, by: &Principal, owner: Option<&Principal>) -> bool {
        (self.rules.may_kill)(by, owner)
    }

    /// The columns of `SHOW [FULL] PROCESSLIST`.
    pub fn process_columns(&self, full: bool) -> Arc<[Column]> {
        (self.rules.process_columns)(full).into()
    }

    /// A row of `SHOW [FULL] PROCESSLIST`, in the order of those columns.
    pub fn process_row(&self, row: &ProcessRow, full: bool, emit: impl FnMut(&[Value<'_>])) {
        let mut emit = emit;
        (self.rules.process_row)(row, full, &mut emit);
    }
}

impl std::fmt::Debug for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialect({} {})", self.rules.name, self.version)
    }
}
