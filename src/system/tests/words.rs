//! MySQL's words, each with what it is worth.

use proptest::prelude::*;

use super::*;

#[test]
fn expressions_are_mysqls() {
    for (expression, expected) in [
        // strings and names
        (r#"'it''s', "say ""x""", 'a\'b\\c\n', 'x' 'y'"#, "it's|say \"x\"|a'b\\c\n|xy"),
        (r"'\0a', LENGTH('\0a'), _utf8mb4'é', N'n', CHAR_LENGTH('é'), LENGTH('é')", "\0a|2|é|n|1|2"),
        ("0x61, x'4142', 0x18 + 0, 1 + 0x01, b'101'", "a|AB|24|2|5"),
        ("TRUE, FALSE, NULL, 1 IS TRUE, 2 IS TRUE, 0 IS NOT TRUE, NULL IS UNKNOWN", "1|0|NULL|1|1|1|1"),
        // operators
        ("1 && 0, 1 || 0, !1, ! 0, NOT 0", "0|1|0|1|1"),
        ("1 <=> 1, NULL <=> NULL, 1 <=> NULL, 1 <=> TRUE, 2 <=> TRUE", "1|1|0|1|0"),
        ("1 != 2, 1 <> 1, 1 <= 1, 2 >= 3", "1|0|1|0"),
        ("7 DIV 2, -7 DIV 2, 7 DIV 0, 2 * 7 DIV 4, 7.5 DIV 2, 1 + 7 DIV 2 * 2", "3|-3|NULL|3|3|7"),
        ("7 MOD 4, 7 % 4, MOD(7, 4), MOD(7.5, 2), MOD(7, 0)", "3|3|3|1.5|NULL"),
        ("1 / 2, 3 * 2 / 4, 1 / 0, 1 + 1 / 2", "0.5|1.5|NULL|1.5"),
        ("1 XOR 0, 1 XOR 1, 1 XOR NULL, 1 AND 0 XOR 1, 0 OR 1 XOR 1, 1 XOR 1 XOR 1", "1|0|NULL|1|0|1"),
        ("5 ^ 1, 5 & 4, 5 | 2, 1 << 3, 4 | 1 & 2, 1 << 2 + 1, 1 | 2 << 1", "4|4|7|8|4|8|5"),
        (
            "-1 & 5, -1 >> 1, 1 << 64, 1 << -1, -3 + 2 * 4 - -1, 2 - 3 - 4, 7.5 % 2",
            "5|9223372036854775807|0|0|6|-5|1.5",
        ),
        (
            "NULL + 1, 1 + NULL * 2, FALSE * 2 + 1, 1 + 2 * TRUE, - 2 * 3 + 1, (1 + 2) * 3, '5' + 1",
            "NULL|NULL|1|3|-5|9|6",
        ),
        (
            "9223372036854775806 + 1, CAST(7 AS UNSIGNED), 9223372036854775807 - 1",
            "9223372036854775807|7|9223372036854775806",
        ),
        ("COUNT(*) OVER () + 1, 1 + 2 * COUNT(*) OVER () x", "2|3"),
        ("1--1, 1 - -1, - -1", "2|2|1"),
        ("'a' = 'A', 'a' = BINARY 'A', 'a' COLLATE utf8mb4_bin = 'A', 'a' = 'A' COLLATE utf8mb4_0900_ai_ci", "1|0|0|1"),
        ("CONCAT('A') = 'a', CASE 'A' WHEN 'a' THEN 1 ELSE 2 END, CASE WHEN 0 THEN 1 END", "1|1|NULL"),
        ("CASE WHEN 1 THEN CASE 2 WHEN 2 THEN 'x' END ELSE 'y' END XOR 1", "1"),
        // LIKE and REGEXP
        ("'Abc' LIKE 'a_C', 'abc' LIKE '%b%', 'abc' LIKE 'b', 'abc' NOT LIKE '%z%'", "1|1|0|1"),
        (r"'a%c' LIKE 'a\%c', 'abc' LIKE 'a\%c', 'a_c' LIKE 'a\_c', 'a%c' LIKE 'a!%c' ESCAPE '!'", "1|0|1|1"),
        (r"'a\\b' LIKE 'a\\\\b', 'É' LIKE 'é', NULL LIKE 'a', 'a' LIKE 'a' ESCAPE ''", "1|1|NULL|1"),
        ("'abc' REGEXP '^A.c$', 'abc' RLIKE 'x', 'abc' NOT REGEXP 'b', REGEXP_LIKE('abc', 'B', 'c')", "1|0|0|0"),
        ("'x' IN ('a', 'X'), 2 BETWEEN 1 AND 3, 2 NOT IN (1), NULL IS NULL", "1|1|1|1"),
        // texts
        (
            "CONCAT('a', 1, 1.5), CONCAT('a', NULL), CONCAT_WS(',', 'a', NULL, 'b'), CONCAT_WS(NULL, 'a')",
            "a11.5|NULL|a,b|NULL",
        ),
        (
            "SUBSTRING('hello', 2, 3), SUBSTR('hello', -3), MID('hello', 1, 1), SUBSTRING('hello' FROM 2 FOR 2), SUBSTRING('é1', 2)",
            "ell|llo|h|el|1",
        ),
        ("SUBSTRING('hello', 0), SUBSTRING('hello', -9), SUBSTRING('hello', 2, -1), SUBSTRING('hello', 9)", "|||"),
        (
            "SUBSTRING_INDEX('10.0.0.1:50', ':', 1), SUBSTRING_INDEX('a.b.c', '.', -2), SUBSTRING_INDEX('a', '', 1)",
            "10.0.0.1|b.c|",
        ),
        ("LEFT('hello', 2), RIGHT('hello', 2), LEFT('a', -1), RIGHT('é', 5)", "he|lo||é"),
        (
            "LOCATE('L', 'hello'), LOCATE('l', 'hello', 4), INSTR('hello', 'z'), POSITION('e' IN 'hello'), LOCATE('', 'a')",
            "3|4|0|2|1",
        ),
        (
            "UPPER('a'), UCASE('é'), LOWER('A'), LCASE('B'), REVERSE('abc'), REPLACE('aXbX', 'X', '--'), REPEAT('ab', 2)",
            "A|É|a|b|cba|a--b--|abab",
        ),
        (
            "TRIM('  a '), LTRIM(' a'), RTRIM('a '), TRIM(BOTH 'x' FROM 'xaxx'), TRIM(LEADING 'x' FROM 'xax'), TRIM(TRAILING FROM 'a ')",
            "a|a|a|a|ax|a",
        ),
        (
            "LPAD('5', 3, '0'), RPAD('a', 3, 'bc'), LPAD('hello', 2, 'x'), LPAD('a', -1, 'x'), SPACE(2)",
            "005|abc|he|NULL|  ",
        ),
        (
            "ASCII('A'), HEX('ab'), HEX(255), STRCMP('a', 'B'), FIELD('b', 'a', 'B'), ELT(2, 'a', 'b'), FIND_IN_SET('b', 'a,b')",
            "65|6162|FF|-1|2|b|2",
        ),
        ("FORMAT(1234567.891, 2), FORMAT(-1234, 0), FORMAT(12, 1)", "1,234,567.89|-1,234|12.0"),
        // numbers and choices
        (
            "IF(1, 'a', 'b'), IF(NULL, 1, 2), IFNULL(NULL, 3), COALESCE(NULL, NULL, 4), NULLIF(1, 1), ISNULL(NULL)",
            "a|2|3|4|NULL|1",
        ),
        ("GREATEST(1, 3, 2), LEAST('b', 'A'), GREATEST(1, NULL), LEAST(1.5, 2)", "3|A|NULL|1.5"),
        (
            "FLOOR(-1.5), CEIL(1.2), CEILING(2), ROUND(2.5), ROUND(1.236, 2), ROUND(1256, -2), TRUNCATE(1.999, 2), ABS(-3), ABS(-1.5)",
            "-2|2|2|3|1.24|1300|1.99|3|1.5",
        ),
        ("POW(2, 10), SQRT(9), SQRT(-1), SIGN(-4), '12abc' + 0", "1024|3|NULL|-1|12"),
        (
            "CAST('12x' AS SIGNED), CAST(1.6 AS UNSIGNED), CAST(5 AS CHAR), CAST('abc' AS CHAR(2)), CONVERT('7', SIGNED INTEGER), CONVERT('a' USING utf8mb4), CAST(1.236 AS DECIMAL(10,2))",
            "12|2|5|ab|7|a|1.24",
        ),
        // moments: the clock stands at 12:30:45.5 UTC
        (
            "NOW(), CURRENT_TIMESTAMP, NOW(3), UTC_TIMESTAMP(), CURDATE(), CURRENT_DATE, CURTIME()",
            "2024-02-29 12:30:45|2024-02-29 12:30:45|2024-02-29 12:30:45.500|2024-02-29 12:30:45|2024-02-29|2024-02-29|12:30:45",
        ),
        (
            "UNIX_TIMESTAMP(), UNIX_TIMESTAMP('1970-01-02 01:00:00'), FROM_UNIXTIME(86400), FROM_UNIXTIME(0, '%Y')",
            "1709209845|90000|1970-01-02 00:00:00|1970",
        ),
        (
            "NOW() - INTERVAL 5 MINUTE, NOW() + INTERVAL 1 DAY, DATE_SUB('2024-03-31', INTERVAL 1 MONTH), DATE_ADD('2024-02-29', INTERVAL 2 HOUR), ADDDATE('2024-02-28', 2)",
            "2024-02-29 12:25:45|2024-03-01 12:30:45|2024-02-29|2024-02-29 02:00:00|2024-03-01",
        ),
        (
            "'2024-01-01' + INTERVAL 1 + 1 DAY, '2024-01-01' - INTERVAL '3' SECOND, DATE_ADD('x', INTERVAL 1 DAY)",
            "2024-01-03|2023-12-31 23:59:57|NULL",
        ),
        (
            "DATE_FORMAT('2024-02-29 13:05:09', '%Y-%m-%d %H:%i:%s %W %j %p %l%%'), DATE_FORMAT(NULL, '%Y')",
            "2024-02-29 13:05:09 Thursday 060 PM 1%|NULL",
        ),
        (
            "TIMESTAMPDIFF(SECOND, '2024-01-01', '2024-01-02'), TIMESTAMPDIFF(MONTH, '2024-01-31', '2024-02-29'), DATEDIFF('2024-03-01', '2024-02-28')",
            "86400|0|2",
        ),
        (
            "SEC_TO_TIME(3661), SEC_TO_TIME(-5), TIME_TO_SEC('01:00:01'), TIMESTAMPADD(WEEK, 1, '2024-01-01')",
            "01:01:01|-00:00:05|3601|2024-01-08",
        ),
        (
            "EXTRACT(YEAR FROM '2024-02-29'), YEAR('2024-02-29'), MONTH('2024-02-29'), DAY('2024-02-29'), HOUR('10:11:12'), DATE('2024-02-29 10:00:00')",
            "2024|2024|2|29|10|2024-02-29",
        ),
        // the session
        (
            "USER(), CURRENT_USER(), CURRENT_USER, SESSION_USER(), CONNECTION_ID(), DATABASE(), VERSION()",
            "app@10.0.0.2|app@%|app@%|app@10.0.0.2|2|NULL|8.0.36-test",
        ),
    ] {
        assert_eq!(rows(&format!("SELECT {expression}")), expected, "{expression}");
    }
}

#[test]
fn no_number_is_silently_another() {
    for (expression, code) in [
        ("~0", 1235),
        ("CAST(-1 AS UNSIGNED)", 1690),
        ("CAST('18446744073709551615' AS UNSIGNED)", 1690),
        ("18446744073709551615", 1690),
        ("9223372036854775808 > 1", 1690),
        ("0xffffffffffffffff + 0", 1690),
        ("9223372036854775807 + 1", 1690),
        ("1 + 9223372036854775807 < 0", 1690),
        ("-9223372036854775807 - 2", 1690),
        ("9223372036854775807 * 2", 1690),
        ("1e30 DIV 1", 1690),
        ("(-9223372036854775807 - 1) DIV -1", 1690),
        ("ABS(-9223372036854775807 - 1)", 1690),
        ("1 << 63", 1690),
        ("-1 | 0", 1690),
        ("-1 ^ 0", 1690),
        ("SUM(9223372036854775807) FROM information_schema.processlist", 1690),
        ("1e308 * 10", 1690),
    ] {
        let found = error(&format!("SELECT {expression}"));
        assert_eq!(found.code(), code, "{expression}: {found}");
    }
    assert_eq!(rows("SELECT 1 LIMIT 18446744073709551615"), "1", "a common way to say that there is no limit");
}

#[test]
fn clauses_are_mysqls() {
    for (sql, expected) in [
        (
            "SELECT SQL_NO_CACHE HIGH_PRIORITY DISTINCT user FROM information_schema.processlist ORDER BY user LIMIT 1",
            "app",
        ),
        ("SELECT /*+ MAX_EXECUTION_TIME(5) */ id FROM information_schema.processlist LIMIT 1 FOR UPDATE", "1"),
        ("SELECT id FROM information_schema.processlist LIMIT 1 LOCK IN SHARE MODE", "1"),
        ("SELECT id FROM information_schema.processlist LIMIT 1 FOR SHARE SKIP LOCKED", "1"),
        (
            "SELECT id FROM information_schema.processlist USE INDEX (PRIMARY) ORDER BY id LIMIT 3, 18446744073709551615",
            "4/5",
        ),
        ("SELECT id FROM information_schema.processlist ORDER BY id LIMIT 1 OFFSET 2", "3"),
        ("SELECT COUNT(*) FROM information_schema.processlist a STRAIGHT_JOIN information_schema.processlist b", "25"),
        ("SELECT 1 FROM DUAL", "1"),
        ("SELECT 1 FROM dual WHERE 1 = 0", ""),
        ("SELECT /*!40101 5 */ /*!99999 + 1 */ # comment\n + 1 -- more\n", "6"),
        ("SELECT GROUP_CONCAT(id) FROM information_schema.processlist", "1,2,3,4,5"),
        ("SELECT GROUP_CONCAT(id ORDER BY id DESC SEPARATOR '-') FROM information_schema.processlist", "5-4-3-2-1"),
        ("SELECT GROUP_CONCAT(DISTINCT user ORDER BY user) FROM information_schema.processlist", "app,root,web"),
        (
            "SELECT GROUP_CONCAT(id, ':', user SEPARATOR ' ') FROM information_schema.processlist WHERE id < 3",
            "1:root 2:app",
        ),
        (
            "SELECT UPPER(db) d, COUNT(*) FROM information_schema.processlist WHERE db <> '' GROUP BY d ORDER BY d",
            "BLOG|1/SHOP|3",
        ),
        (
            "SELECT db collate utf8mb4_bin AS d FROM information_schema.processlist WHERE user = 'app' GROUP BY d ORDER BY d",
            "Shop/shop",
        ),
        ("SELECT id FROM information_schema.processlist WHERE id = '3' OR id IN ('5') ORDER BY id", "3/5"),
        ("SELECT id FROM information_schema.processlist ORDER BY host DESC, db LIMIT 1", "5"),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
    for sql in [
        "SELECT user, COUNT(*) FROM information_schema.processlist GROUP BY user WITH ROLLUP",
        "SELECT GROUP_CONCAT(DISTINCT user SEPARATOR ';') FROM information_schema.processlist",
    ] {
        assert_eq!(error(sql).code(), 1235, "{sql}");
    }
}

proptest! {
    #[test]
    fn strings_keep_their_value(value in "[a-zA-Z0-9'\"\\\\%_;\n\0é`#/*-]{0,20}") {
        let mut literal = String::from("'");
        for c in value.chars() {
            match c {
                '\'' => literal += "''",
                '\\' => literal += "\\\\",
                '\0' => literal += "\\0",
                c => literal.push(c),
            }
        }
        literal.push('\'');
        let found = answer_of(&format!("SELECT {literal}, {literal} = ?"), &[text(&value)], &[]).unwrap();
        prop_assert_eq!(&found.rows, &[[text(&value), OwnedValue::Int(1)]]);
        let double = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\"\"").replace('\0', "\\0"));
        prop_assert_eq!(answer_of(&format!("SELECT {double}"), &[], &[]).unwrap().rows, [[text(&value)]]);
    }

    #[test]
    fn any_text_is_answered(
        words in prop::collection::vec(prop::sample::select(vec![
            "SELECT", "*", "FROM", "information_schema.processlist", "p", "WHERE", "(", ")", ",", "user", "=", "'x'", "AS",
            "CASE", "WHEN", "END", "INTERVAL", "5", "MINUTE", "+", "-", "DIV", "XOR", "!", "BINARY", "COLLATE", "x", ".",
            "COUNT", "GROUP_CONCAT", "SEPARATOR", "ORDER", "BY", "CAST", "UNION", "WITH", "LIMIT", "0x61", "?", "@a", "^",
            "TRIM", "SUBSTRING", "FOR", "LIKE", "DATE_ADD", "EXTRACT", "YEAR", "IN", "`", "DISTINCT", ";", "USE", "INDEX",
        ]), 0..14),
        bytes in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut sql = format!("SELECT {} ", words.join(" ")).into_bytes();
        let params = vec![OwnedValue::Null; words.len() + 24];
        for _ in 0..2 {
            if let Ok(question) = Question::read(&sql, &Syntax::default(), facts(), &variable) {
                let (stop, limits, held) = (Stop::new(|| None), Limits::default(), Held::default());
                let _ = question.answer(&params[..question.params()], tables(), &stop, &limits, &held);
            }
            sql.extend(&bytes);
        }
    }
}
