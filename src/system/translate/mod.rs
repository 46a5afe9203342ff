//! MySQL's questions in SQLite's SQL.
//!
//! Token by token, by a list of what passes: the keywords of questions, the functions that are known, names in quotes. No
//! other word of SQLite's gets through, whatever the client writes. Whether it makes sense is for SQLite to say.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `tokens` | the tokens, with the parentheses matched |
//! | `words` | the keywords and the functions |
//! | `literal` | how SQLite writes names, strings, numbers |
//! | `piece` | operands and operators; those that become calls |
//! | `level` | what stands between two parentheses |
//! | `arithmetic` | operators of numbers |
//! | `call` | the functions with a grammar of their own |
//! | `header` | the names of result columns |

mod arithmetic;
mod call;
mod header;
mod level;
mod literal;
mod piece;
mod tokens;
mod words;

use std::collections::HashSet;

use self::tokens::Tokens;
use super::facts::Variables;
use crate::{
    control::Syntax,
    model::{ErrorKind, OwnedValue, SqlError},
};

/// The longest question, in bytes.
pub(super) const LONGEST: usize = 64 << 10;

/// A question as SQLite reads it.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) sql: String,
    /// What its parameters `?1`, `?2` and so on stand for.
    pub(super) binds: Vec<Bind>,
    /// How many of them are the client's.
    pub(super) params: usize,
    /// The names that it gives to questions of its own (`WITH x AS (…)`), in small letters; those of its windows too.
    pub(super) views: HashSet<String>,
    /// All names in it, in small letters: it reads columns of these names alone. `None`: it may read any column.
    pub(super) names: Option<HashSet<String>>,
}

#[derive(Debug)]
pub(super) enum Bind {
    /// The client's parameter of this number, counted from 0.
    Client(usize),
    /// A variable's value.
    Value(OwnedValue),
}

/// Translates one question. `database` is the current one, for the texts of errors.
///
/// # Errors
/// 1064 for what is no question, 1305 for functions that are not known, 1235 for what is not served, and those of
/// `variables`.
pub(super) fn translate(
    sql: &[u8],
    syntax: &Syntax,
    database: Option<&str>,
    variables: &Variables<'_>,
) -> Result<Translated, SqlError> {
    if sql.len() > LONGEST {
        return Err(SqlError::of(ErrorKind::NotSupportedYet, "A question to the system tables is at most 64 KiB long"));
    }
    let tokens = Tokens::read(sql, syntax)?;
    let first = (0..tokens.len()).find(|at| !tokens.is_symbol(*at, b'('));
    if !first.is_some_and(|at| tokens.is_word(at, "SELECT") || tokens.is_word(at, "WITH")) {
        return Err(tokens.refuse(0));
    }
    let mut translator = Translator { tokens: &tokens, binds: Vec::new(), params: 0, depth: 0, database, variables };
    let sql = translator.level(0, tokens.len(), true)?;
    let (binds, params) = (translator.binds, translator.params);
    Ok(Translated { sql, binds, params, views: views(&tokens), names: names(&tokens) })
}

/// See [`translate`].
struct Translator<'a> {
    tokens: &'a Tokens<'a>,
    binds: Vec<Bind>,
    params: usize,
    /// How deep in the statement this is.
    depth: usize,
    database: Option<&'a str>,
    variables: &'a Variables<'a>,
}

/// See [`Translated::views`]: a name, maybe names of columns in parentheses, `AS`, and a parenthesis.
fn views(tokens: &Tokens<'_>) -> HashSet<String> {
    let is_view = |at: &usize| {
        let behind = if tokens.is_symbol(at + 1, b'(') { tokens.behind(at + 1) } else { at + 1 };
        tokens.is_word(behind, "AS") && tokens.is_symbol(behind + 1, b'(')
    };
    let names = (0..tokens.len()).filter(is_view).filter_map(|at| tokens.name(at));
    names.map(|name| name.to_ascii_lowercase()).collect()
}

/// See [`Translated::names`]: a `*` that is not `COUNT`'s may stand for any column, and so does `NATURAL`.
fn names(tokens: &Tokens<'_>) -> Option<HashSet<String>> {
    let counts = |at: usize| at > 0 && tokens.is_symbol(at - 1, b'(') && tokens.is_symbol(at + 1, b')');
    let any = |at| tokens.is_symbol(at, b'*') && !counts(at) || tokens.is_word(at, "NATURAL");
    if (0..tokens.len()).any(any) {
        return None;
    }
    let names = (0..tokens.len()).filter_map(|at| tokens.name(at));
    Some(names.map(|name| name.to_ascii_lowercase()).collect())
}

/// Whether a translated question may call SQLite's function of this name.
pub(super) fn is_function(name: &str) -> bool {
    words::is_function(name)
}
