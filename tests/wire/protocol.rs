//! The protocol byte by byte: what is right, and what is wrong.

use std::io::Write;

use mysql_common::constants::CapabilityFlags;

use crate::{
    raw::{Answer, BASIC, Raw, error, framed},
    server::Server,
};

#[test]
fn the_simple_commands_are_answered() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    raw.command(0x0e, b"");
    assert_eq!(raw.answer().unwrap(), Answer::Ok { affected: 0, status: 2 }, "ping");
    raw.command(0x02, b"test");
    assert_eq!(raw.answer().unwrap().code(), 0, "init db");
    assert_eq!(server.row(raw.id).unwrap().database.as_deref(), Some("test"));
    raw.command(0x02, b"nosuch");
    assert_eq!(raw.answer().unwrap().code(), 1049);
    assert_eq!(server.row(raw.id).unwrap().database.as_deref(), Some("test"), "a failed change changes nothing");
    raw.command(0x09, b"");
    let statistics = String::from_utf8(raw.receive().unwrap()).unwrap();
    assert!(statistics.starts_with("Uptime: ") && statistics.contains("  Threads: 1  Questions: "), "{statistics}");
    raw.command(0x0a, b"");
    let Answer::Rows { columns: 8, rows, .. } = raw.answer().unwrap() else { panic!("process info is the list") };
    assert_eq!(rows[0][0], Some(raw.id.to_string()));
    raw.command(0x1f, b"");
    assert_eq!(raw.answer().unwrap(), Answer::Ok { affected: 0, status: 2 }, "reset");
    raw.command(0x01, b"");
    assert!(raw.closes_silently());
}

#[test]
fn what_is_not_served_gives_1047_and_the_session_lives() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let served = [1, 2, 3, 4, 9, 0x0a, 0x0c, 0x0e, 0x11, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f];
    for code in (0..=0xff).filter(|code| !served.contains(code)) {
        raw.command(code, b"\x01\x00\x00\x00");
        assert_eq!(raw.answer().unwrap().code(), 1047, "{code:#x}");
    }
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }));
}

#[test]
fn clients_that_want_eof_get_it() {
    let server = Server::start();
    let mut raw = Raw::login_as(&server, "root", BASIC.difference(CapabilityFlags::CLIENT_DEPRECATE_EOF));
    raw.send_query("SELECT * FROM seq(2)");
    let packets: Vec<_> = (0..6).map(|_| raw.receive().unwrap()).collect();
    assert_eq!(packets[0], [1]);
    assert!(packets[1].starts_with(b"\x03def\0\0\0\x03seq\0\x0c"), "{:?}", packets[1]);
    assert_eq!(packets[2], [0xfe, 0, 0, 2, 0]);
    assert_eq!(packets[3], [1, b'1']);
    assert_eq!(packets[4], [1, b'2']);
    assert_eq!(packets[5], [0xfe, 0, 0, 2, 0]);
}

#[test]
fn the_flags_tell_of_the_transaction() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let status = |answer| match answer {
        Answer::Ok { status, .. } | Answer::Rows { status, .. } => status,
        error => panic!("{error:?}"),
    };
    assert_eq!(status(raw.query("BEGIN")), 3);
    assert_eq!(status(raw.query("SELECT 1")), 3);
    assert_eq!(status(raw.query("SHOW PROCESSLIST")), 3, "the runtime's own statements keep them");
    raw.command(0x0e, b"");
    assert_eq!(status(raw.answer().unwrap()), 3);
    assert_eq!(status(raw.query("ROLLBACK")), 2);
    assert_eq!(status(raw.query("SET autocommit = 0")), 0);
    raw.command(0x1f, b"");
    assert_eq!(status(raw.answer().unwrap()), 2);
}

#[test]
fn a_second_statement_is_for_those_who_asked_for_several() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let answer = raw.query("SELECT 1;\nSELECT 2");
    let Answer::Error { code: 1064, text, .. } = answer else { panic!("{answer:?}") };
    assert!(text.ends_with("near '\nSELECT 2' at line 1") || text.ends_with("near 'SELECT 2' at line 2"), "{text}");
    assert!(matches!(raw.query("SELECT 1; -- done"), Answer::Rows { .. }));
    assert_eq!(raw.query("").code(), 1065);
    assert_eq!(raw.query(" ; /* nothing */").code(), 1065);
}

#[test]
fn errors_are_mysqls_with_the_place() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let error = |code, state: &str, text: &str| Answer::Error { code, state: state.into(), text: text.into() };
    assert_eq!(raw.query("KILL 99999"), error(1094, "HY000", "Unknown thread id: 99999"));
    let near = |near: &str, line: u8| {
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for \
             the right syntax to use near '{near}' at line {line}"
        )
    };
    assert_eq!(raw.query("KILL"), error(1064, "42000", &near("", 1)));
    assert_eq!(raw.query("KILL\nQUERY 5 6"), error(1064, "42000", &near("6", 2)));
    assert_eq!(raw.query("SHOW PROCESSLIST WHERE 1"), error(1064, "42000", &near("WHERE 1", 1)));
    assert_eq!(raw.query("KILL 18446744073709551616").code(), 1094);
    let own = raw.id;
    for odd in [format!("{}", (1u64 << 32) + u64::from(own)), format!("-{own}"), format!("'{own}abc'")] {
        assert_eq!(raw.query(&format!("KILL {odd}")).code(), 1094, "{odd}");
    }
    assert_eq!(raw.query(&format!("KILL {own}abc")).code(), 1054);
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }), "none of these killed it");
}

#[test]
fn wrong_sequence_numbers_and_packets_that_are_too_large_end_the_connection() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    raw.command(0x0e, b"");
    raw.answer().unwrap();
    raw.socket.write_all(&framed(7, b"\x0e")).unwrap();
    raw.expect_next(1);
    assert_eq!(error(&raw.receive().unwrap()).code(), 1156);
    assert!(raw.closes_silently());

    // Five parts of 16 MiB are claimed; the fifth header is enough.
    let mut raw = Raw::login(&server);
    let part = framed_claim(0xff_ff_ff, 0);
    raw.socket.write_all(&part).unwrap();
    let body = vec![0; 0xff_ff_ff];
    for number in 1..=4 {
        raw.socket.write_all(&body).unwrap();
        raw.socket.write_all(&framed_claim(0xff_ff_ff, number)).unwrap();
    }
    raw.expect_next(1);
    assert_eq!(error(&raw.receive().unwrap()).code(), 1153);

    // Before login, far less is allowed, and nothing is kept for what is only claimed.
    let mut raw = Raw::greeted(&server);
    raw.socket.write_all(&framed_claim(0xff_ff_ff, 1)).unwrap();
    raw.expect_next(2);
    assert_eq!(error(&raw.receive().unwrap()).code(), 1153);
    assert!(raw.closes_silently());
    server.wait("an empty list", <[_]>::is_empty);
}

fn framed_claim(length: u32, sequence: u8) -> [u8; 4] {
    let [a, b, c, _] = length.to_le_bytes();
    [a, b, c, sequence]
}

#[test]
fn a_statement_of_several_packets_is_read_whole() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    // 17 MiB of a comment, in two packets.
    let sql = format!("DO /* {} */ 1", "x".repeat(17 << 20));
    let payload = [b"\x03", sql.as_bytes()].concat();
    let (first, second) = payload.split_at(0xff_ff_ff);
    raw.socket.write_all(&framed_claim(0xff_ff_ff, 0)).unwrap();
    raw.socket.write_all(first).unwrap();
    raw.socket.write_all(&framed(1, second)).unwrap();
    raw.expect_next(2);
    assert_eq!(raw.answer().unwrap().code(), 0);
}

#[test]
fn pipelined_commands_are_answered_in_their_order() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let queries: Vec<u8> = (0..200).flat_map(|n| framed(0, format!("\x03SELECT {n}").as_bytes())).collect();
    raw.socket.write_all(&queries).unwrap();
    for n in 0..200 {
        raw.expect_next(1);
        let Some(Answer::Rows { rows, .. }) = raw.answer() else { panic!("answer {n}") };
        assert_eq!(rows, [[Some(format!("SELECT {n}"))]]);
    }
}

#[test]
fn rubbish_at_any_moment_harms_nobody_else() {
    let server = Server::start();
    let mut good = Raw::login(&server);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    };
    for turn in 0..300 {
        let mut bad = if turn % 2 == 0 { Raw::greeted(&server) } else { Raw::login(&server) };
        let length = usize::from(random()[0]) % 120;
        let rubbish: Vec<u8> = std::iter::repeat_with(&mut random).flatten().take(length).collect();
        // Half of them within a packet of the right form.
        let bytes = if turn % 4 < 2 { rubbish } else { framed(1 - u8::from(turn % 2 == 1), &rubbish) };
        // It may be closed already.
        let _ = bad.socket.write_all(&bytes);
    }
    assert!(matches!(good.query("SELECT 1"), Answer::Rows { .. }));
    let own = u64::from(good.id);
    server.wait("all others gone", |list| list.iter().all(|row| row.id.get() == own));
    assert_eq!(server.runtime.status().panics, 0);
}
