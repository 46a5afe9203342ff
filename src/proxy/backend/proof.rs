//! Proofs of passwords, as clients make them. The password itself is never sent in the clear.

use mysql_common::scramble::{scramble_native, scramble_sha256};
use rsa::{Oaep, RsaPublicKey, pkcs8::DecodePublicKey, rand_core::OsRng};
use sha1::Sha1;

use super::greeting::Nonce;
use crate::wire::AuthPlugin;

/// What shows that we know the password, to a server that sent this nonce. Nothing, for the empty one.
pub(super) fn proof(plugin: AuthPlugin, password: &str, nonce: &Nonce) -> Vec<u8> {
    let password = password.as_bytes();
    let made = match plugin {
        AuthPlugin::Native => scramble_native(nonce, password).map(Vec::from),
        AuthPlugin::CachingSha2 => scramble_sha256(nonce, password).map(Vec::from),
    };
    made.unwrap_or_default()
}

/// The password for a server that has not seen it since it started: masked with the nonce and encrypted for the key that the
/// server has sent (`caching_sha2_password` without TLS). `None`: that is no key.
///
/// Whoever can change what goes over the network, or answers at the server's address, can send a key of its own: the host says
/// whether that is trusted ([`crate::proxy::ProxyBuilder::get_server_public_key`]).
pub(super) fn sealed(password: &str, nonce: &Nonce, pem: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKey::from_public_key_pem(std::str::from_utf8(pem).ok()?).ok()?;
    let ended = password.bytes().chain([0]);
    let masked: Vec<u8> = ended.zip(nonce.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    key.encrypt(&mut OsRng, Oaep::new::<Sha1>(), &masked).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_proved_by_nothing() {
        for plugin in [AuthPlugin::Native, AuthPlugin::CachingSha2] {
            assert_eq!(proof(plugin, "", &[7; 20]), b"");
        }
        assert_eq!(proof(AuthPlugin::Native, "secret", &[7; 20]).len(), 20);
        assert_eq!(proof(AuthPlugin::CachingSha2, "secret", &[7; 20]).len(), 32);
    }

    #[test]
    fn what_is_no_key_seals_nothing() {
        for pem in [&b""[..], b"\xff", b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(sealed("secret", &[7; 20], pem), None);
        }
    }
}
