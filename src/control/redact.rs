//! Statements as lists, events and logs may show them: without secrets, and as clean text.

use std::{borrow::Cow, ops::Range};

use super::{Lexer, Syntax, lexer::Escapes, pairs, secrets, sensitive};
use crate::model::{Lines, escape_into, escaped};

/// What stands in the place of a secret.
pub const SECRET: &str = "<secret>";

/// The text of a statement with its secrets replaced by [`SECRET`] and with nothing in it that could upset a terminal or
/// a log: bytes that are no UTF-8, control characters other than newline and tab, separators of lines, and what changes the
/// direction of a text, are shown as `\xNN`, byte by byte.
///
/// Secrets are the literals in these places, whatever their quotes, introducers or escapes:
/// - after `IDENTIFIED … BY | AS | USING | REPLACE | PASSWORD`, all of a list, and after `CREATE ENCRYPTKEY … AS`. If no
///   literal stands after `IDENTIFIED … BY` or after its plugin, all that follows is taken for a secret that somebody forgot to
///   quote. So is what follows `SET PASSWORD =`, and the `BY` of a `CREATE USER` or `ALTER USER` whose `IDENTIFIED` is mistyped;
/// - in `CREATE USER` and `ALTER USER`, whatever is wrong with the rest: a string that is neither an account nor a comment;
/// - in the option, the argument, or the expression that belongs to a name of something secret, on either side of a comparison:
///   one with "password", "passwd", "passphrase", "pwd", "secret", "token", "credential" or "authentication_string" in it, with
///   `pw` or `pass` between its underscores, points or hyphens, the keys called access, account, api, encryption or private. Such
///   are `SET PASSWORD [FOR u] = …`, `PASSWORD(…)`, `MASTER_PASSWORD = …`, `OPTIONS (PASSWORD …)`, `"s3.secret_key" = "…"`,
///   `SET @pw = …`, but also `WHERE password_hash IN (…)`;
/// - within a string or a comment: what follows such a name and `=` or `:` (`PWD=…`), and in an address the password in
///   `scheme://user:password@host`, and the values of such names behind its question mark;
/// - a string or a comment that seems to hold a whole statement of that kind, and what follows a string that ends before the
///   secret of one, as in `CONCAT('ALTER USER u IDENTIFIED BY ', …)`.
///
/// What is a secret in any reading of the text is replaced: executable comments as code whatever their version, and as
/// `syntax` has them; a backslash as an escape and as none, since that depends on the server's `sql_mode` and, where it
/// may be half of a character, on the character set. A text that has an open quote or comment is replaced from the first
/// such word in it on.
///
/// What is not done: secrets elsewhere, such as `INSERT INTO users VALUES ('name', 'secret')`, the key of `AES_ENCRYPT`, or a
/// variable whose name does not tell.
///
/// Borrows if there is nothing to replace.
pub fn redact<'a>(sql: &'a [u8], syntax: &Syntax) -> Cow<'a, str> {
    match sensitive::keyword(sql) {
        None => clean(sql),
        Some(keyword) => {
            let ranges = ranges(sql, syntax, keyword);
            if ranges.is_empty() { clean(sql) } else { Cow::Owned(replaced(sql, ranges)) }
        }
    }
}

/// A name that a client chose, without the secrets in it: those of a statement, and those of pairs as in
/// `--password=secret`.
pub(super) fn redact_name(name: &str) -> String {
    let name = name.as_bytes();
    let Some(keyword) = sensitive::keyword(name) else { return clean(name).into_owned() };
    let mut ranges = ranges(name, &Syntax::MYSQL, keyword);
    ranges.extend(pairs::secrets(name, 0..name.len()));
    replaced(name, merged(ranges))
}

/// Whether [`redact`] would replace anything in a statement.
pub(crate) fn has_secret(sql: &[u8], syntax: &Syntax) -> bool {
    sensitive::keyword(sql).is_some_and(|keyword| !ranges(sql, syntax, keyword).is_empty())
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
    merged(ranges)
}

/// Sorted, none empty, none touching another.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
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
        escape_into(&mut out, &sql[shown..range.start], Lines::Kept);
        out.push_str(SECRET);
        shown = range.end;
    }
    escape_into(&mut out, &sql[shown..], Lines::Kept);
    out
}

fn clean(sql: &[u8]) -> Cow<'_, str> {
    escaped(sql, Lines::Kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_and_the_rest_is_kept() {
        let mut wrong = Vec::new();
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
            ("PREPARE p FROM 'ALTER USER u IDENTIFIED BY ''a'''", "PREPARE p FROM <secret>"),
            ("PREPARE p FROM \"SET PASSWORD = 'a'\"", "PREPARE p FROM <secret>"),
            ("SET @pw = 'a', @x_secret = 'b', @n = 'c'", "SET @pw = <secret>, @x_secret = <secret>, @n = 'c'"),
            ("SET PASSWORD = a-1; x", "SET PASSWORD = <secret>"),
            ("SET PASSWORD FOR u = a", "SET PASSWORD FOR u = <secret>"),
            ("SET PASSWORD TO RANDOM", "SET PASSWORD TO RANDOM"),
            ("SET PASSWORD FOR u TO RANDOM", "SET PASSWORD FOR u TO RANDOM"),
            ("CHANGE MASTER TO MASTER_PASSWORD=a", "CHANGE MASTER TO MASTER_PASSWORD=<secret>"),
            ("SET PASSWORD = $$a b$$; x", "SET PASSWORD = <secret>; x"),
            ("UPDATE t SET password = $x$a b$x$ WHERE n = 1", "UPDATE t SET password = <secret> WHERE n = 1"),
            ("UPDATE t SET password = $x$a b", "UPDATE t SET password = <secret>"),
            ("CREATE USER u IDENTIFIED BY $$a b$$", "CREATE USER u IDENTIFIED BY <secret>"),
            // statements about users that are not quite right
            ("CREATE USER u IDENTIFED BY 'a'", "CREATE USER u IDENTIFED BY <secret>"),
            ("CREATE USER 'u'@'h' PASWORD 'a', 'v' BY 'b'", "CREATE USER 'u'@'h' PASWORD <secret>, 'v' BY <secret>"),
            ("ALTER USER IF EXISTS 'u' IDENTIFIEDBY 'a'", "ALTER USER IF EXISTS 'u' IDENTIFIEDBY <secret>"),
            ("ALTER USER u COMMENT 'a' ATTRIBUTE '{}'", "ALTER USER u COMMENT 'a' ATTRIBUTE '{}'"),
            // properties and addresses
            (
                "EXPORT TABLE t TO 's3://b' PROPERTIES ('s3.access_key'='a', \"AWS_SECRET_KEY\" = \"b\", 'x' = 'c')",
                "EXPORT TABLE t TO 's3://b' PROPERTIES ('s3.access_key'=<secret>, \"AWS_SECRET_KEY\" = <secret>, 'x' = 'c')",
            ),
            (
                "BACKUP DATABASE * TO 's3://b/p?access-key=a&secret-access-key=b&force-path-style=true'",
                "BACKUP DATABASE * TO 's3://b/p?access-key=<secret>&secret-access-key=<secret>&force-path-style=true'",
            ),
            (
                "CREATE TABLE t (a INT) CONNECTION='mysql://u:a@h/d/t'",
                "CREATE TABLE t (a INT) CONNECTION='mysql://u:<secret>@h/d/t'",
            ),
            ("SELECT JSON_OBJECT('password', 'a', 'n', 'b')", "SELECT JSON_OBJECT('password', <secret>, 'n', 'b')"),
            ("INSERT INTO t VALUES ('{\"password\": \"a\"}')", "INSERT INTO t VALUES (<secret>)"),
            ("ALTER TABLESPACE s ENCRYPTION KEY 'a'", "ALTER TABLESPACE s ENCRYPTION KEY <secret>"),
            (
                "CREATE TABLE t (a INT) ENCRYPTION='Y', ENCRYPTION_KEY='a'",
                "CREATE TABLE t (a INT) ENCRYPTION='Y', ENCRYPTION_KEY=<secret>",
            ),
            // clauses that more than one literal belongs to
            ("SET DECRYPTION IDENTIFIED BY 'a','b'", "SET DECRYPTION IDENTIFIED BY <secret>,<secret>"),
            (
                "CREATE USER 'u' IDENTIFIED BY 'a', 'v' IDENTIFIED BY 'b'",
                "CREATE USER 'u' IDENTIFIED BY <secret>, 'v' IDENTIFIED BY <secret>",
            ),
            ("CREATE USER u IDENTIFIED BY ? 'a'", "CREATE USER u IDENTIFIED BY ? <secret>"),
            ("CREATE ENCRYPTKEY k AS \"a\"", "CREATE ENCRYPTKEY k AS <secret>"),
            (
                "SELECT keyring_key_store('k', 'AES', 'a'), 'x'",
                "SELECT keyring_key_store(<secret>, <secret>, <secret>), 'x'",
            ),
            // pairs in strings and comments
            (
                "ALTER SYSTEM SET LOG_RESTORE_SOURCE = 'SERVICE=1.2.3.4:2881 USER=r@t PASSWORD=a' TENANT = 't'",
                "ALTER SYSTEM SET LOG_RESTORE_SOURCE = 'SERVICE=1.2.3.4:2881 USER=r@t PASSWORD=<secret>' TENANT = 't'",
            ),
            (
                "CREATE TABLE t ENGINE=CONNECT OPTION_LIST='user=u,password=a,host=h' CONNECTION='DSN=x;UID=u;PWD=b'",
                "CREATE TABLE t ENGINE=CONNECT OPTION_LIST='user=u,password=<secret>,host=h' CONNECTION='DSN=x;UID=u;PWD=<secret>'",
            ),
            (
                "CREATE CATALOG c PROPERTIES (\"x\"=\"jdbc:sqlserver://h:1;user=u;password=a\", \"y\" = \"jdbc:oracle:thin:u/b@//h/s\")",
                "CREATE CATALOG c PROPERTIES (\"x\"=\"jdbc:sqlserver://h:1;user=u;password=<secret>\", \"y\" = \"jdbc:oracle:thin:u/<secret>@//h/s\")",
            ),
            ("/* password=a */ SELECT 1", "/* password=<secret> */ SELECT 1"),
            // names that have it in a part
            ("UPDATE t SET user_pass = MD5('a') WHERE n = 'b'", "UPDATE t SET user_pass = MD5(<secret>) WHERE n = 'b'"),
            ("UPDATE t SET t.pass_hash='a', n='b'", "UPDATE t SET t.pass_hash=<secret>, n='b'"),
            // statements that are put together
            (
                "SET @s = CONCAT('ALTER USER u IDENTIFIED BY ', QUOTE('a')), @n = 'b'",
                "SET @s = CONCAT('ALTER USER u IDENTIFIED BY ', QUOTE(<secret>)), @n = 'b'",
            ),
            (
                "EXECUTE IMMEDIATE CONCAT('SET PASSWORD = ', QUOTE('a'), ';')",
                "EXECUTE IMMEDIATE CONCAT('SET PASSWORD = ', QUOTE(<secret>), <secret>)",
            ),
            (
                "EXECUTE IMMEDIATE CONCAT(\"ALTER USER 'u' IDENTIFIED BY '\", 'a')",
                "EXECUTE IMMEDIATE CONCAT(<secret>, <secret>)",
            ),
            ("PREPARE s FROM 'CREATE USER u IDENTIFIED BY a'", "PREPARE s FROM <secret>"),
            ("PREPARE s FROM 'CREATE USER u IDENTIFIED BY ?'", "PREPARE s FROM 'CREATE USER u IDENTIFIED BY ?'"),
            // expressions
            ("UPDATE t SET password = d.f('a'), n = 'b'", "UPDATE t SET password = d.f(<secret>), n = 'b'"),
            ("UPDATE t SET password = `f`('a') WHERE n = 'b'", "UPDATE t SET password = `f`(<secret>) WHERE n = 'b'"),
            (
                "UPDATE t SET password = BINARY 'a' WHERE n = 'b'",
                "UPDATE t SET password = BINARY <secret> WHERE n = 'b'",
            ),
            ("UPDATE t SET password = 'a' || 'b', n = 'c'", "UPDATE t SET password = <secret> || <secret>, n = 'c'"),
            (
                "UPDATE t SET password = CASE WHEN n = 'x' AND 1 THEN 'a' ELSE 'b' END WHERE n = 'c'",
                "UPDATE t SET password = CASE WHEN n = <secret> AND <secret> THEN <secret> ELSE <secret> END WHERE n = 'c'",
            ),
            (
                "SELECT 1 FROM t WHERE password IN ('a', 'b') AND n = 'c'",
                "SELECT 1 FROM t WHERE password IN (<secret>, <secret>) AND n = 'c'",
            ),
            (
                "SELECT 1 FROM t WHERE password NOT LIKE 'a' OR n = 'b'",
                "SELECT 1 FROM t WHERE password NOT LIKE <secret> OR n = 'b'",
            ),
            (
                "SELECT 1 FROM t WHERE password BETWEEN 'a' AND 'b' AND n = 'c'",
                "SELECT 1 FROM t WHERE password BETWEEN <secret> AND <secret> AND n = 'c'",
            ),
            (
                "SELECT 1 FROM t WHERE password COLLATE utf8_bin = 'a'",
                "SELECT 1 FROM t WHERE password COLLATE utf8_bin = <secret>",
            ),
            (
                "SELECT 1 FROM t WHERE 'a' = t.password AND 'b' = n",
                "SELECT 1 FROM t WHERE <secret> = t.password AND 'b' = n",
            ),
            (
                "SELECT 1 FROM t WHERE 'a' = n AND password IS NULL",
                "SELECT 1 FROM t WHERE 'a' = n AND password IS NULL",
            ),
            (
                "SELECT 1 FROM t JOIN v ON t.token = v.token LEFT JOIN w ON w.n = 'x' WHERE n = 'y'",
                "SELECT 1 FROM t JOIN v ON t.token = v.token LEFT JOIN w ON w.n = 'x' WHERE n = 'y'",
            ),
            (
                "CREATE TABLE t (a INT) ENCRYPTION_KEY='a' COMMENT='b'",
                "CREATE TABLE t (a INT) ENCRYPTION_KEY=<secret> COMMENT='b'",
            ),
            ("UPDATE t SET password = <secret> COMMENT 'b'", "UPDATE t SET password = <secret> COMMENT 'b'"),
            // statements about users that are not right at all
            ("CREATE USER 'u' 'a'", "CREATE USER 'u' <secret>"),
            ("CREATE USER 'u'@'h' 'a', 'v'@'h'", "CREATE USER 'u'@'h' <secret>, 'v'@'h'"),
            ("CREATE USER u IDENTIFED BY a", "CREATE USER u IDENTIFED BY <secret>"),
            ("ALTER USER u IDENTIFIED WITH p a", "ALTER USER u IDENTIFIED WITH p <secret>"),
            ("ALTER USER u IDENTIFIED WITH p REQUIRE SSL", "ALTER USER u IDENTIFIED WITH p REQUIRE SSL"),
            ("SET GLOBAL PASSWORD = a", "SET GLOBAL PASSWORD = <secret>"),
            ("CREATE USER u; SELECT n FROM t GROUP BY n", "CREATE USER u; SELECT n FROM t GROUP BY n"),
            // what only looks like it
            (
                "SELECT 'x' FROM t WHERE token_type = 'a' AND secretary = 'Bob' AND passenger = 'Ann'",
                "SELECT 'x' FROM t WHERE token_type = 'a' AND secretary = 'Bob' AND passenger = 'Ann'",
            ),
            ("SELECT 'bypass=a', compass = 'n', 'x' = n FROM t", "SELECT 'bypass=a', compass = 'n', 'x' = n FROM t"),
            ("SELECT 1 FROM t WHERE n = 'password' AND m = 'a'", "SELECT 1 FROM t WHERE n = 'password' AND m = 'a'"),
            (
                "CREATE TABLE t (password VARCHAR(9) NOT NULL COMMENT 'a hash', n INT DEFAULT '5')",
                "CREATE TABLE t (password VARCHAR(9) NOT NULL COMMENT 'a hash', n INT DEFAULT '5')",
            ),
            ("SELECT 1 FROM t WHERE token = 12 AND x = 13", "SELECT 1 FROM t WHERE token = <secret> AND x = 13"),
            ("SET GLOBAL innodb_ft_min_token_size = 3", "SET GLOBAL innodb_ft_min_token_size = 3"),
        ] {
            let shown = redact(sql.as_bytes(), &Syntax::default());
            if shown != expected {
                wrong.push((sql, shown));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
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
