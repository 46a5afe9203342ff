//! `caching_sha2_password`: its verifiers, and what a client that was let in before sends.
//!
//! The server keeps a slow hash of the password, and in memory `SHA256(SHA256(password))` of those that were proved. The
//! client sends `SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce)`: enough for a password that is in memory.
//! For any other the server needs the password itself.

use rand::RngExt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Nonce,
    crypt::{DIGITS, sha256_crypt},
};
use crate::model::Verifier;

/// Hashing takes time with the square of the length. MySQL's bound.
const LONGEST_PASSWORD: usize = 256;

/// Rounds are given in thousands.
const THOUSAND: u32 = 1000;

/// MySQL's default, and its least.
const ROUNDS: u32 = 5;

/// What is kept of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    rounds: u32,
    salt: Nonce,
    digest: [u8; 43],
}

/// What is kept in memory of a password that was proved.
pub(super) type Digested = [u8; 32];

/// The verifier of `caching_sha2_password` for a password, with a fresh salt and MySQL's 5,000 rounds: what
/// `mysql.user.authentication_string` holds. Empty for the empty password. Takes some milliseconds. MySQL takes no
/// password longer than 256 bytes, and none fits the verifier of a longer one.
pub fn caching_sha2_verifier(password: &str) -> Verifier {
    if password.is_empty() {
        return Verifier::default();
    }
    let mut rng = rand::rng();
    // MySQL takes nearly any byte; these can be copied from a screen.
    let salt: Nonce = std::array::from_fn(|_| DIGITS[rng.random_range(0..DIGITS.len())]);
    let cut = &password.as_bytes()[..password.len().min(LONGEST_PASSWORD)];
    let digest = sha256_crypt(cut, &salt, ROUNDS * THOUSAND);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Verifier::new(format!("$A${ROUNDS:03X}${}{}", text(&salt), text(&digest)))
}

/// Reads `$A$`, three hexadecimal digits of thousands of rounds, `$`, 20 characters of salt, 43 of digest.
pub(super) fn read(text: &str) -> Option<Stored> {
    let (rounds, rest) = text.strip_prefix("$A$")?.split_once('$')?;
    if rounds.len() != 3 || !rounds.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let rounds = u32::from_str_radix(rounds, 16).ok().filter(|rounds| *rounds >= ROUNDS)?;
    let (salt, digest) = rest.as_bytes().split_first_chunk()?;
    let digest: [u8; 43] = digest.try_into().ok()?;
    let readable = salt.is_ascii() && digest.iter().all(|digit| DIGITS.contains(digit));
    readable.then_some(Stored { rounds: rounds * THOUSAND, salt: *salt, digest })
}

/// Whether the password is the right one. Takes milliseconds. `None`: no password is it; it costs the same.
pub(super) fn fits(password: &[u8], stored: Option<&Stored>) -> bool {
    let decoy = Stored { rounds: ROUNDS * THOUSAND, salt: [b'.'; 20], digest: [b'.'; 43] };
    let Stored { rounds, salt, digest } = stored.unwrap_or(&decoy);
    let hashed = sha256_crypt(&password[..password.len().min(LONGEST_PASSWORD)], salt, *rounds);
    bool::from(hashed.ct_eq(digest)) & stored.is_some() & (password.len() <= LONGEST_PASSWORD)
}

/// What is to be remembered of a password.
pub(super) fn digested(password: &[u8]) -> Digested {
    Sha256::digest(Sha256::digest(password)).into()
}

/// Whether the response was made with the remembered password.
pub(super) fn proves(nonce: &Nonce, response: &[u8], remembered: &Digested) -> bool {
    let Ok(response) = Digested::try_from(response) else { return false };
    let mask: Digested = Sha256::new().chain_update(remembered).chain_update(nonce).finalize().into();
    let hash: Digested = std::array::from_fn(|i| response[i] ^ mask[i]);
    let proved: Digested = Sha256::digest(hash).into();
    proved.ct_eq(remembered).into()
}

#[cfg(test)]
mod tests {
    use mysql_common::scramble::scramble_sha256;

    use super::*;
    use crate::wire::auth::nonce;

    /// A verifier of MySQL's own for the password `foobar`, from the tests of another implementation (TiDB).
    const FOOBAR: &str =
        "$A$005$\x03\x1ai%\x1c4)\\K5\x16|\x7f\x1eZ{c\x09\x13IP9tbM4PKZBFy5HV3hhhoRHZsnJs3hxnBuuQlsDdiIe7";

    #[test]
    fn a_verifier_of_mysqls_is_read() {
        let stored = read(FOOBAR).unwrap();
        assert_eq!(stored.rounds, 5000);
        assert!(fits(b"foobar", Some(&stored)));
        assert!(!fits(b"foobaz", Some(&stored)) && !fits(b"", Some(&stored)) && !fits(b"foobar", None));
    }

    #[test]
    fn a_verifier_of_ours_is_read_back_and_never_twice_the_same() {
        let (one, two) = (caching_sha2_verifier("secret"), caching_sha2_verifier("secret"));
        assert_ne!(one, two);
        for verifier in [one, two] {
            assert!(verifier.expose().starts_with("$A$005$") && verifier.expose().len() == 70);
            assert!(fits(b"secret", read(verifier.expose()).as_ref()));
        }
        assert!(caching_sha2_verifier("").is_empty());
        let longest = "x".repeat(LONGEST_PASSWORD);
        assert!(fits(longest.as_bytes(), read(caching_sha2_verifier(&longest).expose()).as_ref()));
        let longer = "x".repeat(LONGEST_PASSWORD + 1);
        assert!(!fits(longer.as_bytes(), read(caching_sha2_verifier(&longer).expose()).as_ref()));
    }

    #[test]
    fn what_is_no_verifier_is_none() {
        let good = caching_sha2_verifier("x").expose().to_owned();
        let changed = [
            good[..69].to_owned(),
            format!("{good}x"),
            good.replace("$A$005$", "$A$004$"),
            good.replace("$A$005$", "$A$+05$"),
            good.replace("$A$005$", "$B$005$"),
            format!("{}!", &good[..69]),
            "$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED".to_owned() + "!",
        ];
        for text in changed {
            assert_eq!(read(&text), None, "{text}");
        }
    }

    #[test]
    fn a_remembered_password_proves_itself_and_no_other_does() {
        let nonce = nonce();
        let remembered = digested(b"secret");
        let right = scramble_sha256(&nonce, b"secret").unwrap();
        assert!(proves(&nonce, &right, &remembered));
        assert!(!proves(&super::super::nonce(), &right, &remembered), "of another connection");
        assert!(!proves(&nonce, &scramble_sha256(&nonce, b"Secret").unwrap(), &remembered));
        assert!(!proves(&nonce, &right[1..], &remembered) && !proves(&nonce, &[], &remembered));
    }
}
