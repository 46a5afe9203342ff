use std::time::Duration;

use crate::policy::{
    Policies,
    rule::{Action, Victims},
};

/// Where the mistake is, and what is said of it.
fn refused(text: &str) -> (usize, usize, String) {
    let error = Policies::parse(text).expect_err(text);
    (error.line, error.column, error.text)
}

#[test]
fn the_example_file_is_read() {
    let text = include_str!("../../../examples/policies.toml");
    let policies = Policies::parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert!(policies.len() >= 4);
    for key in super::super::read::KEYS.into_iter().chain(["interval"]) {
        assert!(text.contains(&format!("{key} = ")), "{key} is shown");
    }
    for value in Action::ALL.map(Action::as_str).into_iter().chain(Victims::ALL.map(Victims::as_str)) {
        assert!(text.contains(&format!("{value:?}")), "{value} is shown");
    }
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let source = include_str!("../mod.rs");
    let lines = source.lines().skip_while(|line| *line != "//! ```toml").skip(1);
    let text: Vec<_> = lines.take_while(|line| *line != "//! ```").map(|line| line[3..].trim_start()).collect();
    let policies = Policies::parse(&text.join("\n")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((policies.len(), policies.interval()), (2, Duration::from_secs(5)));
}

#[test]
fn nothing_is_no_rules_and_what_is_not_said_has_its_value() {
    let policies = Policies::parse("").unwrap();
    assert_eq!((policies.len(), policies.interval()), (0, Duration::from_secs(5)));
    let policies = Policies::parse("[[rule]]\nname = 'x'\nbusy_time = 1\naction = 'kill-query'").unwrap();
    let rule = &policies.rules[0];
    assert_eq!((rule.victims, rule.count, rule.dry_run, rule.group_by.len()), (Victims::All, 1, false, 0));
}

#[test]
fn times_are_seconds_or_have_a_unit() {
    let read = |time: &str| {
        let text = format!("[[rule]]\nname = 'x'\naction = 'log'\nbusy_time = {time}");
        Policies::parse(&text).map(|policies| policies.rules[0].busy_time.map(|time| time.as_secs()))
    };
    let good = [
        ("0", 0),
        ("90", 90),
        ("0x10", 16),
        ("1_000", 1000),
        ("'90s'", 90),
        ("'5m'", 300),
        ("'2h'", 7200),
        ("'1d'", 86_400),
        ("'3660d'", 3660 * 86_400),
    ];
    for (time, seconds) in good {
        assert_eq!(read(time), Ok(Some(seconds)), "{time}");
    }
    for time in [
        "-1",
        "1.5",
        "true",
        "''",
        "'s'",
        "'90'",
        "'+5s'",
        "'-5s'",
        "'5 s'",
        "'5w'",
        "'5ms'",
        "'1h30m'",
        "'ä'",
        "'5ä'",
        "3661000000",
        "'3661d'",
        "'99999999999999999999s'",
        "'9999999999999999d'",
        "[1]",
        "1979-05-27",
    ] {
        assert!(read(time).is_err_and(|error| (error.line, error.column) == (4, 13)), "{time}");
    }
}

#[test]
fn intervals_are_from_a_second_to_a_day() {
    for (written, seconds) in [("1", Some(1)), ("'1d'", Some(86_400)), ("0", None), ("86401", None), ("'2d'", None)] {
        let read = Policies::parse(&format!("interval = {written}")).ok().map(|read| read.interval().as_secs());
        assert_eq!(read, seconds, "{written}");
    }
}

#[test]
fn a_mistake_is_told_with_its_line_and_its_column() {
    let rule = |rest: &str| format!("[[rule]]\nname = 'x'\nbusy_time = 1\naction = 'kill-query'\n{rest}\n");
    let idle = |rest: &str| format!("[[rule]]\nname = 'x'\nidle_time = 1\naction = 'kill-connection'\n{rest}\n");
    let table: [(String, (usize, usize), &str); 38] = [
        // Not TOML.
        ("interval = ".into(), (1, 12), ""),
        ("\n\n[[rule]\n".into(), (3, 8), ""),
        (rule("count = 1\ncount = 2"), (6, 1), "duplicate"),
        // Keys and kinds.
        ("intervall = 5".into(), (1, 1), "unknown key \"intervall\": there are interval, rule"),
        ("interval = 0".into(), (1, 12), "from 1 second"),
        ("rule = 5".into(), (1, 8), "[[rule]]"),
        ("rule = [5]".into(), (1, 9), "[[rule]]"),
        ("[rule]\nname = 'x'".into(), (1, 1), "[[rule]]"),
        (rule("busytime = 1"), (5, 1), "unknown key \"busytime\""),
        (rule("zoo = 1\nant = 1"), (5, 1), "unknown key \"zoo\""),
        (rule("match = 'alice'"), (5, 9), "a table"),
        (rule("match = {}"), (5, 9), "asks for nothing"),
        (rule("match = { usr = 'alice' }"), (5, 11), "unknown key \"usr\""),
        (rule("match = { user = 5 }"), (5, 18), "a regex"),
        (rule("match = { user = [] }"), (5, 18), "a regex"),
        (rule("match = { user = ['a', 5] }"), (5, 24), "a regex"),
        (rule("match = { user = '' }"), (5, 18), "empty regex"),
        (rule("ignore = { info = ['ok', '(un'] }"), (5, 26), "no regex"),
        (rule("ignore = { info = '(?i)\\p{Greek}' }"), (5, 19), "no regex"),
        (rule("match.info = 'ä'\nignore.info = 'ä{100000}'"), (6, 15), "no regex"),
        (rule("# ä\nmatch = { db = 'ä', usr = 'a' }"), (6, 21), "unknown key"),
        (rule("victims = 'youngest'"), (5, 11), "one of \"all\", \"oldest\", \"all-but-oldest\""),
        (rule("victims = 1"), (5, 11), "one of"),
        (rule("group_by = 'user'"), (5, 12), "a list"),
        (rule("group_by = []"), (5, 12), "a list"),
        (rule("group_by = ['user', 'age']"), (5, 21), "a list"),
        (rule("group_by = ['user', 'user']"), (5, 21), "each once"),
        (rule("count = 0"), (5, 9), "from 1"),
        (rule("dry_run = 'yes'"), (5, 11), "true or false"),
        (
            "[[rule]]\nname = 'x'\naction = 'kill'".into(),
            (3, 10),
            "one of \"log\", \"kill-query\", \"kill-connection\"",
        ),
        ("[[rule]]\nname = ''".into(), (2, 8), "1 to 48 characters"),
        // What is missing is told of at the rule.
        ("\n[[rule]]\naction = 'log'".into(), (2, 1), "a rule has a name"),
        ("\n[[rule]]\nname = 'x'".into(), (2, 1), "a rule has an action"),
        // What contradicts itself, or says nothing.
        (rule("idle_time = 1"), (5, 13), "busy and idle"),
        ("[[rule]]\nname = 'x'\nidle_time = 1\naction = 'kill-query'".into(), (4, 10), "no statement"),
        (idle("match = { info = 'x' }"), (5, 9), "no info"),
        (rule("group_by = ['user']"), (5, 12), "no consequence"),
        ("\n[[rule]]\nname = 'x'\naction = 'log'\nignore = { user = 'a' }".into(), (2, 1), "every session"),
    ];
    for (text, place, what) in table {
        let (line, column, said) = refused(&text);
        assert_eq!((line, column), place, "{text}: {said}");
        assert!(said.contains(what), "{text}: {said}");
    }
}

#[test]
fn the_first_of_two_rules_has_the_name() {
    let rule = "[[rule]]\nname = 'x'\nbusy_time = 1\naction = 'log'\n";
    assert_eq!(refused(&rule.repeat(2)), (6, 8, "there are two rules of the name \"x\"".into()));
}

#[test]
fn what_is_read_is_bounded() {
    let rules = |count: usize, rest: &str| -> String {
        (0..count).map(|n| format!("[[rule]]\nname = '{n}'\nbusy_time = 1\naction = 'log'\n{rest}\n")).collect()
    };
    assert_eq!(Policies::parse(&rules(Policies::MOST, "")).unwrap().len(), Policies::MOST);
    assert!(refused(&rules(Policies::MOST + 1, "")).2.contains("more than 64 rules"));

    let regexes = |count: usize| format!("match.user = [{}]", "'a',".repeat(count));
    assert!(Policies::parse(&rules(4, &regexes(64))).is_ok());
    assert!(refused(&rules(4, &regexes(65))).2.contains("more than 256 regexes"));

    let long = format!("# {}\n", "x".repeat(Policies::LONGEST));
    assert!(refused(&long).2.contains("longer than"));
    let name = |length: usize| Policies::parse(&rules(1, "").replace("'0'", &format!("'{}'", "ä".repeat(length))));
    assert!(name(48).is_ok() && name(49).is_err());
    assert!(Policies::parse(&rules(1, "").replace("'0'", "\"a\\nb\"")).is_err(), "a name is one line in a log");
    assert!(Policies::parse(&format!("x = {}", "[".repeat(100_000))).is_err(), "and no nesting is too deep for it");
}
