//! TiDB (manual, "KILL", "SHOW PROCESSLIST", "PROCESSLIST", "CLUSTER_PROCESSLIST").

use super::{
    Field, KillAnswer, Line, Reach, Rules, Table, Verdict, View,
    field::{active, database, empty, host, id, info, time, unknown, user},
    killed, plain_account,
};
use crate::{
    control::Syntax,
    id::{Layout, Reading},
    model::{ErrorKind, Principal, Privileges, SqlError, Value, Warning},
};

pub(super) static RULES: Rules = Rules {
    name: "tidb",
    server_version: "8.0.11-TiDB-v8.5.0-killdeer",
    syntax: Syntax::TIDB,
    ids: Layout::tidb,
    account: plain_account,
    may_see,
    may_kill,
    denied: |_, protected| {
        SqlError::needs_privilege(if protected { "RESTRICTED_CONNECTION_ADMIN" } else { "SUPER or CONNECTION_ADMIN" })
    },
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
            fields: |_| &INFORMATION_SCHEMA,
            reach: Reach::Node,
        },
        Table {
            database: "information_schema",
            name: "cluster_processlist",
            fields: |_| &CLUSTER,
            reach: Reach::Cluster,
        },
    ],
};

/// One's own sessions, by user name; everybody's with PROCESS.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    by.has(Privileges::PROCESS) || owner.is_some_and(|owner| owner.user() == by.user())
}

/// One's own sessions, by user name; everybody's with CONNECTION_ADMIN or SUPER, but those of an account with
/// RESTRICTED_USER_ADMIN only with RESTRICTED_CONNECTION_ADMIN as well.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> Verdict {
    let administrator = by.has(Privileges::CONNECTION_ADMIN.and(Privileges::SUPER));
    let Some(owner) = owner else { return Verdict::of(administrator) };
    let restricted = owner.has(Privileges::RESTRICTED_USER_ADMIN);
    let above = !restricted || by.has(Privileges::RESTRICTED_CONNECTION_ADMIN);
    match owner.user() == by.user() {
        false if administrator && !above => Verdict::Protected,
        own => Verdict::of(own || administrator),
    }
}

/// The answer to a `KILL` without `TIDB` where global kill is off.
pub(super) fn not_compatible(lenient: bool) -> KillAnswer {
    let text =
        "Invalid operation. Please use 'KILL TIDB [CONNECTION | QUERY] [connectionID | CONNECTION_ID()]' instead";
    match lenient {
        true => KillAnswer::Lenient(Some(Warning::of(ErrorKind::UnknownError, text))),
        false => KillAnswer::Error(SqlError::of(ErrorKind::UnknownError, text)),
    }
}

/// The warning of a `KILL` whose argument is no id at all.
pub(super) fn unreadable(error: &SqlError) -> Warning {
    Warning::of(ErrorKind::UnknownError, format!("Parse ConnectionID failed: {}", error.message()))
}

/// The lenient answer to a `KILL` of something that is no session: OK, with TiDB's warning for an id that cannot be one.
pub(super) fn lenient(id: &str, ids: &Layout) -> KillAnswer {
    let reading = id.parse().ok().map(|id| ids.read(id));
    let text = match reading {
        Some(Reading::Malformed(why)) => format!("Parse ConnectionID failed: {why}"),
        Some(Reading::Truncated) => "Kill failed: Received a 32bits truncated ConnectionID, expect 64bits. Please \
                                     execute 'KILL [CONNECTION|QUERY] ConnectionID' to send a Kill without truncating \
                                     ConnectionID."
            .to_owned(),
        _ => return KillAnswer::Lenient(None),
    };
    KillAnswer::Lenient(Some(Warning::of(ErrorKind::UnknownError, text)))
}

/// The server's status flags.
fn state<'a>(line: &'a Line<'a>) -> Value<'a> {
    match (line.row.in_transaction, line.row.autocommit) {
        (true, true) => "in transaction; autocommit",
        (true, false) => "in transaction",
        (false, true) => "autocommit",
        (false, false) => "",
    }
    .into()
}

fn processlist(view: &View<'_>) -> &'static [Field] {
    const fn list(info: Field) -> [Field; 8] {
        [
            Field::big("Id", 20, id).unsigned().not_null(),
            Field::text("User", 32, user).not_null(),
            Field::text("Host", 261, host).not_null(),
            Field::text("db", 64, database),
            Field::text("Command", 16, active).not_null(),
            Field::int("Time", 7, time).not_null(),
            Field::text("State", 64, state),
            info,
        ]
    }
    static SHORT: [Field; 8] = list(Field::text("Info", 100, info));
    static FULL: [Field; 8] = list(Field::long_text("Info", info));
    if view.full { &FULL } else { &SHORT }
}

static INFORMATION_SCHEMA: [Field; 17] = [
    Field::big("ID", 21, id).unsigned().not_null(),
    Field::text("USER", 32, user).not_null(),
    Field::text("HOST", 261, host).not_null(),
    Field::text("DB", 64, database),
    Field::text("COMMAND", 16, active).not_null(),
    Field::int("TIME", 7, time).not_null(),
    Field::text("STATE", 64, state),
    Field::long_text("INFO", info),
    // Of what follows only the engine knows anything.
    Field::text("DIGEST", 64, unknown),
    Field::big("MEM", 21, unknown).unsigned(),
    Field::big("DISK", 21, unknown).unsigned(),
    Field::text("TxnStart", 64, empty).not_null(),
    Field::text("RESOURCE_GROUP", 32, |_| "default".into()).not_null(),
    Field::text("SESSION_ALIAS", 64, empty).not_null(),
    Field::big("ROWS_AFFECTED", 21, unknown).unsigned(),
    Field::big("TIDB_CPU", 21, unknown),
    Field::big("TIKV_CPU", 21, unknown),
];

static CLUSTER: [Field; 18] = {
    const INSTANCE: Field = Field::text("INSTANCE", 64, |line| line.node_address().into());
    headed(INSTANCE, &INFORMATION_SCHEMA)
};

/// These fields, with another one before them.
const fn headed<const N: usize, const M: usize>(head: Field, fields: &[Field; N]) -> [Field; M] {
    assert!(M == N + 1, "one more than there were");
    let (mut all, mut at) = ([head; M], 0);
    while at < N {
        all[at + 1] = fields[at];
        at += 1;
    }
    all
}
