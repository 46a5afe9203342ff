//! A body with semicolons: which blocks are open in it.

use super::{is, is_any};
use crate::control::TokenKind;

/// The words behind which a statement begins, whatever else is open.
const BEFORE_STATEMENTS: &[&str] = &["ATOMIC", "BEGIN", "FOUND", "LOOP", "REPEAT", "SQLEXCEPTION", "SQLWARNING"];

/// How far a body was read. At least one block is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    open: usize,
    /// A bit for each of the innermost blocks that are open, the lowest one for the last: it is the expression `CASE`.
    expressions: u64,
    declared: Declared,
    /// Whether the outermost block is a package's declarations.
    package: bool,
    /// The last token was the statement `DO`.
    does: bool,
}

/// Which part of Oracle's declarations was read: they come before their block's `BEGIN`, which ends where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    /// None are open, or those of a package.
    Nothing,
    /// The header of a package's routine, with so many parentheses open.
    Header(usize),
    /// Those of a routine.
    Routine,
}

impl Body {
    /// That of a block that has just begun.
    pub(super) fn block() -> Self {
        Self { open: 1, expressions: 0, declared: Declared::Nothing, package: false, does: false }
    }

    /// That of Oracle's declarations.
    pub(super) fn declarations(package: bool) -> Self {
        match package {
            true => Self { package, ..Self::block() },
            false => Self { declared: Declared::Routine, ..Self::block() },
        }
    }

    /// That of the statement that begins with this word, if it is one with semicolons; `BEGIN` is none, it may be a
    /// transaction's.
    pub(super) fn beginning(word: &[u8]) -> Option<Self> {
        is_any(word, &["CASE", "FOR", "IF", "LOOP", "REPEAT", "WHILE"]).then(Self::block)
    }

    /// `None`: it has ended.
    pub(super) fn see(self, before: Option<TokenKind<'_>>, kind: TokenKind<'_>) -> Option<Self> {
        let body = Self { does: false, ..self };
        match kind {
            TokenKind::Word(_) if before == Some(TokenKind::Symbol(b'.')) => Some(body),
            TokenKind::Word(word) => body.word(before, word, self.does),
            TokenKind::Symbol(symbol) => Some(body.symbol(symbol)),
            _ => Some(body),
        }
    }

    fn symbol(self, symbol: u8) -> Self {
        let declared = match (self.declared, symbol) {
            (Declared::Header(_), b';') => Declared::Nothing,
            (Declared::Header(depth), b'(') => Declared::Header(depth + 1),
            (Declared::Header(depth), b')') => Declared::Header(depth.saturating_sub(1)),
            (declared, _) => declared,
        };
        Self { declared, ..self }
    }

    fn word(self, before: Option<TokenKind<'_>>, word: &[u8], after_do: bool) -> Option<Self> {
        let ends = matches!(before, Some(TokenKind::Word(before)) if is(before, "END"));
        let begins = self.begins_statement(before, after_do);
        match () {
            () if is(word, "END") => self.without_block(),
            () if ends => Some(self),
            () if self.is_in_package() => Some(self.word_of_package(word)),
            () if is(word, "BEGIN") && self.declared == Declared::Routine => {
                Some(Self { declared: Declared::Nothing, ..self })
            }
            () if is_any(word, &["BEGIN", "WHILE"]) => Some(self.with_block(false)),
            () if is(word, "CASE") => Some(self.with_block(!begins && !is_value(before))),
            () if is_any(word, &["IF", "REPEAT"]) && (begins || is_value(before)) => Some(self.with_block(false)),
            // Oracle has FOR … LOOP and WHILE … LOOP, and labels in << and >>
            () if is_any(word, &["FOR", "LOOP"]) && (begins || before == Some(TokenKind::Symbol(b'>'))) => {
                Some(self.with_block(false))
            }
            () => Some(Self { does: begins && is(word, "DO"), ..self }),
        }
    }

    /// Whether a statement begins behind this token.
    fn begins_statement(&self, before: Option<TokenKind<'_>>, after_do: bool) -> bool {
        match before {
            Some(TokenKind::Symbol(b';' | b':')) => true,
            Some(TokenKind::Word(before)) if is_any(before, &["THEN", "ELSE"]) => self.expressions & 1 == 0,
            Some(TokenKind::Word(before)) if is(before, "DO") => !after_do,
            Some(TokenKind::Word(before)) => is_any(before, BEFORE_STATEMENTS),
            _ => false,
        }
    }

    /// Whether the declarations of a package are read, outside of its routines.
    fn is_in_package(&self) -> bool {
        self.package && self.open == 1
    }

    fn word_of_package(self, word: &[u8]) -> Self {
        match self.declared {
            Declared::Header(0) if is_any(word, &["AS", "IS"]) => {
                Self { declared: Declared::Routine, ..self.with_block(false) }
            }
            _ if is_any(word, &["FUNCTION", "PROCEDURE"]) => Self { declared: Declared::Header(0), ..self },
            _ if is(word, "CASE") => self.with_block(true),
            // that of the package itself
            _ if is(word, "BEGIN") => Self { package: false, ..self },
            _ => self,
        }
    }

    fn with_block(self, is_expression: bool) -> Self {
        Self { open: self.open + 1, expressions: self.expressions << 1 | u64::from(is_expression), ..self }
    }

    fn without_block(self) -> Option<Self> {
        (self.open > 1).then(|| Self { open: self.open - 1, expressions: self.expressions >> 1, ..self })
    }
}

/// Whether a token ends a value: no operand follows it, so that `IF` is no function there.
fn is_value(before: Option<TokenKind<'_>>) -> bool {
    matches!(before, Some(TokenKind::Symbol(b')') | TokenKind::Str(_) | TokenKind::Number(_)))
}
