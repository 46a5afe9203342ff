//! Apache Doris (manual, "KILL CONNECTION", "KILL QUERY", "SHOW PROCESSLIST").

use super::{
    Field, Line, Reach, Rules, Table, Verdict, View,
    field::{command, host, id, is_busy, is_own, time, user},
    killed, plain_account,
};
use crate::{
    control::Syntax,
    id::Layout,
    model::{ColumnType, Outcome, Principal, Privileges, SqlError, Value},
};

pub(super) static RULES: Rules = Rules {
    name: "doris",
    server_version: "5.7.99-killdeer",
    syntax: Syntax::DORIS,
    ids: |_| Ok(Layout::plain32()),
    account: plain_account,
    may_see,
    may_kill,
    denied: |id, _| SqlError::not_owner(id),
    // The client of a killed query is told what MySQL's is told; Doris's own text is a switch.
    killed,
    own_kill_is_ok: true,
    tells_inactivity: false,
    shows_outcomes: true,
    client_sessions: false,
    processlist,
    shows: Reach::Chosen,
    proxy: None,
    tables: &[Table {
        database: "information_schema",
        name: "processlist",
        fields: information_schema,
        reach: Reach::Chosen,
    }],
};

/// One's own sessions, by user name; everybody's with ADMIN_PRIV, or as an administrator who only reads.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    let administrator = by.has(Privileges::ADMIN_PRIV.and(Privileges::READ_ONLY_ADMIN));
    administrator || owner.is_some_and(|owner| owner.user() == by.user())
}

/// One's own sessions, by user name whatever the host; everybody's with ADMIN_PRIV.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> Verdict {
    Verdict::of(by.has(Privileges::ADMIN_PRIV) || owner.is_some_and(|owner| owner.user() == by.user()))
}

/// How the last statement ended; while one runs, and when it has ended without rows, OK.
fn state<'a>(line: &'a Line<'a>) -> Value<'a> {
    match line.row.outcome {
        _ if is_busy(line) => "OK",
        Outcome::None => "NOOP",
        Outcome::Ok => "OK",
        Outcome::Rows => "EOF",
        Outcome::Error(_) => "ERR",
    }
    .into()
}

/// The statement; of an idle session whose last one failed, its error; else empty.
fn info<'a>(line: &'a Line<'a>) -> Value<'a> {
    match line.row.outcome {
        Outcome::Error(text) if !is_busy(line) => line.cut(text),
        _ => line.info().unwrap_or_default(),
    }
    .into()
}

/// The 14 columns of the manual's example, unless the one of trace ids is asked for.
fn processlist(view: &View<'_>) -> &'static [Field] {
    static WITHOUT_TRACE: [Field; 14] = without_trace(TIME_AS_PRINTED);
    if view.trace_column { &WITH_TRACE } else { &WITHOUT_TRACE }
}

/// The same columns; here one computes with the time.
fn information_schema(view: &View<'_>) -> &'static [Field] {
    static WITHOUT_TRACE: [Field; 14] = without_trace(TIME);
    if view.trace_column { &WITH_TRACE } else { &WITHOUT_TRACE }
}

const fn without_trace(time: Field) -> [Field; 14] {
    [CURRENT, ID, USER, HOST, LOGIN_TIME, CATALOG, DB, COMMAND, time, STATE, QUERY_ID, INFO, FE, CLOUD_CLUSTER]
}

static WITH_TRACE: [Field; 15] = [
    CURRENT,
    ID,
    USER,
    HOST,
    LOGIN_TIME,
    CATALOG,
    DB,
    COMMAND,
    TIME,
    STATE,
    QUERY_ID,
    TRACE_ID,
    INFO,
    FE,
    CLOUD_CLUSTER,
];

const CURRENT: Field = Field::text("CurrentConnected", 16, |line| if is_own(line) { "Yes" } else { "No" }.into());
/// A largeint in Doris, which its clients see as text. Here it is a bigint, so that they can compute with it.
///
/// It is declared never NULL for the sake of its width: a client that prints tables makes room for the word NULL in every
/// other column, and this one is narrower in the manual.
const ID: Field = Field::big("Id", 20, id).unsigned().not_null();
const USER: Field = Field::text("User", 32, user);
const HOST: Field = Field::text("Host", 261, host);
const LOGIN_TIME: Field =
    Field::of("LoginTime", ColumnType::DateTime, 19, |line| line.login().map_or(Value::Null, Value::DateTime));
const CATALOG: Field = Field::text("Catalog", 64, |_| "internal".into());
/// Empty where there is none.
const DB: Field = Field::text("Db", 64, |line| line.database().unwrap_or_default().into());
const COMMAND: Field = Field::text("Command", 16, command);
const TIME: Field = Field::int("Time", 11, time);
/// The manual prints the time as text, at the left of its column; a client would put a number at the right.
const TIME_AS_PRINTED: Field = Field::text("Time", 11, |line| line.time_text().into());
const STATE: Field = Field::text("State", 64, state);
const QUERY_ID: Field = Field::text("QueryId", 256, |line| line.query_name().into());
const TRACE_ID: Field = Field::text("TraceId", 256, |line| line.trace_id().into());
const INFO: Field = Field::long_text("Info", info);
const FE: Field = Field::text("FE", 64, |line| line.node_host().into());
/// There are no compute groups here; Doris itself writes the word.
const CLOUD_CLUSTER: Field = Field::text("CloudCluster", 64, |_| "NULL".into());
