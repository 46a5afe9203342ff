//! What one client's statements do: to `compat` what clients ask of themselves, to SQLite everything else.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use killdeer::{
    BlockingSession, Column, ColumnType, Done, OwnedValue, Prepared, Reason, RowSink, SqlError, Statement,
    StatementContext, Value,
    compat::{self, Answer, ClientState, Facts, Strings, Table, concerns, placeholders},
    control::Syntax,
};
use rusqlite::{Connection, Statement as SqliteStatement};

use super::{
    DATABASE, Known,
    catalogue::{self, Listing, Show},
    connection, errors, text,
    transaction::Transaction,
    values,
    watch::Watch,
    words::Words,
};

/// So long a statement waits for a lock, unless the client says otherwise: MySQL's default of `innodb_lock_wait_timeout`.
const PATIENCE: Duration = Duration::from_secs(50);

/// How many savepoints one transaction may have. SQLite keeps every one, those of the same name too.
const MOST_SAVEPOINTS: usize = 1_000;

pub struct SqliteSession {
    connection: Connection,
    watch: Arc<Watch>,
    /// Variables, warnings, autocommit. Whether a transaction is open is SQLite's to say; this follows.
    client: ClientState,
    known: Arc<Known>,
    /// The transaction said that it would only read.
    read_only: bool,
    /// How many savepoints the transaction has.
    savepoints: usize,
    /// The transaction is gone, and the client does not know: see [`SqliteSession::failed`].
    lost: bool,
}

impl BlockingSession for SqliteSession {
    fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        let watching = self.watch.begin(cx, self.patience());
        let result = self.run(cx, &st, out);
        drop(watching);
        self.follow();
        // The flags are those of the end.
        let result = result.map(|done| Done { in_transaction: self.in_transaction(), ..done });
        if let Err(error) = &result {
            self.client.note_error(error);
        }
        result
    }

    fn prepare(&mut self, cx: &StatementContext, sql: &Bytes) -> Result<Prepared, SqlError> {
        let _watching = self.watch.begin(cx, self.patience());
        let count = placeholders(sql, &Syntax::default(), Strings::BackslashEscapes)?.len();
        let columns = self.columns_ahead(cx, sql, count)?;
        Ok(Prepared { params: vec![Column::new("?", ColumnType::VarChar); count], columns })
    }

    fn fields(&mut self, cx: &StatementContext, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
        let _watching = self.watch.begin(cx, self.patience());
        catalogue::fields(&self.connection, table, pattern)
    }

    fn use_database(&mut self, _: &StatementContext, name: &str) -> Result<(), SqlError> {
        if name == DATABASE { Ok(()) } else { Err(SqlError::unknown_database(name)) }
    }

    fn reset(&mut self, _: &StatementContext) -> Result<(), SqlError> {
        self.rollback(Reason::Quit);
        self.client.reset();
        // What the connection keeps beside the file is gone with it: tables made for this session alone.
        *self = Self::open(&self.known).map_err(errors::of)?;
        Ok(())
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(SqliteSession::in_transaction(self))
    }

    fn rollback(&mut self, _: Reason) {
        if let Err(error) = self.roll_back() {
            // Closing the connection does what is left to do.
            tracing::warn!(%error, "a transaction was not rolled back");
        }
        self.follow();
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        self.client.user_variable(name)
    }
}

impl SqliteSession {
    pub(super) fn open(known: &Arc<Known>) -> rusqlite::Result<Self> {
        let watch = Arc::<Watch>::default();
        Ok(Self {
            connection: connection::open(&known.path, &watch)?,
            watch,
            client: ClientState::new(),
            known: Arc::clone(known),
            read_only: false,
            savepoints: 0,
            lost: false,
        })
    }

    fn run(&mut self, cx: &StatementContext, st: &Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        if let Some(transaction) = Transaction::parse(&st.sql) {
            return self.transact(cx, &transaction, &st.sql_lossy());
        }
        if let Some(answer) = self.answer(cx, st)? {
            return self.give(cx, answer, out);
        }
        if let Some(show) = Show::parse(&st.sql)? {
            let Listing { columns, rows } = show.answer(&self.connection)?;
            return self.give(cx, Answer::Rows { columns, rows }, out);
        }
        self.tell_lost()?;
        let open = self.in_transaction();
        let result = self.statement(st, cx, out);
        if let Err(error) = &result {
            self.failed(error, open);
        }
        result
    }

    /// A statement of SQLite's own.
    fn statement(&mut self, st: &Statement, cx: &StatementContext, out: &mut RowSink) -> Result<Done, SqlError> {
        let sql = text::for_sqlite(&st.sql)?;
        // Prepared anew each time: SQLite does that in microseconds. rusqlite's feature `cache` would keep them.
        let mut statement = self.connection.prepare(&sql).map_err(errors::of)?;
        values::bind(&mut statement, st.params.as_ref(), &self.client)?;
        if self.read_only && !statement.readonly() {
            return Err(errors::read_only_transaction());
        }
        if !self.client.autocommit() && self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN").map_err(errors::of)?;
        }
        if statement.column_count() > 0 {
            rows(statement, cx, out)?;
            return Ok(self.client.done());
        }
        cx.set_state("updating");
        let before = self.connection.total_changes();
        statement.raw_execute().map_err(errors::of)?;
        // What SQLite says of the last change is said still, after statements that change nothing.
        let changed = self.connection.total_changes() != before;
        let affected = if changed { self.connection.changes() } else { 0 };
        let last_insert_id = self.watch.inserted().and_then(|id| u64::try_from(id).ok()).unwrap_or_default();
        if last_insert_id > 0 {
            self.client.note_insert_id(last_insert_id);
        }
        Ok(Done { affected, last_insert_id, ..self.client.done() })
    }

    /// Begins and ends transactions: in SQLite first, then in what the client is told.
    fn transact(&mut self, cx: &StatementContext, asked: &Transaction, sql: &str) -> Result<Done, SqlError> {
        self.client.clear_warnings();
        match asked {
            Transaction::Begin { read_only } => {
                self.commit()?;
                self.begin()?;
                self.read_only = *read_only;
            }
            Transaction::Commit { chain } => {
                self.commit()?;
                if *chain {
                    self.begin()?;
                }
            }
            Transaction::Rollback { chain } => {
                self.roll_back().map_err(errors::of)?;
                if *chain {
                    self.begin()?;
                }
            }
            // The client knows which savepoints there are: 1305 comes from it.
            savepoint => {
                self.tell_lost()?;
                if !self.client.autocommit() && self.connection.is_autocommit() {
                    self.begin()?;
                    self.follow();
                }
                self.client.answer(sql, &Facts { database: cx.database().as_deref(), ..Facts::default() })?;
                // MySQL: outside of a transaction, a savepoint is gone at once.
                if self.in_transaction() {
                    self.savepoint(savepoint)?;
                }
            }
        }
        self.follow();
        Ok(self.client.done())
    }

    fn savepoint(&mut self, asked: &Transaction) -> Result<(), SqlError> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let sql = match asked {
            Transaction::Savepoint(_) if self.savepoints == MOST_SAVEPOINTS => {
                let text = format!("Out of session memory: at most {MOST_SAVEPOINTS} savepoints in one transaction");
                return Err(SqlError::new(1038, "HY001", text));
            }
            Transaction::Savepoint(name) => {
                self.savepoints += 1;
                format!("SAVEPOINT {}", quoted(name))
            }
            Transaction::RollbackTo(name) => format!("ROLLBACK TO {}", quoted(name)),
            Transaction::Release(name) => format!("RELEASE {}", quoted(name)),
            _ => return Ok(()),
        };
        self.connection.execute_batch(&sql).map_err(errors::of)
    }

    /// Opens a transaction. It takes the lock for writing when it first writes, so that those that read wait for nobody.
    fn begin(&mut self) -> Result<(), SqlError> {
        self.connection.execute_batch("BEGIN").map_err(errors::of)
    }

    /// Commits, if a transaction is open.
    fn commit(&mut self) -> Result<(), SqlError> {
        self.tell_lost()?;
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("COMMIT").map_err(errors::of)
    }

    fn roll_back(&mut self) -> rusqlite::Result<()> {
        self.lost = false;
        if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch("ROLLBACK") }
    }

    /// Whether the client has an open transaction, as far as it knows.
    fn in_transaction(&self) -> bool {
        self.lost || !self.connection.is_autocommit()
    }

    /// A statement of SQLite's failed, and the client will be told why. `was_open`: in a transaction.
    ///
    /// SQLite undoes the whole transaction when a statement that writes is interrupted (one that reads is ended alone), and
    /// when the disk is full. The client of a killed statement is told 1317, after which MySQL's transactions live on: it
    /// would go on, and half of what belongs together would be committed. So its next statement is refused, unless it is a
    /// `ROLLBACK`, by 1213, which says to MySQL's clients that their transaction is gone.
    fn failed(&mut self, error: &SqlError, was_open: bool) {
        if error.code() == errors::DEADLOCK {
            self.rollback(Reason::Quit);
        } else {
            self.lost = was_open && self.connection.is_autocommit();
        }
    }

    /// # Errors
    /// 1213, once: the transaction that the client goes on with is gone.
    fn tell_lost(&mut self) -> Result<(), SqlError> {
        if std::mem::take(&mut self.lost) { Err(errors::transaction_lost()) } else { Ok(()) }
    }

    /// Brings what the client is told in line with SQLite, whatever opened or ended the transaction.
    fn follow(&mut self) {
        let open = !self.connection.is_autocommit();
        if !open {
            self.read_only = false;
            self.savepoints = 0;
            self.client.rolled_back();
        } else if !self.client.in_transaction() {
            // Known by heart: it cannot fail, and it needs no facts.
            let begun = self.client.answer("BEGIN", &Facts::default());
            debug_assert!(begun.is_ok(), "{begun:?}");
        }
    }

    /// How long a statement may wait for a lock.
    fn patience(&self) -> Duration {
        match self.client.session_variable("innodb_lock_wait_timeout") {
            Some(OwnedValue::Int(seconds)) => u64::try_from(*seconds).map_or(PATIENCE, Duration::from_secs),
            Some(OwnedValue::UInt(seconds)) => Duration::from_secs(*seconds),
            _ => PATIENCE,
        }
    }

    /// The columns that a statement will have, as far as they are known without running it.
    fn columns_ahead(&mut self, cx: &StatementContext, sql: &Bytes, params: usize) -> Result<Vec<Column>, SqlError> {
        if Transaction::parse(sql).is_some() {
            return Ok(Vec::new());
        }
        if concerns(&String::from_utf8_lossy(sql), cx.database().as_deref()) {
            // What only reads can be asked ahead of time; what sets something, as `@x := 1` does too, cannot.
            if !Words::new(sql).any(&["SELECT", "SHOW", "DESCRIBE", "DESC"]) || sql.windows(2).any(|two| two == b":=") {
                return Ok(Vec::new());
            }
            let nothing = killdeer::Params(vec![OwnedValue::Null; params]);
            let asked = Statement { sql: sql.clone(), params: Some(nothing), ..Statement::default() };
            match self.answer(cx, &asked)? {
                Some(Answer::Rows { columns, .. }) => return Ok(columns),
                Some(_) => return Ok(Vec::new()),
                None => {}
            }
        }
        if let Some(show) = Show::parse(sql)? {
            return Ok(catalogue::header(show.header()));
        }
        let statement = self.connection.prepare(&text::for_sqlite(sql)?).map_err(errors::of)?;
        values::declared(&statement).iter().enumerate().map(|(place, column)| column.column(place, None)).collect()
    }

    /// What clients ask of themselves.
    fn answer(&mut self, cx: &StatementContext, st: &Statement) -> Result<Option<Answer>, SqlError> {
        let database = cx.database();
        if !concerns(&st.sql_lossy(), database.as_deref()) {
            self.client.clear_warnings();
            return Ok(None);
        }
        let sql = match &st.params {
            Some(params) if !params.0.is_empty() => {
                compat::bind(&st.sql, &params.0, &Syntax::default(), Strings::BackslashEscapes).into()
            }
            _ => st.sql.clone(),
        };
        let sets = Words::new(&sql).take(&["SET"]);
        // Looked up for those only who ask: in a transaction, the first look at the file decides which state of it is seen.
        let names = match asks_for_tables(&sql) {
            true => catalogue::tables(&self.connection).map_err(errors::of)?,
            false => Vec::new(),
        };
        let tables: Vec<_> = names.iter().map(|name| Table { database: DATABASE, name }).collect();
        let (principal, known) = (cx.principal(), Arc::clone(&self.known));
        let settings = cx.settings();
        let facts = Facts {
            version: &known.version,
            version_comment: &known.comment,
            connection_id: cx.connection_id().get(),
            user: &format!("{}@{}", principal.user(), cx.peer().host()),
            current_user: &principal.account(),
            privileges: principal.privileges(),
            database: database.as_deref(),
            databases: &[DATABASE],
            tables: Some(&tables),
            encryption: cx.encryption(),
            character_sets: cx.character_sets(),
            settings: Some(&settings),
            ..Facts::default()
        };
        // `SET autocommit = 1` commits. If that fails, nothing was set.
        let before = (sets && !self.client.autocommit()).then(|| self.client.clone());
        let answer = self.client.answer(&String::from_utf8_lossy(&sql), &facts);
        if let Some(before) = before.filter(|_| self.client.autocommit())
            && let Err(error) = self.commit()
        {
            self.client = before;
            return Err(error);
        }
        self.client.tell(cx, &facts);
        answer
    }

    fn give(&mut self, cx: &StatementContext, answer: Answer, out: &mut RowSink) -> Result<Done, SqlError> {
        match answer {
            Answer::Ok(done) => return Ok(done),
            Answer::UseDatabase(name) => {
                self.use_database(cx, &name)?;
                cx.set_database(Some(&name));
            }
            Answer::Rows { columns, rows } => {
                out.columns(columns)?;
                for row in rows {
                    if out.row(&row.iter().map(OwnedValue::borrow).collect::<Vec<_>>())? {
                        out.blocking_ready()?;
                    }
                }
            }
        }
        Ok(self.client.done())
    }
}

/// Runs a statement that has columns. Its rows go to the client as SQLite finds them, at the pace at which they are read.
fn rows(mut statement: SqliteStatement<'_>, cx: &StatementContext, out: &mut RowSink) -> Result<(), SqlError> {
    let declared = values::declared(&statement);
    cx.set_state("Sending data");
    let mut rows = statement.raw_query();
    let mut next = rows.next().map_err(errors::of)?;
    let columns = declared.iter().enumerate().map(|(place, column)| column.column(place, next));
    let columns: Arc<[Column]> = columns.collect::<Result<_, _>>()?;
    out.shared_columns(&columns)?;
    while let Some(row) = next {
        let value = |(place, column)| values::value(column, row.get_ref(place).map_err(errors::of)?);
        let values = columns.iter().enumerate().map(value).collect::<Result<Vec<Value<'_>>, _>>()?;
        if out.row(&values)? {
            out.blocking_ready()?;
        }
        next = rows.next().map_err(errors::of)?;
    }
    Ok(())
}

/// Whether `compat` may want to know which tables there are.
fn asks_for_tables(sql: &[u8]) -> bool {
    Words::new(sql).any(&["SHOW", "DESCRIBE", "DESC"])
        || sql.windows(b"_schema".len()).any(|part| part.eq_ignore_ascii_case(b"_schema"))
}
