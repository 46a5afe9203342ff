//! OceanBase in MySQL mode (manual, "KILL", "SHOW PROCESSLIST", "GV$OB_PROCESSLIST").

use super::{
    Field, Line, Reach, Rules, Table, Verdict, View,
    field::{active, bare_host, database, host, seconds, unknown, user},
    killed,
};
use crate::{
    control::Syntax,
    id::Layout,
    model::{Command, KillMode, Principal, Privileges, SqlError, Tenant, Value},
};

/// The tenant that administers the others, and that a login without a tenant means.
pub(super) const SYS: &str = "sys";

pub(super) static RULES: Rules = Rules {
    name: "oceanbase",
    server_version: "5.7.25-OceanBase-v4.2.1.0-killdeer",
    syntax: Syntax::OCEANBASE,
    ids: Layout::oceanbase,
    account,
    may_see,
    may_kill,
    denied: |id, _| SqlError::not_owner(id),
    killed,
    own_kill_is_ok: false,
    tells_inactivity: false,
    shows_outcomes: false,
    client_sessions: true,
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
        Table { database: "oceanbase", name: "gv$ob_processlist", fields: |_| SERVERS, reach: Reach::Cluster },
        Table { database: "oceanbase", name: "v$ob_processlist", fields: |_| SERVERS, reach: Reach::Node },
    ],
};

/// `user@tenant#cluster`; without a tenant, that is `sys`.
pub(super) fn account(login: &str) -> (&str, Option<Tenant>) {
    // A user's name may have an @ of its own; a tenant's cannot.
    let (user, place) = login.rsplit_once('@').unwrap_or((login, SYS));
    let (name, cluster) = match place.split_once('#') {
        Some((name, cluster)) => (name, Some(cluster)),
        None => (place, None),
    };
    let name = if name.is_empty() { SYS } else { name };
    (user, Some(Tenant { name: name.to_owned(), cluster: cluster.filter(|c| !c.is_empty()).map(str::to_owned) }))
}

fn is_sys(principal: &Principal) -> bool {
    principal.tenant() == Some(SYS)
}

/// The sys tenant sees all; others their own tenant's with PROCESS, else their own.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    let own =
        |owner: &Principal| owner.tenant() == by.tenant() && (by.has(Privileges::PROCESS) || owner.user() == by.user());
    is_sys(by) || owner.is_some_and(own)
}

/// The sys tenant kills all; others their own tenant's with SUPER, else their own. Sessions of another tenant do not exist
/// for them.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> Verdict {
    match owner {
        _ if is_sys(by) => Verdict::Allowed,
        Some(owner) if owner.tenant() == by.tenant() => {
            Verdict::of(by.has(Privileges::SUPER) || owner.user() == by.user())
        }
        _ => Verdict::Unseen,
    }
}

/// The id of the proxy's client that the session is for; without one, the session's own.
fn id<'a>(line: &'a Line<'a>) -> Value<'a> {
    Value::UInt(line.row.client.map_or(line.row.id, |client| client.id).get())
}

/// What OceanBase's session states are called.
fn state<'a>(line: &'a Line<'a>) -> Value<'a> {
    match (line.row.killed, line.row.active) {
        (Some(KillMode::Connection), _) => "SESSION_KILLED",
        (Some(KillMode::Query), _) => "QUERY_KILLED",
        (None, Command::Connect) => "INIT",
        (None, Command::Sleep) => "SLEEP",
        (None, _) => "ACTIVE",
    }
    .into()
}

/// Seconds since the last change of state: a kill is one.
fn time<'a>(line: &'a Line<'a>) -> Value<'a> {
    seconds(line.row.state_time)
}

fn tenant<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.tenant().into()
}

fn info<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.info().into()
}

fn processlist(view: &View<'_>) -> &'static [Field] {
    static SHORT: &[Field] = &[ID, USER, HOST, DB, COMMAND, TIME, STATE, Field::text("Info", 100, info)];
    static FULL: &[Field] = &[ID, USER, TENANT, HOST, DB, COMMAND, TIME, STATE, INFO, IP, PORT];
    static FULL_FOR_SYS: &[Field] = &[
        ID,
        USER,
        TENANT,
        HOST,
        DB,
        COMMAND,
        TIME,
        STATE,
        INFO,
        IP,
        PORT,
        // Of what a proxy says, its own id of the session is not kept.
        Field::big("Proxy_sessid", 20, unknown).unsigned(),
    ];
    match view.full {
        false => SHORT,
        true if is_sys(view.by) => FULL_FOR_SYS,
        true => FULL,
    }
}

const ID: Field = Field::big("Id", 20, id).unsigned().not_null();
const USER: Field = Field::text("User", 32, user).not_null();
const TENANT: Field = Field::text("Tenant", 128, tenant);
const HOST: Field = Field::text("Host", 128, host).not_null();
const DB: Field = Field::text("db", 128, database);
const COMMAND: Field = Field::text("Command", 4096, active).not_null();
const TIME: Field = Field::big("Time", 20, time).not_null();
const STATE: Field = Field::text("State", 128, state);
const INFO: Field = Field::long_text("Info", info);
const IP: Field = Field::text("Ip", 46, node_ip).not_null();
const PORT: Field = Field::big("Port", 20, node_port).not_null();

static INFORMATION_SCHEMA: &[Field] = &[
    Field::big("ID", 20, id).unsigned().not_null(),
    Field::text("USER", 32, user).not_null(),
    Field::text("HOST", 128, host).not_null(),
    Field::text("DB", 128, database),
    Field::text("COMMAND", 4096, active).not_null(),
    Field::big("TIME", 20, time).not_null(),
    Field::text("STATE", 128, state),
    Field::long_text("INFO", info),
];

/// GV$OB_PROCESSLIST: those of its columns that exist here. Proxies, transactions' numbers and threads do not.
static SERVERS: &[Field] = &[
    Field::text("SVR_IP", 46, node_ip).not_null(),
    Field::big("SVR_PORT", 20, node_port).not_null(),
    Field::big("SQL_PORT", 20, node_port).not_null(),
    Field::big("ID", 20, id).unsigned().not_null(),
    Field::text("USER", 32, user).not_null(),
    Field::text("HOST", 128, host).not_null(),
    Field::text("DB", 128, database),
    Field::text("TENANT", 128, tenant),
    Field::text("COMMAND", 4096, active).not_null(),
    Field::big("TIME", 20, time).not_null(),
    Field::big("TOTAL_TIME", 20, |line| seconds(line.row.time)).not_null(),
    Field::text("STATE", 128, state),
    Field::long_text("INFO", info),
    Field::big("PROXY_SESSID", 20, unknown).unsigned(),
    Field::text("USER_CLIENT_IP", 46, bare_host),
    Field::text("USER_HOST", 128, |line| line.row.principal.map(|owner| owner.account_host()).into()),
    Field::big("TRANS_ID", 20, unknown).unsigned(),
    Field::big("THREAD_ID", 20, unknown).unsigned(),
    Field::text("SSL_CIPHER", 128, |line| line.row.encryption.map(|encryption| encryption.cipher).into()),
    Field::text("TRACE_ID", 64, unknown),
    Field::text("TRANS_STATE", 32, |line| if line.row.in_transaction { "ACTIVE" } else { "" }.into()),
];

fn node_ip<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.node_host().into()
}

fn node_port<'a>(line: &'a Line<'a>) -> Value<'a> {
    Value::UInt(line.view.node.address.port().into())
}
