//! Addresses in strings: `mysql://user:password@host/db`, `s3://bucket/prefix?access-key=…&secret-access-key=…`.

use std::ops::Range;

use super::{lexer::is_space, sensitive::is_secret};

/// Where the secrets of a string are that may have addresses in it: `inside` is its place in `sql`, without its quotes.
pub(super) fn secrets(sql: &[u8], inside: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let text = &sql[inside.clone()];
    if let Some(password) = of_oracle(text) {
        found.push(inside.start + password.start..inside.start + password.end);
    }
    let mut from = 0;
    while let Some(at) = text[from..].windows(3).position(|three| three == b"://") {
        let start = from + at + 3;
        let end = text[start..].iter().position(|b| is_space(*b)).map_or(text.len(), |n| start + n);
        let address = &text[start..end];
        let place = |range: Range<usize>| inside.start + start + range.start..inside.start + start + range.end;
        let authority = address.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(address.len());
        // A password that has one of these in it goes on to the last @.
        let last = address.iter().rposition(|b| *b == b'@');
        let colon = address.iter().position(|b| *b == b':').filter(|colon| *colon < authority);
        if let (Some(colon), Some(last)) = (colon, last)
            && colon < last
        {
            found.push(place(colon + 1..last));
        }
        let query = address.iter().position(|b| *b == b'?').map_or(address.len(), |at| at + 1);
        let mut at = query;
        for pair in address[query..].split(|b| matches!(b, b'&' | b';')) {
            if let Some(equals) = pair.iter().position(|b| *b == b'=') {
                // What is written in hexadecimal may be any name.
                let name = &pair[..equals];
                if is_secret(name) || name.contains(&b'%') {
                    found.push(place(at + equals + 1..at + pair.len()));
                }
            }
            at += pair.len() + 1;
        }
        from = end;
    }
    found
}

/// The password in `jdbc:oracle:thin:user/password@…`.
fn of_oracle(text: &[u8]) -> Option<Range<usize>> {
    const MARK: &[u8] = b":oracle:";
    let start = text.windows(MARK.len()).position(|window| window.eq_ignore_ascii_case(MARK))? + MARK.len();
    let address = text[start..].split(|b| is_space(*b)).next()?;
    let last = address.iter().rposition(|b| *b == b'@')?;
    let slash = address[..last].iter().position(|b| *b == b'/')?;
    Some(start + slash + 1..start + last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_keys_in_addresses_are_found() {
        for (text, expected) in [
            ("s3://b/p?access-key=AK&secret-access-key=SK&force-path-style=true", &["AK", "SK"][..]),
            ("'s3://b/p?region=x&session-token=ST'", &["ST'"]),
            ("azure://c/p?account-name=n&account-key=AK==&sas-token=T", &["AK==", "T"]),
            ("gcs://b?credentials-file=/x&%73ecret=a", &["/x", "a"]),
            ("mysql://user:pa:ss@host:3306/db/t", &["pa:ss"]),
            ("mysql://user:p@/ss@host/db", &["p@/ss"]),
            ("a http://h:80/x b https://u:p@h c", &["p"]),
            ("http://h:80/x", &[]),
            ("http://h/x?user=a&pass=b", &["b"]),
            ("jdbc:oracle:thin:u/p/w@//h:1521/s x@y", &["p/w"]),
            ("jdbc:oracle:thin:@//h:1521/s", &[]),
            ("u:p@h", &[]),
            ("://", &[]),
            ("x://?", &[]),
        ] {
            let found: Vec<_> = secrets(text.as_bytes(), 0..text.len()).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
