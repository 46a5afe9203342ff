//! ODP, OceanBase's proxy (manual, "KILL", "SHOW PROCESSLIST", "SHOW PROXYSESSION", "KILL PROXYSESSION"; source of 4.3).

use std::{
    net::{IpAddr, Ipv4Addr},
    process,
};

use super::{
    Field, Line, Node, Proxying, Reach, Rules, Verdict,
    field::{database, host, id, user},
    killed,
    oceanbase::{SYS, account},
};
use crate::{
    control::Syntax,
    id::{Layout, ProxySessionId, SessionId},
    model::{Command, KillMode, Principal, Privileges, SqlError, Value},
};

/// The tenant of the proxy's own administrator.
const PROXY: &str = "proxysys";

/// The user who administers a tenant, or the proxy.
const ROOT: &str = "root";

pub(super) static RULES: Rules = Rules {
    name: "odp",
    server_version: "5.6.25-killdeer",
    syntax: Syntax::ODP,
    ids: Layout::odp,
    account,
    may_see,
    may_kill,
    denied: |id, _| SqlError::not_owner(id),
    killed,
    own_kill_is_ok: false,
    tells_inactivity: false,
    shows_outcomes: false,
    client_sessions: false,
    processlist: |_| PROCESSLIST,
    shows: Reach::Node,
    proxy: Some(&Proxying { sessions: SESSIONS, operates: |by| administers(by) || (is_sys(by) && is_root(by)) }),
    // Whoever asks for a server's tables means the server behind it.
    tables: &[],
};

fn is_root(principal: &Principal) -> bool {
    &**principal.user() == ROOT
}

fn is_sys(principal: &Principal) -> bool {
    principal.tenant() == Some(SYS)
}

/// `root@proxysys`, who administers the proxy and no cluster.
fn administers(principal: &Principal) -> bool {
    principal.tenant() == Some(PROXY) && is_root(principal)
}

/// Whether both belong to the same cluster: tenants of the same name in two are different ones.
fn is_near(by: &Principal, owner: &Principal) -> bool {
    by.tenant_cluster() == owner.tenant_cluster()
}

/// The administrator and the sys tenant see all; others their own.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    let own = |owner: &Principal| owner.tenant() == by.tenant() && is_near(by, owner) && owner.user() == by.user();
    administers(by) || is_sys(by) || owner.is_some_and(own)
}

/// The administrator kills all, the sys tenant all of its cluster and those before login; others their own tenant's with SUPER, else their own. Sessions
/// of another tenant, or of none yet, do not exist for them.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> Verdict {
    match owner {
        _ if administers(by) => Verdict::Allowed,
        // The administrator is of no cluster.
        Some(owner) if is_sys(by) && is_near(by, owner) && owner.tenant() != Some(PROXY) => Verdict::Allowed,
        // It has no cluster yet.
        None if is_sys(by) => Verdict::Allowed,
        Some(owner) if owner.tenant() == by.tenant() && is_near(by, owner) => {
            Verdict::of(by.has(Privileges::SUPER) || owner.user() == by.user())
        }
        _ => Verdict::Unseen,
    }
}

/// The id by which the servers know the session of this id at this proxy. Of a proxy without an IPv4 address it is the one of
/// 0.0.0.0.
pub(super) fn proxy_sessid(node: &Node, id: SessionId) -> u64 {
    let host = match node.address.ip() {
        IpAddr::V4(host) => host,
        IpAddr::V6(host) => host.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED),
    };
    // The low 16 bits are meant.
    ProxySessionId { host, port: node.address.port(), sequence: id.get() as u16 }.encode()
}

/// What a client session is at, in ODP's words.
pub(super) fn read_state(killed: Option<KillMode>, active: Command) -> &'static str {
    match (killed, active) {
        (_, Command::Quit) => "MCS_CLOSED",
        (Some(KillMode::Connection), _) => "MCS_HALF_CLOSED",
        (_, Command::Connect) => "MCS_INIT",
        (_, Command::Sleep) => "MCS_KEEP_ALIVE",
        _ => "MCS_ACTIVE_READER",
    }
}

const ID: Field = Field::big("Id", 20, id).unsigned().not_null();
const TENANT: Field = Field::text("Tenant", 128, |line| line.tenant().into());
const USER: Field = Field::text("User", 128, user).not_null();
const HOST: Field = Field::text("Host", 128, host).not_null();
const DB: Field = Field::text("db", 128, database);
const TRANS_COUNT: Field =
    Field::big("trans_count", 20, |line| Value::UInt(line.row.behind.transactions)).unsigned().not_null();
const SVR_SESSION_COUNT: Field =
    Field::big("svr_session_count", 20, |line| Value::UInt(line.row.behind.servers)).unsigned().not_null();
const STATE: Field = Field::text("state", 32, state).not_null();
const TID: Field = Field::big("tid", 20, |line| Value::UInt(line.row.thread.into())).unsigned().not_null();
const PID: Field = Field::big("pid", 20, |_| Value::UInt(process::id().into())).unsigned().not_null();

static PROCESSLIST: &[Field] = &[ID, TENANT, USER, HOST, DB, TRANS_COUNT, SVR_SESSION_COUNT, STATE, TID, PID];

static SESSIONS: &[Field] = &[
    Field::big("proxy_sessid", 20, |line| Value::UInt(proxy_sessid(line.view.node, line.row.id))).unsigned().not_null(),
    ID,
    Field::text("Cluster", 128, |line| line.cluster().into()),
    TENANT,
    USER,
    HOST,
    DB,
    TRANS_COUNT,
    SVR_SESSION_COUNT,
    STATE,
    TID,
    PID,
];

fn state<'a>(line: &'a Line<'a>) -> Value<'a> {
    read_state(line.row.killed, line.row.active).into()
}
