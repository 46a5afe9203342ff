//! The parser of the control statements: what begins them, and those about prepared statements. The others are in files
//! of their own.

mod arithmetic;
mod assigned;
mod diagnostics;
mod id;
mod kill;
mod proxy;
mod session_context;
mod set;

use super::{Control, Lexer, Source, Syntax, Token, TokenKind, lexer::is_space, truncate_chars};
use crate::model::{ErrorKind, SqlError};

pub(super) use session_context::LONGEST_CONTEXT;

/// Reads `sql` as a control statement; `None` if it is another statement, which is the engine's.
///
/// Whether it is one is seen by the first word (and the next ones after `SHOW`, `DROP`, `SET` and `ALTER`): a long
/// statement costs no more than a short one, and nothing is allocated for it. Semicolons at the end are allowed, another
/// statement is not: see [`split`](super::split()).
///
/// Every statement that begins with `KILL` is one. A server that knows others than `syntax` describes reads them first,
/// with a [`Lexer`].
///
/// # Errors
///
/// 1064 with the place where MySQL shows it, for what is not in the grammar that `syntax` describes, an unterminated
/// quote or comment included; 1054 for a name in the place of the id (`KILL abc`); 1235 for a subquery, a function other
/// than `CONNECTION_ID()` or a very long expression there, and for what a setting cannot be set to or by (`SET PERSIST`); 1231
/// for a session context that is too long or no UTF-8. A value that is no id is an error of [`resolve`] only.
///
/// [`resolve`]: super::KillTarget::resolve
pub fn parse(sql: &[u8], syntax: &Syntax) -> Result<Option<Control>, SqlError> {
    // most statements end here, before a lexer is made
    let first = sql.iter().position(|b| !is_space(*b)).unwrap_or(sql.len());
    match &sql[first..] {
        [b'/' | b'#' | b'-', ..] => {}
        text => {
            let Some(lead) = text.first_chunk::<4>().map(|start| lead(*start)) else { return Ok(None) };
            let set = lead >> 8 == SET >> 8 && (syntax.session_context || set::may_concern(text));
            let ours = WORDS.contains(&lead) || set || syntax.kill.alter_system && lead == ALTER;
            if !ours {
                return Ok(None);
            }
        }
    }
    let mut lexer = Lexer::new(sql, syntax);
    let token = lexer.next_token();
    let mut parser = Parser { sql, lexer, token, syntax };
    if parser.eat("KILL") {
        if syntax.proxy_sessions && parser.eat("PROXYSESSION") {
            return parser.kill_proxy_session().map(Some);
        }
        parser.kill().map(|kill| Some(Control::Kill(kill)))
    } else if parser.eat("SHOW") {
        if let Some(diagnostics) = parser.ahead().diagnostics() {
            return Ok(Some(diagnostics));
        }
        if syntax.proxy_sessions && parser.eat("PROXYSESSION") {
            return parser.show_proxy_session().map(Some);
        }
        let full = parser.eat("FULL");
        if !parser.eat("PROCESSLIST") {
            return Ok(None);
        }
        parser.finish()?;
        Ok(Some(Control::ShowProcesslist { full }))
    } else if parser.eat("PREPARE") {
        parser.prepare().map(Some)
    } else if parser.eat("EXECUTE") {
        if parser.is_immediate() { Ok(None) } else { parser.execute().map(Some) }
    } else if parser.eat("DEALLOCATE") {
        if parser.eat("PREPARE") { parser.deallocate().map(Some) } else { Err(parser.unexpected()) }
    } else if parser.eat("SET") {
        if syntax.session_context
            && let Some(context) = parser.ahead().session_context()?
        {
            return Ok(Some(context));
        }
        // What stands behind a comment was not looked at yet.
        if set::may_concern(sql) { parser.set() } else { Ok(None) }
    } else if parser.eat("FLUSH") {
        parser.flush()
    } else if syntax.kill.alter_system && parser.eat("ALTER") {
        parser.alter_system()
    } else if parser.eat("DROP") && parser.eat("PREPARE") {
        parser.deallocate().map(Some)
    } else {
        Ok(None)
    }
}

/// The longest name, in characters: MySQL's.
const LONGEST_NAME: usize = 64;

/// How control statements begin.
const SET: u32 = lead(*b"SET ");
const ALTER: u32 = lead(*b"ALTE");
const WORDS: [u32; 7] =
    [lead(*b"KILL"), lead(*b"SHOW"), lead(*b"PREP"), lead(*b"EXEC"), lead(*b"DEAL"), lead(*b"DROP"), lead(*b"FLUS")];

/// Four bytes as one number, letters in lower case. What is no letter may look like another: the lexer tells them apart.
const fn lead(start: [u8; 4]) -> u32 {
    u32::from_be_bytes(start) | 0x2020_2020
}

struct Parser<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
    /// The token that is looked at; the lexer stands behind it.
    token: Token<'a>,
    syntax: &'a Syntax,
}

impl<'a> Parser<'a> {
    fn bump(&mut self) {
        self.token = self.lexer.next_token();
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(self.token.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.is(keyword);
        if found {
            self.bump();
        }
        found
    }

    fn eat_symbol(&mut self, symbol: u8) -> bool {
        let found = self.token.kind == TokenKind::Symbol(symbol);
        if found {
            self.bump();
        }
        found
    }

    /// The keyword that is looked at, if it is one of these.
    fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    fn expect_symbol(&mut self, symbol: u8) -> Result<(), SqlError> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Whether nothing but semicolons is left.
    fn at_end(&mut self) -> bool {
        while self.eat_symbol(b';') {}
        self.token.kind == TokenKind::End
    }

    fn finish(&mut self) -> Result<(), SqlError> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// 1064 at the token that is looked at.
    fn unexpected(&self) -> SqlError {
        let sql = self.sql;
        if self.ahead().at_end() {
            // MySQL takes blanks and semicolons from the end before it parses: the error is at the end of the rest
            let end = sql.iter().rposition(|b| !is_space(*b) && *b != b';').map_or(0, |last| last + 1);
            syntax_error(&sql[..end], end)
        } else {
            syntax_error(sql, self.token.start)
        }
    }

    /// A parser that reads on from here and leaves this one in its place.
    fn ahead(&self) -> Self {
        Self { ..*self }
    }

    /// After `FLUSH`: `HOSTS` alone. Whatever else is flushed is the engine's.
    fn flush(&mut self) -> Result<Option<Control>, SqlError> {
        let _ = self.eat("LOCAL") || self.eat("NO_WRITE_TO_BINLOG");
        if !self.eat("HOSTS") || self.token.kind == TokenKind::Symbol(b',') {
            return Ok(None);
        }
        self.finish()?;
        Ok(Some(Control::FlushHosts))
    }

    fn prepare(&mut self) -> Result<Control, SqlError> {
        let name = self.name()?;
        if !self.eat("FROM") {
            return Err(self.unexpected());
        }
        let source = match self.token.kind {
            TokenKind::Str(text) => Source::Text(text.decode().into_owned()),
            TokenKind::UserVar(name) => Source::Variable(name.to_string_lossy()),
            _ => return Err(self.unexpected()),
        };
        self.bump();
        self.finish()?;
        Ok(Control::Prepare { name, source })
    }

    /// Whether `EXECUTE IMMEDIATE …` is looked at (MariaDB), which is the engine's.
    fn is_immediate(&self) -> bool {
        let mut ahead = self.ahead();
        ahead.eat("IMMEDIATE") && matches!(ahead.token.kind, TokenKind::Str(_) | TokenKind::UserVar(_))
    }

    fn execute(&mut self) -> Result<Control, SqlError> {
        let name = self.name()?;
        let mut using = Vec::new();
        if self.eat("USING") {
            loop {
                let TokenKind::UserVar(variable) = self.token.kind else { return Err(self.unexpected()) };
                using.push(variable.to_string_lossy());
                self.bump();
                if !self.eat_symbol(b',') {
                    break;
                }
            }
        }
        self.finish()?;
        Ok(Control::Execute { name, using })
    }

    fn deallocate(&mut self) -> Result<Control, SqlError> {
        let name = self.name()?;
        self.finish()?;
        Ok(Control::Deallocate { name })
    }

    /// The name of a prepared statement.
    fn name(&mut self) -> Result<String, SqlError> {
        let name = match self.token.kind {
            TokenKind::Word(word) => String::from_utf8_lossy(word).into_owned(),
            TokenKind::QuotedIdent(name) => name.to_string_lossy(),
            _ => return Err(self.unexpected()),
        };
        if name.chars().nth(LONGEST_NAME).is_some() {
            let shown = truncate_chars(&name, LONGEST_NAME);
            return Err(SqlError::of(ErrorKind::TooLongIdentifier, format!("Identifier name '{shown}' is too long")));
        }
        self.bump();
        Ok(name.to_lowercase())
    }
}

/// 1064 for what begins at the byte `at` of `sql`, as MySQL shows it: the text from there on, and its line.
pub fn syntax_error(sql: &[u8], at: usize) -> SqlError {
    let (before, near) = sql.split_at(at.min(sql.len()));
    // only 80 characters are shown, and none has more than four bytes
    let near = &near[..near.len().min(320)];
    let line = 1 + before.iter().filter(|b| **b == b'\n').count();
    SqlError::syntax(&String::from_utf8_lossy(near), line)
}
