//! Whether a statement could be one of ours at all: a look at its bytes, since most are not and parsing costs a
//! hundred times as much.

/// Longer texts are never ours: no client sends such a question of its own accord.
const LONGEST: usize = 64 << 10;

/// The databases whose tables are the server's own.
pub(super) const CATALOGUES: [&str; 3] = ["information_schema", "performance_schema", "mysql"];

/// What a statement begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    Select,
    Set,
    Show,
    /// `BEGIN`, `START`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `RELEASE`.
    Transaction,
    Use,
    /// `DESCRIBE`, `DESC`.
    Describe,
}

/// Whether [`ClientState::answer`](super::ClientState::answer) may have an answer to this statement. `false` is final
/// and costs a few nanoseconds; a server asks it before it gathers its [`Facts`](super::Facts).
///
/// `database` is the session's current one: in `information_schema`, tables need no prefix.
pub fn concerns(sql: &str, database: Option<&str>) -> bool {
    lead(sql, database).is_some()
}

/// What a statement that could be ours begins with, and its text without what stands before that.
pub(super) fn lead<'a>(sql: &'a str, database: Option<&str>) -> Option<(Lead, &'a str)> {
    if sql.len() > LONGEST {
        return None;
    }
    let body = body(sql);
    let (word, rest) = first_word(body);
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    let lead = match word.len() {
        3 if is("SET") => Lead::Set,
        3 if is("USE") => Lead::Use,
        4 if is("SHOW") => Lead::Show,
        4 if is("DESC") => Lead::Describe,
        5 if is("BEGIN") || is("START") => Lead::Transaction,
        6 if is("SELECT") => return select_is_ours(rest.as_bytes(), database).then_some((Lead::Select, body)),
        6 if is("COMMIT") => Lead::Transaction,
        7 if is("RELEASE") => Lead::Transaction,
        8 if is("ROLLBACK") => Lead::Transaction,
        8 if is("DESCRIBE") => Lead::Describe,
        9 if is("SAVEPOINT") => Lead::Transaction,
        _ => return None,
    };
    Some((lead, body))
}

/// The statement without blanks and comments before it, and out of the `/*!40101 … */` that dumps wrap theirs in.
pub(super) fn body(sql: &str) -> &str {
    let start = &sql[skip_blanks(sql.as_bytes(), 0)..];
    let Some(hint) = start.strip_prefix("/*!") else { return start };
    let inner = hint.trim_start_matches(|c: char| c.is_ascii_digit());
    match inner.split_once("*/") {
        Some((inner, after)) if after.bytes().all(|b| b.is_ascii_whitespace() || b == b';') => inner.trim_start(),
        _ => start,
    }
}

/// The leading run of letters, and the rest.
pub(super) fn first_word(body: &str) -> (&str, &str) {
    body.split_at(body.bytes().position(|b| !is_word(b)).unwrap_or(body.len()))
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

/// Where the next thing that is neither blank nor comment begins. `/*!` is no comment.
pub(super) fn skip_blanks(sql: &[u8], mut at: usize) -> usize {
    loop {
        at += sql[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = &sql[at..];
        let comment = match rest {
            [b'/', b'*', b'!', ..] => return at,
            [b'/', b'*', ..] => rest[2..].windows(2).position(|w| w == b"*/").map_or(rest.len(), |end| end + 4),
            [b'#', ..] | [b'-', b'-'] => line(rest),
            [b'-', b'-', blank, ..] if blank.is_ascii_whitespace() => line(rest),
            _ => return at,
        };
        at += comment;
    }
}

fn line(rest: &[u8]) -> usize {
    rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |end| end + 1)
}

/// Whether a SELECT (its text behind that word) names a variable or one of our functions and no table, or a table of a
/// catalogue.
fn select_is_ours(sql: &[u8], database: Option<&str>) -> bool {
    let (mut at, mut depth, mut wanted) = (0, 0usize, false);
    loop {
        at = skip_blanks(sql, at);
        let Some(&b) = sql.get(at) else { return wanted };
        match b {
            b'\'' | b'"' => at = behind_quote(sql, at),
            b'`' => at += 1 + sql[at + 1..].iter().position(|b| *b == b'`').map_or(sql.len() - at - 1, |end| end + 1),
            b'@' => {
                wanted = true;
                at += 1;
            }
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b if is_word(b) => {
                let end = at + sql[at..].iter().take_while(|b| is_word(**b)).count();
                let word = &sql[at..end];
                at = end;
                if depth == 0 && word.eq_ignore_ascii_case(b"FROM") {
                    match source(sql, at, database) {
                        Source::Dual => {}
                        Source::Catalogue => return true,
                        Source::Other => return false,
                    }
                } else if !wanted && is_ours(word) {
                    wanted = word.len() >= 12 || sql.get(skip_blanks(sql, at)) == Some(&b'(');
                }
            }
            _ => at += 1,
        }
    }
}

/// What a SELECT reads from.
enum Source {
    Dual,
    Catalogue,
    Other,
}

fn source(sql: &[u8], at: usize, database: Option<&str>) -> Source {
    let at = skip_blanks(sql, at);
    let start = at + usize::from(sql.get(at) == Some(&b'`'));
    let rest = sql.get(start..).unwrap_or_default();
    let word = &rest[..rest.iter().take_while(|b| is_word(**b)).count()];
    let same = |name: &&str| word.eq_ignore_ascii_case(name.as_bytes());
    if start == at && word.eq_ignore_ascii_case(b"DUAL") {
        Source::Dual
    } else if CATALOGUES.iter().any(same) || database.is_some_and(is_catalogue) {
        Source::Catalogue
    } else {
        Source::Other
    }
}

pub(super) fn is_catalogue(database: &str) -> bool {
    CATALOGUES.iter().any(|c| c.eq_ignore_ascii_case(database))
}

/// Whether a word is a function that only this module answers. Those of 12 letters and more need no parentheses.
fn is_ours(word: &[u8]) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    match word.len() {
        3 => any(&["NOW"]),
        4 => any(&["USER"]),
        6 => any(&["SCHEMA"]),
        7 => any(&["VERSION", "SYSDATE", "CURDATE"]),
        8 => any(&["DATABASE"]),
        9 => any(&["LOCALTIME"]),
        11 => any(&["SYSTEM_USER"]),
        12 => any(&["SESSION_USER", "CURRENT_USER", "CURRENT_DATE", "CURRENT_ROLE"]),
        13 => any(&["CONNECTION_ID", "UTC_TIMESTAMP"]),
        14 => any(&["LAST_INSERT_ID", "UNIX_TIMESTAMP", "LOCALTIMESTAMP"]),
        17 => any(&["CURRENT_TIMESTAMP"]),
        _ => false,
    }
}

/// Where the text goes on behind the quote that opens at `start`.
pub(super) fn behind_quote(sql: &[u8], start: usize) -> usize {
    let quote = sql[start];
    let mut at = start + 1;
    while let Some(&b) = sql.get(at) {
        at += if b == b'\\' { 2 } else { 1 };
        if b == quote {
            break;
        }
    }
    at.min(sql.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_statements_are_not_parsed() {
        for sql in [
            "SELECT 1",
            "SELECT 'x'",
            "select 'a@b', \"VERSION()\", `NOW`",
            "INSERT INTO t VALUES (1, NOW(), @x)",
            "UPDATE t SET a = NOW()",
            "SELECT a, NOW() FROM t",
            "SELECT * FROM t WHERE id = @x",
            "SELECT user, version FROM accounts",
            "SELECT version, database",
            "SELECT EXTRACT(YEAR FROM d) FROM t WHERE c = CURRENT_USER()",
            "SELECT COUNT(*) FROM `orders`",
            "SELECT SLEEP(0.5)",
            "SELECT * FROM seq(100)",
            "/* @@version */ SELECT 1 -- @@version\n # VERSION()",
            "SELECT * FROM mysqlx.t",
            "(SELECT @@version)",
            "SETTINGS",
            "SHOWN",
            "",
            ";",
            "/*",
            "/*!",
            "--",
            "SELECT '",
            "SELECT `",
            "SELECT '\\",
            "XA START 'a'",
            "KILL 3",
        ] {
            assert_eq!(lead(sql, Some("shop")), None, "{sql}");
        }
        assert_eq!(lead(&format!("SELECT @@version, '{}'", "x".repeat(LONGEST)), None), None);
    }

    #[test]
    fn what_could_be_ours_is_parsed() {
        for (sql, expected) in [
            ("SELECT @@version", Lead::Select),
            ("select version ( )", Lead::Select),
            ("SELECT 1, database()", Lead::Select),
            ("SELECT CURRENT_USER", Lead::Select),
            ("SELECT/**/@x", Lead::Select),
            ("SELECT 1 FROM dual WHERE @x", Lead::Select),
            ("SELECT * FROM information_schema.tables", Lead::Select),
            ("SELECT *\n FROM /* c */ `Information_Schema`.`tables`", Lead::Select),
            ("SELECT * FROM mysql.user", Lead::Select),
            ("SELECT EXTRACT(YEAR FROM NOW())", Lead::Select),
            ("  -- hello\n# there\n/* you */ SET x=1", Lead::Set),
            ("--\nSET x=1", Lead::Set),
            ("/*!40101 SET NAMES utf8 */;", Lead::Set),
            ("/*!50000 SHOW*/ VARIABLES", Lead::Show),
            ("bEgIn", Lead::Transaction),
            ("use`a`", Lead::Use),
            ("DESC t", Lead::Describe),
        ] {
            // The wrapped beginning of a longer text is the one form that is not looked into.
            let expected = (!sql.starts_with("/*!50000")).then_some(expected);
            assert_eq!(lead(sql, None).map(|(lead, _)| lead), expected, "{sql}");
        }
        assert!(concerns("SELECT * FROM tables", Some("INFORMATION_SCHEMA")));
        assert_eq!(body("/*!40101 SET a=1 */ ;"), "SET a=1 ");
    }
}
