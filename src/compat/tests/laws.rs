//! What holds for every text: no panic, no stack overflow, bounded work.

use proptest::prelude::*;

use super::*;
use crate::compat::{parse_simple, prefilter};

/// Pieces that statements of ours are made of, to get deeper into them than random bytes do.
const PIECES: [&str; 56] = [
    "SELECT",
    "SET",
    "SHOW",
    "FROM",
    "WHERE",
    "LIKE",
    "@@",
    "@x",
    ":=",
    "=",
    "(",
    ")",
    ",",
    "'",
    "\"",
    "`",
    "/*",
    "*/",
    "/*!40101",
    "--",
    "\n",
    "#",
    ";",
    "1",
    "-1",
    "1.5",
    "99999999999999999999",
    "NULL",
    "DEFAULT",
    "NAMES",
    "COLLATE",
    "TRANSACTION",
    "GLOBAL",
    "VARIABLES",
    "version",
    "sql_mode",
    "information_schema",
    ".",
    "schemata",
    "COUNT(*)",
    "CONCAT(",
    "NOW(",
    "LIMIT",
    "ORDER BY",
    "AND",
    "NOT",
    "IN",
    "é",
    "\\",
    "%",
    "*",
    "SAVEPOINT",
    "ROLLBACK TO",
    "information_schema.schemata",
    "GROUP BY",
    "timestamp",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(sql in any::<String>()) {
        let _ = ask(&sql);
        let _ = parse_simple(&sql);
    }

    #[test]
    fn no_sequence_of_pieces_makes_it_panic(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..24),
        glue in proptest::sample::select(&["", " "][..]),
    ) {
        for lead in ["", "SELECT ", "SET ", "SHOW ", "SELECT * FROM information_schema.schemata WHERE "] {
            let sql = format!("{lead}{}", pieces.join(glue));
            let mut state = ClientState::new();
            let _ = state.answer(&sql, &facts());
            let _ = state.evaluate(&sql, &facts());
            let _ = parse_simple(&sql);
            let _ = state.answer("SHOW WARNINGS", &facts());
        }
    }

    /// What the look at the bytes rejects has no answer; what it lets through may have one.
    #[test]
    fn the_prefilter_only_rejects(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..12)) {
        let sql = pieces.join(" ");
        if !prefilter::concerns(&sql, Some("shop")) {
            prop_assert_eq!(ask(&sql), Ok(None));
        }
    }

    #[test]
    fn what_was_set_is_what_is_read(name in "[a-z_][a-z0-9_]{0,20}", value in "[^\\\\'\u{0}]{0,40}") {
        let mut state = ClientState::new();
        state.answer(&format!("SET @{name} = '{value}'"), &facts()).unwrap();
        prop_assert_eq!(state.user_variable(&name), Some(OwnedValue::Text(value.clone())));
        let expected = Answer::Rows {
            columns: vec![Column::new(format!("@{name}"), crate::model::ColumnType::Text).width(0xff_ffff)],
            rows: vec![vec![OwnedValue::Text(value)]],
        };
        prop_assert_eq!(state.answer(&format!("SELECT @{name}"), &facts()), Ok(Some(expected)));
    }
}

#[test]
fn deep_and_long_texts_are_left_to_the_server_in_time() {
    // No measure, but a guard: a text that took exponential time would not be done in a minute.
    let began = tokio::time::Instant::now();
    // Three quarters of what a thread of the server has; optimised, a sixth of it is enough.
    let thread = std::thread::Builder::new().stack_size(3 << 19).spawn(ask_deep_and_long_texts).unwrap();
    thread.join().unwrap();
    let took = began.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
}

fn ask_deep_and_long_texts() {
    for n in [5, 20, 25, 29, 50, 150, 500, 1_000, 20_000] {
        for (open, middle, close) in [
            ("(", "@x", ")"),
            ("CONCAT(", "@x", ")"),
            ("NOT ", "@x", ""),
            ("- ", "@x", ""),
            ("@x + ", "1", ""),
            ("@x OR ", "1", ""),
            ("@x IN (", "1", ")"),
            ("(SELECT ", "@x", ")"),
            ("CASE WHEN ", "@x", ""),
            ("CAST(", "@x", " AS CHAR)"),
            ("", "@x", " IS NULL"),
            ("", "@x", " COLLATE utf8mb4_bin"),
            ("INTERVAL ", "@x", " DAY"),
            ("EXISTS(SELECT ", "@x", ")"),
            ("(", "information_schema.tables", ")"),
            ("information_schema.tables JOIN (", "information_schema.tables", ")"),
            ("DATE ", "@x", ""),
            ("[", "@x", "]"),
            ("{a:", "@x", "}"),
            ("x -> ", "@x", ""),
            ("ARRAY<", "@x", ">"),
            ("CAST(1 AS ARRAY<", "INT", ">)"),
            ("", "f", "()"),
            ("", "@x", "[1]"),
            ("", "@x", ".a"),
            ("", "@x", "::INT"),
            ("", "@x", " AT TIME ZONE 'x'"),
            ("@x DIV ", "1", ""),
            ("@x LIKE ", "1", ""),
            ("@x, ", "1", ""),
            ("'", "@x", "'"),
            ("\n", "@x", "\n"),
        ] {
            let deep = format!("{}{middle}{}", open.repeat(n), close.repeat(n));
            for sql in [
                format!("SELECT {deep}"),
                format!("SET @y = {deep}"),
                format!("SELECT * FROM information_schema.schemata WHERE {deep}"),
                format!("SELECT * FROM information_schema.tables ORDER BY {deep}"),
                format!("SELECT * FROM {deep}"),
                format!("SHOW VARIABLES WHERE {deep}"),
            ] {
                let _ = ask(&sql);
            }
            let _ = parse_simple(&format!("SELECT f({deep})"));
            let _ = parse_simple(&format!("SELECT * FROM f({deep})"));
        }
    }
}

#[test]
fn short_texts_do_not_make_huge_answers() {
    let mut state = ClientState::new();
    state.answer(&format!("SET @x = '{}'", "x".repeat(60_000)), &facts()).unwrap();
    state.answer("SET @x = CONCAT(@x, @x, @x, @x, @x, @x, @x, @x, @x, @x)", &facts()).unwrap();
    let many = |piece: &str| vec![piece; 400].join(", ");
    for sql in [
        format!("SELECT CONCAT({})", many("@x")),
        format!("SELECT {}", many("@x")),
        format!("SET @y = CONCAT({})", many("@x")),
        "SELECT REPLACE(@x, 'x', @x)".to_owned(),
        format!("SELECT {} FROM performance_schema.session_variables", many("*")),
        format!("SELECT {} FROM performance_schema.session_variables", many("@x")),
    ] {
        assert_eq!(outcome(&mut state, &sql), "ERROR 1301", "{}", &sql[..40]);
    }
    let names = vec!["'x'"; 9_000].join(", ");
    assert_eq!(outcome(&mut state, &format!("SHOW VARIABLES WHERE Variable_name IN ({names})")), "None");
    assert_eq!(outcome(&mut state, &format!("SELECT @x LIKE '{}'", "%x".repeat(1_000))), "None");
}
