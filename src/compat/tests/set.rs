//! `SET`.

use super::*;

#[test]
fn every_form_sets() {
    play(&[
        ("SET NAMES utf8mb4", "OK 0"),
        ("SET NAMES 'latin1' COLLATE 'latin1_bin'", "OK 0"),
        (
            "SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection",
            "@@character_set_client|@@character_set_connection|@@character_set_results|@@collation_connection\n\
             latin1|latin1|latin1|latin1_bin",
        ),
        ("SET NAMES DEFAULT", "OK 0"),
        (
            "SELECT @@character_set_client, @@collation_connection",
            "@@character_set_client|@@collation_connection\nutf8mb4|utf8mb4_0900_ai_ci",
        ),
        ("SET NAMES binary", "OK 0"),
        ("SET NAMES utf8", "OK 0"),
        ("SELECT @@character_set_client", "@@character_set_client\nutf8mb3"),
        ("SET CHARACTER SET latin1", "OK 0"),
        (
            "SELECT @@character_set_client, @@character_set_connection",
            "@@character_set_client|@@character_set_connection\nlatin1|utf8mb4",
        ),
        ("SET CHARSET 'utf8mb4'", "OK 0"),
        ("SET SESSION wait_timeout = 60", "OK 0"),
        ("SET LOCAL net_read_timeout := 61", "OK 0"),
        ("SET @@session.net_write_timeout = 62, @@max_execution_time = 1000, `sql_select_limit` = 5", "OK 0"),
        (
            "SELECT @@wait_timeout, @@net_read_timeout, @@net_write_timeout, @@max_execution_time, @@sql_select_limit, @@global.wait_timeout",
            "@@wait_timeout|@@net_read_timeout|@@net_write_timeout|@@max_execution_time|@@sql_select_limit|@@global.wait_timeout\n\
             60|61|62|1000|5|28800",
        ),
        ("SET wait_timeout = DEFAULT, SESSION net_read_timeout = @@global.net_read_timeout", "OK 0"),
        ("SELECT @@wait_timeout, @@net_read_timeout", "@@wait_timeout|@@net_read_timeout\n28800|30"),
        ("SET @x = 1, @y := 'b', @z = @@port + 1", "OK 0"),
        ("SET @x = 2, @y = @x", "OK 0"),
        ("SELECT @x, @y, @z", "@x|@y|@z\n2|1|3307"),
        ("SET @a.b = 3", "OK 0"),
        ("SELECT @a.b", "@a.b\n3"),
        ("SET autocommit=0", "OK 0"),
        ("SELECT @@autocommit", "@@autocommit\n0"),
        ("SET AUTOCOMMIT = ON", "OK 0"),
        ("SET autocommit = 'off', foreign_key_checks = 0, unique_checks = FALSE", "OK 0"),
        (
            "SHOW VARIABLES WHERE Variable_name IN ('autocommit', 'foreign_key_checks', 'unique_checks')",
            "Variable_name|Value\nautocommit|OFF\nforeign_key_checks|OFF\nunique_checks|OFF",
        ),
        ("SET autocommit = DEFAULT", "OK 0"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "OK 0"),
        ("SELECT @@transaction_isolation", "@@transaction_isolation\nREAD-COMMITTED"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY", "OK 0"),
        ("SELECT @@tx_isolation, @@tx_read_only", "@@tx_isolation|@@tx_read_only\nSERIALIZABLE|1"),
        ("SET tx_isolation = 'READ-UNCOMMITTED'", "OK 0"),
        ("SET SESSION TRANSACTION READ WRITE", "OK 0"),
        ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "OK 0"),
        (
            "SELECT @@transaction_isolation, @@transaction_read_only",
            "@@transaction_isolation|@@transaction_read_only\nREAD-UNCOMMITTED|0",
        ),
        ("SET sql_mode = ''", "OK 0"),
        ("SET sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES')", "OK 0"),
        ("SELECT @@sql_mode", "@@sql_mode\nSTRICT_TRANS_TABLES"),
        ("SET sql_mode = ANSI_QUOTES", "OK 0"),
        ("SET sql_mode=(SELECT REPLACE(@@sql_mode, 'ANSI_QUOTES', ''))", "OK 0"),
        ("SELECT @@sql_mode", "@@sql_mode\n"),
        ("SET character_set_results = NULL", "OK 0"),
        ("SELECT @@character_set_results", "@@character_set_results\n~"),
        ("SET collation_connection = utf8mb4_bin", "OK 0"),
        ("SET character_set_client = binary, time_zone = SYSTEM;", "OK 0"),
        ("SET wait_timeout = 0", "OK 1"),
        ("SHOW WARNINGS", "Level|Code|Message\nWarning|1292|Truncated incorrect wait_timeout value: '0'"),
        ("SELECT @@wait_timeout", "@@wait_timeout\n1"),
        ("SHOW WARNINGS", "Level|Code|Message"),
    ]);
}

#[test]
fn what_cannot_be_set_is_refused_and_nothing_of_the_statement_is_kept() {
    let mut state = ClientState::new();
    for (sql, code) in [
        ("SET @kept = 1, nope = 1", 1193),
        ("SET @kept = 1, GLOBAL nope = 1", 1193),
        ("SET @kept = 1, version = 'x'", 1238),
        ("SET @kept = 1, @@global.version = 'x'", 1238),
        ("SET @kept = 1, max_connections = 5", 1229),
        ("SET @kept = 1, max_allowed_packet = 5", 1621),
        ("SET @kept = 1, GLOBAL max_connections = 5", 1227),
        ("SET @kept = 1, GLOBAL wait_timeout = 5, net_read_timeout = 5", 1227),
        ("SET @kept = 1, @@persist.wait_timeout = 5", 1227),
        ("SET @kept = 1, PERSIST wait_timeout = 5", 1227),
        ("SET @kept = 1, GLOBAL timestamp = 5", 1228),
        ("SET @kept = 1, GLOBAL TRANSACTION READ ONLY", 1227),
        ("SET @kept = 1, wait_timeout = 'x'", 1232),
        ("SET @kept = 1, autocommit = 2", 1231),
        ("SET @kept = 1, NAMES klingon", 1115),
        ("SET @kept = 1, NAMES utf8mb4 COLLATE latin1_bin", 1253),
        ("SET @kept = 1, NAMES utf8mb4 COLLATE nope", 1273),
        ("SET @kept = 1, time_zone = 'Mars/Olympus'", 1298),
        ("SET @kept = @@nope", 1193),
    ] {
        assert_eq!(outcome(&mut state, sql), format!("ERROR {code}"), "{sql}");
        assert_eq!(state.user_variable("kept"), None, "{sql}");
    }
    let long = format!("SET @{} = 1", "x".repeat(65));
    assert_eq!(outcome(&mut state, &long), "ERROR 3061");
    let allowed = Facts { may_set_global: true, ..facts() };
    assert_eq!(outcome_with(&mut state, "SET GLOBAL wait_timeout = 5", &allowed), "ERROR 1235");
    assert_eq!(outcome_with(&mut state, "SET GLOBAL TRANSACTION READ ONLY", &allowed), "ERROR 1235");
    play(&[
        ("BEGIN", "OK 0"),
        ("SET TRANSACTION READ ONLY", "ERROR 1568"),
        ("SET SESSION TRANSACTION READ ONLY", "OK 0"),
    ]);
}

#[test]
fn what_is_no_variable_is_the_servers() {
    for sql in [
        "SET PASSWORD = 'x'",
        "SET PASSWORD FOR 'a'@'b' = 'x'",
        "SET ROLE NONE",
        "SET DEFAULT ROLE ALL TO a",
        "SET RESOURCE GROUP g",
        "SET",
        "SET @x",
        "SET @x =",
        "SET @x = my_function()",
        "SET @x = (SELECT MAX(a) FROM t)",
        "SET @x = word",
        "SET a.b = 1",
        "SET x = 1 y = 2",
        "SET STATEMENT max_statement_time=1 FOR SELECT 1",
        "SET @x = 1; SELECT 1",
        "SET NAMES",
        "SET NAMES utf8mb4 x",
    ] {
        // A name that is no variable is told so only where the whole statement was understood.
        let answered = ask(sql);
        assert!(answered == Ok(None) || answered.clone().is_err_and(|e| e.code() == 1193), "{sql}: {answered:?}");
        if !sql.starts_with("SET PASSWORD =") && !sql.starts_with("SET x") {
            assert_eq!(answered, Ok(None), "{sql}");
        }
    }
}

#[test]
fn the_server_reads_what_was_set() {
    let state = play(&[("SET max_execution_time = 250, tx_isolation = 'SERIALIZABLE', @X = 'y'", "OK 0")]);
    assert_eq!(state.session_variable("MAX_EXECUTION_TIME"), Some(&OwnedValue::UInt(250)));
    assert_eq!(state.session_variable("transaction_isolation"), Some(&OwnedValue::Text("SERIALIZABLE".into())));
    assert_eq!(state.session_variable("wait_timeout"), None);
    assert_eq!(state.user_variable("x"), Some(OwnedValue::Text("y".into())));
}

#[test]
fn a_value_in_the_wrong_place_leaves_the_state_usable() {
    let mut state = ClientState::new();
    outcome(&mut state, "SET NAMES nope");
    assert_eq!(outcome(&mut state, "SHOW ERRORS"), "Level|Code|Message\nError|1115|Unknown character set: 'nope'");
    assert_eq!(outcome(&mut state, "SELECT @@error_count, @@warning_count"), "@@error_count|@@warning_count\n1|1");
    assert_eq!(outcome(&mut state, "SHOW COUNT(*) WARNINGS"), "@@session.warning_count\n1");
    assert_eq!(outcome(&mut state, "SELECT 1"), "None");
    assert_eq!(outcome(&mut state, "SHOW WARNINGS LIMIT 5"), "Level|Code|Message");
}
