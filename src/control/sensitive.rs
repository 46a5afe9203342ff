//! The words that tell of secrets: without one of them in a statement there is none to look for.

use super::lexer::is_space;

/// Words that tell of a secret wherever they stand in a name.
const WORDS: [&[u8]; 11] = [
    b"identified",
    b"password",
    b"passwd",
    b"passphrase",
    b"pwd",
    b"secret",
    b"token",
    b"credential",
    b"authentication_string",
    b"encryptkey",
    b"keyring_key_store",
];

/// With one of these behind it, a word tells of something else: `token_type`, `secretary`.
const ELSE: [(&[u8], &[&[u8]]); 2] = [
    (b"token", &[b"_type", b"type", b"_size", b"_count", b"_limit", b"iz"]),
    (b"secret", &[b"ary", b"aries", b"ariat"]),
];

/// With "key" behind them, and perhaps something between, these do too: `access_key`, `account-key`, `ENCRYPTION KEY`.
const KEYS: [&[u8]; 5] = [b"access", b"account", b"api", b"encryption", b"private"];

/// These do if they are a part of a name, between its underscores, points and hyphens.
const PARTS: [&[u8]; 2] = [b"pw", b"pass"];

/// This does if it is the whole name.
const SIGNATURE: &[u8] = b"sig";

/// The place of the first word that tells of a secret, in any case; or of the first thing that may hold one without a word:
/// an address, the beginning of `CREATE USER`.
pub(super) fn keyword(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(n) = text[from..].iter().position(|b| is_first(*b)) {
        from += n;
        if tells(text, from) || is_address(text, from) || is_user_clause(text, from) {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// Whether a name tells of a secret.
pub(super) fn is_secret(name: &[u8]) -> bool {
    (0..name.len()).any(|at| tells(name, at))
}

/// The place of the first name in a text, or of the part of one, that tells of a secret.
pub(super) fn secret_at(text: &[u8]) -> Option<usize> {
    (0..text.len()).find(|at| is_first(text[*at]) && tells(text, *at))
}

/// Whether a name ends in a word that tells of a secret: its value may be a number.
pub(super) fn ends_in_secret(name: &[u8]) -> bool {
    let plain = name.to_ascii_lowercase();
    let part = plain.rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
    plain == SIGNATURE
        || PARTS.contains(&part)
        || WORDS.iter().any(|word| plain.ends_with(word))
        || plain.ends_with(b"key")
}

/// What the words begin with; `:` and `u` are for addresses and users.
fn is_first(b: u8) -> bool {
    matches!(b | 0x20, b'i' | b'p' | b's' | b't' | b'c' | b'a' | b'e' | b'k' | b'u') || b == b':'
}

fn tells(text: &[u8], at: usize) -> bool {
    let rest = &text[at..];
    if let Some(word) = WORDS.iter().find(|word| starts_with(rest, word)) {
        let after = &rest[word.len()..];
        let of_else = ELSE.iter().find(|(name, _)| name == word).map_or(&[][..], |(_, tails)| *tails);
        return !of_else.iter().any(|tail| starts_with(after, tail));
    }
    for word in KEYS {
        if starts_with(rest, word) {
            let rest = &rest[word.len()..];
            let gap = rest.iter().take_while(|b| is_space(**b) || matches!(**b, b'_' | b'-' | b'.')).count();
            return starts_with(&rest[gap..], b"key");
        }
    }
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    let bounded = |place: Option<&u8>| place.is_none_or(|b| !is_word(*b));
    let parted = |place: Option<&u8>| bounded(place) || place == Some(&b'_');
    PARTS.iter().any(|part| starts_with(rest, part) && parted(rest.get(part.len())) && parted(before))
        || (starts_with(rest, SIGNATURE) && bounded(rest.get(SIGNATURE.len())) && bounded(before))
}

/// Whether `://` stands here, or what is in the addresses of Oracle's.
fn is_address(text: &[u8], at: usize) -> bool {
    text[at..].starts_with(b"://") || starts_with(&text[at..], b":oracle:")
}

/// Whether the USER of `CREATE USER` or `ALTER USER` may stand here: shortly before it the other word does, and perhaps a
/// comment between them.
fn is_user_clause(text: &[u8], at: usize) -> bool {
    const WITHIN: usize = 100;
    if !starts_with(&text[at..], b"user") || text.get(at + 4).is_some_and(|b| is_word(*b)) {
        return false;
    }
    let before = &text[at.saturating_sub(WITHIN)..at];
    !before.last().is_some_and(|b| is_word(*b))
        && (0..before.len())
            .any(|at| [&b"create"[..], b"alter", b"replace"].iter().any(|word| starts_with(&before[at..], word)))
}

/// Whether a name may have it, or stand in one with others: `s3.secret-key`.
pub(super) fn is_name(b: u8) -> bool {
    is_word(b) || matches!(b, b'.' | b'-')
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..)
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_of_secrets() {
        for name in [
            "password",
            "PASSWORD_HASH",
            "default_authentication_password",
            "s3.secret_key",
            "fs.oss.accessKeySecret",
            "aws-access-key",
            "ENCRYPTION KEY",
            "azure.account_key",
            "private.key",
            "iceberg.oauth2.token",
            "credentials",
            "pw",
            "my-pass",
            "user_pass",
            "db.pw",
            "pass_hash",
            "encryptkey",
            "authentication_string",
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
            assert!(keyword(format!("SELECT 1, {name} = 2").as_bytes()).is_some(), "{name}");
        }
        for name in [
            "user",
            "compass",
            "pwrite",
            "keys",
            "access",
            "account_id",
            "bypass_x",
            "signal",
            "passes",
            "secre",
            "token_type",
            "min_token_size",
            "secretary",
            "passenger",
            "x_sig",
        ] {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
        assert_eq!(keyword(b"SELECT passwor, identifie, user, a:b FROM t"), None);
        assert_eq!(keyword(b"CREATE OR REPLACE  USER u"), Some(19));
        assert_eq!(keyword(b"x 's3://b'"), Some(5));
    }
}
