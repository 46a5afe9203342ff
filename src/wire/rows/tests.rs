//! What goes to the client.

use mysql_common::constants::CapabilityFlags;

use super::*;

#[test]
fn text_is_converted_and_bytes_of_binary_columns_are_not() {
    let values = [
        Value::Text("é"),
        Value::Bytes("é".as_bytes()),
        Value::Bytes("é".as_bytes()),
        Value::Bytes(b"\xff"),
        Value::Null,
    ];
    let expected = [
        Value::Bytes(b"\xe9"),
        Value::Bytes(b"\xe9"),
        Value::Bytes("é".as_bytes()),
        Value::Bytes(b"\xff"),
        Value::Null,
    ];
    in_set(CharacterSet::Latin1, &[true, true, false, true, true], &values, |shown| assert_eq!(shown, expected));
}

/// As MariaDB: `BEGIN; SELECT …; DO 1` says in the transaction, and that more follows, behind the columns already.
#[test]
fn behind_the_columns_an_old_client_is_told_the_state_and_whether_more_follows() {
    let columns: Arc<[Column]> = [Column::new("a", ColumnType::Int)].into();
    let mut rows = WireRows::new(Peer(CapabilityFlags::CLIENT_PROTOCOL_41));
    let open = Done { in_transaction: true, ..Done::default() };
    for (several, expected) in [(None, 0x02), (Some(true), 0x0b), (Some(false), 0x03)] {
        rows.begin(1, Done::default());
        if let Some(more) = several {
            rows.done(&open, true, &[]);
            rows.one_of_several(more);
        }
        rows.columns(&columns, false);
        assert_eq!(rows.out[rows.out.len() - 5..], [0xfe, 0, 0, expected, 0], "{several:?}");
    }
}

#[test]
fn what_is_said_to_people_is_in_the_ok_of_its_statement_alone() {
    let mut rows = WireRows::new(Peer(CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_DEPRECATE_EOF));
    let done = Done { affected: 1, ..Done::default() };
    rows.begin(1, Done::default());
    rows.results = CharacterSet::Latin1;
    for changes in [&b""[..], b"ch"] {
        rows.info("caf\u{e9}");
        rows.done(&done, true, changes);
    }
    // A text behind rows has no place.
    rows.columns(&[Column::new("a", ColumnType::Int)].into(), false);
    rows.info("x");
    let at = rows.out.len();
    rows.done(&Done::default(), true, &[]);
    rows.done(&done, false, &[]);
    assert_eq!(&rows.out[..16], b"\x0c\0\0\x01\0\x01\0\x0a\0\0\0\x04caf\xe9");
    assert_eq!(&rows.out[16..35], b"\x0f\0\0\x02\0\x01\0\x0a\x40\0\0\x04caf\xe9\x02ch");
    assert_eq!(&rows.out[at..], b"\x07\0\0\x05\xfe\0\0\x0a\0\0\0\x07\0\0\x06\0\x01\0\x02\0\0\0");
}

#[test]
fn rows_that_were_ended_are_followed_by_an_ok() {
    let done = Done { affected: 3, ..Done::default() };
    for (eof, end) in [(true, &b"\x07\0\0\x04\xfe\0\0\x0a\0\0\0"[..]), (false, b"\x05\0\0\x05\xfe\0\0\x0a\0")] {
        let mut peer = Peer(CapabilityFlags::CLIENT_PROTOCOL_41);
        peer.0.set(CapabilityFlags::CLIENT_DEPRECATE_EOF, eof);
        let mut rows = WireRows::new(peer);
        rows.begin(1, Done::default());
        rows.end_rows();
        assert!(rows.out.is_empty(), "there are none");
        rows.columns(&[Column::new("a", ColumnType::Int)].into(), false);
        rows.put(&[Value::Int(1)]);
        let at = rows.out.len();
        rows.end_rows();
        rows.done(&done, false, &[]);
        let number = end[3] + 1;
        assert_eq!(rows.out[at..], [end, &[7, 0, 0, number, 0, 3, 0, 2, 0, 0, 0]].concat());
    }
}

#[test]
fn what_was_lent_knows_nothing_of_its_last_answer() {
    let columns: Arc<[Column]> = [Column::new("a", ColumnType::Int)].into();
    let peer = Peer(CapabilityFlags::CLIENT_PROTOCOL_41);
    let mut cut_off = WireRows::lend(peer);
    cut_off.begin(7, Done { in_transaction: true, ..Done::default() });
    cut_off.one_of_several(true);
    cut_off.columns(&columns, false);
    // So far its client has read, and then it was gone.
    cut_off.written = 20;
    cut_off.give_back();
    let (mut lent, mut fresh) = (WireRows::lend(peer), WireRows::new(peer));
    assert!(lent.out.capacity() > fresh.out.capacity(), "it is the one that was given back");
    for rows in [&mut lent, &mut fresh] {
        rows.failed(&SqlError::of(crate::model::ErrorKind::EmptyQuery, "Query was empty"));
    }
    assert_eq!(lent.unwritten(), fresh.unwritten());
}

#[test]
fn nothing_follows_a_row_that_does_not_fit() {
    let columns: Arc<[Column]> = [Column::new("a", ColumnType::Int)].into();
    let mut rows = WireRows::new(Peer(CapabilityFlags::CLIENT_DEPRECATE_EOF));
    rows.begin(1, Done::default());
    rows.binary();
    rows.columns(&columns, false);
    assert!(!rows.row(&[Value::Int(1)]));
    let whole = rows.out.clone();
    assert!(rows.row(&[Value::Text("many")]), "an engine that asks for room");
    let mut task = Context::from_waker(std::task::Waker::noop());
    assert!(matches!(rows.poll_ready(&mut task), Poll::Ready(Err(Closed))), "is told to stop");
    rows.row(&[Value::Int(2)]);
    rows.columns(&columns, false);
    assert_eq!(rows.out, whole, "not even the end of the first rows");
    assert_eq!(rows.take_misfit().map(|error| error.code()), Some(1366));
}

#[cfg(feature = "proxy")]
#[test]
fn what_a_server_wrote_goes_on_with_numbers_of_ours_and_eofs_for_the_client() {
    let definition = Bytes::from_static(b"\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0");
    // Its numbers go on from another beginning, and over their end.
    let served = b"\x02\0\0\xff\x01a\x02\0\0\x00\x01b";
    for (flag, eofs) in [(CapabilityFlags::CLIENT_DEPRECATE_EOF, false), (CapabilityFlags::empty(), true)] {
        let mut rows = WireRows::new(Peer(flag | CapabilityFlags::CLIENT_PROTOCOL_41));
        rows.begin(1, Done::default());
        assert!(rows.relays(RowFormat::Text) && !rows.relays(RowFormat::Binary));
        for _ in 0..2 {
            rows.relay_columns(std::slice::from_ref(&definition));
            assert!(!rows.relay_rows(served));
        }
        rows.done(&Done::default(), false, &[]);
        let mut number = 0u8;
        let mut packet = |payload: &[u8]| {
            number += 1;
            [&[u8::try_from(payload.len()).unwrap(), 0, 0, number], payload].concat()
        };
        let mut expected = Vec::new();
        for status in [0x0a, 0x02] {
            expected.extend(packet(b"\x01"));
            expected.extend(packet(&definition));
            if eofs {
                expected.extend(packet(&[0xfe, 0, 0, 0x02, 0]));
            }
            expected.extend(packet(b"\x01a"));
            expected.extend(packet(b"\x01b"));
            let end = [0xfe, 0, 0, status, 0];
            expected.extend(if eofs { packet(&end) } else { packet(&[&end[..], &[0, 0]].concat()) });
        }
        assert_eq!(rows.unwritten(), expected, "EOFs: {eofs}");
    }
    let mut rows = WireRows::new(Peer(CapabilityFlags::empty()));
    rows.begin(1, Done::default());
    rows.binary();
    assert!(rows.relays(RowFormat::Binary) && !rows.relays(RowFormat::Text));
    rows.results = CharacterSet::Latin1;
    assert!(!rows.relays(RowFormat::Binary), "text would have to be converted");
}

#[cfg(feature = "proxy")]
#[test]
fn a_client_that_is_behind_is_waited_for() {
    let mut rows = WireRows::new(Peer(CapabilityFlags::CLIENT_DEPRECATE_EOF));
    rows.begin(1, Done::default());
    rows.relay_columns(&[Bytes::from_static(b"x")]);
    let row = [&[0xff, 0x0f, 0, 7], &[b'r'; 0xfff][..]].concat();
    let full = (0..100).position(|_| rows.relay_rows(&row)).expect("it is full some time");
    assert!((HELD / row.len()..=(HELD + CHUNK) / row.len()).contains(&full), "after {full} rows");
    let mut task = Context::from_waker(std::task::Waker::noop());
    assert!(rows.poll_ready(&mut task).is_pending());
    while let Poll::Ready(Some(_)) = rows.pipe.poll_next(&mut task) {}
    assert!(matches!(rows.poll_ready(&mut task), Poll::Ready(Ok(()))));
}
