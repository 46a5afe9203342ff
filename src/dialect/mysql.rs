//! MySQL 8.0 (manual, "KILL Statement", "SHOW PROCESSLIST Statement", "The INFORMATION_SCHEMA PROCESSLIST Table", "The
//! threads Table"; source of 8.0).

use super::{
    Field, Reach, Rules, Table, Verdict, View,
    field::{bare_host, command, database, host, id, info, state, time, unknown, user},
    killed, plain_account,
};
use crate::{
    control::{KillForms, Syntax},
    id::Layout,
    model::{ColumnType, Origin, Principal, Privileges, SqlError, Value},
};

pub(super) static RULES: Rules = Rules {
    name: "mysql",
    server_version: "8.0.36-killdeer",
    // The forms of KILL that MariaDB added are taken, and so is the comment that hides them from others: clients of
    // both come to a server that does not say whose behaviour it shows.
    syntax: Syntax { mariadb_comments: true, kill: KillForms { mariadb: true, ..KillForms::MYSQL }, ..Syntax::MYSQL },
    ids: |_| Ok(Layout::plain32()),
    account: plain_account,
    may_see,
    may_kill,
    denied: |id, _| SqlError::not_owner(id),
    killed,
    own_kill_is_ok: false,
    tells_inactivity: true,
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
        Table {
            database: "performance_schema",
            name: "processlist",
            fields: |_| PERFORMANCE_SCHEMA,
            reach: Reach::Node,
        },
        Table { database: "performance_schema", name: "threads", fields: |_| THREADS, reach: Reach::Node },
    ],
};

/// One's own sessions, by user name; everybody's with PROCESS. SUPER gives no sight.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    by.has(Privileges::PROCESS) || owner.is_some_and(|owner| owner.user() == by.user())
}

/// One's own sessions, by user name; everybody's with CONNECTION_ADMIN or SUPER, but those of an account with
/// SYSTEM_USER only by who has that too. PROCESS gives no right.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> Verdict {
    let administrator = by.has(Privileges::CONNECTION_ADMIN.and(Privileges::SUPER));
    let Some(owner) = owner else { return Verdict::of(administrator) };
    let protected = owner.has(Privileges::SYSTEM_USER) && !by.has(Privileges::SYSTEM_USER);
    Verdict::of(!protected && (administrator || owner.user() == by.user()))
}

fn processlist(view: &View<'_>) -> &'static [Field] {
    const fn list(info: Field) -> [Field; 8] {
        [
            Field::big("Id", 21, id).not_null(),
            Field::text("User", 32, user).not_null(),
            Field::text("Host", 261, host).not_null(),
            Field::text("db", 64, database),
            Field::text("Command", 16, command).not_null(),
            Field::int("Time", 7, time).not_null(),
            Field::text("State", 30, state),
            info,
        ]
    }
    static SHORT: [Field; 8] = list(Field::text("Info", 100, info));
    static FULL: [Field; 8] = list(Field::long_text("Info", info));
    if view.full { &FULL } else { &SHORT }
}

static INFORMATION_SCHEMA: &[Field] = &[
    Field::big("ID", 21, id).unsigned().not_null(),
    Field::text("USER", 32, user).not_null(),
    Field::text("HOST", 261, host).not_null(),
    Field::text("DB", 64, database),
    Field::text("COMMAND", 16, command).not_null(),
    Field::int("TIME", 7, time).not_null(),
    Field::text("STATE", 64, state),
    Field::long_text("INFO", info),
];

static PERFORMANCE_SCHEMA: &[Field] = &[
    Field::big("ID", 20, id).unsigned().not_null(),
    Field::text("USER", 32, user),
    Field::text("HOST", 261, host),
    Field::text("DB", 64, database),
    Field::text("COMMAND", 16, command),
    Field::big("TIME", 20, time),
    Field::text("STATE", 64, state),
    Field::long_text("INFO", info),
    Field::text("EXECUTION_ENGINE", 9, |_| "PRIMARY".into()),
];

/// Those columns of MySQL's that exist here: a session is no thread of the operating system, and nothing of it is
/// instrumented.
pub(super) static THREADS: &[Field] = &[
    Field::big("THREAD_ID", 20, id).unsigned().not_null(),
    Field::text("NAME", 128, |_| "thread/sql/one_connection".into()).not_null(),
    Field::text("TYPE", 10, |_| "FOREGROUND".into()).not_null(),
    Field::big("PROCESSLIST_ID", 20, id).unsigned(),
    Field::text("PROCESSLIST_USER", 32, |line| {
        // NULL before login.
        line.row.principal.map(|_| line.user()).into()
    }),
    Field::text("PROCESSLIST_HOST", 255, bare_host),
    Field::text("PROCESSLIST_DB", 64, database),
    Field::text("PROCESSLIST_COMMAND", 16, command),
    Field::big("PROCESSLIST_TIME", 20, time),
    Field::text("PROCESSLIST_STATE", 64, |line| match line.row.state {
        "" => Value::Null,
        state => state.into(),
    }),
    Field::long_text("PROCESSLIST_INFO", info),
    Field::big("PARENT_THREAD_ID", 20, unknown).unsigned(),
    Field::text("ROLE", 64, unknown),
    Field::text("INSTRUMENTED", 3, |_| "NO".into()).not_null(),
    Field::text("HISTORY", 3, |_| "NO".into()).not_null(),
    Field::text("CONNECTION_TYPE", 16, |line| match (line.row.encryption, line.row.peer) {
        (Some(_), _) => "SSL/TLS".into(),
        (None, Origin::Local) => "Socket".into(),
        (None, _) => "TCP/IP".into(),
    }),
    Field::of("THREAD_OS_ID", ColumnType::BigInt, 20, unknown).unsigned(),
];
