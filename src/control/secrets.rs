//! Where the secrets of a statement are: a scan over its tokens that knows the places where passwords stand, and no
//! grammar beyond that. When in doubt it takes too much.

use std::ops::Range;

use super::{Lexer, Text, Token, TokenKind, lexer::is_space};

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

/// The place of the first "identified" or "password", in any case: without one of them there is no secret to find.
pub(super) fn keyword(text: &[u8]) -> Option<usize> {
    let at = |i: usize, word: &[u8]| text[i..].get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word));
    let mut from = 0;
    while let Some(n) = text[from..].iter().position(|b| matches!(b | 0x20, b'i' | b'p')) {
        from += n;
        if at(from, b"password") || at(from, b"identified") {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// The secrets of `sql` in the reading of `lexer`, which stands at its beginning; those in comments if they are asked for.
pub(super) fn find<'a>(sql: &'a [u8], lexer: Lexer<'a>, in_comments: bool) -> Found {
    let mut scan = Scan { sql, lexer, in_comments, identified: false, found: Found::default() };
    scan.run();
    scan.found
}

/// What may stand in a secret's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After `IDENTIFIED … BY`: nothing but a secret. What is no literal was not quoted by mistake.
    Certain,
    /// Where a secret is a string, after the other words of such a clause.
    Option,
    /// After a name with "password" in it; `true` if it ends so, and may have a number for a value.
    Named(bool),
}

struct Scan<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
    in_comments: bool,
    /// Whether there has been an `IDENTIFIED`.
    identified: bool,
    found: Found,
}

impl<'a> Scan<'a> {
    fn run(&mut self) {
        loop {
            let token = self.bump();
            match token.kind {
                TokenKind::End => return,
                TokenKind::Word(word) if word.eq_ignore_ascii_case(b"IDENTIFIED") => self.identified(),
                TokenKind::Word(word) if is_any(word, &["REPLACE"]) => self.value(Place::Option),
                TokenKind::Word(word) if self.identified && is_any(word, &["BY", "AS", "USING"]) => {
                    self.value(Place::Option);
                }
                TokenKind::Word(name) | TokenKind::SystemVar(name) => self.named(name),
                TokenKind::QuotedIdent(Text { raw, .. }) | TokenKind::UserVar(Text { raw, .. }) => self.named(raw),
                TokenKind::Str(text) if holds_statement(text.raw) => self.found.ranges.push(token.start..token.end),
                // with ANSI_QUOTES it is a name
                TokenKind::Str(Text { raw, quote: Some(b'"') }) => self.named(raw),
                _ => {}
            }
        }
    }

    /// Reads a token, and looks at the comments before it.
    fn bump(&mut self) -> Token<'a> {
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

    fn peek(&self) -> Token<'a> {
        self.lexer.clone().next_token()
    }

    fn hide(&mut self, range: Range<usize>) {
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
    }

    /// After `IDENTIFIED`: `BY …`, or `WITH | VIA plugin [BY | AS | USING …]`.
    fn identified(&mut self) {
        self.identified = true;
        if self.eat(&["WITH", "VIA"]) {
            if matches!(self.peek().kind, TokenKind::Word(_) | TokenKind::Str(_) | TokenKind::QuotedIdent(_)) {
                self.bump();
            }
            if self.eat(&["BY", "AS", "USING"]) {
                self.value(Place::Certain);
            }
        } else if self.eat(&["BY"]) {
            self.value(Place::Certain);
        } else {
            self.value(Place::Option);
        }
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Word(word) if is_any(word, words));
        if found {
            self.bump();
        }
        found
    }

    /// After a name: its value, if it is a password's.
    fn named(&mut self, name: &[u8]) {
        if keyword(name).is_none() {
            return;
        }
        if name.eq_ignore_ascii_case(b"PASSWORD") {
            self.skip_for_user();
        }
        let ends_so = name.len() >= 8 && name[name.len() - 8..].eq_ignore_ascii_case(b"password");
        self.value(Place::Named(ends_so));
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
                TokenKind::Word(_) | TokenKind::Str(_) | TokenKind::QuotedIdent(_) | TokenKind::UserVar(_) => {}
                TokenKind::Symbol(b'(' | b')') => {}
                _ => return,
            }
        }
    }

    /// Hides the secret that stands here, if one does; the token before it has been read.
    fn value(&mut self, place: Place) {
        let mut compared = false;
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::Symbol(b'=' | b':') => {
                    self.bump();
                    compared = true;
                }
                TokenKind::Symbol(b'<' | b'>' | b'!') if matches!(place, Place::Named(_)) => {
                    self.bump();
                    compared = true;
                }
                TokenKind::Symbol(b'(') if place != Place::Option => return self.arguments(),
                TokenKind::Unterminated => {
                    self.found.open_secret = Some(token.start);
                    return;
                }
                _ if self.literal_end().is_some() => return self.literals(),
                TokenKind::Number(_) if place == Place::Certain || (compared && place == Place::Named(true)) => {
                    self.bump();
                    self.hide(token.start..token.end);
                    if place == Place::Certain {
                        self.unquoted();
                    }
                    return;
                }
                // BY PASSWORD 'hash'
                TokenKind::Word(word) if place == Place::Certain && !compared && is_any(word, &["PASSWORD"]) => {
                    self.bump();
                    compared = true;
                }
                TokenKind::Word(_) if compared && self.is_call() => {
                    self.bump();
                    return self.arguments();
                }
                _ if place == Place::Certain => return self.unquoted(),
                _ => return,
            }
        }
    }

    /// Whether a name and an opening parenthesis follow.
    fn is_call(&self) -> bool {
        let mut ahead = self.lexer;
        ahead.next_token();
        ahead.next_token().kind == TokenKind::Symbol(b'(')
    }

    /// Hides all that follows, unless it is what may stand in the place of a password (`RANDOM PASSWORD`, `?`, `@x`).
    fn unquoted(&mut self) {
        let token = self.peek();
        match token.kind {
            TokenKind::End | TokenKind::Symbol(b';' | b',' | b'?') => {}
            TokenKind::UserVar(_) | TokenKind::SystemVar(_) => {}
            TokenKind::Word(word) if is_any(word, &["RANDOM"]) => {}
            _ => {
                self.hide(token.start..self.sql.len());
                while self.bump().kind != TokenKind::End {}
            }
        }
    }

    /// Hides every literal within parentheses; the opening one comes next.
    fn arguments(&mut self) {
        let mut depth = 0u32;
        loop {
            if self.literal_end().is_some() {
                self.literals();
                continue;
            }
            let token = self.peek();
            match token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth -= 1,
                TokenKind::Number(_) => self.hide(token.start..token.end),
                TokenKind::Unterminated => {
                    self.found.open_secret = Some(token.start);
                    return;
                }
                TokenKind::End => return,
                _ => {}
            }
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }

    /// Where the string, or the hexadecimal or binary literal, that comes next ends, with an introducer before it (`_utf8`,
    /// or an `x` whose digits are wrong).
    fn literal_end(&self) -> Option<usize> {
        use super::Number::{Bits, Hex};
        let mut ahead = self.lexer;
        let token = ahead.next_token();
        match token.kind {
            TokenKind::Str(_) | TokenKind::Number(Hex(_) | Bits(_)) => Some(token.end),
            TokenKind::Word(word) => {
                let next = ahead.next_token();
                let literal = matches!(next.kind, TokenKind::Str(_) | TokenKind::Number(Hex(_) | Bits(_)));
                (literal && (word.starts_with(b"_") || next.start == token.end)).then_some(next.end)
            }
            _ => None,
        }
    }

    /// Hides the literal that comes next, those that follow it (MySQL joins them), and what touches it: a secret with a
    /// quote in it that was not escaped goes on there, perhaps in what looks like a comment.
    fn literals(&mut self) {
        let start = self.peek().start;
        let mut end = start;
        loop {
            let next = self.peek();
            let comment = ["#", "--", "/*"].into_iter().any(|mark| self.sql[end..].starts_with(mark.as_bytes()));
            let touching = match next.kind {
                TokenKind::End | TokenKind::Unterminated | TokenKind::Symbol(b')' | b',' | b';') => false,
                _ => next.start == end,
            };
            if let Some(until) = self.literal_end() {
                end = until;
            } else if touching {
                end = next.end;
            } else if comment && next.start > end {
                let gap = &self.sql[end..next.start];
                end = next.start - gap.iter().rev().take_while(|b| is_space(**b)).count();
                self.hide(start..end);
                if end < next.start {
                    return;
                }
                continue;
            } else {
                break;
            }
            while self.lexer.position() < end {
                self.bump();
            }
        }
        self.hide(start..end);
    }
}

fn is_any(word: &[u8], keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword.as_bytes()))
}

/// Whether a string or a comment seems to hold a statement with a secret: a keyword, and a literal after it.
fn holds_statement(text: &[u8]) -> bool {
    keyword(text).is_some_and(|at| {
        let rest = &text[at..];
        rest.iter().any(|b| matches!(b, b'\'' | b'"' | b'\\')) || rest.windows(2).any(|two| two == b"0x")
    })
}
