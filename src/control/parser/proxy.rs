//! `SHOW PROXYSESSION` and `KILL PROXYSESSION` (ODP), in the grammars that have them.

use super::{Parser, id::Place};
use crate::{
    control::{Control, IdExpr, KillProxySession, ProxyShow, ShowProxySession, TokenKind},
    model::SqlError,
};

impl Parser<'_> {
    /// After `SHOW PROXYSESSION`.
    pub(super) fn show_proxy_session(&mut self) -> Result<Control, SqlError> {
        let what = if self.eat("ATTRIBUTE") {
            ProxyShow::Attributes
        } else if self.eat("STAT") {
            ProxyShow::Stats
        } else if self.eat("VARIABLES") {
            ProxyShow::Variables { all: self.eat("ALL") }
        } else {
            self.finish()?;
            return Ok(Control::ShowProxySession(ShowProxySession { what: ProxyShow::Sessions, id: None, like: None }));
        };
        let mut place = Place::of("SHOW");
        let id = if self.ahead().at_end() || self.is("LIKE") { None } else { Some(self.id_among(&mut place)?) };
        let like = if self.eat("LIKE") { Some(self.pattern()?) } else { None };
        self.finish()?;
        place.accepted()?;
        Ok(Control::ShowProxySession(ShowProxySession { what, id, like }))
    }

    /// After `KILL PROXYSESSION`.
    pub(super) fn kill_proxy_session(&mut self) -> Result<Control, SqlError> {
        self.expect_plain_signs()?;
        let mut place = Place::of("KILL");
        let id = self.id_among(&mut place)?;
        let server_session: Option<IdExpr> =
            if self.ahead().at_end() { None } else { Some(self.id_among(&mut place)?) };
        self.finish()?;
        place.accepted()?;
        Ok(Control::KillProxySession(KillProxySession { id, server_session }))
    }

    /// 1064 at a sign that may part two ids as well as join them: `7 -1` is 6 by the grammar, and looks like the two ids 7 and
    /// -1. Whoever means the one writes `7 - 1`, or puts it in parentheses.
    fn expect_plain_signs(&self) -> Result<(), SqlError> {
        let mut ahead = self.ahead();
        let (mut depth, mut after_value, mut end) = (0usize, false, self.token.start);
        while !ahead.at_end() {
            let token = ahead.token;
            let follows = ahead.lexer.clone().next_token().start;
            match token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Symbol(b'+' | b'-')
                    if depth == 0 && after_value && token.start > end && token.end == follows =>
                {
                    return Err(ahead.unexpected());
                }
                _ => {}
            }
            after_value = match token.kind {
                TokenKind::Symbol(symbol) => matches!(symbol, b')' | b'?'),
                _ => !ahead.is_any(&["DIV", "MOD"]),
            };
            end = token.end;
            ahead.bump();
        }
        Ok(())
    }

    /// After `LIKE`.
    fn pattern(&mut self) -> Result<String, SqlError> {
        let TokenKind::Str(text) = self.token.kind else { return Err(self.unexpected()) };
        self.bump();
        Ok(text.to_string_lossy())
    }
}
