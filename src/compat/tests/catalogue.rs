//! `SELECT` from the catalogue's tables.

use super::*;

#[test]
fn databases_and_variables_are_rows() {
    play(&[
        ("SELECT schema_name FROM information_schema.schemata", "schema_name\ninformation_schema\nshop\nstock_1"),
        (
            "SELECT SCHEMA_NAME AS `Database` FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = 'shop'",
            "Database\nshop",
        ),
        (
            "SELECT s.SCHEMA_NAME FROM information_schema.SCHEMATA AS s WHERE s.SCHEMA_NAME LIKE 's%' AND NOT s.schema_name = 'shop'",
            "SCHEMA_NAME\nstock_1",
        ),
        (
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema', 'mysql') ORDER BY schema_name DESC",
            "schema_name\nstock_1\nshop",
        ),
        ("SELECT schema_name n FROM information_schema.schemata ORDER BY n DESC LIMIT 1", "n\nstock_1"),
        ("SELECT schema_name FROM information_schema.schemata ORDER BY 1 LIMIT 1, 1", "schema_name\nshop"),
        ("SELECT schema_name FROM information_schema.schemata WHERE schema_name = DATABASE()", "schema_name\nshop"),
        ("SELECT DISTINCT catalog_name FROM information_schema.schemata", "catalog_name\ndef"),
        ("SELECT 1 FROM information_schema.schemata WHERE schema_name = 'shop'", "1\n1"),
        ("SELECT COUNT(*) FROM information_schema.schemata", "COUNT(*)\n3"),
        ("SELECT COUNT(*) AS n, COUNT(1) FROM information_schema.schemata WHERE schema_name = 'x'", "n|COUNT(1)\n0|0"),
        ("SELECT COUNT(*) > 0 AS found FROM information_schema.schemata WHERE schema_name = 'shop'", "found\n1"),
        (
            "SELECT * FROM information_schema.schemata WHERE schema_name = 'shop'",
            "CATALOG_NAME|SCHEMA_NAME|DEFAULT_CHARACTER_SET_NAME|DEFAULT_COLLATION_NAME|SQL_PATH|DEFAULT_ENCRYPTION\ndef|shop|utf8mb4|utf8mb4_0900_ai_ci|~|NO",
        ),
        (
            "SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.schemata WHERE schema_name = 'shop'",
            "DEFAULT_CHARACTER_SET_NAME\nutf8mb4",
        ),
        (
            "SELECT VARIABLE_VALUE FROM performance_schema.session_variables WHERE VARIABLE_NAME = 'port'",
            "VARIABLE_VALUE\n3306",
        ),
        (
            "SELECT * FROM performance_schema.global_variables WHERE variable_name IN ('license', 'port')",
            "VARIABLE_NAME|VARIABLE_VALUE\nlicense|GPL\nport|3306",
        ),
        (
            "SELECT * FROM performance_schema.global_status WHERE variable_name = 'uptime'",
            "VARIABLE_NAME|VARIABLE_VALUE\nUptime|7",
        ),
        (
            "SELECT VARIABLE_NAME, SESSION_VALUE, GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME LIKE 'WAIT%'",
            "VARIABLE_NAME|SESSION_VALUE|GLOBAL_VALUE\nWAIT_TIMEOUT|28800|28800",
        ),
        (
            "SELECT COUNT(*) AS support_ndb FROM information_schema.ENGINES WHERE Engine = 'ndbcluster'",
            "support_ndb\n0",
        ),
        ("SELECT engine, support FROM information_schema.engines", "engine|support\nInnoDB|DEFAULT"),
        (
            "SELECT collation_name FROM information_schema.collations WHERE is_default = 'Yes' AND character_set_name = 'latin1'",
            "collation_name\nlatin1_swedish_ci",
        ),
        (
            "SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.user_privileges",
            "GRANTEE|PRIVILEGE_TYPE\n'app'@'%'|PROCESS",
        ),
    ]);
}

#[test]
fn empty_tables_give_empty_sets_with_the_columns_asked_for() {
    play(&[
        ("SELECT a, b AS c, COUNT(*) FROM information_schema.tables GROUP BY a, b", "a|c|COUNT(*)"),
        ("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'x'", "count(*)\n0"),
        (
            "SELECT SUM(data_length), IFNULL(SUM(index_length), 0) AS i FROM information_schema.tables",
            "SUM(data_length)|i\n~|0",
        ),
        (
            "SELECT TABLE_NAME, CASE WHEN TABLE_TYPE='BASE TABLE' THEN 1 ELSE 2 END AS t FROM information_schema.tables WHERE whatever(1) HAVING t = 1 ORDER BY t",
            "TABLE_NAME|t",
        ),
        (
            "SELECT t.table_name, c.column_name FROM information_schema.tables t LEFT JOIN information_schema.columns c ON c.table_name = t.table_name WHERE t.table_schema = 'shop'",
            "table_name|column_name",
        ),
        (
            "SELECT s.schema_name FROM information_schema.schemata s JOIN information_schema.tables t ON t.table_schema = s.schema_name",
            "schema_name",
        ),
        ("SELECT s.schema_name FROM information_schema.schemata s, information_schema.tables t", "schema_name"),
        ("SELECT User, Host FROM mysql.user ORDER BY user", "User|Host"),
        ("SELECT name FROM mysql.help_topic WHERE name LIKE 'SHOW %'", "name"),
        (
            "SELECT * FROM information_schema.plugins",
            "PLUGIN_NAME|PLUGIN_VERSION|PLUGIN_STATUS|PLUGIN_TYPE|PLUGIN_TYPE_VERSION|PLUGIN_LIBRARY|PLUGIN_LIBRARY_VERSION|PLUGIN_AUTHOR|PLUGIN_DESCRIPTION|PLUGIN_LICENSE|LOAD_OPTION",
        ),
    ]);
    for (sql, count) in [
        ("SELECT * FROM information_schema.TABLES", 21),
        ("SELECT * FROM `information_schema`.`COLUMNS` WHERE TABLE_NAME = 'x'", 22),
        ("SELECT * FROM information_schema.ROUTINES", 31),
        ("SELECT t.* FROM mysql.user t", 51),
        ("SELECT * FROM mysql.proc", 20),
    ] {
        assert_eq!(columns(sql).len(), count, "{sql}");
    }
}

#[test]
fn what_would_be_wrong_is_not_answered() {
    play(&[
        ("SELECT * FROM information_schema.nope", "ERROR 1109"),
        ("SELECT * FROM information_schema.processlist", "None"),
        ("SELECT * FROM performance_schema.processlist", "None"),
        ("SELECT * FROM performance_schema.threads", "None"),
        ("SELECT COUNT(*) FROM information_schema.tables t, information_schema.processlist p", "None"),
        ("SELECT * FROM performance_schema.events_statements_current", "None"),
        ("SELECT * FROM mysql.mine", "None"),
        ("SELECT schema_name FROM information_schema.schemata WHERE my_function(schema_name)", "None"),
        ("SELECT my_function(schema_name) FROM information_schema.schemata", "None"),
        ("SELECT schema_name, COUNT(*) FROM information_schema.schemata GROUP BY schema_name", "None"),
        ("SELECT MAX(schema_name) FROM information_schema.schemata", "None"),
        ("SELECT CASE WHEN COUNT(*) > 0 THEN 1 END FROM information_schema.tables", "None"),
        ("SELECT s.schema_name FROM information_schema.schemata s LEFT JOIN information_schema.tables t ON 1", "None"),
        ("SELECT 1 FROM information_schema.tables RIGHT JOIN information_schema.schemata ON 1", "None"),
        ("SELECT nope FROM information_schema.schemata", "None"),
        ("SELECT 1 FROM information_schema.schemata UNION SELECT 2", "None"),
        ("SELECT 1 FROM information_schema.schemata FOR UPDATE", "None"),
        ("SELECT * FROM information_schema.innodb_metrics", "None"),
        ("SELECT (SELECT schema_name FROM information_schema.schemata)", "None"),
    ]);
    let e = ask("SELECT * FROM information_schema.nope").unwrap_err();
    assert_eq!((e.code(), e.state(), e.message()), (1109, "42S02", "Unknown table 'NOPE' in information_schema"));
}

#[test]
fn in_the_catalogue_itself_names_need_no_prefix() {
    let inside = Facts { database: Some("information_schema"), ..facts() };
    let mut state = ClientState::new();
    assert_eq!(outcome_with(&mut state, "SELECT COUNT(*) FROM schemata", &inside), "COUNT(*)\n3");
    assert_eq!(outcome_with(&mut state, "SELECT * FROM shop.t", &inside), "None");
    assert_eq!(outcome(&mut state, "SELECT COUNT(*) FROM schemata"), "None");
}
