//! What a client says of itself: its answer to the greeting, and its wish to be somebody else. Pure.

use bytes::Bytes;
use mysql_common::constants::CapabilityFlags;

use super::{
    auth::{Claim, ClientPlugin},
    compress::Algorithm,
    reader::Reader,
};
use crate::model::{Attributes, CharacterSet};

/// More of them are refused, as MySQL does.
const MOST_ATTRIBUTES: usize = 64 * 1024;

/// The length of a wish for TLS: the beginning of an answer to the greeting, up to the name.
const TLS_WISH: usize = 32;

/// Who a client says that it is.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) capabilities: CapabilityFlags,
    /// The number of its character set and collation; 0 if it says none.
    pub(super) charset: u16,
    pub(super) user: String,
    pub(super) claim: Claim,
    pub(super) database: Option<String>,
    pub(super) attributes: Option<Attributes>,
    /// How it wants its packets compressed, if it does.
    pub(super) compression: Option<Algorithm>,
}

/// Whether this is a wish to go on under TLS.
pub(super) fn wants_tls(payload: &[u8]) -> bool {
    payload.len() == TLS_WISH && mentions_tls(payload)
}

/// Whether an answer to the greeting says that the client is, or wants to be, under TLS.
pub(super) fn mentions_tls(payload: &[u8]) -> bool {
    let flags = payload.first_chunk().map(|flags| CapabilityFlags::from_bits_truncate(u32::from_le_bytes(*flags)));
    flags.is_some_and(|flags| flags.contains(CapabilityFlags::CLIENT_SSL))
}

/// Reads the answer to a greeting that offered `ours`. `None`: it is none of protocol 4.1, or makes no sense.
pub(super) fn read_answer(payload: &Bytes, ours: CapabilityFlags) -> Option<Hello> {
    let mut rest = Reader::new(payload);
    let capabilities = CapabilityFlags::from_bits_truncate(u32::from_le_bytes(*rest.array()?));
    if !capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
        return None;
    }
    let capabilities = capabilities & ours;
    // The longest packet that it takes, which nobody keeps to.
    rest.array::<4>()?;
    let [charset] = *rest.array()?;
    rest.array::<23>()?;
    let set = CharacterSet::of_collation(charset.into());
    let user = text(set, rest.ended()?)?;
    let has = |flag| capabilities.contains(flag);
    let response = if has(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        rest.counted()?
    } else if has(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        rest.short()?
    } else {
        rest.until_zero()?
    };
    let database = if has(CapabilityFlags::CLIENT_CONNECT_WITH_DB) { rest.until_zero()? } else { &[] };
    let plugin = if has(CapabilityFlags::CLIENT_PLUGIN_AUTH) { rest.until_zero()? } else { &[] };
    let attributes = if has(CapabilityFlags::CLIENT_CONNECT_ATTRS) { attributes(&mut rest)? } else { None };
    Some(Hello {
        capabilities,
        charset: charset.into(),
        user,
        claim: Claim { plugin: ClientPlugin::named(plugin), response: payload.slice_ref(response) },
        database: name(set, database),
        attributes,
        compression: Algorithm::asked(capabilities, payload),
    })
}

/// Reads a `COM_CHANGE_USER`, without its first byte, of a client with these capabilities. `None`: it is cut short, or
/// makes no sense.
pub(super) fn read_change_user(payload: &Bytes, capabilities: CapabilityFlags) -> Option<Hello> {
    let mut rest = Reader::new(payload);
    let user = rest.ended()?;
    let secure = capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION);
    let response = if secure { rest.short()? } else { rest.until_zero()? };
    let database = rest.until_zero()?;
    // Clients may end here, or after the character set.
    let charset = if rest.is_empty() { 0 } else { u16::from_le_bytes(*rest.array()?) };
    let set = CharacterSet::of_collation(charset);
    let plugin = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) { rest.until_zero()? } else { &[] };
    let attributes =
        if capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS) { attributes(&mut rest)? } else { None };
    Some(Hello {
        capabilities,
        charset,
        user: text(set, user)?,
        claim: Claim { plugin: ClientPlugin::named(plugin), response: payload.slice_ref(response) },
        database: name(set, database),
        attributes,
        compression: None,
    })
}

/// A name that has to be one.
fn text(set: CharacterSet, bytes: &[u8]) -> Option<String> {
    String::from_utf8(set.decode(bytes).into_owned()).ok()
}

/// No name is none.
fn name(set: CharacterSet, bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(&set.decode(bytes)).into_owned())
}

/// The connection attributes: their length altogether, then names and values. Some clients that could send them send
/// nothing.
fn attributes(rest: &mut Reader<'_>) -> Option<Option<Attributes>> {
    if rest.is_empty() {
        return Some(None);
    }
    let all = rest.counted().filter(|all| all.len() <= MOST_ATTRIBUTES)?;
    // Looked through first, and read again: a list of them would take many times what was sent.
    let mut rest = Reader::new(all);
    while !rest.is_empty() {
        rest.pair()?;
    }
    let mut rest = Reader::new(all);
    Some((!all.is_empty()).then(|| Attributes::new(std::iter::from_fn(|| rest.pair()))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::auth::AuthPlugin;

    const ALL: CapabilityFlags = CapabilityFlags::all();

    fn change_user(attributes: &[u8]) -> Bytes {
        let mut payload = b"alice\0\x03abcshop\0\x2d\x00caching_sha2_password\0".to_vec();
        payload.extend_from_slice(attributes);
        payload.into()
    }

    #[test]
    fn a_change_of_user_is_read() {
        let hello = read_change_user(&change_user(b"\x0a\x03_os\x05Linux"), ALL).unwrap();
        assert_eq!((hello.user.as_str(), hello.database.as_deref(), hello.charset), ("alice", Some("shop"), 45));
        assert_eq!(hello.claim.plugin, ClientPlugin::One(AuthPlugin::CachingSha2));
        assert_eq!(hello.claim.response, "abc");
        assert_eq!(hello.attributes.unwrap().get("_os").as_deref(), Some("Linux"));
        // As old clients send it.
        let short = read_change_user(&Bytes::from_static(b"bob\0\0\0"), ALL).unwrap();
        assert_eq!((short.user.as_str(), short.database, short.charset), ("bob", None, 0));
        assert_eq!(short.claim.plugin, ClientPlugin::One(AuthPlugin::Native));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for cut in [&b""[..], b"alice", b"alice\0", b"alice\0\x03ab", b"alice\0\0db\0\x2d"] {
            assert!(read_change_user(&Bytes::copy_from_slice(cut), ALL).is_none(), "{cut:?}");
        }
        assert!(read_change_user(&change_user(b"\x0a\x03_os\x05Linu"), ALL).is_none());
        assert!(read_change_user(&change_user(b"\x04\x03_os"), ALL).is_none(), "a name without a value");
        let long = [&[0xfd, 0x01, 0x00, 0x01][..], &[0; 0x1_0001]].concat();
        assert!(read_change_user(&change_user(&long), ALL).is_none(), "more than 64 KiB");
    }

    #[test]
    fn as_many_attributes_as_can_be_are_kept_in_little() {
        // Of the longest list, each name and each value empty.
        let hello = read_change_user(&change_user(&[&[0xfd, 0x00, 0x00, 0x01][..], &[0; 0x1_0000]].concat()), ALL);
        let kept = hello.unwrap().attributes.unwrap();
        assert_eq!((kept.pairs().count(), kept.size()), (0x8000, 0x2_0000));
        assert!(read_change_user(&change_user(b"\x00"), ALL).unwrap().attributes.is_none());
        assert!(read_change_user(&change_user(b"\x03\0\0\0"), ALL).is_none(), "a last name without a value");
    }

    proptest! {
        /// Whatever is sent is read or refused, and what is kept of it is no longer than it was (a byte of a name
        /// may take three).
        #[test]
        fn any_bytes_are_answered(
            mut bytes in prop::collection::vec(any::<u8>(), 0..300),
            plausible in any::<bool>(),
        ) {
            let kept = |hello: Hello| {
                let attributes = hello.attributes.map_or(0, |attributes| attributes.size() / 2);
                hello.user.len() / 3 + hello.claim.response.len() + hello.database.map_or(0, |d| d.len() / 3) + attributes
            };
            let _ = wants_tls(&bytes);
            if plausible && bytes.len() > 2 {
                bytes[1] |= 0x02;
            }
            let bytes = Bytes::from(bytes);
            for hello in [read_answer(&bytes, ALL), read_change_user(&bytes, ALL)].into_iter().flatten() {
                prop_assert!(kept(hello) <= bytes.len());
            }
        }
    }
}
