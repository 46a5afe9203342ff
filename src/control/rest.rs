//! What an expression is made of that a secret is set to or compared with: its literals are all hidden.

use super::{
    TokenKind,
    secrets::{Scan, is_any},
};

/// The rest of an expression.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    /// Whether an operand stands before it.
    pub(super) operand: bool,
    /// Whether numbers are hidden outside parentheses too.
    pub(super) numbers: bool,
    /// Whether it goes on behind a comma: it stands among the arguments of a function.
    pub(super) commas: bool,
}

/// The words that stand between operands, without those that join conditions.
const OPERATORS: &[&str] =
    &["BETWEEN", "COLLATE", "DIV", "ESCAPE", "IN", "IS", "LIKE", "MEMBER", "MOD", "NOT", "REGEXP", "RLIKE", "SOUNDS"];

/// The words that stand before an operand.
const PREFIXES: &[&str] =
    &["ALL", "ANY", "BINARY", "CASE", "DISTINCT", "INTERVAL", "LIKE", "NOT", "OF", "SELECT", "SOME", "VALUES"];

/// Whether an expression goes on with this word behind an operand.
pub(super) fn goes_on(word: &[u8]) -> bool {
    is_any(word, OPERATORS)
}

impl Scan<'_> {
    /// Hides the literals up to the end of an expression: the first comma, semicolon, closing parenthesis or word that
    /// cannot belong to it.
    pub(super) fn rest(&mut self, Rest { mut operand, numbers, commas }: Rest) {
        // of parentheses, and of CASE … END
        let (mut open, mut cases) = (0u32, 0u32);
        let mut between = false;
        loop {
            if self.literal_end().is_some() {
                self.literals();
                operand = true;
                continue;
            }
            let token = self.peek();
            let inside = open > 0 || cases > 0;
            match token.kind {
                TokenKind::End | TokenKind::Symbol(b';') => return,
                // behind an operand it does not stand in the place of one
                TokenKind::Unterminated => {
                    if !operand {
                        self.found.open_secret = Some(token.start);
                    }
                    return;
                }
                TokenKind::Symbol(b'(') => (open, operand) = (open + 1, false),
                TokenKind::Symbol(b')') if open == 0 => return,
                TokenKind::Symbol(b')') => (open, operand) = (open - 1, true),
                TokenKind::Symbol(b',') if !inside && !commas => return,
                TokenKind::Symbol(symbol) => operand = symbol == b'?',
                TokenKind::Number(_) => {
                    if numbers || open > 0 {
                        self.hide(token.start..token.end);
                    }
                    operand = true;
                }
                TokenKind::Word([b'$', ..]) => {
                    self.dollars(token.start);
                    operand = true;
                    continue;
                }
                // the sign after it goes with it
                TokenKind::Word(_) if self.is_mark(&token) => {
                    self.bump();
                    operand = true;
                }
                TokenKind::Word(word) if !operand && is_any(word, &["CASE"]) => cases += 1,
                TokenKind::Word(word) if cases > 0 && is_any(word, &["END"]) => (cases, operand) = (cases - 1, true),
                TokenKind::Word(word) if between && is_any(word, &["AND"]) => (between, operand) = (false, false),
                TokenKind::Word(word) if operand && goes_on(word) => {
                    between |= is_any(word, &["BETWEEN"]);
                    operand = false;
                }
                TokenKind::Word(_) if operand && !inside => return,
                TokenKind::Word(word) => operand = !is_any(word, PREFIXES),
                TokenKind::Str(_) | TokenKind::QuotedIdent(_) | TokenKind::UserVar(_) | TokenKind::SystemVar(_) => {
                    operand = true;
                }
            }
            self.bump();
        }
    }
}
