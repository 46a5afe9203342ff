//! Networks of addresses, as a list of trusted proxies names them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A network of addresses: `10.0.0.0/8`, `2001:db8::/32`, a single address, or `*` for all that there are.
///
/// An IPv4 address in its IPv6 form (`::ffff:10.1.2.3`), as sockets for both have it, is taken for the IPv4 address, of
/// networks too.
///
/// ```
/// let office: killdeer::wire::Network = "10.0.0.0/8".parse()?;
/// assert!(office.contains("10.1.2.3".parse()?) && office.contains("::ffff:10.1.2.3".parse()?));
/// assert!(!office.contains("192.0.2.7".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    All,
    /// The first address, and how many leading bits all have in common.
    Of(IpAddr, u8),
}

/// Not the name of a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: an address, one with the length of its prefix (10.0.0.0/8), or *")]
pub struct NetworkError(String);

impl Network {
    /// Whether the address is one of the network's.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self.0 {
            Kind::All => true,
            Kind::Of(first, prefix) => masked(address.to_canonical(), prefix) == Some(first),
        }
    }
}

/// The first address of the network of this one with so long a prefix; `None`: it has not so many bits.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    // A shift by all bits is none that Rust has.
    Some(match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            Ipv4Addr::from_bits(four.to_bits() & mask).into()
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            Ipv6Addr::from_bits(six.to_bits() & mask).into()
        }
    })
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Bits of the address behind the prefix are ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).ok_or_else(|| NetworkError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Kind> {
    if text == "*" {
        return Some(Kind::All);
    }
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|p| *p <= bits)?
        }
        Some(_) => return None,
        None => bits,
    };
    // An IPv4 network in its IPv6 form has 96 bits more.
    let (address, prefix) = match (address.to_canonical(), prefix.checked_sub(96)) {
        (four @ IpAddr::V4(_), Some(prefix)) if address.is_ipv6() => (four, prefix),
        _ => (address, prefix),
    };
    Some(Kind::Of(masked(address, prefix)?, prefix))
}

/// As it is read: the first address, and the length of the prefix.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::All => f.write_str("*"),
            Kind::Of(first, prefix) => write!(f, "{first}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_belong_to_networks_by_their_leading_bits() {
        for (network, inside, outside) in [
            (
                "10.0.0.0/8",
                &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..],
                &["11.0.0.0", "9.255.255.255", "::a00:1"][..],
            ),
            ("10.1.2.3/8", &["10.9.9.9"], &["11.0.0.0"]),
            ("192.0.2.7", &["192.0.2.7", "::ffff:192.0.2.7"], &["192.0.2.6", "192.0.2.8"]),
            ("192.0.2.6/31", &["192.0.2.7"], &["192.0.2.8"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.0"]),
            ("::ffff:192.0.2.7", &["192.0.2.7"], &["192.0.2.8"]),
            ("0.0.0.0/0", &["255.255.255.255"], &["::1"]),
            ("::/0", &["::1", "ffff::"], &["127.0.0.1", "::ffff:127.0.0.1"]),
            ("::1", &["::1"], &["::2", "127.0.0.1"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::"]),
            ("*", &["127.0.0.1", "::1", "255.255.255.255"], &[]),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.to_string().parse(), Ok(network));
            for (addresses, contained) in [(inside, true), (outside, false)] {
                for address in addresses {
                    assert_eq!(network.contains(address.parse().unwrap()), contained, "{address} in {network}");
                }
            }
        }
    }

    #[test]
    fn what_names_no_network_is_an_error() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "localhost",
            "**",
            " ::1",
            "::1/999",
        ] {
            let error = text.parse::<Network>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is no network")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,20}", digits in "[0-9a-f:./]{0,20}") {
            for text in [text, digits] {
                if let Ok(network) = text.parse::<Network>() {
                    prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
                }
            }
        }

        /// Two addresses are in one network if, and only if, they have its leading bits in common.
        #[test]
        fn a_prefix_is_what_addresses_have_in_common(one: u128, other: u128, prefix in 0_u8..=128) {
            let network: Network = format!("{}/{prefix}", Ipv6Addr::from_bits(one)).parse().unwrap();
            prop_assert!(network.contains(Ipv6Addr::from_bits(one).into()));
            let common = (one ^ other).leading_zeros() >= u32::from(prefix);
            prop_assert_eq!(network.contains(Ipv6Addr::from_bits(other).into()), common);
        }
    }
}
