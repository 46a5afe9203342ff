//! A server behind the proxy: it has transactions, statements that take as long as a test wants, and remembers what it was
//! told.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    Column, ColumnType, Done, Engine, EngineSession, Login, OnKill, OwnedValue, Params, Prepared, Principal,
    Privileges, Reason, RowSink, SqlError, Statement, StatementContext, Value,
};

/// What one server knows.
#[derive(Default)]
pub(super) struct Behind {
    /// Its name.
    pub(super) name: String,
    said: Mutex<Vec<String>>,
    committed: Mutex<Vec<String>>,
    /// Its own settings, with which sessions begin.
    pub(super) autocommit_off: AtomicBool,
    pub(super) no_backslash_escapes: AtomicBool,
    /// What it does not have: a database of this name, and what stands in a `SET`, with the error for that.
    lacks: Mutex<Option<(String, u16)>>,
    /// Told when a statement begins to take long.
    pub(super) long: Notify,
    /// Ends those that are not ended by kills.
    pub(super) release: Notify,
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Behind {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The statements that clients sent here, but for those that the proxy sends of its own accord.
    pub(super) fn said(&self) -> Vec<String> {
        let own = |sql: &String| {
            sql.contains("session_track_system_variables") || sql.contains("READ ONLY") || sql.contains("Uptime")
        };
        locked(&self.said).iter().filter(|sql| !own(sql)).cloned().collect()
    }

    /// All statements, in their order.
    pub(super) fn all_said(&self) -> Vec<String> {
        locked(&self.said).clone()
    }

    /// A database of this name is not there, nor a variable: whoever names it is told this error. `None`: all is there.
    pub(super) fn lacks(&self, what: Option<(&str, u16)>) {
        *locked(&self.lacks) = what.map(|(name, code)| (name.to_owned(), code));
    }

    /// The error, if this names what is not there.
    fn lacking(&self, text: &str) -> Result<(), SqlError> {
        match &*locked(&self.lacks) {
            Some((name, code)) if text.contains(name) => Err(SqlError::new(*code, "HY000", format!("no {name}"))),
            _ => Ok(()),
        }
    }

    /// What was committed.
    pub(super) fn committed(&self) -> Vec<String> {
        locked(&self.committed).clone()
    }
}

/// The server as an engine.
pub(super) struct BehindEngine(pub(super) Arc<Behind>);

/// One connection to it.
pub(super) struct BehindSession {
    behind: Arc<Behind>,
    /// What the open transaction has written.
    open: Option<Vec<String>>,
    autocommit: bool,
    no_backslash_escapes: bool,
    read_only: bool,
    /// The collation that a `SET` has named last.
    collation: String,
    /// The last variable that was set: as it is quoted, and its value.
    variable: (String, String),
}

impl Engine for BehindEngine {
    type Session = BehindSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        Ok(Principal::new(login.user.clone(), Privileges::NONE))
    }

    async fn open(&self, _: &Arc<Principal>) -> Result<BehindSession, SqlError> {
        Ok(BehindSession {
            open: None,
            autocommit: !self.0.autocommit_off.load(Relaxed),
            no_backslash_escapes: self.0.no_backslash_escapes.load(Relaxed),
            read_only: false,
            collation: String::new(),
            variable: Default::default(),
            behind: Arc::clone(&self.0),
        })
    }
}

impl BehindSession {
    fn done(&self) -> Done {
        let Self { autocommit, no_backslash_escapes, .. } = *self;
        Done { in_transaction: self.open.is_some(), autocommit, no_backslash_escapes, ..Done::default() }
    }

    /// A `SET`, of whatever it assigns.
    fn set(&mut self, sql: &str) -> Result<(), SqlError> {
        self.behind.lacking(sql)?;
        let last = |on: &str, off: &str| sql.rfind(on).map(|at| sql.rfind(off).is_none_or(|other| other < at));
        if let Some(on) = last("autocommit = 1", "autocommit = 0").or(sql.contains("autocommit = 0").then_some(false)) {
            self.autocommit = on;
        }
        if sql.contains("_read_only = 0") {
            self.read_only = false;
        }
        if let Some((_, named)) = sql.rsplit_once("collation_connection = ") {
            self.collation = named.to_owned();
        }
        if sql.contains("sql_mode") {
            self.no_backslash_escapes = sql.contains("NO_BACKSLASH_ESCAPES");
        }
        Ok(())
    }

    fn write(&mut self, what: &str) {
        if !self.autocommit {
            self.open.get_or_insert_default();
        }
        match &mut self.open {
            Some(open) => open.push(what.to_owned()),
            None => locked(&self.behind.committed).push(what.to_owned()),
        }
    }

    fn commit(&mut self) {
        let open = self.open.take().unwrap_or_default();
        locked(&self.behind.committed).extend(open);
    }
}

/// One column of text with these values.
fn texts(out: &mut RowSink, values: &[&str]) -> Result<(), SqlError> {
    out.columns([Column::new("text", ColumnType::VarChar)])?;
    for value in values {
        out.row(&[Value::Text(value)])?;
    }
    Ok(())
}

impl EngineSession for BehindSession {
    const ON_KILL: OnKill = OnKill::Finish;

    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        let sql = st.sql_lossy().into_owned();
        let shown = match &st.params {
            Some(Params(values)) => format!("{sql} {values:?}"),
            None => sql.clone(),
        };
        locked(&self.behind.said).push(shown);
        let words: Vec<&str> = sql.split_whitespace().collect();
        match &*words {
            ["BEGIN"] => self.open = Some(Vec::new()),
            ["COMMIT"] => self.commit(),
            ["ROLLBACK"] => self.open = None,
            ["CALL", "FAILS"] => {
                self.open = Some(vec!["called".to_owned()]);
                return Err(SqlError::new(1644, "45000", "Unhandled user-defined exception condition"));
            }
            ["INSERT", what] => {
                let database = st.database.clone().or_else(|| cx.database());
                let value = st.params.as_ref().and_then(|Params(values)| values.first()?.text());
                let what = value.as_deref().unwrap_or(what);
                self.write(&database.map_or_else(|| what.to_owned(), |name| format!("{name}.{what}")));
            }
            ["USE", name] => cx.set_database(Some(name)),
            ["UPDATE", "same"] => {
                let affected = if cx.counts_found_rows() { 1 } else { 0 };
                return Ok(Done { affected, ..self.done() });
            }
            ["SET", variable, "=", value] if variable.starts_with('@') && !variable.starts_with("@@") => {
                self.variable = (format!("@`{}`", &variable[1..]), value.trim_matches('\'').to_owned());
            }
            ["SET", "SESSION", "TRANSACTION", "READ", how] => self.read_only = *how == "ONLY",
            ["SET", ..] => self.set(&sql)?,
            ["SHOW", "GLOBAL", "STATUS", ..] => {
                out.columns([
                    Column::new("Variable_name", ColumnType::VarChar),
                    Column::new("Value", ColumnType::Text),
                ])?;
                out.row(&[Value::Text("Uptime"), Value::Text("86400")])?;
            }
            // Reads from a view that calls a function that writes.
            ["SELECT", "SNEAKY"] if self.read_only => {
                return Err(SqlError::new(1792, "25006", "Cannot execute statement in a READ ONLY transaction"));
            }
            ["SELECT", "SNEAKY"] => {
                self.write("sneaky");
                texts(out, &["sneaky"])?;
            }
            ["SELECT", variable] if *variable == self.variable.0 => texts(out, &[&self.variable.1])?,
            ["SELECT", .., "SLEEP"] => {
                self.behind.long.notify_one();
                cx.killed().await;
                return Err(SqlError::interrupted());
            }
            // Sees no kill.
            ["SELECT", "DEAF"] => {
                self.behind.long.notify_one();
                self.behind.release.notified().await;
                texts(out, &["deaf"])?;
            }
            ["SELECT", "COLLATIONS"] => texts(out, &[&cx.login_collation().to_string(), &self.collation])?,
            ["SELECT", "WHO"] => texts(out, &[&self.behind.name, &cx.session().to_string()])?,
            ["SELECT", "MANY", many] => {
                out.columns([Column::new("number", ColumnType::BigInt), Column::new("text", ColumnType::VarChar)])?;
                for number in 0..many.parse::<i64>().unwrap() {
                    if out.row(&[Value::Int(number), Value::Text("some text that takes its room")])? {
                        self.behind.long.notify_one();
                        out.ready().await?;
                    }
                }
            }
            ["SELECT", "LONG", length] => texts(out, &[&"x".repeat(length.parse().unwrap()), "behind it"])?,
            ["SELECT", "TWO"] => {
                texts(out, &["first"])?;
                texts(out, &["second"])?;
            }
            ["SELECT", ..] => match &st.params {
                Some(Params(values)) => {
                    out.columns(vec![Column::new("value", ColumnType::VarChar); values.len().max(1)])?;
                    let texts: Vec<_> = values.iter().map(|value| value.text().unwrap_or_default()).collect();
                    let row: Vec<Value<'_>> = texts.iter().map(|text| Value::Text(text)).collect();
                    out.row(if row.is_empty() { &[Value::Null] } else { &row })?;
                }
                None => texts(out, &words[1..])?,
            },
            ["FAIL"] => return Err(SqlError::new(1062, "23000", "Duplicate entry 'x' for key 'PRIMARY'")),
            ["FAIL", "ALL"] => {
                self.open = None;
                return Err(SqlError::new(1213, "40001", "Deadlock found when trying to get lock"));
            }
            _ => {}
        }
        Ok(self.done())
    }

    async fn prepare(&mut self, _: &StatementContext, sql: &Bytes) -> Result<Prepared, SqlError> {
        locked(&self.behind.said).push(format!("PREPARE {}", String::from_utf8_lossy(sql)));
        let params = sql.iter().filter(|byte| **byte == b'?').count();
        let columns = if sql.starts_with(b"SELECT") { params.max(1) } else { 0 };
        Ok(Prepared {
            params: vec![Column::new("?", ColumnType::VarChar); params],
            columns: vec![Column::new("value", ColumnType::VarChar); columns],
        })
    }

    async fn fields(&mut self, _: &StatementContext, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
        Ok(vec![Column::new(format!("{table}/{pattern}"), ColumnType::Int)])
    }

    async fn use_database(&mut self, _: &StatementContext, name: &str) -> Result<(), SqlError> {
        locked(&self.behind.said).push(format!("USE {name}"));
        self.behind.lacking(name)?;
        if name == "nowhere" { Err(SqlError::unknown_database(name)) } else { Ok(()) }
    }

    async fn reset(&mut self, _: &StatementContext) -> Result<(), SqlError> {
        locked(&self.behind.said).push("RESET".to_owned());
        (self.open, self.autocommit) = (None, !self.behind.autocommit_off.load(Relaxed));
        self.no_backslash_escapes = self.behind.no_backslash_escapes.load(Relaxed);
        self.read_only = false;
        self.collation = String::new();
        Ok(())
    }

    fn flags(&self) -> Option<Done> {
        Some(self.done())
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.open.is_some())
    }

    async fn rollback(&mut self, _: Reason) {
        self.open = None;
    }

    fn user_variable(&self, _: &str) -> Option<OwnedValue> {
        None
    }
}
