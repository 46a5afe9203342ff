//! The functions that clients call of their own accord.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::{
    expression::{Scope, compare, truth, whole},
    shape,
    stop::{Found, Stop},
    value_of::now,
    variable::shown,
};
use crate::model::{Column, ColumnType, OwnedValue};

/// The functions that make one value of many rows.
const AGGREGATES: [&str; 6] = ["COUNT", "MAX", "MIN", "SUM", "AVG", "GROUP_CONCAT"];

/// The arguments of a plain call; `None` stands for `*`.
fn arguments(function: &Function) -> Found<Vec<Option<&Expr>>> {
    if function.over.is_some() || function.filter.is_some() {
        return Err(Stop::NotOurs);
    }
    match &function.args {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(Stop::NotOurs),
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(Some(expr)),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(None),
                _ => Err(Stop::NotOurs),
            })
            .collect(),
    }
}

/// The name in capitals, if it is a plain one.
fn name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [only] => only.as_ident().map(|ident| ident.value.to_ascii_uppercase()),
        _ => None,
    }
}

/// Whether `expr` contains an aggregate. It looks where the evaluation would look, no further.
pub(super) fn aggregates(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => {
            name(function).is_some_and(|name| AGGREGATES.contains(&name.as_str()))
                || arguments(function).is_ok_and(|args| args.into_iter().flatten().any(aggregates))
        }
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } | Expr::Cast { expr: inner, .. } => aggregates(inner),
        Expr::BinaryOp { left, right, .. } => aggregates(left) || aggregates(right),
        _ => false,
    }
}

/// The column that a function makes whatever its value is, for those that this module alone answers.
pub(super) fn column(header: &str, expr: &Expr, value: &OwnedValue) -> Option<Column> {
    let (name, args) = match expr {
        Expr::Function(function) => (name(function)?, arguments(function).ok()?),
        Expr::Identifier(bare) => (bare.value.to_ascii_uppercase(), Vec::new()),
        _ => return None,
    };
    let column = |kind| Column::new(header.to_owned(), kind);
    Some(match name.as_str() {
        "NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE" | "UTC_TIMESTAMP" => {
            let digits = shape::digits(&args).unwrap_or(0).min(6);
            let point = u8::from(digits > 0);
            column(ColumnType::DateTime).width(u32::from(19 + point + digits)).decimals(digits).not_null()
        }
        "CONNECTION_ID" | "LAST_INSERT_ID" => column(ColumnType::BigInt).unsigned().not_null(),
        "UNIX_TIMESTAMP" => column(ColumnType::BigInt).width(17),
        // 32 characters of a user, an @ and 255 of a host.
        "USER" | "SESSION_USER" | "SYSTEM_USER" | "CURRENT_USER" => column(ColumnType::VarChar).width(288),
        "DATABASE" | "SCHEMA" => column(ColumnType::VarChar).width(64),
        "VERSION" => {
            let width = u32::try_from(shown(value).chars().count()).unwrap_or(u32::MAX);
            column(ColumnType::VarChar).width(width).not_null()
        }
        _ => return None,
    })
}

/// What a call is worth.
///
/// # Errors
/// Not ours, for every other function.
pub(super) fn call(scope: &mut Scope<'_>, function: &Function) -> Found<OwnedValue> {
    let name = name(function).ok_or(Stop::NotOurs)?;
    let args = arguments(function)?;
    if AGGREGATES.contains(&name.as_str()) {
        return aggregate(scope, function, &name, &args);
    }
    let args = args.into_iter().map(|arg| arg.ok_or(Stop::NotOurs)).collect::<Found<Vec<&Expr>>>()?;
    named(scope, &name, &args)
}

/// What a call without parentheses is worth, for the names that the parser takes for a column's.
pub(super) fn bare(scope: &mut Scope<'_>, name: &str) -> Option<Found<OwnedValue>> {
    let name = ["CURRENT_USER", "CURRENT_ROLE", "CURRENT_DATE", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))?;
    Some(named(scope, name, &[]))
}

fn named(scope: &mut Scope<'_>, name: &str, args: &[&Expr]) -> Found<OwnedValue> {
    let text = |text: &str| Ok(OwnedValue::Text(text.to_owned()));
    match (name, args) {
        ("VERSION", []) => {
            let version = scope.facts.variable("version").unwrap_or(scope.facts.version);
            scope.needed = true;
            text(version)
        }
        ("USER" | "SESSION_USER" | "SYSTEM_USER", []) => {
            scope.needed = true;
            text(scope.facts.user)
        }
        ("CURRENT_USER", []) => {
            scope.needed = true;
            text(scope.facts.current_user)
        }
        ("CURRENT_ROLE", []) => {
            scope.needed = true;
            text("NONE")
        }
        ("DATABASE" | "SCHEMA", []) => {
            scope.needed = true;
            Ok(scope.facts.database.map_or(OwnedValue::Null, |name| OwnedValue::Text(name.to_owned())))
        }
        ("CONNECTION_ID", []) => {
            scope.needed = true;
            Ok(OwnedValue::UInt(scope.facts.connection_id))
        }
        ("LAST_INSERT_ID", []) => {
            scope.needed = true;
            Ok(OwnedValue::UInt(scope.state.last_insert_id()))
        }
        ("NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE" | "UTC_TIMESTAMP", [] | [_]) => {
            scope.needed = true;
            let digits = match args.first() {
                None => 0,
                Some(digits) => scope.value(digits).and_then(|d| whole(&d).ok_or(Stop::NotOurs))?,
            };
            let digits = usize::try_from(digits).ok().filter(|d| *d <= 6).ok_or(Stop::NotOurs)?;
            Ok(OwnedValue::Text(now(scope.state, scope.facts).text(name == "UTC_TIMESTAMP", digits)))
        }
        ("CURDATE" | "CURRENT_DATE", []) => {
            scope.needed = true;
            text(now(scope.state, scope.facts).text(false, 0).split(' ').next().unwrap_or_default())
        }
        ("UNIX_TIMESTAMP", []) => {
            scope.needed = true;
            Ok(OwnedValue::UInt(now(scope.state, scope.facts).since.as_secs()))
        }
        _ => pure(scope, name, args),
    }
}

/// Functions of their arguments alone.
fn pure(scope: &mut Scope<'_>, name: &str, args: &[&Expr]) -> Found<OwnedValue> {
    let values = args.iter().map(|arg| scope.value(arg)).collect::<Found<Vec<OwnedValue>>>()?;
    let any_null = values.contains(&OwnedValue::Null);
    match (name, values.as_slice()) {
        ("CONCAT" | "UPPER" | "UCASE" | "LOWER" | "LCASE" | "REPLACE" | "LENGTH", [_, ..]) if any_null => {
            Ok(OwnedValue::Null)
        }
        ("CONCAT", [_, ..]) => {
            let mut all = String::new();
            for value in &values {
                let piece = shown(value);
                scope.spend(piece.len())?;
                all.push_str(&piece);
            }
            Ok(OwnedValue::Text(all))
        }
        ("UPPER" | "UCASE", [value]) => Ok(OwnedValue::Text(shown(value).to_uppercase())),
        ("LOWER" | "LCASE", [value]) => Ok(OwnedValue::Text(shown(value).to_lowercase())),
        ("LENGTH", [value]) => Ok(OwnedValue::Int(shown(value).len() as i64)),
        ("IFNULL", [_, _]) | ("COALESCE", [_, ..]) => {
            Ok(values.into_iter().find(|v| *v != OwnedValue::Null).unwrap_or(OwnedValue::Null))
        }
        ("NULLIF", [a, b]) => Ok(match compare(a, b)? {
            Some(std::cmp::Ordering::Equal) => OwnedValue::Null,
            _ => a.clone(),
        }),
        ("IF", [condition, yes, no]) => Ok(if truth(condition)? == Some(true) { yes.clone() } else { no.clone() }),
        ("REPLACE", [text, from, to]) => {
            let (text, from, to) = (shown(text), shown(from), shown(to));
            if from.is_empty() {
                return Ok(OwnedValue::Text(text));
            }
            scope.spend(text.matches(&from).count().saturating_mul(to.len()))?;
            Ok(OwnedValue::Text(text.replace(&from, &to)))
        }
        ("SUBSTRING_INDEX", [OwnedValue::Text(text), OwnedValue::Text(mark), count]) if !mark.is_empty() => {
            let piece = match whole(count) {
                Some(1) => text.split(mark.as_str()).next(),
                Some(-1) => text.rsplit(mark.as_str()).next(),
                _ => return Err(Stop::NotOurs),
            };
            Ok(OwnedValue::Text(piece.unwrap_or_default().to_owned()))
        }
        _ => Err(Stop::NotOurs),
    }
}

/// COUNT of rows, and what the others make of no rows at all.
fn aggregate(scope: &Scope<'_>, function: &Function, name: &str, args: &[Option<&Expr>]) -> Found<OwnedValue> {
    let rows = scope.count.ok_or(Stop::NotOurs)?;
    let plain = matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_none());
    match (name, args) {
        ("COUNT", _) if rows == 0 => Ok(OwnedValue::Int(0)),
        // Columns may be NULL, literals are not.
        ("COUNT", [None] | [Some(Expr::Value(_))]) if plain => {
            i64::try_from(rows).map(OwnedValue::Int).map_err(|_| Stop::NotOurs)
        }
        (_, _) if rows == 0 => Ok(OwnedValue::Null),
        _ => Err(Stop::NotOurs),
    }
}
