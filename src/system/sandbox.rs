//! An SQLite of one question's own: it holds the question's tables, reads them, and does nothing else.
//!
//! What it may use of memory: the tables are as large as they are given. A text or a row is bounded. What is sorted or
//! kept aside goes, beyond some megabytes, into SQLite's files in memory (its VFS `memdb`), never onto a disk; such a file
//! has at most a gibibyte, and long before, the question has done more work than it is allowed while it fills them. One
//! that reads several tables, or itself again, can keep aside far more than there is in them: it may do the less work the
//! longer the texts are that it handles.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    params_from_iter,
};

use super::{
    facts::{Facts, Stop},
    functions::{self, Environment},
    held::{Limits, weight},
    refusal::{no_such_table, unknown_column},
    table::Table,
    translate,
    value::{declared, to_sqlite},
};
use crate::model::{Killed, SqlError};

/// So many instructions come between two looks at whether the question is to end: some microseconds.
const INSTRUCTIONS: u16 = 1000;

/// So many instructions a question may do for each row of its tables while it keeps rows aside.
const FOR_EACH_ROW: u64 = 500;

/// What the instructions of a question may come to that keeps rows of several tables aside, times the bytes of the longest
/// text that it handles. A row takes five instructions and more.
const REACH: u64 = 2 << 30;

/// See the module's text.
pub(super) struct Sandbox {
    pub(super) connection: Connection,
    pub(super) environment: Arc<Environment>,
    /// It did more work than it may.
    pub(super) exhausted: Arc<AtomicBool>,
    /// It reads its own rows again.
    recursive: Arc<AtomicBool>,
    work: u64,
    /// What any question may do, and whether this one did more.
    instructions: u64,
    pub(super) endless: Arc<AtomicBool>,
    stop: Stop,
}

/// What can go wrong before the question is put.
pub(super) enum Failed {
    Sqlite(rusqlite::Error),
    Other(SqlError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Self::Other(error)
    }
}

impl Sandbox {
    /// With copies of these tables. The database of `facts` comes first: of two tables of a name it is the one whose
    /// needs no database before it. `views` are the names that the question gives to questions of its own, in small
    /// letters.
    ///
    /// # Errors
    /// SQLite's; a value that it does not have; or the reason for which the question is to end.
    pub(super) fn new(
        tables: &[Table],
        views: &HashSet<String>,
        facts: &Facts,
        stop: &Stop,
        limits: &Limits,
    ) -> Result<Self, Failed> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_in_memory_with_flags_and_vfs(flags, "memdb")?;
        connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA cache_size = -4096;")?;
        copy(&mut connection, tables, facts, stop)?;
        let longest_value = tables.iter().flat_map(|table| table.rows.iter().flatten()).map(weight).max().unwrap_or(0);
        let longest = (2 * longest_value).max(1 << 20).min(limits.result.max(1 << 10));
        let environment = Arc::new(Environment::new(facts.clone(), stop.clone(), longest));
        functions::install(&connection, &environment)?;
        let recursive = Arc::new(AtomicBool::new(false));
        lock(&mut connection, (known(tables), views.clone()), &environment, &recursive)?;
        let rows: usize = tables.iter().map(|table| table.rows.len()).sum();
        let work = limits.work.saturating_add(FOR_EACH_ROW.saturating_mul(rows as u64));
        let (instructions, stop) = (work.max(limits.instructions), stop.clone());
        let (exhausted, endless) = (Arc::default(), Arc::default());
        Ok(Self { connection, environment, exhausted, recursive, work, instructions, endless, stop })
    }

    /// Sees to it that the question ends when it is to. `sql` is the question in SQLite's words.
    ///
    /// # Errors
    /// SQLite's, of the question.
    pub(super) fn watch(&mut self, sql: &str) -> Result<(), Failed> {
        let program = self.program(sql)?;
        let work = if program.keeps_rows { self.work } else { u64::MAX };
        let (stop, exhausted, mut done) = (self.stop.clone(), Arc::clone(&self.exhausted), 0u64);
        let (instructions, endless) = (self.instructions, Arc::clone(&self.endless));
        let environment = Arc::clone(&self.environment);
        let handler = move || {
            done += u64::from(INSTRUCTIONS);
            let widest = environment.widest() as u64;
            let most = if program.keeps_rows && program.multiplies { work.min(REACH / widest) } else { work };
            exhausted.fetch_or(done > most, Ordering::Relaxed);
            let too_long = done.saturating_add(environment.work()) > instructions;
            endless.fetch_or(too_long, Ordering::Relaxed);
            done > most || too_long || stop.reason().is_some()
        };
        Ok(self.connection.progress_handler(INSTRUCTIONS.into(), Some(handler))?)
    }

    /// Looks at what SQLite makes of the question.
    fn program(&self, sql: &str) -> Result<Program, Failed> {
        let mut program = self.connection.prepare(&format!("EXPLAIN {sql}"))?;
        let (mut keeps_rows, mut tables) = (false, 0);
        let mut instructions = program.raw_query();
        while let Some(instruction) = instructions.next()? {
            let name: String = instruction.get(1)?;
            keeps_rows |= matches!(name.as_str(), "SorterOpen" | "OpenEphemeral");
            tables += u8::from(name == "OpenRead").min(u8::MAX - tables);
        }
        Ok(Program { keeps_rows, multiplies: tables > 1 || self.recursive.load(Ordering::Relaxed) })
    }
}

/// What a question does with memory.
#[derive(Clone, Copy)]
struct Program {
    /// It sorts rows, or keeps them in tables of its own.
    keeps_rows: bool,
    /// It can make more rows than its tables have.
    multiplies: bool,
}

/// The tables by database and name, with the longest text of each column, all in small letters.
type Known = HashMap<(String, String), HashMap<String, usize>>;

fn known(tables: &[Table]) -> Known {
    let mut known = Known::new();
    for table in tables {
        let name = (table.database.to_ascii_lowercase(), table.name.to_ascii_lowercase());
        let columns = table.columns.iter().enumerate().map(|(at, column)| {
            let longest = table.rows.iter().filter_map(|row| row.get(at)).map(weight).max().unwrap_or(0);
            (column.name.to_ascii_lowercase(), longest)
        });
        known.insert(name, columns.collect());
    }
    known
}

/// Makes the tables, and fills them.
fn copy(connection: &mut Connection, tables: &[Table], facts: &Facts, stop: &Stop) -> Result<(), Failed> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut databases: Vec<&str> = Vec::new();
    for table in tables {
        if !databases.iter().any(|known| known.eq_ignore_ascii_case(table.database)) {
            databases.push(table.database);
        }
    }
    let current = |name: &str| facts.database.as_deref().is_some_and(|current| current.eq_ignore_ascii_case(name));
    databases.sort_by_key(|name| !current(name));
    for database in databases {
        connection.execute_batch(&format!("ATTACH ':memory:' AS {}", quoted(database)))?;
    }
    let transaction = connection.transaction()?;
    for (place, table) in tables.iter().enumerate() {
        let columns: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{} {}", quoted(&column.name), declared(column, place, at)))
            .collect();
        let name = format!("{}.{}", quoted(table.database), quoted(table.name));
        transaction.execute_batch(&format!("CREATE TABLE {name} ({})", columns.join(", ")))?;
        let marks = vec!["?"; table.columns.len()].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {name} VALUES ({marks})"))?;
        for (nth, row) in table.rows.iter().enumerate() {
            if let Some(reason) = stop.reason().filter(|_| nth % 64 == 0) {
                return Err(SqlError::from(Killed(reason)).into());
            }
            let values = row.iter().map(to_sqlite).collect::<Result<Vec<_>, _>>()?;
            insert.execute(params_from_iter(values))?;
        }
    }
    Ok(transaction.commit()?)
}

/// From here on it reads these tables, and nothing else.
fn lock(
    connection: &mut Connection,
    (known, views): (Known, HashSet<String>),
    environment: &Arc<Environment>,
    recursive: &Arc<AtomicBool>,
) -> Result<(), Failed> {
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    let row = i32::try_from(environment.longest.saturating_mul(4)).unwrap_or(i32::MAX);
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, row),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 16 << 20),
        (Limit::SQLITE_LIMIT_COLUMN, 500),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 400),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    ] {
        connection.set_limit(limit, most)?;
    }
    let (environment, recursive) = (Arc::clone(environment), Arc::clone(recursive));
    connection.authorizer(Some(move |asked: AuthContext<'_>| {
        recursive.fetch_or(matches!(asked.action, AuthAction::Recursive), Ordering::Relaxed);
        match refused(&asked, &known, &views, &environment) {
            None => Authorization::Allow,
            Some(error) => {
                environment.fail(error);
                Authorization::Deny
            }
        }
    }))?;
    Ok(())
}

/// Why SQLite may not do this for a question, if it may not.
fn refused(
    asked: &AuthContext<'_>,
    known: &Known,
    views: &HashSet<String>,
    environment: &Environment,
) -> Option<SqlError> {
    let current = environment.facts.database.as_deref();
    match asked.action {
        AuthAction::Select | AuthAction::Recursive => None,
        AuthAction::Function { function_name } => {
            (!translate::is_function(function_name)).then(|| SqlError::no_such_function(current, function_name))
        }
        AuthAction::Read { table_name, column_name } => {
            let table = table_name.to_ascii_lowercase();
            let Some(database) = asked.database_name else {
                // None of its columns is read, and its database was not named.
                let is_known = views.contains(&table) || known.keys().any(|(_, name)| *name == table);
                let known = column_name.is_empty() && is_known;
                return (!known).then(|| no_such_table(table_name, current));
            };
            let Some(columns) = known.get(&(database.to_ascii_lowercase(), table)) else {
                // These two are SQLite's own, and mostly nobody named them.
                let database = if matches!(database, "main" | "temp") { current } else { Some(database) };
                return Some(SqlError::no_such_table(database, table_name));
            };
            let longest = columns.get(&column_name.to_ascii_lowercase());
            environment.handles(longest.copied().unwrap_or(1));
            (longest.is_none() && !column_name.is_empty()).then(|| unknown_column("rowid", "field list"))
        }
        _ => Some(SqlError::not_supported("anything but SELECT on the system tables")),
    }
}
