//! The value in a secret's place, and how far it goes: literals and what touches them, calls, what was not quoted.

use super::{Scan, is_any};
use crate::control::{
    TokenKind,
    lexer::is_space,
    rest::{Rest, goes_on},
};

/// What may stand in a secret's place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After `IDENTIFIED … BY`: nothing but a secret. What is no literal was not quoted by mistake.
    Certain,
    /// Where a secret is a string, after the other words of such a clause.
    Option,
    /// After the name of a secret; `true` if it ends so, and may have a number for a value.
    Named(bool),
}

impl Scan<'_> {
    /// Hides the secret that stands here, if one does; the token before it has been read.
    pub(super) fn value(&mut self, place: Place) {
        let mut compared = false;
        let named = matches!(place, Place::Named(_));
        let numbers = place != Place::Named(false);
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::Symbol(b'=' | b':') => {
                    self.bump();
                    compared = true;
                }
                TokenKind::Symbol(b'<' | b'>' | b'!') if named => {
                    self.bump();
                    compared = true;
                }
                TokenKind::Symbol(b'(') if place == Place::Certain || (named && !compared) => return self.arguments(),
                TokenKind::Unterminated => {
                    self.found.open_secret = Some(token.start);
                    return;
                }
                _ if self.literal_end().is_some() => {
                    self.literals();
                    if place != Place::Option {
                        self.rest(Rest { operand: true, numbers, commas: false });
                    }
                    return;
                }
                TokenKind::Word([b'$', ..]) => return self.dollars(token.start),
                TokenKind::Word(word) if place == Place::Certain && !compared && is_any(word, &["TO"]) => {
                    self.bump();
                }
                TokenKind::Number(_) if place == Place::Certain => {
                    self.bump();
                    self.hide(token.start..token.end);
                    return self.unquoted();
                }
                // BY PASSWORD 'hash'
                TokenKind::Word(word) if place == Place::Certain && !compared && is_any(word, &["PASSWORD"]) => {
                    self.bump();
                    compared = true;
                }
                TokenKind::End | TokenKind::Symbol(b',' | b';' | b')') if named => return,
                _ if named && compared => return self.rest(Rest { operand: false, numbers, commas: false }),
                TokenKind::Word(word) if named && goes_on(word) => {
                    return self.rest(Rest { operand: true, numbers, commas: false });
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

    /// Hides a text between `$tag$` and `$tag$`, or what follows if that does not end.
    pub(in crate::control) fn dollars(&mut self, start: usize) {
        let rest = &self.sql[start..];
        let tag = rest[1..].iter().position(|b| *b == b'$').map_or(rest.len(), |n| n + 2);
        let (open, after) = rest.split_at(tag);
        let close = after.windows(open.len().max(1)).position(|window| window == open);
        let end = close.map_or(self.sql.len(), |n| start + tag + n + tag);
        self.hide(start..end);
        while self.lexer.position() < end && self.bump().kind != TokenKind::End {}
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
            TokenKind::End | TokenKind::Symbol(b';' | b',') => {}
            TokenKind::Symbol(b'?') | TokenKind::UserVar(_) | TokenKind::SystemVar(_) => {
                self.bump();
                self.value(Place::Option);
            }
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
    pub(in crate::control) fn literal_end(&self) -> Option<usize> {
        use crate::control::Number::{Bits, Hex};
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
    pub(in crate::control) fn literals(&mut self) {
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
