//! Pairs in a text that is no SQL: `user=u;password=p`, `--password=p`, as strings, comments and names have them.

use std::ops::Range;

use super::{
    lexer::is_space,
    sensitive::{is_name, secret_at},
};

/// Where the values of the names of secrets are; `inside` is the place of the text in `sql`.
pub(super) fn secrets(sql: &[u8], inside: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let text = &sql[inside.clone()];
    let blanks = |from: usize| from + text[from..].iter().take_while(|b| is_space(**b)).count();
    let mut from = 0;
    while let Some(at) = secret_at(&text[from..]) {
        let name = from + at;
        let end = name + text[name..].iter().take_while(|b| is_name(**b)).count();
        from = end;
        let sign = blanks(end);
        if !matches!(text.get(sign), Some(b'=' | b':')) {
            continue;
        }
        let sign = if text[sign..].starts_with(b":=") { sign + 1 } else { sign };
        let start = blanks(sign + 1);
        let ends = |b: &u8| is_space(*b) || matches!(b, b',' | b';' | b'&' | b')');
        let length = text[start..].iter().position(ends).unwrap_or(text.len() - start);
        if length > 0 {
            found.push(inside.start + start..inside.start + start + length);
        }
        from = start + length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secret_names_are_found() {
        for (text, expected) in [
            ("SERVICE=h:1 USER=u@t PASSWORD=a b", &["a"][..]),
            ("user=u,password=a,host=h", &["a"]),
            ("DSN=x;UID=u;PWD=a", &["a"]),
            ("--user-password = a; x_token: b&n=c", &["a", "b"]),
            ("f(password := a) pass_hash=b", &["a", "b"]),
            ("password = ; password", &[]),
            ("password", &[]),
            ("passwordé=a", &["a"]),
            ("compass=n bypass=y token_type=z secretary=w passenger=v", &[]),
            ("password=<secret>", &["<secret>"]),
        ] {
            let found: Vec<_> = secrets(text.as_bytes(), 0..text.len()).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
