//! `SHOW WARNINGS` and its relatives, and which forms are the engine's.

use crate::control::{Control, Syntax, parse};

#[test]
fn they_are_understood() {
    let all = u64::MAX;
    for (sql, errors, count, offset, rows) in [
        ("SHOW WARNINGS", false, false, 0, all),
        ("show errors ; ", true, false, 0, all),
        ("SHOW WARNINGS LIMIT 5", false, false, 0, 5),
        ("SHOW WARNINGS LIMIT 2, 5", false, false, 2, 5),
        ("SHOW ERRORS LIMIT 5 OFFSET 2;", true, false, 2, 5),
        ("SHOW WARNINGS LIMIT 0", false, false, 0, 0),
        ("SHOW WARNINGS LIMIT 18446744073709551615 /* all */", false, false, 0, all),
        ("SHOW COUNT(*) WARNINGS", false, true, 0, all),
        ("show count( * ) errors", true, true, 0, all),
        ("SHOW /*!50000 WARNINGS */", false, false, 0, all),
    ] {
        let expected = Control::ShowDiagnostics { errors, count, offset, rows };
        assert!(!expected.can_be_prepared());
        for syntax in [Syntax::MYSQL, Syntax::MARIADB, Syntax::DORIS, Syntax::OCEANBASE, Syntax::TIDB] {
            assert_eq!(parse(sql.as_bytes(), &syntax), Ok(Some(expected.clone())), "{sql}");
        }
    }
}

#[test]
fn other_forms_are_the_engines() {
    for sql in [
        "SHOW WARNINGS x",
        "SHOW WARNINGS; SELECT 1",
        "SHOW WARNINGS LIMIT",
        "SHOW WARNINGS LIMIT ?",
        "SHOW WARNINGS LIMIT -1",
        "SHOW WARNINGS LIMIT 1.5",
        "SHOW WARNINGS LIMIT 0x5",
        "SHOW WARNINGS LIMIT 1,",
        "SHOW WARNINGS LIMIT 1, 2, 3",
        "SHOW WARNINGS LIMIT 1 OFFSET",
        "SHOW WARNINGS LIMIT 18446744073709551616",
        "SHOW WARNINGS LIKE 'a'",
        "SHOW FULL WARNINGS",
        "SHOW COUNT (*) WARNINGS",
        "SHOW COUNT(*)",
        "SHOW COUNT(1) WARNINGS",
        "SHOW COUNT(*) WARNINGS LIMIT 1",
        "SHOW WARNINGS 'open",
        "SHOW 'WARNINGS'",
    ] {
        assert_eq!(parse(sql.as_bytes(), &Syntax::MYSQL), Ok(None), "{sql}");
    }
}
