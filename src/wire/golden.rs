//! Packets as MariaDB 10.11 sent them to a client on the same machine, beside ours for the same thing.
//!
//! `tests/clients/golden.py` compares many more, with a MariaDB that runs; its table has all documented differences.
//! Here the bytes are MariaDB's own but for one of them: the decimals of a text, see [`theirs`].

use std::sync::Arc;

use mysql_common::constants::CapabilityFlags;

use super::{binary, heads, packet, packet::Peer, rows::WireRows};
use crate::{
    compat::{Answer, ClientState, Facts},
    model::{
        CharacterSet, Column, ColumnType, Date, DateTime, Done, ErrorKind, OwnedValue, Prepared, SqlError, Time, Value,
    },
};

const NEW: Peer = Peer(CapabilityFlags::CLIENT_PROTOCOL_41.union(CapabilityFlags::CLIENT_DEPRECATE_EOF));
const OLD: Peer = Peer(CapabilityFlags::CLIENT_PROTOCOL_41);

/// What ours are, from the packet with this number on.
fn ours(first: u8, put: impl FnOnce(&mut Vec<u8>, &mut u8)) -> Vec<u8> {
    let (mut out, mut sequence) = (Vec::new(), first);
    put(&mut out, &mut sequence);
    out
}

/// MariaDB's packets as MySQL would send them: decimals that are not fixed are 31, where MariaDB has 39. They are the
/// third byte from the end of a column.
fn theirs(packets: &[&[u8]]) -> Vec<u8> {
    let mut all = packets.concat();
    let mut at = 0;
    while at < all.len() {
        let end = at + 4 + usize::from(all[at]) + 256 * usize::from(all[at + 1]);
        if all[at + 4..end].starts_with(b"\x03def") && all[end - 3] == 39 {
            all[end - 3] = 31;
        }
        at = end;
    }
    all
}

fn state(autocommit: bool, in_transaction: bool) -> Done {
    Done { autocommit, in_transaction, ..Done::default() }
}

#[test]
fn the_greeting_is_as_mariadb_lays_it_out() {
    let theirs: &[u8] = b"d\0\0\0\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\0\x03\0\0\0Tx$CdOA4\0\xfe\xf7-\x02\0\xff\x81\x15\
                          \0\0\0\0\0\0\x1d\0\0\0\"M>.kS>zn7g$\0mysql_native_password\0";
    let nonce = b"Tx$CdOA4\"M>.kS>zn7g$";
    let capabilities = CapabilityFlags::from_bits_retain(0x81ff_f7fe);
    let mut ours = ours(0, |out, sequence| {
        let version = "5.5.5-10.11.19-MariaDB-0+deb12u1";
        packet::greeting(out, sequence, version, 3, nonce, capabilities, "mysql_native_password");
    });
    // Reserved in MySQL; MariaDB has more capabilities there.
    let reserved = ours.iter().zip(theirs).position(|(a, b)| a != b).expect("they differ in one byte");
    assert_eq!((ours[reserved], theirs[reserved]), (0, 0x1d));
    ours[reserved] = 0x1d;
    assert_eq!(ours, theirs);
}

#[test]
fn ok_and_eof_are_mariadbs() {
    for (done, more, first, theirs) in [
        (state(true, false), false, 2, b"\x07\0\0\x02\0\0\0\x02\0\0\0"), // the login
        (state(true, true), false, 1, b"\x07\0\0\x01\0\0\0\x03\0\0\0"),  // BEGIN
        (state(false, false), false, 1, b"\x07\0\0\x01\0\0\0\0\0\0\0"),  // SET autocommit=0
        (state(true, false), true, 1, b"\x07\0\0\x01\0\0\0\x0a\0\0\0"),  // DO 1; DO 2
    ] {
        assert_eq!(ours(first, |out, sequence| packet::ok(out, sequence, &done, more)), theirs);
    }
    let done = state(true, false);
    let end = |peer| ours(6, |out, sequence| packet::end_of_rows(out, sequence, peer, &done, false));
    assert_eq!(end(NEW), b"\x07\0\0\x06\xfe\0\0\x02\0\0\0");
    assert_eq!(end(OLD), b"\x05\0\0\x06\xfe\0\0\x02\0");
}

#[test]
fn errors_are_mariadbs() {
    let handler = "Unknown prepared statement handler (999) given to mysqld_stmt_execute";
    let (empty, unknown) = (ErrorKind::EmptyQuery, ErrorKind::UnknownPrepared);
    for (error, theirs) in [
        (SqlError::unknown_database("nowhere"), &b"#\0\0\x01\xff\x19\x04#42000Unknown database 'nowhere'"[..]),
        (SqlError::unknown_thread(4_294_967_295_u64), b"&\0\0\x01\xffF\x04#HY000Unknown thread id: 4294967295"),
        (SqlError::of(empty, "Query was empty"), b"\x18\0\0\x01\xff)\x04#42000Query was empty"),
        (SqlError::unknown_command(), b"\x18\0\0\x01\xff\x17\x04#08S01Unknown command"),
        (
            SqlError::of(unknown, handler),
            b"N\0\0\x01\xff\xdb\x04#HY000Unknown prepared statement handler (999) given to mysqld_stmt_execute",
        ),
    ] {
        assert_eq!(ours(1, |out, sequence| packet::error(out, sequence, NEW, &error)), theirs, "{error}");
    }
}

/// The answer to a statement that `compat` knows, as it goes to the client.
fn answered(client: &mut ClientState, sql: &str, peer: Peer) -> Vec<u8> {
    let facts = Facts { database: Some("test"), ..Facts::default() };
    let Ok(Some(Answer::Rows { columns, rows })) = client.answer(sql, &facts) else { panic!("no rows: {sql}") };
    ours(1, |out, sequence| {
        heads::put_in(out, sequence, &Arc::from(columns), false, CharacterSet::Utf8mb4);
        if !peer.deprecates_eof() {
            packet::eof(out, sequence, &Done::default(), false);
        }
        for row in rows {
            let values: Vec<Value<'_>> = row.iter().map(OwnedValue::borrow).collect();
            packet::text_row(out, sequence, &values);
        }
        packet::end_of_rows(out, sequence, peer, &client.done(), false);
    })
}

#[test]
fn text_rows_and_their_columns_are_mariadbs() {
    let sql = "SELECT 'text', NULL, 1.5, 18446744073709551615, 1e3, DATABASE(), @unset, @@autocommit";
    let columns: [&[u8]; 8] = [
        b"\x1a\0\0\x02\x03def\0\0\0\x04text\0\x0c-\0\x10\0\0\0\xfd\x01\0'\0\0",
        b"\x1a\0\0\x03\x03def\0\0\0\x04NULL\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0",
        b"\x19\0\0\x04\x03def\0\0\0\x031.5\0\x0c?\0\x04\0\0\0\xf6\x81\0\x01\0\0",
        b"*\0\0\x05\x03def\0\0\0\x1418446744073709551615\0\x0c?\0\x14\0\0\0\x08\xa1\0\0\0\0",
        b"\x19\0\0\x06\x03def\0\0\0\x031e3\0\x0c?\0\x03\0\0\0\x05\x81\0\x1f\0\0",
        b" \0\0\x07\x03def\0\0\0\x0aDATABASE()\0\x0c-\0\0\x01\0\0\xfd\0\0'\0\0",
        b"\x1c\0\0\x08\x03def\0\0\0\x06@unset\0\x0c?\0\0\0\0\x01\xfb\x80\0'\0\0",
        b"\"\0\0\x09\x03def\0\0\0\x0c@@autocommit\0\x0c?\0\x01\0\0\0\x08\x80\0\0\0\0",
    ];
    let head = [&b"\x01\0\0\x01\x08"[..], &columns.concat()].concat();
    let row = |number: u8| {
        [&[0x2c, 0, 0, number], &b"\x04text\xfb\x031.5\x1418446744073709551615\x041000\x04test\xfb\x011"[..]].concat()
    };
    let client = &mut ClientState::new();
    let new = theirs(&[&head, &row(10), b"\x07\0\0\x0b\xfe\0\0\x02\0\0\0"]);
    assert_eq!(answered(client, sql, NEW), new);
    let old = theirs(&[&head, b"\x05\0\0\x0a\xfe\0\0\x02\0", &row(11), b"\x05\0\0\x0c\xfe\0\0\x02\0"]);
    assert_eq!(answered(client, sql, OLD), old);
}

#[test]
fn the_list_of_warnings_is_mariadbs_and_counts_none_itself() {
    let client = &mut ClientState::new();
    client.note_error(&SqlError::of(ErrorKind::EmptyQuery, "Query was empty"));
    assert_eq!(client.done().warnings, 1);
    let theirs = theirs(&[
        b"\x01\0\0\x01\x03",
        b"\x1b\0\0\x02\x03def\0\0\0\x05Level\0\x0c-\0\x1c\0\0\0\xfd\x01\0'\0\0",
        b"\x1a\0\0\x03\x03def\0\0\0\x04Code\0\x0c?\0\x04\0\0\0\x03\xa1\0\0\0\0",
        b"\x1d\0\0\x04\x03def\0\0\0\x07Message\0\x0c-\0\0\x08\0\0\xfd\x01\0'\0\0",
        b"\x1b\0\0\x05\x05Error\x041065\x0fQuery was empty",
        b"\x07\0\0\x06\xfe\0\0\x02\0\0\0",
    ]);
    assert_eq!(answered(client, "SHOW WARNINGS", NEW), theirs);
}

#[test]
fn what_a_text_that_is_long_becomes_is_mariadbs() {
    let text = |chars| Column::new("y", ColumnType::VarChar).width(chars);
    let column =
        |column: &Column| ours(2, |out, sequence| packet::column(out, sequence, column, CharacterSet::Utf8mb4));
    assert_eq!(column(&text(251)), theirs(&[b"\x17\0\0\x02\x03def\0\0\0\x01y\0\x0c-\0\xec\x03\0\0\xfd\0\0'\0\0"]));
    // MariaDB gives longer ones another length, but this type.
    let kind = |column: &Column| {
        self::ours(2, |out, sequence| packet::column(out, sequence, column, CharacterSet::Utf8mb4))[21]
    };
    assert_eq!(kind(&text(60_000)), 0xfa);
    assert_eq!(kind(&text(64 << 20)), 0xfb);
    let long = [0xfc, 0xfb, 0].into_iter().chain([b'y'; 251]);
    let theirs: Vec<u8> = [0xfe, 0, 0, 3].into_iter().chain(long).collect();
    assert_eq!(ours(3, |out, sequence| packet::text_row(out, sequence, &[Value::Text(&"y".repeat(251))])), theirs);
}

#[test]
fn binary_rows_are_mariadbs() {
    let day = Date { year: 2024, month: 2, day: 29 };
    let moment = DateTime { date: day, hour: 12, minute: 34, second: 56, micros: 123_456 };
    let span = Time { negative: true, hours: 36, minutes: 34, seconds: 56, micros: 0 };
    let cases: [(ColumnType, Value<'_>, &[u8]); 10] = [
        (ColumnType::BigInt, Value::Int(-(1 << 40)), b"\x0a\0\0\x03\0\0\0\0\0\0\0\xff\xff\xff"),
        (ColumnType::Float, Value::Float(1.5), b"\x06\0\0\x03\0\0\0\0\xc0?"),
        (ColumnType::Double, Value::Double(-0.1), b"\x0a\0\0\x03\0\0\x9a\x99\x99\x99\x99\x99\xb9\xbf"),
        (ColumnType::Decimal, Value::Decimal("-1.50"), b"\x08\0\0\x03\0\0\x05-1.50"),
        (ColumnType::VarChar, Value::Text("text"), b"\x07\0\0\x03\0\0\x04text"),
        (ColumnType::Date, Value::Date(day), b"\x07\0\0\x03\0\0\x04\xe8\x07\x02\x1d"),
        (ColumnType::DateTime, Value::DateTime(moment), b"\x0e\0\0\x03\0\0\x0b\xe8\x07\x02\x1d\x0c\x228\x40\xe2\x01\0"),
        (ColumnType::Time, Value::Time(span), b"\x0b\0\0\x03\0\0\x08\x01\x01\0\0\0\x0c\x228"),
        (ColumnType::Time, Value::Time(Time::default()), b"\x03\0\0\x03\0\0\0"),
        (ColumnType::Null, Value::Null, b"\x02\0\0\x03\0\x04"),
    ];
    for (kind, value, theirs) in cases {
        let columns = [Column::new("?", kind)];
        let row = ours(3, |out, sequence| binary::row(out, sequence, &columns, &[value]).unwrap());
        assert_eq!(row, theirs, "{value:?}");
    }
}

#[test]
fn what_is_said_of_a_prepared_statement_is_mariadbs() {
    let unknown = || Column::new("?", ColumnType::Null);
    let prepared = Prepared { params: vec![unknown(), unknown()], columns: vec![unknown(), unknown()] };
    let answer = |peer| {
        let mut rows = WireRows::new(peer);
        rows.begin(1, Done::default());
        rows.prepared(12, &prepared);
        rows.unwritten()
    };
    let first: &[u8] = b"\x0c\0\0\x01\0\x0c\0\0\0\x02\0\x02\0\0\0\0";
    let column =
        |number: u8| [&[0x17, 0, 0, number], &b"\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"[..]].concat();
    assert_eq!(answer(NEW), theirs(&[first, &column(2), &column(3), &column(4), &column(5)]));
    let old: [&[u8]; 7] = [
        first,
        &column(2),
        &column(3),
        b"\x05\0\0\x04\xfe\0\0\x02\0",
        &column(5),
        &column(6),
        b"\x05\0\0\x07\xfe\0\0\x02\0",
    ];
    assert_eq!(answer(OLD), theirs(&old));
}
