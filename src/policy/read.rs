//! Rules from their text. A mistake is told by where it stands.

use std::{ops::Range, sync::Arc, time::Duration};

use regex_lite::{Regex, RegexBuilder};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Policies, PolicyError,
    facts::Fact,
    rule::{Action, Patterns, Rule, Victims},
};

/// So many regexes there may be in all.
const REGEXES: usize = 256;

/// So many bytes each may take once it is compiled.
const REGEX_SIZE: usize = 64 * 1024;

/// A rule's name has so many characters at most: with what stands before it, it fits into the history of kills.
const NAME: usize = 48;

/// No time is longer: ten years.
const LONGEST_TIME: u64 = 10 * 366 * 86_400;

/// The times between two looks.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

pub(super) const KEYS: [&str; 11] = [
    "name",
    "match",
    "ignore",
    "busy_time",
    "idle_time",
    "transaction_age",
    "victims",
    "group_by",
    "count",
    "action",
    "dry_run",
];

type Place = Range<usize>;
type Value<'a> = Spanned<DeValue<'a>>;

/// A mistake, and where it is; `None`: at the end.
struct Mistake(Option<Place>, String);

type Read<T> = Result<T, Mistake>;

fn mistake<T>(at: Place, text: impl Into<String>) -> Read<T> {
    Err(Mistake(Some(at), text.into()))
}

/// See [`Policies::parse`].
pub(super) fn policies(text: &str) -> Result<Policies, PolicyError> {
    let read = || {
        if text.len() > Policies::LONGEST {
            let longest = Policies::LONGEST;
            return mistake(longest..longest, format!("the text is longer than {longest} bytes"));
        }
        let document = DeTable::parse(text).map_err(|error| Mistake(error.span(), error.message().to_owned()))?;
        Reader::default().document(document.get_ref())
    };
    read().map_err(|Mistake(place, what)| PolicyError::at(text, place, what))
}

#[derive(Default)]
struct Reader {
    regexes: usize,
}

impl Reader {
    fn document(&mut self, document: &DeTable<'_>) -> Read<Policies> {
        known(document, &["interval", "rule"])?;
        let mut policies = Policies::none();
        if let Some(value) = document.get("interval") {
            policies.interval = time(value)?;
            if !INTERVALS.contains(&policies.interval) {
                return mistake(value.span(), "the interval is from 1 second to 1 day");
            }
        }
        let Some(value) = document.get("rule") else { return Ok(policies) };
        let DeValue::Array(tables) = value.get_ref() else { return mistake(value.span(), "each rule is a [[rule]]") };
        for value in tables.iter() {
            let DeValue::Table(table) = value.get_ref() else {
                return mistake(value.span(), "each rule is a [[rule]]");
            };
            if policies.rules.len() == Policies::MOST {
                return mistake(value.span(), format!("there are more than {} rules", Policies::MOST));
            }
            let rule = self.rule(table, value.span())?;
            if policies.rules.iter().any(|other| other.name == rule.name) {
                let at = table.get("name").map_or(value.span(), Spanned::span);
                return mistake(at, format!("there are two rules of the name {:?}", rule.name));
            }
            policies.rules.push(rule);
        }
        Ok(policies)
    }

    fn rule(&mut self, table: &DeTable<'_>, at: Place) -> Read<Rule> {
        known(table, &KEYS)?;
        let time = |key| table.get(key).map(time).transpose();
        let actions = Action::ALL.map(|action| (action.as_str(), action));
        let victims = Victims::ALL.map(|victims| (victims.as_str(), victims));
        let rule = Rule {
            name: match table.get("name") {
                Some(value) => name(value)?,
                None => return mistake(at, "a rule has a name"),
            },
            matches: self.facts(table.get("match"))?,
            ignores: self.facts(table.get("ignore"))?,
            busy_time: time("busy_time")?,
            idle_time: time("idle_time")?,
            transaction_age: time("transaction_age")?,
            victims: table.get("victims").map_or(Ok(Victims::All), |value| choice(value, &victims))?,
            group_by: table.get("group_by").map_or(Ok(Vec::new()), group_by)?,
            count: table.get("count").map_or(Ok(1), count)?,
            action: match table.get("action") {
                Some(value) => choice(value, &actions)?,
                None => return mistake(at, "a rule has an action: log, kill-query or kill-connection"),
            },
            dry_run: table.get("dry_run").map_or(Ok(false), boolean)?,
        };
        sense(&rule, table, at)?;
        Ok(rule)
    }

    /// What stands after `match` or `ignore`.
    fn facts(&mut self, value: Option<&Value<'_>>) -> Read<Vec<Patterns>> {
        let Some(value) = value else { return Ok(Vec::new()) };
        let DeValue::Table(table) = value.get_ref() else {
            return mistake(value.span(), "a table is expected here, such as { user = \"^alice$\" }");
        };
        known(table, &Fact::ALL.map(Fact::name))?;
        if table.is_empty() {
            return mistake(value.span(), "it asks for nothing");
        }
        let named = Fact::ALL.into_iter().filter_map(|fact| Some((fact, table.get(fact.name())?)));
        named.map(|(fact, value)| Ok(Patterns { fact, any_of: self.regexes(value)? })).collect()
    }

    fn regexes(&mut self, value: &Value<'_>) -> Read<Vec<Regex>> {
        match value.get_ref() {
            DeValue::String(_) => Ok(vec![self.regex(value)?]),
            DeValue::Array(values) if !values.is_empty() => values.iter().map(|value| self.regex(value)).collect(),
            _ => mistake(value.span(), "a regex, or a list of them, is expected here"),
        }
    }

    fn regex(&mut self, value: &Value<'_>) -> Read<Regex> {
        let DeValue::String(text) = value.get_ref() else { return mistake(value.span(), "a regex is a text") };
        if text.is_empty() {
            return mistake(value.span(), "an empty regex fits everything; where that is meant, write \".\"");
        }
        self.regexes += 1;
        if self.regexes > REGEXES {
            return mistake(value.span(), format!("there are more than {REGEXES} regexes"));
        }
        let built = RegexBuilder::new(text).size_limit(REGEX_SIZE).nest_limit(64).build();
        built.or_else(|error| mistake(value.span(), format!("no regex: {error}")))
    }
}

/// Whether the rule says something, and nothing that contradicts itself.
fn sense(rule: &Rule, table: &DeTable<'_>, at: Place) -> Read<()> {
    let place = |key: &str| table.get(key).map_or(at.clone(), Spanned::span);
    let timed = [rule.busy_time, rule.idle_time, rule.transaction_age].iter().any(Option::is_some);
    if rule.idle_time.is_some() {
        if rule.busy_time.is_some() {
            return mistake(place("idle_time"), "no session is busy and idle at once: busy_time or idle_time");
        }
        if rule.action == Action::KillQuery {
            return mistake(place("action"), "an idle session has no statement: kill-connection, or no idle_time");
        }
        if rule.matches.iter().any(|patterns| patterns.fact == Fact::Info) {
            return mistake(place("match"), "an idle session has no info: this matches none");
        }
    }
    if rule.matches.is_empty() && !timed && rule.count == 1 {
        return mistake(at, "this hits every session; where that is meant, write match = { user = \".\" }");
    }
    if !rule.group_by.is_empty() && rule.victims == Victims::All && rule.count == 1 {
        return mistake(place("group_by"), "the groups are of no consequence without victims or a count");
    }
    Ok(())
}

/// Refuses the first key that is none of these.
fn known(table: &DeTable<'_>, keys: &[&str]) -> Read<()> {
    let unknown = table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
    match unknown.min_by_key(|key| key.span().start) {
        Some(key) => mistake(key.span(), format!("unknown key {:?}: there are {}", key.get_ref(), keys.join(", "))),
        None => Ok(()),
    }
}

fn name(value: &Value<'_>) -> Read<Arc<str>> {
    match value.get_ref() {
        DeValue::String(text) if (1..=NAME).contains(&text.chars().count()) && !text.contains(char::is_control) => {
            Ok(text.as_ref().into())
        }
        _ => mistake(
            value.span(),
            format!("a name is a text of 1 to {NAME} characters, none of them a control character"),
        ),
    }
}

fn choice<T: Copy>(value: &Value<'_>, of: &[(&str, T)]) -> Read<T> {
    let written = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        _ => "",
    };
    match of.iter().find(|(name, _)| *name == written) {
        Some((_, meant)) => Ok(*meant),
        None => {
            let names: Vec<_> = of.iter().map(|(name, _)| format!("{name:?}")).collect();
            mistake(value.span(), format!("one of {} is expected here", names.join(", ")))
        }
    }
}

fn group_by(value: &Value<'_>) -> Read<Vec<Fact>> {
    let expected = "a list of some of user, host, db, command, state, info is expected here, each once";
    let DeValue::Array(values) = value.get_ref() else { return mistake(value.span(), expected) };
    let mut facts = Vec::new();
    for value in values.iter() {
        let fact = match value.get_ref() {
            DeValue::String(name) => Fact::named(name).filter(|fact| !facts.contains(fact)),
            _ => None,
        };
        match fact {
            Some(fact) => facts.push(fact),
            None => return mistake(value.span(), expected),
        }
    }
    if facts.is_empty() { mistake(value.span(), expected) } else { Ok(facts) }
}

fn count(value: &Value<'_>) -> Read<usize> {
    match integer(value).and_then(|count| usize::try_from(count).ok()) {
        Some(count @ 1..) => Ok(count),
        _ => mistake(value.span(), "a count is a whole number from 1"),
    }
}

fn boolean(value: &Value<'_>) -> Read<bool> {
    match value.get_ref() {
        DeValue::Boolean(value) => Ok(*value),
        _ => mistake(value.span(), "true or false is expected here"),
    }
}

fn time(value: &Value<'_>) -> Read<Duration> {
    let seconds = match value.get_ref() {
        DeValue::String(text) => with_unit(text),
        _ => integer(value),
    };
    match seconds {
        Some(seconds @ ..=LONGEST_TIME) => Ok(Duration::from_secs(seconds)),
        _ => mistake(value.span(), "a time is a whole number of seconds, or like \"90s\", \"5m\", \"2h\", \"1d\""),
    }
}

fn with_unit(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    // Digits alone: no sign.
    let number = number.bytes().all(|b| b.is_ascii_digit()).then_some(number)?;
    number.parse::<u64>().ok()?.checked_mul(seconds)
}

fn integer(value: &Value<'_>) -> Option<u64> {
    match value.get_ref() {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    }
}
