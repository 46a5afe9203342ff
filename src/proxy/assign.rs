//! The assignments of a `SET`, one after the other, without a copy of anything. Only where each begins and ends, what it
//! assigns to, and whether its value is plain: what it means is decided by those who ask.

use std::ops::Range;

use crate::control::{Lexer, Syntax, Text, Token, TokenKind};

/// Whose value is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Reach {
    /// The session's.
    Session,
    /// The server's, now or after its next start.
    Server,
}

/// What is assigned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Target<'a> {
    /// `@name`
    User(Text<'a>),
    /// A system variable, by its name without quotes.
    System(Reach, &'a [u8]),
    /// `NAMES`
    Names,
    /// `CHARACTER SET`, `CHARSET`
    CharacterSet,
    /// `TRANSACTION`: of the session or the server if it says so, else of the next transaction alone.
    Transaction(Option<Reach>),
    /// Anything else: `ROLE`, `PASSWORD`, `DEFAULT ROLE`, what is no SQL.
    Other,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Assignment<'a> {
    pub(in crate::proxy) target: Target<'a>,
    /// All of it, from the word that says whose value it is to the last token of its value.
    pub(in crate::proxy) whole: Range<usize>,
    /// Its value: what stands behind the sign, or behind `NAMES` and its like.
    pub(in crate::proxy) value: Range<usize>,
    /// The value's first token, and whether it is the only one (a sign before a number aside).
    pub(in crate::proxy) first: TokenKind<'a>,
    pub(in crate::proxy) plain: bool,
}

/// The assignments of a `SET`, in their order; none of any other statement. Of a `SET STATEMENT … FOR` those of the `SET` behind
/// its `FOR`, if one stands there.
pub(in crate::proxy) fn assignments<'a>(sql: &'a [u8], syntax: &Syntax) -> Assignments<'a> {
    Assignments::begin(behind_for(sql, syntax).unwrap_or_else(|| Lexer::new(sql, syntax)), false)
}

/// The assignments of MariaDB's `SET STATEMENT … FOR`, which hold for the statement behind it alone; none of anything else.
pub(in crate::proxy) fn for_one_statement<'a>(sql: &'a [u8], syntax: &Syntax) -> impl Iterator<Item = Assignment<'a>> {
    let mut all = Assignments::begin(Lexer::new(sql, syntax), true);
    std::iter::from_fn(move || {
        loop {
            match all.next() {
                // one may stand behind the other
                None if all.ended_by_for => all = Assignments::begin(all.lexer, true),
                next => return next,
            }
        }
    })
}

/// Stands before the statement that is behind a `SET STATEMENT … FOR`. `None`: it is none.
pub(in crate::proxy) fn behind_for<'a>(sql: &'a [u8], syntax: &Syntax) -> Option<Lexer<'a>> {
    let mut behind = None;
    let mut all = Assignments::begin(Lexer::new(sql, syntax), true);
    loop {
        all.by_ref().for_each(drop);
        if !all.ended_by_for {
            return behind;
        }
        behind = Some(all.lexer);
        all = Assignments::begin(all.lexer, true);
    }
}

/// The iterator that [`assignments`] returns.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Assignments<'a> {
    /// Stands behind `token`.
    lexer: Lexer<'a>,
    token: Token<'a>,
    /// MySQL: a `GLOBAL` or `SESSION` holds for the assignments behind it too that have none.
    sticky: Option<Reach>,
    /// Whether they are those of a `SET STATEMENT`, up to its `FOR`.
    statement: bool,
    /// Whether the `FOR` has come: the lexer stands behind it.
    ended_by_for: bool,
    done: bool,
}

impl<'a> Assignments<'a> {
    /// Those of the `SET` that the lexer stands before, or of the `SET STATEMENT`.
    fn begin(mut lexer: Lexer<'a>, statement: bool) -> Self {
        let set = is(lexer.next_token().kind, "SET");
        let token = lexer.next_token();
        let mut all = Self { token, lexer, sticky: None, statement, ended_by_for: false, done: !set };
        let is_statement = set && all.is("STATEMENT") && !all.assigns_behind();
        all.done |= is_statement != statement;
        if is_statement {
            all.bump();
        }
        all
    }

    fn is(&self, word: &str) -> bool {
        is(self.token.kind, word)
    }

    fn bump(&mut self) {
        self.token = self.lexer.next_token();
    }

    /// Whether a sign of assignment follows the token.
    fn assigns_behind(&self) -> bool {
        let mut ahead = self.lexer;
        match ahead.next_token().kind {
            TokenKind::Symbol(b'=') => true,
            TokenKind::Symbol(b':') => ahead.next_token().kind == TokenKind::Symbol(b'='),
            _ => false,
        }
    }

    /// Reads what is assigned to, and the sign.
    fn target(&mut self) -> Target<'a> {
        let word = !self.assigns_behind();
        if word && self.is("NAMES") {
            self.bump();
            return Target::Names;
        }
        if word && (self.is("CHARSET") || self.is("CHARACTER")) {
            if self.is("CHARACTER") {
                self.bump();
            }
            self.bump();
            return Target::CharacterSet;
        }
        if word && self.is("TRANSACTION") {
            self.bump();
            return Target::Transaction(None);
        }
        if word && let TokenKind::Word(scope) = self.token.kind {
            let Some(reach) = reach(scope) else { return Target::Other };
            self.sticky = Some(reach);
            self.bump();
            if self.is("TRANSACTION") && !self.assigns_behind() {
                self.bump();
                return Target::Transaction(Some(reach));
            }
        }
        let target = match self.token.kind {
            TokenKind::UserVar(name) => Target::User(name),
            TokenKind::SystemVar(name) => system(name),
            TokenKind::Word(name) | TokenKind::QuotedIdent(Text { raw: name, .. }) => {
                Target::System(self.sticky.unwrap_or(Reach::Session), name)
            }
            _ => return Target::Other,
        };
        self.bump();
        if self.token.kind == TokenKind::Symbol(b':') {
            self.bump();
        }
        if self.token.kind != TokenKind::Symbol(b'=') {
            return Target::Other;
        }
        self.bump();
        target
    }
}

impl<'a> Iterator for Assignments<'a> {
    type Item = Assignment<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let start = self.token.start;
        let target = self.target();
        let (first, begin) = (self.token, self.token.start);
        let (mut end, mut depth, mut tokens) = (begin, 0_usize, 0_usize);
        let mut signed = false;
        loop {
            match self.token.kind {
                TokenKind::End | TokenKind::Unterminated => {
                    self.done = true;
                    break;
                }
                TokenKind::Symbol(b',' | b';') if depth == 0 => {
                    self.done = self.token.kind == TokenKind::Symbol(b';');
                    self.bump();
                    break;
                }
                TokenKind::Word(_) if depth == 0 && self.statement && self.is("FOR") => {
                    (self.done, self.ended_by_for) = (true, true);
                    break;
                }
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            signed |= tokens == 1 && matches!(self.token.kind, TokenKind::Number(_));
            end = self.token.end;
            tokens += 1;
            self.bump();
        }
        let plain = match first.kind {
            TokenKind::Symbol(b'-' | b'+') => tokens == 2 && signed,
            TokenKind::Word(_) | TokenKind::Number(_) | TokenKind::Str(_) => tokens == 1,
            _ => false,
        };
        Some(Assignment { target, whole: start..end.max(start), value: begin..end, first: first.kind, plain })
    }
}

/// Whether a token is this word, in any case.
pub(in crate::proxy) fn is(kind: TokenKind<'_>, word: &str) -> bool {
    matches!(kind, TokenKind::Word(text) if text.eq_ignore_ascii_case(word.as_bytes()))
}

fn reach(word: &[u8]) -> Option<Reach> {
    let any = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    if any(&["SESSION", "LOCAL"]) {
        Some(Reach::Session)
    } else if any(&["GLOBAL", "PERSIST", "PERSIST_ONLY"]) {
        Some(Reach::Server)
    } else {
        None
    }
}

/// What a name behind `@@` means: its scope, if it has one, and the name without backquotes.
pub(in crate::proxy) fn system(name: &[u8]) -> Target<'_> {
    let (scope, name) = match name.iter().position(|b| *b == b'.') {
        Some(dot) => match reach(bare(&name[..dot])) {
            Some(reach) => (reach, &name[dot + 1..]),
            None => return Target::Other,
        },
        None => (Reach::Session, name),
    };
    Target::System(scope, bare(name))
}

/// A name without the backquotes around it.
pub(in crate::proxy) fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(name)
}
