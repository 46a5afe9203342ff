//! The addresses whose connections break off before their login, over and over; pure.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use crate::model::Origin;

/// So many addresses are remembered at a time; the one that has not failed for longest goes first.
const KEPT: usize = 4096;

/// What counts as one host: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Host(IpAddr);

impl Host {
    /// The host of a client; none, if it came over a Unix socket.
    pub(super) fn of(origin: &Origin) -> Option<Self> {
        Some(Self(match origin.ip()?.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
            other => other,
        }))
    }
}

/// Failures in a row, by host.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    failures: HashMap<Host, Failures>,
    /// The hosts by their last failures.
    by_last: BTreeMap<u64, Host>,
    /// Failures ever.
    count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    in_a_row: u64,
    /// Which of all failures the last one was.
    last: u64,
}

impl Hosts {
    /// A connection from there broke off before its login. This machine's own addresses are not counted (as in MySQL): a
    /// load balancer's look whether the port is open is no attack.
    pub(super) fn failed(&mut self, host: Host) {
        if host.0.is_loopback() {
            return;
        }
        self.count += 1;
        if self.failures.len() >= KEPT && !self.failures.contains_key(&host) {
            self.by_last.pop_first().map(|(_, oldest)| self.failures.remove(&oldest));
        }
        let failures = self.failures.entry(host).or_insert(Failures { in_a_row: 0, last: 0 });
        self.by_last.remove(&failures.last);
        failures.in_a_row += 1;
        failures.last = self.count;
        self.by_last.insert(self.count, host);
    }

    /// One from there has logged in.
    #[cfg(any(feature = "mysql", test))]
    pub(super) fn succeeded(&mut self, host: Host) {
        if !self.failures.is_empty() {
            let failures = self.failures.remove(&host);
            failures.map(|failures| self.by_last.remove(&failures.last));
        }
    }

    /// Whether no more are taken from there: `most` failures in a row; 0: any number is borne with.
    pub(super) fn is_blocked(&self, host: Host, most: u64) -> bool {
        most > 0 && self.failures.get(&host).is_some_and(|failures| failures.in_a_row >= most)
    }

    /// Forgets all.
    pub(super) fn flush(&mut self) {
        self.failures = HashMap::new();
        self.by_last = BTreeMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(ip: &str) -> Host {
        Host::of(&Origin::from(std::net::SocketAddr::new(ip.parse().unwrap(), 1))).unwrap()
    }

    #[test]
    fn who_fails_over_and_over_is_blocked_until_it_succeeds_or_all_is_forgotten() {
        let mut hosts = Hosts::default();
        for _ in 0..3 {
            assert!(!hosts.is_blocked(host("10.0.0.1"), 3));
            hosts.failed(host("10.0.0.1"));
        }
        assert!(hosts.is_blocked(host("10.0.0.1"), 3));
        assert!(!hosts.is_blocked(host("10.0.0.1"), 0), "0 is no limit");
        assert!(!hosts.is_blocked(host("10.0.0.2"), 3));
        hosts.succeeded(host("10.0.0.1"));
        assert!(!hosts.is_blocked(host("10.0.0.1"), 3));
        hosts.failed(host("10.0.0.1"));
        hosts.flush();
        assert!(!hosts.is_blocked(host("10.0.0.1"), 1));
    }

    #[test]
    fn an_ipv6_network_is_one_host_and_this_machine_is_none() {
        assert_eq!(host("2001:db8::1"), host("2001:db8::ffff:1"));
        assert_ne!(host("2001:db8:0:1::1"), host("2001:db8::1"));
        assert_eq!(host("::ffff:10.0.0.1"), host("10.0.0.1"));
        let mut hosts = Hosts::default();
        hosts.failed(host("127.0.0.1"));
        hosts.failed(host("::1"));
        assert!(!hosts.is_blocked(host("127.0.0.1"), 1) && !hosts.is_blocked(host("::1"), 1));
        assert_eq!(Host::of(&Origin::Local), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut hosts = Hosts::default();
        hosts.failed(host("10.9.9.9"));
        for n in 0..u32::try_from(KEPT).unwrap() {
            hosts.failed(Host(IpAddr::V4((0x0b00_0000 + n).into())));
        }
        assert_eq!((hosts.failures.len(), hosts.by_last.len()), (KEPT, KEPT));
        assert!(!hosts.is_blocked(host("10.9.9.9"), 1), "it has not failed for longest");
    }
}
