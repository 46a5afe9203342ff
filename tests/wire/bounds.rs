//! What a session may keep for its client between statements: prepared statements and what came ahead of their executions,
//! in one count, whichever way they came.

use killdeer::{Login, Principal, Privileges, Setting, Settings};

use crate::{
    echo::accounts::Accounts,
    prepared::{execute, prepare},
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

const MIB: usize = 1 << 20;

fn server(settings: Settings) -> Server {
    Server::start_with(Accounts::default(), move |builder| builder.settings(settings))
}

fn long_data(raw: &mut Raw, id: u32, place: u16, data: &[u8]) {
    raw.command(0x18, &[&id.to_le_bytes()[..], &place.to_le_bytes(), data].concat());
}

/// Ends a prepared statement, and waits until that is done.
fn close(raw: &mut Raw, id: u32) {
    raw.command(0x19, &id.to_le_bytes());
    ping(raw);
}

fn ping(raw: &mut Raw) {
    raw.command(0x0e, &[]);
    assert_eq!(raw.answer().unwrap().code(), 0);
}

/// A statement of so many bytes.
fn text(length: usize) -> String {
    format!("DO '{}'", "x".repeat(length - 5))
}

/// The code of a preparation.
fn code(raw: &mut Raw, sql: &str) -> u16 {
    prepare(raw, sql).map_or_else(|error| error.code(), |_| 0)
}

/// What the session has in its count is nothing: it can take as much as it may, and no more.
fn keeps_nothing(raw: &mut Raw) {
    let (all, ..) = prepare(raw, &text(MIB - 256)).expect("room for all that may be kept");
    assert_eq!(code(raw, "DO 1"), 1041);
    close(raw, all);
}

#[test]
fn a_session_cannot_use_up_the_statements_of_all() {
    let server = server(Settings::new().count(Setting::MaxSessionPreparedStatements, 5));
    let (mut greedy, mut other) = (Raw::login(&server), Raw::login(&server));
    let refused = || {
        let text = "Can't create more than max_session_prepared_statements statements (current value: 5)";
        Answer::Error { code: 1461, state: "42000".into(), text: text.into() }
    };
    let fill = |raw: &mut Raw| {
        let ids: Vec<u32> = (0..3).map(|_| prepare(raw, "DO 1").unwrap().0).collect();
        for name in ["a", "b"] {
            assert_eq!(raw.query(&format!("PREPARE {name} FROM 'DO 1'")).code(), 0);
        }
        assert_eq!(prepare(raw, "DO 1").unwrap_err(), refused());
        assert_eq!(raw.query("PREPARE c FROM 'DO 1'"), refused());
        ids
    };
    for _ in 0..3 {
        let ids = fill(&mut greedy);
        assert_eq!(server.runtime.status().prepared, 5, "what was refused is not counted");
        assert_eq!(prepare(&mut other, "DO 1").map(|(id, ..)| close(&mut other, id)), Ok(()), "others have their own");
        // In the place of another, there is room, and where one was.
        assert_eq!(greedy.query("PREPARE a FROM 'DO 2'").code(), 0);
        close(&mut greedy, ids[1]);
        assert_eq!(greedy.query("PREPARE c FROM 'DO 1'").code(), 0);
        assert_eq!(greedy.query("DEALLOCATE PREPARE a").code(), 0);
        assert_eq!(code(&mut greedy, "DO 1"), 0);
        assert_eq!(code(&mut greedy, "DO 1"), 1461);
        // COM_RESET_CONNECTION.
        greedy.command(0x1f, &[]);
        assert_eq!(greedy.answer().unwrap().code(), 0);
        assert_eq!(server.runtime.status().prepared, 0);
    }
    fill(&mut greedy);
    greedy.send_change_user("alice", &[], "", "mysql_native_password");
    assert_eq!(greedy.answer().unwrap().code(), 0);
    assert_eq!(server.runtime.status().prepared, 0);
    fill(&mut greedy);
    drop(greedy);
    server.wait("its end", |list| list.len() == 1);
    assert_eq!(server.runtime.status().prepared, 0);
}

#[test]
fn all_that_a_session_keeps_is_counted_together() {
    let server = server(Settings::new().count(Setting::MaxSessionMemory, MIB as u64));
    let mut raw = Raw::login(&server);
    let refused = || {
        let text = "Out of memory: what the session keeps is longer than 'max_session_memory' bytes (current value: \
                    1048576)";
        Answer::Error { code: 1041, state: "HY000".into(), text: text.into() }
    };
    for round in 0..3 {
        keeps_nothing(&mut raw);
        let (first, ..) = prepare(&mut raw, &text(300_000)).unwrap();
        assert_eq!(raw.query(&format!("PREPARE a FROM \"{}\"", text(300_000))).code(), 0);
        assert_eq!(raw.query(&format!("PREPARE a FROM \"{}\"", text(300_000))).code(), 0, "in place of the one before");
        let (asks, ..) = prepare(&mut raw, "SELECT ?, ?").unwrap();
        long_data(&mut raw, asks, 0, &[b'x'; 300_000]);
        assert_eq!(prepare(&mut raw, &text(300_000)).unwrap_err(), refused());
        assert_eq!(raw.query(&format!("PREPARE b FROM \"{}\"", text(300_000))), refused());
        // As long data: what can never be whole is not kept, and its execution is refused.
        long_data(&mut raw, asks, 1, &[b'x'; 300_000]);
        assert_eq!(error(&execute(&mut raw, asks, &[0, 1, 252, 0, 252, 0])[0]), refused());
        let (second, ..) = prepare(&mut raw, &text(300_000)).unwrap();
        assert_eq!(code(&mut raw, &text(300_000)), 1041);
        close(&mut raw, second);
        // Kept again, and used up by the execution, or by COM_STMT_RESET.
        for ends_by_reset in [false, true] {
            long_data(&mut raw, asks, 0, &[b'x'; 200_000]);
            long_data(&mut raw, asks, 0, &[b'x'; 200_000]);
            assert_eq!(code(&mut raw, &text(100_000)), 1041);
            if ends_by_reset {
                raw.command(0x1a, &asks.to_le_bytes());
                assert_eq!(raw.answer().unwrap().code(), 0);
            } else {
                // The second is NULL.
                assert!(execute(&mut raw, asks, &[2, 1, 252, 0, 6, 0]).len() > 2, "rows");
            }
            let (third, ..) = prepare(&mut raw, &text(400_000)).unwrap();
            close(&mut raw, third);
        }
        match round {
            0 => {
                close(&mut raw, first);
                close(&mut raw, asks);
                assert_eq!(raw.query("DEALLOCATE PREPARE a").code(), 0);
            }
            1 => {
                raw.command(0x1f, &[]);
                assert_eq!(raw.answer().unwrap().code(), 0);
            }
            _ => {
                raw.send_change_user("alice", &[], "", "mysql_native_password");
                assert_eq!(raw.answer().unwrap().code(), 0);
            }
        }
        keeps_nothing(&mut raw);
    }
}

#[test]
fn many_small_statements_and_parameters_count_too() {
    let settings = Settings::new()
        .count(Setting::MaxSessionMemory, MIB as u64)
        .count(Setting::MaxSessionPreparedStatements, 16_382);
    let server = server(settings);
    let mut raw = Raw::login(&server);
    let kept = (0..).take_while(|_| code(&mut raw, "DO 1") == 0).count();
    assert_eq!(kept, MIB / (256 + 4), "each takes room of its own");
    raw.command(0x1f, &[]);
    assert_eq!(raw.answer().unwrap().code(), 0);
    let (id, ..) = prepare(&mut raw, &format!("SELECT {}?", "?,".repeat(19_999))).unwrap();
    for place in 0..20_000 {
        long_data(&mut raw, id, place, b"");
    }
    assert_eq!(error(&execute(&mut raw, id, &[])[0]).code(), 1041, "20,000 empty parameters");
}

/// The bounds, as the session shows them.
fn shown(raw: &mut Raw) -> Vec<String> {
    match raw.query("SELECT @@max_session_memory, @@max_session_prepared_statements") {
        Answer::Rows { mut rows, .. } => rows.remove(0).into_iter().map(Option::unwrap).collect(),
        other => panic!("{other:?}"),
    }
}

/// `app` may keep less than others, `batch` more of them.
fn cast(login: &Login<'_>) -> Principal {
    let own = match &*login.user {
        "app" => Settings::new().count(Setting::MaxSessionMemory, MIB as u64),
        "batch" => Settings::new().count(Setting::MaxSessionPreparedStatements, 3),
        _ => Settings::new(),
    };
    Principal::new(login.user.as_str(), Privileges::NONE).with_settings(own)
}

#[test]
fn an_account_has_bounds_of_its_own_and_a_session_those_of_its_account() {
    let settings = Settings::new().count(Setting::MaxSessionPreparedStatements, 2);
    let server = Server::start_cast(cast, |builder| builder.settings(settings));
    let mut raw = Raw::login_as(&server, "app", BASIC);
    assert_eq!(shown(&mut raw), ["1048576", "2"]);
    assert_eq!((code(&mut raw, &text(MIB)), code(&mut raw, "DO 1"), code(&mut raw, "DO 2")), (1041, 0, 0));
    assert_eq!(code(&mut raw, "DO 3"), 1461);
    raw.send_change_user("batch", &[], "", "mysql_native_password");
    assert_eq!(raw.answer().unwrap().code(), 0);
    assert_eq!(shown(&mut raw), ["67108864", "3"]);
    assert_eq!((code(&mut raw, &text(MIB)), code(&mut raw, "DO 1"), code(&mut raw, "DO 2")), (0, 0, 0));
    assert_eq!(code(&mut raw, "DO 3"), 1461);
}

#[test]
fn the_bounds_are_variables_that_an_administrator_changes_while_sessions_are_there() {
    let server = Server::start_with(Accounts::default(), |builder| builder);
    let (mut root, mut raw) = (Raw::login(&server), Raw::login_as(&server, "alice", BASIC));
    assert_eq!(shown(&mut raw), ["67108864", "4096"]);
    assert_eq!(raw.query("SET GLOBAL max_session_memory = 2097152").code(), 1227);
    assert_eq!(raw.query("SET SESSION max_session_memory = 2097152").code(), 1621, "nobody allows itself more");
    assert_eq!(code(&mut raw, &text(2 * MIB)), 0);
    for sql in ["SET GLOBAL max_session_memory = 2097152", "SET GLOBAL max_session_prepared_statements = 2"] {
        assert_eq!(root.query(sql).code(), 0, "{sql}");
    }
    assert_eq!(shown(&mut raw), ["2097152", "2"]);
    assert_eq!((code(&mut raw, "DO 1"), root.query("PREPARE s FROM 'DO 1'").code()), (1041, 0));
    raw.command(0x1f, &[]);
    assert_eq!(raw.answer().unwrap().code(), 0);
    assert_eq!((code(&mut raw, &text(MIB)), code(&mut raw, "DO 1"), code(&mut raw, "DO 1")), (0, 0, 1461));
}
