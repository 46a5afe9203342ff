//! The statements about prepared statements with names.

use super::BOTH;
use crate::control::{Control, Source, Syntax, parse};

fn parsed(sql: &str) -> Control {
    parse(sql.as_bytes(), &BOTH).unwrap().unwrap_or_else(|| panic!("none of ours: {sql}"))
}

#[test]
fn they_are_understood() {
    let name = || "s".to_owned();
    let text = |text: &str| Source::Text(text.into());
    for (sql, expected) in [
        ("PREPARE s FROM 'DO 1'", Control::Prepare { name: name(), source: text("DO 1") }),
        ("prepare `S` from \"it's \\\\ ?\" ; ", Control::Prepare { name: name(), source: text("it's \\ ?") }),
        ("PREPARE/**/s FROM @sql", Control::Prepare { name: name(), source: Source::Variable("sql".into()) }),
        ("EXECUTE s", Control::Execute { name: name(), using: vec![] }),
        ("execute s using @a, @`b c`", Control::Execute { name: name(), using: vec!["a".into(), "b c".into()] }),
        ("DEALLOCATE PREPARE s", Control::Deallocate { name: name() }),
        ("drop prepare S", Control::Deallocate { name: name() }),
    ] {
        assert_eq!(parsed(sql), expected, "{sql}");
        assert!(!expected.can_be_prepared());
    }
}

#[test]
fn what_is_not_in_the_grammar_is_an_error_at_its_place() {
    for (sql, near) in [
        ("PREPARE", "near ''"),
        ("PREPARE s 'DO 1'", "near ''DO 1''"),
        ("PREPARE s FROM DO 1", "near 'DO 1'"),
        ("PREPARE s FROM 'DO 1' 2", "near '2'"),
        ("EXECUTE s USING", "near ''"),
        ("EXECUTE s USING @a,", "near ''"),
        ("EXECUTE s USING 5", "near '5'"),
        ("DEALLOCATE s", "near 's'"),
        ("DROP PREPARE 's'", "near ''s''"),
    ] {
        let error = parse(sql.as_bytes(), &Syntax::default()).unwrap_err();
        assert_eq!(error.code(), 1064, "{sql}");
        assert!(error.message().contains(near), "{sql}: {}", error.message());
    }
}

#[test]
fn names_have_an_end_and_immediate_ones_are_the_engines() {
    let long = "é".repeat(64);
    assert!(matches!(parsed(&format!("EXECUTE `{long}`")), Control::Execute { .. }));
    for sql in [format!("EXECUTE `{long}é`"), format!("PREPARE {} FROM 'DO 1'", "x".repeat(1 << 20))] {
        let error = parse(sql.as_bytes(), &Syntax::default()).unwrap_err();
        assert_eq!(error.code(), 1059);
        assert!(error.message().len() < 200, "it is cut");
    }
    for sql in ["EXECUTE IMMEDIATE 'SELECT 1'", "execute immediate @sql"] {
        assert_eq!(parse(sql.as_bytes(), &Syntax::default()), Ok(None), "{sql}");
    }
    assert!(matches!(parsed("EXECUTE immediate USING @a"), Control::Execute { .. }));
}

#[test]
fn parameters_are_counted() {
    for (sql, count) in [
        ("KILL ?", 1),
        ("KILL QUERY ID ?", 1),
        ("KILL QUERY -(? + 2 * ?) % ?", 3),
        ("KILL 5", 0),
        ("KILL '?'", 0),
        ("KILL USER u", 0),
        ("SHOW PROCESSLIST", 0),
    ] {
        assert_eq!((parsed(sql).placeholders(), parsed(sql).can_be_prepared()), (count, true), "{sql}");
    }
}
