//! Statements as lists, events and logs may show them: without secrets, and as clean text.

use std::{borrow::Cow, fmt::Write, ops::Range};

use super::{Lexer, Syntax, lexer::Escapes, secrets};

/// What stands in the place of a secret.
pub const SECRET: &str = "<secret>";

/// The text of a statement with its secrets replaced by [`SECRET`] and with nothing in it that could upset a terminal or
/// a log: bytes that are no UTF-8, and control characters other than newline and tab, are shown as `\xNN`.
///
/// Secrets are the literals in these places, whatever their quotes, introducers or escapes:
/// - after `IDENTIFIED … BY | AS | USING | REPLACE | PASSWORD`. If no literal stands after `IDENTIFIED … BY`, all that
///   follows is taken for a secret that somebody forgot to quote;
/// - as the value, the option or the argument of a name with "password" in it: `SET PASSWORD [FOR u] = …`, `PASSWORD(…)`,
///   `MASTER_PASSWORD = …`, `OPTIONS (PASSWORD …)`, but also `WHERE password_hash = …`;
/// - a string or a comment that seems to hold a whole statement of that kind.
///
/// What is a secret in any reading of the text is replaced: executable comments as code whatever their version, and as
/// `syntax` has them; a backslash as an escape and as none, since that depends on the server's `sql_mode` and, where it
/// may be half of a character, on the character set. A text that has an open quote or comment is replaced from the first
/// "identified" or "password" in it on.
///
/// What is not done: secrets elsewhere, such as `INSERT INTO users VALUES ('name', 'secret')` or the key of `AES_ENCRYPT`.
///
/// Borrows if there is nothing to replace.
pub fn redact<'a>(sql: &'a [u8], syntax: &Syntax) -> Cow<'a, str> {
    match secrets::keyword(sql) {
        None => clean(sql),
        Some(keyword) => {
            let ranges = ranges(sql, syntax, keyword);
            if ranges.is_empty() { clean(sql) } else { Cow::Owned(replaced(sql, ranges)) }
        }
    }
}

/// The first `count` characters (not bytes) of `text`, as `SHOW PROCESSLIST` without FULL shows 100 of them.
pub fn truncate_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

/// Where the secrets are, sorted, none touching another: those of all readings of the text together.
fn ranges(sql: &[u8], syntax: &Syntax, keyword: usize) -> Vec<Range<usize>> {
    let has = |mark: &[u8]| sql.windows(mark.len()).any(|window| window == mark);
    let other_syntax = (has(b"/*!") || has(b"/*M!") || has(b"/*T!")).then_some(*syntax);
    let other_escapes: &[Escapes] = if sql.contains(&b'\\') { &[Escapes::SingleQuotes, Escapes::None] } else { &[] };
    let mut ranges = Vec::new();
    for syntax in [Some(Syntax::EVERY_VERSION), other_syntax].into_iter().flatten() {
        let lexer = Lexer::new(sql, &syntax);
        // what one reading takes for a comment, and another for code, is looked at as code
        let in_comments = syntax == Syntax::EVERY_VERSION;
        let found = secrets::find(sql, lexer, in_comments);
        ranges.extend(found.ranges);
        if found.open {
            ranges.push(keyword..sql.len());
        }
        for escapes in other_escapes {
            let found = secrets::find(sql, lexer.escapes(*escapes), in_comments);
            ranges.extend(found.ranges);
            // A quote that is open here, and not with MySQL's escapes, mostly means that this reading is not the
            // server's: it is taken for a secret only where it stands in the place of one.
            ranges.extend(found.open_secret.map(|start| start..sql.len()));
        }
    }
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    ranges
}

fn replaced(sql: &[u8], ranges: Vec<Range<usize>>) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut shown = 0;
    for range in ranges {
        escape_into(&mut out, &sql[shown..range.start]);
        out.push_str(SECRET);
        shown = range.end;
    }
    escape_into(&mut out, &sql[shown..]);
    out
}

fn clean(sql: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(sql) {
        Ok(text) if !text.chars().any(is_unprintable) => Cow::Borrowed(text),
        _ => {
            let mut out = String::with_capacity(sql.len() + 16);
            escape_into(&mut out, sql);
            Cow::Owned(out)
        }
    }
}

fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

fn escape_into(out: &mut String, bytes: &[u8]) {
    let hex = |out: &mut String, bytes: &[u8]| {
        for b in bytes {
            write!(out, "\\x{b:02X}").expect("a String takes whatever is written");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unprintable(c) {
                hex(out, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(c);
            }
        }
        hex(out, chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_and_the_rest_is_kept() {
        for (sql, expected) in [
            ("CREATE USER u IDENTIFIED BY 'a' REQUIRE SSL", "CREATE USER u IDENTIFIED BY <secret> REQUIRE SSL"),
            (
                "create user u@h identified by 'a', v identified by 'b'",
                "create user u@h identified by <secret>, v identified by <secret>",
            ),
            ("CREATE USER u IDENTIFIED BY PASSWORD '*A' x", "CREATE USER u IDENTIFIED BY PASSWORD <secret> x"),
            ("CREATE USER u IDENTIFIED BY RANDOM PASSWORD", "CREATE USER u IDENTIFIED BY RANDOM PASSWORD"),
            (
                "CREATE USER u IDENTIFIED WITH 'p' BY 'a' PASSWORD EXPIRE",
                "CREATE USER u IDENTIFIED WITH 'p' BY <secret> PASSWORD EXPIRE",
            ),
            ("ALTER USER u IDENTIFIED WITH p AS 'a'", "ALTER USER u IDENTIFIED WITH p AS <secret>"),
            ("ALTER USER u IDENTIFIED BY 'a' REPLACE 'b'", "ALTER USER u IDENTIFIED BY <secret> REPLACE <secret>"),
            (
                "ALTER USER u IDENTIFIED VIA p USING 'a' OR q USING PASSWORD('b')",
                "ALTER USER u IDENTIFIED VIA p USING <secret> OR q USING PASSWORD(<secret>)",
            ),
            ("CREATE USER u IDENTIFIED BY ?", "CREATE USER u IDENTIFIED BY ?"),
            ("CREATE USER u IDENTIFIED BY 1234 ACCOUNT LOCK", "CREATE USER u IDENTIFIED BY <secret> <secret>"),
            ("CREATE USER u IDENTIFIED BY hun-ter2; x", "CREATE USER u IDENTIFIED BY <secret>"),
            ("CREATE USER u IDENTIFIED BY PASSWORD hunter2", "CREATE USER u IDENTIFIED BY PASSWORD <secret>"),
            ("CREATE USER u IDENTIFIED BY `hunter2`", "CREATE USER u IDENTIFIED BY <secret>"),
            ("CREATE USER u IDENTIFIED BY <secret>", "CREATE USER u IDENTIFIED BY <secret>"),
            ("SET PASSWORD = 'a'", "SET PASSWORD = <secret>"),
            ("SET PASSWORD FOR 'u'@'h' = 'a'", "SET PASSWORD FOR 'u'@'h' = <secret>"),
            (
                "SET PASSWORD FOR CURRENT_USER() := PASSWORD('a')",
                "SET PASSWORD FOR CURRENT_USER() := PASSWORD(<secret>)",
            ),
            ("SET PASSWORD = OLD_PASSWORD ( 'a' ) ", "SET PASSWORD = OLD_PASSWORD ( <secret> ) "),
            ("SELECT PASSWORD(1234), 5", "SELECT PASSWORD(<secret>), 5"),
            (
                "CHANGE MASTER TO MASTER_USER='u', MASTER_PASSWORD='a', MASTER_PORT=1",
                "CHANGE MASTER TO MASTER_USER='u', MASTER_PASSWORD=<secret>, MASTER_PORT=1",
            ),
            (
                "CREATE SERVER s OPTIONS (USER 'u', PASSWORD 'a')",
                "CREATE SERVER s OPTIONS (USER 'u', PASSWORD <secret>)",
            ),
            (
                "SET GLOBAL x_password='a', @@global.password2 = 'b', @password := 'c'",
                "SET GLOBAL x_password=<secret>, @@global.password2 = <secret>, @password := <secret>",
            ),
            (
                "UPDATE t SET `password` = 'a', n = 'b' WHERE \"password\" <> 'c'",
                "UPDATE t SET `password` = <secret>, n = 'b' WHERE \"password\" <> <secret>",
            ),
            (
                "UPDATE t SET password = SHA2('a', 256), n = 'b'",
                "UPDATE t SET password = SHA2(<secret>, <secret>), n = 'b'",
            ),
            ("SELECT REPLACE('a', 'b', 'c'), password FROM t", "SELECT REPLACE('a', 'b', 'c'), password FROM t"),
            ("SELECT password, 'x' FROM t WHERE n = 'password'", "SELECT password, 'x' FROM t WHERE n = 'password'"),
            (
                "SELECT password FROM t WHERE n = 'O\\'Brien' AND m = 1",
                "SELECT password FROM t WHERE n = 'O\\'Brien' AND m = 1",
            ),
            ("INSERT INTO t (n, password) VALUES (1)", "INSERT INTO t (n, password) VALUES (1)"),
            ("SET default_password_lifetime = 90", "SET default_password_lifetime = 90"),
            // odd quoting
            ("SET PASSWORD = N'a'; x", "SET PASSWORD = <secret>; x"),
            ("SET PASSWORD = _utf8 'a'; x", "SET PASSWORD = <secret>; x"),
            ("SET PASSWORD = 'a' \"b\" /* c */ 'd'; x", "SET PASSWORD = <secret>; x"),
            ("SET PASSWORD = 0x61; x", "SET PASSWORD = <secret>; x"),
            ("SET PASSWORD = x'61'; x", "SET PASSWORD = <secret>; x"),
            ("SET PASSWORD = x'zz'; x", "SET PASSWORD = <secret>; x"),
            ("SET PASSWORD = 'a''b' x", "SET PASSWORD = <secret> x"),
            ("SET PASSWORD = 'it\\'s' x", "SET PASSWORD = <secret> x"),
            ("SET PASSWORD = 'a'b'c' x", "SET PASSWORD = <secret> x"),
            ("SET PASSWORD = 'a'-- b\n x", "SET PASSWORD = <secret>\n x"),
            ("SET PASSWORD = 'a'/*b*/, x", "SET PASSWORD = <secret>, x"),
            ("SET PASSWORD = 'a", "SET <secret>"),
            ("SET PASSWORD = 'a'b' x", "SET <secret>"),
            ("SET PASSWORD = 'a' \\'b' x", "SET <secret>"),
            ("SELECT 1 /* x */, MASTER_PASSWORD /* y", "SELECT 1 /* x */, MASTER_<secret>"),
            // a text that NO_BACKSLASH_ESCAPES reads otherwise
            ("SET @a = '\\', PASSWORD = 'b' # '", "SET @a = '\\', PASSWORD = <secret> # '"),
            ("SET @a = '\\', PASSWORD = 'b', @c = '\\'", "SET @a = '\\', <secret>"),
            // executable comments, comments, statements in strings
            ("/*!99999 SET PASSWORD = 'a' */", "/*!99999 SET PASSWORD = <secret> */"),
            ("CREATE USER u /*!50000 IDENTIFIED BY 'a'*/", "CREATE USER u /*!50000 IDENTIFIED BY <secret>*/"),
            ("/*!99999 ' */ SET PASSWORD = 'a' /*!99999 ' */", "/*!99999 ' */ SET PASSWORD = <secret> /*!99999 ' */"),
            ("/*T! SET PASSWORD = 'a' */", "/*T! SET PASSWORD = <secret> */"),
            ("/*T![ttl] ' */ SET PASSWORD = 'a' /*T! ' */", "/*T![ttl] ' */ SET PASSWORD = <secret> /*T! ' */"),
            ("SELECT 1 /* IDENTIFIED BY 'a' */ + 1", "SELECT 1 /* <secret>*/ + 1"),
            ("SELECT 1 -- password = 'a'\n + 1", "SELECT 1 -- <secret>\n + 1"),
            ("SELECT 1 /* resets the password */ + 1", "SELECT 1 /* resets the password */ + 1"),
            ("EXECUTE IMMEDIATE 'SET PASSWORD = ''a'''", "EXECUTE IMMEDIATE <secret>"),
        ] {
            assert_eq!(redact(sql.as_bytes(), &Syntax::default()), expected, "{sql}");
        }
    }

    #[test]
    fn what_has_no_secret_is_borrowed_if_it_is_clean() {
        let syntax = Syntax::default();
        for sql in ["", "SELECT 'ä'\n\t, 1", "SELECT passwor, identifie", "SELECT `password` FROM t"] {
            assert!(matches!(redact(sql.as_bytes(), &syntax), Cow::Borrowed(text) if text == sql), "{sql}");
        }
        for (sql, expected) in [
            (&b"a\xffb\xc3"[..], "a\\xFFb\\xC3"),
            (b"a\0\r\x1b[0m\x7f", "a\\x00\\x0D\\x1B[0m\\x7F"),
            ("\u{85}ä".as_bytes(), "\\xC2\\x85ä"),
            (b"SET PASSWORD='\xff'\xff", "SET PASSWORD=<secret>"),
            (b"\xff SET PASSWORD='\xff' \xff", "\\xFF SET PASSWORD=<secret> \\xFF"),
        ] {
            assert_eq!(redact(sql, &syntax), expected);
        }
    }

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!(truncate_chars("", 3), "");
        assert_eq!(truncate_chars("äöü", 3), "äöü");
        assert_eq!(truncate_chars("äöüß", 3), "äöü");
        assert_eq!(truncate_chars("abc", 0), "");
    }
}
