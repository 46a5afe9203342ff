//! What stands before the body of a stored program: its name, its parameters, its characteristics.

use super::{body::Body, is, is_any};
use crate::control::TokenKind;

/// The words that may stand between a routine's name and its body, those of types among them.
const WORDS: &[&str] = &[
    "ASCII",
    "AUTHID",
    "BINARY",
    "BYTE",
    "CHAR",
    "CHARACTER",
    "CHARSET",
    "COLLATE",
    "COMMENT",
    "CONTAINS",
    "DATA",
    "DETERMINISTIC",
    "FOLLOWS",
    "LANGUAGE",
    "MODIFIES",
    "NO",
    "NOT",
    "OF",
    "PRECEDES",
    "PRECISION",
    "READS",
    "RETURNS",
    "SECURITY",
    "SIGNED",
    "SQL",
    "TYPE",
    "UNICODE",
    "UNSIGNED",
    "VARBINARY",
    "VARCHAR",
    "VARYING",
    "ZEROFILL",
];

/// Those of them behind which any word belongs to the header.
const WITH_A_NAME: &[&str] =
    &["AUTHID", "CHARSET", "COLLATE", "FOLLOWS", "LANGUAGE", "OF", "PRECEDES", "RETURN", "RETURNS", "SECURITY", "SET"];

/// The header of a definition, as far as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    part: Part,
    /// Whether it is a package's.
    package: bool,
    /// Whether a type, behind `RETURNS`, may not come any more: `RETURN` begins the body.
    typed: bool,
    /// So many parentheses are open.
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Of a routine or a package, before its name.
    Name,
    /// Of a trigger, up to `FOR EACH ROW`.
    Trigger,
    /// Of an event, up to `DO`.
    Event,
    /// Behind all that; what is none of [`WORDS`] begins the body.
    Characteristics,
    /// A name that may be the body's label, or its first word.
    Label,
    /// Oracle's `AS`, behind which declarations may come.
    As,
}

/// What a token has made of a header.
pub(super) enum Seen {
    /// It goes on.
    Header(Header),
    /// A body with semicolons has begun.
    Body(Body),
    /// The body is one statement, which ends at the next semicolon.
    Statement,
}

impl Header {
    /// That of what is created, if it is a stored program.
    pub(super) fn of(kind: TokenKind<'_>) -> Option<Self> {
        let TokenKind::Word(word) = kind else { return None };
        let part = match () {
            () if is_any(word, &["PROCEDURE", "FUNCTION", "PACKAGE"]) => Part::Name,
            () if is(word, "TRIGGER") => Part::Trigger,
            () if is(word, "EVENT") => Part::Event,
            () => return None,
        };
        let typed = !is(word, "FUNCTION");
        Some(Self { part, package: is(word, "PACKAGE"), typed, depth: 0 })
    }

    /// Whether it is an event's.
    pub(super) fn is_event(&self) -> bool {
        self.part == Part::Event
    }

    pub(super) fn see(self, before: Option<TokenKind<'_>>, kind: TokenKind<'_>) -> Seen {
        match kind {
            // behind a label
            TokenKind::Symbol(b':') if self.part == Part::Label => Seen::Header(self.at(Part::Characteristics)),
            _ if self.part == Part::Label => Seen::Statement,
            TokenKind::Symbol(b'(') => Seen::Header(Self { depth: self.depth + 1, ..self }),
            TokenKind::Symbol(b')') => Seen::Header(Self { depth: self.depth.saturating_sub(1), ..self }),
            _ if self.depth > 0 => Seen::Header(self),
            TokenKind::QuotedIdent(_) | TokenKind::Word(_) if self.part == Part::As => {
                Body::declarations(self.package).see(before, kind).map_or(Seen::Statement, Seen::Body)
            }
            _ if self.part == Part::As => Seen::Statement,
            TokenKind::Word(word) => self.word(before, word),
            TokenKind::QuotedIdent(_) => Seen::Header(match self.part {
                Part::Name => self.at(Part::Characteristics),
                Part::Characteristics if !names(before) => self.at(Part::Label),
                _ => self,
            }),
            _ => Seen::Header(self),
        }
    }

    fn word(self, before: Option<TokenKind<'_>>, word: &[u8]) -> Seen {
        let after = |known: &str| matches!(before, Some(TokenKind::Word(before)) if is(before, known));
        match self.part {
            Part::Name if is_any(word, &["IF", "NOT", "EXISTS"]) || (after("PACKAGE") && is(word, "BODY")) => {
                Seen::Header(self)
            }
            Part::Name => Seen::Header(self.at(Part::Characteristics)),
            Part::Trigger if is(word, "ROW") && after("EACH") => Seen::Header(self.at(Part::Characteristics)),
            Part::Event if is(word, "DO") => Seen::Header(self.at(Part::Characteristics)),
            Part::Trigger | Part::Event => Seen::Header(self),
            Part::Characteristics | Part::Label | Part::As => self.characteristic(before, word),
        }
    }

    fn characteristic(self, before: Option<TokenKind<'_>>, word: &[u8]) -> Seen {
        let is_charset = is(word, "SET")
            && matches!(before, Some(TokenKind::Word(before)) if is_any(before, &["CHAR", "CHARACTER"]));
        match () {
            () if names(before) || is_charset => Seen::Header(self),
            () if is(word, "RETURN") && !self.typed => Seen::Header(Self { typed: true, ..self }),
            () if is_any(word, WORDS) => Seen::Header(Self { typed: self.typed || is(word, "RETURNS"), ..self }),
            () if is_any(word, &["AS", "IS"]) => Seen::Header(self.at(Part::As)),
            // of a block of Oracle's
            () if is(word, "DECLARE") => Seen::Body(Body::declarations(false)),
            () if is(word, "BEGIN") => Seen::Body(Body::block()),
            () => Body::beginning(word).map_or(Seen::Header(self.at(Part::Label)), Seen::Body),
        }
    }

    fn at(self, part: Part) -> Self {
        Self { part, ..self }
    }
}

/// Whether any name belongs to the header behind this token.
fn names(before: Option<TokenKind<'_>>) -> bool {
    match before {
        Some(TokenKind::Word(before)) => is_any(before, WITH_A_NAME),
        // a qualified name, a label of Oracle's
        Some(TokenKind::Symbol(symbol)) => matches!(symbol, b'.' | b'<'),
        _ => false,
    }
}
