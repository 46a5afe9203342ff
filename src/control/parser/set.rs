//! `SET` of the runtime's settings: which assignments are the runtime's, and what is left for the engine.

use bytes::Bytes;

use super::Parser;
use crate::{
    control::{Assignment, Control, Rest, Set, SetStatement, TokenKind},
    model::{Setting, SqlError},
};

/// So many settings a statement may assign; there are not as many, but one may stand there twice.
const MOST_ASSIGNMENTS: usize = 64;

/// The word that says which value is assigned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Session,
    Global,
    /// PERSIST, PERSIST_ONLY.
    Persist,
}

impl Reach {
    fn named(word: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        match word {
            _ if is(b"SESSION") || is(b"LOCAL") => Some(Self::Session),
            _ if is(b"GLOBAL") => Some(Self::Global),
            _ if is(b"PERSIST") || is(b"PERSIST_ONLY") => Some(Self::Persist),
            _ => None,
        }
    }
}

/// Whether a `SET` may name a setting: whether the text has one of the pieces that are in their names. Nearly no other
/// `SET` has one, and none is found without.
pub(super) fn may_concern(sql: &[u8]) -> bool {
    let mut rest = sql;
    while let Some(at) = rest.iter().position(|b| *b == b'_') {
        let before = rest[..at].last_chunk::<3>().is_some_and(|word| word.eq_ignore_ascii_case(b"max"));
        let behind = rest[at + 1..].first_chunk::<7>().is_some_and(|word| {
            word.eq_ignore_ascii_case(b"timeout") || cfg!(feature = "cluster") && word.eq_ignore_ascii_case(b"fe_conn")
        });
        if before || behind {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// A list of assignments, being read.
#[derive(Default)]
struct List {
    ours: Vec<Assignment>,
    /// The others, with commas between them.
    rest: Vec<u8>,
    /// The parameters that stand in those.
    kept: Vec<usize>,
    placeholders: usize,
    /// MySQL: a GLOBAL or SESSION holds for the assignments behind it too that have none.
    sticky: Option<Reach>,
    /// The word for that, if it stood before an assignment that is not among the rest.
    lost: Option<&'static str>,
    /// Where there is no assignment at all between two commas.
    missing: Option<SqlError>,
}

/// One assignment's beginning.
struct Target {
    /// As it is written before it.
    word: Option<Reach>,
    /// `@@` before it.
    system: bool,
    /// As it is written there.
    within: Option<Reach>,
    name: String,
}

impl<'a> Parser<'a> {
    /// After `SET`: assignments, at least one of which is to a setting. Every other `SET` is the engine's.
    pub(super) fn set(&mut self) -> Result<Option<Control>, SqlError> {
        if self.is("STATEMENT") && !self.behind().assigns() {
            self.bump();
            return self.set_statement();
        }
        let list = self.list(false)?;
        if list.ours.is_empty() {
            return Ok(None);
        }
        self.finish()?;
        let List { ours, rest, kept, placeholders, .. } = list;
        let rest = (!rest.is_empty()).then(|| Rest { sql: Bytes::from([b"SET ", &*rest].concat()), params: kept });
        Ok(Some(Control::Set(Set { assignments: ours, rest, placeholders })))
    }

    /// After `SET STATEMENT`.
    fn set_statement(&mut self) -> Result<Option<Control>, SqlError> {
        let List { ours, rest, kept, placeholders, .. } = self.list(true)?;
        if ours.is_empty() {
            return Ok(None);
        }
        if !self.eat("FOR") || self.token.kind == TokenKind::End {
            return Err(self.unexpected());
        }
        let behind = self.behind();
        if self.is("SET") && behind.is("STATEMENT") && !behind.behind().assigns() {
            return Err(SqlError::not_supported("SET STATEMENT within SET STATEMENT"));
        }
        let mut head = Vec::new();
        // What is in an executable comment with its end goes on in one.
        let opened: &[u8] = if self.lexer.in_executable_comment() { b"/*! " } else { b"" };
        if !rest.is_empty() {
            head = [b"SET STATEMENT ", &*rest, b" FOR "].concat();
        }
        head.extend_from_slice(opened);
        let from = self.token.start;
        Ok(Some(Control::SetStatement(SetStatement { assignments: ours, head, from, before: placeholders, kept })))
    }

    /// Assignments up to the end, or up to `FOR`.
    fn list(&mut self, statement: bool) -> Result<List, SqlError> {
        let mut list = List::default();
        loop {
            let begun = self.ahead();
            let target = self.ahead().target();
            let ours = target.as_ref().and_then(|(target, value)| Some((Setting::named(&target.name)?, target, value)));
            if let Some((target, _)) = &target
                && target.word.is_some()
            {
                list.sticky = target.word;
            }
            let first = list.placeholders;
            let end = self.skip(&mut list, statement);
            match ours {
                Some((setting, target, value)) => {
                    if list.ours.len() == MOST_ASSIGNMENTS {
                        return Err(SqlError::not_supported("SET of more than 64 settings"));
                    }
                    if statement && (target.word.is_some() || target.system) {
                        return Err(begun.unexpected());
                    }
                    let reach = match target.system {
                        true => target.within,
                        false => target.word.or(list.sticky),
                    };
                    if reach == Some(Reach::Persist) {
                        return Err(SqlError::not_supported("SET PERSIST"));
                    }
                    let value = value.ahead().assigned(setting, first, end)?;
                    list.ours.push(Assignment { setting, global: reach == Some(Reach::Global), value });
                    if target.word.is_some() {
                        list.lost = list.sticky.map(word);
                    }
                }
                None if begun.token.start == end => list.missing = Some(begun.unexpected()),
                None => {
                    let last = usize::from(u16::MAX) + 1;
                    list.kept.extend(first..list.placeholders.min(last));
                    self.keep(&mut list, &begun, target.as_ref().map(|(target, _)| target), end);
                }
            }
            if !self.eat_symbol(b',') {
                break;
            }
        }
        match list.missing.take() {
            _ if list.ours.is_empty() => Ok(list),
            Some(error) => Err(error),
            None if list.placeholders > usize::from(u16::MAX) => Err(SqlError::too_many_placeholders()),
            None => Ok(list),
        }
    }

    /// Goes to the comma behind an assignment, or to the end of the list, and counts its parameters. Returns where that is.
    fn skip(&mut self, list: &mut List, statement: bool) -> usize {
        let mut depth = 0_usize;
        loop {
            match self.token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Symbol(b'?') => list.placeholders += 1,
                TokenKind::Symbol(b',' | b';') if depth == 0 => return self.token.start,
                TokenKind::End | TokenKind::Unterminated => return self.token.start,
                _ if statement && depth == 0 && self.is("FOR") => return self.token.start,
                _ => {}
            }
            self.bump();
        }
    }

    /// Adds an assignment of the engine's to what is left, without comments.
    fn keep(&self, list: &mut List, begun: &Self, target: Option<&Target>, end: usize) {
        if !list.rest.is_empty() {
            list.rest.extend_from_slice(b", ");
        }
        match target {
            Some(target) if target.word.is_some() => list.lost = None,
            Some(target) if !target.system => {
                if let Some(word) = list.lost.take() {
                    list.rest.extend_from_slice(word.as_bytes());
                    list.rest.push(b' ');
                }
            }
            _ => {}
        }
        let mut parser = begun.ahead();
        let mut last = parser.token.start;
        while parser.token.start < end {
            let gap = &self.sql[last..parser.token.start];
            if gap.iter().all(|b| super::is_space(*b)) {
                list.rest.extend_from_slice(gap);
            } else {
                list.rest.push(b' ');
            }
            list.rest.extend_from_slice(&self.sql[parser.token.start..parser.token.end]);
            last = parser.token.end;
            parser.bump();
        }
    }

    /// What is assigned to, and a parser that stands at the value; `None`: it is no assignment to a variable of the
    /// system's.
    fn target(mut self) -> Option<(Target, Self)> {
        let mut word = None;
        if let TokenKind::Word(text) = self.token.kind
            && let Some(reach) = Reach::named(text)
            && !self.behind().assigns()
        {
            word = Some(reach);
            self.bump();
        }
        let (mut system, mut within) = (false, None);
        let name = match self.token.kind {
            TokenKind::Word(text) => String::from_utf8_lossy(text).into_owned(),
            TokenKind::QuotedIdent(text) => text.to_string_lossy(),
            TokenKind::SystemVar(_) if word.is_none() => {
                system = true;
                let (reach, name) = self.system_name()?;
                within = reach;
                name
            }
            _ => return None,
        };
        if !system {
            self.bump();
        }
        self.assigns().then(|| {
            self.eat_symbol(b':');
            self.bump();
            (Target { word, system, within, name }, self)
        })
    }

    /// The scope and the name of the `@@…` that is looked at, which is left behind; `None`: it is not one.
    pub(super) fn system_name(&mut self) -> Option<(Option<Reach>, String)> {
        let TokenKind::SystemVar(text) = self.token.kind else { return None };
        let mut whole = String::from_utf8_lossy(text).into_owned();
        self.bump();
        // There may be blanks around the dot.
        if !whole.contains('.') && self.eat_symbol(b'.') {
            whole.push('.');
        }
        if whole.ends_with('.') {
            match self.token.kind {
                TokenKind::Word(text) => whole.push_str(&String::from_utf8_lossy(text)),
                TokenKind::QuotedIdent(text) => whole.push_str(&text.to_string_lossy()),
                _ => return None,
            }
            self.bump();
        }
        let bare = |name: &str| {
            name.strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'))
                .map_or_else(|| name.to_owned(), str::to_owned)
        };
        match whole.split_once('.') {
            // An instance of a structured variable, which none of the settings is.
            Some((scope, name)) => Some((Some(Reach::named(bare(scope).as_bytes())?), bare(name))),
            None => Some((None, bare(&whole))),
        }
    }

    /// A parser that stands behind the token that is looked at.
    fn behind(&self) -> Self {
        let mut ahead = self.ahead();
        ahead.bump();
        ahead
    }

    /// Whether `=` or `:=` is looked at.
    fn assigns(&self) -> bool {
        match self.token.kind {
            TokenKind::Symbol(b'=') => true,
            TokenKind::Symbol(b':') => {
                let behind = self.behind().token;
                behind.kind == TokenKind::Symbol(b'=') && behind.start == self.token.end
            }
            _ => false,
        }
    }
}

fn word(reach: Reach) -> &'static str {
    match reach {
        Reach::Session => "SESSION",
        Reach::Global => "GLOBAL",
        Reach::Persist => "PERSIST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_seen_by_its_name() {
        for setting in Setting::all() {
            for name in std::iter::once(&setting.name()).chain(setting.other_names()) {
                assert!(may_concern(format!("SET x = 1, {} = 2", name.to_uppercase()).as_bytes()), "{name}");
            }
        }
        for sql in
            ["SET autocommit = 1", "SET sql_mode = 'x'", "SET NAMES utf8mb4", "SET _", "SET ma_ = time_", "SET max"]
        {
            assert!(!may_concern(sql.as_bytes()), "{sql}");
        }
    }
}
