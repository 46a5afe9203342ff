use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use super::*;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn principal() -> impl Strategy<Value = Principal> {
    let tenant = proptest::option::of((text(), proptest::option::of(text())));
    (text(), text(), 0..=Privileges::ALL.bits(), tenant).prop_map(|(user, host, bits, tenant)| {
        let plain = Principal::new(user, Privileges::from_bits(bits).0).at_host(host);
        match tenant {
            Some((name, cluster)) => plain.in_tenant(Tenant { name, cluster }),
            None => plain,
        }
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Local),
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| Origin::Network((ip, port).into())),
        (any::<[u8; 16]>(), any::<u16>(), any::<u32>(), any::<u32>()).prop_map(|(ip, port, flow, scope)| {
            Origin::Network(SocketAddrV6::new(ip.into(), port, flow, scope).into())
        }),
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_nanos)
}

fn login() -> impl Strategy<Value = SystemTime> {
    (-10_000_000_000_i64..10_000_000_000, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| wire::Moment { seconds, nanos }.try_into().unwrap())
}

fn command() -> impl Strategy<Value = Command> {
    proptest::sample::select(&COMMANDS[..])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::None),
        Just(Outcome::Ok),
        Just(Outcome::Rows),
        text().prop_map(|error| Outcome::Error(error.into())),
    ]
}

fn encryption() -> impl Strategy<Value = &'static Encryption> {
    proptest::sample::select(&["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "of tomorrow"][..])
        .prop_map(Encryption::named)
}

fn attributes() -> impl Strategy<Value = Attributes> {
    proptest::collection::vec((text(), text()), 0..4)
        .prop_map(|pairs| Attributes::new(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))))
}

prop_compose! {
    fn row()(
        (id, query_id, last_query_id) in (any::<u64>(), proptest::option::of(any::<u64>()), any::<u64>()),
        principal in proptest::option::of(principal()),
        peer in origin(),
        attributes in proptest::option::of(attributes()),
        encryption in proptest::option::of(encryption()),
        database in proptest::option::of(text()),
        login in proptest::option::of(login()),
        (command, active) in (command(), command()),
        killed in proptest::option::of(prop_oneof![Just(KillMode::Query), Just(KillMode::Connection)]),
        (time, state_time, transaction_time) in (time(), time(), proptest::option::of(time())),
        (state, info, trace_id) in (text(), proptest::option::of(text()), proptest::option::of(text())),
        statement in proptest::option::of(any::<u64>()),
        outcome in outcome(),
        (in_transaction, autocommit) in (any::<bool>(), any::<bool>()),
        client in proptest::option::of((any::<u32>(), any::<u64>())),
    ) -> ProcessRow {
        ProcessRow {
            id: SessionId::new(id), principal: principal.map(Arc::new), peer, attributes, encryption,
            database: database.map(Into::into), login, command, active, killed, time, state_time, state, info,
            statement: statement.map(StatementNo::new), query_id, last_query_id, trace_id: trace_id.map(Into::into),
            outcome, in_transaction, transaction_time, autocommit, thread: 0, behind: Default::default(),
            client: client.map(|(id, connected)| crate::ClientSession { id: SessionId::new(id.into()), connected }),
        }
    }
}

/// Over the network and back.
fn sent(row: &ProcessRow) -> Result<ProcessRow, Misread> {
    let bytes = wire::Row::from(&Seen::from(row)).encode_to_vec();
    wire::Row::decode(Bytes::from(bytes)).unwrap().try_into()
}

fn idle() -> ProcessRow {
    ProcessRow::idle(SessionId::new(7))
}

proptest! {
    #[test]
    fn nothing_of_a_row_is_lost(row in row()) {
        let told = sent(&row).unwrap();
        prop_assert_eq!(format!("{told:?}"), format!("{row:?}"));
        // What its Debug does not show.
        prop_assert_eq!(told.attributes, row.attributes);
        prop_assert_eq!(told.peer, row.peer);
    }

    #[test]
    fn what_is_no_message_is_refused_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(row) = wire::Row::decode(Bytes::from(bytes)) {
            let _ = ProcessRow::try_from(row);
        }
    }
}

#[test]
fn each_command_has_a_number_of_its_own() {
    for (at, command) in COMMANDS.into_iter().enumerate() {
        assert_eq!(command_number(command) as usize, at + 1);
    }
}

#[test]
fn what_a_newer_node_says_is_an_error_that_names_it() {
    let row = || wire::Row::from(&Seen::from(&idle()));
    let misread = |row: wire::Row| ProcessRow::try_from(row).unwrap_err().to_string();
    let newer = |what| format!("unknown {what}, perhaps of a newer version");
    assert_eq!(misread(wire::Row { command: 12, ..row() }), newer("command 12"));
    assert_eq!(misread(wire::Row { active: 0, ..row() }), newer("command 0"));
    assert_eq!(misread(wire::Row { killed: 3, ..row() }), newer("mode of a kill 3"));
    assert_eq!(misread(wire::Row { outcome: 4, ..row() }), newer("outcome 4"));
    assert_eq!(misread(wire::Row { peer: None, ..row() }), "a client's address is missing, or of a newer version");
    let odd = wire::Address { ip: Bytes::from_static(b"12345"), ..Default::default() };
    assert_eq!(misread(wire::Row { peer: Some(odd), ..row() }), "an address is malformed");
    let late = wire::Moment { seconds: i64::MAX, nanos: u32::MAX };
    assert_eq!(misread(wire::Row { login: Some(late), ..row() }), "a time is malformed");
}

#[test]
fn a_privilege_that_is_not_known_gives_no_right() {
    let newer = wire::Principal {
        privileges: 1 << 31 | Privileges::PROCESS.bits(),
        ..(&Principal::new("alice", Privileges::NONE)).into()
    };
    assert_eq!(Principal::from(newer).privileges(), Privileges::PROCESS);
}

#[test]
fn the_longest_row_fits_into_a_message() {
    let long = || "é".repeat(LONGEST);
    let name = || -> Arc<str> { long().into() };
    let tenant = Tenant { name: long(), cluster: Some(long()) };
    let row = ProcessRow {
        principal: Some(Arc::new(Principal::new(long(), Privileges::ALL).at_host(long()).in_tenant(tenant))),
        attributes: Some(Attributes::from_bytes(&vec![0; LONGEST])),
        database: Some(name()),
        state: long(),
        info: Some(long()),
        trace_id: Some(name()),
        outcome: Outcome::Error(name()),
        ..idle()
    };
    let size = wire::Row::from(&Seen::from(&row)).encoded_len();
    assert!(size < 3 << 20, "{size}");
    assert_eq!(sent(&row).unwrap().info.unwrap(), "é".repeat(LONGEST / 2));
    let row = ProcessRow { attributes: Some(Attributes::from_bytes(&vec![0; LONGEST + 1])), ..idle() };
    assert_eq!(sent(&row).unwrap().attributes, None);
}
