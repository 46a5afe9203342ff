//! `SHOW WARNINGS` and its like: after the runtime's own statements the runtime answers, after others the engine.

use killdeer::{Dialect, Outcome, OwnedValue, SessionHandle};

use crate::lab::{Lab, Running, build, code, connect, lab, paused, root, rows};

/// The lines, as text.
async fn shown(session: &SessionHandle, sql: &str) -> Vec<Vec<String>> {
    let lines = rows(session, sql).await.unwrap();
    lines.iter().map(|row| row.iter().map(|value| value.text().unwrap_or_default().into_owned()).collect()).collect()
}

fn unknown(id: &str) -> Vec<Vec<String>> {
    vec![vec!["Error".into(), "1094".into(), format!("Unknown thread id: {id}")]]
}

#[test]
fn after_a_kill_that_failed_they_show_its_error() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "KILL 99").await, 1094);
        for sql in ["SHOW WARNINGS", "show errors", "SHOW WARNINGS LIMIT 5", "SHOW ERRORS LIMIT 0, 1", "SHOW WARNINGS;"]
        {
            assert_eq!(shown(&alice, sql).await, unknown("99"), "{sql}: they do not end what they show");
        }
        for sql in ["SHOW COUNT(*) WARNINGS", "SHOW COUNT(*) ERRORS"] {
            assert_eq!(shown(&alice, sql).await, [["1"]], "{sql}");
        }
        for sql in ["SHOW WARNINGS LIMIT 0", "SHOW WARNINGS LIMIT 1, 5", "SHOW ERRORS LIMIT 5 OFFSET 1"] {
            assert_eq!(shown(&alice, sql).await, [[""; 0]; 0], "{sql}");
        }
        assert_eq!(shown(&alice, "SHOW WARNINGS LIMIT 18446744073709551615").await, unknown("99"));
        for (sql, expected) in [("KILL abc", "1054"), ("KILL", "1064"), ("EXECUTE nosuch", "1243")] {
            assert_eq!(code(&alice, sql).await.to_string(), expected);
            assert_eq!(shown(&alice, "SHOW ERRORS").await[0][..2], ["Error", expected], "{sql}");
        }
        assert!(log.take().is_empty(), "the engine was asked for none of these");
    });
}

#[test]
fn a_statement_of_the_runtimes_that_ended_well_leaves_nothing_to_show() {
    paused(async {
        let (runtime, log) = lab();
        let (alice, other) = (connect(&runtime, "alice").await, connect(&runtime, "alice").await);
        for sql in [format!("KILL QUERY {}", other.id()), "SHOW PROCESSLIST".into(), "PREPARE k FROM 'KILL ?'".into()] {
            assert_eq!(code(&alice, "KILL 99").await, 1094);
            assert_eq!(code(&alice, &sql).await, 0, "{sql}");
            assert_eq!(shown(&alice, "SHOW WARNINGS").await, [[""; 0]; 0], "{sql}");
            assert_eq!(shown(&alice, "SHOW COUNT(*) WARNINGS").await, [["0"]], "{sql}");
        }
        assert!(log.take().is_empty());
    });
}

#[test]
fn after_the_engines_own_statements_and_commands_it_is_asked() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        // The engine says a statement back that it does not know.
        let asked = |sql: &str| [[OwnedValue::Text(sql.into())]];
        for command in ["hello", "fail", "USE", "USE nosuch", "RESET", "PREPARE", "COM_STMT_PREPARE"] {
            assert_eq!(code(&alice, "KILL 99").await, 1094);
            match command {
                "USE" => alice.use_database("shop").await.unwrap(),
                "USE nosuch" => assert_eq!(alice.use_database("nosuch").await.unwrap_err().code(), 1049),
                "RESET" => alice.reset().await.unwrap(),
                "COM_STMT_PREPARE" => assert_eq!(alice.prepare("hello").await.unwrap_err().code(), 1295),
                "PREPARE" => {
                    // The engine refuses it, but the statement is the runtime's.
                    assert_eq!(code(&alice, "PREPARE h FROM 'hello'").await, 1295);
                    assert_eq!(shown(&alice, "SHOW WARNINGS").await[0][1], "1295");
                    assert_eq!(code(&alice, "hello").await, 0);
                }
                sql => drop(rows(&alice, sql).await),
            }
            for sql in ["SHOW WARNINGS", "SHOW COUNT(*) ERRORS", "SHOW WARNINGS LIMIT 1"] {
                assert_eq!(rows(&alice, sql).await.unwrap(), asked(sql), "{command}: {sql}");
            }
        }
        assert!(log.take().contains(&"alice SHOW COUNT(*) ERRORS".to_owned()));
    });
}

#[test]
fn a_preparation_of_the_runtimes_own_is_one_of_its_statements() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "KILL 99").await, 1094);
        assert_eq!(alice.prepare("KILL ?").await.unwrap().params.len(), 1);
        assert_eq!(shown(&alice, "SHOW WARNINGS").await, [[""; 0]; 0]);
        assert_eq!(alice.prepare("KILL abc").await.unwrap_err().code(), 1054);
        assert_eq!(shown(&alice, "SHOW WARNINGS").await[0][1], "1054");
        // To prepare the question does not change the answer.
        drop(alice.prepare("SHOW WARNINGS").await);
        assert_eq!(shown(&alice, "SHOW WARNINGS").await[0][1], "1054");
    });
}

#[test]
fn warnings_are_told_apart_from_errors() {
    paused(async {
        let runtime = build(Lab::default()).dialect(Dialect::tidb().lenient_kill(true).global_kill(false)).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "KILL 99").await, 0);
        assert_eq!(shown(&alice, "SHOW WARNINGS").await[0][..2], ["Warning", "1105"]);
        assert_eq!(shown(&alice, "SHOW ERRORS").await, [[""; 0]; 0]);
        assert_eq!(shown(&alice, "SHOW COUNT(*) WARNINGS").await, [["1"]]);
        assert_eq!(shown(&alice, "SHOW COUNT(*) ERRORS").await, [["0"]]);
    });
}

#[test]
fn a_killed_statement_shows_what_its_client_was_told() {
    paused(async {
        let dialect = Dialect::doris().cancel_text(true);
        let runtime = build(Lab::default()).dialect(dialect).start();
        let (alice, other) = (connect(&runtime, "alice").await, connect(&runtime, "alice").await);
        assert_eq!(code(&alice, "KILL 99").await, 1094);
        let running = Running::begin(&alice, "wait for ever").await;
        assert_eq!(code(&other, &format!("KILL QUERY {}", alice.id())).await, 0);
        assert_eq!(running.code().await, 1105);
        let left = shown(&alice, "SHOW WARNINGS").await;
        assert!(left.len() == 1 && left[0][1] == "1105" && left[0][2].starts_with("cancel query"), "{left:?}");
    });
}

#[test]
fn doriss_list_shows_an_error_without_the_statements_secrets() {
    paused(async {
        let runtime = build(Lab::default()).dialect(Dialect::doris()).start();
        let alice = connect(&runtime, "alice").await;
        for (sql, end) in [
            ("KILL x IDENTIFIED BY 'hunter2'", "<secret>"),
            ("KILL 'hunter2' 'hunter2'", " near …"),
            ("SHOW PROCESSLIST 'hunter2'", " near …"),
        ] {
            assert_eq!(code(&alice, sql).await, 1064, "{sql}");
            let row = &runtime.list(&root()).rows()[0];
            let Outcome::Error(text) = &row.outcome else { panic!("{row:?}") };
            assert!(text.ends_with(end) && !text.contains("hunter2"), "{text}");
        }
    });
}
