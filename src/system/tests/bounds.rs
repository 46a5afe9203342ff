//! What a question may use of time and memory, and that it ends when it is told to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::{FutureExt, executor::block_on, future};

use super::{
    super::{Room, SystemTables},
    *,
};
use crate::model::Reason;

const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n WHERE i < 0";
const CROSS: &str = "SELECT COUNT(*) FROM information_schema.processlist a, information_schema.processlist b, \
                     information_schema.processlist c WHERE a.time + b.time + c.time < 0";
const SORTED: &str = "SELECT a.*, b.user, c.host FROM information_schema.processlist a, information_schema.processlist b, \
                      information_schema.processlist c ORDER BY a.time, b.id, c.id";

/// Ends a question once it has been looked at so many times.
fn after(looks: usize) -> (Stop, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (Stop::new(move || (counted.fetch_add(1, Ordering::Relaxed) >= looks).then_some(Reason::KillQuery)), count)
}

#[test]
fn a_question_ends_when_it_is_killed_wherever_it_is() {
    let tables = many(1000, 10);
    for sql in [ENDLESS, CROSS, SORTED, "SELECT * FROM information_schema.processlist"] {
        for looks in [0, 1, 3, 100, 1000] {
            let ((stop, _), held) = (after(looks), Held::default());
            let killed = read(sql).unwrap().answer(&[], &tables, &stop, &Limits::default(), &held).unwrap_err();
            assert_eq!(killed.code(), 1317, "{sql} after {looks}");
            assert_eq!(held.bytes(), 0);
        }
    }
}

#[test]
fn a_comparison_of_long_texts_ends_when_it_is_killed() {
    let row = vec![text(&"a".repeat(1 << 20))];
    let columns = vec![Column::new("a", ColumnType::Text)];
    let long = vec![Table { database: "information_schema", name: "x", columns, rows: vec![row] }];
    let sql = format!("SELECT a LIKE '%{}b' FROM information_schema.x", "a".repeat(1 << 15));
    let ((stop, looks), held) = (after(50), Held::default());
    let killed = read(&sql).unwrap().answer(&[], &long, &stop, &Limits::default(), &held).unwrap_err();
    assert_eq!(killed.code(), 1317);
    assert!(looks.load(Ordering::Relaxed) < 100);
}

#[test]
fn what_sorts_or_keeps_rows_aside_is_bounded_by_its_work() {
    let tables = many(10_000, 50);
    let (stop, limits, held) = (Stop::new(|| None), Limits { work: 1_000_000, ..Limits::default() }, Held::default());
    for sql in [
        SORTED,
        ENDLESS,
        "SELECT COUNT(*) FROM (SELECT DISTINCT a.id, b.id i FROM information_schema.processlist a, \
         information_schema.processlist b) t",
        "SELECT a.id, b.id, COUNT(*) FROM information_schema.processlist a, information_schema.processlist b GROUP BY 1, 2",
    ] {
        let refused = read(sql).unwrap().answer(&[], &tables, &stop, &limits, &held).unwrap_err();
        assert!(refused.code() == 1041 && refused.message().contains("kept aside"), "{sql}: {refused}");
    }
    // All of them once, sorted by what no index helps with, is not too much.
    let sql = "SELECT a.* FROM information_schema.processlist a ORDER BY info DESC, id DESC";
    let found = read(sql).unwrap().answer(&[], &tables, &stop, &limits, &held).unwrap();
    assert_eq!((found.rows.len(), &found.rows[0][0]), (10_000, &OwnedValue::UInt(9999)));
    let sql = "SELECT COUNT(*) FROM information_schema.processlist a JOIN information_schema.processlist b USING (id)";
    assert_eq!(shown(&read(sql).unwrap().answer(&[], &tables, &stop, &limits, &held).unwrap()), "10000");
}

#[test]
fn every_question_is_bounded_by_its_work() {
    let tables = many(1000, 1000);
    let (stop, held) = (Stop::new(|| None), Held::default());
    let limits = Limits { work: 0, instructions: 2_000_000, ..Limits::default() };
    let ask = |sql: &str| read(sql).unwrap().answer(&[], &tables, &stop, &limits, &held);
    for sql in [
        CROSS,
        "SELECT COUNT(*) FROM information_schema.processlist a, information_schema.processlist b WHERE a.info LIKE b.info",
        "SELECT info REGEXP 'x*x*x*x*x*x*x*x*x*x*y' FROM information_schema.processlist",
        "SELECT SUM(LENGTH(REPEAT('x', 100000 + id))) FROM information_schema.processlist",
    ] {
        let refused = ask(sql).unwrap_err();
        assert!(refused.code() == 1041 && refused.message().contains("more work"), "{sql}: {refused}");
    }
    let honest = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%x%' AND time > 3";
    assert_eq!(shown(&ask(honest).unwrap()), "1000");
}

#[test]
fn the_longer_the_texts_the_fewer_of_them_are_kept_aside() {
    let tables = many(20, 1 << 20);
    let (stop, limits, held) = (Stop::new(|| None), Limits::default(), Held::default());
    let ask = |columns: &str| {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT DISTINCT {columns}, b.id x, c.id y, d.id z FROM information_schema.processlist a, \
             information_schema.processlist b, information_schema.processlist c, information_schema.processlist d) t"
        );
        read(&sql).unwrap().answer(&[], &tables, &stop, &limits, &held).map(|answer| shown(&answer))
    };
    assert_eq!(ask("a.id").unwrap(), "160000");
    assert!(ask("a.info").unwrap_err().message().contains("too many rows"), "before SQLite itself finds it too much");
    assert!(
        ask("REPEAT('x', 1000000 + a.id)").unwrap_err().message().contains("too many rows"),
        "before SQLite itself finds it too much"
    );
    let all = "SELECT info FROM information_schema.processlist ORDER BY info, id DESC";
    assert_eq!(read(all).unwrap().answer(&[], &tables, &stop, &limits, &held).unwrap().rows.len(), 20);
}

#[test]
fn results_are_bounded_each_and_all_together() {
    let tables = many(100, 1000);
    let stop = Stop::new(|| None);
    let held = Held::default();
    let sql = "SELECT info FROM information_schema.processlist";
    let first = read(sql).unwrap().answer(&[], &tables, &stop, &Limits::default(), &held).unwrap();
    let bytes = held.bytes();
    // Room for two of these, and in one result for hardly more than one.
    let limits = Limits { result: bytes + (64 << 10) + 10, all: 2 * bytes + 100, ..Limits::default() };
    let ask = |sql: &str| read(sql).unwrap().answer(&[], &tables, &stop, &limits, &held);
    assert!((40_000..60_000).contains(&bytes), "of the first 64 KiB nothing counts: {bytes}");
    let second = ask(sql).unwrap();
    let refused = ask(sql).unwrap_err();
    assert!(refused.code() == 1041 && refused.message().contains("try again later"), "{refused}");
    drop(first);
    assert_eq!(held.bytes(), bytes);
    let refused =
        ask("SELECT a.info FROM information_schema.processlist a, information_schema.processlist b").unwrap_err();
    assert!(refused.code() == 1041 && refused.message().contains("too large"), "{refused}");
    drop(second);
    assert_eq!(held.bytes(), 0);
}

#[test]
fn texts_are_bounded() {
    for (sql, code) in [
        ("SELECT REPEAT('x', 1000000000000)", 1041),
        ("SELECT LENGTH(REPEAT(REPEAT('x', 1000000), 1000000))", 1041),
        ("SELECT LPAD('x', 1000000000, 'y')", 1041),
        ("SELECT SPACE(1000000000)", 1041),
        ("SELECT LENGTH(REPLACE(REPEAT('x', 1000000), 'x', REPEAT('y', 1000000)))", 1041),
        ("SELECT CONCAT(REPEAT('x', 1000000), REPEAT('x', 1000000))", 1041),
        ("SELECT LENGTH(GROUP_CONCAT(REPEAT('x', 1000000))) FROM information_schema.processlist", 1041),
        ("SELECT REPEAT('x', 100000) REGEXP CONCAT(REPEAT('x?', 500), REPEAT('x', 500))", 3699),
        ("SELECT 'x' REGEXP '('", 3685),
        ("SELECT 'x' REGEXP '((x{1000}){1000}){1000}'", 3685),
    ] {
        assert_eq!(error(sql).code(), code, "{sql}");
    }
    let great = vec![Table {
        database: "information_schema",
        name: "x",
        columns: vec![Column::new("a", ColumnType::BigInt).unsigned()],
        rows: vec![vec![OwnedValue::UInt(u64::MAX)]],
    }];
    assert_eq!(answer_of("SELECT a FROM information_schema.x", &[], &great).unwrap_err().code(), 1105);
}

#[test]
fn questions_are_answered_on_threads_of_their_own() {
    let system = SystemTables::default();
    let here = std::thread::current().id();
    let fill = move |_: &Question, _: &mut Room| {
        assert_ne!(std::thread::current().id(), here);
        Ok(tables())
    };
    let question = move || {
        assert_ne!(std::thread::current().id(), here);
        read("SELECT COUNT(*) FROM information_schema.processlist")
    };
    let found = block_on(system.run("a", question, Vec::new(), fill, Stop::new(|| None), future::pending())).unwrap();
    assert_eq!(shown(&found), "5");
}

#[test]
fn one_that_waits_is_killed_at_once_and_one_that_nobody_waits_for_stops() {
    let system = SystemTables { threads: crate::threads::Threads::new("test", 1), ..SystemTables::default() };
    let (runs, running) = std::sync::mpsc::channel();
    let endless = || read(CROSS);
    let fill = move |_: &Question, _: &mut Room| {
        runs.send(()).unwrap();
        Ok(many(1000, 10))
    };
    let mut long = Box::pin(system.run("a", endless, Vec::new(), fill, Stop::new(|| None), future::pending()));
    assert!((&mut long).now_or_never().is_none());
    running.recv().unwrap();
    // The only thread is taken.
    let waits = system
        .run("a", || read("SELECT 1"), Vec::new(), |_, _| Ok(tables()), Stop::new(|| None), async { Reason::Shutdown });
    assert_eq!(block_on(waits).unwrap_err().code(), 1053);
    drop(long);
    let next =
        system.run("a", || read("SELECT 1"), Vec::new(), |_, _| Ok(tables()), Stop::new(|| None), future::pending());
    assert_eq!(shown(&block_on(next).unwrap()), "1");
    let panics = system.run(
        "a",
        || read("SELECT 1"),
        Vec::new(),
        |_, _| panic!("asked to"),
        Stop::new(|| None),
        future::pending(),
    );
    assert_eq!(block_on(panics).unwrap_err().code(), 1105);
}

#[test]
fn the_rows_that_a_question_is_answered_from_are_bounded() {
    let tables = many(100, 1000);
    let weigh = |limits: Limits, held: &Held| {
        let mut room = Room::new(limits, held);
        tables[0].rows.iter().try_for_each(|row| room.take(row)).map(|()| room)
    };
    let held = Held::default();
    let room = weigh(Limits::default(), &held).unwrap();
    let bytes = held.bytes();
    assert!((200_000..300_000).contains(&bytes), "rows and their copies, without the first 64 KiB: {bytes}");
    let refused = weigh(Limits { source: 100_000, ..Limits::default() }, &held).unwrap_err();
    assert!(refused.code() == 1041 && refused.message().contains("too large at the moment"), "{refused}");
    let refused = weigh(Limits { all: bytes + 100, ..Limits::default() }, &held).unwrap_err();
    assert!(refused.code() == 1041 && refused.message().contains("try again later"), "{refused}");
    drop(room);
    assert_eq!(held.bytes(), 0);
    // While it is answered the room is taken.
    let system = SystemTables::new(Limits { source: 100_000, ..Limits::default() });
    let full = tables.clone();
    let fill = move |_: &Question, room: &mut Room| {
        full[0].rows.iter().try_for_each(|row| room.take(row))?;
        Ok(full)
    };
    let read = || read("SELECT COUNT(*) FROM information_schema.processlist");
    let refused = block_on(system.run("a", read, Vec::new(), fill, Stop::new(|| None), future::pending())).unwrap_err();
    assert_eq!((refused.code(), system.held.bytes()), (1041, 0));
}

#[test]
fn a_question_names_the_columns_that_are_copied_for_it() {
    let from = "FROM information_schema.processlist";
    for (sql, named) in [
        (format!("SELECT COUNT(*) {from}"), vec![]),
        (format!("SELECT Id {from} p WHERE p.`Time` > 1 ORDER BY 1"), vec!["ID", "TIME"]),
        (format!("SELECT 1 {from} a JOIN x.y USING (user)"), vec!["USER"]),
        (format!("SELECT * {from}"), vec!["ID", "USER", "TIME"]),
        (format!("SELECT p.* {from} p"), vec!["ID", "USER", "TIME"]),
        (format!("SELECT 1 {from} NATURAL JOIN x.y"), vec!["ID", "USER", "TIME"]),
    ] {
        let question = read(&sql).unwrap();
        let found: Vec<_> = ["ID", "USER", "TIME"].into_iter().filter(|name| question.names(name)).collect();
        assert_eq!(found, named, "{sql}");
    }
}
