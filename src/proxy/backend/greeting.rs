//! The server's first packet, and our answer to it.

use mysql_common::constants::CapabilityFlags;

use crate::wire::{AuthPlugin, Reader, lenenc_bytes};

/// `utf8mb4_general_ci`, which all servers know.
const UTF8MB4: u8 = 45;

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
    // Its character set and its status say nothing of ours.
    rest.array::<3>()?;
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
        plugin: AuthPlugin::named(&plugin),
    })
}

/// Writes the answer: who we are, in which database, and the proof of the password by this method.
pub(super) fn answer(
    out: &mut Vec<u8>,
    mut capabilities: CapabilityFlags,
    user: &str,
    database: Option<&str>,
    plugin: AuthPlugin,
    proof: &[u8],
) {
    capabilities.set(CapabilityFlags::CLIENT_CONNECT_WITH_DB, database.is_some());
    out.extend_from_slice(&capabilities.bits().to_le_bytes());
    out.extend_from_slice(&LONGEST.to_le_bytes());
    out.push(UTF8MB4);
    out.extend_from_slice(&[0; 23]);
    ended(out, user);
    // A length of one byte, whether that is what was agreed on or one of one to nine bytes: proofs are short.
    lenenc_bytes(out, proof);
    if let Some(database) = database {
        ended(out, database);
    }
    ended(out, plugin.name());
}

/// Reads the wish for another method: its name, and a new nonce. `None`: it is cut short, or of MySQL before 4.1.
pub(super) fn read_switch(payload: &[u8]) -> Option<(String, Nonce)> {
    let mut rest = Reader::new(payload.get(1..)?);
    let name = String::from_utf8_lossy(rest.ended()?).into_owned();
    Some((name, *rest.array()?))
}

/// A C string.
fn ended(out: &mut Vec<u8>, text: &str) {
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
        for database in [None, Some("shop")] {
            let greeting = read(MARIADB).unwrap();
            let (plugin, mut out) = (AuthPlugin::CachingSha2, Vec::new());
            answer(&mut out, greeting.capabilities, "alice", database, plugin, &[7; 32]);
            let agreed = greeting.capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB);
            assert!(!agreed, "the database goes with its flag");
            let (user, named, proof, utf8mb4) = test_packets::hello(out);
            assert_eq!((user.as_str(), named.as_deref(), utf8mb4), ("alice", database, true));
            assert_eq!(proof, &[7; 32][..]);
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
