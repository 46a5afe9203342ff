//! A mistake in the text of the policies, and where it is.

use std::ops::Range;

/// A mistake in the text of policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {text}")]
pub struct PolicyError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub text: String,
}

impl PolicyError {
    /// At this place of the text; without one, at its end.
    pub(super) fn at(source: &str, place: Option<Range<usize>>, text: impl Into<String>) -> Self {
        let mut place = place.map_or(source.len(), |place| place.start.min(source.len()));
        while !source.is_char_boundary(place) {
            place -= 1;
        }
        let before = &source[..place];
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: line.chars().count() + 1, text: text.into() }
    }
}
