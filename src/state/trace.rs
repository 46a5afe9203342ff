//! Spans: what the logs of a session and of its statements are attributed to, those of the engine among them.
//!
//! `session` has the target `killdeer::session` and the fields `id`, `peer`, `user` (once that is known, and again when it
//! changes) and `reason` (at its end). `statement`, within it, has the target `killdeer::statement` and the fields `number`,
//! `query_id`, and at its end `outcome` (`ok`, `error` or `killed`), `code` (of an error) and `reason` (if it was ended
//! from outside). Both are of the level debug. A statement's text is in none.

use tracing::{
    Span,
    field::{Empty, display},
    level_filters::LevelFilter,
    span::Entered,
};

use crate::{
    control::logged,
    id::SessionId,
    model::{Origin, Principal, Reason, SqlError, StatementNo},
};

/// A span that somebody wants, or nothing. Nothing is what nearly everybody has: then it is a null pointer.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<Box<Span>>);

impl Trace {
    fn of(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// Of a session that begins.
    pub(super) fn session(id: SessionId, peer: Origin) -> Self {
        Self::of(tracing::debug_span!(
            target: "killdeer::session",
            parent: None,
            "session",
            %id,
            %peer,
            user = Empty,
            reason = Empty
        ))
    }

    /// Of a statement that begins in this session. One look at a number, where nobody wants any.
    pub(crate) fn statement(&self, number: StatementNo, query_id: u64) -> Self {
        if LevelFilter::current() < LevelFilter::DEBUG { Self(None) } else { self.wanted(number, query_id) }
    }

    #[cold]
    fn wanted(&self, number: StatementNo, query_id: u64) -> Self {
        Self::of(tracing::debug_span!(
            target: "killdeer::statement",
            parent: self.0.as_ref().and_then(|span| span.id()),
            "statement",
            number = number.get(),
            query_id,
            outcome = Empty,
            code = Empty,
            reason = Empty
        ))
    }

    /// What is logged until the guard is dropped belongs to it.
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_deref().map(Span::enter)
    }

    /// The span, for a future or a thread elsewhere; without one of its own, `other`'s.
    pub(crate) fn span_or(&self, other: &Trace) -> Span {
        self.0.as_deref().or(other.0.as_deref()).cloned().unwrap_or_else(Span::none)
    }

    /// The span, for a future elsewhere.
    pub(crate) fn span(&self) -> Span {
        self.span_or(self)
    }

    /// The session is this one's from now on.
    pub(crate) fn user(&self, principal: &Principal) {
        if let Some(span) = &self.0 {
            span.record("user", display(logged(principal.user())));
        }
    }

    /// It was ended from outside, or is a session: for this reason.
    pub(crate) fn reason(&self, reason: Reason) {
        if let Some(span) = &self.0 {
            span.record("reason", reason.as_str());
        }
    }

    /// The statement has ended so.
    pub(crate) fn end<T>(&mut self, result: &Result<T, SqlError>, killed: Option<Reason>) {
        if self.0.is_some() {
            std::mem::take(self).ended(result, killed);
        }
    }

    #[cold]
    fn ended<T>(self, result: &Result<T, SqlError>, killed: Option<Reason>) {
        let Some(span) = &self.0 else { return };
        let outcome = match (killed, result) {
            (Some(_), _) => "killed",
            (None, Ok(_)) => "ok",
            (None, Err(_)) => "error",
        };
        span.record("outcome", outcome);
        if let Err(error) = result {
            span.record("code", error.code());
        }
        killed.into_iter().for_each(|reason| self.reason(reason));
    }
}
