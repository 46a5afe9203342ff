//! The expression in the place of an id: MySQL's constant expressions with arithmetic, as far as the system's grammar
//! has them.

use super::{
    Parser,
    arithmetic::{Arithmetic, Beyond},
};
use crate::{
    control::{
        IdExpr, IdForms, IdLiteral, Number, Operator, Text, Token, TokenKind,
        resolve::{self, number_in_text},
    },
    model::{ErrorKind, SqlError},
};

/// Where an expression stands: which statement it is in, and what stood before it there.
pub(super) struct Place {
    /// As errors call the statement.
    statement: &'static str,
    /// So many parameters.
    placeholders: usize,
    /// What is wrong though the grammar has it: told once the whole statement has proved to be well-formed, as in MySQL, which
    /// parses before it looks for columns.
    refused: Option<SqlError>,
}

impl Place {
    /// The first one in such a statement.
    pub(super) const fn of(statement: &'static str) -> Self {
        Self { statement, placeholders: 0, refused: None }
    }

    /// To be asked at the statement's end.
    ///
    /// # Errors
    /// What is wrong though the grammar has it.
    pub(super) fn accepted(self) -> Result<(), SqlError> {
        self.refused.map_or(Ok(()), Err)
    }
}

impl<'a> Parser<'a> {
    /// An expression that yields an id, and ends the statement.
    pub(super) fn id(&mut self) -> Result<IdExpr, SqlError> {
        let mut place = Place::of("KILL");
        let expr = self.id_among(&mut place)?;
        self.finish()?;
        place.accepted().map(|()| expr)
    }

    /// An expression that yields an id, where others may follow.
    pub(super) fn id_among(&mut self, place: &mut Place) -> Result<IdExpr, SqlError> {
        let forms = self.syntax.kill.ids;
        let mut reader = Reader { parser: self, terms: 0, place };
        match forms {
            IdForms::Expression => reader.expression(),
            IdForms::Value => reader.value(),
        }
    }

    fn number(&self, token: Token<'_>, number: Number<'_>) -> IdExpr {
        let typed = String::from_utf8_lossy(&self.sql[token.start..token.end]).into_owned();
        IdExpr::Literal(IdLiteral::new(typed, resolve::number(number)))
    }
}

struct Reader<'p, 'a> {
    parser: &'p mut Parser<'a>,
    terms: usize,
    place: &'p mut Place,
}

impl<'a> Arithmetic<'a> for Reader<'_, 'a> {
    type Expr = IdExpr;

    fn parser(&mut self) -> &mut Parser<'a> {
        self.parser
    }

    fn terms(&mut self) -> &mut usize {
        &mut self.terms
    }

    /// An operand of MySQL's: a value, `NULL`, or a name, which is refused.
    fn operand(&mut self) -> Result<IdExpr, SqlError> {
        match self.parser.token.kind {
            TokenKind::Word(_) if self.parser.is_any(&["DIV", "MOD"]) && !self.calls() => Err(self.parser.unexpected()),
            TokenKind::Word(word) if word.eq_ignore_ascii_case(b"CONNECTION_ID") && self.calls() => self.value(),
            TokenKind::Word(word) if word.eq_ignore_ascii_case(b"NULL") => {
                self.parser.bump();
                Ok(IdExpr::Null)
            }
            TokenKind::Word(word) => self.name(Text { raw: word, quote: None }),
            TokenKind::QuotedIdent(name) => self.name(name),
            _ => self.value(),
        }
    }

    fn negated(inner: Box<IdExpr>) -> IdExpr {
        IdExpr::Negated(inner)
    }

    fn binary(operator: Operator, left: Box<IdExpr>, right: Box<IdExpr>) -> IdExpr {
        IdExpr::Binary { operator, left, right }
    }

    fn refusal(&self, beyond: Beyond) -> SqlError {
        match beyond {
            Beyond::MoreTerms => {
                let statement = self.place.statement;
                SqlError::not_supported(&format!("{statement} with an expression of more than 64 terms"))
            }
            // MySQL's wording
            Beyond::Subquery => {
                self.no_constant("Usage of subqueries or stored function calls as part of this statement")
            }
            Beyond::Unclosed => self.parser.unexpected(),
        }
    }
}

impl Reader<'_, '_> {
    /// One value.
    fn value(&mut self) -> Result<IdExpr, SqlError> {
        let token = self.parser.token;
        let expr = match token.kind {
            TokenKind::Symbol(b'?') => {
                self.place.placeholders += 1;
                IdExpr::Placeholder(self.place.placeholders - 1)
            }
            TokenKind::UserVar(name) => IdExpr::UserVariable(name.to_string_lossy()),
            TokenKind::Number(number) => self.parser.number(token, number),
            TokenKind::Str(text) => {
                let text = text.decode();
                let shown = String::from_utf8_lossy(&text).into_owned();
                IdExpr::Literal(IdLiteral::new(shown, number_in_text(&text)))
            }
            TokenKind::Word(word) if word.eq_ignore_ascii_case(b"CONNECTION_ID") && self.calls() => {
                self.parser.bump();
                self.parser.bump();
                self.parser.expect_symbol(b')')?;
                return Ok(IdExpr::ConnectionId);
            }
            _ => return Err(self.parser.unexpected()),
        };
        self.parser.bump();
        Ok(expr)
    }

    /// Whether an opening parenthesis follows the token that is looked at.
    fn calls(&self) -> bool {
        self.parser.ahead().lexer.next_token().kind == TokenKind::Symbol(b'(')
    }

    /// The refusal of a subquery or a function; `what` it is called where MariaDB has no word of its own. (MariaDB computes
    /// its built-in functions. They are refused with the stored ones, from which no list tells them here.)
    fn no_constant(&self, what: &str) -> SqlError {
        match self.parser.syntax.kill.mariadb_errors {
            true => {
                SqlError::of(ErrorKind::SubqueriesNotSupported, "KILL does not support subqueries or stored functions")
            }
            false => SqlError::not_supported(what),
        }
    }

    /// A column, with what it belongs to, or a function: no constant is either.
    fn name(&mut self, first: Text<'_>) -> Result<IdExpr, SqlError> {
        let mut name = first.to_string_lossy();
        self.parser.bump();
        while self.parser.eat_symbol(b'.') {
            name.push('.');
            match self.parser.token.kind {
                TokenKind::Word(word) => name.push_str(&String::from_utf8_lossy(word)),
                TokenKind::QuotedIdent(text) => name.push_str(&text.to_string_lossy()),
                _ => return Err(self.parser.unexpected()),
            }
            self.parser.bump();
        }
        if self.parser.token.kind == TokenKind::Symbol(b'(') {
            let text = format!("{} with a function other than CONNECTION_ID()", self.place.statement);
            return Err(self.no_constant(&text));
        }
        let statement = self.place.statement;
        let unknown = || SqlError::of(ErrorKind::BadField, format!("Unknown column '{name}' in '{statement}'"));
        self.place.refused.get_or_insert_with(unknown);
        Ok(IdExpr::Null)
    }
}
