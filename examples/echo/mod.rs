//! The echo-SQL engine: it answers what clients ask of themselves when they connect, sleeps, computes and counts on
//! request, and says everything else back.

#[path = "../accounts/mod.rs"]
pub mod accounts;
mod prepared;

use std::{hint::black_box, sync::Arc, time::Duration};

use accounts::Accounts;
use bytes::Bytes;
use killdeer::{
    Column, ColumnType, Dialect, Done, Engine, EngineSession, Login, OwnedValue, Params, Prepared, Principal, Reason,
    RowSink, SqlError, Statement, StatementContext, Value, Verifier,
    compat::{Answer, Argument, ClientState, Facts, Simple, Table, concerns, parse_simple},
};
use tokio::{task::spawn_blocking, time::sleep};

/// The database that it says it has, beside those of the system tables.
const DATABASE: &str = "test";

pub struct EchoSql {
    accounts: Accounts,
    known: Arc<Known>,
}

/// What all sessions know.
struct Known {
    version: Arc<str>,
    max_allowed_packet: String,
    databases: Vec<&'static str>,
    tables: Vec<Table<'static>>,
    echo: Arc<[Column]>,
}

impl EchoSql {
    /// `max_allowed_packet`: what it says of the runtime's, in bytes.
    pub fn new(accounts: Accounts, version: Arc<str>, max_allowed_packet: usize) -> Self {
        let echo = [Column::new("echo", ColumnType::VarChar).not_null()].into();
        let databases = vec!["information_schema", DATABASE];
        let max_allowed_packet = max_allowed_packet.to_string();
        let known = Known { version, max_allowed_packet, databases, tables: Vec::new(), echo };
        Self { accounts, known: Arc::new(known) }
    }

    /// The same, with the runtime's system tables beside its own database: it says that they are there, and the runtime
    /// answers what is asked of them.
    pub fn with_system_tables(mut self, dialect: &Dialect) -> Self {
        if let Some(known) = Arc::get_mut(&mut self.known) {
            known.databases = dialect.system_databases();
            known.databases.push(DATABASE);
            known.databases.sort_unstable();
            let tables = dialect.system_tables().into_iter();
            known.tables = tables.map(|(database, name)| Table { database, name }).collect();
        }
        self
    }
}

pub struct EchoSession {
    client: ClientState,
    known: Arc<Known>,
}

impl Engine for EchoSql {
    type Session = EchoSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        let (verifier, principal) = match self.accounts.find(login) {
            Some((verifier, principal)) => (verifier, Some(principal)),
            // An unknown user is asked as a known one, and for as long.
            None => (Verifier::nobody(), None),
        };
        let proved = login.proves(&verifier).await;
        principal.filter(|_| proved).ok_or_else(|| login.denied())
    }

    async fn open(&self, _: &Arc<Principal>) -> Result<EchoSession, SqlError> {
        Ok(EchoSession { client: ClientState::new(), known: Arc::clone(&self.known) })
    }
}

impl EngineSession for EchoSession {
    async fn execute(&mut self, cx: &StatementContext, mut st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        if let Some(params) = st.params.take_if(|params| !params.0.is_empty()) {
            if let Some(names) = prepared::selected(&st.sql) {
                return self.give_back(&names, &params, out);
            }
            st.sql = prepared::bound(&st.sql, &params).into();
        }
        let sql = st.sql_lossy();
        let bare = sql.trim_start();
        if let Some(simple) = parse_simple(bare) {
            self.client.clear_warnings();
            if let Some(done) = self.simple(cx, simple, out).await? {
                return Ok(done);
            }
        } else if let Some(expression) = after_do(bare) {
            self.client.clear_warnings();
            if let Some(Simple::Call { name, args, .. }) = parse_simple(&format!("SELECT {expression}")) {
                call(cx, &name, &args).await.transpose()?;
            }
            return Ok(self.client.done());
        }
        if let Some(answer) = self.answer(cx, &sql)? {
            return self.give(cx, answer, out).await;
        }
        self.client.note_statement();
        out.shared_columns(&self.known.echo)?;
        out.row(&[Value::Bytes(&st.sql)])?;
        Ok(self.client.done())
    }

    async fn prepare(&mut self, cx: &StatementContext, sql: &Bytes) -> Result<Prepared, SqlError> {
        let count = prepared::count(sql)?;
        let params = vec![Column::new("?", ColumnType::Null); count];
        Ok(Prepared { params, columns: self.columns_of(cx, sql, count)? })
    }

    async fn use_database(&mut self, _: &StatementContext, name: &str) -> Result<(), SqlError> {
        if self.known.databases.contains(&name) { Ok(()) } else { Err(SqlError::unknown_database(name)) }
    }

    async fn reset(&mut self, _: &StatementContext) -> Result<(), SqlError> {
        self.client.reset();
        Ok(())
    }

    async fn rollback(&mut self, _: Reason) {
        self.client.rolled_back();
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.client.in_transaction())
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        self.client.user_variable(name)
    }
}

impl EchoSession {
    /// `SELECT ?, …`: the parameters as they came.
    fn give_back(&mut self, names: &[String], params: &Params, out: &mut RowSink) -> Result<Done, SqlError> {
        self.client.note_statement();
        out.columns(prepared::columns(names, &params.0))?;
        out.row(&params.0.iter().map(OwnedValue::borrow).collect::<Vec<_>>())?;
        Ok(self.client.done())
    }

    /// The columns that a statement will have, as far as they are known without running it.
    fn columns_of(&mut self, cx: &StatementContext, sql: &Bytes, params: usize) -> Result<Vec<Column>, SqlError> {
        if let Some(names) = prepared::selected(sql) {
            return Ok(prepared::columns(&names, &[]).to_vec());
        }
        let nothing = Params(vec![OwnedValue::Null; params]);
        let text = prepared::bound(sql, &nothing);
        let text = String::from_utf8_lossy(&text);
        let bare = text.trim_start();
        match parse_simple(bare) {
            Some(Simple::Call { name, header, beside, .. }) if is_call(&name) => {
                return Ok(call_columns(header, &beside));
            }
            Some(Simple::TableFunction { name, .. }) if name.eq_ignore_ascii_case("seq") => {
                return Ok(vec![seq_column()]);
            }
            _ if after_do(bare).is_some() => return Ok(Vec::new()),
            _ => {}
        }
        if !concerns(&text, cx.database().as_deref()) {
            return Ok(self.known.echo.to_vec());
        }
        // What only reads can be asked ahead of time; what sets something, as `@x := 1` does too, cannot.
        let reads =
            ["select", "show"].iter().any(|word| bare.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word)));
        match reads && !text.contains(":=") {
            true => match self.answer(cx, &text)? {
                Some(Answer::Rows { columns, .. }) => Ok(columns),
                Some(_) => Ok(Vec::new()),
                None => Ok(self.known.echo.to_vec()),
            },
            false => Ok(Vec::new()),
        }
    }

    /// `SELECT f(…)` and `SELECT * FROM f(…)`, for the functions that are ours.
    async fn simple(
        &mut self,
        cx: &StatementContext,
        simple: Simple,
        out: &mut RowSink,
    ) -> Result<Option<Done>, SqlError> {
        match simple {
            Simple::Call { name, args, header, beside } => {
                let Some(value) = call(cx, &name, &args).await else { return Ok(None) };
                out.columns(call_columns(header, &beside))?;
                let values = std::iter::once(Value::Int(value?));
                out.row(&values.chain(beside.iter().map(|(_, value)| value.borrow())).collect::<Vec<_>>())?;
            }
            Simple::TableFunction { name, args, limit } if name.eq_ignore_ascii_case("seq") => {
                let last = integer(args.first())?;
                count(out, limit.map_or(last, |limit| last.min(limit))).await?;
            }
            _ => return Ok(None),
        }
        Ok(Some(self.client.done()))
    }

    /// What clients ask of themselves.
    fn answer(&mut self, cx: &StatementContext, sql: &str) -> Result<Option<Answer>, SqlError> {
        let database = cx.database();
        if !concerns(sql, database.as_deref()) {
            // None of them, and not worth gathering facts for; it only ends the last statement's warnings.
            return self.client.answer(sql, &Facts::default());
        }
        let (principal, settings) = (cx.principal(), cx.settings());
        let facts = Facts {
            version: &self.known.version,
            version_comment: "Killdeer echo-SQL",
            connection_id: cx.connection_id().get(),
            user: &format!("{}@{}", principal.user(), cx.peer().host()),
            current_user: &principal.account(),
            privileges: principal.privileges(),
            database: database.as_deref(),
            databases: &self.known.databases,
            tables: Some(&self.known.tables),
            encryption: cx.encryption(),
            character_sets: cx.character_sets(),
            settings: Some(&settings),
            variables: &[("max_allowed_packet", &self.known.max_allowed_packet)],
            ..Facts::default()
        };
        let answer = self.client.answer(sql, &facts);
        self.client.tell(cx, &facts);
        answer
    }

    async fn give(&mut self, cx: &StatementContext, answer: Answer, out: &mut RowSink) -> Result<Done, SqlError> {
        match answer {
            Answer::Ok(done) => return Ok(done),
            Answer::UseDatabase(name) => {
                self.use_database(cx, &name).await?;
                cx.set_database(Some(&name));
            }
            Answer::Rows { columns, rows } => {
                out.columns(columns)?;
                for row in rows {
                    let values: Vec<Value<'_>> = row.iter().map(OwnedValue::borrow).collect();
                    if out.row(&values)? {
                        out.ready().await?;
                    }
                }
            }
        }
        Ok(self.client.done())
    }
}

/// `SLEEP(seconds)` and `BENCHMARK(count, …)`; `None` for any other function.
async fn call(cx: &StatementContext, name: &str, args: &[Argument]) -> Option<Result<i64, SqlError>> {
    if name.eq_ignore_ascii_case("sleep") {
        cx.set_state("User sleep");
        let time = match seconds(args.first()) {
            Ok(time) => time,
            Err(error) => return Some(Err(error)),
        };
        // A kill drops this future.
        sleep(time).await;
        Some(Ok(0))
    } else if name.eq_ignore_ascii_case("benchmark") {
        let count = integer(args.first());
        let cx = cx.clone();
        // Computing does not belong on the arbiter; on a thread of its own, it sees a kill by looking.
        let computed = spawn_blocking(move || compute(&cx, count?)).await;
        Some(computed.unwrap_or_else(|_| Err(SqlError::panicked())))
    } else {
        None
    }
}

fn compute(cx: &StatementContext, count: u64) -> Result<i64, SqlError> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for round in 0..count {
        if round % 4096 == 0 {
            cx.check()?;
        }
        hash = black_box((hash ^ round).wrapping_mul(0x0100_0000_01b3));
    }
    Ok(0)
}

/// The numbers from 1 to `last`, as rows. The reader's pace is the engine's.
async fn count(out: &mut RowSink, last: u64) -> Result<(), SqlError> {
    out.columns([seq_column()])?;
    for number in 1..=last {
        if out.row(&[Value::UInt(number)])? {
            out.ready().await?;
        }
    }
    Ok(())
}

fn seq_column() -> Column {
    Column::new("seq", ColumnType::BigInt).unsigned().not_null()
}

/// The columns of a call and of the literals beside it.
fn call_columns(header: String, beside: &[(String, OwnedValue)]) -> Vec<Column> {
    let literals = beside.iter().map(|(header, value)| {
        let column = prepared::column(header.clone(), Some(value));
        if matches!(value, OwnedValue::Null) { column } else { column.not_null() }
    });
    std::iter::once(Column::new(header, ColumnType::BigInt).not_null()).chain(literals).collect()
}

fn is_call(name: &str) -> bool {
    ["sleep", "benchmark"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn after_do(sql: &str) -> Option<&str> {
    let (word, rest) = sql.split_once(char::is_whitespace)?;
    word.eq_ignore_ascii_case("do").then_some(rest)
}

fn integer(argument: Option<&Argument>) -> Result<u64, SqlError> {
    let number = match argument.and_then(Argument::value) {
        Some(OwnedValue::Int(v)) => u64::try_from(*v).ok(),
        Some(OwnedValue::UInt(v)) => Some(*v),
        _ => None,
    };
    number.ok_or_else(|| SqlError::new(1210, "HY000", "Incorrect arguments: a whole number is wanted"))
}

fn seconds(argument: Option<&Argument>) -> Result<Duration, SqlError> {
    #[allow(clippy::cast_precision_loss)] // nobody sleeps so long that it matters
    let number = match argument.and_then(Argument::value) {
        Some(OwnedValue::Int(v)) => *v as f64,
        Some(OwnedValue::UInt(v)) => *v as f64,
        Some(OwnedValue::Double(v)) => *v,
        Some(OwnedValue::Text(v)) => v.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    };
    Duration::try_from_secs_f64(number).map_err(|_| SqlError::new(1210, "HY000", "Incorrect arguments to sleep"))
}
