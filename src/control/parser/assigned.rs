//! What a setting is assigned: `DEFAULT`, a value, or arithmetic with values.

use super::Parser;
use crate::{
    control::{Assigned, Number, Operator, TokenKind, resolve, set::SetExpr},
    model::{Setting, SqlError},
};

/// So many operands, signs and opening parentheses an expression may have. It bounds its depth too.
const MOST_TERMS: usize = 64;

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
        let expression = reader.sum()?;
        match self.token.kind {
            _ if self.token.start >= end => Ok(Assigned::Expression(expression)),
            // Comparisons, bits, CASE and the like.
            TokenKind::Symbol(_) | TokenKind::Word(_) => Err(too_much(to)),
            _ => Err(self.unexpected()),
        }
    }
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

impl Reader<'_, '_> {
    fn sum(&mut self) -> Result<SetExpr, SqlError> {
        let mut left = self.product()?;
        loop {
            let operator = match self.parser.token.kind {
                TokenKind::Symbol(b'+') => Operator::Add,
                TokenKind::Symbol(b'-') => Operator::Subtract,
                _ => return Ok(left),
            };
            self.parser.bump();
            left = SetExpr::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<SetExpr, SqlError> {
        let mut left = self.factor()?;
        loop {
            let operator = match self.parser.token.kind {
                TokenKind::Symbol(b'*') => Operator::Multiply,
                TokenKind::Symbol(b'/') => Operator::Divide,
                TokenKind::Symbol(b'%') => Operator::Modulo,
                _ if self.parser.is("MOD") => Operator::Modulo,
                _ if self.parser.is("DIV") => Operator::IntegerDivide,
                _ => return Ok(left),
            };
            self.parser.bump();
            left = SetExpr::Binary(operator, Box::new(left), Box::new(self.factor()?));
        }
    }

    fn factor(&mut self) -> Result<SetExpr, SqlError> {
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(too_much(self.to));
        }
        if self.parser.eat_symbol(b'+') {
            return self.factor();
        }
        if self.parser.eat_symbol(b'-') {
            return Ok(SetExpr::Negated(Box::new(self.factor()?)));
        }
        if !self.parser.eat_symbol(b'(') {
            return self.operand();
        }
        if self.parser.is_any(&["SELECT", "WITH", "VALUES", "TABLE"]) {
            return Err(too_much(self.to));
        }
        let inner = self.sum()?;
        match self.parser.token.kind {
            TokenKind::Symbol(b')') => self.parser.bump(),
            TokenKind::Symbol(_) | TokenKind::Word(_) => return Err(too_much(self.to)),
            _ => return Err(self.parser.unexpected()),
        }
        Ok(inner)
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
            TokenKind::Number(_) | TokenKind::Str(_) => SetExpr::Text,
            TokenKind::Word(_) | TokenKind::QuotedIdent(_) => {
                let word = if self.parser.is("NULL") {
                    SetExpr::Null
                } else if self.parser.is_any(&["TRUE", "FALSE"]) {
                    SetExpr::Whole(self.parser.is("TRUE").into())
                } else {
                    SetExpr::Text
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
