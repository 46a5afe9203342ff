//! Whether a statement only reads, as far as its first words tell: MySQL's max_execution_time holds for those alone.

use super::{Lexer, Syntax, TokenKind, hint::begins_with_select, lexer::is_space};

/// Whether a statement is a `SELECT`, in parentheses or behind a `WITH` too. (Of what follows a `WITH`, the first of
/// SELECT, UPDATE, DELETE, INSERT and REPLACE outside of all parentheses tells.)
pub(crate) fn only_reads(sql: &[u8], syntax: &Syntax) -> bool {
    // most begin so, which needs no lexer
    if begins_with_select(sql) && sql.get(6).is_some_and(|b| is_space(*b)) {
        return true;
    }
    let mut lexer = Lexer::new(sql, syntax);
    let mut token = lexer.next_token();
    while token.kind == TokenKind::Symbol(b'(') {
        token = lexer.next_token();
    }
    let is = |kind, word: &str| matches!(kind, TokenKind::Word(text) if text.eq_ignore_ascii_case(word.as_bytes()));
    if !is(token.kind, "WITH") {
        return is(token.kind, "SELECT");
    }
    let mut depth = 0_usize;
    loop {
        match lexer.next_token().kind {
            TokenKind::Symbol(b'(') => depth += 1,
            TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
            TokenKind::End | TokenKind::Unterminated => return false,
            kind if depth == 0 && is(kind, "SELECT") => return true,
            kind if depth == 0 && ["UPDATE", "DELETE", "INSERT", "REPLACE"].iter().any(|word| is(kind, word)) => {
                return false;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_select_only_reads() {
        for (sql, reads) in [
            ("SELECT 1", true),
            ("sElEcT\t1", true),
            ("select/**/1", true),
            ("/* c */ select 1", true),
            ("((SELECT 1) UNION (SELECT 2))", true),
            ("WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a", true),
            ("WITH a AS (SELECT 1) UPDATE t, a SET x = 1", false),
            ("WITH a AS (SELECT 1) DELETE FROM t", false),
            ("INSERT INTO t SELECT 1", false),
            ("SELECTED", false),
            ("WITH a AS (SELECT 1", false),
            ("", false),
        ] {
            assert_eq!(only_reads(sql.as_bytes(), &Syntax::MYSQL), reads, "{sql}");
        }
    }
}
