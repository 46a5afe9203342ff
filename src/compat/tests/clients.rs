//! The statements that well-known clients send when they connect, as they send them.

use super::*;

/// Plays a client's start; every statement must be answered, without an error.
fn starts(client: &str, statements: &[&str]) -> ClientState {
    let mut state = ClientState::new();
    for sql in statements {
        let answer = state.answer(sql, &facts());
        assert!(matches!(answer, Ok(Some(_))), "{client}: {sql}: {answer:?}");
    }
    state
}

#[test]
fn the_command_line_clients() {
    starts(
        "mysql, mariadb",
        &[
            "select @@version_comment limit 1",
            "SELECT DATABASE()",
            "show databases",
            "show tables",
            "select DATABASE(), USER() limit 1",
            "select @@character_set_client, @@character_set_connection, @@character_set_server, @@character_set_database limit 1",
            "show session status like 'ssl_version'",
            "SELECT USER()",
        ],
    );
    assert_eq!(ask("select $$"), Ok(None), "the 8.0.33 client asks this to be refused");
    starts(
        "mycli",
        &[
            "SET NAMES utf8mb4",
            "SELECT CONNECTION_ID()",
            "SELECT @@VERSION, @@VERSION_COMMENT",
            "SHOW DATABASES",
            "SHOW TABLES",
            "SELECT CONCAT(\"'\", user, \"'@'\",host,\"'\") FROM mysql.user",
            "SELECT ROUTINE_NAME FROM INFORMATION_SCHEMA.ROUTINES\n    WHERE ROUTINE_TYPE=\"FUNCTION\" AND ROUTINE_SCHEMA = \"shop\"",
            "SELECT name from mysql.help_topic WHERE name like \"SHOW %\"",
            "select TABLE_NAME, COLUMN_NAME from information_schema.columns where table_schema = 'shop' order by table_name,ordinal_position",
        ],
    );
    starts(
        "mysqldump",
        &[
            "/*!40100 SET @@SQL_MODE='' */",
            "/*!40103 SET TIME_ZONE='+00:00' */",
            "/*!80000 SET SESSION information_schema_stats_expiry=0 */",
            "SET SESSION NET_READ_TIMEOUT= 86400, SESSION NET_WRITE_TIMEOUT= 86400",
            "SHOW VARIABLES LIKE 'gtid\\_mode'",
            "/*!40100 SET SQL_QUOTE_SHOW_CREATE=1 */",
            "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;",
            "/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;",
            "/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;",
            "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;",
            "/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;",
            "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;",
            "/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;",
            "/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;",
        ],
    );
}

#[test]
fn python() {
    let state = starts(
        "PyMySQL",
        &["SET NAMES utf8mb4", "SET AUTOCOMMIT = 0", "SELECT @@version", "SHOW WARNINGS", "ROLLBACK"],
    );
    assert!(!state.autocommit());
    starts(
        "mysql-connector-python",
        &[
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'",
            "SET @@session.autocommit = OFF",
            "SET @@session.time_zone = '+00:00'",
            "SET @@session.sql_mode = 'TRADITIONAL'",
            "SELECT @@session.autocommit",
            "SELECT @@session.sql_mode",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "COMMIT",
        ],
    );
    starts(
        "SQLAlchemy",
        &[
            "SELECT DATABASE()",
            "SELECT @@transaction_isolation",
            "SELECT @@sql_mode",
            "SELECT @@lower_case_table_names",
            "SHOW VARIABLES LIKE 'sql_mode'",
            "SHOW FULL TABLES FROM `shop`",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        ],
    );
    assert_eq!(ask("DESCRIBE `shop`.`orders`").unwrap_err().code(), 1146, "how it learns that a table is missing");
}

#[test]
fn node_and_rust_and_go() {
    starts(
        "mysql2, Sequelize, TypeORM",
        &[
            "SELECT VERSION() as `version`",
            "SELECT DATABASE() AS `db_name`",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;",
            "START TRANSACTION;",
            "SELECT * FROM `INFORMATION_SCHEMA`.`COLUMNS` WHERE `TABLE_SCHEMA` = 'shop' AND `TABLE_NAME` = 'typeorm_metadata'",
            "COMMIT;",
        ],
    );
    let state = starts(
        "sqlx",
        &[
            "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),time_zone='+00:00',NAMES utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ],
    );
    assert_eq!(state.session_variable("time_zone"), Some(&OwnedValue::Text("+00:00".into())));
    assert_eq!(state.session_variable("collation_connection"), Some(&OwnedValue::Text("utf8mb4_unicode_ci".into())));
    starts(
        "mysql_async",
        &[
            "SELECT @@socket",
            "SELECT @@max_allowed_packet",
            "SELECT @@max_allowed_packet, @@wait_timeout",
            "SELECT @@max_allowed_packet,@@wait_timeout,@@socket",
        ],
    );
    starts(
        "Go driver, gorm",
        &[
            "SELECT @@max_allowed_packet",
            "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
            "SET time_zone = '+00:00', wait_timeout = 60",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "START TRANSACTION READ ONLY",
            "SELECT VERSION()",
            "SELECT SCHEMA_NAME from Information_schema.SCHEMATA where SCHEMA_NAME LIKE 'shop%' ORDER BY SCHEMA_NAME='shop' DESC,SCHEMA_NAME limit 1",
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'orders' AND table_type = 'BASE TABLE'",
        ],
    );
}

#[test]
fn java() {
    starts(
        "Connector/J",
        &[
            "/* mysql-connector-j-8.2.0 (Revision: 06a1f724497fd81c6a659131fda822c9e5085b6c) */SELECT  \
         @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, \
         @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, \
         @@character_set_server AS character_set_server, @@collation_server AS collation_server, \
         @@collation_connection AS collation_connection, @@init_connect AS init_connect, \
         @@interactive_timeout AS interactive_timeout, @@license AS license, \
         @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, \
         @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, \
         @@query_cache_size AS query_cache_size, @@query_cache_type AS query_cache_type, @@sql_mode AS sql_mode, \
         @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, \
         @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout",
            "SET character_set_results = NULL",
            "SET autocommit=1",
            "SET sql_mode='STRICT_TRANS_TABLES'",
            "SHOW WARNINGS",
            "SELECT @@session.transaction_read_only",
            "select @@session.tx_read_only",
            "SET SESSION sql_select_limit=DEFAULT",
            "SHOW COLLATION",
            "SHOW VARIABLES",
            "/* mysql-connector-java-5.1.49 ( Revision: ad86f36e100e104cd926c6b81c8cab9565750116 ) */SHOW VARIABLES WHERE \
         Variable_name ='language' OR Variable_name = 'net_write_timeout' OR Variable_name = 'interactive_timeout' OR \
         Variable_name = 'wait_timeout' OR Variable_name = 'character_set_client' OR Variable_name = \
         'character_set_connection' OR Variable_name = 'character_set' OR Variable_name = 'character_set_server' OR \
         Variable_name = 'tx_isolation' OR Variable_name = 'transaction_isolation' OR Variable_name = \
         'character_set_results' OR Variable_name = 'timezone' OR Variable_name = 'time_zone' OR Variable_name = \
         'system_time_zone' OR Variable_name = 'lower_case_table_names' OR Variable_name = 'max_allowed_packet' OR \
         Variable_name = 'net_buffer_length' OR Variable_name = 'sql_mode' OR Variable_name = 'query_cache_type' OR \
         Variable_name = 'query_cache_size' OR Variable_name = 'license' OR Variable_name = 'init_connect'",
            "SELECT TABLE_SCHEMA AS TABLE_CAT, NULL AS TABLE_SCHEM, TABLE_NAME, CASE WHEN TABLE_TYPE='BASE TABLE' THEN CASE \
         WHEN TABLE_SCHEMA = 'mysql' OR TABLE_SCHEMA = 'performance_schema' THEN 'SYSTEM TABLE' ELSE 'TABLE' END WHEN \
         TABLE_TYPE='TEMPORARY' THEN 'LOCAL_TEMPORARY' ELSE TABLE_TYPE END AS TABLE_TYPE, TABLE_COMMENT AS REMARKS, NULL \
         AS TYPE_CAT FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'shop' HAVING TABLE_TYPE IN ('TABLE',null,null) \
         ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME",
            "SELECT WORD FROM INFORMATION_SCHEMA.KEYWORDS WHERE RESERVED=1 ORDER BY WORD",
            "SHOW DATABASES",
        ],
    );
    starts(
        "MariaDB Connector/J",
        &[
            "set autocommit=1, session_track_schema=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')",
            "SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment",
            "SELECT @@max_allowed_packet, @@wait_timeout",
            "SET session_track_system_variables = CONCAT(@@global.session_track_system_variables, ',auto_increment_increment')",
            "SHOW VARIABLES WHERE Variable_name in ('max_allowed_packet','system_time_zone','time_zone','auto_increment_increment')",
            "set session transaction read only",
        ],
    );
    starts(
        "DBeaver",
        &[
            "SELECT DATABASE()",
            "SHOW ENGINES",
            "SHOW CHARSET",
            "SHOW COLLATION",
            "SHOW PLUGINS",
            "SHOW PRIVILEGES",
            "SHOW GRANTS FOR CURRENT_USER()",
            "SHOW GLOBAL STATUS",
            "SHOW GLOBAL VARIABLES",
            "SELECT @@GLOBAL.character_set_server,@@GLOBAL.collation_server",
            "SELECT * FROM information_schema.TABLES t\nWHERE\n\tt.TABLE_SCHEMA = 'information_schema'\n\tAND t.TABLE_NAME = 'CHECK_CONSTRAINTS'",
            "SHOW FULL TABLES FROM `shop`",
            "SHOW TABLE STATUS FROM `shop`",
            "SHOW EVENTS FROM `shop`",
            "SELECT * FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA='shop' ORDER BY ROUTINE_NAME",
            "SELECT * FROM mysql.user ORDER BY user",
        ],
    );
}
