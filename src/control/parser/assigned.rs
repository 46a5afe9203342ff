//! What a setting is assigned: `DEFAULT`, a value, or arithmetic with values.

use super::{
    Parser,
    arithmetic::{Arithmetic, Beyond},
};
use crate::{
    control::{Assigned, Number, Operator, TokenKind, resolve, set::SetExpr},
    model::{Setting, SqlError},
};

impl Parser<'_> {
    /// What `to` is assigned, up to the byte `end`. Parameters are counted from `placeholder` on.
    pub(super) fn assigned(&mut self, to: Setting, placeholder: usize, end: usize) -> Result<Assigned, SqlError> {
        if self.token.start >= end {
            return Err(self.unexpected());
        }
        if self.eat("DEFAULT") {
            return if self.token.start >= end { Ok(Assigned::Default) } else { Err(self.unexpected()) };
        }
        let mut reader = Reader { parser: self, to, terms: 0, placeholder };
        let expression = reader.expression()?;
        match self.token.kind {
            _ if self.token.start >= end => Ok(Assigned::Expression(expression)),
            // Comparisons, bits, CASE and the like.
            TokenKind::Symbol(_) | TokenKind::Word(_) => Err(too_much(to)),
            _ => Err(self.unexpected()),
        }
    }
}

/// As much of a text as the longest of `ON`, `OFF`, `TRUE` and `FALSE` has, and one byte more.
fn word(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(6)]).into_owned()
}

struct Reader<'p, 'a> {
    parser: &'p mut Parser<'a>,
    to: Setting,
    terms: usize,
    placeholder: usize,
}

/// 1235: it may be SQL, but it is more than is computed here.
fn too_much(to: Setting) -> SqlError {
    SqlError::not_supported(&format!("SET {} to such an expression", to.name()))
}

impl<'a> Arithmetic<'a> for Reader<'_, 'a> {
    type Expr = SetExpr;

    fn parser(&mut self) -> &mut Parser<'a> {
        self.parser
    }

    fn terms(&mut self) -> &mut usize {
        &mut self.terms
    }

    fn negated(inner: Box<SetExpr>) -> SetExpr {
        SetExpr::Negated(inner)
    }

    fn binary(operator: Operator, left: Box<SetExpr>, right: Box<SetExpr>) -> SetExpr {
        SetExpr::Binary(operator, left, right)
    }

    fn refusal(&self, beyond: Beyond) -> SqlError {
        match (beyond, self.parser.token.kind) {
            (Beyond::Unclosed, TokenKind::Symbol(_) | TokenKind::Word(_)) => too_much(self.to),
            (Beyond::Unclosed, _) => self.parser.unexpected(),
            _ => too_much(self.to),
        }
    }

    fn operand(&mut self) -> Result<SetExpr, SqlError> {
        let token = self.parser.token;
        let expression = match token.kind {
            TokenKind::Symbol(b'?') => {
                self.placeholder += 1;
                SetExpr::Placeholder(self.placeholder - 1)
            }
            TokenKind::UserVar(name) => SetExpr::Variable(name.to_string_lossy()),
            TokenKind::SystemVar(_) => {
                let Some((global, name)) = self.parser.system_name() else { return Err(self.parser.unexpected()) };
                let Some(setting) = Setting::named(&name) else { return Err(too_much(self.to)) };
                return match global {
                    Some(super::set::Reach::Persist) => Err(too_much(self.to)),
                    Some(reach) => Ok(SetExpr::Setting(setting, Some(reach == super::set::Reach::Global))),
                    None => Ok(SetExpr::Setting(setting, None)),
                };
            }
            TokenKind::Number(Number::Fractional(digits)) => {
                let text = String::from_utf8_lossy(digits).into_owned();
                if digits.iter().any(|b| b.eq_ignore_ascii_case(&b'e')) {
                    SetExpr::Double(text)
                } else {
                    SetExpr::Decimal(text)
                }
            }
            TokenKind::Number(Number::Integer(digits)) => match resolve::number(Number::Integer(digits)) {
                Some(whole) => SetExpr::Whole(whole),
                None => SetExpr::Decimal(String::from_utf8_lossy(digits).into_owned()),
            },
            // MySQL: hexadecimal digits and bits are strings, where no number is asked for.
            TokenKind::Number(_) => SetExpr::Text(String::new()),
            TokenKind::Str(text) => SetExpr::Text(word(&text.decode())),
            TokenKind::Word(_) | TokenKind::QuotedIdent(_) => {
                let word = if self.parser.is("NULL") {
                    SetExpr::Null
                } else if self.parser.is_any(&["TRUE", "FALSE"]) {
                    SetExpr::Whole(self.parser.is("TRUE").into())
                } else {
                    let bytes = &self.parser.sql[token.start..token.end];
                    SetExpr::Text(word(bytes))
                };
                if self.parser.ahead().lexer.next_token().kind == TokenKind::Symbol(b'(') {
                    return Err(too_much(self.to));
                }
                word
            }
            _ => return Err(self.parser.unexpected()),
        };
        self.parser.bump();
        Ok(expression)
    }
}
