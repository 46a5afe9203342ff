//! Every list of every system: its columns, and a row of each kind of session. What is expected stands in a file for each
//! system, as a table to be read beside the system's own manual.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Dialect, Field, Node, View, columns};
use crate::{
    id::SessionId,
    model::{
        Behind, ClientSession, Column, ColumnType, Command, Encryption, KillMode, Origin, Outcome, OwnedValue,
        Principal, Privileges, ProcessRow, StatementNo, Tenant, Value,
    },
};

static TLS: Encryption = Encryption { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };

/// The session that looks at the lists, if it is a session.
const OWN: u64 = 9;

/// An idle session of alice's, which has run a statement, and has a database.
fn idle() -> ProcessRow {
    let tenant = Tenant { name: "shop_tenant".into(), cluster: Some("east".into()) };
    let alice = Principal::new("alice", Privileges::NONE).at_host("10.%").in_tenant(tenant);
    ProcessRow {
        id: SessionId::new(7),
        client: None,
        principal: Some(Arc::new(alice)),
        peer: "10.0.0.7:40007".parse().unwrap(),
        attributes: None,
        encryption: None,
        database: Some("shop".into()),
        // 2024-02-29 12:30:45.5
        login: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_209_845_500)),
        command: Command::Sleep,
        active: Command::Sleep,
        killed: None,
        time: Duration::from_micros(42_123_456),
        state_time: Duration::from_micros(42_123_456),
        state: String::new(),
        info: None,
        statement: None,
        query_id: None,
        last_query_id: 12,
        trace_id: None,
        outcome: Outcome::None,
        in_transaction: false,
        transaction_time: None,
        autocommit: true,
        thread: 4711,
        behind: Behind { servers: 2, transactions: 5 },
    }
}

fn running(active: Command, state: &str, info: &str) -> ProcessRow {
    let (statement, query_id) = (Some(StatementNo::default()), Some(12));
    ProcessRow { command: active, active, state: state.into(), info: Some(info.into()), statement, query_id, ..idle() }
}

fn killed(mode: KillMode) -> ProcessRow {
    let state_time = Duration::from_secs(3);
    ProcessRow {
        command: Command::Killed,
        killed: Some(mode),
        state_time,
        ..running(Command::Query, "User sleep", "SELECT SLEEP(99)")
    }
}

/// The kinds of sessions that each list is shown with.
fn sessions() -> Vec<(&'static str, ProcessRow)> {
    let before_login = ProcessRow {
        principal: None,
        database: None,
        login: None,
        command: Command::Connect,
        active: Command::Connect,
        state: "Reading from net".into(),
        last_query_id: 0,
        ..idle()
    };
    let before_any = ProcessRow { last_query_id: 0, ..idle() };
    let own = running(Command::Query, "starting", "SHOW PROCESSLIST");
    let failed = Outcome::Error("Table 'shop.t' doesn't exist".into());
    let trace_id = Some("trace-1".into());
    vec![
        ("idle", idle()),
        ("before login", before_login),
        ("idle, no statement yet", before_any),
        ("idle, no rows", ProcessRow { outcome: Outcome::Ok, ..idle() }),
        ("idle, rows", ProcessRow { outcome: Outcome::Rows, ..idle() }),
        ("idle, failed", ProcessRow { outcome: failed.clone(), ..idle() }),
        ("runs text", running(Command::Query, "User sleep", "SELECT SLEEP(99)")),
        ("runs binary", running(Command::Execute, "executing", "SELECT ?")),
        ("runs, last failed", ProcessRow { outcome: failed, ..running(Command::Query, "executing", "SELECT 1") }),
        ("query killed", killed(KillMode::Query)),
        ("connection killed", killed(KillMode::Connection)),
        ("in transaction", ProcessRow { in_transaction: true, ..idle() }),
        ("no autocommit", ProcessRow { in_transaction: true, autocommit: false, ..idle() }),
        ("autocommit off", ProcessRow { autocommit: false, ..idle() }),
        ("no database", ProcessRow { database: None, ..idle() }),
        ("Unix socket", ProcessRow { peer: Origin::Local, ..idle() }),
        ("TLS", ProcessRow { encryption: Some(&TLS), ..idle() }),
        ("trace id", ProcessRow { trace_id, ..idle() }),
        ("the asker's own", ProcessRow { id: SessionId::new(OWN), ..own }),
    ]
}

fn node() -> Node {
    Node { address: "192.0.2.1:3306".parse().unwrap(), query_ids: 0xe4d6_9a1c, first_query_id: 0x91c9_ae00 }
}

/// A list: what it is called, who looks, with `FULL` or not, and where its rows come from.
struct List {
    name: String,
    dialect: Dialect,
    by: Principal,
    full: bool,
    fields: Option<for<'a> fn(&View<'a>) -> &'static [Field]>,
}

impl List {
    fn view<'a>(&'a self, node: &'a Node) -> View<'a> {
        View::new(&self.by, Some(SessionId::new(OWN)), node, self.full)
    }

    fn columns(&self, node: &Node) -> Vec<Column> {
        let view = self.view(node);
        match self.fields {
            None => self.dialect.process_columns(&view).to_vec(),
            Some(fields) => columns(fields(&self.dialect.switched(&view))),
        }
    }

    fn row(&self, node: &Node, row: &ProcessRow) -> Vec<OwnedValue> {
        let (view, mut found) = (self.view(node), Vec::new());
        let keep = |values: &[Value<'_>]| found.extend(values.iter().copied().map(Value::to_owned));
        match self.fields {
            None => self.dialect.process_row(&view, row, keep),
            Some(fields) => super::row_of(fields(&self.dialect.switched(&view)), &view, &row.into(), keep),
        }
        found
    }
}

fn lists(dialect: Dialect) -> Vec<List> {
    let of = |tenant: &str| {
        let root = Principal::new("root", Privileges::ALL);
        match dialect.has_tenants() {
            true => root.in_tenant(Tenant { name: tenant.into(), cluster: None }),
            false => root,
        }
    };
    let show = |name: &str, by, full| List { name: name.into(), dialect, by, full, fields: None };
    let mut all = vec![
        show("SHOW PROCESSLIST", of("shop_tenant"), false),
        show("SHOW FULL PROCESSLIST", of("shop_tenant"), true),
    ];
    if dialect.has_tenants() {
        all.push(show("SHOW FULL PROCESSLIST, for sys", of("sys"), true));
    }
    all.extend(dialect.tables().iter().map(|table| List {
        name: format!("{}.{}", table.database, table.name),
        dialect,
        by: of("shop_tenant"),
        full: true,
        fields: Some(table.fields),
    }));
    if dialect.name() == "odp" {
        all.push(List {
            name: "SHOW PROXYSESSION".into(),
            dialect,
            by: of("sys"),
            full: true,
            fields: Some(|_| Dialect::odp().proxy_fields()),
        });
    }
    if dialect.shows_outcomes() {
        let traced = |list: &List| {
            let (name, by, dialect) =
                (format!("{}, with TraceId", list.name), list.by.clone(), dialect.trace_column(true));
            List { name, dialect, by, ..*list }
        };
        all.extend(all.iter().map(traced).collect::<Vec<_>>());
    }
    all
}

/// A column as a table's definition has it.
fn declared(column: &Column) -> String {
    let width = column.width.expect("a list says how wide its columns are");
    let kind = match (column.kind, column.decimals) {
        (ColumnType::Decimal, Some(decimals)) => format!("decimal({width},{decimals})"),
        (ColumnType::Text, _) => "text".into(),
        (ColumnType::Blob, _) => "blob".into(),
        (ColumnType::DateTime, _) => "datetime".into(),
        (kind, _) => format!("{kind:?}({width})").to_lowercase(),
    };
    let sign = if column.unsigned { " unsigned" } else { "" };
    let null = if column.nullable { "" } else { " not null" };
    format!("{} {kind}{sign}{null}", column.name)
}

fn shown(values: &[OwnedValue]) -> String {
    let value = |value: &OwnedValue| match value {
        OwnedValue::Text(text) if text.is_empty() => "''".to_owned(),
        OwnedValue::Text(text) if text == "NULL" => "'NULL'".to_owned(),
        other => other.text().map_or_else(|| "NULL".into(), |text| text.into_owned()),
    };
    values.iter().map(value).collect::<Vec<_>>().join(" | ")
}

/// All lists of a system, as its file has them.
fn written(dialect: Dialect) -> String {
    let node = node();
    let mut text = String::new();
    for list in lists(dialect) {
        text += &format!("## {}\n", list.name);
        text.extend(list.columns(&node).iter().map(|column| declared(column) + "\n"));
        text += "--\n";
        let idle = shown(&list.row(&node, &idle()));
        for (label, row) in sessions() {
            let row = shown(&list.row(&node, &row));
            text += &match label != "idle" && row == idle {
                true => format!("{label}: as idle\n"),
                false => format!("{label}: {row}\n"),
            };
        }
        text += "\n";
    }
    // Of this process.
    text.replace(&format!(" | {}\n", std::process::id()), " | PID\n")
}

#[test]
fn every_list_has_its_systems_columns_and_rows() {
    for (dialect, expected) in [
        (Dialect::mysql(), include_str!("lists_tests/mysql.txt")),
        (Dialect::mariadb(), include_str!("lists_tests/mariadb.txt")),
        (Dialect::doris(), include_str!("lists_tests/doris.txt")),
        (Dialect::oceanbase(), include_str!("lists_tests/oceanbase.txt")),
        (Dialect::tidb(), include_str!("lists_tests/tidb.txt")),
        (Dialect::odp(), include_str!("lists_tests/odp.txt")),
    ] {
        let (found, mut list) = (written(dialect), "");
        for (found, expected) in found.lines().zip(expected.lines()) {
            list = expected.strip_prefix("## ").unwrap_or(list);
            assert_eq!(found, expected, "in {list} of {}", dialect.name());
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "lines of {}", dialect.name());
    }
}

#[test]
fn every_value_is_one_that_its_column_can_hold() {
    let node = node();
    for list in Dialect::NAMES.into_iter().flat_map(|name| lists(Dialect::named(name).unwrap())) {
        let columns = list.columns(&node);
        // As long ago as can be.
        let old = ProcessRow { time: Duration::MAX, state_time: Duration::MAX, ..idle() };
        for (label, row) in sessions().into_iter().chain([("very old", old)]) {
            let row = list.row(&node, &row);
            assert_eq!(row.len(), columns.len(), "{} {label}", list.name);
            for (column, value) in columns.iter().zip(&row) {
                let fits = match (column.kind, value) {
                    (_, OwnedValue::Null) => column.nullable,
                    (ColumnType::BigInt, OwnedValue::UInt(n)) => column.unsigned || i64::try_from(*n).is_ok(),
                    (ColumnType::BigInt, OwnedValue::Int(n)) => !column.unsigned || *n >= 0,
                    (ColumnType::Int, OwnedValue::Int(n)) => i32::try_from(*n).is_ok() && !column.unsigned,
                    (ColumnType::TinyInt, OwnedValue::Int(n)) => i8::try_from(*n).is_ok(),
                    (ColumnType::Decimal, OwnedValue::Decimal(_)) => true,
                    (ColumnType::VarChar, OwnedValue::Text(text)) => {
                        text.chars().count() <= column.width.unwrap() as usize
                    }
                    (ColumnType::Text, OwnedValue::Text(_)) | (ColumnType::Blob, OwnedValue::Bytes(_)) => true,
                    (ColumnType::DateTime, OwnedValue::DateTime(_)) => true,
                    _ => false,
                };
                assert!(fits, "{} {label}: {} = {value:?}", list.name, declared(column));
            }
        }
    }
}

/// Whether a column shows the statement.
fn is_info(column: &Column) -> bool {
    column.name.to_ascii_uppercase().trim_start_matches("PROCESSLIST_").starts_with("INFO")
}

#[test]
fn without_full_info_ends_after_100_characters_and_never_within_one() {
    let node = node();
    for list in Dialect::NAMES.into_iter().flat_map(|name| lists(Dialect::named(name).unwrap())) {
        let columns = list.columns(&node);
        assert_eq!(columns.iter().any(is_info), list.dialect.name() != "odp", "{}", list.name);
        for character in ["a", "ä", "☃", "🐦", "e\u{301}"] {
            // One byte before it, so that no multiple of its length is a hundred.
            for length in [0, 98, 99, 100, 101, 5000] {
                let info = format!("-{}", character.repeat(length));
                let failed = ProcessRow { outcome: Outcome::Error(info.as_str().into()), ..idle() };
                for (row, shown) in
                    [(running(Command::Query, "executing", &info), true), (failed, list.dialect.shows_outcomes())]
                {
                    let expected: String = match (shown, list.full) {
                        (false, _) => continue,
                        (true, true) => info.clone(),
                        (true, false) => info.chars().take(100).collect(),
                    };
                    for (column, value) in columns.iter().zip(list.row(&node, &row)).filter(|(c, _)| is_info(c)) {
                        let found = match value {
                            OwnedValue::Text(text) => text.into_bytes(),
                            OwnedValue::Bytes(bytes) => bytes,
                            other => panic!("{other:?}"),
                        };
                        assert_eq!(String::from_utf8(found).unwrap(), expected, "{} {}", list.name, column.name);
                    }
                }
            }
        }
    }
}

#[test]
fn exactly_the_askers_own_session_is_connected_currently() {
    let (node, doris) = (node(), Dialect::doris());
    for list in lists(doris) {
        let own: Vec<_> = sessions()
            .into_iter()
            .filter(|(_, row)| list.row(&node, row)[0] == OwnedValue::Text("Yes".into()))
            .map(|(label, _)| label)
            .collect();
        assert_eq!(own, ["the asker's own"], "{}", list.name);
        let by = &list.by;
        let mut connected = Vec::new();
        let nobody = View::new(by, None, &node, true);
        for (_, row) in sessions() {
            doris.process_row(&nobody, &row, |values| connected.push(values[0].to_owned()));
        }
        assert!(connected.iter().all(|value| *value == OwnedValue::Text("No".into())), "a host that lists has none");
    }
}

#[test]
fn oceanbases_lists_alone_show_the_id_of_a_proxys_client() {
    let client = Some(ClientSession { id: SessionId::new(5), connected: 1 });
    for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
        for list in lists(dialect) {
            let (node, of_client) = (node(), ProcessRow { client, ..idle() });
            let (plain, shown) = (list.row(&node, &idle()), list.row(&node, &of_client));
            let changed: Vec<_> = (0..plain.len()).filter(|at| plain[*at] != shown[*at]).collect();
            match dialect.has_client_sessions() {
                true => {
                    assert_eq!(
                        changed,
                        [list.columns(&node).iter().position(|c| c.name.eq_ignore_ascii_case("id")).unwrap()]
                    );
                    assert_eq!(shown[changed[0]], OwnedValue::UInt(5), "{}", list.name);
                }
                false => assert_eq!(changed, [0_usize; 0], "{} of {}", list.name, dialect.name()),
            }
        }
    }
}
