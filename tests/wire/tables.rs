//! The system tables over the wire, by the text protocol and by the binary one.

use std::thread::available_parallelism;

use killdeer::Dialect;
use mysql_async::{Column, Conn, Row, Value, consts::ColumnFlags, consts::ColumnType, prelude::*};

use crate::{
    client::{code, connect, opts},
    raw::{Answer, Raw},
    server::Server,
};

const LIST: &str = "information_schema.processlist";

/// What a column says of itself.
fn described(column: &Column) -> (String, String, String, ColumnType, bool, bool) {
    let has = |flag: ColumnFlags| column.flags().contains(flag);
    (
        column.schema_str().into_owned(),
        column.table_str().into_owned(),
        column.name_str().into_owned(),
        column.column_type(),
        has(ColumnFlags::UNSIGNED_FLAG),
        has(ColumnFlags::NOT_NULL_FLAG),
    )
}

/// A value as the text protocol has it, but for numbers behind the point.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8(bytes.clone()).unwrap()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Date(year, month, day, hour, minute, second, _) => {
            Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
        }
        other => panic!("{other:?}"),
    }
}

/// The rows without what differs from one statement to the next: times, and what the asker itself is at.
fn steady(rows: Vec<Row>, own: u32) -> Vec<Vec<(String, Option<String>)>> {
    let changes = |name: &str| {
        let name = name.to_ascii_uppercase();
        name.ends_with("TIME") || name.ends_with("TIME_MS")
    };
    let row = |row: &Row| -> Vec<_> {
        let names = row.columns_ref().iter().map(|column| column.name_str().into_owned());
        names.zip((0..row.len()).map(|at| text(&row[at]))).filter(|(name, _)| !changes(name)).collect()
    };
    let (own, is_id) = (Some(own.to_string()), |name: &str| name.to_ascii_uppercase().ends_with("ID"));
    rows.iter().map(row).filter(|row| !row.iter().any(|(name, value)| is_id(name) && *value == own)).collect()
}

#[tokio::test]
async fn every_table_is_the_same_in_text_and_in_binary() {
    for (dialect, user, tables) in [
        (Dialect::mysql(), "root", &[LIST, "performance_schema.processlist", "performance_schema.threads"][..]),
        (Dialect::mariadb(), "root", &[LIST, "performance_schema.threads"]),
        (Dialect::doris(), "root", &[LIST]),
        (Dialect::oceanbase(), "root@sys", &[LIST, "oceanbase.gv$ob_processlist", "oceanbase.v$ob_processlist"]),
        (Dialect::tidb(), "root", &[LIST, "information_schema.cluster_processlist"]),
    ] {
        let server = Server::start_dialect(dialect);
        let mut other = Conn::new(opts(&server, user)).await.unwrap();
        other.query_drop("USE test").await.unwrap();
        let mut conn = Conn::new(opts(&server, user)).await.unwrap();
        for table in tables.iter().chain(&["killdeer.kill_history"]) {
            let sql = format!("SELECT * FROM {table}");
            let statement = conn.prep(&sql).await.unwrap();
            let prepared: Vec<_> = statement.columns().iter().map(described).collect();
            let by_text: Vec<Row> = conn.query(&sql).await.unwrap();
            let by_binary: Vec<Row> = conn.exec(&statement, ()).await.unwrap();
            if *table != "killdeer.kill_history" {
                assert_eq!((by_text.len(), by_binary.len()), (2, 2), "{table} of {}", dialect.name());
            }
            for row in by_text.iter().chain(&by_binary) {
                let columns: Vec<_> = row.columns_ref().iter().map(described).collect();
                assert_eq!(columns, prepared, "{table} of {}", dialect.name());
            }
            let own = conn.id();
            let (by_text, by_binary) = (steady(by_text, own), steady(by_binary, own));
            assert_eq!(by_text, by_binary, "{table} of {}", dialect.name());
            conn.close(statement).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_prepared_question_takes_parameters_and_its_rows_are_as_announced() {
    let server = Server::start();
    let (mut conn, mut alice) = (connect(&server).await, Conn::new(opts(&server, "alice")).await.unwrap());
    let sql = format!("SELECT id, user, db, time, info, COUNT(*) FROM {LIST} WHERE user = ? AND id < ? GROUP BY id");
    let statement = conn.prep(&sql).await.unwrap();
    assert_eq!((statement.num_params(), statement.num_columns()), (2, 6));
    let kinds: Vec<_> = statement.columns().iter().map(Column::column_type).collect();
    use ColumnType::{MYSQL_TYPE_BLOB, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_VAR_STRING};
    // Of what is computed, the type is known with the rows.
    let announced = [
        MYSQL_TYPE_LONGLONG,
        MYSQL_TYPE_VAR_STRING,
        MYSQL_TYPE_VAR_STRING,
        MYSQL_TYPE_LONG,
        MYSQL_TYPE_BLOB,
        MYSQL_TYPE_VAR_STRING,
    ];
    assert_eq!(kinds, announced);
    type Found = Vec<(u64, String, Option<String>, i32, Option<String>, i64)>;
    for _ in 0..2 {
        let found: Found = conn.exec(&statement, ("alice", 1_u64 << 40)).await.unwrap();
        assert_eq!(found, [(u64::from(alice.id()), "alice".into(), None, 0, None, 1)]);
        let none: Found = conn.exec(&statement, ("nobody", 1000)).await.unwrap();
        assert_eq!(none, []);
    }
    let row: Row = conn.exec_first(&statement, ("alice", 1000)).await.unwrap().unwrap();
    assert_eq!(row.columns_ref()[5].column_type(), MYSQL_TYPE_LONGLONG);
    assert_eq!(code(conn.prep(format!("SELECT nothing FROM {LIST} WHERE user = ?")).await), 1054);
    let told: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.unwrap();
    assert_eq!((told.len(), told[0].1), (1, 1054));
    // Its own rows alone, however it asks.
    let own: Vec<u64> = alice.exec(format!("SELECT id FROM {LIST} WHERE user = ? OR 1"), ("root",)).await.unwrap();
    assert_eq!(own, [u64::from(alice.id())]);
}

#[tokio::test]
async fn columns_say_what_they_are_of() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let sql = "SELECT p.ID, p.Time AS seconds, p.host, t.PROCESSLIST_COMMAND, COUNT(*) n, 'x' FROM \
               information_schema.processlist p JOIN performance_schema.threads t ON t.processlist_id = p.id";
    let row: Row = conn.query_first(sql).await.unwrap().unwrap();
    let found: Vec<_> = row.columns_ref().iter().map(described).collect();
    use ColumnType::{MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_VAR_STRING};
    let (information, performance) = (("information_schema", "processlist"), ("performance_schema", "threads"));
    let expected = [
        (information, "ID", MYSQL_TYPE_LONGLONG, true, true),
        (information, "seconds", MYSQL_TYPE_LONG, false, true),
        (information, "host", MYSQL_TYPE_VAR_STRING, false, true),
        (performance, "PROCESSLIST_COMMAND", MYSQL_TYPE_VAR_STRING, false, false),
        (("", ""), "n", MYSQL_TYPE_LONGLONG, false, false),
        (("", ""), "x", MYSQL_TYPE_VAR_STRING, false, false),
    ];
    for (found, ((schema, table), name, kind, unsigned, not_null)) in found.iter().zip(expected) {
        let expected = (schema.into(), table.into(), name.into(), kind, unsigned);
        assert_eq!((found.0.clone(), found.1.clone(), found.2.clone(), found.3, found.4), expected);
        assert!(!not_null || found.5, "{name} is never NULL");
    }
    assert_eq!(found.len(), expected.len());
}

#[tokio::test]
async fn a_question_stands_among_other_statements_in_one_packet() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let id = u64::from(conn.id());
    let sql = format!("SELECT 1; SELECT id FROM {LIST} WHERE info LIKE 'SELECT id%'; DO 1; SELECT 2");
    let mut results = conn.query_iter(sql).await.unwrap();
    assert_eq!(results.collect::<String>().await.unwrap(), ["SELECT 1"]);
    assert_eq!(results.collect::<u64>().await.unwrap(), [0; 0], "Info is the whole packet's text");
    assert_eq!(results.collect::<String>().await.unwrap(), [""; 0]);
    assert_eq!(results.collect::<String>().await.unwrap(), ["SELECT 2"]);
    results.drop_result().await.unwrap();
    let sql = format!("SELECT id FROM {LIST}; USE information_schema; SELECT id + 1 FROM processlist");
    let mut results = conn.query_iter(sql).await.unwrap();
    assert_eq!(results.collect::<u64>().await.unwrap(), [id]);
    assert_eq!(results.collect::<u64>().await.unwrap(), [0; 0]);
    assert_eq!(results.collect::<u64>().await.unwrap(), [id + 1]);
    results.drop_result().await.unwrap();
    let error = conn.query_drop(format!("SELECT 1; SELECT nothing FROM {LIST}; SET @ran = 1")).await;
    assert_eq!(code(error), 1054);
    let ran: Option<u8> = conn.query_first(format!("SELECT @ran FROM {LIST}")).await.unwrap().unwrap();
    assert_eq!(ran, None, "an error ends the packet");
    conn.query_drop("SET @mine = 'root'").await.unwrap();
    let own: u64 = conn.query_first(format!("SELECT id FROM {LIST} WHERE user = @mine")).await.unwrap().unwrap();
    assert_eq!(own, id);
}

#[test]
fn the_databases_of_the_tables_can_be_used() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    for (database, table) in
        [("information_schema", "processlist"), ("performance_schema", "threads"), ("killdeer", "kill_history")]
    {
        raw.command(0x02, database.as_bytes());
        assert!(matches!(raw.answer(), Some(Answer::Ok { .. })), "{database}");
        let Answer::Rows { rows, .. } = raw.query(&format!("SELECT COUNT(*) >= 0, DATABASE() FROM {table}")) else {
            panic!("no rows of {table}");
        };
        assert_eq!(rows, [[Some("1".to_owned()), Some(database.to_owned())]]);
        assert!(matches!(raw.query(&format!("USE {database}")), Answer::Ok { .. }));
    }
    raw.command(0x02, b"nosuch");
    assert_eq!(raw.answer().unwrap().code(), 1049);
}

#[tokio::test]
async fn what_else_clients_ask_of_information_schema_is_the_engines() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let databases: Vec<String> = conn.query("SHOW DATABASES").await.unwrap();
    assert_eq!(databases, ["information_schema", "killdeer", "performance_schema", "test"]);
    let tables: Vec<String> = conn.query("SHOW TABLES FROM information_schema").await.unwrap();
    assert!(tables.contains(&"TABLES".to_owned()), "{tables:?}");
    for sql in [
        "SHOW FULL TABLES FROM test",
        "SELECT TABLE_NAME FROM information_schema.tables WHERE TABLE_SCHEMA = 'test'",
        "SELECT SCHEMA_NAME FROM information_schema.schemata WHERE SCHEMA_NAME = 'processlist'",
    ] {
        let rows: Vec<Row> = conn.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(rows.len(), 0, "{sql}");
    }
    let schemata: Vec<String> =
        conn.query("SELECT SCHEMA_NAME FROM information_schema.schemata WHERE SCHEMA_NAME = 'test'").await.unwrap();
    assert_eq!(schemata, ["test"]);
}

#[test]
fn a_question_ends_with_a_kill_and_with_its_client() {
    let server = Server::start();
    let mut by = Raw::login(&server);
    let _crowd: Vec<_> = (0..3).map(|_| Raw::login(&server)).collect();
    let joined: Vec<_> = (0..40).map(|n| format!("{LIST} t{n}")).collect();
    let endless = format!("SELECT COUNT(*) FROM {}", joined.join(", "));
    let mut victim = Raw::login(&server);
    victim.send_query(&endless);
    server.wait_running(victim.id);
    assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
    assert_eq!(victim.answer().unwrap().code(), 1317);
    assert!(matches!(victim.query(&format!("SELECT id FROM {LIST}")), Answer::Rows { .. }), "the session works on");
    victim.send_query(&endless);
    server.wait_running(victim.id);
    assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
    assert_eq!(victim.answer(), None);
    // As many as there are threads, and more: their clients vanish, and no thread is left behind.
    let vanishing = available_parallelism().map_or(1, usize::from) + 2;
    for _ in 0..vanishing {
        let mut gone = Raw::login(&server);
        gone.send_query(&endless);
        server.wait_running(gone.id);
        drop(gone);
    }
    let Answer::Rows { rows, .. } = by.query(&format!("SELECT COUNT(*) > 0 FROM {LIST}")) else { panic!("no rows") };
    assert_eq!(rows, [[Some("1".to_owned())]]);
    server.wait("the end of them", |list| list.len() == 4);
}
