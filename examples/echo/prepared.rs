//! What the echo server says of statements before it runs them, and what it does with their parameters.

use std::sync::Arc;

use killdeer::{
    Column, ColumnType, OwnedValue, Params, SqlError,
    compat::{Strings, bind, placeholders},
    control::{Lexer, Syntax, TokenKind},
};

/// How many parameters a statement has; 1390 if more than can be.
pub fn count(sql: &[u8]) -> Result<usize, SqlError> {
    placeholders(sql, &Syntax::default(), Strings::BackslashEscapes).map(|places| places.len())
}

/// The statement with its parameters in their places.
pub fn bound(sql: &[u8], params: &Params) -> Vec<u8> {
    bind(sql, &params.0, &Syntax::default(), Strings::BackslashEscapes)
}

/// `SELECT ?, ? AS name …`: the names of its columns. `None` for every other statement.
pub fn selected(sql: &[u8]) -> Option<Vec<String>> {
    let mut lexer = Lexer::new(sql, &Syntax::default());
    let is = |kind: TokenKind<'_>, keyword: &str| matches!(kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()));
    if !is(lexer.next_token().kind, "SELECT") {
        return None;
    }
    let mut names = Vec::new();
    loop {
        if lexer.next_token().kind != TokenKind::Symbol(b'?') {
            return None;
        }
        let mut next = lexer.next_token().kind;
        let alias = is(next, "AS");
        if alias {
            next = lexer.next_token().kind;
        }
        let name = match next {
            TokenKind::Word(word) => Some(String::from_utf8_lossy(word).into_owned()),
            TokenKind::QuotedIdent(name) | TokenKind::Str(name) => Some(name.to_string_lossy()),
            _ if alias => return None,
            _ => None,
        };
        if name.is_some() {
            next = lexer.next_token().kind;
        }
        names.push(name.unwrap_or_else(|| "?".to_owned()));
        match next {
            TokenKind::Symbol(b',') => {}
            TokenKind::End => return Some(names),
            _ => return None,
        }
    }
}

/// The columns of such a statement; `values` decide their types, if there are any yet.
pub fn columns(names: &[String], values: &[OwnedValue]) -> Arc<[Column]> {
    let values = values.iter().map(Some).chain(std::iter::repeat(None));
    names.iter().zip(values).map(|(name, value)| column(name.clone(), value)).collect()
}

/// A column for such a value, if it is known yet.
pub fn column(name: String, value: Option<&OwnedValue>) -> Column {
    match value {
        None => Column::new(name, ColumnType::VarChar),
        Some(OwnedValue::Null) => Column::new(name, ColumnType::Null),
        Some(OwnedValue::Int(_)) => Column::new(name, ColumnType::BigInt),
        Some(OwnedValue::UInt(_)) => Column::new(name, ColumnType::BigInt).unsigned(),
        Some(OwnedValue::Float(_)) => Column::new(name, ColumnType::Float),
        Some(OwnedValue::Double(_)) => Column::new(name, ColumnType::Double),
        Some(OwnedValue::Decimal(_)) => Column::new(name, ColumnType::Decimal),
        Some(OwnedValue::Date(_)) => Column::new(name, ColumnType::Date),
        Some(OwnedValue::DateTime(_)) => Column::new(name, ColumnType::DateTime),
        Some(OwnedValue::Time(_)) => Column::new(name, ColumnType::Time),
        Some(OwnedValue::Bytes(_)) => Column::new(name, ColumnType::Blob),
        Some(_) => Column::new(name, ColumnType::VarChar),
    }
}
