//! Where the secrets of a statement are: a scan over its tokens that knows the places where passwords stand, and no
//! grammar beyond that. When in doubt it takes too much.
//!
//! What is taken, once such a place is found, is in `value`.

mod value;

use std::ops::Range;

use self::value::Place;
use super::{
    Lexer, SECRET, Text, Token, TokenKind, address,
    lexer::is_space,
    pairs,
    pieces::{holds_statement, opens_clause},
    rest::Rest,
    sensitive::{ends_in_secret, is_secret, keyword},
};

/// What a scan has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The secrets, in any order.
    pub(super) ranges: Vec<Range<usize>>,
    /// Whether a quote or a comment is open at the end, or the quotes are not as they should be.
    pub(super) open: bool,
    /// Where the open quote begins if it stands in the place of a secret.
    pub(super) open_secret: Option<usize>,
}

/// The secrets of `sql` in the reading of `lexer`, which stands at its beginning; those in comments if they are asked for.
pub(super) fn find<'a>(sql: &'a [u8], lexer: Lexer<'a>, in_comments: bool) -> Found {
    let mut scan = Scan { sql, lexer, in_comments, identified: false, of_user: false, found: Found::default() };
    scan.run();
    scan.found
}

pub(super) struct Scan<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
    in_comments: bool,
    /// Whether there has been an `IDENTIFIED`.
    identified: bool,
    /// Whether it is a `CREATE USER` or an `ALTER USER`.
    of_user: bool,
    pub(super) found: Found,
}

impl<'a> Scan<'a> {
    fn run(&mut self) {
        // The words before the token, the last one first, with nothing between them.
        let mut before: [&[u8]; 2] = [b";", b""];
        loop {
            let token = self.bump();
            match token.kind {
                TokenKind::End => return,
                TokenKind::Word(word) if word.eq_ignore_ascii_case(b"IDENTIFIED") => self.identified(),
                TokenKind::Word(word) if is_any(word, &["REPLACE"]) => self.value(Place::Option),
                // what was meant for an `IDENTIFIED BY`
                TokenKind::Word(word) if self.of_user && is_any(word, &["BY"]) => self.value(Place::Certain),
                TokenKind::Word(word) if self.identified && is_any(word, &["BY", "AS", "USING"]) => {
                    self.value(Place::Option);
                }
                TokenKind::Word(word)
                    if is_any(word, &["USER"]) && is_any(before[0], &["CREATE", "ALTER", "REPLACE"]) =>
                {
                    (self.identified, self.of_user) = (true, true);
                }
                // of Doris: `CREATE ENCRYPTKEY k AS "…"`
                TokenKind::Word(word) if is_any(word, &["ENCRYPTKEY"]) => self.identified = true,
                TokenKind::Word(word) if is_any(word, &["KEY"]) && is_secret(&[before[0], b"_key"].concat()) => {
                    self.value(Place::Named(true));
                }
                TokenKind::Word(word) if is_any(word, &["PASSWORD"]) && sets(before) => {
                    self.skip_for_user();
                    self.value(Place::Certain);
                }
                TokenKind::Word(word) if is_any(word, &["MASTER_PASSWORD", "SOURCE_PASSWORD"]) => {
                    self.value(Place::Certain);
                }
                // what was meant for one of those words, mostly
                TokenKind::Word(word) if self.of_user && !is_any(word, OF_USERS) && !is_secret(word) => {
                    self.value(Place::Option);
                }
                // what stands where a secret was replaced before
                TokenKind::Word(_) if self.is_mark(&token) => {
                    self.bump();
                }
                TokenKind::Word(name) | TokenKind::SystemVar(name) => self.named(name, false),
                TokenKind::QuotedIdent(Text { raw, .. }) | TokenKind::UserVar(Text { raw, .. }) => {
                    self.named(raw, false);
                    if self.of_user {
                        self.value(Place::Option);
                    }
                }
                TokenKind::Str(text) => self.string(&token, text),
                _ => {}
            }
            before = match token.kind {
                TokenKind::Word(word) => [word, before[0]],
                TokenKind::Symbol(b';') => [b";", b""],
                _ => [b"", b""],
            };
            self.of_user &= token.kind != TokenKind::Symbol(b';');
        }
    }

    /// A string that does not stand in the place of a secret: what is in it, and what may follow it.
    fn string(&mut self, token: &Token<'a>, text: Text<'a>) {
        let next = self.peek();
        // a word that touches it says that this reading of the quotes is not the server's
        let touched = matches!(next.kind, TokenKind::Word(_)) && next.start == token.end;
        let opens = !touched && opens_clause(text.raw);
        if holds_statement(text.raw) || self.is_compared() {
            self.hide(token.start..token.end);
        } else {
            let end = token.end - 1;
            let inside = end - text.raw.len()..end;
            let known = self.found.ranges.len();
            self.found.ranges.extend(address::secrets(self.sql, inside.clone()));
            self.found.ranges.extend(pairs::secrets(self.sql, inside));
            // with ANSI_QUOTES it is a name, and in lists of properties it is one in any quotes
            let is_name = !opens && self.found.ranges.len() == known;
            if is_name && (text.quote == Some(b'"') || text.raw.iter().all(is_of_property)) {
                self.named(text.raw, true);
            }
        }
        if opens {
            self.rest(Rest { operand: true, numbers: true, commas: true });
        }
        if self.of_user {
            self.value(Place::Option);
        }
    }

    /// Whether a word is that of [`SECRET`], in a text that was redacted before.
    pub(super) fn is_mark(&self, token: &Token<'a>) -> bool {
        let around = token.start.checked_sub(1).and_then(|start| self.sql.get(start..=token.end));
        around == Some(SECRET.as_bytes())
    }

    /// Whether a comparison with the name of a secret follows, as `= u.password`.
    fn is_compared(&self) -> bool {
        const FARTHEST: usize = 8;
        let mut ahead = self.lexer;
        let (mut after_sign, mut after_name) = (false, false);
        for _ in 0..FARTHEST {
            match ahead.next_token().kind {
                TokenKind::Symbol(b'=' | b'<' | b'>' | b'!') if !after_name => after_sign = true,
                TokenKind::Symbol(b'.') if after_name => (after_sign, after_name) = (true, false),
                TokenKind::Word(name)
                | TokenKind::SystemVar(name)
                | TokenKind::QuotedIdent(Text { raw: name, .. })
                | TokenKind::UserVar(Text { raw: name, .. })
                    if after_sign =>
                {
                    if is_secret(name) {
                        return true;
                    }
                    (after_sign, after_name) = (false, true);
                }
                _ => return false,
            }
        }
        false
    }

    /// Reads a token, and looks at the comments before it.
    pub(super) fn bump(&mut self) -> Token<'a> {
        let before = self.lexer.position();
        let token = self.lexer.next_token();
        if self.in_comments && token.start > before {
            self.comments(before..token.start);
        }
        self.found.open |= match token.kind {
            // an executable comment that lacks its end hides nothing: its code has been seen
            TokenKind::Unterminated => token.start < token.end,
            // no SQL has one outside quotes: they were not closed where they should have been
            TokenKind::Symbol(b'\\') => true,
            _ => false,
        };
        token
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.lexer.clone().next_token()
    }

    pub(super) fn hide(&mut self, range: Range<usize>) {
        self.found.ranges.push(range);
    }

    /// A clause that was commented out is taken from its keyword on.
    fn comments(&mut self, gap: Range<usize>) {
        let text = &self.sql[gap.clone()];
        if holds_statement(text)
            && let Some(at) = keyword(text)
        {
            let after = text.iter().rev().take_while(|b| is_space(**b)).count();
            let end = text.len() - after;
            let end = if text[..end].ends_with(b"*/") { end - 2 } else { end };
            self.hide(gap.start + at..gap.start + end);
        }
        self.found.ranges.extend(pairs::secrets(self.sql, gap));
    }

    /// After `IDENTIFIED`: `BY …`, or `WITH | VIA plugin [BY | AS | USING …]`.
    fn identified(&mut self) {
        self.identified = true;
        if self.eat(&["WITH", "VIA"]) {
            if matches!(self.peek().kind, TokenKind::Word(_) | TokenKind::Str(_) | TokenKind::QuotedIdent(_)) {
                self.bump();
            }
            if self.eat(&["BY", "AS", "USING"]) || !self.ends_plugin() {
                self.value(Place::Certain);
            }
        } else if self.eat(&["BY"]) {
            self.value(Place::Certain);
            self.more_literals();
        } else {
            self.value(Place::Option);
        }
    }

    /// After the literal of an `IDENTIFIED BY`: the others of a list, as in OceanBase's `SET DECRYPTION`. A string that has
    /// more behind it than a comma is the next user.
    fn more_literals(&mut self) {
        while self.peek().kind == TokenKind::Symbol(b',') {
            let mut ahead = self.lexer;
            ahead.next_token();
            if !matches!(ahead.next_token().kind, TokenKind::Str(_))
                || !matches!(ahead.next_token().kind, TokenKind::Symbol(b',' | b';' | b')') | TokenKind::End)
            {
                return;
            }
            self.bump();
            self.literals();
        }
    }

    /// Whether what follows the name of a plugin is something else than a secret that lacks its `BY`.
    fn ends_plugin(&self) -> bool {
        match self.peek().kind {
            TokenKind::End | TokenKind::Symbol(_) => true,
            TokenKind::Word(word) => is_any(word, AFTER_PLUGIN),
            _ => false,
        }
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Word(word) if is_any(word, words));
        if found {
            self.bump();
        }
        found
    }

    /// After a name: its value, if it is a secret's. After a name in quotes a comma may stand between them, as in the
    /// arguments of `JSON_OBJECT`.
    fn named(&mut self, name: &[u8], quoted: bool) {
        if !is_secret(name) {
            return;
        }
        if name.eq_ignore_ascii_case(b"PASSWORD") {
            self.skip_for_user();
        }
        if quoted && self.peek().kind == TokenKind::Symbol(b',') {
            self.bump();
        }
        self.value(Place::Named(ends_in_secret(name)));
    }

    /// `FOR user` between `SET PASSWORD` and the equals sign.
    fn skip_for_user(&mut self) {
        let mut ahead = self.lexer;
        if !matches!(ahead.next_token().kind, TokenKind::Word(word) if is_any(word, &["FOR"])) {
            return;
        }
        // `'user'@'host'`, or `CURRENT_USER()`
        for _ in 0..4 {
            let user = ahead;
            match ahead.next_token().kind {
                TokenKind::Symbol(b'=' | b':') => {
                    self.lexer = user;
                    return;
                }
                TokenKind::Word(word) if is_any(word, &["TO"]) => {
                    self.lexer = user;
                    return;
                }
                TokenKind::Word(_) | TokenKind::Str(_) | TokenKind::QuotedIdent(_) | TokenKind::UserVar(_) => {}
                TokenKind::Symbol(b'(' | b')') => {}
                _ => return,
            }
        }
    }
}

/// The words of a statement about users behind which a string is no secret.
const OF_USERS: &[&str] = &[
    "USER",
    "EXISTS",
    "COMMENT",
    "ATTRIBUTE",
    "SUBJECT",
    "ISSUER",
    "CIPHER",
    "SAN",
    "WITH",
    "VIA",
    "ROLE",
    "TO",
    "FROM",
    "GROUP",
    "AND",
    "OR",
];

/// The words that may follow the name of a plugin.
const AFTER_PLUGIN: &[&str] = &[
    "ACCOUNT",
    "AND",
    "ATTRIBUTE",
    "COMMENT",
    "DEFAULT",
    "DISCARD",
    "FAILED_LOGIN_ATTEMPTS",
    "INITIAL",
    "OR",
    "PASSWORD",
    "PASSWORD_LOCK_TIME",
    "REQUIRE",
    "RESOURCE",
    "RETAIN",
    "WITH",
];

/// Whether the name of a property may have it, or a path in JSON.
fn is_of_property(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'$')
}

/// Whether the words before a `PASSWORD`, the last one first, say that it is set: none, `SET`, or `SET` and a scope.
fn sets(before: [&[u8]; 2]) -> bool {
    let is_set = |word: &[u8]| word == b";" || word.eq_ignore_ascii_case(b"SET");
    let scoped = is_any(before[0], &["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"]);
    before.map(is_set) == [true, true] || (scoped && is_any(before[1], &["SET"]))
}

pub(super) fn is_any(word: &[u8], keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword.as_bytes()))
}
