//! A statement's tokens, read one after another. The one place that knows how the parser is driven and bounded.

use sqlparser::{
    ast::{Expr, OrderByExpr, Value},
    dialect::MySqlDialect,
    parser::Parser,
    tokenizer::{Location, Token, Tokenizer},
};

use super::stop::{Found, Stop};
use crate::control::{Syntax, has_secret};

/// How deep expressions may nest; what the parser needs of the stack for it stays far below a thread's 2 MiB (a test
/// runs the worst that is known on three quarters of one, unoptimised).
const DEEPEST: usize = 12;

/// How many tokens a statement may have, commas and literals not counted. Every level of an expression takes at least
/// one, those of `1+1+1+…` too, which the parser reads without recursion but which is dropped with it.
const MOST_TOKENS: usize = 1_024;

static MYSQL: MySqlDialect = MySqlDialect {};

/// A statement's tokens.
pub(super) struct Cursor<'a> {
    parser: Parser<'static>,
    sql: &'a str,
    /// A place in the text whose offset is known; the next one asked for lies behind it, mostly.
    known: (Location, usize),
    /// Whether the parser's places are those in the text: within `/*! … */` they are not.
    placed: bool,
    /// Whether a secret is in it, as far as that was asked for.
    secret: Option<bool>,
}

impl<'a> Cursor<'a> {
    /// The tokens of `sql`.
    ///
    /// # Errors
    /// Not ours, if it is no sequence of tokens, or one too long.
    pub fn new(sql: &'a str) -> Found<Self> {
        let tokens = Tokenizer::new(&MYSQL, sql).tokenize_with_location().map_err(|_| Stop::NotOurs)?;
        let counted = tokens.iter().filter(|t| !is_light(&t.token)).count();
        // The parser copies all that stands before a DIV, which takes the stack as deep as that is long.
        let divides = tokens.iter().any(|t| is_word(&t.token, "DIV"));
        if counted > MOST_TOKENS || divides {
            return Err(Stop::NotOurs);
        }
        let parser = Parser::new(&MYSQL).with_recursion_limit(DEEPEST).with_tokens_with_locations(tokens);
        let known = (Location { line: 1, column: 1 }, 0);
        Ok(Self { parser, sql, known, placed: !sql.contains("/*!"), secret: None })
    }

    /// The next token, without moving.
    pub fn peek(&self) -> &Token {
        &self.parser.peek_token_ref().token
    }

    /// The token after the next, without moving.
    pub fn peek_second(&self) -> &Token {
        self.peek_nth(1)
    }

    /// Moves behind the next token.
    pub fn skip(&mut self) {
        self.parser.advance_token();
    }

    /// Takes `token`, if it is the next.
    pub fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.skip();
        }
        found
    }

    /// Takes `token`.
    ///
    /// # Errors
    /// Not ours, if another is next.
    pub fn expect(&mut self, token: &Token) -> Found<()> {
        if self.take(token) { Ok(()) } else { Err(Stop::NotOurs) }
    }

    /// Whether the next token is this word, without quotes and in any case.
    pub fn sees(&self, word: &str) -> bool {
        is_word(self.peek(), word)
    }

    /// Takes the word, if it is the next token.
    pub fn word(&mut self, word: &str) -> bool {
        let found = self.sees(word);
        if found {
            self.skip();
        }
        found
    }

    /// Takes all these words, or none.
    pub fn words(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(n, w)| is_word(&self.parser.peek_nth_token_ref(n).token, w));
        if found {
            words.iter().for_each(|_| self.skip());
        }
        found
    }

    /// Takes the first of these words that is next.
    pub fn any_word<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().find(|w| self.sees(w)).copied()?;
        self.skip();
        Some(found)
    }

    /// Takes a word.
    ///
    /// # Errors
    /// Not ours, if another is next.
    pub fn expect_word(&mut self, word: &str) -> Found<()> {
        if self.word(word) { Ok(()) } else { Err(Stop::NotOurs) }
    }

    /// A name, with or without backquotes.
    ///
    /// # Errors
    /// Not ours, if something else is next.
    pub fn name(&mut self) -> Found<String> {
        match self.peek() {
            Token::Word(word) if matches!(word.quote_style, None | Some('`')) => {
                let name = word.value.clone();
                self.skip();
                Ok(name)
            }
            _ => Err(Stop::NotOurs),
        }
    }

    /// A text in quotes, if one is next. (`ANSI_QUOTES` is not heeded.)
    pub fn text(&mut self) -> Option<String> {
        let text = match self.peek() {
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => text.clone(),
            _ => return None,
        };
        self.skip();
        Some(text)
    }

    /// A text in quotes or a name, as `SET NAMES` takes them.
    ///
    /// # Errors
    /// Not ours, if something else is next.
    pub fn text_or_name(&mut self) -> Found<String> {
        self.text().map_or_else(|| self.name(), Ok)
    }

    /// A whole number.
    ///
    /// # Errors
    /// Not ours, if something else is next.
    pub fn number(&mut self) -> Found<u64> {
        let Token::Number(digits, _) = self.peek() else { return Err(Stop::NotOurs) };
        let number = digits.parse().map_err(|_| Stop::NotOurs)?;
        self.skip();
        Ok(number)
    }

    /// An expression.
    ///
    /// # Errors
    /// Not ours, if there is none, or one too deep, or if it is more than a literal and the statement has a secret in it.
    pub fn expression(&mut self) -> Found<Expr> {
        if let Some(literal) = self.literal() {
            return Ok(literal);
        }
        self.keep_secrets()?;
        self.parser.parse_expr().map_err(|_| Stop::NotOurs)
    }

    /// What follows `ORDER BY`, up to a comma.
    ///
    /// # Errors
    /// As [`Cursor::expression`].
    pub fn order_by(&mut self) -> Found<OrderByExpr> {
        self.keep_secrets()?;
        self.parser.parse_order_by_expr().map_err(|_| Stop::NotOurs)
    }

    /// A text in quotes or a number, if that is all of the expression that is next.
    fn literal(&mut self) -> Option<Expr> {
        if !matches!(self.peek_second(), Token::Comma | Token::SemiColon | Token::RParen | Token::EOF) {
            return None;
        }
        let next = self.parser.peek_token_ref();
        let value = match &next.token {
            Token::SingleQuotedString(text) => Value::SingleQuotedString(text.clone()),
            Token::DoubleQuotedString(text) => Value::DoubleQuotedString(text.clone()),
            Token::Number(digits, long) => Value::Number(digits.clone(), *long),
            _ => return None,
        };
        let value = value.with_span(next.span);
        self.skip();
        Some(Expr::Value(value))
    }

    /// Before the parser reads an expression: it logs the tokens that it comes by.
    ///
    /// # Errors
    /// Not ours, if the statement has a secret in it.
    fn keep_secrets(&mut self) -> Found<()> {
        let secret = *self.secret.get_or_insert_with(|| has_secret(self.sql.as_bytes(), &Syntax::MYSQL));
        if secret { Err(Stop::NotOurs) } else { Ok(()) }
    }

    /// The token `n` after the next, without moving.
    pub fn peek_nth(&self, n: usize) -> &Token {
        &self.parser.peek_nth_token_ref(n).token
    }

    /// Whether nothing but semicolons is left.
    pub fn at_end(&self) -> bool {
        let mut n = 0;
        loop {
            match self.parser.peek_nth_token_ref(n).token {
                Token::SemiColon => n += 1,
                Token::EOF => return true,
                _ => return false,
            }
        }
    }

    /// Nothing but semicolons is left.
    ///
    /// # Errors
    /// Not ours, if there is more.
    pub fn end(&self) -> Found<()> {
        if self.at_end() { Ok(()) } else { Err(Stop::NotOurs) }
    }

    /// Where the next token is, for [`Cursor::since`].
    pub fn mark(&self) -> Location {
        self.parser.peek_token_ref().span.start
    }

    /// The text from `mark` to the end of the last token taken, as typed. `None` where that is not known.
    pub fn since(&mut self, mark: Location) -> Option<&'a str> {
        if !self.placed {
            return None;
        }
        let from = self.offset(mark)?;
        let to = self.offset(self.last_end())?;
        self.sql.get(from..to)
    }

    fn last_end(&self) -> Location {
        let mut index = self.parser.index();
        while index > 0 {
            index -= 1;
            let token = self.parser.token_at(index);
            if !matches!(token.token, Token::Whitespace(_) | Token::EOF) {
                return token.span.end;
            }
        }
        Location { line: 1, column: 1 }
    }

    fn offset(&mut self, wanted: Location) -> Option<usize> {
        let (mut place, mut at) = self.known;
        if wanted < place {
            (place, at) = (Location { line: 1, column: 1 }, 0);
        }
        let mut chars = self.sql.get(at..)?.chars();
        while place < wanted {
            let c = chars.next()?;
            at += c.len_utf8();
            place = match c {
                '\n' => Location { line: place.line + 1, column: 1 },
                _ => Location { line: place.line, column: place.column + 1 },
            };
        }
        self.known = (place, at);
        Some(at)
    }
}

/// Whether a token never adds depth to an expression.
fn is_light(token: &Token) -> bool {
    matches!(
        token,
        Token::Whitespace(_)
            | Token::Comma
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
    )
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_out_as_typed() {
        let mut cursor = Cursor::new("SELECT  'ä\n' ,\n  @@x -- c\n, 'ö' , f( 1 )").ok().unwrap();
        assert!(cursor.word("select"));
        for expected in ["'ä\n'", "@@x", "'ö'", "f( 1 )"] {
            let mark = cursor.mark();
            cursor.expression().ok().unwrap();
            assert_eq!(cursor.since(mark), Some(expected));
            cursor.take(&Token::Comma);
        }
        assert!(cursor.at_end());
    }

    #[test]
    fn long_and_deep_texts_are_refused() {
        assert!(Cursor::new(&format!("SELECT 1{}", "+1".repeat(2_000))).is_err());
        assert!(Cursor::new(&format!("SELECT 1{}", ",1".repeat(9_000))).is_ok());
        let deep = "(".repeat(1_000);
        let mut cursor = Cursor::new(&deep).ok().unwrap();
        assert!(cursor.expression().is_err());
    }
}
