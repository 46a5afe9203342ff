//! What a system variable is worth to one client now: the session's value, the server's, or MySQL's default.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    Facts,
    charset::Charset,
    state::ClientState,
    variable::{Reach, Variable, offset_of, shown},
    variables,
};
use crate::model::{CharacterSets, DateTime, ErrorKind, Level, OwnedValue, Setting, SettingUnit, SqlError};

/// Which of a variable's values is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// `@@x`: the session's if there is one.
    Either,
    Session,
    Global,
}

impl Which {
    /// The word between `@@` and the dot.
    pub fn named(word: &str) -> Option<Self> {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        match word {
            _ if is("SESSION") || is("LOCAL") => Some(Which::Session),
            _ if is("GLOBAL") => Some(Which::Global),
            _ => None,
        }
    }
}

/// The value of a system variable.
///
/// # Errors
/// 1193 if there is none of this name, 1238 if it has no value of the kind that is asked for.
pub(super) fn system(state: &ClientState, facts: &Facts<'_>, which: Which, name: &str) -> Result<OwnedValue, SqlError> {
    if let Some(value) = setting(facts, which, name) {
        return value;
    }
    let Some(variable) = variables::find(name) else {
        return facts.variable(name).map(own).ok_or_else(|| SqlError::unknown_system_variable(name));
    };
    let wrong = |kind| {
        let message = format!("Variable '{}' is a {kind} variable", variable.name);
        SqlError::of(ErrorKind::ReadOnlyVariable, message)
    };
    match (which, variable.reach) {
        (Which::Session, Reach::Global) => Err(wrong("GLOBAL")),
        (Which::Global, Reach::Session) => Err(wrong("SESSION")),
        (Which::Global, _) => Ok(global(facts, variable)),
        _ => Ok(session(state, facts, variable)),
    }
}

/// The value of one of the runtime's settings; `None`: the variable is none, or the server does not say what they are.
fn setting(facts: &Facts<'_>, which: Which, name: &str) -> Option<Result<OwnedValue, SqlError>> {
    let (values, setting) = (facts.settings?, Setting::named(name)?);
    Some(match (which, values.session(setting)) {
        (Which::Global, _) | (Which::Either, None) => Ok(values.global(setting)),
        (_, Some(own)) => Ok(own),
        (Which::Session, None) => {
            Err(SqlError::of(ErrorKind::ReadOnlyVariable, format!("Variable '{name}' is a GLOBAL variable")))
        }
    })
}

/// A value that only the server knows of: a number if it looks like one.
fn own(text: &str) -> OwnedValue {
    text.parse().map_or_else(|_| OwnedValue::Text(text.to_owned()), OwnedValue::Int)
}

/// The value that a session begins with.
pub(super) fn global(facts: &Facts<'_>, variable: &Variable) -> OwnedValue {
    if let Some(Ok(value)) = setting(facts, Which::Global, variable.name) {
        return value;
    }
    let text = |text: &str| OwnedValue::Text(text.to_owned());
    match (facts.variable(variable.name), variable.name) {
        (Some(own), _) => variable.read(own),
        (None, "version") => text(facts.version),
        (None, "version_comment") => text(facts.version_comment),
        (None, _) => variable.default(),
    }
}

/// The value in this session.
pub(super) fn session(state: &ClientState, facts: &Facts<'_>, variable: &Variable) -> OwnedValue {
    if let Some(Ok(value)) = setting(facts, Which::Either, variable.name) {
        return value;
    }
    let errors = || state.warnings().iter().filter(|w| w.level == Level::Error).count();
    if let Some(set) = state.system(variable.name) {
        return set.clone();
    }
    match variable.name {
        "autocommit" => OwnedValue::Int(state.autocommit().into()),
        "in_transaction" => OwnedValue::Int(state.in_transaction().into()),
        name if name.starts_with("c") && facts.character_sets != CharacterSets::default() => {
            of_login(facts.character_sets, name).map_or_else(|| global(facts, variable), OwnedValue::Text)
        }
        "pseudo_thread_id" => OwnedValue::UInt(facts.connection_id),
        "last_insert_id" => OwnedValue::UInt(state.last_insert_id()),
        "warning_count" => OwnedValue::UInt(state.warnings().len() as u64),
        "error_count" => OwnedValue::UInt(errors() as u64),
        "timestamp" => OwnedValue::Double(now(state, facts).since.as_micros() as f64 / 1e6),
        _ => global(facts, variable),
    }
}

/// What the client has chosen when it logged in, where it says anything of this variable.
fn of_login(sets: CharacterSets, name: &str) -> Option<String> {
    let text = match name {
        "character_set_client" | "character_set_connection" => sets.client.name(),
        "character_set_results" => sets.results.name(),
        "collation_connection" => Charset::find(sets.client.name())?.default_collation(),
        _ => return None,
    };
    Some(text.to_owned())
}

/// Every variable that `SHOW VARIABLES` lists, as text: flags as ON and OFF.
pub(super) fn all(state: &ClientState, facts: &Facts<'_>, which: Which) -> Vec<(String, String)> {
    let mut list = Vec::with_capacity(variables::VARIABLES.len() + facts.variables.len());
    for listed in variables::VARIABLES {
        // An old name is listed with what the new one is worth.
        let Some(variable) = variables::find(listed.name) else { continue };
        let value = match which {
            Which::Global if variable.reach == Reach::Session => continue,
            Which::Global => global(facts, variable),
            _ => session(state, facts, variable),
        };
        list.push((listed.name.to_owned(), listed_as(variable, &value)));
    }
    let own = facts.variables.iter().filter(|(name, _)| variables::find(name).is_none());
    list.extend(own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let names = |setting: Setting| std::iter::once(setting.name()).chain(setting.other_names().iter().copied());
    let settings = Setting::all().flat_map(names).filter(|name| variables::find(name).is_none());
    list.extend(settings.filter_map(|name| {
        let value = setting(facts, which, name)?.ok()?;
        let is_switch = Setting::named(name).is_some_and(|setting| setting.unit() == SettingUnit::Switch);
        // As Doris lists its own.
        let text = if is_switch { (value != OwnedValue::UInt(0)).to_string() } else { shown(&value) };
        Some((name.to_owned(), text))
    }));
    list.sort();
    // What the server itself says of a name is not said twice.
    list.dedup_by(|one, other| one.0 == other.0);
    list
}

pub(super) fn listed_as(variable: &Variable, value: &OwnedValue) -> String {
    match value {
        OwnedValue::Int(0) if variable.is_flag() => "OFF".to_owned(),
        OwnedValue::Int(_) if variable.is_flag() => "ON".to_owned(),
        // MySQL lists seconds with their microseconds.
        OwnedValue::Double(v) => format!("{v:.6}"),
        other => shown(other),
    }
}

/// The time that a statement sees.
pub(super) struct Now {
    /// Since 1970, in UTC.
    pub since: Duration,
    /// How many seconds the session's time zone is ahead of UTC.
    pub ahead: i64,
}

/// The time now, or the one that the client has set (`SET timestamp = …`, as replication does), in its time zone.
pub(super) fn now(state: &ClientState, facts: &Facts<'_>) -> Now {
    let since = match state.system("timestamp") {
        Some(OwnedValue::Double(set)) if *set > 0.0 => Duration::from_secs_f64(*set),
        _ => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
    };
    let zone = variables::find("time_zone").map(|v| session(state, facts, v));
    let ahead = zone.and_then(|zone| offset_of(&shown(&zone))).unwrap_or(0);
    Now { since, ahead }
}

impl Now {
    /// `YYYY-MM-DD hh:mm:ss` in the session's time zone, with `digits` (0 to 6) of the second's fraction.
    pub fn text(&self, utc: bool, digits: usize) -> String {
        let seconds = self.since.as_secs() as i64 + if utc { 0 } else { self.ahead };
        let whole = DateTime::of_unix(seconds).to_string();
        match digits {
            0 => whole,
            n => format!("{whole}.{}", &format!("{:06}", self.since.subsec_micros())[..n.min(6)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_mysql_writes_them() {
        for (seconds, ahead, expected) in [
            (0, 0, "1970-01-01 00:00:00"),
            (951_782_400, 0, "2000-02-29 00:00:00"),
            (1_709_210_096, 0, "2024-02-29 12:34:56"),
            (1_709_210_096, 45_000, "2024-03-01 01:04:56"),
            (4_102_444_799, 0, "2099-12-31 23:59:59"),
            (0, -3_600, "1969-12-31 23:00:00"),
        ] {
            let now = Now { since: Duration::new(seconds, 123_456_000), ahead };
            assert_eq!(now.text(false, 0), expected);
            assert_eq!(now.text(false, 3), format!("{expected}.123"));
        }
    }
}
