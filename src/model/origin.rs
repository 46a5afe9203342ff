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

    /// Where it comes from, as [`Display`](fmt::Display) says it. Nearly all clients have an IPv4 address, which is written
    /// here without the formatter: a list of thousands has as many.
    pub(crate) fn address(&self) -> String {
        let Origin::Network(SocketAddr::V4(address)) = self else { return self.to_string() };
        let mut text = String::with_capacity("255.255.255.255:65535".len());
        for (place, octet) in address.ip().octets().into_iter().enumerate() {
            if place > 0 {
                text.push('.');
            }
            push_number(&mut text, octet.into());
        }
        text.push(':');
        push_number(&mut text, address.port());
        text
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

/// Adds a number in decimals.
fn push_number(text: &mut String, mut number: u16) {
    let (mut digits, mut from) = ([0; 5], 5);
    loop {
        from -= 1;
        // A remainder by ten is a digit.
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits[from..].iter().for_each(|digit| text.push(char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_displayed() {
        for address in ["192.0.2.7:4711", "0.0.0.0:0", "255.255.255.255:65535", "10.1.20.100:80", "[2001:db8::1]:33060"]
        {
            let origin = Origin::from(address.parse::<SocketAddr>().unwrap());
            assert_eq!((origin.address(), origin.to_string()), (address.to_owned(), address.to_owned()));
        }
        assert_eq!(Origin::Local.address(), "localhost");
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
