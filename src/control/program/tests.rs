//! Bodies of stored programs among other statements.

use proptest::{prelude::*, sample::select};

use crate::control::{Syntax, first_statement};

/// Expects that this is one statement, whatever follows it.
fn expect_one(sql: &str) {
    for (text, rest) in
        [(sql.to_owned(), None), (format!("{sql};\n"), None), (format!("{sql}; SELECT 9"), Some("SELECT 9"))]
    {
        let (range, at) = first_statement(text.as_bytes(), &Syntax::MARIADB);
        assert_eq!((&text[range], at.map(|at| &text[at..])), (sql, rest), "{text}");
    }
}

#[test]
fn a_stored_program_is_one_statement() {
    for sql in [
        "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
        "create or replace definer=`a`@`%` procedure x.p(IN a INT) begin if a > 1 then select 1; end if; end",
        "CREATE DEFINER = root@localhost FUNCTION f() RETURNS INT BEGIN DECLARE x INT; RETURN x; END",
        "CREATE DEFINER=CURRENT_USER() TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a = 1; SET @b = 2; END",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF NEW.a THEN SET NEW.a = 1; END IF",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW FOLLOWS t1 IF NEW.a THEN SET NEW.a = 1; END IF",
        "CREATE TRIGGER t AFTER DELETE ON x FOR EACH ROW PRECEDES `t1` CASE OLD.a WHEN 1 THEN SELECT 1; END CASE",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = 1",
        "CREATE PROCEDURE IF NOT EXISTS p() BEGIN DROP TABLE IF EXISTS t; END",
        "CREATE PROCEDURE p() COMMENT 'END;' IF (1) THEN SELECT 1; ELSEIF (2) THEN SELECT 2; ELSE SELECT 3; END IF",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END",
        "CREATE EVENT e ON SCHEDULE AT IF(1, NOW(), REPEAT('x', 2)) DO IF 1 THEN SELECT 1; END IF",
        "ALTER EVENT e DO BEGIN SELECT 1; SELECT 2; END",
        "ALTER DEFINER = a@localhost EVENT e COMMENT 'DO BEGIN' DO BEGIN SELECT 1; END",
        "ALTER EVENT e RENAME TO f",
        "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN a THEN 1 END, IF(a, REPEAT('x', 2), 3); SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN a THEN IF(b, 1, 2) ELSE REPEAT('x', 2) END; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN IF CASE a WHEN 1 THEN 2 END THEN IF b THEN SELECT 1; END IF; END IF; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN l: LOOP LEAVE l; END LOOP l; WHILE a DO SET a = 0; END WHILE; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN REPEAT SET a = 1; UNTIL a END REPEAT; FOR i IN 1..2 DO SELECT i; END FOR; END",
        "CREATE PROCEDURE p() BEGIN REPEAT SET a = 1; UNTIL CASE a WHEN 1 THEN 2 END END REPEAT; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; SELECT t.end; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR NOT FOUND IF a THEN SELECT 1; END IF; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '23000' IF a THEN SELECT 1; END IF; END",
        "CREATE PROCEDURE p() BEGIN DO IF(a, SLEEP(1), 0); WHILE a DO IF b THEN SELECT 1; END IF; END WHILE; END",
        "CREATE PROCEDURE p() l: BEGIN SELECT 1; END l",
        "CREATE PROCEDURE p() `l`: BEGIN SELECT 1; END `l`",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE PROCEDURE p(a INT DEFAULT IF(1, 2, 3)) SELECT * FROM t WHERE a IN (1) FOR UPDATE",
        "CREATE FUNCTION f() RETURNS INT RETURN IF(1, CASE 1 WHEN 1 THEN 2 END, 3)",
        "CREATE FUNCTION f() RETURNS INT IF a THEN RETURN 1; ELSE RETURN 2; END IF",
        "CREATE FUNCTION f() RETURNS INT(11) UNSIGNED NOT DETERMINISTIC NO SQL CASE WHEN a THEN RETURN 1; END CASE",
        "CREATE FUNCTION f() RETURNS CHAR CHARACTER SET utf8 BEGIN RETURN 'a'; END",
        "CREATE AGGREGATE FUNCTION f(x TEXT) RETURNS VARCHAR(9) CHARSET utf8 COLLATE utf8_bin BEGIN RETURN 'a'; END",
        "CREATE FUNCTION f RETURNS STRING SONAME 'f.so'",
        "CREATE FUNCTION f() RETURNS INT LANGUAGE x AS 'BEGIN'",
        "CREATE TABLE t (begin INT)",
        "CREATE TABLE `procedure` (a INT) COMMENT 'BEGIN'",
    ] {
        expect_one(sql);
    }
}

#[test]
fn a_block_of_mariadbs_is_one_statement() {
    for sql in [
        "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
        "BEGIN NOT ATOMIC IF a THEN SELECT 1; END IF; SELECT 2; END",
        "BEGIN",
        "IF a THEN SELECT 1; ELSE SELECT 2; END IF",
        "if (a) then begin select 1; end; end if",
        "WHILE a DO SELECT 1; SET a = 0; END WHILE",
        "LOOP SELECT 1; SELECT 2; END LOOP",
        "REPEAT SELECT 1; UNTIL a END REPEAT",
        "FOR i IN (SELECT a FROM t) DO SELECT i.a; END FOR",
        "CASE a WHEN 1 THEN SELECT 1; ELSE SELECT 2; END CASE",
    ] {
        expect_one(sql);
    }
}

/// MariaDB's `sql_mode = ORACLE`.
#[test]
fn a_package_and_a_routine_of_oracles_are_one_statement() {
    for sql in [
        "CREATE PROCEDURE p AS BEGIN SELECT 1; SELECT 2; END",
        "CREATE PROCEDURE p (a INT) IS x INT; `y` t.a%TYPE; BEGIN SELECT 1; END p",
        "CREATE OR REPLACE PROCEDURE p AUTHID DEFINER AS x INT := CASE 1 WHEN 1 THEN 2 END; BEGIN SELECT 1; END",
        "CREATE FUNCTION f (a INT) RETURN INT AS x INT; BEGIN IF a THEN RETURN 1; ELSIF x THEN RETURN 2; END IF; END",
        "CREATE FUNCTION f RETURN VARCHAR(9) IS BEGIN RETURN 'a'; EXCEPTION WHEN OTHERS THEN RETURN 'b'; END",
        "CREATE PROCEDURE p AS BEGIN FOR i IN 1..3 LOOP SELECT i; END LOOP; WHILE a LOOP SELECT 1; END LOOP; END",
        "CREATE PROCEDURE p AS BEGIN <<l>> LOOP SELECT 1; END LOOP l; DECLARE x INT; BEGIN SELECT 1; END; END",
        "CREATE PROCEDURE p AS x INT; BEGIN <<l>> FOR i IN 1..3 LOOP SELECT 1; END LOOP; SELECT 2; END",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW DECLARE y INT; BEGIN SELECT 1; END",
        "CREATE PACKAGE k AS PROCEDURE p(a INT DEFAULT CAST(1 AS INT)); FUNCTION f RETURN INT; END",
        "CREATE DEFINER=a@b PACKAGE IF NOT EXISTS x.k COMMENT 'END;' IS PROCEDURE p; END k",
        "CREATE OR REPLACE PACKAGE BODY k AS PROCEDURE p AS BEGIN SELECT 1; END; END",
        "CREATE PACKAGE BODY k IS x INT := 1; PROCEDURE p; FUNCTION f(a INT) RETURN INT IS y INT; BEGIN RETURN 1; END; \
         PROCEDURE p AS BEGIN IF x THEN SELECT 1; END IF; END p; END k",
        "CREATE PACKAGE BODY k AS x INT := CASE 1 WHEN 1 THEN 2 END; PROCEDURE p IS BEGIN NULL; END; BEGIN x := 2; END",
        "CREATE PACKAGE k AS END",
    ] {
        expect_one(sql);
    }
}

/// What is open at the end takes the rest of the text.
#[test]
fn a_body_without_its_end_takes_what_follows() {
    let sql = "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2";
    assert_eq!(first_statement(sql.as_bytes(), &Syntax::MYSQL), (0..sql.len(), None));
}

#[test]
fn other_statements_end_at_their_semicolons() {
    let after_nothing = first_statement(b";; CREATE PROCEDURE p() BEGIN SELECT 1; END; SELECT 2", &Syntax::MARIADB);
    assert_eq!(after_nothing, (3..43, Some(45)));
    for sql in [
        "BEGIN; SELECT 1; END",
        "CREATE TABLE t (a INT); BEGIN",
        "SELECT 'CREATE PROCEDURE' BEGIN; END",
        "ALTER EVENT e ENABLE; BEGIN; END",
        "ALTER PROCEDURE p COMMENT 'x'; IF a THEN SELECT 1; END IF",
        "ALTER TABLE t ADD begin INT; END",
        "CREATE PROCEDURE p() SELECT begin; END",
        "SELECT IF(a, 1, 2); END IF",
    ] {
        let (range, at) = first_statement(sql.as_bytes(), &Syntax::MARIADB);
        assert_eq!(range.end, sql.find(';').unwrap_or_default(), "{sql}");
        assert!(at.is_some(), "{sql}");
    }
}

/// An expression with what could be taken for blocks.
fn expression() -> impl Strategy<Value = String> {
    let leaf = select(vec!["a", "1", "'; END'", "t.end", "x.`begin`", "REPEAT('x', 2)"]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("IF({a}, {b}, {c})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("CASE WHEN {a} THEN {b} ELSE {c} END")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("CASE {a} WHEN 1 THEN {b} END")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
}

/// A statement of a body, without its semicolon.
fn statement() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        expression().prop_map(|a| format!("SELECT {a}")),
        expression().prop_map(|a| format!("SET @a = {a}")),
        expression().prop_map(|a| format!("DO {a}")),
        Just("DROP TABLE IF EXISTS t".to_owned()),
        Just("SELECT (1) FOR UPDATE".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let body = (inner.clone(), inner).prop_map(|(a, b)| format!("{a}; {b};"));
        prop_oneof![
            body.clone().prop_map(|body| format!("BEGIN {body} END")),
            body.clone().prop_map(|body| format!("l: LOOP {body} END LOOP l")),
            (expression(), body.clone(), body.clone())
                .prop_map(|(a, body, other)| format!("IF {a} THEN {body} ELSE {other} END IF")),
            (expression(), body.clone()).prop_map(|(a, body)| format!("WHILE {a} DO {body} END WHILE")),
            (expression(), body.clone()).prop_map(|(a, body)| format!("REPEAT {body} UNTIL {a} END REPEAT")),
            (expression(), body.clone(), body.clone())
                .prop_map(|(a, body, other)| format!("CASE {a} WHEN 1 THEN {body} ELSE {other} END CASE")),
            body.prop_map(|body| format!("FOR i IN 1..2 DO {body} END FOR")),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_is_one_statement_with_its_header(
        header in select(vec![
            "CREATE PROCEDURE p() ",
            "CREATE DEFINER = a@b FUNCTION IF NOT EXISTS x.f(a INT) RETURNS INT UNSIGNED READS SQL DATA ",
            "CREATE TRIGGER t BEFORE UPDATE ON x FOR EACH ROW FOLLOWS t1 ",
            "CREATE EVENT e ON SCHEDULE EVERY IF(1, 2, 3) DAY DO ",
            "ALTER EVENT e DO ",
        ]),
        body in statement(),
    ) {
        expect_one(&format!("{header}{body}"));
    }
}
