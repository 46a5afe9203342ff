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
        let mut place = Place::of("KILL");
        let id = self.id_among(&mut place)?;
        let server_session: Option<IdExpr> =
            if self.ahead().at_end() { None } else { Some(self.id_among(&mut place)?) };
        self.finish()?;
        place.accepted()?;
        Ok(Control::KillProxySession(KillProxySession { id, server_session }))
    }

    /// After `LIKE`.
    fn pattern(&mut self) -> Result<String, SqlError> {
        let TokenKind::Str(text) = self.token.kind else { return Err(self.unexpected()) };
        self.bump();
        Ok(text.to_string_lossy())
    }
}
