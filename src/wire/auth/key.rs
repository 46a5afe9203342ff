//! The RSA key by which clients without TLS send their passwords. Made when the first of them asks for it: it takes a
//! large part of a second.
//!
//! What a client sends was masked with the nonce of its connection and padded by OAEP with SHA-1, as MySQL has it. Whoever
//! can change what goes over the network can still give the client a key of its own: for networks that are not trusted
//! there is TLS.

use std::sync::OnceLock;

use rsa::{
    Oaep, RsaPrivateKey, RsaPublicKey,
    pkcs8::{EncodePublicKey, LineEnding},
    rand_core::OsRng,
};
use sha1::Sha1;

use super::Nonce;

const BITS: usize = 2048;

/// The key, once it was made; `None` in it: that failed.
#[derive(Default)]
pub(super) struct Keys(OnceLock<Option<Key>>);

struct Key {
    private: RsaPrivateKey,
    /// The public half, as clients want it.
    pem: String,
}

/// The length of an encrypted password.
pub(super) const ENCRYPTED: usize = BITS / 8;

impl Keys {
    fn key(&self) -> Option<&Key> {
        let made = self.0.get_or_init(|| {
            let private = RsaPrivateKey::new(&mut OsRng, BITS).ok()?;
            let pem = RsaPublicKey::from(&private).to_public_key_pem(LineEnding::LF).ok()?;
            Some(Key { private, pem })
        });
        made.as_ref()
    }

    /// The public key. The first call takes long.
    pub(super) fn public(&self) -> Option<String> {
        self.key().map(|key| key.pem.clone())
    }

    /// What the client encrypted, its mask taken off. Takes milliseconds.
    pub(super) fn open(&self, encrypted: &[u8], nonce: &Nonce) -> Option<Vec<u8>> {
        // Blinded, so that the time that it takes says nothing of the key.
        let opened = self.key()?.private.decrypt_blinded(&mut OsRng, Oaep::new::<Sha1>(), encrypted).ok()?;
        Some(opened.iter().zip(nonce.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rsa::pkcs8::DecodePublicKey;

    use super::*;

    #[test]
    fn what_was_encrypted_with_the_public_half_is_opened_and_nothing_else() {
        let keys = Keys::default();
        let public = RsaPublicKey::from_public_key_pem(&keys.public().unwrap()).unwrap();
        let nonce = super::super::nonce();
        let masked: Vec<u8> = b"a password of more than twenty bytes\0"
            .iter()
            .zip(nonce.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let mut encrypted = public.encrypt(&mut OsRng, Oaep::new::<Sha1>(), &masked).unwrap();
        assert_eq!(encrypted.len(), ENCRYPTED);
        assert_eq!(keys.open(&encrypted, &nonce).unwrap(), b"a password of more than twenty bytes\0");
        encrypted[7] ^= 1;
        assert_eq!(keys.open(&encrypted, &nonce), None);
        assert_eq!(keys.open(&[], &nonce), None);
        assert_eq!(keys.open(&[0; ENCRYPTED], &nonce), None);
    }
}
