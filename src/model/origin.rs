//! Where a client comes from.

use std::{
    fmt,
    net::{AddrParseError, IpAddr, SocketAddr, SocketAddrV4},
    str::FromStr,
};

use super::Digits;

/// Where a client comes from: the network, or this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A network address, the loopback ones among them.
    Network(SocketAddr),
    /// A Unix socket.
    Local,
}

impl Origin {
    /// The address, without its port; none for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Origin::Network(address) => Some(address.ip()),
            Origin::Local => None,
        }
    }

    /// The host as account names, `USER()` and refusals give it: an address without its port, or `localhost` for a Unix
    /// socket, as MySQL has it.
    pub fn host(&self) -> String {
        self.ip().map_or_else(|| "localhost".to_owned(), |ip| ip.to_string())
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

/// An IPv4 address that is written as one of IPv6 (`::ffff:192.0.2.7`, as sockets for both have it) is the IPv4 address.
impl From<SocketAddr> for Origin {
    fn from(address: SocketAddr) -> Self {
        Origin::Network(match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
            IpAddr::V6(_) => address,
        })
    }
}

/// An address with its port, or `localhost` for a Unix socket: what [`Origin`]'s `Display` writes.
impl FromStr for Origin {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "localhost" { Ok(Origin::Local) } else { text.parse::<SocketAddr>().map(Origin::from) }
    }
}

/// The Host column of the process list: address and port, or `localhost` alone.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Network(address) => address.fmt(f),
            Origin::Local => f.write_str("localhost"),
        }
    }
}

/// The text of an [`Origin`], as its [`Display`](fmt::Display) writes it. Nearly all clients have an IPv4 address, which is
/// made here without the formatter and without the heap: a list of thousands has as many.
pub(crate) enum Address {
    V4(Short),
    Other(String),
}

/// The text of an IPv4 address and its port, zero bytes and digits behind it. Whether it is UTF-8 is found out for the whole
/// room: of so many bytes, at such a place, that is done sixteen at a time.
#[repr(C, align(8))]
pub(crate) struct Short {
    text: [u8; Self::ROOM],
    length: u8,
}

impl Short {
    /// `255.255.255.255:65535`, and more.
    const ROOM: usize = 32;

    /// As many digits as a port has at the most.
    const PORT: usize = 5;

    fn of(address: SocketAddrV4) -> Self {
        let (mut text, mut length) = ([0; Self::ROOM], 0);
        for octet in address.ip().octets() {
            let (digits, count) = OCTETS[usize::from(octet)];
            text[length..length + 4].copy_from_slice(&digits);
            length += usize::from(count);
        }
        text[length - 1] = b':';
        let port = Digits::of(address.port().into());
        text[length..length + Self::PORT].copy_from_slice(&port.padded()[..Self::PORT]);
        Self { text, length: length as u8 + port.count() }
    }
}

/// The digits of a byte and a point, and how many they are.
static OCTETS: [([u8; 4], u8); 256] = {
    let (mut octets, mut octet) = ([([0; 4], 0); 256], 0);
    while octet < 256 {
        let [hundreds, tens, ones] = [octet / 100, octet / 10 % 10, octet % 10];
        octets[octet] = match octet {
            0..10 => ([b'0' + ones as u8, b'.', 0, 0], 2),
            10..100 => ([b'0' + tens as u8, b'0' + ones as u8, b'.', 0], 3),
            _ => ([b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8, b'.'], 4),
        };
        octet += 1;
    }
    octets
};

impl Address {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::V4(Short { text, length }) => {
                &str::from_utf8(text).expect("digits, points and a colon")[..usize::from(*length)]
            }
            Self::Other(text) => text,
        }
    }
}

impl From<Origin> for Address {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Network(SocketAddr::V4(address)) => Self::V4(Short::of(address)),
            other => Self::Other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_displayed() {
        for address in ["192.0.2.7:4711", "0.0.0.0:0", "255.255.255.255:65535", "10.1.20.100:80", "[2001:db8::1]:33060"]
        {
            let origin = Origin::from(address.parse::<SocketAddr>().unwrap());
            assert_eq!((Address::from(origin).as_str(), origin.to_string()), (address, address.to_owned()));
        }
        assert_eq!(Address::from(Origin::Local).as_str(), "localhost");
        for octet in 0..=255 {
            let address = SocketAddrV4::new([octet, 1, octet, octet].into(), u16::from(octet) * 257);
            assert_eq!(Address::from(Origin::from(SocketAddr::V4(address))).as_str(), address.to_string());
        }
    }

    #[test]
    fn a_host_is_shown_as_mysql_shows_it() {
        let address: SocketAddr = "192.0.2.7:4711".parse().unwrap();
        let far = Origin::from(address);
        assert_eq!((far.to_string(), far.host(), far.is_local()), ("192.0.2.7:4711".into(), "192.0.2.7".into(), false));
        let near = Origin::Local;
        assert_eq!((near.to_string(), near.host(), near.is_local()), ("localhost".into(), "localhost".into(), true));
        for origin in [far, near] {
            assert_eq!(origin.to_string().parse(), Ok(origin));
        }
        assert!(Origin::from(SocketAddr::from(([127, 0, 0, 1], 1))).is_local());
        for (written, shown) in [
            ("[::ffff:192.0.2.7]:1", "192.0.2.7:1"),
            ("[2001:db8::7]:1", "[2001:db8::7]:1"),
            ("[fe80::7%3]:1", "[fe80::7%3]:1"),
        ] {
            assert_eq!(Origin::from(written.parse::<SocketAddr>().unwrap()).to_string(), shown);
            assert_eq!(written.parse::<Origin>().unwrap().to_string(), shown);
        }
        assert!("[::ffff:127.0.0.1]:1".parse::<Origin>().unwrap().is_local());
    }
}
