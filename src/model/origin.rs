//! Where a client comes from.

use std::{
    fmt,
    net::{AddrParseError, IpAddr, SocketAddr},
    str::FromStr,
};

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

#[cfg(test)]
mod tests {
    use super::*;

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
