//! `SET` of the runtime's settings, as values, and what they come to. What the changes mean is decided in `session`.

use bytes::Bytes;

use super::{
    Operator,
    exact::{Exact, Overflow},
};
use crate::model::{ErrorKind, OwnedValue, Setting, SettingReach, SqlError};

/// `SET …` with at least one assignment to a setting of the runtime's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Those to the runtime's settings, in their order.
    pub assignments: Vec<Assignment>,
    /// The others, as a statement of the engine's, if there are any.
    pub rest: Option<Rest>,
    pub(super) placeholders: usize,
}

/// What is left of a `SET` without the runtime's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The statement: `SET` and the other assignments, without comments.
    pub sql: Bytes,
    /// Which of the whole statement's parameters, counted from 0, are its own.
    pub params: Vec<usize>,
}

/// `SET STATEMENT … FOR statement` (MariaDB) with at least one assignment to a setting of the runtime's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStatement {
    /// Those to the runtime's settings, in their order.
    pub assignments: Vec<Assignment>,
    /// What stands before the statement that is left: nothing, or `SET STATEMENT` with the other assignments.
    pub(super) head: Vec<u8>,
    /// Where the statement begins for which they hold, in bytes.
    pub(super) from: usize,
    /// How many parameters stand before it, and which of them are those of other assignments.
    pub(super) before: usize,
    pub(super) kept: Vec<usize>,
}

/// One assignment to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which one.
    pub setting: Setting,
    /// Whether it is the server's that is assigned to, as `SET GLOBAL` says, not the session's.
    pub global: bool,
    pub(crate) value: Assigned,
}

/// What is to the right of the `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Assigned {
    /// `DEFAULT`
    Default,
    Expression(SetExpr),
}

/// An expression that a setting is assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetExpr {
    Null,
    Whole(i128),
    /// Digits with a point.
    Decimal(String),
    /// Digits with an exponent.
    Double(String),
    /// A string, or a word such as `ON`: no number. As much of it as words for on and off are long.
    Text(String),
    /// `@name`
    Variable(String),
    /// `@@name`: the server's value (`true`), the session's (`false`), or the session's if it has one.
    Setting(Setting, Option<bool>),
    /// `?`, counted from 0.
    Placeholder(usize),
    Negated(Box<SetExpr>),
    Binary(Operator, Box<SetExpr>, Box<SetExpr>),
}

/// What the expressions may speak of.
pub(crate) struct Values<'a> {
    /// A user variable's value, by its name.
    pub(crate) variable: &'a dyn Fn(&str) -> OwnedValue,
    /// `None`: the statement came as text.
    pub(crate) params: Option<&'a [OwnedValue]>,
    /// A setting's value: the server's, or the session's.
    pub(crate) setting: &'a dyn Fn(Setting, bool) -> OwnedValue,
}

/// Some of a statement's parameters.
fn picked(params: &[OwnedValue], places: &[usize]) -> Vec<OwnedValue> {
    places.iter().filter_map(|place| params.get(*place)).cloned().collect()
}

impl Rest {
    /// Its parameters, of the whole statement's.
    pub(crate) fn params(&self, all: &[OwnedValue]) -> Vec<OwnedValue> {
        picked(all, &self.params)
    }
}

impl SetStatement {
    /// The statement that is to be run with these settings; `sql` is the whole. It has what other assignments there are
    /// before it.
    pub fn statement(&self, sql: &Bytes) -> Bytes {
        match self.head.is_empty() {
            true => sql.slice(self.from..),
            false => [&self.head, &sql[self.from..]].concat().into(),
        }
    }

    /// The same without any assignment, for a look at what it does.
    pub(crate) fn bare<'a>(&self, sql: &'a [u8]) -> &'a [u8] {
        &sql[self.from..]
    }

    /// Its parameters, of the whole statement's.
    pub(crate) fn params(&self, all: &[OwnedValue]) -> Vec<OwnedValue> {
        let mut params = picked(all, &self.kept);
        params.extend(all.iter().skip(self.before).cloned());
        params
    }

    /// How many parameters stand in the assignments, and how many of them in those that are handed on.
    pub(crate) fn placeholders(&self) -> (usize, usize) {
        (self.before, self.kept.len())
    }
}

impl SetExpr {
    /// The value that `to` is assigned.
    ///
    /// # Errors
    /// 1232 for arithmetic with what is no number, or that 128 bits do not hold; 1238 for a session's value of a setting
    /// that has none; 1064 and 1210 for parameters that are not there.
    pub(crate) fn value(&self, to: Setting, values: &Values<'_>) -> Result<OwnedValue, SqlError> {
        Ok(match self {
            SetExpr::Null => OwnedValue::Null,
            SetExpr::Whole(whole) => number(*whole),
            SetExpr::Decimal(digits) => OwnedValue::Decimal(digits.clone()),
            SetExpr::Double(digits) => OwnedValue::Double(digits.parse().map_err(|_| to.wrong_type())?),
            SetExpr::Text(text) => OwnedValue::Text(text.clone()),
            SetExpr::Variable(name) => single((values.variable)(name)),
            SetExpr::Setting(setting, which) => {
                let has_own = setting.reach() != SettingReach::Global;
                if *which == Some(false) && !has_own {
                    let text = format!("Variable '{}' is a GLOBAL variable", setting.name());
                    return Err(SqlError::of(ErrorKind::ReadOnlyVariable, text));
                }
                (values.setting)(*setting, which.unwrap_or(!has_own))
            }
            SetExpr::Placeholder(place) => {
                let params = values.params.ok_or_else(|| SqlError::syntax("?", 1))?;
                let value = params.get(*place).cloned();
                single(value.ok_or_else(|| SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to EXECUTE"))?)
            }
            SetExpr::Negated(inner) => match inner.value(to, values)? {
                OwnedValue::Null => OwnedValue::Null,
                OwnedValue::Double(number) => OwnedValue::Double(-number),
                value => exact(to, &value)?.negated().map(shown).map_err(|Overflow| to.wrong_type())?,
            },
            SetExpr::Binary(operator, left, right) => match (left.value(to, values)?, right.value(to, values)?) {
                (OwnedValue::Null, _) | (_, OwnedValue::Null) => OwnedValue::Null,
                (left, right) => {
                    let result = exact(to, &left)?.apply(*operator, exact(to, &right)?);
                    result.map_err(|Overflow| to.wrong_type())?.map_or(OwnedValue::Null, shown)
                }
            },
        })
    }
}

/// What the protocol has beside, as the types that settings know.
fn single(value: OwnedValue) -> OwnedValue {
    match value {
        OwnedValue::Float(number) => OwnedValue::Double(number.into()),
        value => value,
    }
}

fn number(whole: i128) -> OwnedValue {
    match (i64::try_from(whole), u64::try_from(whole)) {
        (Ok(number), _) => OwnedValue::Int(number),
        (_, Ok(number)) => OwnedValue::UInt(number),
        // MySQL: what 64 bits do not hold is a decimal.
        _ => OwnedValue::Decimal(whole.to_string()),
    }
}

fn exact(to: Setting, value: &OwnedValue) -> Result<Exact, SqlError> {
    let exact = match value {
        OwnedValue::Int(number) => Some(i128::from(*number).into()),
        OwnedValue::UInt(number) => Some(i128::from(*number).into()),
        OwnedValue::Decimal(digits) => Exact::decimal(digits),
        _ => None,
    };
    exact.ok_or_else(|| to.wrong_type())
}

fn shown(exact: Exact) -> OwnedValue {
    exact.whole().map_or_else(|| OwnedValue::Decimal(exact.to_decimal()), number)
}
