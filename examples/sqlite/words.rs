//! A statement read word by word, for those few that SQLite does not know and this server does.

use killdeer::control::{Lexer, Syntax, TokenKind};

/// What is left of a statement.
pub struct Words<'a>(Lexer<'a>);

impl<'a> Words<'a> {
    pub fn new(sql: &'a [u8]) -> Self {
        Self(Lexer::new(sql, &Syntax::default()))
    }

    /// Takes these words, if they are next; all of them or none.
    pub fn take(&mut self, words: &[&str]) -> bool {
        let mut ahead = self.0;
        let there = words.iter().all(
            |word| matches!(ahead.next_token().kind, TokenKind::Word(w) if w.eq_ignore_ascii_case(word.as_bytes())),
        );
        if there {
            self.0 = ahead;
        }
        there
    }

    /// Takes one of these words.
    pub fn any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(&[word]))
    }

    /// Takes this sign.
    pub fn sign(&mut self, sign: u8) -> bool {
        self.token(|kind| (kind == TokenKind::Symbol(sign)).then_some(())).is_some()
    }

    /// Takes a name, bare or in backquotes.
    pub fn name(&mut self) -> Option<String> {
        self.token(|kind| match kind {
            TokenKind::Word(word) => Some(String::from_utf8_lossy(word).into_owned()),
            TokenKind::QuotedIdent(name) => Some(name.to_string_lossy()),
            _ => None,
        })
    }

    /// Takes a string.
    pub fn string(&mut self) -> Option<String> {
        self.token(|kind| match kind {
            TokenKind::Str(text) => Some(text.to_string_lossy()),
            _ => None,
        })
    }

    /// Whether nothing is left but a semicolon.
    pub fn end(&mut self) -> bool {
        self.sign(b';');
        let mut ahead = self.0;
        ahead.next_token().kind == TokenKind::End
    }

    fn token<T>(&mut self, wanted: impl FnOnce(TokenKind<'a>) -> Option<T>) -> Option<T> {
        let mut ahead = self.0;
        let found = wanted(ahead.next_token().kind)?;
        self.0 = ahead;
        Some(found)
    }
}
