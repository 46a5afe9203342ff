use proptest::prelude::*;

use super::*;

/// A header of version 2, with so much behind its addresses.
fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [BINARY, &[command, family], &length, rest].concat()
}

/// What a proxy says that forwards `client` to `server`: versions 1 and 2, the second with additions.
fn headers(client: SocketAddr, server: SocketAddr, additions: &[u8]) -> [Vec<u8>; 2] {
    let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
    let (name, family, addresses) = match (client.ip(), server.ip()) {
        (IpAddr::V4(client), IpAddr::V4(server)) => ("TCP4", 0x11, [client.octets(), server.octets()].concat()),
        (IpAddr::V6(client), IpAddr::V6(server)) => ("TCP6", 0x21, [client.octets(), server.octets()].concat()),
        _ => panic!("two families"),
    };
    let line = format!("PROXY {name} {} {} {} {}\r\n", client.ip(), server.ip(), client.port(), server.port());
    [line.into_bytes(), version_2(0x21, family, &[&addresses, &ports, additions].concat())]
}

fn whole(length: usize, client: Option<&str>) -> Result<Option<Header>, HeaderError> {
    Ok(Some(Header { length, client: client.map(|client| client.parse().unwrap()) }))
}

#[test]
fn lines_of_version_1() {
    let longest =
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    let beyond = format!("PROXY UNKNOWN{}\r\n", " ".repeat(107 - 15 + 1));
    let at_most = format!("PROXY UNKNOWN {}\r\n", "x".repeat(107 - 16));
    let good = |client| Some(client);
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 4711 3306\r\n", good("192.0.2.7:4711")),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n", good("192.0.2.7:0")),
        ("PROXY TCP6 2001:db8::7 ::1 4711 3306\r\n", good("[2001:db8::7]:4711")),
        (longest, good("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN and whatever else it says 1 2 3 4 5 6\r\n", None),
        (&at_most, None),
    ] {
        assert_eq!(find(line.as_bytes()), whole(line.len(), expected), "{line:?}");
        let with_more = [line.as_bytes(), b"\x01\0\0\x01\x0e"].concat();
        assert_eq!(find(&with_more), whole(line.len(), expected), "{line:?} and more");
    }
    for line in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 3306\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 3306 1\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 3306 \r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 4711 3306\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 3306\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 3306\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 01 3306\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 -1\r\n",
        "PROXY TCP4 192.0.2.300 198.51.100.1 1 1\r\n",
        "PROXY TCP4 2001:db8::7 ::1 4711 3306\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 4711 3306\r\n",
        "PROXY TCP6 2001:db8::7 198.51.100.1 4711 3306\r\n",
        "PROXY tcp4 192.0.2.7 198.51.100.1 4711 3306\r\n",
        "PROXY UNIX a b 1 1\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWN\u{fffd}\n",
    ] {
        assert_eq!(find(line.as_bytes()), Err(HeaderError::Malformed), "{line:?}");
    }
    assert_eq!(find(b"PROXY UNKNOWN \xff\r\n"), Err(HeaderError::Malformed));
    assert_eq!(find(beyond.as_bytes()), Err(HeaderError::TooLong));
    assert_eq!(find(&beyond.as_bytes()[..106]), Ok(None));
}

#[test]
fn headers_of_version_2() {
    let four = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x0c, 0xea];
    let unix = [b'/'; 216];
    for (command, family, rest, client) in [
        (0x21, 0x11, &four[..], Some("192.0.2.7:4711")),
        (0x20, 0x11, &four, None),
        (0x20, 0x00, &[], None),
        // The family of a LOCAL one means nothing.
        (0x20, 0xff, &[1, 2, 3], None),
        (0x20, 0x11, &[], None),
        (0x21, 0x00, &[], None),
        (0x21, 0x01, &four, None),
        (0x21, 0x12, &four, None),
        (0x21, 0x31, &unix, None),
    ] {
        let bytes = version_2(command, family, rest);
        assert_eq!(find(&bytes), whole(bytes.len(), client), "{command:x} {family:x}");
    }
    for (command, family, rest) in [
        (0x11, 0x11, &four[..]),
        (0x22, 0x11, &four),
        (0x21, 0x41, &four),
        (0x21, 0x13, &four),
        (0x21, 0x11, &four[..11]),
        (0x21, 0x21, &unix[..35]),
        (0x21, 0x31, &unix[..215]),
    ] {
        let bytes = version_2(command, family, rest);
        assert_eq!(find(&bytes), Err(HeaderError::Malformed), "{command:x} {family:x}");
        // The fixed part says so, before the rest has come.
        assert_eq!(find(&bytes[..FIXED]), Err(HeaderError::Malformed), "{command:x} {family:x}");
    }
    let (at_most, beyond) = (version_2(0x20, 0, &[0; 4096]), version_2(0x20, 0, &[0; 4097]));
    assert_eq!(find(&at_most), whole(16 + 4096, None));
    assert_eq!(find(&beyond[..FIXED]), Err(HeaderError::TooLong), "before any of it is kept");
}

#[test]
fn what_begins_otherwise_is_none() {
    assert_eq!(find(b""), Ok(None));
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"PROXY\r\n", b"PROXX", b"\r\n\r\n\r\n", b"\x20\0\0\x01", b"proxy TCP4"] {
        assert_eq!(find(bytes), Err(HeaderError::Missing), "{bytes:?}");
    }
}

fn address(four: bool) -> BoxedStrategy<SocketAddr> {
    let ip = if four {
        any::<[u8; 4]>().prop_map(IpAddr::from).boxed()
    } else {
        any::<[u8; 16]>().prop_map(IpAddr::from).boxed()
    };
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port)).boxed()
}

proptest! {
    /// What a proxy says is understood, however much of it has come and whatever comes behind it.
    #[test]
    fn what_a_proxy_says_is_understood(
        (client, server) in any::<bool>().prop_flat_map(|four| (address(four), address(four))),
        additions in prop::collection::vec(any::<u8>(), 0..300),
        behind in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for header in headers(client, server, &additions) {
            for come in 0..header.len() {
                prop_assert_eq!(find(&header[..come]), Ok(None), "{} bytes", come);
            }
            let length = header.len();
            let found = find(&[header, behind.clone()].concat());
            prop_assert_eq!(found, Ok(Some(Header { length, client: Some(client) })));
        }
    }

    /// Anything at all is answered, without a panic; an answer stands, whatever comes behind; and what is undecided is short.
    #[test]
    fn any_bytes_are_answered(
        begin in prop::sample::select(vec![&b""[..], TEXT, b"PROXY TCP4 ", b"PROXY TCP6 ::", b"PROXY UNKNOWN", BINARY, b"\r\n\r\n\0\r\nQUIT\n\x21\x11"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        words in "[0-9. :\r\n]{0,110}",
    ) {
        for rest in [bytes, words.into_bytes()] {
            let all = [begin, &rest].concat();
            let mut decided = None;
            for come in 0..=all.len() {
                let found = find(&all[..come]);
                if let Some(before) = decided {
                    prop_assert_eq!(found, before);
                }
                match found {
                    Ok(None) => prop_assert!(come < FIXED + REST_LIMIT),
                    Ok(Some(header)) => prop_assert!(header.length <= come),
                    Err(_) => {}
                }
                decided = decided.or((found != Ok(None)).then_some(found));
            }
        }
    }
}
