//! Changes of the session that OK packets tell, to clients that ask for it.

use mysql_common::{
    constants::{CapabilityFlags, StatusFlags},
    io::ParseBuf,
    packets::{CommonOkPacket, OkPacket, OkPacketDeserializer},
};

use crate::{
    raw::{BASIC, Raw},
    server::Server,
};

const TRACKS: CapabilityFlags = BASIC.union(CapabilityFlags::CLIENT_SESSION_TRACK);

/// The state of the session that comes with the OK that answers a statement, or ends its rows.
fn told(raw: &mut Raw, sql: &str) -> Vec<u8> {
    raw.send_query(sql);
    let mut last = raw.receive().expect("an answer");
    if last[0] != 0x00 {
        while last[0] != 0xfe {
            last = raw.receive().expect("the end of the rows");
        }
    }
    assert_eq!(last[1..3], [0, 0], "nothing affected: {last:?}");
    let changed = u16::from_le_bytes([last[3], last[4]]) & 0x4000 != 0;
    if !changed {
        assert_eq!(last.len(), 7, "no more than without tracking: {last:?}");
        return Vec::new();
    }
    assert_eq!(last[7], 0, "no text: {last:?}");
    assert_eq!(usize::from(last[8]), last.len() - 9, "the length of all entries: {last:?}");
    last[9..].to_vec()
}

#[test]
fn a_change_of_database_is_told_to_those_who_track() {
    let server = Server::start();
    let mut raw = Raw::login_as(&server, "root", TRACKS);
    assert_eq!(raw.capabilities & CapabilityFlags::CLIENT_SESSION_TRACK.bits(), 0x80_0000, "offered");
    assert_eq!(told(&mut raw, "USE test"), b"\x01\x05\x04test");
    assert_eq!(told(&mut raw, "SELECT 1"), b"");
    raw.command(0x02, b"information_schema");
    let ok = raw.receive().unwrap();
    assert_eq!(ok, [&b"\x00\0\0\x02\x40\0\0\0\x15\x01\x13\x12"[..], b"information_schema"].concat());
    raw.command(0x02, b"nosuch");
    assert_eq!(raw.answer().unwrap().code(), 1049);
    assert_eq!(told(&mut raw, "DO 1"), b"", "nothing changed");
    assert_eq!(told(&mut raw, "SET session_track_schema = OFF"), b"");
    assert_eq!(told(&mut raw, "USE test"), b"");
    raw.command(0x1f, b"");
    raw.answer().unwrap();
    assert_eq!(told(&mut raw, "USE test"), b"\x01\x05\x04test", "a reset takes it back to what it was");

    let mut other = Raw::login(&server);
    assert_eq!(told(&mut other, "USE test"), b"", "it did not ask");
}

#[test]
fn a_variable_of_the_list_is_told_when_it_is_set() {
    let server = Server::start();
    let mut raw = Raw::login_as(&server, "root", TRACKS);
    assert_eq!(told(&mut raw, "SET autocommit = 0"), b"\x00\x0f\x0aautocommit\x03OFF");
    assert_eq!(told(&mut raw, "SET time_zone = '+01:00', wait_timeout = 9"), b"\x00\x11\x09time_zone\x06+01:00");
    let names = told(&mut raw, "SET NAMES latin1");
    let expected = [
        &b"\x00\x1c\x14character_set_client\x06latin1"[..],
        b"\x00\x20\x18character_set_connection\x06latin1",
        b"\x00\x1d\x15character_set_results\x06latin1",
    ];
    assert_eq!(names, expected.concat());
    assert_eq!(told(&mut raw, "SET session_track_system_variables = 'wait_timeout'"), b"");
    assert_eq!(told(&mut raw, "SET wait_timeout = 8, NAMES utf8mb4"), b"\x00\x0f\x0cwait_timeout\x018");
    assert_eq!(told(&mut raw, "SET @x = 1"), b"");
}

#[test]
fn the_state_of_the_transaction_is_told_after_it_was_asked_for() {
    let server = Server::start();
    let mut raw = Raw::login_as(&server, "root", TRACKS);
    assert_eq!(told(&mut raw, "BEGIN"), b"");
    assert_eq!(told(&mut raw, "COMMIT"), b"");
    let state = |state: &str| [b"\x05\x09\x08", state.as_bytes()].concat();
    assert_eq!(told(&mut raw, "SET SESSION session_track_transaction_info = STATE"), state("________"));
    assert_eq!(told(&mut raw, "SELECT 1"), b"");
    assert_eq!(told(&mut raw, "BEGIN"), state("T_______"));
    assert_eq!(told(&mut raw, "SELECT 1"), b"");
    assert_eq!(told(&mut raw, "COMMIT"), state("________"));
    assert_eq!(told(&mut raw, "SET autocommit = 0"), b"\x00\x0f\x0aautocommit\x03OFF");
    assert_eq!(told(&mut raw, "SELECT 1"), state("I_______"), "with the OK at the end of the rows");
    assert_eq!(told(&mut raw, "SET session_track_transaction_info = OFF"), b"");
    assert_eq!(told(&mut raw, "ROLLBACK"), b"");
}

#[test]
fn a_client_whose_rows_end_in_eof_is_told_with_the_next_ok() {
    let server = Server::start();
    let flags =
        TRACKS.difference(CapabilityFlags::CLIENT_DEPRECATE_EOF).union(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let mut raw = Raw::login_as(&server, "root", flags);
    assert!(!told(&mut raw, "SET session_track_transaction_info = STATE, autocommit = 0").is_empty());
    raw.send_query("SELECT 1");
    for _ in 0..4 {
        raw.receive().unwrap();
    }
    assert_eq!(raw.receive().unwrap(), [0xfe, 0, 0, 1, 0]);
    assert_eq!(told(&mut raw, "DO 1"), b"\x05\x09\x08I_______");
}

#[test]
fn another_reader_of_the_protocol_reads_it() {
    let server = Server::start();
    let mut raw = Raw::login_as(&server, "root", TRACKS);
    raw.send_query("USE test");
    let packet = raw.receive().unwrap();
    let read: OkPacketDeserializer<'_, CommonOkPacket> = ParseBuf(&packet).parse(TRACKS).unwrap();
    let ok = OkPacket::from(read);
    assert!(ok.status_flags().contains(StatusFlags::SERVER_SESSION_STATE_CHANGED));
    let changes = ok.session_state_info().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].data_ref(), b"\x04test");
}
