//! The server's first packet, and our answer to it.

use mysql_common::constants::CapabilityFlags;

use crate::wire::{AuthPlugin, Reader, lenenc_bytes};

/// `utf8mb4_general_ci`, which all servers know.
const GENERAL: u8 = 45;

/// `utf8mb4_0900_ai_ci`, which MySQL knows since 8.0.
const MYSQL_8: u8 = 255;

/// The longest packet that we take. Servers do not keep to it.
const LONGEST: u32 = 1 << 30;

/// What MariaDB puts before its version, for replicas older than it.
const OLD_REPLICAS: &str = "5.5.5-";

/// What we can do. Not among it: files of ours, more than one statement at a time, compression.
const WANTED: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_FOUND_ROWS)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_PROTOCOL_41)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// Without these there is no talking.
const NEEDED: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH);

/// What proofs of passwords are made with.
pub(super) type Nonce = [u8; 20];

/// What a server says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) version: Box<str>,
    /// Its number for this connection.
    pub(super) server_sessid: u64,
    pub(super) nonce: Nonce,
    /// What both it and we can do.
    pub(super) capabilities: CapabilityFlags,
    /// The collation that it is set to, as far as one byte says it.
    collation: u8,
    /// Its usual method, if we know it.
    pub(super) plugin: Option<AuthPlugin>,
}

/// Reads a greeting. `None`: it is none of protocol 4.1, or is cut short.
pub(super) fn read(payload: &[u8]) -> Option<Greeting> {
    let mut rest = Reader::new(payload);
    let [10] = *rest.array()? else { return None };
    let version = String::from_utf8_lossy(rest.ended()?);
    let version = version.strip_prefix(OLD_REPLICAS).unwrap_or(&version).into();
    let id = u32::from_le_bytes(*rest.array()?);
    let first: &[u8; 8] = rest.array()?;
    let [_filler] = *rest.array()?;
    let [low0, low1] = *rest.array()?;
    let [collation] = *rest.array()?;
    // Its status says nothing of ours.
    rest.array::<2>()?;
    let [high0, high1] = *rest.array()?;
    let bits = u32::from_le_bytes([low0, low1, high0, high1]);
    let capabilities = CapabilityFlags::from_bits_truncate(bits);
    if !capabilities.contains(NEEDED) {
        return None;
    }
    let [length] = *rest.array()?;
    rest.array::<10>()?;
    let second = rest.take(usize::from(length).saturating_sub(8).max(13))?;
    let (second, _zero) = second.split_first_chunk::<12>()?;
    let mut nonce = Nonce::default();
    nonce[..8].copy_from_slice(first);
    nonce[8..].copy_from_slice(second);
    let plugin = String::from_utf8_lossy(rest.until_zero()?);
    Some(Greeting {
        version,
        server_sessid: id.into(),
        nonce,
        capabilities: capabilities & WANTED,
        collation,
        plugin: AuthPlugin::named(&plugin),
    })
}

impl Greeting {
    /// The collation to log in with for a client that has named `wished`: one of utf8mb4 that this server knows, for with one
    /// that it does not know it takes its own character set for ours.
    fn collation(&self, wished: u16) -> u8 {
        let known = |id: &u8| is_known(*id) || *id == MYSQL_8 && self.knows_0900();
        let wished = u8::try_from(wished).ok().filter(known);
        // What servers take for one that they do not know.
        wished.or(Some(self.collation).filter(known)).unwrap_or(GENERAL)
    }

    /// Whether it knows the collations of MySQL 8.0. MariaDB, whose versions are higher, is told by its first bit.
    fn knows_0900(&self) -> bool {
        let major = self.version.split('.').next().and_then(|major| major.parse().ok());
        self.capabilities.contains(CapabilityFlags::CLIENT_LONG_PASSWORD) && major.is_some_and(|major: u8| major >= 8)
    }
}

/// Whether this is a collation of utf8mb4 that all servers know (MySQL: since 5.6).
fn is_known(id: u8) -> bool {
    matches!(id, GENERAL | 46 | 224..=247)
}

/// Writes the answer: who we are, and the proof of the password by this method, for a client that has named this collation.
pub(super) fn answer(
    out: &mut Vec<u8>,
    greeting: &Greeting,
    user: &str,
    collation: u16,
    plugin: AuthPlugin,
    proof: &[u8],
) {
    out.extend_from_slice(&greeting.capabilities.bits().to_le_bytes());
    out.extend_from_slice(&LONGEST.to_le_bytes());
    out.push(greeting.collation(collation));
    out.extend_from_slice(&[0; 23]);
    ended(out, user);
    // A length of one byte, whether that is what was agreed on or one of one to nine bytes: proofs are short.
    lenenc_bytes(out, proof);
    ended(out, plugin.name());
}

/// Reads the wish for another method: its name, and a new nonce. `None`: it is cut short, or of MySQL before 4.1.
pub(super) fn read_switch(payload: &[u8]) -> Option<(String, Nonce)> {
    let mut rest = Reader::new(payload.get(1..)?);
    let name = String::from_utf8_lossy(rest.ended()?).into_owned();
    Some((name, *rest.array()?))
}

/// A C string.
pub(super) fn ended(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::test_packets;

    /// As MariaDB 10.11 sent it.
    const MARIADB: &[u8] = b"\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\0\x03\0\0\0Tx$CdOA4\0\xfe\xf7-\x02\0\xff\x81\x15\
                             \0\0\0\0\0\0\x1d\0\0\0\"M>.kS>zn7g$\0mysql_native_password\0";

    #[test]
    fn mariadbs_greeting_is_read() {
        let read = read(MARIADB).unwrap();
        assert_eq!((&*read.version, read.server_sessid), ("10.11.19-MariaDB-0+deb12u1", 3));
        assert_eq!(&read.nonce, b"Tx$CdOA4\"M>.kS>zn7g$");
        assert_eq!(read.plugin, Some(AuthPlugin::Native));
        assert!(
            read.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF | CapabilityFlags::CLIENT_SESSION_TRACK)
        );
        let refused = CapabilityFlags::CLIENT_LOCAL_FILES
            | CapabilityFlags::CLIENT_MULTI_STATEMENTS
            | CapabilityFlags::CLIENT_COMPRESS
            | CapabilityFlags::CLIENT_SSL;
        assert!(!read.capabilities.intersects(refused));
        // The last zero may be missing; nothing else may.
        assert!(self::read(&MARIADB[..MARIADB.len() - 1]).is_some());
        for cut in 0..MARIADB.len() - "\0mysql_native_password\0".len() {
            assert_eq!(self::read(&MARIADB[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn our_answer_is_what_a_server_reads() {
        let (greeting, mut out) = (read(MARIADB).unwrap(), Vec::new());
        answer(&mut out, &greeting, "alice", 46, AuthPlugin::CachingSha2, &[7; 32]);
        let (user, database, proof, collation) = test_packets::hello(out);
        assert_eq!((user.as_str(), database, collation), ("alice", None, 46));
        assert_eq!(proof, &[7; 32][..]);
    }

    #[test]
    fn a_collation_is_one_of_utf8mb4_that_the_server_knows() {
        let mariadb = |own| Greeting { collation: own, ..read(MARIADB).unwrap() };
        let mysql = |version: &str, own| Greeting {
            version: version.into(),
            capabilities: WANTED,
            collation: own,
            ..read(MARIADB).unwrap()
        };
        assert_eq!(read(MARIADB).unwrap().collation, 45);
        // What clients name, and what is said to each: first what all know, then what is not there or is no utf8mb4.
        for (server, said) in [
            (mariadb(45), [45, 46, 224, 247, 45, 45, 45, 45, 45]),
            (mariadb(224), [45, 46, 224, 247, 224, 224, 224, 224, 224]),
            (mariadb(8), [45, 46, 224, 247, 45, 45, 45, 45, 45]),
            (mysql("8.0.36", 255), [45, 46, 224, 247, 255, 255, 255, 255, 255]),
            (mysql("9.1.0", 224), [45, 46, 224, 247, 255, 224, 224, 224, 224]),
            (mysql("5.7.44", 8), [45, 46, 224, 247, 45, 45, 45, 45, 45]),
        ] {
            let wished = [45, 46, 224, 247, 255, 0, 8, 248, 309];
            assert_eq!(wished.map(|id| server.collation(id)), said, "{server:?}");
        }
    }

    #[test]
    fn another_method_is_read_with_its_nonce() {
        let read = read_switch(b"\xfecaching_sha2_password\0abcdefghijklmnopqrst\0");
        assert_eq!(read, Some(("caching_sha2_password".to_owned(), *b"abcdefghijklmnopqrst")));
        assert_eq!(read_switch(b"\xfe"), None, "as MySQL before 4.1");
        assert_eq!(read_switch(b"\xfecaching_sha2_password\0abc\0"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..120), plausible in any::<bool>()) {
            let bytes = if plausible { [b"\x0a8\0", &bytes[..]].concat() } else { bytes };
            let _ = (read(&bytes), read_switch(&bytes));
        }
    }
}
