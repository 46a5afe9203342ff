//! What the first words of a statement say.

use super::{Own, Scan, Verb, first};
use crate::{
    control::{Syntax, Text, Token, TokenKind},
    proxy::{
        assign::{Reach, Target, assignments, behind_for, is},
        character_sets,
        pins::Pins,
    },
};

/// So far a `TEMPORARY` may stand behind its `CREATE`: `CREATE OR REPLACE TEMPORARY TABLE`.
const FARTHEST: usize = 4;

/// What may be shown that is the same on every server.
const SHOWN_ANYWHERE: &[&str] = &[
    "CHARACTER",
    "CHARSET",
    "COLLATION",
    "COLUMNS",
    "CREATE",
    "DATABASES",
    "EVENTS",
    "EXTENDED",
    "FIELDS",
    "FULL",
    "FUNCTION",
    "INDEX",
    "INDEXES",
    "KEYS",
    "PROCEDURE",
    "SCHEMAS",
    "TABLE",
    "TABLES",
    "TRIGGERS",
];

impl<'a> Scan<'a> {
    /// The first word, and those behind it that belong to it.
    pub(super) fn verb(&mut self, sql: &'a [u8], syntax: &Syntax, verb: TokenKind<'a>) {
        let TokenKind::Word(word) = verb else { return };
        let any = |names: &[&str]| names.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        match word.first().map(u8::to_ascii_uppercase) {
            Some(b'S') if any(&["SELECT"]) => {
                self.reads = true;
                if !self.framed {
                    self.bare_connection_id(sql);
                }
                self.releases();
            }
            Some(b'D') if any(&["DO"]) => self.releases(),
            Some(b'W' | b'T' | b'V') if any(&["WITH", "TABLE", "VALUES"]) => self.reads = true,
            Some(b'S') if any(&["SET"]) => match behind_for(sql, syntax) {
                Some(behind) if !self.framed => self.behind_for(sql, syntax, behind.position()),
                _ => self.set(sql, syntax),
            },
            Some(b'S') if any(&["SHOW"]) => self.show(),
            Some(b'E' | b'D') if any(&["EXPLAIN", "DESCRIBE", "DESC"]) => {
                self.reads = !matches!(self.peek(), TokenKind::Word(word) if word.eq_ignore_ascii_case(b"FOR"));
            }
            Some(b'C') if any(&["CREATE"]) => {
                if self.ahead("TEMPORARY") {
                    self.pin(Pins::TEMPORARY_TABLES);
                }
                // bodies of what is stored; a table's `SELECT` runs now
                self.over = !self.ahead("TABLE");
            }
            Some(b'A') if any(&["ALTER"]) => self.over = true,
            Some(b'G') if any(&["GET"]) && self.ahead("DIAGNOSTICS") => {
                self.assigns = true;
                self.asks();
            }
            Some(b'C' | b'E') if any(&["CALL", "EXECUTE"]) => {
                self.reading.verb = Verb::Call;
                self.pin(Pins::ROUTINES);
                self.assigns = any(&["CALL"]);
            }
            Some(b'L') if any(&["LOAD"]) => {
                self.assigns = true;
                if self.ahead("LOCAL") {
                    self.reading.own = Some(Own::LocalInfile);
                }
            }
            Some(b'L') if any(&["LOCK"]) => self.pin(self.locked()),
            Some(b'U') if any(&["UNLOCK"]) => self.reading.unpins = self.locked(),
            Some(b'U') if any(&["USE"]) => self.reading.verb = Verb::Use,
            Some(b'F') if any(&["FLUSH"]) => self.flush(),
            Some(b'B') if any(&["BACKUP"]) => match self.peek() {
                next if is(next, "LOCK") => self.pin(Pins::BACKUP_LOCK),
                next if is(next, "UNLOCK") => self.reading.unpins = Pins::BACKUP_LOCK,
                _ if self.ahead("END") => self.reading.unpins = Pins::BACKUP_STAGE,
                _ => self.pin(Pins::BACKUP_STAGE),
            },
            Some(b'H') if any(&["HANDLER"]) => self.pin(Pins::HANDLERS),
            Some(b'X') if any(&["XA"]) => match self.peek() {
                next if is(next, "START") || is(next, "BEGIN") => self.pin(Pins::XA),
                next if is(next, "COMMIT") || is(next, "ROLLBACK") => self.reading.unpins = Pins::XA,
                _ => {}
            },
            _ if self.is_block(word) => {
                self.reading.verb = Verb::Call;
                self.pin(Pins::ROUTINES);
                self.declares = self.ahead("DECLARE");
            }
            _ => {}
        }
    }

    /// After the `SET` of a `SET STATEMENT … FOR`: the statement that stands behind this place is read.
    fn behind_for(&mut self, sql: &'a [u8], syntax: &Syntax, place: usize) {
        self.framed = true;
        self.look(place);
        self.before = first(&mut self.lexer);
        self.verb(sql, syntax, self.before.kind);
    }

    /// After `SELECT` and `DO`: `RELEASE_ALL_LOCKS() [;]` and nothing else. In anything more it may not be called, or something
    /// be locked behind it.
    fn releases(&mut self) {
        let mut ahead = self.lexer;
        if !is(ahead.next_token().kind, "RELEASE_ALL_LOCKS") {
            return;
        }
        let kinds = [(); 4].map(|()| ahead.next_token().kind);
        let [open, close, end, behind] = kinds;
        let ends = end == TokenKind::End || (end == TokenKind::Symbol(b';') && behind == TokenKind::End);
        if ends && (open, close) == (TokenKind::Symbol(b'('), TokenKind::Symbol(b')')) {
            self.reading.unpins = Pins::NAMED_LOCKS;
        }
    }

    fn pin(&mut self, pin: Pins) {
        self.reading.pins = self.reading.pins.and(pin);
    }

    /// After `LOCK` and `UNLOCK`.
    fn locked(&self) -> Pins {
        if is(self.peek(), "INSTANCE") { Pins::INSTANCE_LOCK } else { Pins::TABLE_LOCKS }
    }

    /// Whether this word is among the next few words.
    fn ahead(&self, wanted: &str) -> bool {
        let mut ahead = self.lexer;
        for _ in 0..FARTHEST {
            match ahead.next_token().kind {
                kind if is(kind, wanted) => return true,
                TokenKind::Word(_) => {}
                _ => return false,
            }
        }
        false
    }

    /// MariaDB's statements of stored programs, which stand outside of them too: `BEGIN NOT ATOMIC … END` (any other `BEGIN`
    /// begins a transaction), `IF … END IF` and their like, with a label before them or without.
    fn is_block(&self, word: &[u8]) -> bool {
        let any = |names: &[&str]| names.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        match self.peek() {
            TokenKind::Symbol(b':') => true,
            next if any(&["BEGIN"]) => is(next, "NOT"),
            _ => any(&["CASE", "DECLARE", "FOR", "IF", "LOOP", "REPEAT", "WHILE"]),
        }
    }

    /// `FLUSH TABLES WITH READ LOCK`, `FLUSH TABLES t FOR EXPORT`.
    fn flush(&mut self) {
        let mut ahead = self.lexer;
        loop {
            match ahead.next_token().kind {
                TokenKind::End | TokenKind::Unterminated => return,
                kind if is(kind, "LOCK") || is(kind, "EXPORT") => return self.pin(Pins::TABLE_LOCKS),
                _ => {}
            }
        }
    }

    /// After `SHOW`.
    fn show(&mut self) {
        let mut ahead = self.lexer;
        let first = ahead.next_token().kind;
        let counts = is(first, "COUNT");
        if counts || is(first, "WARNINGS") || is(first, "ERRORS") {
            self.reads = true;
            self.asks();
            // `COUNT(*) WARNINGS`: its parenthesis is no function's
            return;
        }
        let TokenKind::Word(word) = first else { return };
        let known = |word: &[u8]| SHOWN_ANYWHERE.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        // `FULL PROCESSLIST`, `PROCEDURE CODE` and their like tell of one server
        let second = match ahead.next_token().kind {
            TokenKind::Word(second) => second,
            _ => b"",
        };
        let modified = ["FULL", "EXTENDED"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        self.reads = known(word) && (!modified || known(second)) && !second.eq_ignore_ascii_case(b"CODE");
    }

    /// After `SET`.
    fn set(&mut self, sql: &'a [u8], syntax: &Syntax) {
        for assignment in assignments(sql, syntax) {
            self.reading.verb = Verb::Set;
            if character_sets::asks(&sql[assignment.value.clone()], syntax) {
                self.reading.own = Some(Own::CharacterSets);
            }
            match assignment.target {
                target if character_sets::concerns(target) => self.reading.own = Some(Own::CharacterSets),
                Target::User(_) if !character_sets::is_constant(&assignment) => self.pin(Pins::USER_VARIABLES),
                Target::Transaction(None) => self.pin(Pins::NEXT_TRANSACTION),
                Target::Transaction(Some(Reach::Session | Reach::Server)) | Target::User(_) | Target::System(..) => {}
                Target::Names | Target::CharacterSet => {}
                Target::Other => self.pin_other(assignment.first),
            }
        }
    }

    /// `SET ROLE` stays with its session; `SET PASSWORD` and `SET DEFAULT ROLE` do not.
    fn pin_other(&mut self, _: TokenKind<'a>) {
        if is(self.peek(), "ROLE") || is(self.peek(), "RESOURCE") {
            self.pin(Pins::VARIABLES);
        }
    }

    /// After `SELECT`: `CONNECTION_ID() [[AS] name] [FROM DUAL] [;]` and nothing else.
    fn bare_connection_id(&mut self, sql: &'a [u8]) {
        let mut ahead = self.lexer;
        let name = ahead.next_token();
        if !is(name.kind, "CONNECTION_ID") || ahead.next_token().kind != TokenKind::Symbol(b'(') {
            return;
        }
        let close = ahead.next_token();
        if close.kind != TokenKind::Symbol(b')') {
            return;
        }
        let mut header = Text { raw: &sql[name.start..close.end], quote: None };
        let mut token = ahead.next_token();
        let explicit = is(token.kind, "AS");
        if explicit {
            token = ahead.next_token();
        }
        if let Some(alias) = alias(&token) {
            header = alias;
            token = ahead.next_token();
        } else if explicit {
            return;
        }
        if is(token.kind, "FROM") && is(ahead.next_token().kind, "DUAL") {
            token = ahead.next_token();
        }
        if token.kind == TokenKind::Symbol(b';') {
            token = ahead.next_token();
        }
        if token.kind == TokenKind::End {
            self.reading.own = Some(Own::ConnectionId { header });
        }
    }
}

/// The name that a token gives a column.
fn alias<'a>(token: &Token<'a>) -> Option<Text<'a>> {
    match token.kind {
        TokenKind::Word(word) if !is(token.kind, "FROM") => Some(Text { raw: word, quote: None }),
        TokenKind::Str(text) | TokenKind::QuotedIdent(text) => Some(text),
        _ => None,
    }
}
