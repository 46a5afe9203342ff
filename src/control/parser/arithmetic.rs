//! MySQL's arithmetic, by the precedence of its operators. What stands between them is for whoever reads an expression.

use super::Parser;
use crate::{
    control::{Operator, TokenKind},
    model::SqlError,
};

/// So many operands, signs and opening parentheses an expression may have. It bounds its depth too.
const MOST_TERMS: usize = 64;

/// What is not read here.
pub(super) enum Beyond {
    /// More terms than may be.
    MoreTerms,
    /// A subquery.
    Subquery,
    /// Whatever stands where a parenthesis was to be closed.
    Unclosed,
}

/// Reads expressions of one kind.
pub(super) trait Arithmetic<'a> {
    type Expr;

    fn parser(&mut self) -> &mut Parser<'a>;

    /// The count of the terms that were read.
    fn terms(&mut self) -> &mut usize;

    /// What has neither sign nor parentheses.
    fn operand(&mut self) -> Result<Self::Expr, SqlError>;

    fn negated(inner: Box<Self::Expr>) -> Self::Expr;

    fn binary(operator: Operator, left: Box<Self::Expr>, right: Box<Self::Expr>) -> Self::Expr;

    fn refusal(&self, beyond: Beyond) -> SqlError;

    /// A whole expression.
    fn expression(&mut self) -> Result<Self::Expr, SqlError> {
        self.binding(0)
    }

    /// Operands with the operators between them that bind as tightly as this, or more so.
    fn binding(&mut self, least: u8) -> Result<Self::Expr, SqlError> {
        let mut left = self.term()?;
        while let Some((operator, tightness)) = self.parser().operator().filter(|(_, tightness)| *tightness >= least) {
            self.parser().bump();
            left = Self::binary(operator, Box::new(left), Box::new(self.binding(tightness + 1)?));
        }
        Ok(left)
    }

    /// An operand with its signs, or an expression in parentheses.
    fn term(&mut self) -> Result<Self::Expr, SqlError> {
        *self.terms() += 1;
        if *self.terms() > MOST_TERMS {
            return Err(self.refusal(Beyond::MoreTerms));
        }
        if self.parser().eat_symbol(b'+') {
            return self.term();
        }
        if self.parser().eat_symbol(b'-') {
            return Ok(Self::negated(Box::new(self.term()?)));
        }
        if !self.parser().eat_symbol(b'(') {
            return self.operand();
        }
        if self.parser().is_any(&["SELECT", "WITH", "VALUES", "TABLE"]) {
            return Err(self.refusal(Beyond::Subquery));
        }
        let inner = self.expression()?;
        if self.parser().eat_symbol(b')') { Ok(inner) } else { Err(self.refusal(Beyond::Unclosed)) }
    }
}

impl Parser<'_> {
    /// The operator that is looked at, and how tightly it binds.
    fn operator(&self) -> Option<(Operator, u8)> {
        Some(match self.token.kind {
            TokenKind::Symbol(b'+') => (Operator::Add, 0),
            TokenKind::Symbol(b'-') => (Operator::Subtract, 0),
            TokenKind::Symbol(b'*') => (Operator::Multiply, 1),
            TokenKind::Symbol(b'/') => (Operator::Divide, 1),
            TokenKind::Symbol(b'%') => (Operator::Modulo, 1),
            _ if self.is("MOD") => (Operator::Modulo, 1),
            _ if self.is("DIV") => (Operator::IntegerDivide, 1),
            _ => return None,
        })
    }
}
