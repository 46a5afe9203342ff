//! What is read of statements.

use proptest::prelude::*;

use super::{
    Own::{self, CharacterSets, LocalInfile},
    Place::{self, Any, Last, LastAtPrimary, Primary},
    *,
};

fn of(sql: &str) -> Reading<'_> {
    read(sql.as_bytes(), &Syntax::MARIADB)
}

#[test]
fn a_statement_runs_where_its_text_allows() {
    let cases: &[(Place, &[&str])] = &[
        (
            Any,
            &[
                "SELECT 1",
                "select * from t where a in (1, 2) and (b = 'x' or c = \"FOR UPDATE\")",
                "SELECT COUNT(*), max(a), IF(a, 1, 2), CONCAT('a', b) FROM t GROUP BY (c) HAVING COUNT(*) > 1",
                "SELECT a FROM t FORCE INDEX (i) LEFT JOIN (SELECT 1 AS x) AS d USING (x) ORDER BY (a) LIMIT 1;",
                "(SELECT 1) UNION ALL (SELECT 2)",
                "WITH a AS (SELECT 1) SELECT * FROM a",
                "TABLE t",
                "VALUES (1), (2)",
                "SELECT CAST(a AS CHAR(10)), CONVERT(b, DECIMAL(10, 2)), INTERVAL(1, 2) FROM t",
                "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) FROM t",
                "SELECT MATCH (a) AGAINST ('+x' IN BOOLEAN MODE) FROM t",
                "SELECT t.sql_calc_found_rows, found_rows, `row_count` FROM t",
                "SELECT INSERT('a', 1, 1, 'b'), REPLACE(a, 'b', 'c') FROM t",
                "SELECT `update`, t.share, 'GET_LOCK()', \"INTO\" FROM t -- FOR UPDATE",
                "SELECT /* INTO OUTFILE */ 1 # FOR UPDATE",
                "SELECT /*+ MAX_EXECUTION_TIME(100) */ 1",
                "SELECT SLEEP(1), NOW(), RAND()",
                "SELECT * FROM t FOR SYSTEM_TIME AS OF NOW()",
                "SHOW TABLES",
                "show full tables from x like 'a%'",
                "SHOW CREATE TABLE t",
                "SHOW INDEX FROM t",
                "SHOW PROCEDURE STATUS",
                "EXPLAIN SELECT 1",
                "EXPLAIN FORMAT=JSON SELECT * FROM t",
                "DESC t",
                "DESCRIBE t 'a%'",
            ],
        ),
        (
            Last,
            &[
                "SELECT FOUND_ROWS()",
                "SELECT ROW_COUNT ()",
                "SELECT @@warning_count",
                "SELECT @@session.error_count, 1",
                "SHOW WARNINGS LIMIT 1",
                "SHOW COUNT(*) ERRORS",
                "SHOW ERRORS",
                "SELECT FOUND_ROWS(), @x, @@sql_mode",
                "SELECT SQL_CALC_FOUND_ROWS a FROM t WHERE b = FOUND_ROWS()",
            ],
        ),
        (
            LastAtPrimary,
            &[
                "INSERT INTO t SELECT FOUND_ROWS()",
                "INSERT INTO row_count (a) VALUES (row_count())",
                "UPDATE t SET a = 1 WHERE b = ROW_COUNT( )",
                "DO FOUND_ROWS()",
                "SET @n = FOUND_ROWS()",
                "SET @w = @@warning_count",
                "SET sql_mode = '', @n = 1, @w = @@session.error_count",
                "SELECT FOUND_ROWS() INTO @x",
                "SELECT @n := ROW_COUNT()",
                "SELECT FOUND_ROWS() FOR UPDATE",
                "SELECT ROW_COUNT(), LAST_INSERT_ID()",
                "SELECT @@identity, @@warning_count",
                "SELECT /*!40000 FOUND_ROWS() */",
                "CREATE TABLE t AS SELECT FOUND_ROWS() AS n",
                "CREATE OR REPLACE TEMPORARY TABLE t AS SELECT FOUND_ROWS() AS n",
                "GET DIAGNOSTICS @n = NUMBER",
                "get current diagnostics condition 1 @m = message_text",
                "GET STACKED DIAGNOSTICS @n = NUMBER",
                "SET STATEMENT max_statement_time = 1 FOR SELECT FOUND_ROWS()",
                "SET STATEMENT sort_buffer_size = FOUND_ROWS() FOR SELECT 1",
                "SET STATEMENT a = 1 FOR GET DIAGNOSTICS @n = NUMBER",
                "BEGIN NOT ATOMIC DECLARE n INT; DECLARE m INT; SET n = FOUND_ROWS(); END",
                "IF ROW_COUNT() = 0 THEN INSERT INTO t VALUES (1); END IF",
            ],
        ),
        (
            Primary,
            &[
                "",
                ";",
                "INSERT INTO t VALUES (1)",
                "INSERT INTO row_count (a) VALUES (1)",
                "INSERT INTO t VALUES (d.found_rows(), '@@warning_count')",
                "UPDATE t SET a = 1",
                "SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 1",
                "(select /* c */ sql_calc_found_rows a from t) limit 1",
                "SELECT 1 FOR UPDATE",
                "SELECT 1 FROM t FOR SHARE SKIP LOCKED",
                "SELECT 1 FROM t LOCK IN SHARE MODE",
                "SELECT 1 INTO OUTFILE 'x'",
                "SELECT 1 INTO @x",
                "SELECT a.f(1) FROM a",
                "SELECT `f`(1)",
                "SELECT \"f\" (1)",
                "SELECT my_function(a) FROM t",
                "SELECT abs.length(1)",
                "SELECT GET_LOCK('a', 1)",
                "SELECT RELEASE_LOCK('a')",
                "SELECT IS_FREE_LOCK('a')",
                "SELECT LAST_INSERT_ID()",
                "SELECT @x",
                "SELECT @x := 1",
                "SELECT @@server_id",
                "SELECT @@identity",
                "SELECT a FROM t PROCEDURE ANALYSE()",
                "SELECT * FROM information_schema.innodb_trx",
                "SELECT 1 FROM `PERFORMANCE_SCHEMA`.`threads`",
                "SELECT * FROM sys.session",
                "SELECT * FROM mysql.general_log",
                "SELECT COUNT(*) FROM `MySQL` . `slow_log`",
                "SELECT CONNECTION_ID() + 1",
                "SELECT NEXT VALUE FOR s",
                "SELECT PREVIOUS VALUE FOR s",
                "SELECT NEXTVAL(s)",
                "SELECT s.nextval",
                "SELECT d.s.CURRVAL FROM t",
                "CREATE PROCEDURE p() SELECT FOUND_ROWS()",
                "CREATE OR REPLACE DEFINER = CURRENT_USER TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @n = ROW_COUNT()",
                "CREATE VIEW v AS SELECT @@warning_count",
                "ALTER EVENT e DO INSERT INTO t SELECT FOUND_ROWS()",
                "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); SET @n = ROW_COUNT(); END",
                "BEGIN NOT ATOMIC DECLARE n INT; INSERT INTO t VALUES (1); SET n = ROW_COUNT(); END",
                "SELECT MASTER_GTID_WAIT('0-1-1')",
                "SELECT 1; DELETE FROM t",
                "SELECT 'open",
                "SELECT /*! INTO OUTFILE 'x' */ 1",
                "SELECT /*!99999 1 INTO OUTFILE 'x' */ 1",
                "SELECT /*M! 1 */ 1",
                "SELECT /*T! 1 */ 1",
                "WITH a AS (SELECT 1) UPDATE t SET x = 1",
                "WITH a AS (SELECT 1) DELETE FROM t",
                "EXPLAIN DELETE FROM t",
                "EXPLAIN REPLACE t SET a = 1",
                "ANALYZE UPDATE t SET a = 1",
                "ANALYZE SELECT 1",
                "EXPLAIN FOR CONNECTION 5",
                "SHOW STATUS",
                "SHOW VARIABLES",
                "SHOW FULL PROCESSLIST",
                "SHOW SLAVE STATUS",
                "SHOW PROCEDURE CODE p",
                "SHOW PROFILES",
                "SET @x = 1",
                "SET NAMES utf8mb4",
                "CALL p()",
                "USE x",
                "BEGIN",
                "START TRANSACTION READ ONLY",
                "COMMIT",
                "HANDLER t READ FIRST",
                "SELECTED",
                "EXECUTE IMMEDIATE 'SELECT 1'",
                "SET STATEMENT sort_buffer_size = 1 FOR SELECT 1",
                "SET STATEMENT a = 1 FOR (SELECT 1)",
                "SET STATEMENT a = 1",
            ],
        ),
    ];
    for (place, statements) in cases {
        for sql in *statements {
            assert_eq!(of(sql).place, *place, "{sql}");
        }
    }
}

#[test]
fn a_statement_ties_the_client_to_what_it_leaves_behind() {
    for (sql, pins, unpins) in [
        ("CREATE TEMPORARY TABLE t (a INT)", Pins::TEMPORARY_TABLES, Pins::NONE),
        ("create or replace temporary table t as select 1", Pins::TEMPORARY_TABLES, Pins::NONE),
        ("CREATE TABLE t (a INT) COMMENT 'TEMPORARY'", Pins::NONE, Pins::NONE),
        ("CREATE TABLE `TEMPORARY` (a INT)", Pins::NONE, Pins::NONE),
        ("SELECT get_lock ('a', 1)", Pins::NAMED_LOCKS, Pins::NONE),
        ("DO GET_LOCK('a', 1)", Pins::NAMED_LOCKS, Pins::NONE),
        ("INSERT INTO t SELECT GET_LOCK('a', 1)", Pins::NAMED_LOCKS, Pins::NONE),
        ("SELECT 'GET_LOCK()' /* GET_LOCK() */, get_lock", Pins::NONE, Pins::NONE),
        ("SELECT RELEASE_LOCK('a')", Pins::NONE, Pins::NONE),
        ("SELECT RELEASE_ALL_LOCKS()", Pins::NONE, Pins::NAMED_LOCKS),
        ("do /* c */ release_all_locks ( ) ;", Pins::NONE, Pins::NAMED_LOCKS),
        ("SELECT RELEASE_ALL_LOCKS(), GET_LOCK('a', 1)", Pins::NAMED_LOCKS, Pins::NONE),
        ("SELECT IF(0, RELEASE_ALL_LOCKS(), 1)", Pins::NONE, Pins::NONE),
        ("SELECT RELEASE_ALL_LOCKS() FROM t WHERE 0", Pins::NONE, Pins::NONE),
        ("SELECT d.RELEASE_ALL_LOCKS()", Pins::NONE, Pins::NONE),
        ("DO RELEASE_ALL_LOCKS(), GET_LOCK('a', 1)", Pins::NAMED_LOCKS, Pins::NONE),
        ("DO RELEASE_ALL_LOCKS(); DO 1", Pins::NONE, Pins::NONE),
        ("DO RELEASE_ALL_LOCKS() /*!99999 , GET_LOCK('a', 1) */", Pins::ROUTINES, Pins::NONE),
        ("INSERT INTO t SELECT RELEASE_ALL_LOCKS()", Pins::NONE, Pins::NONE),
        ("LOCK TABLES t READ", Pins::TABLE_LOCKS, Pins::NONE),
        ("UNLOCK TABLES", Pins::NONE, Pins::TABLE_LOCKS),
        ("LOCK INSTANCE FOR BACKUP", Pins::INSTANCE_LOCK, Pins::NONE),
        ("UNLOCK INSTANCE", Pins::NONE, Pins::INSTANCE_LOCK),
        ("FLUSH TABLES WITH READ LOCK", Pins::TABLE_LOCKS, Pins::NONE),
        ("FLUSH TABLES t FOR EXPORT", Pins::TABLE_LOCKS, Pins::NONE),
        ("FLUSH TABLES", Pins::NONE, Pins::NONE),
        ("BACKUP STAGE START", Pins::BACKUP_STAGE, Pins::NONE),
        ("BACKUP STAGE BLOCK_COMMIT", Pins::BACKUP_STAGE, Pins::NONE),
        ("BACKUP STAGE END", Pins::NONE, Pins::BACKUP_STAGE),
        ("BACKUP LOCK t", Pins::BACKUP_LOCK, Pins::NONE),
        ("BACKUP UNLOCK", Pins::NONE, Pins::BACKUP_LOCK),
        ("HANDLER t OPEN", Pins::HANDLERS, Pins::NONE),
        ("XA START 'a'", Pins::XA, Pins::NONE),
        ("XA PREPARE 'a'", Pins::NONE, Pins::NONE),
        ("XA COMMIT 'a'", Pins::NONE, Pins::XA),
        ("SET TRANSACTION READ ONLY", Pins::NEXT_TRANSACTION, Pins::NONE),
        ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", Pins::NONE, Pins::NONE),
        ("SET ROLE r", Pins::VARIABLES, Pins::NONE),
        ("SET PASSWORD = 'x'", Pins::NONE, Pins::NONE),
        ("SET @x = 1, @y := 'a', @z = -1.5, @n = NULL", Pins::NONE, Pins::NONE),
        ("SET @x = @y", Pins::USER_VARIABLES, Pins::NONE),
        ("SET @x = (SELECT 1, 2), @y = 1", Pins::USER_VARIABLES, Pins::NONE),
        ("SET @x = CURRENT_TIMESTAMP", Pins::USER_VARIABLES, Pins::NONE),
        ("SET @x = ?", Pins::USER_VARIABLES, Pins::NONE),
        ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", Pins::NONE, Pins::NONE),
        ("SELECT @x := 1", Pins::USER_VARIABLES, Pins::NONE),
        ("UPDATE t SET a = (@n := @n + 1)", Pins::USER_VARIABLES, Pins::NONE),
        ("SELECT 1, 2 INTO @x, @y", Pins::USER_VARIABLES, Pins::NONE),
        ("SELECT @x", Pins::NONE, Pins::NONE),
        ("INSERT INTO t VALUES (@x)", Pins::NONE, Pins::NONE),
        ("CALL p(1, @out)", Pins::USER_VARIABLES.and(Pins::ROUTINES), Pins::NONE),
        ("EXECUTE IMMEDIATE 'SELECT 1'", Pins::ROUTINES, Pins::NONE),
        ("BEGIN NOT ATOMIC SET @x = 1; END", Pins::ROUTINES, Pins::NONE),
        ("WHILE 0 DO SET @x = 1; END WHILE", Pins::ROUTINES, Pins::NONE),
        ("BEGIN", Pins::NONE, Pins::NONE),
        ("CALL p(1)", Pins::ROUTINES, Pins::NONE),
        ("LOAD DATA INFILE 'f' INTO TABLE t (@a, b) SET a = @a + 1", Pins::USER_VARIABLES, Pins::NONE),
        ("CREATE /*!99999 TEMPORARY */ TABLE t (a INT)", Pins::ROUTINES, Pins::NONE),
        ("CREATE /*T! TEMPORARY */ TABLE t (a INT)", Pins::ROUTINES, Pins::NONE),
        ("CREATE /*M! TEMPORARY */ TABLE t (a INT)", Pins::TEMPORARY_TABLES, Pins::NONE),
        ("CREATE /*!40000 TEMPORARY */ TABLE t (a INT)", Pins::TEMPORARY_TABLES, Pins::NONE),
        ("INSERT INTO t VALUES (1) /* ! */", Pins::NONE, Pins::NONE),
        ("GET DIAGNOSTICS @n = NUMBER", Pins::USER_VARIABLES, Pins::NONE),
        ("GET CURRENT DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT", Pins::USER_VARIABLES, Pins::NONE),
    ] {
        let reading = of(sql);
        assert_eq!((reading.pins, reading.unpins), (pins, unpins), "{sql}");
    }
}

#[test]
fn what_stands_behind_set_statement_is_read_as_if_it_stood_alone() {
    for sql in [
        "CREATE TEMPORARY TABLE t AS SELECT 1",
        "CALL p(@out)",
        "DO GET_LOCK('a', 1)",
        "DO RELEASE_ALL_LOCKS()",
        "LOCK TABLES t READ",
        "UNLOCK TABLES",
        "BACKUP LOCK t",
        "HANDLER t OPEN",
        "SET @x = @y, sql_mode = ''",
        "SET ROLE r",
        "SET NAMES latin1",
        "USE shop",
        "LOAD DATA LOCAL INFILE 'f' INTO TABLE t",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "BEGIN NOT ATOMIC SELECT 1; END",
        "INSERT INTO t VALUES (CONNECTION_ID())",
        "GET DIAGNOSTICS @n = NUMBER",
        "SET STATEMENT b = 2 FOR CREATE TEMPORARY TABLE t AS SELECT 1",
    ] {
        for frame in [
            "SET STATEMENT a = 1",
            "set statement sort_buffer_size=(1000000), `for` = SUBSTRING('for' FOR 2) /* FOR */ , b = @@for",
            "SET STATEMENT a = 1 FOR SET STATEMENT b = 'FOR'",
        ] {
            let framed = format!("{frame} FOR {sql}");
            assert_eq!(of(&framed), of(sql), "{framed}");
        }
    }
    let question = of("SET STATEMENT a = 1 FOR SELECT CONNECTION_ID()");
    assert_eq!((question.own, question.uses_connection_id), (None, true));
    // What stands before it counts, too.
    assert!(of("SET STATEMENT a = CONNECTION_ID() FOR SELECT 1").uses_connection_id);
    let locked = of("SET STATEMENT a = GET_LOCK('a', 1) FOR UNLOCK TABLES");
    assert_eq!((locked.pins, locked.unpins), (Pins::NAMED_LOCKS, Pins::TABLE_LOCKS));
}

#[test]
fn what_the_proxy_does_itself_is_known() {
    for (sql, own) in [
        ("SET NAMES utf8mb4", Some(CharacterSets)),
        ("/*!40101 SET NAMES utf8 */", Some(CharacterSets)),
        ("SET sql_mode = '', NAMES latin1 COLLATE latin1_bin", Some(CharacterSets)),
        ("SET CHARACTER SET latin1", Some(CharacterSets)),
        ("SET charset utf8", Some(CharacterSets)),
        ("SET character_set_results = NULL", Some(CharacterSets)),
        ("SET @@session.`character_set_client` = utf8", Some(CharacterSets)),
        ("SET LOCAL character_set_client = utf8", Some(CharacterSets)),
        ("/*!40101 SET @saved_cs_client = @@character_set_client */", Some(CharacterSets)),
        ("SET @a = @@global.character_set_client", None),
        ("SET GLOBAL character_set_client = utf8", None),
        ("SET @names = 1, a = (b, NAMES)", None),
        ("SET names = 1", None),
        ("SELECT 'SET NAMES utf8'", None),
        ("LOAD DATA LOCAL INFILE 'f' INTO TABLE t", Some(LocalInfile)),
        ("load data low_priority local infile 'f' into table t", Some(LocalInfile)),
        ("LOAD XML LOCAL INFILE 'f' INTO TABLE t", Some(LocalInfile)),
        ("LOAD DATA INFILE 'LOCAL' INTO TABLE t", None),
    ] {
        assert_eq!(of(sql).own, own, "{sql}");
    }
}

#[test]
fn a_bare_question_for_the_id_is_known_with_its_header() {
    for (sql, header) in [
        ("SELECT CONNECTION_ID()", "CONNECTION_ID()"),
        ("select Connection_Id ( ) ;", "Connection_Id ( )"),
        ("/* c */ SELECT /* d */ connection_id(/* e */) -- f", "connection_id(/* e */)"),
        ("SELECT CONNECTION_ID() AS id", "id"),
        ("SELECT CONNECTION_ID() `my id`", "my id"),
        ("SELECT CONNECTION_ID() AS 'it''s'", "it's"),
        ("SELECT CONNECTION_ID() FROM DUAL", "CONNECTION_ID()"),
        ("SELECT CONNECTION_ID() x FROM dual;", "x"),
    ] {
        match of(sql).own {
            Some(Own::ConnectionId { header: found }) => assert_eq!(found.to_string_lossy(), header, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    for (sql, uses) in [
        ("SELECT CONNECTION_ID(), 1", true),
        ("SELECT CONNECTION_ID() FROM t", true),
        ("SELECT CONNECTION_ID() AS", true),
        ("SELECT 1 + connection_id ()", true),
        ("INSERT INTO t VALUES (CONNECTION_ID())", true),
        ("SELECT * FROM t WHERE id = CONNECTION_ID()", true),
        ("SELECT @@pseudo_thread_id", true),
        ("SELECT @@session.pseudo_thread_id", true),
        ("SET pseudo_thread_id = 5", false),
        ("SELECT connection_id FROM t", false),
        ("SELECT 'CONNECTION_ID()', `CONNECTION_ID`", false),
        ("SELECT 1 -- CONNECTION_ID()", false),
    ] {
        let reading = of(sql);
        assert_eq!((reading.own, reading.uses_connection_id), (None, uses), "{sql}");
    }
}

#[test]
fn the_kind_of_statement_is_known() {
    for (sql, verb) in [
        ("SET a = 1", Verb::Set),
        ("set names utf8", Verb::Set),
        ("SET STATEMENT max_statement_time = 1 FOR SELECT 1", Verb::Other),
        ("SET statement = 1", Verb::Set),
        ("CALL p", Verb::Call),
        ("EXECUTE IMMEDIATE 'x'", Verb::Call),
        ("BEGIN NOT ATOMIC SELECT 1; END", Verb::Call),
        ("IF @a THEN SET sql_mode = ''; END IF", Verb::Call),
        ("again: LOOP LEAVE again; END LOOP", Verb::Call),
        ("FOR i IN 1..3 DO SELECT i; END FOR", Verb::Call),
        ("BEGIN", Verb::Other),
        ("/*!99999 SET a = 1 */", Verb::Call),
        ("USE x", Verb::Use),
        ("SELECT 1", Verb::Other),
    ] {
        assert_eq!(of(sql).verb, verb, "{sql}");
    }
}

/// Pieces that are not code wherever they stand.
fn dead() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(" ".to_owned()),
        Just("/* GET_LOCK( FOR UPDATE */".to_owned()),
        Just("-- INTO @x\n".to_owned()),
        Just("# CONNECTION_ID()\n".to_owned()),
        "/\\*[a-z ;'\"`]{0,8}\\*/",
    ]
}

proptest! {
    #[test]
    fn any_text_is_read(sql in proptest::collection::vec(any::<u8>(), 0..64)) {
        read(&sql, &Syntax::MARIADB);
    }

    #[test]
    fn comments_and_case_change_nothing(gaps in proptest::collection::vec(dead(), 12), upper: bool) {
        for words in [
            "select a from t where b = ' FOR UPDATE '",
            "select 1 for update",
            "create temporary table x as select 1",
            "select get_lock ( 'a' , 1 )",
            "set session transaction read only",
            "set names utf8mb4 , @x = 1",
            "load data local infile 'x'",
            "select connection_id ( ) + 1",
        ] {
            let plain = of(words);
            let mut quoted = false;
            let sql: String = words.split(' ').zip(&gaps).fold(String::new(), |sql, (word, gap)| {
                // within quotes nothing is put between
                let gap = if quoted { "" } else { gap };
                quoted ^= word.matches('\'').count() % 2 == 1;
                sql + gap + " " + &if upper { word.to_uppercase() } else { word.to_owned() }
            });
            let found = read(sql.as_bytes(), &Syntax::MARIADB);
            prop_assert_eq!((found.place, found.pins, found.unpins), (plain.place, plain.pins, plain.unpins), "{}", sql);
            prop_assert_eq!((found.verb, found.own, found.uses_connection_id), (plain.verb, plain.own, plain.uses_connection_id));
        }
    }

    /// A query with a word before a parenthesis that nobody knows may write.
    #[test]
    fn an_unknown_function_is_the_primarys(name in "[a-z]{3,8}_[0-9]{3}") {
        let sql = format!("SELECT a, {name}(a) FROM t");
        prop_assert_eq!(of(&sql).place, Primary);
    }
}
