//! `KILL` and its relatives, up to the expression that says which session.

use super::Parser;
use crate::{
    control::{
        Control, Hardness, IdExpr, IdLiteral, Kill, KillTarget, Text, TokenKind, UserName, resolve::number_in_text,
    },
    model::{KillMode, SqlError},
};

impl Parser<'_> {
    /// After `KILL`.
    pub(super) fn kill(&mut self) -> Result<Kill, SqlError> {
        let forms = self.syntax.kill;
        let tidb = forms.tidb_keyword && self.eat("TIDB");
        let soft = forms.mariadb && self.eat("SOFT");
        if forms.mariadb && !soft {
            self.eat("HARD");
        }
        let hardness = if soft { Hardness::Soft } else { Hardness::Hard };
        let mode = if self.eat("QUERY") {
            KillMode::Query
        } else {
            self.eat("CONNECTION");
            KillMode::Connection
        };
        let query = mode == KillMode::Query;
        let target = if let (TokenKind::Str(name), true) = (self.token.kind, forms.named_queries && query) {
            self.bump();
            KillTarget::Named(name.to_string_lossy())
        } else if forms.mariadb && query && self.eat("ID") {
            KillTarget::Query(self.id()?)
        } else if forms.mariadb && self.eat("USER") {
            self.user()?
        } else {
            KillTarget::Id(self.id()?)
        };
        self.finish()?;
        Ok(Kill { mode, hardness, target, tidb })
    }

    /// After `KILL USER`.
    fn user(&mut self) -> Result<KillTarget, SqlError> {
        let name = match self.token.kind {
            TokenKind::Word(word) => Text { raw: word, quote: None },
            TokenKind::Str(text) | TokenKind::QuotedIdent(text) => text,
            _ => return Err(self.unexpected()),
        };
        let current = self.is("CURRENT_USER");
        self.bump();
        if current {
            if self.eat_symbol(b'(') {
                self.expect_symbol(b')')?;
            }
            return Ok(KillTarget::User { user: UserName::CurrentUser, host: None });
        }
        let host = match self.token.kind {
            TokenKind::UserVar(host) => {
                self.bump();
                Some(host.to_string_lossy())
            }
            _ => None,
        };
        Ok(KillTarget::User { user: UserName::Name(name.to_string_lossy()), host })
    }

    /// After `ALTER`: `SYSTEM KILL SESSION 'id[,serial#]'`. Every other `ALTER` is the engine's.
    ///
    /// OceanBase has the serial number for the sake of Oracle's grammar alone: it is a number, and means nothing.
    pub(super) fn alter_system(&mut self) -> Result<Option<Control>, SqlError> {
        if !(self.eat("SYSTEM") && self.eat("KILL") && self.eat("SESSION")) {
            return Ok(None);
        }
        let TokenKind::Str(text) = self.token.kind else { return Err(self.unexpected()) };
        self.bump();
        self.finish()?;
        let text = text.decode();
        let id = match text.iter().position(|b| *b == b',') {
            None => number_in_text(&text),
            Some(comma) => number_in_text(&text[comma + 1..]).and(number_in_text(&text[..comma])),
        };
        let shown = String::from_utf8_lossy(&text).into_owned();
        let target = KillTarget::Id(IdExpr::Literal(IdLiteral::new(shown, id)));
        Ok(Some(Control::Kill(Kill { mode: KillMode::Connection, hardness: Hardness::Hard, target, tidb: false })))
    }
}
