//! One client session of a proxy, as `SHOW PROXYSESSION ATTRIBUTE`, `STAT` and `VARIABLES` show it: ODP's columns and rows. Whose
//! session may be looked at is not asked here.

use std::process;

use super::{
    line::Node,
    odp::{proxy_sessid, read_state},
};
use crate::{
    control::{ProxyShow, like, redact_variable},
    model::{
        ChangedVariable, Column, ColumnType, Lines, Origin, OwnedValue, ProcessRow, ServerPlace, ServerSession, Value,
        Versions, escaped,
    },
};

/// What ODP calls variables that change often, and the others.
const HOT: &str = "hot modified vars";
const COLD: &str = "cold modified vars";

/// The columns that show one session.
pub(crate) fn show_columns(what: ProxyShow) -> Vec<Column> {
    let name = |name: &'static str| Column::new(name, ColumnType::VarChar).width(128).not_null();
    let value = Column::new("value", ColumnType::VarChar).width(4096).not_null();
    match what {
        // A list has its own.
        ProxyShow::Sessions => Vec::new(),
        ProxyShow::Attributes => vec![name("attribute_name"), value, name("info")],
        ProxyShow::Stats => {
            vec![name("stat_name"), Column::new("value", ColumnType::BigInt).width(20).unsigned().not_null()]
        }
        ProxyShow::Variables { .. } => {
            vec![name("variable_name"), value, name("info"), name("modified_type"), name("sys_variable_flag")]
        }
    }
}

/// A setting of the runtime's, as the session has it.
#[derive(Clone, Debug)]
pub(crate) struct SessionSetting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Whether it is other than the server's.
    pub(crate) changed: bool,
}

/// What there is to be shown of a session.
pub(crate) struct Inspected<'a> {
    pub(crate) node: &'a Node,
    pub(crate) row: &'a ProcessRow,
    /// Of its server sessions, in the order in which they are shown.
    pub(crate) servers: Vec<ServerSession>,
    pub(crate) versions: Versions,
    /// What it has changed of what servers know.
    pub(crate) variables: Vec<ChangedVariable>,
    pub(crate) settings: Vec<SessionSetting>,
    /// How many statements it has run, or begun to.
    pub(crate) statements: u64,
}

impl Inspected<'_> {
    /// The rows whose names are `like` a pattern, if there is one, in ODP's order.
    pub(crate) fn rows(&self, what: ProxyShow, pattern: Option<&str>) -> Vec<Vec<OwnedValue>> {
        let mut rows = match what {
            ProxyShow::Sessions => Vec::new(),
            ProxyShow::Attributes => self.attributes(),
            ProxyShow::Stats => self.stats(),
            ProxyShow::Variables { all } => self.variables(all),
        };
        if let Some(pattern) = pattern {
            let matches = |name: &OwnedValue| match name.borrow() {
                Value::Text(name) => like(name, pattern, Some('\\')) == Some(true),
                _ => false,
            };
            rows.retain(|row| row.first().is_some_and(matches));
        }
        rows
    }

    fn attributes(&self) -> Vec<Vec<OwnedValue>> {
        let Self { node, row, .. } = self;
        let owner = row.principal.as_deref();
        let port = match row.peer {
            Origin::Network(address) => address.port(),
            Origin::Local => 0,
        };
        let state = read_state(row.killed, row.active);
        let common: [(&str, String); 15] = [
            ("proxy_sessid", proxy_sessid(node, row.id).to_string()),
            ("cs_id", row.id.to_string()),
            ("cluster", owner.and_then(|owner| owner.tenant_cluster()).unwrap_or_default().to_owned()),
            ("tenant", owner.and_then(|owner| owner.tenant()).unwrap_or_default().to_owned()),
            ("user", row.user().to_owned()),
            ("host_ip", row.peer.host()),
            ("host_port", port.to_string()),
            ("db", row.database.as_deref().unwrap_or("NULL").to_owned()),
            ("total_trans_cnt", row.behind.transactions.to_string()),
            ("svr_session_cnt", self.servers.len().to_string()),
            ("active", (state == "MCS_ACTIVE_READER").to_string()),
            ("read_state", state.to_owned()),
            ("tid", row.thread.to_string()),
            ("pid", process::id().to_string()),
            // A proxy of several centres would say in which it is.
            ("idc_name", String::new()),
        ];
        // Nobody collects what ODP reports of a session's counters.
        let stat = [("modified_time", "0".to_owned()), ("reported_time", "0".to_owned())];
        let mut rows = Vec::with_capacity(22 + 17 * self.servers.len());
        let mut add = |info: &str, pairs: &[(&str, String)]| {
            rows.extend(pairs.iter().map(|(name, value)| vec![text(name), text(value), text(info)]));
        };
        add("cs common", &common);
        add("cs stat", &stat);
        add("cs var version", &versions(&self.versions));
        for server in &self.servers {
            let info = match server.place {
                ServerPlace::LastUsed => "last used ss".to_owned(),
                ServerPlace::Current => "curr used ss".to_owned(),
                ServerPlace::Pooled(number) => format!("ss pool [{number}]"),
            };
            add(
                &info,
                &[
                    ("server_ip", server.server.host()),
                    ("server_port", server.server.port().to_string()),
                    ("server_sessid", server.server_sessid.to_string()),
                    ("ss_id", server.ss_id.to_string()),
                    ("state", server.state.as_str().to_owned()),
                    ("transact_count", server.statements.to_string()),
                    ("server_trans_stat", u8::from(server.in_transaction).to_string()),
                ],
            );
            add(&info, &versions(&server.versions));
            // What OceanBase's servers and ODP agree on beside MySQL's protocol: none of it is spoken here.
            let agreed = [
                "is_checksum_supported",
                "is_safe_read_weak_supported",
                "is_checksum_switch_supported",
                "checksum_switch",
                "enable_extra_ok_packet_for_stats",
            ];
            add(&info, &agreed.map(|name| (name, "0".to_owned())));
        }
        rows
    }

    fn stats(&self) -> Vec<Vec<OwnedValue>> {
        let stats = [
            ("total_query_count", self.statements),
            ("total_trans_count", self.row.behind.transactions),
            ("svr_session_count", self.servers.len() as u64),
        ];
        stats.into_iter().map(|(name, value)| vec![text(name), OwnedValue::UInt(value)]).collect()
    }

    /// First the settings of the runtime's, which no server knows of, then what servers know, then user variables. What the
    /// client chose is shown without its secrets.
    fn variables(&self, all: bool) -> Vec<Vec<OwnedValue>> {
        let info = if all { "sys var" } else { "changed sys var" };
        let row = |name: &str, value: &str, info: &str, hot: bool, flag: &str| {
            vec![text(name), text(value), text(info), text(if hot { HOT } else { COLD }), text(flag)]
        };
        let is_setting = |name: &str| self.settings.iter().any(|setting| setting.name.eq_ignore_ascii_case(name));
        let (users, systems): (Vec<_>, Vec<_>) = self.variables.iter().partition(|variable| variable.user);
        let settings = self.settings.iter().filter(|setting| all || setting.changed);
        let settings =
            settings.map(|setting| row(setting.name, &setting.value, info, false, " && global_scope && session_scope"));
        let systems = systems.into_iter().filter(|variable| !is_setting(&variable.name));
        let changed = |variable: &ChangedVariable, info: &str, flag: &str| {
            let (name, value) = redact_variable(&variable.name, &variable.value);
            row(&name, value, info, variable.hot, flag)
        };
        let systems = systems.map(|variable| changed(variable, info, " && session_scope"));
        let users = users.into_iter().map(|variable| changed(variable, "user var", ""));
        settings.chain(systems).chain(users).collect()
    }
}

fn versions(of: &Versions) -> [(&'static str, String); 5] {
    [
        ("hot_sys_var_version", of.hot_sys_var.to_string()),
        ("sys_var_version", of.sys_var.to_string()),
        ("user_var_version", of.user_var.to_string()),
        ("last_insert_id_version", of.last_insert_id.to_string()),
        ("db_name_version", of.db_name.to_string()),
    ]
}

/// As lists show what clients chose.
fn text(text: &str) -> OwnedValue {
    OwnedValue::Text(escaped(text.as_bytes(), Lines::Escaped).into_owned())
}
