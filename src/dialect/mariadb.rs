//! MariaDB 10.11 (knowledge base, "KILL [CONNECTION | QUERY]", "SHOW PROCESSLIST", "Information Schema PROCESSLIST Table"; a
//! server of that version).

use super::{
    Field, Reach, Rules, Table, Verdict, View,
    field::{LONG, command, database, host, id, info, state, time, unknown, user, zero},
    mysql, plain_account,
};
use crate::{
    control::Syntax,
    id::Layout,
    model::{ColumnType, Killed, Principal, Privileges, Reason, SqlError, Value},
};

pub(super) static RULES: Rules = Rules {
    name: "mariadb",
    server_version: "10.11.6-MariaDB-killdeer",
    syntax: Syntax::MARIADB,
    ids: |_| Ok(Layout::plain32()),
    account: plain_account,
    may_see,
    may_kill,
    denied: |id, _| SqlError::not_owner(id),
    killed,
    own_kill_is_ok: false,
    tells_inactivity: false,
    shows_outcomes: false,
    client_sessions: false,
    processlist,
    shows: Reach::Node,
    proxy: None,
    tables: &[
        Table {
            database: "information_schema",
            name: "processlist",
            fields: |_| INFORMATION_SCHEMA,
            reach: Reach::Node,
        },
        Table { database: "performance_schema", name: "threads", fields: |_| mysql::THREADS, reach: Reach::Node },
    ],
};

/// The same user from the same host pattern.
fn is_same_account(by: &Principal, owner: &Principal) -> bool {
    owner.user() == by.user() && owner.account_host() == by.account_host()
}

/// The sessions of one's own account, by user name and host; everybody's with PROCESS.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    by.has(Privileges::PROCESS) || owner.is_some_and(|owner| is_same_account(by, owner))
}

/// The sessions of one's own account; everybody's with CONNECTION ADMIN or SUPER. There is no SYSTEM_USER.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> Verdict {
    let administrator = by.has(Privileges::CONNECTION_ADMIN.and(Privileges::SUPER));
    Verdict::of(administrator || owner.is_some_and(|owner| is_same_account(by, owner)))
}

/// Its own word for who kills its own connection, and for a statement that ran too long.
fn killed(reason: Reason) -> SqlError {
    match reason {
        Reason::KillOwnConnection => SqlError::connection_killed(),
        Reason::ExecutionTime => SqlError::statement_timeout(),
        other => Killed(other).into(),
    }
}

/// Statements have no stages here, so that there is no progress to tell of.
fn progress<'a>(_: &'a super::Line<'a>) -> Value<'a> {
    Value::Decimal("0.000")
}

fn processlist(view: &View<'_>) -> &'static [Field] {
    const fn list(info: Field) -> [Field; 9] {
        [
            Field::big("Id", 10, id).not_null(),
            Field::text("User", 128, user).not_null(),
            Field::text("Host", 64, host).not_null(),
            Field::text("db", 64, database),
            Field::text("Command", 16, command).not_null(),
            Field::int("Time", 7, time),
            Field::text("State", 30, state),
            info,
            Field::decimal("Progress", 9, progress).not_null(),
        ]
    }
    static SHORT: [Field; 9] = list(Field::text("Info", 100, info));
    static FULL: [Field; 9] = list(Field::long_text("Info", info));
    if view.full { &FULL } else { &SHORT }
}

static INFORMATION_SCHEMA: &[Field] = &[
    Field::big("ID", 4, id).not_null(),
    Field::text("USER", 128, user).not_null(),
    Field::text("HOST", 64, host).not_null(),
    Field::text("DB", 64, database),
    Field::text("COMMAND", 16, command).not_null(),
    Field::int("TIME", 7, time).not_null(),
    Field::text("STATE", 64, state),
    Field::long_text("INFO", info),
    Field::decimal("TIME_MS", 22, |line| Value::Decimal(line.time_ms())).not_null(),
    Field::of("STAGE", ColumnType::TinyInt, 2, zero).not_null(),
    Field::of("MAX_STAGE", ColumnType::TinyInt, 2, zero).not_null(),
    Field::decimal("PROGRESS", 7, progress).not_null(),
    // What a session's statements take of memory, and what they read, is the engine's to know.
    Field::big("MEMORY_USED", 7, unknown),
    Field::big("MAX_MEMORY_USED", 7, unknown),
    Field::int("EXAMINED_ROWS", 7, unknown),
    Field::big("QUERY_ID", 4, |line| Value::UInt(line.row.last_query_id)).not_null(),
    Field::of("INFO_BINARY", ColumnType::Blob, LONG, |line| {
        line.info().map_or(Value::Null, |info| Value::Bytes(info.as_bytes()))
    }),
    Field::big("TID", 4, unknown),
];
