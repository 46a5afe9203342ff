//! The statement's tokens, with the parentheses matched.

use crate::{
    control::{Lexer, Syntax, Token, TokenKind, syntax_error},
    model::SqlError,
};

/// So deep parentheses may be nested.
const DEEPEST: usize = 100;

/// The tokens of one statement.
pub(super) struct Tokens<'a> {
    pub(super) sql: &'a [u8],
    all: Vec<Token<'a>>,
    /// For each opening parenthesis the place of its closing one; for other tokens their own.
    closing: Vec<usize>,
}

impl<'a> Tokens<'a> {
    /// # Errors
    /// 1064: a quote, a comment or a parenthesis that is not closed, or a second statement.
    pub(super) fn read(sql: &'a [u8], syntax: &Syntax) -> Result<Self, SqlError> {
        let (mut lexer, mut all, mut closing, mut open) = (Lexer::new(sql, syntax), Vec::new(), Vec::new(), Vec::new());
        let mut over = false;
        loop {
            let token = lexer.next_token();
            match token.kind {
                TokenKind::End => break,
                TokenKind::Unterminated => return Err(syntax_error(sql, token.start)),
                TokenKind::Symbol(b';') if open.is_empty() => {
                    over = true;
                    continue;
                }
                _ if over => return Err(syntax_error(sql, token.start)),
                TokenKind::Symbol(b'(') if open.len() == DEEPEST => {
                    return Err(SqlError::not_supported("parentheses nested more than 100 levels deep"));
                }
                TokenKind::Symbol(b'(') => open.push(all.len()),
                TokenKind::Symbol(b')') => match open.pop() {
                    Some(opening) => closing[opening] = all.len(),
                    None => return Err(syntax_error(sql, token.start)),
                },
                _ => {}
            }
            closing.push(all.len());
            all.push(token);
        }
        if !open.is_empty() || all.is_empty() {
            return Err(syntax_error(sql, sql.len()));
        }
        Ok(Self { sql, all, closing })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What the token at this place is; behind the last one, the end.
    pub(super) fn kind(&self, at: usize) -> TokenKind<'a> {
        self.all.get(at).map_or(TokenKind::End, |token| token.kind)
    }

    /// Where the token begins in the text.
    pub(super) fn start(&self, at: usize) -> usize {
        self.all.get(at).map_or(self.sql.len(), |token| token.start)
    }

    /// Where the token ends in the text.
    pub(super) fn end(&self, at: usize) -> usize {
        self.all.get(at).map_or(self.sql.len(), |token| token.end)
    }

    /// The place of the parenthesis that closes the one here.
    pub(super) fn closing(&self, at: usize) -> usize {
        self.closing.get(at).copied().unwrap_or(at)
    }

    /// The place behind the token here, or behind what its parentheses enclose.
    pub(super) fn behind(&self, at: usize) -> usize {
        self.closing(at) + 1
    }

    pub(super) fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.kind(at) == TokenKind::Symbol(symbol)
    }

    /// Whether it is this word, written in either case.
    pub(super) fn is_word(&self, at: usize, word: &str) -> bool {
        matches!(self.kind(at), TokenKind::Word(bytes) if bytes.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The word in capitals, if it is one.
    pub(super) fn word(&self, at: usize) -> Option<String> {
        match self.kind(at) {
            TokenKind::Word(bytes) => Some(String::from_utf8_lossy(bytes).to_ascii_uppercase()),
            _ => None,
        }
    }

    /// The name that stands here, in quotes or not.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        match self.kind(at) {
            TokenKind::Word(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            TokenKind::QuotedIdent(text) => Some(text.to_string_lossy()),
            _ => None,
        }
    }

    /// Whether the symbols here are these, without anything between them.
    pub(super) fn are_symbols(&self, at: usize, symbols: &str) -> bool {
        let start = self.start(at);
        symbols.bytes().enumerate().all(|(n, b)| self.is_symbol(at + n, b) && self.start(at + n) == start + n)
    }

    /// The places of what commas separate between two places, each from its first token to behind its last.
    pub(super) fn split(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let (mut parts, mut start, mut at) = (Vec::new(), from, from);
        while at < to {
            if self.is_symbol(at, b',') {
                parts.push((start, at));
                start = at + 1;
            }
            at = self.behind(at);
        }
        if from < to {
            parts.push((start, to));
        }
        parts
    }

    /// The first place in between, outside of parentheses, where this word stands.
    pub(super) fn find(&self, from: usize, to: usize, word: &str) -> Option<usize> {
        let mut at = from;
        while at < to {
            if self.is_word(at, word) {
                return Some(at);
            }
            at = self.behind(at);
        }
        None
    }

    /// 1064 at this place.
    pub(super) fn refuse(&self, at: usize) -> SqlError {
        syntax_error(self.sql, self.start(at))
    }
}
