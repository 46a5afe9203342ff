//! What stands in an etcd for a node: keys and values. Others may have written anything there.

use std::net::SocketAddr;

use crate::cluster::member::Addresses;

/// The keys below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    servers: String,
    cooling: String,
}

/// Keys from `first` on and before `end`.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) first: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { servers: format!("{prefix}/server_id/"), cooling: format!("{prefix}/cool_down/") }
    }

    pub(super) fn server(&self, server: u32) -> String {
        format!("{}{server}", self.servers)
    }

    pub(super) fn cool_down(&self, server: u32) -> String {
        format!("{}{server}", self.cooling)
    }

    pub(super) fn servers(&self) -> Range {
        Range::below(&self.servers)
    }

    pub(super) fn cooling(&self) -> Range {
        Range::below(&self.cooling)
    }

    /// The server id that a key of either kind is of. `None`: it is no such key.
    pub(super) fn server_of(&self, key: &[u8]) -> Option<u32> {
        let number = [&self.servers, &self.cooling].iter().find_map(|prefix| key.strip_prefix(prefix.as_bytes()))?;
        let number = std::str::from_utf8(number).ok()?;
        // As it is written, and in no other way: two keys never are one server's.
        let server = number.parse().ok().filter(|server| *server > 0)?;
        (number == u32::to_string(&server)).then_some(server)
    }
}

impl Range {
    /// All keys that begin like this and have the `/` at its end.
    fn below(prefix: &str) -> Self {
        let first = prefix.as_bytes().to_vec();
        let mut end = first.clone();
        if let Some(slash) = end.last_mut() {
            *slash += 1;
        }
        Self { first, end }
    }

    /// Those behind this one.
    pub(super) fn behind(&self, key: &[u8]) -> Self {
        Self { first: [key, &[0]].concat(), end: self.end.clone() }
    }
}

/// Where a node is, as it stands under its key.
pub(super) fn written(addresses: &Addresses) -> String {
    format!("clients={} peers={}", addresses.clients, addresses.peers)
}

/// The same read. Words of other names are passed over: later versions may write them. `None`: it is nothing of the kind.
pub(super) fn read(value: &[u8]) -> Option<Addresses> {
    let (mut clients, mut peers) = (None::<SocketAddr>, None);
    for word in std::str::from_utf8(value).ok()?.split_ascii_whitespace() {
        match word.split_once('=')? {
            ("clients", address) => clients = Some(address.parse().ok()?),
            ("peers", address) => peers = Some(address.parse().ok()?),
            _ => {}
        }
    }
    Some(Addresses { clients: clients?, peers: peers? })
}

/// As much of what somebody wrote as a log should have.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(64)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_in_no_other_way() {
        let keys = Keys::new("/a");
        assert_eq!((keys.server(7), keys.cool_down(7)), ("/a/server_id/7".into(), "/a/cool_down/7".into()));
        assert_eq!(keys.server_of(keys.server(4_194_303).as_bytes()), Some(4_194_303));
        assert_eq!(keys.server_of(keys.cool_down(1).as_bytes()), Some(1));
        for other in ["/a/server_id/", "/a/server_id/0", "/a/server_id/07", "/a/server_id/+7", "/a/server_id/7/x"] {
            assert_eq!(keys.server_of(other.as_bytes()), None, "{other}");
        }
        assert_eq!(keys.server_of(b"/a/server_id/4294967296"), None);
        assert_eq!(keys.server_of(b"/a/server_id/\xff"), None);
        assert_eq!(keys.server_of(b"/b/server_id/7"), None);
    }

    #[test]
    fn a_range_has_the_keys_of_its_kind_and_a_later_one_those_behind() {
        let range = Keys::new("/a").servers();
        let has = |range: &Range, key: &str| *range.first <= *key.as_bytes() && *key.as_bytes() < *range.end;
        assert!(has(&range, "/a/server_id/1") && has(&range, "/a/server_id/999"));
        assert!(!has(&range, "/a/server_id") && !has(&range, "/a/server_idx/1") && !has(&range, "/a/cool_down/1"));
        let rest = range.behind(b"/a/server_id/1");
        assert!(!has(&rest, "/a/server_id/1") && has(&rest, "/a/server_id/10") && has(&rest, "/a/server_id/2"));
    }

    #[test]
    fn a_value_says_where_a_node_is_or_nothing() {
        for (clients, peers) in [("127.0.0.1:4000", "10.0.0.1:4001"), ("[::1]:4000", "[fe80::1]:1")] {
            let addresses = Addresses { clients: clients.parse().unwrap(), peers: peers.parse().unwrap() };
            assert_eq!(read(written(&addresses).as_bytes()), Some(addresses));
        }
        let more = b"zone=eu clients=127.0.0.1:1 peers=127.0.0.1:2 since=3";
        assert_eq!(read(more).map(|addresses| addresses.peers.port()), Some(2));
        for bad in ["", "clients=127.0.0.1:1", "peers=127.0.0.1:1", "clients=x:1 peers=127.0.0.1:2", "hello", "\u{0}"] {
            assert_eq!(read(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(read(b"clients=127.0.0.1:1 peers=127.0.0.1:2 \xff"), None);
    }
}
