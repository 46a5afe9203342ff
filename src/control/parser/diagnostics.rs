//! `SHOW WARNINGS`, `SHOW ERRORS`, and how many there are.

use super::Parser;
use crate::control::{Control, Number, TokenKind};

impl Parser<'_> {
    /// After `SHOW`. What is not exactly one of these is left to the engine, which may know more forms.
    pub(super) fn diagnostics(&mut self) -> Option<Control> {
        let count = self.count();
        let errors = self.eat("ERRORS");
        if !errors && !self.eat("WARNINGS") {
            return None;
        }
        let (offset, rows) = if count { (0, u64::MAX) } else { self.limit()? };
        self.at_end().then_some(Control::ShowDiagnostics { errors, count, offset, rows })
    }

    /// `COUNT(*)`. To MySQL it is a function only without a blank before the parenthesis.
    fn count(&mut self) -> bool {
        let (name, mut ahead) = (self.token, self.ahead());
        let found = ahead.eat("COUNT")
            && ahead.token.start == name.end
            && ahead.eat_symbol(b'(')
            && ahead.eat_symbol(b'*')
            && ahead.eat_symbol(b')');
        if found {
            *self = ahead;
        }
        found
    }

    /// `[LIMIT [offset,] rows | LIMIT rows OFFSET offset]`
    fn limit(&mut self) -> Option<(u64, u64)> {
        if !self.eat("LIMIT") {
            return Some((0, u64::MAX));
        }
        let first = self.unsigned()?;
        if self.eat_symbol(b',') {
            Some((first, self.unsigned()?))
        } else if self.eat("OFFSET") {
            Some((self.unsigned()?, first))
        } else {
            Some((0, first))
        }
    }

    fn unsigned(&mut self) -> Option<u64> {
        let TokenKind::Number(Number::Integer(digits)) = self.token.kind else { return None };
        self.bump();
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}
