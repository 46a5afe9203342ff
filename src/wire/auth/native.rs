//! `mysql_native_password`.
//!
//! The server keeps `SHA1(SHA1(password))`. The client sends `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`,
//! from which the server can get `SHA1(password)`, and check that its hash is what it keeps. The password itself is
//! never sent, nor needed.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::Nonce;
use crate::model::Verifier;

/// What is kept of a password.
pub(super) type Stored = [u8; 20];

/// The verifier of `mysql_native_password` for a password: what `mysql.user.authentication_string` holds. Empty for the
/// empty password.
pub fn native_verifier(password: &str) -> Verifier {
    if password.is_empty() {
        return Verifier::default();
    }
    Verifier::new(twice(password.as_bytes()).iter().fold(String::from("*"), |text, byte| text + &format!("{byte:02X}")))
}

fn twice(password: &[u8]) -> Stored {
    Sha1::digest(Sha1::digest(password)).into()
}

/// Whether the password itself is the right one.
pub(super) fn fits(password: &[u8], stored: &Stored) -> bool {
    twice(password).ct_eq(stored).into()
}

/// Whether the response was made with the right password. `None`: with no password is it; it costs the same.
pub(super) fn proves(nonce: &Nonce, response: &[u8], stored: Option<&Stored>) -> bool {
    let Ok(response) = Stored::try_from(response) else { return false };
    let (known, stored) = (stored.is_some(), stored.copied().unwrap_or_default());
    let mask: Stored = Sha1::new().chain_update(nonce).chain_update(stored).finalize().into();
    let hash: Stored = std::array::from_fn(|i| response[i] ^ mask[i]);
    let proved: Stored = Sha1::digest(hash).into();
    bool::from(proved.ct_eq(&stored)) & known
}

/// The hash in a verifier's text: `*` and 40 hexadecimal digits.
pub(super) fn read(text: &str) -> Option<Stored> {
    let digits = text.strip_prefix('*').filter(|digits| digits.len() == 40)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = Stored::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use mysql_common::scramble::scramble_native;

    use super::*;
    use crate::wire::auth::nonce;

    #[test]
    fn the_verifier_is_what_mysql_stores() {
        // MySQL: SELECT PASSWORD('password')
        assert_eq!(native_verifier("password").expose(), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
        assert!(native_verifier("").is_empty());
        assert_eq!(read(native_verifier("password").expose()), Some(twice(b"password")));
        for unreadable in ["*", "*+470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"]
        {
            assert_eq!(read(unreadable), None);
        }
    }

    #[test]
    fn the_right_password_proves_itself_and_no_other_does() {
        let nonce = nonce();
        let stored = twice(b"secret");
        let right = scramble_native(&nonce, b"secret").unwrap();
        assert!(proves(&nonce, &right, Some(&stored)));
        assert!(!proves(&super::super::nonce(), &right, Some(&stored)), "of another connection");
        assert!(!proves(&nonce, &scramble_native(&nonce, b"Secret").unwrap(), Some(&stored)));
        assert!(!proves(&nonce, &right[1..], Some(&stored)));
        assert!(!proves(&nonce, &[], Some(&stored)));
        assert!(!proves(&nonce, &[], None) && !proves(&nonce, &right, None));
        assert!(fits(b"secret", &stored) && !fits(b"Secret", &stored));
    }
}
