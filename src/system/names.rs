//! Which system tables a statement mentions. Most mention none, and are found out by a look at their bytes.

use crate::control::{Lexer, Syntax, TokenKind};

/// Which of `known` (database and table) the statement mentions, by their places there, each once and in their order. Empty
/// for all that is not a question: `SHOW`, `EXPLAIN` and others are not looked into.
///
/// A name without a database counts if `current` is its table's. Names are those of tables where a table can stand: see
/// [`Clauses`]. More may count than are tables, behind the `FROM` of `EXTRACT` or in a list of a join's columns, which
/// costs the filling of a table that nobody reads; a table always counts.
pub(crate) fn mentioned(sql: &[u8], syntax: &Syntax, current: Option<&str>, known: &[(&str, &str)]) -> Vec<usize> {
    // By the last bytes first, which are rarer than the first: most statements end here.
    let possible = known.iter().any(|(database, table)| {
        let names_it = current.is_some_and(|current| current.eq_ignore_ascii_case(database));
        contains(sql, table.as_bytes()) && (names_it || contains(sql, database.as_bytes()))
    });
    if !possible || !is_question(sql, syntax) {
        return Vec::new();
    }
    let (mut lexer, mut found) = (Lexer::new(sql, syntax), vec![false; known.len()]);
    let mut clauses = Clauses::default();
    // The name before the last token, if that is a dot.
    let (mut before, mut dotted): (Option<String>, bool) = (None, false);
    loop {
        let token = lexer.next_token();
        if !dotted {
            clauses.pass(token.kind);
        }
        let name = match token.kind {
            TokenKind::Word(word) => Some(String::from_utf8_lossy(word).into_owned()),
            TokenKind::QuotedIdent(text) => Some(text.to_string_lossy()),
            TokenKind::Symbol(b'.') if before.is_some() && !dotted => {
                dotted = true;
                continue;
            }
            TokenKind::End | TokenKind::Unterminated => break,
            _ => None,
        };
        let database = if dotted { before.as_deref() } else { current };
        let database = database.filter(|_| clauses.table);
        if let (Some(name), Some(database)) = (&name, database) {
            for ((of, table), found) in known.iter().zip(&mut found) {
                *found |= table.eq_ignore_ascii_case(name) && of.eq_ignore_ascii_case(database);
            }
        }
        (before, dotted) = (name, false);
    }
    found.iter().enumerate().filter_map(|(place, found)| found.then_some(place)).collect()
}

/// Where in a statement tables can stand: behind `FROM` and `JOIN`, and, within a clause that begins so, behind a comma or
/// an opening parenthesis.
#[derive(Default)]
struct Clauses {
    /// For each parenthesis that is open, whether it stands in such a clause.
    outer: Vec<bool>,
    /// Whether this place is in such a clause.
    from: bool,
    /// Whether the name at this place, with its database before it, can be a table's.
    table: bool,
    /// Whether the next one can.
    next: bool,
}

impl Clauses {
    /// Goes on by one token, which does not stand behind a dot, nor is a dot behind a name.
    fn pass(&mut self, kind: TokenKind<'_>) {
        if kind == TokenKind::Symbol(b'.') {
            return;
        }
        self.table = std::mem::take(&mut self.next);
        match kind {
            TokenKind::Symbol(b'(') => {
                self.outer.push(self.from);
                self.next = self.from;
            }
            TokenKind::Symbol(b')') => self.from = self.outer.pop().unwrap_or(false),
            TokenKind::Symbol(b',') => self.next = self.from,
            TokenKind::Word(word) => {
                let is = |known: &&str| word.eq_ignore_ascii_case(known.as_bytes());
                if BEGIN.iter().any(&is) {
                    (self.from, self.next) = (true, true);
                } else if END.iter().any(&is) {
                    self.from = false;
                }
            }
            _ => {}
        }
    }
}

/// Behind these stands a table.
const BEGIN: [&str; 3] = ["FROM", "JOIN", "STRAIGHT_JOIN"];

/// These end the list of tables. They are reserved: none is an alias.
const END: [&str; 8] = ["SELECT", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "WITH"];

/// Whether it begins as questions do.
fn is_question(sql: &[u8], syntax: &Syntax) -> bool {
    let mut lexer = Lexer::new(sql, syntax);
    loop {
        match lexer.next_token().kind {
            TokenKind::Symbol(b'(') => {}
            TokenKind::Word(word) => {
                return ["SELECT", "WITH"].iter().any(|first| word.eq_ignore_ascii_case(first.as_bytes()));
            }
            _ => return false,
        }
    }
}

/// Whether `wanted`, which is ASCII, stands anywhere in the text, in letters of either case.
fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let Some((&last, rest)) = wanted.split_last() else { return true };
    if text.len() < wanted.len() {
        return false;
    }
    let (lower, upper) = (last.to_ascii_lowercase(), last.to_ascii_uppercase());
    let ends = text[rest.len()..].iter().enumerate().filter(|(_, b)| **b == lower || **b == upper);
    ends.into_iter().any(|(at, _)| text[at..at + rest.len()].eq_ignore_ascii_case(rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [(&str, &str); 3] = [
        ("information_schema", "PROCESSLIST"),
        ("performance_schema", "processlist"),
        ("performance_schema", "threads"),
    ];

    fn places(sql: &str, current: Option<&str>) -> Vec<usize> {
        mentioned(sql.as_bytes(), &Syntax::default(), current, &KNOWN)
    }

    #[test]
    fn tables_are_found_where_they_are_names() {
        let schema = Some("Information_Schema");
        for (sql, current, expected) in [
            ("SELECT * FROM information_schema.processlist", None, &[0][..]),
            ("select 1 from INFORMATION_SCHEMA . `processlist` p", None, &[0]),
            ("(WITH x AS (SELECT 1) SELECT * FROM `performance_schema`.`threads`, x)", None, &[2]),
            ("SELECT * FROM performance_schema.threads t JOIN information_schema.processlist p", None, &[0, 2]),
            ("SELECT * FROM information_schema.processlist a, information_schema.processlist b", None, &[0]),
            ("/*!40101 SELECT */ * FROM information_schema./*!99999 x*/processlist", None, &[0]),
            ("SELECT * FROM information_schema/* . */.processlist", None, &[0]),
            ("SELECT 1 /*!40101 FROM information_schema.processlist */", None, &[0]),
            ("SELECT * FROM PROCESSLIST", schema, &[0]),
            ("SELECT * FROM performance_schema.processlist", schema, &[1]),
            ("SELECT * FROM processlist", None, &[]),
            ("SELECT * FROM processlist", Some("shop"), &[]),
            ("SELECT * FROM threads, information_schema.tables", Some("shop"), &[]),
            ("SELECT * FROM shop.processlist, information_schema.tables", None, &[]),
            ("SELECT * FROM information_schema.processlists", None, &[]),
            ("SELECT * FROM (processlist)", schema, &[0]),
            ("SELECT * FROM (x, (processlist p JOIN y))", schema, &[0]),
            ("SELECT * FROM x a, `processlist`", schema, &[0]),
            ("SELECT * FROM (SELECT 1, 2 FROM x) a, processlist", schema, &[0]),
            ("SELECT * FROM x JOIN y ON f(x.a, 1) = (y.b), processlist", schema, &[0]),
            ("SELECT * FROM x NATURAL LEFT OUTER JOIN performance_schema.threads", schema, &[2]),
            ("SELECT * FROM x STRAIGHT_JOIN processlist USING (id)", schema, &[0]),
            ("SELECT * FROM x JOIN y ON x.where = y.`select`, processlist", schema, &[0]),
            ("SELECT * FROM x `where`, processlist", schema, &[0]),
            ("SELECT 1 FROM x WHERE id IN (SELECT id FROM processlist)", schema, &[0]),
            ("SELECT 1 FROM x WHERE EXISTS (SELECT 1 FROM y, processlist)", schema, &[0]),
            ("SELECT (SELECT COUNT(*) FROM processlist), 2", schema, &[0]),
            ("SELECT 1 UNION SELECT 2 FROM processlist", schema, &[0]),
            ("WITH RECURSIVE a (x) AS (SELECT 1 FROM processlist) SELECT * FROM a", schema, &[0]),
            ("SELECT SLEEP(0) AS processlist", schema, &[]),
            ("SELECT table_name AS processlist FROM tables", schema, &[]),
            ("SELECT processlist, 1, processlist FROM tables", schema, &[]),
            ("SELECT 1 FROM tables processlist", schema, &[]),
            ("SELECT 1 FROM tables AS processlist, x AS `processlist`", schema, &[]),
            ("SELECT 1 FROM tables WHERE f(1, processlist) ORDER BY 1, processlist", schema, &[]),
            ("SELECT 1 FROM tables t WHERE t.processlist = 1 GROUP BY (processlist)", schema, &[]),
            ("SELECT information_schema.processlist FROM tables", schema, &[]),
            ("SELECT 'information_schema.processlist'", None, &[]),
            ("SELECT 1 # FROM information_schema.processlist", None, &[]),
            ("SELECT 1 /*!99999 FROM information_schema.processlist */", None, &[]),
            ("INSERT INTO x SELECT * FROM information_schema.processlist", None, &[]),
            ("EXPLAIN SELECT * FROM information_schema.processlist", None, &[]),
            ("SHOW PROCESSLIST", schema, &[]),
            ("KILL 5", schema, &[]),
            ("", schema, &[]),
        ] {
            assert_eq!(places(sql, current), expected, "{sql}");
        }
    }

    #[test]
    fn bytes_are_found_in_either_case() {
        for (text, wanted, found) in [
            ("xAbC", "abc", true),
            ("ab", "abc", false),
            ("aabc", "ABC", true),
            ("", "a", false),
            ("ababc", "abc", true),
        ] {
            assert_eq!(contains(text.as_bytes(), wanted.as_bytes()), found, "{text} {wanted}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(sql in prop::collection::vec(any::<u8>(), 0..40), tail in "[ .`'()a-z]{0,40}") {
            let mut all = b"SELECT * FROM information_schema.processlist ".to_vec();
            all.extend(&sql);
            all.extend(tail.as_bytes());
            prop_assert!(mentioned(&all, &Syntax::default(), None, &KNOWN).contains(&0));
            let _ = mentioned(&sql, &Syntax::default(), Some("performance_schema"), &KNOWN);
        }
    }
}
