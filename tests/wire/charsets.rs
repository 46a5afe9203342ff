//! Clients that write and read something else than UTF-8.

use mysql_common::constants::CapabilityFlags;

use crate::{
    raw::{Answer, BASIC, Raw},
    server::Server,
};

/// A client that names this collation when it logs in.
fn collating(server: &Server, collation: u8) -> Raw {
    let mut raw = Raw::greeted(server);
    raw.collation = collation;
    raw.answer_greeting("root", &[], BASIC.union(CapabilityFlags::CLIENT_MULTI_STATEMENTS), "mysql_native_password");
    assert_eq!(raw.receive().expect("an OK")[0], 0x00);
    raw
}

/// The answer to a statement, packet by packet.
fn packets(raw: &mut Raw, sql: &[u8]) -> Vec<Vec<u8>> {
    raw.command(0x03, sql);
    raw.packets().unwrap()
}

/// The name, the character set and the length of the first column, and the first value of the first row.
fn first(raw: &mut Raw, sql: &[u8]) -> (Vec<u8>, u16, u32, Vec<u8>) {
    let packets = packets(raw, sql);
    let column = &packets[1][4..];
    // Schema, table and its original name are empty here.
    assert_eq!(column[..3], [0, 0, 0], "{packets:?}");
    let length = usize::from(column[3]);
    let (name, rest) = column[4..].split_at(length);
    let rest = &rest[1 + usize::from(rest[0])..];
    assert_eq!(rest[0], 0x0c);
    let set = u16::from_le_bytes([rest[1], rest[2]]);
    let width = u32::from_le_bytes(rest[3..7].try_into().unwrap());
    (name.to_vec(), set, width, packets[2][1..].to_vec())
}

const CAFE: &[u8] = b"ECHO caf\xe9 \x80";

#[test]
fn latin1_is_what_a_client_of_latin1_writes_and_reads() {
    let server = Server::start();
    for collation in [8, 31, 47, 48] {
        let mut raw = collating(&server, collation);
        assert_eq!(first(&mut raw, CAFE), (b"echo".to_vec(), 8, 255, CAFE.to_vec()), "{collation}");
        let named = first(&mut raw, b"SELECT @@port AS `caf\xe9`");
        assert_eq!((&*named.0, named.1), (&b"caf\xe9"[..], 63), "a number has no character set");
        let error = packets(&mut raw, b"USE `caf\xe9`").remove(0);
        assert_eq!(&error[9..], b"Unknown database 'caf\xe9'");
        let set = first(&mut raw, b"SELECT @@character_set_client");
        assert_eq!(set.3, b"latin1");
        // COM_INIT_DB.
        raw.command(0x02, b"\xe9");
        assert_eq!(&raw.receive().unwrap()[9..], b"Unknown database '\xe9'");
        // COM_FIELD_LIST.
        raw.command(0x04, b"\xe9\0%");
        assert_eq!(&raw.receive().unwrap()[9..], b"Table '\xe9' doesn't exist");
    }
}

#[test]
fn lists_are_utf8_whatever_the_client_writes() {
    let server = Server::start();
    let mut raw = collating(&server, 8);
    raw.command(0x03, b"DO SLEEP(1000) /* caf\xe9 */");
    server.wait_running(raw.id);
    assert_eq!(server.row(raw.id).unwrap().info.as_deref(), Some("DO SLEEP(1000) /* café */"));
    let mut by = Raw::login(&server);
    by.query(&format!("KILL QUERY {}", raw.id));
    assert_eq!(raw.answer().unwrap().code(), 1317);
}

#[test]
fn set_names_changes_it_for_what_follows() {
    let server = Server::start();
    let mut raw = collating(&server, 45);
    let utf8 = "ECHO café €".as_bytes();
    assert_eq!(first(&mut raw, utf8), (b"echo".to_vec(), 45, 1020, utf8.to_vec()));
    assert_eq!(packets(&mut raw, b"SET NAMES latin1")[0][0], 0x00);
    assert_eq!(first(&mut raw, CAFE), (b"echo".to_vec(), 8, 255, CAFE.to_vec()));
    let Answer::Error { code: 1115, .. } = raw.query("SET NAMES klingon") else { panic!("1115") };
    assert_eq!(first(&mut raw, CAFE).1, 8, "nothing has changed");
    // Each way for itself.
    assert_eq!(packets(&mut raw, b"SET character_set_results = utf8mb4")[0][0], 0x00);
    assert_eq!(first(&mut raw, CAFE), (b"echo".to_vec(), 45, 1020, utf8.to_vec()));
    assert_eq!(packets(&mut raw, b"SET character_set_client = utf8mb4, character_set_results = ascii")[0][0], 0x00);
    assert_eq!(first(&mut raw, utf8), (b"echo".to_vec(), 11, 255, b"ECHO caf? ?".to_vec()));
    assert_eq!(packets(&mut raw, b"SET NAMES binary")[0][0], 0x00);
    assert_eq!(first(&mut raw, CAFE), (b"echo".to_vec(), 63, 255, CAFE.to_vec()), "as it is");
    assert_eq!(packets(&mut raw, b"SET NAMES latin1")[0][0], 0x00);
    assert_eq!(packets(&mut raw, b"SET NAMES DEFAULT")[0][0], 0x00);
    assert_eq!(first(&mut raw, utf8).3, utf8);
    assert_eq!(packets(&mut raw, b"SET NAMES latin1")[0][0], 0x00);
    raw.command(0x1f, b"");
    assert_eq!(raw.receive().unwrap()[0], 0x00);
    assert_eq!(first(&mut raw, utf8).3, utf8, "a reset takes it back");
}

#[test]
fn within_one_command_it_holds_from_the_next_statement_on() {
    let server = Server::start();
    let mut raw = collating(&server, 45);
    let sql = "SET character_set_results = latin1; ECHO é; SET character_set_results = utf8mb4; ECHO é";
    raw.command(0x03, sql.as_bytes());
    let mut values = Vec::new();
    for _ in 0..2 {
        assert_eq!(raw.receive().unwrap()[0], 0x00);
        assert_eq!(raw.receive().unwrap(), [1]);
        raw.receive().unwrap();
        values.push(raw.receive().unwrap()[1..].to_vec());
        assert_eq!(raw.receive().unwrap()[0], 0xfe);
    }
    assert_eq!(values[0].last(), Some(&0xe9));
    assert!(values[1].ends_with("é".as_bytes()));
}
