//! `SET` in all its forms. What each variable accepts is in `variable.rs`; that all of a statement's changes are
//! applied or none is kept by `state.rs`.

use sqlparser::{ast::Expr, tokenizer::Token};

use super::{
    Answer, Facts,
    cursor::Cursor,
    expression::Scope,
    state::{Change, ClientState},
    stop::{Found, Stop},
    value_of::{Which, global},
    variable::{Reach, Variable, known_charset, known_collation, shown},
    variables,
};
use crate::model::{ErrorKind, OwnedValue, SqlError, Warning};

/// Where an assignment goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Session,
    /// GLOBAL, PERSIST, PERSIST_ONLY: the server's own values.
    Server,
}

/// What is to the right of the `=`.
enum Right {
    Default,
    /// A bare word: `ON`, `utf8mb4`, `binary`.
    Word(String),
    Expression(Box<Expr>),
}

/// A `SET` being read.
struct Assignments<'s> {
    scope: Scope<'s>,
    changes: Vec<Change>,
    warnings: Vec<Warning>,
    /// MySQL: a GLOBAL or SESSION also holds for the assignments behind it that have none.
    sticky: Target,
}

/// Answers `SET …`. Every value is computed from what was there before the statement, as in MySQL.
///
/// # Errors
/// Not ours, for SET PASSWORD and whatever else is no variable; otherwise as MySQL refuses a variable or a value.
pub(super) fn answer(state: &mut ClientState, facts: &Facts<'_>, mut cursor: Cursor<'_>) -> Found<Answer> {
    cursor.expect_word("SET")?;
    let mut set = Assignments {
        scope: Scope::new(state, facts),
        changes: Vec::new(),
        warnings: Vec::new(),
        sticky: Target::Session,
    };
    loop {
        set.one(&mut cursor)?;
        if !cursor.take(&Token::Comma) {
            break;
        }
    }
    cursor.end()?;
    let Assignments { changes, warnings, .. } = set;
    state.apply(changes)?;
    state.clear_warnings();
    warnings.into_iter().for_each(|warning| state.warn(warning));
    Ok(Answer::Ok(state.done()))
}

impl Assignments<'_> {
    /// One assignment, up to the comma.
    fn one(&mut self, cursor: &mut Cursor<'_>) -> Found<()> {
        let assigned = |token: &Token| matches!(token, Token::Eq | Token::Assignment);
        if !assigned(cursor.peek_second()) {
            if cursor.word("NAMES") {
                return self.names(cursor);
            }
            if cursor.words(&["CHARACTER", "SET"]) || cursor.word("CHARSET") {
                return self.character_set(cursor);
            }
            if cursor.word("TRANSACTION") {
                return self.transaction(cursor, None);
            }
            if let Some(word) = cursor.any_word(&["GLOBAL", "PERSIST", "PERSIST_ONLY", "SESSION", "LOCAL"]) {
                let session = matches!(word, "SESSION" | "LOCAL");
                self.sticky = if session { Target::Session } else { Target::Server };
                if cursor.word("TRANSACTION") {
                    return self.transaction(cursor, Some(self.sticky));
                }
            }
        }
        self.variable(cursor)
    }

    /// `name = value`, `@name = value`, `@@session.name = value`.
    fn variable(&mut self, cursor: &mut Cursor<'_>) -> Found<()> {
        let written = cursor.name()?;
        if let Some(system) = written.strip_prefix("@@") {
            let (target, name) = if cursor.take(&Token::Period) {
                let persisted = ["PERSIST", "PERSIST_ONLY"].iter().any(|p| system.eq_ignore_ascii_case(p));
                let target = match Which::named(system) {
                    Some(Which::Session) => Target::Session,
                    Some(_) => Target::Server,
                    None if persisted => Target::Server,
                    None => return Err(Stop::NotOurs),
                };
                (target, cursor.name()?)
            } else {
                (Target::Session, system.to_owned())
            };
            let right = right(cursor)?;
            return self.system(target, &name, right);
        }
        if let Some(user) = written.strip_prefix('@') {
            let mut name = user.to_lowercase();
            while cursor.take(&Token::Period) {
                name = format!("{name}.{}", cursor.name()?.to_lowercase());
            }
            if name.is_empty() {
                return Err(Stop::NotOurs);
            }
            check_name(&name)?;
            let value = match right(cursor)? {
                Right::Expression(expr) => self.scope.value(&expr)?,
                // A word would be a column's name here.
                Right::Default | Right::Word(_) => return Err(Stop::NotOurs),
            };
            self.changes.push(Change::User(name, value));
            return Ok(());
        }
        let right = right(cursor)?;
        self.system(self.sticky, &written, right)
    }

    fn system(&mut self, target: Target, name: &str, right: Right) -> Found<()> {
        let facts = self.scope.facts;
        let Some(variable) = variables::find(name) else {
            return Err(match facts.variable(name) {
                Some(_) => read_only(name),
                None => SqlError::unknown_system_variable(name),
            }
            .into());
        };
        if variable.fixed {
            return Err(read_only(variable.name).into());
        }
        match (target, variable.reach) {
            (Target::Server, Reach::Session) => {
                let message =
                    format!("Variable '{}' is a SESSION variable and can't be used with SET GLOBAL", variable.name);
                return Err(SqlError::new(1228, "HY000", message).into());
            }
            (Target::Server, _) if facts.may_set_global => return Err(SqlError::not_supported("SET GLOBAL").into()),
            (Target::Server, _) => return Err(denied().into()),
            (Target::Session, Reach::Global) => {
                return Err(SqlError::global_variable(variable.name).into());
            }
            (Target::Session, Reach::SessionReads) => {
                return Err(SqlError::session_read_only(variable.name).into());
            }
            (Target::Session, _) => {}
        }
        match right {
            Right::Default => {
                self.unset(variable);
                Ok(())
            }
            Right::Word(word) => self.keep(variable, OwnedValue::Text(word)),
            Right::Expression(expr) => {
                let value = self.scope.value(&expr)?;
                self.keep(variable, value)
            }
        }
    }

    /// Takes a session value, and what follows from it: a collation has a character set, and the other way round.
    fn keep(&mut self, variable: &'static Variable, value: OwnedValue) -> Found<()> {
        let accepted = variable.accept(value)?;
        self.warnings.extend(accepted.warning);
        let text = shown(&accepted.value);
        match variable.name {
            "autocommit" => self.changes.push(Change::Autocommit(accepted.value == OwnedValue::Int(1))),
            _ => self.changes.push(Change::System(variable.name, Some(accepted.value))),
        }
        for (set, collation) in [
            ("character_set_connection", "collation_connection"),
            ("character_set_database", "collation_database"),
            ("character_set_server", "collation_server"),
        ] {
            if variable.name == set {
                self.also(collation, known_charset(&text)?.default_collation());
            } else if variable.name == collation {
                self.also(set, known_collation(&text)?.charset);
            }
        }
        Ok(())
    }

    /// `= DEFAULT`: the server's value.
    fn unset(&mut self, variable: &'static Variable) {
        if variable.name == "autocommit" {
            let on = global(self.scope.facts, variable) != OwnedValue::Int(0);
            self.changes.push(Change::Autocommit(on));
        } else {
            self.changes.push(Change::System(variable.name, None));
        }
    }

    fn also(&mut self, name: &'static str, value: &str) {
        self.changes.push(Change::System(name, Some(OwnedValue::Text(value.to_owned()))));
    }

    /// `NAMES charset [COLLATE collation]`, `NAMES DEFAULT`.
    fn names(&mut self, cursor: &mut Cursor<'_>) -> Found<()> {
        if cursor.word("DEFAULT") {
            self.changes.extend(CLIENT_SETS.map(|name| Change::System(name, None)));
            self.changes.push(Change::System("collation_connection", None));
            return Ok(());
        }
        let charset = known_charset(&cursor.text_or_name()?)?;
        let collation = if cursor.word("COLLATE") {
            let collation = known_collation(&cursor.text_or_name()?)?;
            if collation.charset != charset.name {
                let message =
                    format!("COLLATION '{}' is not valid for CHARACTER SET '{}'", collation.name, charset.name);
                return Err(SqlError::new(1253, "42000", message).into());
            }
            collation.name
        } else {
            charset.default_collation()
        };
        for name in CLIENT_SETS {
            self.also(name, charset.name);
        }
        self.also("collation_connection", collation);
        Ok(())
    }

    /// `CHARACTER SET charset`: the connection's own becomes the database's.
    fn character_set(&mut self, cursor: &mut Cursor<'_>) -> Found<()> {
        let given = if cursor.word("DEFAULT") { None } else { Some(known_charset(&cursor.text_or_name()?)?) };
        for name in ["character_set_client", "character_set_results"] {
            self.changes.push(Change::System(name, given.map(|set| OwnedValue::Text(set.name.to_owned()))));
        }
        for (name, from) in
            [("character_set_connection", "character_set_database"), ("collation_connection", "collation_database")]
        {
            self.changes.push(Change::System(name, self.scope.state.system(from).cloned()));
        }
        Ok(())
    }

    /// `TRANSACTION` characteristics; without GLOBAL or SESSION they are for the next transaction only.
    fn transaction(&mut self, cursor: &mut Cursor<'_>, target: Option<Target>) -> Found<()> {
        if target.is_none() && self.scope.state.in_transaction() {
            let message = "Transaction characteristics can't be changed while a transaction is in progress";
            return Err(SqlError::new(1568, "25001", message).into());
        }
        loop {
            let (name, value) = if cursor.words(&["ISOLATION", "LEVEL"]) {
                let level = if cursor.words(&["READ", "UNCOMMITTED"]) {
                    "READ-UNCOMMITTED"
                } else if cursor.words(&["READ", "COMMITTED"]) {
                    "READ-COMMITTED"
                } else if cursor.words(&["REPEATABLE", "READ"]) {
                    "REPEATABLE-READ"
                } else {
                    cursor.expect_word("SERIALIZABLE")?;
                    "SERIALIZABLE"
                };
                ("transaction_isolation", OwnedValue::Text(level.to_owned()))
            } else {
                cursor.expect_word("READ")?;
                let only = cursor.word("ONLY");
                if !only {
                    cursor.expect_word("WRITE")?;
                }
                ("transaction_read_only", OwnedValue::Int(only.into()))
            };
            match target {
                // The next transaction's own is the engine's business; nothing shows it.
                None => {}
                Some(Target::Session) => self.changes.push(Change::System(name, Some(value))),
                Some(Target::Server) if self.scope.facts.may_set_global => {
                    return Err(SqlError::not_supported("SET GLOBAL TRANSACTION").into());
                }
                Some(Target::Server) => return Err(denied().into()),
            }
            // Behind a comma may stand another characteristic; SET TRANSACTION takes no other assignments.
            if !cursor.take(&Token::Comma) {
                return Ok(());
            }
        }
    }
}

/// What `SET NAMES` sets to its character set.
const CLIENT_SETS: [&str; 3] = ["character_set_client", "character_set_connection", "character_set_results"];

/// What follows the name.
fn right(cursor: &mut Cursor<'_>) -> Found<Right> {
    if !cursor.take(&Token::Eq) {
        cursor.expect(&Token::Assignment)?;
    }
    // A word alone is a value's name; the parser would take `ON` and `binary` for the beginning of something else.
    let alone = matches!(cursor.peek_second(), Token::Comma | Token::SemiColon | Token::EOF);
    if let (true, Token::Word(word)) = (alone, cursor.peek()) {
        let bare = word.quote_style.is_none();
        let literal = ["NULL", "TRUE", "FALSE"].iter().any(|l| word.value.eq_ignore_ascii_case(l));
        let function = ["CURRENT_USER", "CURRENT_TIMESTAMP", "CURRENT_DATE", "LOCALTIME", "LOCALTIMESTAMP"];
        let called = function.iter().any(|f| word.value.eq_ignore_ascii_case(f));
        if !word.value.starts_with('@') && !(bare && (literal || called)) {
            let word = cursor.name()?;
            let default = bare_default(&word);
            return Ok(if default { Right::Default } else { Right::Word(word) });
        }
    }
    Ok(Right::Expression(Box::new(cursor.expression()?)))
}

fn bare_default(word: &str) -> bool {
    word.eq_ignore_ascii_case("DEFAULT")
}

/// MySQL: a user variable's name has at most 64 characters.
///
/// # Errors
/// 3061.
pub(super) fn check_name(name: &str) -> Result<(), SqlError> {
    if name.chars().count() <= 64 {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(SqlError::new(3061, "42000", format!("User variable name '{shown}' is illegal")))
}

fn read_only(name: &str) -> SqlError {
    SqlError::of(ErrorKind::ReadOnlyVariable, format!("Variable '{name}' is a read only variable"))
}

fn denied() -> SqlError {
    let privilege = "SUPER or SYSTEM_VARIABLES_ADMIN";
    let message = format!("Access denied; you need (at least one of) the {privilege} privilege(s) for this operation");
    SqlError::of(ErrorKind::SpecificAccessDenied, message)
}
