//! From what a `KILL` names to the session, statement or user that it means.
//!
//! One law: a value that is not exactly an id is an error, never another session. MySQL cuts values to 32 bits and
//! rounds fractions, so that a `KILL` may hit somebody else.

use super::{
    IdExpr, IdLiteral, KillTarget, Number, UserName,
    exact::{Exact, Overflow},
    expr::SHOWN,
    lexer::is_space,
    parser::LONGEST_CONTEXT,
    redact::truncate_chars,
};
use crate::{
    id::SessionId,
    model::{ErrorKind, OwnedValue, Principal, SqlError, Target, Value},
};

/// What the expressions of a `KILL` may speak of.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What `CONNECTION_ID()` says to whoever asks.
    pub own: SessionId,
    /// Its account.
    pub principal: &'a Principal,
    /// A user variable's value, by its name without the sign; [`OwnedValue::Null`] if it is not set.
    pub variable: &'a dyn Fn(&str) -> OwnedValue,
    /// The values of the prepared statement's parameters; `None` if the statement came as text.
    pub params: Option<&'a [OwnedValue]>,
}

impl KillTarget {
    /// What is meant, in this scope. Whether it exists, and who may end it, is not asked here.
    ///
    /// # Errors
    ///
    /// 1094 with what was typed or computed if it is no id (for a query id 1957); 0, NULL and fractions are none. 1097 for
    /// a name that no statement can have: an empty one, or one too long. 1064 for a `?` in a statement that came as text,
    /// 1210 for one without a value.
    pub fn resolve(&self, scope: &Scope<'_>) -> Result<Target, SqlError> {
        match self {
            KillTarget::Id(expr) => Ok(Target::Session(expr.resolve(scope)?)),
            KillTarget::Query(expr) => match expr.eval(scope)? {
                Ok(id) => Ok(Target::Statement(id)),
                Err(shown) => Err(SqlError::of(ErrorKind::UnknownQueryId, format!("Unknown query id: {shown}"))),
            },
            // A session without a trace id must not be taken for one whose trace id is empty.
            KillTarget::Named(name) if name.is_empty() || name.len() > LONGEST_CONTEXT => {
                Err(SqlError::unknown_query_name(&shown(name)))
            }
            KillTarget::Named(name) => Ok(Target::Named(name.clone())),
            KillTarget::User { user: UserName::Name(name), host } => {
                Ok(Target::User { user: name.clone(), host: host.clone() })
            }
            KillTarget::User { user: UserName::CurrentUser, .. } => Ok(Target::User {
                user: scope.principal.user().to_string(),
                host: Some(scope.principal.account_host().to_owned()),
            }),
        }
    }
}

/// Why an expression has no exact value.
enum Failed {
    /// An operand is no whole number, or 128 bits do not hold a result.
    NotExact,
    /// It cannot be evaluated here.
    Error(SqlError),
}

impl From<Overflow> for Failed {
    fn from(Overflow: Overflow) -> Self {
        Failed::NotExact
    }
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Failed::Error(error)
    }
}

impl IdExpr {
    /// The id that it comes to in this scope.
    ///
    /// # Errors
    ///
    /// As [`KillTarget::resolve`] has them for an id.
    pub fn resolve(&self, scope: &Scope<'_>) -> Result<SessionId, SqlError> {
        self.eval(scope)?.map(SessionId::new).map_err(SqlError::unknown_thread)
    }

    /// The number, or else how an error shows the value that is none.
    fn eval(&self, scope: &Scope<'_>) -> Result<Result<u64, String>, SqlError> {
        Ok(match self {
            IdExpr::Literal(literal) => literal.nonzero(),
            IdExpr::ConnectionId => Ok(scope.own.get()),
            IdExpr::UserVariable(name) => number_in_value(&(scope.variable)(name).borrow()),
            IdExpr::Null => number_in_value(&Value::Null),
            IdExpr::Placeholder(number) => number_in_value(&parameter(scope, *number)?.borrow()),
            IdExpr::Negated(_) | IdExpr::Binary { .. } => match self.compute(scope) {
                Ok(None) => number_in_value(&Value::Null),
                Ok(Some(exact)) => match exact.whole() {
                    Some(whole) => id(whole).ok_or_else(|| whole.to_string()),
                    None => Err(shown(&self.to_string())),
                },
                Err(Failed::NotExact) => Err(shown(&self.to_string())),
                Err(Failed::Error(error)) => return Err(error),
            },
        })
    }

    /// The exact value, which may be a fraction, negative or 0; `None` for NULL. As deep as the parser allows.
    fn compute(&self, scope: &Scope<'_>) -> Result<Option<Exact>, Failed> {
        let operand = |value: &OwnedValue| match value {
            OwnedValue::Null => Ok(None),
            value => whole_in_value(&value.borrow()).map(|whole| Some(whole.into())).ok_or(Failed::NotExact),
        };
        match self {
            IdExpr::Literal(literal) => Ok(Some(literal.whole().ok_or(Failed::NotExact)?.into())),
            IdExpr::ConnectionId => Ok(Some(i128::from(scope.own.get()).into())),
            IdExpr::UserVariable(name) => operand(&(scope.variable)(name)),
            IdExpr::Null => Ok(None),
            IdExpr::Placeholder(number) => operand(parameter(scope, *number)?),
            IdExpr::Negated(inner) => Ok(inner.compute(scope)?.map(Exact::negated).transpose()?),
            IdExpr::Binary { operator, left, right } => match (left.compute(scope)?, right.compute(scope)?) {
                (Some(left), Some(right)) => Ok(left.apply(*operator, right)?),
                _ => Ok(None),
            },
        }
    }
}

/// A parameter's value. 1064 in a statement that came as text: a `?` is not SQL there.
fn parameter<'a>(scope: &Scope<'a>, number: usize) -> Result<&'a OwnedValue, SqlError> {
    let params = scope.params.ok_or_else(|| SqlError::syntax("?", 1))?;
    params.get(number).ok_or_else(|| SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to EXECUTE"))
}

impl IdLiteral {
    /// The session id that it stands for.
    ///
    /// # Errors
    ///
    /// 1094 with what was typed if it is 0 or no whole number in the range of u64.
    pub fn id(&self) -> Result<u64, SqlError> {
        self.nonzero().map_err(SqlError::unknown_thread)
    }

    fn nonzero(&self) -> Result<u64, String> {
        self.whole().and_then(id).ok_or_else(|| shown(self.text()))
    }
}

/// The session id that a value stands for: a user variable's or a parameter's, in `KILL @x` and `KILL ?`.
///
/// Text is an id if it is decimal digits, with or without blanks around them. A float is one if it is whole and below the
/// first whole number that its type cannot hold (2^53 for a double): above, it may have been another number before it
/// became a float.
///
/// # Errors
///
/// 1094 with the value if it is no id; NULL is shown as 0.
pub fn id_from_value(value: &Value<'_>) -> Result<u64, SqlError> {
    number_in_value(value).map_err(SqlError::unknown_thread)
}

fn number_in_value(value: &Value<'_>) -> Result<u64, String> {
    whole_in_value(value).and_then(id).ok_or_else(|| match *value {
        Value::Null => "0".to_owned(),
        Value::Int(v) => v.to_string(),
        Value::UInt(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Double(v) => v.to_string(),
        Value::Decimal(v) | Value::Text(v) => shown(v),
        Value::Date(v) => v.to_string(),
        Value::DateTime(v) => v.to_string(),
        Value::Time(v) => v.to_string(),
        Value::Bytes(v) => shown(&String::from_utf8_lossy(v)),
    })
}

/// The whole number that a value is, if it certainly is one.
fn whole_in_value(value: &Value<'_>) -> Option<i128> {
    match *value {
        Value::Int(v) => Some(v.into()),
        Value::UInt(v) => Some(v.into()),
        Value::Float(v) => whole(v.into(), f32::MANTISSA_DIGITS),
        Value::Double(v) => whole(v, f64::MANTISSA_DIGITS),
        Value::Decimal(v) | Value::Text(v) => number_in_text(v.as_bytes()),
        Value::Bytes(v) => number_in_text(v),
        Value::Null | Value::Date(_) | Value::DateTime(_) | Value::Time(_) => None,
    }
}

/// A whole number that is an id.
fn id(whole: i128) -> Option<u64> {
    u64::try_from(whole).ok().filter(|id| *id != 0)
}

/// What an error shows of a value.
fn shown(text: &str) -> String {
    truncate_chars(text, SHOWN).to_owned()
}

/// A float that is certain to be a whole number: less than 2^`digits` away from 0.
#[allow(clippy::cast_possible_truncation)] // it is excluded by the condition
fn whole(value: f64, digits: u32) -> Option<i128> {
    let limit = (1u64 << digits) as f64;
    (value.abs() < limit && value.fract() == 0.0).then_some(value as i128)
}

/// The value of decimal digits, with or without white space around them.
pub(super) fn number_in_text(text: &[u8]) -> Option<i128> {
    let from = text.iter().position(|b| !is_space(*b))?;
    let to = text.iter().rposition(|b| !is_space(*b))?;
    digits(&text[from..=to], 10)
}

/// The value of a number as it is written in a statement. MySQL: `0x18` and `b'11000'` are 24.
pub(super) fn number(number: Number<'_>) -> Option<i128> {
    match number {
        Number::Integer(text) => digits(text, 10),
        Number::Hex(text) => digits(text, 16),
        Number::Bits(text) => digits(text, 2),
        Number::Fractional(_) => None,
    }
}

fn digits(text: &[u8], radix: u32) -> Option<i128> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0i128, |sum, b| {
        let digit = char::from(*b).to_digit(radix)?;
        sum.checked_mul(radix.into())?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Privileges;

    #[test]
    fn only_what_is_exactly_an_id_is_one() {
        for (value, id) in [
            (Value::Int(1), 1),
            (Value::Int(i64::MAX), i64::MAX as u64),
            (Value::UInt(u64::MAX), u64::MAX),
            (Value::Float(24.0), 24),
            (Value::Double(9_007_199_254_740_991.0), 9_007_199_254_740_991),
            (Value::Text("24"), 24),
            (Value::Text(" \t0024\n"), 24),
            (Value::Bytes(b"18446744073709551615"), u64::MAX),
        ] {
            assert_eq!(id_from_value(&value), Ok(id), "{value:?}");
        }
        for (value, shown) in [
            (Value::Null, "0"),
            (Value::Int(0), "0"),
            (Value::UInt(0), "0"),
            (Value::Int(-1), "-1"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::Float(1.5), "1.5"),
            (Value::Float(16_777_216.0), "16777216"),
            (Value::Double(-0.0), "-0"),
            (Value::Double(9_007_199_254_740_992.0), "9007199254740992"),
            (Value::Double(f64::NAN), "NaN"),
            (Value::Double(f64::INFINITY), "inf"),
            (Value::Text(""), ""),
            (Value::Text(" "), " "),
            (Value::Text("0"), "0"),
            (Value::Text("12abc"), "12abc"),
            (Value::Text("1 2"), "1 2"),
            (Value::Text("+1"), "+1"),
            (Value::Text("-1"), "-1"),
            (Value::Text("1.0"), "1.0"),
            (Value::Text("0x18"), "0x18"),
            (Value::Text("18446744073709551616"), "18446744073709551616"),
            (Value::Bytes(b"\xff"), "\u{fffd}"),
        ] {
            assert_eq!(id_from_value(&value), Err(SqlError::unknown_thread(shown)), "{value:?}");
        }
        let long = "9".repeat(1000);
        assert_eq!(id_from_value(&Value::Text(&long)), Err(SqlError::unknown_thread(&long[..80])));
    }

    #[test]
    fn targets_are_resolved_in_their_scope() {
        let principal = Principal::new("app", Privileges::NONE).at_host("10.0.0.%");
        let variable = |name: &str| if name == "x" { OwnedValue::Text("7".into()) } else { OwnedValue::Null };
        let prepared = Scope {
            own: SessionId::new(3),
            principal: &principal,
            variable: &variable,
            params: Some(&[OwnedValue::Int(8)]),
        };
        let text = Scope { params: None, ..prepared };
        let unbound = Scope { params: Some(&[]), ..prepared };
        let session = |id| Ok(Target::Session(SessionId::new(id)));
        let code = |result: Result<Target, SqlError>| result.unwrap_err().code();
        let var = |name: &str| IdExpr::UserVariable(name.into());

        assert_eq!(KillTarget::Id(IdExpr::ConnectionId).resolve(&text), session(3));
        assert_eq!(KillTarget::Id(var("x")).resolve(&text), session(7));
        assert_eq!(KillTarget::Id(IdExpr::Placeholder(0)).resolve(&prepared), session(8));
        assert_eq!(KillTarget::Query(var("x")).resolve(&text), Ok(Target::Statement(7)));
        assert_eq!(KillTarget::Id(var("unset")).resolve(&text), Err(SqlError::unknown_thread(0)));
        assert_eq!(KillTarget::Id(IdExpr::Null).resolve(&text), Err(SqlError::unknown_thread(0)));
        assert_eq!(code(KillTarget::Query(IdExpr::Null).resolve(&text)), 1957);
        assert_eq!(code(KillTarget::Id(IdExpr::Placeholder(0)).resolve(&text)), 1064);
        assert_eq!(code(KillTarget::Id(IdExpr::Placeholder(0)).resolve(&unbound)), 1210);

        let me = KillTarget::User { user: UserName::CurrentUser, host: None };
        let account = Target::User { user: "app".into(), host: Some("10.0.0.%".into()) };
        assert_eq!(me.resolve(&text), Ok(account));
        let bob = KillTarget::User { user: UserName::Name("bob".into()), host: None };
        assert_eq!(bob.resolve(&text), Ok(Target::User { user: "bob".into(), host: None }));
    }
}
