//! The expressions that may stand in the place of an id, as values. What they come to is in `resolve`.

use std::fmt;

use super::redact::truncate_chars;

/// So many characters of a literal are shown in an error: a client may send megabytes.
pub(super) const SHOWN: usize = 80;

/// An expression that yields an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdExpr {
    /// A number or a string, which may be no id: see [`IdLiteral::id`].
    Literal(IdLiteral),
    /// `CONNECTION_ID()`: the asker's own.
    ConnectionId,
    /// `@name`, without the sign, case kept (MySQL's user variables know none).
    UserVariable(String),
    /// `NULL`, which is no id.
    Null,
    /// `?`: this parameter of a prepared statement, counted from 0.
    Placeholder(usize),
    /// `-a`
    Negated(Box<IdExpr>),
    /// `a + b` and the like.
    Binary {
        /// What is done with them.
        operator: Operator,
        /// The left operand.
        left: Box<IdExpr>,
        /// The right operand.
        right: Box<IdExpr>,
    },
}

/// What is done with two numbers. Nothing is rounded: `10 / 4 * 2` is 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`; NULL if it is by 0.
    Divide,
    /// `DIV`: the quotient without its fraction; NULL if it is by 0.
    IntegerDivide,
    /// `%` or `MOD`: what `DIV` leaves, with the sign of the left operand; NULL if it is by 0.
    Modulo,
}

impl IdExpr {
    /// How many `?` there are in it.
    pub fn placeholders(&self) -> usize {
        match self {
            IdExpr::Placeholder(_) => 1,
            IdExpr::Negated(inner) => inner.placeholders(),
            IdExpr::Binary { left, right, .. } => left.placeholders() + right.placeholders(),
            IdExpr::Literal(_) | IdExpr::ConnectionId | IdExpr::UserVariable(_) | IdExpr::Null => 0,
        }
    }
}

/// The expression as errors show it: strings without their quotes, and at most 80 characters of each.
impl fmt::Display for IdExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdExpr::Literal(literal) => f.write_str(truncate_chars(literal.text(), SHOWN)),
            IdExpr::ConnectionId => f.write_str("CONNECTION_ID()"),
            IdExpr::UserVariable(name) => write!(f, "@{}", truncate_chars(name, SHOWN)),
            IdExpr::Null => f.write_str("NULL"),
            IdExpr::Placeholder(_) => f.write_str("?"),
            IdExpr::Negated(inner) => {
                f.write_str("-")?;
                inner.operand(f)
            }
            IdExpr::Binary { operator, left, right } => {
                left.operand(f)?;
                write!(f, " {} ", operator.symbol())?;
                right.operand(f)
            }
        }
    }
}

impl IdExpr {
    fn operand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdExpr::Binary { .. } | IdExpr::Negated(_) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::IntegerDivide => "DIV",
            Operator::Modulo => "%",
        }
    }
}

/// A literal in the place of an id.
///
/// That it is no id is an error when the statement is run, not when it is parsed: one may prepare `KILL 'x'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdLiteral {
    text: String,
    whole: Option<i128>,
}

impl IdLiteral {
    pub(super) fn new(text: String, whole: Option<i128>) -> Self {
        Self { text, whole }
    }

    /// What was typed; for a string its contents. Bytes that are no UTF-8 are replaced by U+FFFD.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value if that is a whole number in the range of u64; 0 is one.
    pub fn number(&self) -> Option<u64> {
        self.whole.and_then(|whole| u64::try_from(whole).ok())
    }

    /// Its value if that is a whole number, as an operand may be one that is no id.
    pub(super) fn whole(&self) -> Option<i128> {
        self.whole
    }
}
