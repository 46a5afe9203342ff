//! `BEGIN`, `COMMIT`, `ROLLBACK`, savepoints, and the flags that they leave.

use super::*;

#[test]
fn flags_follow_the_statements() {
    let mut state = ClientState::new();
    for (sql, in_transaction) in [
        ("BEGIN", true),
        ("COMMIT", false),
        ("begin work;", true),
        ("ROLLBACK WORK", false),
        ("START TRANSACTION", true),
        ("START TRANSACTION READ ONLY", true),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE", true),
        ("COMMIT AND CHAIN", true),
        ("COMMIT AND NO CHAIN NO RELEASE", false),
        ("ROLLBACK WORK AND CHAIN", true),
        ("/* x */ ROLLBACK;", false),
    ] {
        assert_eq!(outcome(&mut state, sql), "OK 0", "{sql}");
        assert_eq!(state.in_transaction(), in_transaction, "{sql}");
    }
    for sql in ["COMMIT RELEASE", "ROLLBACK RELEASE", "START REPLICA", "XA BEGIN 'a'", "BEGIN NOT ATOMIC", "COMMIT 1"] {
        assert_eq!(outcome(&mut state, sql), "None", "{sql}");
    }
}

#[test]
fn savepoints_are_kept_by_name() {
    let mut state = play(&[
        ("SAVEPOINT lost", "OK 0"),
        ("ROLLBACK TO lost", "ERROR 1305"),
        ("BEGIN", "OK 0"),
        ("SAVEPOINT a", "OK 0"),
        ("SAVEPOINT `b`", "OK 0"),
        ("ROLLBACK TO SAVEPOINT A", "OK 0"),
        ("ROLLBACK TO b", "ERROR 1305"),
        ("ROLLBACK WORK TO a", "OK 0"),
        ("RELEASE SAVEPOINT a", "OK 0"),
        ("RELEASE SAVEPOINT a", "ERROR 1305"),
        ("SAVEPOINT a", "OK 0"),
    ]);
    assert!(state.in_transaction(), "going back to a savepoint ends nothing");
    assert_eq!(outcome(&mut state, "COMMIT"), "OK 0");
    assert_eq!(outcome(&mut state, "ROLLBACK TO a"), "ERROR 1305");
}

#[test]
fn autocommit_decides_when_a_transaction_opens_and_ends() {
    let mut state = ClientState::new();
    state.note_statement();
    assert!(!state.in_transaction());
    outcome(&mut state, "SET autocommit = 0");
    assert!(!state.in_transaction());
    state.note_statement();
    assert!(state.in_transaction());
    outcome(&mut state, "SET autocommit = 0");
    assert!(state.in_transaction(), "nothing was turned on");
    outcome(&mut state, "SET autocommit = 1");
    assert!(!state.in_transaction(), "turning autocommit on commits");
    outcome(&mut state, "BEGIN");
    outcome(&mut state, "SET autocommit = 1");
    assert!(state.in_transaction(), "it was on already");
    state.rolled_back();
    assert!(!state.in_transaction());
}
