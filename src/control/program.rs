//! The definitions of stored programs, and MariaDB's `BEGIN NOT ATOMIC`: their bodies have semicolons that part no
//! statements.
//!
//! No grammar: it counts what opens a block and what ends one. Where it counts too much, the rest of the text belongs to the
//! definition, and whoever runs it says what is wrong with it.

use super::{Token, TokenKind};

/// So many tokens a definer may have: `DEFINER = 'user'@'host'` and what stands before it.
const FARTHEST: usize = 12;

/// The words behind which, at the beginning of a definition, its body may begin with an `IF`.
const CHARACTERISTICS: &[&str] = &["DATA", "DEFINER", "DETERMINISTIC", "INVOKER", "ROW", "SQL"];

/// A look at the tokens of one statement, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Program<'a> {
    stage: Stage,
    before: Option<TokenKind<'a>>,
}

/// How far it is known what the statement is.
#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// Nothing was seen yet.
    #[default]
    New,
    /// `BEGIN`, which may be a block.
    Begin,
    /// `CREATE`, with so many tokens behind it.
    Create(usize),
    /// A stored program; so many blocks are open.
    Program(usize),
    /// Anything else.
    Other,
}

impl<'a> Program<'a> {
    /// The next token.
    pub(super) fn see(&mut self, token: &Token<'a>) {
        let before = self.before.replace(token.kind);
        self.stage = match (self.stage, token.kind) {
            (Stage::Other, _) => return,
            (Stage::New, TokenKind::Word(word)) if is(word, "CREATE") => Stage::Create(0),
            (Stage::New, TokenKind::Word(word)) if is(word, "BEGIN") => Stage::Begin,
            (Stage::Begin, TokenKind::Word(word)) if is(word, "NOT") => Stage::Program(1),
            (Stage::Create(_), TokenKind::Word(word))
                if is_any(word, &["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"]) =>
            {
                Stage::Program(0)
            }
            (Stage::Create(seen), kind) if seen < FARTHEST && belongs_to_definer(before, kind) => {
                Stage::Create(seen + 1)
            }
            (Stage::Program(open), TokenKind::Word(word)) => Stage::Program(opened(open, before, word)),
            (Stage::Program(open), _) => Stage::Program(open),
            _ => Stage::Other,
        };
    }

    /// Whether a semicolon is one of the body's.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Program(1..))
    }
}

/// Whether a token may stand between `CREATE` and what is created, of a stored program.
fn belongs_to_definer(before: Option<TokenKind<'_>>, kind: TokenKind<'_>) -> bool {
    match kind {
        TokenKind::Word(_) if before == Some(TokenKind::Symbol(b'=')) => true,
        TokenKind::Word(word) => is_any(word, &["OR", "REPLACE", "DEFINER", "AGGREGATE"]),
        TokenKind::Symbol(symbol) => matches!(symbol, b'=' | b'(' | b')' | b'@'),
        TokenKind::Str(_) | TokenKind::QuotedIdent(_) | TokenKind::UserVar(_) => true,
        _ => false,
    }
}

/// How many blocks are open behind `word`, of which `open` were before it.
fn opened(open: usize, before: Option<TokenKind<'_>>, word: &[u8]) -> usize {
    let ends = matches!(before, Some(TokenKind::Word(before)) if is(before, "END"));
    let begins_statement = match before {
        Some(TokenKind::Symbol(b';' | b':')) => true,
        Some(TokenKind::Word(before)) => {
            is_any(before, &["BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT"])
                || (open == 0 && is_any(before, CHARACTERISTICS))
        }
        Some(TokenKind::Symbol(b')') | TokenKind::Str(_)) => open == 0,
        _ => false,
    };
    match () {
        () if before == Some(TokenKind::Symbol(b'.')) => open,
        () if is(word, "END") => open.saturating_sub(1),
        () if ends => open,
        () if is_any(word, &["BEGIN", "CASE", "LOOP", "WHILE"]) => open + 1,
        () if begins_statement && is_any(word, &["IF", "REPEAT", "FOR"]) => open + 1,
        () => open,
    }
}

fn is(word: &[u8], known: &str) -> bool {
    word.eq_ignore_ascii_case(known.as_bytes())
}

fn is_any(word: &[u8], known: &[&str]) -> bool {
    known.iter().any(|known| is(word, known))
}

#[cfg(test)]
mod tests {
    use crate::control::{Syntax, first_statement};

    /// Each of these is one statement, whatever semicolons it has; another one follows it.
    #[test]
    fn a_stored_program_is_one_statement() {
        for sql in [
            "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
            "create or replace definer=`a`@`%` procedure x.p(IN a INT) begin if a > 1 then select 1; end if; end",
            "CREATE DEFINER = root@localhost FUNCTION f() RETURNS INT BEGIN DECLARE x INT; RETURN x; END",
            "CREATE DEFINER=CURRENT_USER() TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a = 1; SET @b = 2; END",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF NEW.a THEN SET NEW.a = 1; END IF",
            "CREATE PROCEDURE IF NOT EXISTS p() BEGIN DROP TABLE IF EXISTS t; END",
            "CREATE PROCEDURE p() COMMENT 'END;' IF (1) THEN SELECT 1; ELSEIF (2) THEN SELECT 2; ELSE SELECT 3; END IF",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END",
            "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; SELECT 2; END",
            "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN a THEN 1 END, IF(a, REPEAT('x', 2), 3); SELECT 2; END",
            "CREATE PROCEDURE p() BEGIN l: LOOP LEAVE l; END LOOP l; WHILE a DO SET a = 0; END WHILE; SELECT 1; END",
            "CREATE PROCEDURE p() BEGIN REPEAT SET a = 1; UNTIL a END REPEAT; FOR i IN 1..2 DO SELECT i; END FOR; END",
            "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; SELECT t.end; END",
            "CREATE PROCEDURE p() l: BEGIN SELECT 1; END l",
            "CREATE PROCEDURE p() SELECT 1",
            "CREATE FUNCTION f() RETURNS INT RETURN IF(1, CASE 1 WHEN 1 THEN 2 END, 3)",
            "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
            "BEGIN",
            "CREATE TABLE t (begin INT)",
            "CREATE TABLE `procedure` (a INT) COMMENT 'BEGIN'",
        ] {
            for (text, rest) in
                [(sql.to_owned(), None), (format!("{sql};\n"), None), (format!("{sql}; SELECT 9"), Some("SELECT 9"))]
            {
                let (range, at) = first_statement(text.as_bytes(), &Syntax::MARIADB);
                assert_eq!((&text[range], at.map(|at| &text[at..])), (sql, rest), "{text}");
            }
        }
    }

    /// What is open at the end takes the rest of the text.
    #[test]
    fn a_body_without_its_end_takes_what_follows() {
        let sql = "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2";
        assert_eq!(first_statement(sql.as_bytes(), &Syntax::MYSQL), (0..sql.len(), None));
    }

    #[test]
    fn other_statements_end_at_their_semicolons() {
        let after_nothing = first_statement(b";; CREATE PROCEDURE p() BEGIN SELECT 1; END; SELECT 2", &Syntax::MARIADB);
        assert_eq!(after_nothing, (3..43, Some(45)));
        for sql in ["BEGIN; SELECT 1; END", "CREATE TABLE t (a INT); BEGIN", "SELECT 'CREATE PROCEDURE' BEGIN; END"] {
            let (range, at) = first_statement(sql.as_bytes(), &Syntax::MARIADB);
            assert_eq!(range.end, sql.find(';').unwrap_or_default());
            assert!(at.is_some(), "{sql}");
        }
    }
}
