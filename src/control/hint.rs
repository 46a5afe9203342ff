//! MySQL's optimizer hint that bounds a statement's time: `SELECT /*+ MAX_EXECUTION_TIME(n) */ …`.

use super::{Lexer, Number, Syntax, Token, TokenKind, lexer::is_space, resolve::number};

/// So many milliseconds a statement's own hint leaves it, in the place of max_execution_time: the first
/// `MAX_EXECUTION_TIME(n)`, or else the first `SET_VAR(max_execution_time = n)`. The hints stand right behind the statement's
/// first word, which is SELECT; a subquery's mean nothing. As in MySQL, where they are not understood they end, and
/// `MAX_EXECUTION_TIME(0)` says nothing.
///
/// Nearly no statement has one, which costs a look at its first bytes.
pub(crate) fn execution_time_hint(sql: &[u8], syntax: &Syntax) -> Option<u64> {
    // nearly every text begins so, and needs no closer look
    if let Some(&[a, b, c, d, e, f, b' ', next]) = sql.first_chunk()
        && is_select([a, b, c, d, e, f])
        && !is_space(next)
        && next != b'/'
    {
        return None;
    }
    let text = past_space(sql);
    let behind = match text {
        [b's' | b'S', ..] if begins_with_select(text) => &text[6..],
        [b'/' | b'#' | b'-' | b'(', ..] => &sql[behind_select(sql, syntax)?..],
        _ => return None,
    };
    let hints = past_space(behind).strip_prefix(b"/*+")?;
    let end = hints.windows(2).position(|two| two == b"*/")?;
    Hints { lexer: Lexer::new(&hints[..end], syntax) }.read()
}

/// In any case. Of all bytes, only the two cases of a letter become that letter by this.
fn is_select([a, b, c, d, e, f]: [u8; 6]) -> bool {
    let (first, rest) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]));
    first | 0x2020_2020 == u32::from_be_bytes(*b"sele") && rest | 0x2020 == u16::from_be_bytes(*b"ct")
}

/// Whether these are the first letters, whatever follows them.
pub(super) fn begins_with_select(text: &[u8]) -> bool {
    text.first_chunk().is_some_and(|word| is_select(*word))
}

fn past_space(mut text: &[u8]) -> &[u8] {
    while let [b, rest @ ..] = text
        && is_space(*b)
    {
        text = rest;
    }
    text
}

/// The place behind the SELECT that a statement begins with, behind comments and parentheses.
fn behind_select(sql: &[u8], syntax: &Syntax) -> Option<usize> {
    let mut lexer = Lexer::new(sql, syntax);
    loop {
        match lexer.next_token() {
            Token { kind: TokenKind::Symbol(b'('), .. } => {}
            Token { kind: TokenKind::Word(word), end, .. } if word.eq_ignore_ascii_case(b"SELECT") => return Some(end),
            _ => return None,
        }
    }
}

struct Hints<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Hints<'a> {
    fn read(&mut self) -> Option<u64> {
        let mut set = None;
        while let TokenKind::Word(name) = self.lexer.next_token().kind {
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            let ours = match name {
                _ if is(b"MAX_EXECUTION_TIME") => match self.time() {
                    Some(0) => Some(()),
                    Some(time) => return Some(time),
                    None => None,
                },
                _ if is(b"SET_VAR") => self.variable().map(|value| set = set.or(value)),
                _ => self.other(),
            };
            // What follows a mistake is no hint.
            if ours.is_none() {
                break;
            }
        }
        set
    }

    fn symbol(&mut self, symbol: u8) -> Option<()> {
        (self.lexer.next_token().kind == TokenKind::Symbol(symbol)).then_some(())
    }

    fn number(&mut self) -> Option<u64> {
        match self.lexer.next_token().kind {
            TokenKind::Number(digits @ Number::Integer(_)) => {
                number(digits).and_then(|value| u64::try_from(value).ok())
            }
            _ => None,
        }
    }

    /// `(n)`
    fn time(&mut self) -> Option<u64> {
        self.symbol(b'(')?;
        let time = self.number()?;
        self.symbol(b')')?;
        Some(time)
    }

    /// `(name = value)`; the value if the name is that one and the value a number.
    fn variable(&mut self) -> Option<Option<u64>> {
        self.symbol(b'(')?;
        let TokenKind::Word(name) = self.lexer.next_token().kind else { return None };
        self.symbol(b'=')?;
        let value = Self { lexer: self.lexer }.number();
        self.lexer.next_token();
        self.symbol(b')')?;
        Some(value.filter(|_| name.eq_ignore_ascii_case(b"max_execution_time")))
    }

    /// Another hint, with what stands in its parentheses.
    fn other(&mut self) -> Option<()> {
        self.symbol(b'(')?;
        loop {
            match self.lexer.next_token().kind {
                TokenKind::Symbol(b')') => return Some(()),
                TokenKind::Symbol(b'(') | TokenKind::End | TokenKind::Unterminated => return None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_hint_of_the_first_select_bounds_it() {
        for (sql, time) in [
            ("SELECT /*+ MAX_EXECUTION_TIME(1500) */ 1", Some(1500)),
            ("select/*+max_execution_time(5)*/1", Some(5)),
            (" \n/* app */ SELECT \t/*+ MAX_EXECUTION_TIME( 7 ) */ 1", Some(7)),
            ("(SELECT /*+ MAX_EXECUTION_TIME(7) */ 1)", Some(7)),
            ("SELECT /*+ BKA(t1, t2) QB_NAME(`q)1`) MAX_EXECUTION_TIME(8) MAX_EXECUTION_TIME(9) */ 1", Some(8)),
            ("SELECT /*+ SET_VAR(max_execution_time = 6) */ 1", Some(6)),
            ("SELECT /*+ SET_VAR(max_execution_time = 0) */ 1", Some(0)),
            (
                "SELECT /*+ SET_VAR(sql_mode = 'x') SET_VAR(max_execution_time=6) SET_VAR(max_execution_time=7)*/ 1",
                Some(6),
            ),
            ("SELECT /*+ SET_VAR(max_execution_time=6) MAX_EXECUTION_TIME(5) */ 1", Some(5)),
            ("SELECT /*+ MAX_EXECUTION_TIME(5) nonsense! */ 1", Some(5)),
            ("SELECT /*+ nonsense! MAX_EXECUTION_TIME(5) */ 1", None),
            ("SELECT /*+ MAX_EXECUTION_TIME(0) */ 1", None),
            ("SELECT /*+ MAX_EXECUTION_TIME(-5) */ 1", None),
            ("SELECT /*+ MAX_EXECUTION_TIME(1.5) */ 1", None),
            ("SELECT /*+ MAX_EXECUTION_TIME() */ 1", None),
            ("SELECT /*+ MAX_EXECUTION_TIME(5) 1", None),
            ("SELECT /* + MAX_EXECUTION_TIME(5) */ 1", None),
            ("SELECT /* x */ /*+ MAX_EXECUTION_TIME(5) */ 1", None),
            ("SELECT 1, (SELECT /*+ MAX_EXECUTION_TIME(5) */ 1)", None),
            ("SELECT 1 /*+ MAX_EXECUTION_TIME(5) */", None),
            ("INSERT /*+ MAX_EXECUTION_TIME(5) */ INTO t SELECT 1", None),
            ("INSERT INTO t SELECT /*+ MAX_EXECUTION_TIME(5) */ 1", None),
            ("SELECTED /*+ MAX_EXECUTION_TIME(5) */", None),
            ("SELECT", None),
            ("SELECT 1", None),
            ("sElEcT /*+MAX_EXECUTION_TIME(5)*/1", Some(5)),
            ("\x13ELECT /*+ MAX_EXECUTION_TIME(5) */ 1", None),
            ("", None),
        ] {
            assert_eq!(execution_time_hint(sql.as_bytes(), &Syntax::MYSQL), time, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(hints in ".*", behind in any::<Vec<u8>>()) {
            let mut sql = format!("SELECT /*+ {hints}").into_bytes();
            sql.extend(behind);
            let _ = execution_time_hint(&sql, &Syntax::MARIADB);
        }
    }
}
