//! SHA-crypt, by U. Drepper's public specification ("Unix crypt using SHA-256 and SHA-512"), for SHA-256 and with MySQL's
//! salt of 20 bytes, where the specification ends at 16. (The crates for it follow the specification.)

use sha2::{Digest, Sha256};

/// The hash of a password, in the specification's own base 64. Takes as long as `rounds` says, and with the square of
/// the password's length: bound both.
pub(super) fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 43] {
    let second = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Sha256::new().chain_update(password).chain_update(salt);
    for part in repeated(&second, password.len()) {
        first.update(part);
    }
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            first.update(second);
        } else {
            first.update(password);
        }
        bits >>= 1;
    }
    let first = first.finalize();

    let mut of_passwords = Sha256::new();
    for _ in 0..password.len() {
        of_passwords.update(password);
    }
    let p: Vec<u8> = repeated(&of_passwords.finalize(), password.len()).flatten().copied().collect();
    let mut of_salts = Sha256::new();
    for _ in 0..16 + usize::from(first[0]) {
        of_salts.update(salt);
    }
    let s: Vec<u8> = repeated(&of_salts.finalize(), salt.len()).flatten().copied().collect();

    let mut last = first;
    for round in 0..rounds {
        let odd = round % 2 == 1;
        let mut hash = Sha256::new();
        if odd {
            hash.update(&p);
        } else {
            hash.update(last);
        }
        if round % 3 != 0 {
            hash.update(&s);
        }
        if round % 7 != 0 {
            hash.update(&p);
        }
        if odd {
            hash.update(last);
        } else {
            hash.update(&p);
        }
        last = hash.finalize();
    }
    encode(&last.into())
}

/// The bytes of `hash` again and again, up to this length.
fn repeated(hash: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    let whole = std::iter::repeat_n(hash, length / hash.len());
    whole.chain(std::iter::once(&hash[..length % hash.len()]))
}

/// The digits of the specification's base 64.
pub(super) const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Three bytes give four digits, the lowest first; which three, the specification lists.
fn encode(hash: &[u8; 32]) -> [u8; 43] {
    let (mut out, mut at) = ([0; 43], 0);
    let mut put = |mut bits: u32, digits: usize| {
        for _ in 0..digits {
            out[at] = DIGITS[(bits & 0x3f) as usize];
            bits >>= 6;
            at += 1;
        }
    };
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        put(u32::from_be_bytes([0, hash[a], hash[b], hash[c]]), 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    put(u32::from_be_bytes([0, 0, hash[31], hash[30]]), 3);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification.
    #[test]
    fn the_examples_of_the_specification_come_out() {
        let hash = |password: &str, salt: &str, rounds| {
            String::from_utf8(sha256_crypt(password.as_bytes(), salt.as_bytes(), rounds).to_vec()).unwrap()
        };
        assert_eq!(hash("Hello world!", "saltstring", 5000), "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
        assert_eq!(hash("Hello world!", "saltstringsaltst", 10_000), "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA");
        let long = "a very much longer text to encrypt.  This one even stretches over morethan one line.";
        assert_eq!(hash(long, "anotherlongsalts", 1400), "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1");
        assert_eq!(
            hash("the minimum number is still observed", "roundstoolow", 1000),
            "yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC"
        );
    }
}
