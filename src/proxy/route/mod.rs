//! What a statement's text says of where it may run: whether it only reads, what it leaves behind on a server session, and
//! what the proxy answers itself or refuses. On every statement's path: it copies nothing.
//!
//! Words in strings and comments do not count. When in doubt a statement is the primary's.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `functions` | the words behind which a parenthesis says nothing of what a query does |
//! | `verbs` | what the first words of a statement say |

mod functions;
#[cfg(test)]
mod tests;
mod verbs;

use super::{assign::is, pins::Pins};
use crate::control::{Lexer, Syntax, Text, Token, TokenKind};

/// What a statement's text says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Reading<'a> {
    pub(in crate::proxy) verb: Verb,
    pub(in crate::proxy) place: Place,
    /// What it leaves on the server session that it runs on, if it ends well.
    pub(in crate::proxy) pins: Pins,
    /// What it takes away there, if it ends well.
    pub(in crate::proxy) unpins: Pins,
    /// What the proxy does rather than passing the statement on as it is.
    pub(in crate::proxy) own: Option<Own<'a>>,
    /// Whether it asks for the connection's id beside other things: `CONNECTION_ID()`, `@@pseudo_thread_id`.
    pub(in crate::proxy) uses_connection_id: bool,
}

/// What kind of statement it is, as far as that matters when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Verb {
    /// `SET` of variables, with a list of assignments.
    Set,
    /// `CALL`, `EXECUTE IMMEDIATE`, a block, or what has a comment in it that may be code for its server: it may set variables
    /// on its way.
    Call,
    /// `USE`.
    Use,
    /// Anything else: it sets no system variable that stays.
    Other,
}

/// Where a statement may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Place {
    /// Anywhere, as far as its text tells: it only reads.
    Any,
    /// Where the client's statement before it ran: it asks about that (`FOUND_ROWS()`, `SHOW WARNINGS`). Where that is gone,
    /// at the primary.
    Last,
    /// At the primary, and it asks about the client's statement before it, which has to have run there too.
    LastAtPrimary,
    /// At the primary.
    Primary,
}

/// What the proxy does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Own<'a> {
    /// `SELECT CONNECTION_ID()` and nothing else: answered here, with this as the column's name.
    ConnectionId { header: Text<'a> },
    /// `LOAD DATA LOCAL`: refused.
    LocalInfile,
    /// `SET NAMES` and whatever else says which character sets the client writes and reads: see
    /// [`character_sets::read`](super::character_sets::read), which says what is left to be passed on.
    CharacterSets,
}

/// Reads a statement. `syntax` says which comments are code.
pub(in crate::proxy) fn read<'a>(sql: &'a [u8], syntax: &Syntax) -> Reading<'a> {
    let mut lexer = Lexer::new(sql, syntax);
    let token = first(&mut lexer);
    let mut scan = Scan {
        reading: Reading {
            verb: Verb::Other,
            place: Place::Primary,
            pins: Pins::NONE,
            unpins: Pins::NONE,
            own: None,
            uses_connection_id: false,
        },
        lexer,
        before: token,
        reads: false,
        asks: false,
        home: false,
        home_alone: false,
        assigns: false,
        qualified: false,
        framed: false,
        declares: false,
        over: false,
    };
    scan.verb(sql, syntax, token.kind);
    scan.look(usize::MAX);
    // What another version of the server takes for code is not read here, and that one may be the server's.
    let reads = scan.reads && !scan.framed;
    let hides = reads && comments(sql).any(is_executable);
    scan.reading.place = match scan.asks {
        true if reads && !hides && !scan.home_alone => Place::Last,
        true => Place::LastAtPrimary,
        false if reads && !hides && !scan.home && !scan.home_alone => Place::Any,
        false => Place::Primary,
    };
    if !reads && comments(sql).any(|comment| is_executable(comment) && syntax.hides(comment)) {
        // Whatever stands there, it may leave, or take again what the rest gives up.
        scan.reading.pins = scan.reading.pins.and(Pins::ROUTINES);
        scan.reading.unpins = Pins::NONE;
        if scan.reading.verb == Verb::Other {
            scan.reading.verb = Verb::Call;
        }
    }
    scan.reading
}

/// The first token that is no parenthesis.
fn first<'a>(lexer: &mut Lexer<'a>) -> Token<'a> {
    loop {
        let token = lexer.next_token();
        if token.kind != TokenKind::Symbol(b'(') {
            return token;
        }
    }
}

/// A look at a statement's tokens, one after the other.
struct Scan<'a> {
    reading: Reading<'a>,
    /// Stands behind `before`.
    lexer: Lexer<'a>,
    before: Token<'a>,
    /// Whether nothing was found so far that more than reads.
    reads: bool,
    /// Whether it asks about the statement before it.
    asks: bool,
    /// Whether it asks for what the primary's session tells best.
    home: bool,
    /// Whether it asks for what no other server's session has: `LAST_INSERT_ID()`.
    home_alone: bool,
    /// Whether a user variable that stands there is one that it gives a value (`CALL`, `FETCH … INTO`).
    assigns: bool,
    /// Whether `before` has a name before it: of a stored function, its database's.
    qualified: bool,
    /// Whether it stands behind a `SET STATEMENT … FOR`.
    framed: bool,
    /// Whether this is a `DECLARE` of a block, which is not a statement of its own.
    declares: bool,
    /// Whether what stands here does not run directly behind the client's statement before: it is the body of something that
    /// is stored, or stands behind another statement of a block.
    over: bool,
}

impl<'a> Scan<'a> {
    /// Reads a token.
    fn bump(&mut self) -> Token<'a> {
        self.lexer.next_token()
    }

    /// The token that comes next.
    fn peek(&self) -> TokenKind<'a> {
        self.lexer.clone().next_token().kind
    }

    /// Looks at all tokens that are left before this place.
    fn look(&mut self, to: usize) {
        while self.lexer.position() < to {
            let token = self.bump();
            match token.kind {
                TokenKind::End => return,
                TokenKind::Unterminated => {
                    self.reads = false;
                    return;
                }
                TokenKind::Symbol(b';') => {
                    self.reads &= self.peek() == TokenKind::End;
                    self.over |= !self.declares;
                    self.declares = is(self.peek(), "DECLARE");
                }
                TokenKind::Symbol(b'(') => self.opens(),
                TokenKind::Word(word) => self.word(word),
                TokenKind::QuotedIdent(name) => self.home |= is_of_one_server(name.raw),
                TokenKind::UserVar(_) => self.user_variable(),
                TokenKind::SystemVar(name) => self.system_variable(name),
                _ => {}
            }
            self.before = token;
        }
    }

    /// A parenthesis: the arguments of a function, perhaps. Of a name in backquotes it may be one that somebody has stored.
    fn opens(&mut self) {
        match self.before.kind {
            TokenKind::Word(_) if self.qualified => {}
            TokenKind::Word(name) => self.function(name),
            TokenKind::QuotedIdent(_) => self.reads = false,
            // The same, where a server has `ANSI_QUOTES`, of which nothing was said here.
            TokenKind::Str(Text { quote: Some(b'"'), .. }) => self.reads = false,
            _ => {}
        }
    }

    fn function(&mut self, name: &[u8]) {
        let any = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        match name.first().map(u8::to_ascii_lowercase) {
            Some(b'c') if any(&["CONNECTION_ID"]) => {
                self.reading.uses_connection_id = true;
                self.home = true;
            }
            Some(b'g') if any(&["GET_LOCK"]) => {
                self.reading.pins = self.reading.pins.and(Pins::NAMED_LOCKS);
                self.reads = false;
            }
            // there may be a table of that name, with its columns behind it
            Some(b'f' | b'r') if any(&["FOUND_ROWS", "ROW_COUNT"]) && self.peek() == TokenKind::Symbol(b')') => {
                self.asks();
            }
            Some(b'l') if any(&["LAST_INSERT_ID"]) => self.home_alone = true,
            _ => self.reads = self.reads && functions::is_harmless(name),
        }
    }

    /// It asks about the statement before it, unless that is not the client's.
    fn asks(&mut self) {
        self.asks |= !self.over;
    }

    fn word(&mut self, word: &[u8]) {
        self.home |= is_of_one_server(word);
        self.qualified = self.before.kind == TokenKind::Symbol(b'.');
        let any = |names: &[&str]| names.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        match word.first().map(u8::to_ascii_lowercase) {
            // of a name with its database before it, only a stored function is called; of a sequence, its next value
            _ if self.qualified => {
                let calls = self.peek() == TokenKind::Symbol(b'(');
                self.reads &= !calls && !any(&["NEXTVAL", "CURRVAL", "LASTVAL"]);
            }
            Some(b'i') if any(&["INTO"]) => {
                self.reads = false;
                self.assigns |= matches!(self.peek(), TokenKind::UserVar(_));
            }
            // it locks the rows that it reads, or it stands behind a `WITH` or an `EXPLAIN`
            Some(b'u') if any(&["UPDATE"]) => self.reads = false,
            // what it has counted may be asked for by a statement that writes
            Some(b's') if any(&["SQL_CALC_FOUND_ROWS"]) => self.home = true,
            Some(b's') if any(&["SHARE"]) => self.reads &= !is(self.before.kind, "FOR"),
            Some(b'i') if any(&["IN"]) => self.reads &= !is(self.before.kind, "LOCK"),
            // of a sequence
            Some(b'v') if any(&["VALUE"]) => {
                self.reads &= !is(self.before.kind, "NEXT") && !is(self.before.kind, "PREVIOUS");
            }
            // the same, unless it is a function of that name
            Some(b'd' | b'i' | b'r') if any(&["DELETE", "INSERT", "REPLACE"]) => {
                self.reads &= self.peek() == TokenKind::Symbol(b'(');
            }
            _ => {}
        }
    }

    fn user_variable(&mut self) {
        self.home = true;
        let mut ahead = self.lexer;
        let assigned =
            ahead.next_token().kind == TokenKind::Symbol(b':') && ahead.next_token().kind == TokenKind::Symbol(b'=');
        if (assigned && self.reading.verb != Verb::Set) || self.assigns {
            self.reads = false;
            self.reading.pins = self.reading.pins.and(Pins::USER_VARIABLES);
        }
    }

    fn system_variable(&mut self, name: &[u8]) {
        let last = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
        let last = super::assign::bare(last);
        let any = |names: &[&str]| names.iter().any(|known| last.eq_ignore_ascii_case(known.as_bytes()));
        if any(&["warning_count", "error_count"]) {
            self.asks();
        } else {
            self.home = true;
            self.home_alone |= any(&["identity", "last_insert_id"]);
            self.reading.uses_connection_id |= self.reading.verb != Verb::Set && any(&["pseudo_thread_id"]);
        }
    }
}

/// Whether this is the name of a database in which each server shows itself, or keeps its logs.
pub(in crate::proxy) fn is_of_one_server(name: &[u8]) -> bool {
    let databases = [&b"information_schema"[..], b"performance_schema", b"sys", b"mysql"];
    databases.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What stands behind each `/*`, wherever that stands.
fn comments(sql: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            let at = rest.iter().position(|b| *b == b'/')?;
            rest = &rest[at + 1..];
            if let [b'*', comment @ ..] = rest {
                return Some(comment);
            }
        }
    })
}

/// Whether a comment is code for some server.
fn is_executable(comment: &[u8]) -> bool {
    matches!(comment, [b'!', ..] | [b'M' | b'T', b'!', ..])
}
