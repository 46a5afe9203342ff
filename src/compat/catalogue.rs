//! The tables of `information_schema`, `performance_schema` and `mysql`: which there are, and the rows of those that
//! are not empty.

use super::{
    Facts,
    charset::{CHARSETS, COLLATIONS, Charset},
    layout,
    relation::{Relation, text},
    state::ClientState,
    stop::{Found, Stop},
    value_of::{Which, all, global},
    variable::shown,
    variables,
};
use crate::model::{ErrorKind, OwnedValue, Privileges, SqlError};

/// The tables that list sessions: the runtime's to answer.
const OF_SESSIONS: [&str; 2] = ["PROCESSLIST", "THREADS"];

/// The table `name` of a catalogue. (Another database's is not ours.)
///
/// # Errors
/// Not ours, if the rows are not known here; 1109 for a table that `information_schema` does not have.
pub(super) fn table(state: &ClientState, facts: &Facts<'_>, database: &str, name: &str) -> Found<Relation> {
    let (database, name) = (database.to_ascii_lowercase(), name.to_ascii_uppercase());
    if OF_SESSIONS.contains(&name.as_str()) {
        return Err(Stop::NotOurs);
    }
    let variables = |which| listed(all(state, facts, which));
    match (database.as_str(), name.as_str()) {
        ("performance_schema" | "information_schema", "SESSION_VARIABLES") => return Ok(variables(Which::Session)),
        ("performance_schema" | "information_schema", "GLOBAL_VARIABLES") => return Ok(variables(Which::Global)),
        ("performance_schema" | "information_schema", "SESSION_STATUS" | "GLOBAL_STATUS") => {
            return Ok(listed(status(facts)));
        }
        ("information_schema", "SYSTEM_VARIABLES") => return Ok(system_variables(state, facts)),
        _ => {}
    }
    let Some(columns) = layout::columns(&database, &name) else {
        if database != "information_schema" || layout::OTHERS.contains(&name.as_str()) {
            return Err(Stop::NotOurs);
        }
        return Err(
            SqlError::of(ErrorKind::UnknownTable, format!("Unknown table '{name}' in information_schema")).into()
        );
    };
    let empty = Relation::empty(columns);
    match (database.as_str(), name.as_str()) {
        ("information_schema", "SCHEMATA") => Ok(empty.with_rows(facts.databases.iter().map(|database| {
            let set = shown_default(facts, "character_set_server");
            let collation = shown_default(facts, "collation_server");
            vec![text("def"), text(*database), text(set), text(collation), OwnedValue::Null, text("NO")]
        }))),
        ("information_schema", "TABLES") => tables(facts, empty),
        // Its rows would come from the server's own tables.
        ("information_schema", _) if layout::OF_TABLES.contains(&name.as_str()) => match facts.tables {
            Some([]) => Ok(empty),
            _ => Err(Stop::NotOurs),
        },
        ("information_schema", "ENGINES") => Ok(empty.with_rows(engines())),
        ("information_schema", "CHARACTER_SETS") => Ok(empty.with_rows(CHARSETS.iter().map(|set| {
            vec![text(set.name), text(set.default_collation()), text(set.description), OwnedValue::UInt(set.longest)]
        }))),
        ("information_schema", "COLLATIONS") => Ok(empty.with_rows(collations())),
        ("information_schema", "COLLATION_CHARACTER_SET_APPLICABILITY") => {
            Ok(empty.with_rows(COLLATIONS.iter().map(|c| vec![text(c.name), text(c.charset)])))
        }
        ("information_schema", "USER_PRIVILEGES") => {
            let grantee = quoted(facts.current_user, '\'');
            Ok(empty.with_rows(privileges(facts).map(|name| vec![text(&grantee), text("def"), text(name), text("NO")])))
        }
        _ => Ok(empty),
    }
}

/// Every table of `information_schema` that there is.
pub(super) fn names(database: &str) -> impl Iterator<Item = &'static str> {
    let database = database.to_ascii_lowercase();
    layout::LAYOUTS.iter().filter(move |(known, ..)| *known == database).map(|(_, name, _)| *name)
}

fn tables(facts: &Facts<'_>, empty: Relation) -> Found<Relation> {
    let width = empty.columns.len();
    let tables = facts.tables.ok_or(Stop::NotOurs)?;
    Ok(empty.with_rows(tables.iter().map(|table| {
        let mut row = vec![text("def"), text(table.database), text(table.name), text("BASE TABLE")];
        row.resize(width, OwnedValue::Null);
        if let Some(comment) = row.last_mut() {
            *comment = text("");
        }
        row
    })))
}

/// Names and values, as the performance schema lists them.
fn listed(list: Vec<(String, String)>) -> Relation {
    Relation::of_text(&["VARIABLE_NAME", "VARIABLE_VALUE"]).with_rows(pairs(list))
}

/// Rows of a name and a value.
pub(super) fn pairs(list: Vec<(String, String)>) -> impl Iterator<Item = Vec<OwnedValue>> {
    list.into_iter().map(|(name, value)| vec![text(name), text(value)])
}

/// The server's counters by name. Clients look for those of TLS to learn whether it is in use: empty means not.
pub(super) fn status(facts: &Facts<'_>) -> Vec<(String, String)> {
    let mut list = (facts.status)();
    let encryption = facts.encryption;
    let (cipher, protocol) = encryption.map_or(("", ""), |encryption| (encryption.cipher, encryption.protocol));
    for (name, value) in [("Ssl_cipher", cipher), ("Ssl_version", protocol)] {
        if !list.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            list.push((name.to_owned(), value.to_owned()));
        }
    }
    list.sort();
    list
}

/// MariaDB's table: what each variable is worth in the session and in the server.
fn system_variables(state: &ClientState, facts: &Facts<'_>) -> Relation {
    let global = all(state, facts, Which::Global);
    let columns = ["VARIABLE_NAME", "SESSION_VALUE", "GLOBAL_VALUE"];
    Relation::of_text(&columns).with_rows(all(state, facts, Which::Session).into_iter().map(|(name, value)| {
        let at = global.binary_search_by(|(known, _)| known.cmp(&name));
        let server = at.ok().and_then(|at| global.get(at)).map_or(OwnedValue::Null, |(_, value)| text(value));
        vec![text(name.to_ascii_uppercase()), text(value), server]
    }))
}

/// Rows of SHOW ENGINES: one engine, whatever the server has inside. Clients look for InnoDB.
pub(super) fn engines() -> impl Iterator<Item = Vec<OwnedValue>> {
    let comment = "Supports transactions, row-level locking, and foreign keys";
    std::iter::once(["InnoDB", "DEFAULT", comment, "YES", "YES", "YES"].map(text).to_vec())
}

/// Rows of SHOW COLLATION.
pub(super) fn collations() -> impl Iterator<Item = Vec<OwnedValue>> {
    COLLATIONS.iter().map(|c| {
        let default = if c.default { "Yes" } else { "" };
        let pads = if c.pads { "PAD SPACE" } else { "NO PAD" };
        let (id, sort_length) = (OwnedValue::UInt(c.id), OwnedValue::UInt(c.sort_length));
        vec![text(c.name), text(c.charset), id, text(default), text("Yes"), sort_length, text(pads)]
    })
}

/// Rows of SHOW CHARACTER SET.
pub(super) fn charsets() -> impl Iterator<Item = Vec<OwnedValue>> {
    let row = |set: &Charset| {
        let longest = OwnedValue::UInt(set.longest);
        vec![text(set.name), text(set.description), text(set.default_collation()), longest]
    };
    CHARSETS.iter().map(row)
}

/// The names of the account's privileges; USAGE means none.
pub(super) fn privileges(facts: &Facts<'_>) -> impl Iterator<Item = &'static str> + use<> {
    let held = facts.privileges;
    // MySQL's own: what other systems add is no privilege to those who read grants.
    let names = [
        ("PROCESS", Privileges::PROCESS),
        ("SUPER", Privileges::SUPER),
        ("CONNECTION_ADMIN", Privileges::CONNECTION_ADMIN),
        ("SYSTEM_USER", Privileges::SYSTEM_USER),
    ];
    let usage = !names.iter().any(|(_, privilege)| held.any_of(*privilege));
    let held = names.into_iter().filter(move |(_, privilege)| held.any_of(*privilege)).map(|(name, _)| name);
    held.chain(usage.then_some("USAGE"))
}

/// An account `user@host` with both parts in quotes.
pub(super) fn quoted(account: &str, quote: char) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let inner = |name: &str| name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{}{quote}@{quote}{}{quote}", inner(user), inner(host))
}

fn shown_default(facts: &Facts<'_>, name: &str) -> String {
    variables::find(name).map(|variable| shown(&global(facts, variable))).unwrap_or_default()
}
