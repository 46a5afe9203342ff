//! `SHOW` and `DESCRIBE`.

use super::*;

#[test]
fn lists_are_filtered_as_mysql_filters_them() {
    play(&[
        (
            "SHOW VARIABLES LIKE 'sql\\_mo%'",
            "Variable_name|Value\nsql_mode|ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        ),
        (
            "show session variables like 'LOWER_CASE%'",
            "Variable_name|Value\nlower_case_file_system|OFF\nlower_case_table_names|0",
        ),
        ("SHOW GLOBAL VARIABLES WHERE Variable_name = 'autocommit'", "Variable_name|Value\nautocommit|ON"),
        (
            "SHOW VARIABLES WHERE `Variable_name` IN ('port', 'license') AND Value <> ''",
            "Variable_name|Value\nlicense|GPL\nport|3306",
        ),
        (
            "SHOW VARIABLES WHERE Variable_name LIKE 'tx%' OR Variable_name = 'PORT'",
            "Variable_name|Value\nport|3306\ntx_isolation|REPEATABLE-READ\ntx_read_only|OFF",
        ),
        ("SHOW VARIABLES LIKE 'long_query_time'", "Variable_name|Value\nlong_query_time|10.000000"),
        ("SHOW VARIABLES LIKE 'socket'", "Variable_name|Value\nsocket|"),
        ("SHOW GLOBAL VARIABLES LIKE 'timestamp'", "Variable_name|Value"),
        ("SHOW VARIABLES WHERE my_function(Variable_name)", "None"),
        ("SHOW STATUS", "Variable_name|Value\nSsl_cipher|\nSsl_version|\nThreads_connected|3\nUptime|7"),
        ("SHOW GLOBAL STATUS LIKE 'up%'", "Variable_name|Value\nUptime|7"),
        ("SHOW SESSION STATUS WHERE Variable_name = 'threads_connected'", "Variable_name|Value\nThreads_connected|3"),
        ("SHOW WARNINGS", "Level|Code|Message"),
        ("SHOW WARNINGS LIMIT 1, 2", "Level|Code|Message"),
        ("SHOW ERRORS", "Level|Code|Message"),
        ("SHOW COUNT(*) WARNINGS", "@@session.warning_count\n0"),
        ("SHOW COUNT(*) ERRORS", "@@session.error_count\n0"),
        ("SHOW DATABASES", "Database\ninformation_schema\nshop\nstock_1"),
        ("SHOW SCHEMAS LIKE 'S%'", "Database (S%)\nshop\nstock_1"),
        ("SHOW DATABASES LIKE 'stock\\_1'", "Database (stock\\_1)\nstock_1"),
        ("SHOW DATABASES WHERE `Database` NOT IN ('information_schema')", "Database\nshop\nstock_1"),
        ("SHOW TABLES", "Tables_in_shop"),
        ("SHOW FULL TABLES FROM `stock_1` LIKE '%'", "Tables_in_stock_1 (%)|Table_type"),
        ("SHOW FULL TABLES WHERE Table_type != 'VIEW'", "Tables_in_shop|Table_type"),
        ("SHOW TABLES FROM nowhere", "ERROR 1049"),
        ("SHOW TABLES IN information_schema LIKE 'schemata'", "Tables_in_information_schema (schemata)\nSCHEMATA"),
        (
            "SHOW COLLATION LIKE 'utf8mb4_0900_a_\\_ci'",
            "Collation|Charset|Id|Default|Compiled|Sortlen|Pad_attribute\nutf8mb4_0900_ai_ci|utf8mb4|255|Yes|Yes|0|NO PAD\nutf8mb4_0900_as_ci|utf8mb4|305||Yes|0|NO PAD",
        ),
        (
            "SHOW COLLATION WHERE Charset = 'binary'",
            "Collation|Charset|Id|Default|Compiled|Sortlen|Pad_attribute\nbinary|binary|63|Yes|Yes|1|NO PAD",
        ),
        (
            "SHOW CHARACTER SET LIKE 'latin%'",
            "Charset|Description|Default collation|Maxlen\nlatin1|cp1252 West European|latin1_swedish_ci|1",
        ),
        (
            "SHOW CHARSET WHERE Maxlen = 4",
            "Charset|Description|Default collation|Maxlen\nutf8mb4|UTF-8 Unicode|utf8mb4_0900_ai_ci|4",
        ),
        (
            "SHOW STORAGE ENGINES",
            "Engine|Support|Comment|Transactions|XA|Savepoints\nInnoDB|DEFAULT|Supports transactions, row-level locking, and foreign keys|YES|YES|YES",
        ),
        ("SHOW PLUGINS", "Name|Status|Type|Library|License"),
        ("SHOW GRANTS", "Grants for app@%\nGRANT PROCESS ON *.* TO `app`@`%`"),
        ("SHOW GRANTS FOR CURRENT_USER()", "Grants for app@%\nGRANT PROCESS ON *.* TO `app`@`%`"),
        ("SHOW GRANTS FOR root", "None"),
        ("SHOW MASTER STATUS", "File|Position|Binlog_Do_DB|Binlog_Ignore_DB|Executed_Gtid_Set"),
        ("SHOW BINARY LOGS", "Log_name|File_size|Encrypted"),
        (
            "SHOW PROCEDURE STATUS WHERE Db = 'shop'",
            "Db|Name|Type|Definer|Modified|Created|Security_type|Comment|character_set_client|collation_connection|Database Collation",
        ),
        ("SHOW COLUMNS FROM t", "ERROR 1146"),
        ("SHOW FULL FIELDS FROM `t` FROM `shop`", "ERROR 1146"),
        ("SHOW FULL COLUMNS FROM shop.t LIKE 'a%'", "ERROR 1146"),
        ("SHOW INDEX FROM t", "ERROR 1146"),
        ("SHOW COLUMNS FROM t FROM nowhere", "ERROR 1049"),
        ("DESCRIBE t", "ERROR 1146"),
        ("DESC `shop`.`t`;", "ERROR 1146"),
        ("DESCRIBE t 'a%'", "ERROR 1146"),
        ("DESCRIBE SELECT 1", "None"),
        ("EXPLAIN SELECT @@version", "None"),
    ]);
    let SqlError { .. } = ask("SHOW COLUMNS FROM t").unwrap_err();
    assert_eq!(ask("SHOW COLUMNS FROM t").unwrap_err().message(), "Table 'shop.t' doesn't exist");
}

#[test]
fn empty_lists_have_mysqls_columns() {
    for (sql, count, first, last) in [
        ("SHOW TABLE STATUS", 18, "Name", "Comment"),
        ("SHOW TABLE STATUS FROM shop LIKE 't%'", 18, "Name", "Comment"),
        ("SHOW TRIGGERS", 11, "Trigger", "Database Collation"),
        ("SHOW TRIGGERS FROM `shop` LIKE 'x'", 11, "Trigger", "Database Collation"),
        ("SHOW EVENTS IN shop WHERE Name = 'x'", 15, "Db", "Database Collation"),
        ("SHOW FUNCTION STATUS", 11, "Db", "Database Collation"),
        ("SHOW OPEN TABLES", 4, "Database", "Name_locked"),
        ("SHOW SLAVE STATUS", 60, "Slave_IO_State", "Network_Namespace"),
        ("SHOW REPLICA STATUS", 60, "Replica_IO_State", "Network_Namespace"),
    ] {
        let columns = columns(sql);
        assert_eq!(columns.len(), count, "{sql}");
        assert_eq!((columns[0].name.as_ref(), columns[count - 1].name.as_ref()), (first, last), "{sql}");
    }
}

#[test]
fn lists_of_sessions_and_definitions_are_not_ours() {
    for sql in [
        "SHOW PROCESSLIST",
        "SHOW FULL PROCESSLIST",
        "SHOW CREATE TABLE t",
        "SHOW CREATE DATABASE shop",
        "SHOW ENGINE INNODB STATUS",
        "SHOW",
        "SHOW VARIABLES LIKE",
        "SHOW VARIABLES LIKE x",
        "SHOW VARIABLES x",
        "SHOW COUNT(*) TABLES",
        "SHOW GLOBAL TABLES",
        "SHOW FULL VARIABLES",
    ] {
        assert_eq!(ask(sql), Ok(None), "{sql}");
    }
}

#[test]
fn without_a_database_there_are_no_tables_to_list() {
    let none = Facts { database: None, ..facts() };
    for sql in ["SHOW TABLES", "SHOW COLUMNS FROM t", "DESC t", "SHOW TABLE STATUS"] {
        assert_eq!(outcome_with(&mut ClientState::new(), sql, &none), "ERROR 1046", "{sql}");
    }
    assert_eq!(outcome_with(&mut ClientState::new(), "SELECT DATABASE()", &none), "DATABASE()\n~");
}

#[test]
fn grants_name_what_is_held() {
    for (privileges, expected) in [
        (Privileges::NONE, "GRANT USAGE ON *.* TO `a``b`@`%`"),
        (Privileges::ALL, "GRANT PROCESS, SUPER, CONNECTION_ADMIN, SYSTEM_USER ON *.* TO `a``b`@`%`"),
    ] {
        let facts = Facts { privileges, current_user: "a`b@%", ..facts() };
        let answer = outcome_with(&mut ClientState::new(), "SHOW GRANTS", &facts);
        assert_eq!(answer, format!("Grants for a`b@%\n{expected}"));
    }
}
