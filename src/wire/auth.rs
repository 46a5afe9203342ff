//! Proofs of passwords: `mysql_native_password`.
//!
//! The server keeps `SHA1(SHA1(password))`. The client sends `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`,
//! from which the server can get `SHA1(password)`, and check that its hash is what it keeps. The password itself is
//! never sent, nor needed.

use rand::RngExt;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::model::{Proof, Verifier};

pub(super) const NATIVE: &str = "mysql_native_password";

/// The verifier of `mysql_native_password` for a password: what `mysql.user.authentication_string` holds. Empty for the
/// empty password.
pub fn native_verifier(password: &str) -> Verifier {
    if password.is_empty() {
        return Verifier::default();
    }
    let stored = Sha1::digest(Sha1::digest(password));
    Verifier::new(stored.iter().fold(String::from("*"), |text, byte| text + &format!("{byte:02X}")))
}

/// A nonce for one login: 20 bytes from a cryptographic generator, none of them 0, since clients take it for a C string.
pub(super) fn nonce() -> [u8; 20] {
    let mut rng = rand::rng();
    std::array::from_fn(|_| rng.random_range(1..=127))
}

/// What a client sent by `mysql_native_password`.
pub(super) struct NativeProof {
    pub(super) nonce: [u8; 20],
    pub(super) response: Vec<u8>,
}

impl Proof for NativeProof {
    fn matches(&self, verifier: &Verifier) -> bool {
        let stored = stored(verifier.expose());
        let response: [u8; 20] = match self.response.as_slice().try_into() {
            Ok(response) => response,
            // No password was given: right for an account without one, and for no other.
            Err(_) => return self.response.is_empty() && verifier.is_empty(),
        };
        // An account without a password, or whose verifier cannot be read, costs the same.
        let (known, stored) = (stored.is_some(), stored.unwrap_or_default());
        let mask: [u8; 20] = Sha1::new().chain_update(self.nonce).chain_update(stored).finalize().into();
        let hash: [u8; 20] = std::array::from_fn(|i| response[i] ^ mask[i]);
        let proved: [u8; 20] = Sha1::digest(hash).into();
        bool::from(proved.ct_eq(&stored)) & known
    }

    fn used_password(&self) -> bool {
        !self.response.is_empty()
    }
}

/// The hash in a verifier's text: `*` and 40 hexadecimal digits.
fn stored(text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix('*').filter(|digits| digits.len() == 40 && digits.is_ascii())?;
    let mut hash = [0; 20];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(password: &str, nonce: [u8; 20]) -> NativeProof {
        let response = mysql_common::scramble::scramble_native(&nonce, password.as_bytes());
        NativeProof { nonce, response: response.map(|r| r.to_vec()).unwrap_or_default() }
    }

    #[test]
    fn the_verifier_is_what_mysql_stores() {
        // MySQL: SELECT PASSWORD('password')
        assert_eq!(native_verifier("password").expose(), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
        assert!(native_verifier("").is_empty());
    }

    #[test]
    fn the_right_password_proves_itself_and_no_other_does() {
        let right = proof("secret", nonce());
        assert!(right.matches(&native_verifier("secret")));
        assert!(!right.matches(&native_verifier("Secret")));
        assert!(!right.matches(&Verifier::default()), "a password for an account without one");
        assert!(!right.matches(&Verifier::new("*nonsense")));
        assert!(!right.matches(&Verifier::new("*0000000000000000000000000000000000000000")));
        let none = proof("", nonce());
        assert!(none.matches(&Verifier::default()));
        assert!(!none.matches(&native_verifier("secret")));
        assert!(!none.used_password());
        let odd = NativeProof { nonce: nonce(), response: vec![1, 2, 3] };
        assert!(!odd.matches(&Verifier::default()) && !odd.matches(&native_verifier("secret")));
    }

    #[test]
    fn nonces_differ_and_hold_no_zero() {
        let (a, b) = (nonce(), nonce());
        assert_ne!(a, b);
        assert!(a.iter().chain(&b).all(|byte| (1..=127).contains(byte)));
    }
}
