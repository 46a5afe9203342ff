//! The splitter: one text with several statements as several.

use std::ops::Range;

use super::{Lexer, Syntax, TokenKind, lexer::is_space, program::Program};

/// The statements of `sql`, as ranges of bytes.
///
/// They are parted by semicolons outside quotes and comments, executable comments included. White space around a
/// statement is left out, its comments are kept. What holds nothing but comments is no statement. A quote or a comment
/// that is not closed belongs to the last statement with all that follows. Each is found when it is asked for.
///
/// The semicolons in the body of a stored program that is created, of an event that is altered, and of the blocks that MariaDB
/// takes as statements (`BEGIN NOT ATOMIC`, `IF`, `LOOP` and their like), part no statements; beyond that it knows no grammar.
pub fn split<'a>(sql: &'a [u8], syntax: &Syntax) -> Statements<'a> {
    Statements { sql, lexer: Lexer::new(sql, syntax) }
}

/// The first statement of `sql`, and where the text after its semicolon begins if there is another statement in it.
///
/// An empty range means that there is no statement (MySQL: 1065 `Query was empty`).
pub fn first_statement(sql: &[u8], syntax: &Syntax) -> (Range<usize>, Option<usize>) {
    let mut statements = split(sql, syntax);
    let first = statements.next().unwrap_or(0..0);
    (first, statements.rest())
}

/// The iterator that [`split`] returns.
#[derive(Clone, Debug)]
pub struct Statements<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
}

impl Statements<'_> {
    /// Where the text that has not been looked at begins, behind white space, if there is a statement in it.
    pub fn rest(&self) -> Option<usize> {
        if self.lexer.position() == self.sql.len() && !self.lexer.in_executable_comment() {
            return None;
        }
        let mut ahead = self.lexer;
        loop {
            match ahead.next_token().kind {
                TokenKind::End => return None,
                TokenKind::Symbol(b';') if !ahead.in_executable_comment() => {}
                _ => break,
            }
        }
        let rest = self.sql.get(self.lexer.position()..).unwrap_or_default();
        Some(self.lexer.position() + rest.iter().take_while(|b| is_space(**b)).count())
    }

    /// The range without the white space around it.
    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let text = &self.sql[range.clone()];
        let before = text.iter().take_while(|b| is_space(**b)).count();
        let after = text[before..].iter().rev().take_while(|b| is_space(**b)).count();
        range.start + before..range.end - after
    }
}

impl Iterator for Statements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let mut begin = self.lexer.position();
        let (mut any, mut program) = (false, Program::default());
        // one scan spares the lexer's work on the last statement, which mostly is the only one
        let last = !self.sql[begin..].contains(&b';');
        if last && self.sql[begin..].first().is_some_and(u8::is_ascii_alphabetic) && !self.lexer.in_executable_comment()
        {
            // a word begins it, so it is one: nearly every text is like that
            self.lexer.skip_to_end();
            return Some(self.trimmed(begin..self.sql.len()));
        }
        loop {
            let token = self.lexer.next_token();
            program.see(&token);
            match token.kind {
                TokenKind::End if any => return Some(self.trimmed(begin..token.start)),
                TokenKind::End => return None,
                TokenKind::Symbol(b';') if !self.lexer.in_executable_comment() && !program.is_open() => {
                    if any {
                        return Some(self.trimmed(begin..token.start));
                    }
                    (begin, program) = (token.end, Program::default());
                }
                TokenKind::Unterminated => {
                    self.lexer.skip_to_end();
                    return Some(self.trimmed(begin..self.sql.len()));
                }
                _ if last => {
                    self.lexer.skip_to_end();
                    return Some(self.trimmed(begin..self.sql.len()));
                }
                _ => any = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces<'a>(sql: &'a str, syntax: &Syntax) -> Vec<&'a str> {
        split(sql.as_bytes(), syntax).map(|range| &sql[range]).collect()
    }

    #[test]
    fn semicolons_outside_quotes_and_comments_part_statements() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" \n", &[]),
            (";; ;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            (" SELECT 1 ; ", &["SELECT 1"]),
            ("SELECT 1;;SELECT 2", &["SELECT 1", "SELECT 2"]),
            ("SELECT ';', \";\", `;`, @';', x'3b'; b", &["SELECT ';', \";\", `;`, @';', x'3b'", "b"]),
            (r"SELECT '\';', 'a'';'; b", &[r"SELECT '\';', 'a'';'", "b"]),
            ("a # ;\n; b -- ;\n; c /* ; */; d --;", &["a # ;", "b -- ;", "c /* ; */", "d --"]),
            ("/* only */ ; -- comments;", &[]),
            ("/* kept */ a /* too */;", &["/* kept */ a /* too */"]),
            ("a /*! ; b */; c", &["a /*! ; b */", "c"]),
            ("a /*!50000 ; b; */; c", &["a /*!50000 ; b; */", "c"]),
            ("a /*!99999 ; b */; c", &["a /*!99999 ; b */", "c"]),
            ("/*!99999 a */; b", &["b"]),
            ("/*!50000 '*/; ' */ a; b", &["/*!50000 '*/; ' */ a", "b"]),
            ("a; 'b; c", &["a", "'b; c"]),
            ("a; /* b; c", &["a", "/* b; c"]),
            ("a; /*! 'b; c", &["a", "/*! 'b; c"]),
            ("a; /*! b; c", &["a", "/*! b; c"]),
            ("a; /*!", &["a", "/*!"]),
            ("ä;ö", &["ä", "ö"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(pieces(sql, &Syntax::default()), *expected, "{sql}");
        }
    }

    #[test]
    fn the_first_statement_comes_with_the_place_of_the_rest() {
        let syntax = Syntax::default();
        for (sql, first, rest) in [
            ("", "", None),
            (" ; -- x", "", None),
            ("a", "a", None),
            ("a;", "a", None),
            (" a ; ;\n-- done", "a", None),
            ("a; b; c", "a", Some("b; c")),
            (";a;;b", "a", Some(";b")),
            ("a; 'b", "a", Some("'b")),
            ("a; /* b", "a", Some("/* b")),
            ("a; /*!99999 b */", "a", None),
        ] {
            let (range, at) = first_statement(sql.as_bytes(), &syntax);
            assert_eq!((&sql[range], at.map(|at| &sql[at..])), (first, rest), "{sql}");
        }
    }
}
