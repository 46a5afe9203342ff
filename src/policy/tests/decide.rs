use std::{sync::Arc, time::Duration};

use crate::{
    id::SessionId,
    model::{Command, KillMode, Origin, Principal, Privileges, ProcessRow, StatementNo},
    policy::{Action, Hit, Policies},
};

/// An idle session of alice's, from 10.0.0.7, in the database shop, for 100 s.
fn idle(id: u64) -> ProcessRow {
    ProcessRow {
        principal: Some(Arc::new(Principal::new("alice", Privileges::NONE))),
        peer: "10.0.0.7:40007".parse().unwrap(),
        database: Some("shop".into()),
        time: Duration::from_secs(100),
        state_time: Duration::from_secs(100),
        last_query_id: 12,
        ..ProcessRow::idle(SessionId::new(id))
    }
}

/// The same, running this statement for so long.
fn busy(id: u64, seconds: u64, info: &str) -> ProcessRow {
    ProcessRow {
        command: Command::Query,
        active: Command::Query,
        time: Duration::from_secs(seconds),
        state: "executing".into(),
        info: Some(info.into()),
        statement: Some(StatementNo::new(1)),
        query_id: Some(1000 + id),
        ..idle(id)
    }
}

fn of(user: &str, row: ProcessRow) -> ProcessRow {
    ProcessRow { principal: Some(Arc::new(Principal::new(user, Privileges::NONE))), ..row }
}

fn in_transaction(seconds: u64, row: ProcessRow) -> ProcessRow {
    ProcessRow { in_transaction: true, transaction_time: Some(Duration::from_secs(seconds)), ..row }
}

fn rules(text: &str) -> Policies {
    Policies::parse(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Whom the one rule takes.
fn taken(rule: &str, rows: &[ProcessRow]) -> Vec<u64> {
    rules(&format!("[[rule]]\nname = 'x'\n{rule}")).decide(rows).iter().map(|hit| hit.session.get()).collect()
}

const LOG: &str = "action = 'log'\n";
const QUERY: &str = "action = 'kill-query'\n";
const CONNECTION: &str = "action = 'kill-connection'\n";

#[test]
fn every_condition_alone() {
    let rows = [
        idle(1),
        busy(2, 10, "SELECT 1"),
        of("bob", busy(3, 20, "UPDATE t")),
        ProcessRow { database: None, peer: Origin::Local, ..idle(4) },
        in_transaction(50, ProcessRow { time: Duration::from_secs(5), ..idle(5) }),
        in_transaction(60, busy(6, 1, "select 2")),
        ProcessRow {
            state: "User sleep".into(),
            command: Command::Execute,
            active: Command::Execute,
            ..busy(7, 10, "")
        },
    ];
    let table: [(&str, &[u64]); 27] = [
        ("busy_time = 10", &[2, 3, 7]),
        ("busy_time = 11", &[3]),
        ("busy_time = 0", &[2, 3, 6, 7]),
        ("idle_time = 100", &[1, 4]),
        ("idle_time = 101", &[]),
        ("idle_time = 0", &[1, 4, 5]),
        ("transaction_age = 0", &[5, 6]),
        ("transaction_age = 51", &[6]),
        ("transaction_age = 0\nidle_time = 5", &[5]),
        ("transaction_age = 0\nbusy_time = 0", &[6]),
        ("match.user = 'ob'", &[3]),
        ("match.user = '^alice$'", &[1, 2, 4, 5, 6, 7]),
        ("match.user = 'ALICE'", &[]),
        ("match.user = '(?i)BOB'", &[3]),
        ("match.host = '^10[.]'", &[1, 2, 3, 5, 6, 7]),
        ("match.host = '^localhost$'", &[4]),
        ("match.host = ':'", &[]),
        ("match.db = '.'", &[1, 2, 3, 5, 6, 7]),
        ("match.command = ['^Query$', '^Execute$']", &[2, 3, 6, 7]),
        ("match.state = 'sleep'", &[7]),
        ("match.info = '^(?i)select'", &[2, 6]),
        ("match.info = '^SELECT|UPDATE'", &[2, 3]),
        ("match = { user = 'bob', info = 'SELECT' }", &[]),
        ("match.user = '.'\nignore.user = 'alice'", &[3]),
        ("match.user = '.'\nignore = { info = '^SELECT', command = 'Sleep' }", &[3, 6, 7]),
        ("match.user = '.'\nignore.db = '.'", &[4]),
        ("match.info = '^$'", &[7]),
    ];
    for (rule, ids) in table {
        assert_eq!(taken(&format!("{LOG}{rule}"), &rows), ids, "{rule}");
    }
    assert_eq!(taken(&format!("{QUERY}match.user = '.'"), &rows), [2, 3, 6, 7], "an idle session has no statement");
    assert_eq!(taken(&format!("{QUERY}transaction_age = 0"), &rows), [6]);
    assert_eq!(taken(&format!("{CONNECTION}match.user = '.'"), &rows), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn nobody_is_hit_before_login_or_after_a_kill() {
    let killed = |mode, row| ProcessRow { command: Command::Killed, killed: Some(mode), ..row };
    let rows = [
        ProcessRow { principal: None, command: Command::Connect, active: Command::Connect, ..idle(1) },
        ProcessRow { command: Command::Connect, active: Command::Connect, ..idle(2) },
        killed(KillMode::Connection, busy(3, 10, "")),
        killed(KillMode::Connection, idle(4)),
        ProcessRow { command: Command::Quit, active: Command::Quit, ..idle(5) },
        killed(KillMode::Connection, ProcessRow { active: Command::Quit, ..idle(6) }),
    ];
    for action in [LOG, QUERY, CONNECTION] {
        assert!(taken(&format!("{action}match.user = '.'"), &rows).is_empty(), "{action}");
    }
}

#[test]
fn a_killed_statement_that_runs_on_is_hit_by_what_is_harder_alone() {
    let busy = busy(1, 300, "");
    let rows = [ProcessRow { command: Command::Killed, killed: Some(KillMode::Query), ..busy }];
    for (action, ids) in [(LOG, &[][..]), (QUERY, &[]), (CONNECTION, &[1])] {
        for rule in ["busy_time = 300", "match.command = '^Query$'"] {
            assert_eq!(taken(&format!("{action}{rule}"), &rows), ids, "{action} {rule}");
        }
        for rule in ["busy_time = 301", "idle_time = 0", "match.command = '^Killed$'"] {
            if rule != "idle_time = 0" || action != QUERY {
                assert!(taken(&format!("{action}{rule}"), &rows).is_empty(), "{action} {rule}");
            }
        }
    }
}

#[test]
fn victims_are_taken_from_their_groups() {
    let rows = [
        busy(1, 10, "a"),
        of("bob", busy(2, 30, "a")),
        busy(3, 20, "b"),
        of("bob", busy(4, 20, "b")),
        // As old as 3, and younger by its id.
        busy(5, 20, "a"),
        of("carol", busy(6, 5, "c")),
    ];
    let table: [(&str, &[u64]); 13] = [
        ("", &[1, 2, 3, 4, 5, 6]),
        ("victims = 'oldest'", &[2]),
        ("victims = 'all-but-oldest'", &[1, 3, 4, 5, 6]),
        ("victims = 'oldest'\ngroup_by = ['user']", &[2, 3, 6]),
        ("victims = 'all-but-oldest'\ngroup_by = ['user']", &[1, 4, 5]),
        ("victims = 'all-but-oldest'\ngroup_by = ['info']", &[1, 4, 5]),
        ("victims = 'all-but-oldest'\ngroup_by = ['user', 'info']", &[1]),
        ("count = 6", &[1, 2, 3, 4, 5, 6]),
        ("count = 7", &[]),
        ("count = 2\ngroup_by = ['user']", &[1, 2, 3, 4, 5]),
        ("count = 3\ngroup_by = ['user']", &[1, 3, 5]),
        ("count = 3\ngroup_by = ['user']\nvictims = 'oldest'", &[3]),
        ("count = 3\ngroup_by = ['db', 'host', 'command', 'state']\nvictims = 'all-but-oldest'", &[1, 3, 4, 5, 6]),
    ];
    for (rule, ids) in table {
        let rule = format!("{QUERY}busy_time = 0\n{rule}");
        assert_eq!(taken(&rule, &rows), ids, "{rule}");
        let backwards: Vec<_> = rows.iter().rev().cloned().collect();
        assert_eq!(taken(&rule, &backwards), ids, "{rule}: whatever the order of the list");
    }
}

#[test]
fn an_idle_session_does_not_count_where_statements_are_killed() {
    let rows = [idle(1), busy(2, 10, "a"), busy(3, 5, "a")];
    let rule = |action: &str| format!("{action}match.user = '.'\ncount = 3\nvictims = 'oldest'");
    assert!(taken(&rule(QUERY), &rows).is_empty());
    assert_eq!(taken(&rule(CONNECTION), &rows), [1]);
}

#[test]
fn a_session_without_a_database_is_in_a_group_of_its_own() {
    let nowhere = |id| ProcessRow { database: None, ..idle(id) };
    let named = |id, name: &str| ProcessRow { database: Some(name.into()), ..idle(id) };
    let rows = [nowhere(1), nowhere(2), named(3, ""), named(4, ""), named(5, "shop")];
    let rule = format!("{CONNECTION}idle_time = 0\ngroup_by = ['db']\nvictims = 'all-but-oldest'");
    assert_eq!(taken(&rule, &rows), [2, 4]);
}

#[test]
fn the_oldest_is_so_by_the_time_that_is_asked_for() {
    let rows = [
        in_transaction(60, ProcessRow { time: Duration::from_secs(10), ..idle(1) }),
        in_transaction(50, ProcessRow { time: Duration::from_secs(20), ..idle(2) }),
    ];
    let oldest = |rule: &str| taken(&format!("{LOG}{rule}\nvictims = 'oldest'"), &rows);
    assert_eq!(oldest("transaction_age = 0"), [1]);
    assert_eq!(oldest("transaction_age = 0\nidle_time = 0"), [2]);
    assert_eq!(oldest("match.user = '.'"), [2]);
}

/// What all rules do, as text.
fn all(text: &str, rows: &[ProcessRow]) -> Vec<String> {
    let hit = |Hit { rule, session, query_id, action, dry_run }: Hit| {
        let query_id = query_id.map_or("-".to_owned(), |id| id.to_string());
        format!("{rule} {} {session} {query_id}{}", action.as_str(), if dry_run { " dry" } else { "" })
    };
    rules(text).decide(rows).into_iter().map(hit).collect()
}

#[test]
fn rules_are_asked_in_order_and_a_session_is_killed_once() {
    let text = "
        [[rule]]
        name = 'all'
        match.user = '.'
        action = 'log'
        [[rule]]
        name = 'try'
        match.user = '.'
        action = 'kill-connection'
        dry_run = true
        [[rule]]
        name = 'slow'
        busy_time = 20
        action = 'kill-query'
        [[rule]]
        name = 'crowd'
        match.user = '.'
        victims = 'all-but-oldest'
        action = 'kill-connection'
        [[rule]]
        name = 'rest'
        match.user = '.'
        action = 'kill-connection'
        [[rule]]
        name = 'late'
        match.user = '.'
        action = 'log'";
    let rows = [busy(3, 30, ""), busy(2, 10, ""), busy(1, 5, "")];
    assert_eq!(
        all(text, &rows),
        [
            "all log 1 1001",
            "all log 2 1002",
            "all log 3 1003",
            "try kill-connection 1 1001 dry",
            "try kill-connection 2 1002 dry",
            "try kill-connection 3 1003 dry",
            "slow kill-query 3 1003",
            // 3 is as good as gone, so that 2 is the oldest.
            "crowd kill-connection 1 1001",
            "rest kill-connection 2 1002",
        ]
    );
}

#[test]
fn each_of_many_rules_has_its_own_groups() {
    // The groups of a rule are found by its place among those that hit the session.
    let mut text = String::new();
    for n in 0..Policies::MOST {
        let condition = if n % 3 == 0 { "match.user = 'bob'" } else { "match.user = '.'" };
        let group = if n % 2 == 0 { "group_by = ['user']\nvictims = 'oldest'" } else { "victims = 'oldest'" };
        text += &format!("[[rule]]\nname = 'r{n}'\naction = 'log'\n{condition}\n{group}\n");
    }
    let rows = [idle(1), idle(2), of("bob", idle(3)), of("bob", idle(4))];
    let hits = rules(&text).decide(&rows);
    for n in 0..Policies::MOST {
        let name = format!("r{n}");
        let ids: Vec<_> = hits.iter().filter(|hit| *hit.rule == *name).map(|hit| hit.session.get()).collect();
        let expected: &[u64] = match (n % 3, n % 2) {
            (0, _) => &[3],
            (_, 0) => &[1, 3],
            _ => &[1],
        };
        assert_eq!(ids, expected, "{name}");
        assert!(hits.iter().all(|hit| hit.action == Action::Log));
    }
}
