//! The definitions of stored programs, MariaDB's packages among them, and the blocks that MariaDB takes as statements: their
//! bodies have semicolons that part no statements.
//!
//! No grammar: it looks for the place where a body begins, and counts there what opens a block and what ends one. Where it
//! counts too much, the rest of the text belongs to the definition, and whoever runs it says what is wrong with it.

mod body;
mod header;
#[cfg(test)]
mod tests;

use self::{
    body::Body,
    header::{Header, Seen},
};
use super::{Token, TokenKind};

/// So many tokens a definer may have: `DEFINER = 'user'@'host'` and what stands before it.
const FARTHEST: usize = 12;

/// A look at the tokens of one statement, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Program<'a> {
    stage: Stage,
    before: Option<TokenKind<'a>>,
}

/// How far it is known what the statement is.
#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// Nothing was seen yet.
    #[default]
    New,
    /// `BEGIN`, which may be a block.
    Begin,
    /// `CREATE`, or `ALTER` (`true`), with so many tokens behind it.
    Definition(bool, usize),
    /// What stands before a body.
    Header(Header),
    /// A body.
    Body(Body),
    /// Anything else.
    Other,
}

impl<'a> Program<'a> {
    /// The next token.
    pub(super) fn see(&mut self, token: &Token<'a>) {
        if matches!(self.stage, Stage::Other) {
            return;
        }
        let before = self.before.replace(token.kind);
        self.stage = self.stage.next(before, token.kind);
    }

    /// Whether a semicolon is one of the body's.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Body(_))
    }
}

impl Stage {
    fn next(self, before: Option<TokenKind<'_>>, kind: TokenKind<'_>) -> Self {
        match (self, kind) {
            (Self::New, TokenKind::Word(word)) if is(word, "CREATE") => Self::Definition(false, 0),
            (Self::New, TokenKind::Word(word)) if is(word, "ALTER") => Self::Definition(true, 0),
            // BEGIN is the beginning of a transaction, unless it goes on with NOT ATOMIC
            (Self::New, TokenKind::Word(word)) if is(word, "BEGIN") => Self::Begin,
            (Self::Begin, TokenKind::Word(word)) if is(word, "NOT") => Self::Body(Body::block()),
            (Self::New, TokenKind::Word(word)) => Body::beginning(word).map_or(Self::Other, Self::Body),
            (Self::Definition(alter, seen), kind) => {
                match Header::of(kind).filter(|header| !alter || header.is_event()) {
                    Some(header) => Self::Header(header),
                    None if seen < FARTHEST && belongs_to_definer(before, kind) => Self::Definition(alter, seen + 1),
                    None => Self::Other,
                }
            }
            (Self::Header(header), kind) => match header.see(before, kind) {
                Seen::Header(header) => Self::Header(header),
                Seen::Body(body) => Self::Body(body),
                Seen::Statement => Self::Other,
            },
            (Self::Body(body), kind) => body.see(before, kind).map_or(Self::Other, Self::Body),
            _ => Self::Other,
        }
    }
}

/// Whether a token may stand between `CREATE` and what is created, of a stored program.
fn belongs_to_definer(before: Option<TokenKind<'_>>, kind: TokenKind<'_>) -> bool {
    match kind {
        TokenKind::Word(_) if before == Some(TokenKind::Symbol(b'=')) => true,
        TokenKind::Word(word) => is_any(word, &["OR", "REPLACE", "DEFINER", "AGGREGATE"]),
        TokenKind::Symbol(symbol) => matches!(symbol, b'=' | b'(' | b')' | b'@'),
        TokenKind::Str(_) | TokenKind::QuotedIdent(_) | TokenKind::UserVar(_) => true,
        _ => false,
    }
}

fn is(word: &[u8], known: &str) -> bool {
    word.eq_ignore_ascii_case(known.as_bytes())
}

fn is_any(word: &[u8], known: &[&str]) -> bool {
    known.iter().any(|known| is(word, known))
}
