//! One system variable: its type, which values it accepts, and how a list shows it.

use super::charset::{Charset, Collation};
use crate::model::{ErrorKind, Level, OwnedValue, SqlError, Warning};

/// One system variable.
#[derive(Debug)]
pub(super) struct Variable {
    pub name: &'static str,
    pub reach: Reach,
    pub kind: Kind,
    /// Nobody can set it.
    pub fixed: bool,
}

/// Where a variable has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The server has one, and each session its own.
    Both,
    /// The same, but a session can only read its own.
    SessionReads,
    Global,
    Session,
}

/// A variable's type and default.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Default, least, greatest.
    Int(u64, u64, u64),
    /// Default and greatest; the least is 0.
    Double(f64, f64),
    Flag(bool),
    Text(&'static str),
    /// Default, and all that it can be.
    Choice(&'static str, &'static [&'static str]),
    Charset(&'static str),
    /// NULL, too: the client wants no conversion.
    NullableCharset(&'static str),
    Collation(&'static str),
    /// `sql_mode`: a set of names.
    Modes(&'static str),
    TimeZone(&'static str),
    /// NULL unless the server says otherwise; text.
    Unset,
    /// Another name of the variable called so.
    SameAs(&'static str),
}

/// A value that was accepted, as it is kept.
#[derive(Debug)]
pub(super) struct Accepted {
    pub value: OwnedValue,
    /// MySQL takes a number that is out of range to the nearest that is in it, and warns.
    pub warning: Option<Warning>,
}

/// The modes of `sql_mode` in the order in which MySQL lists them; those that 8.0 has dropped are still accepted, since
/// older connectors and dumps set them.
const MODES: [&str; 26] = [
    "REAL_AS_FLOAT",
    "PIPES_AS_CONCAT",
    "ANSI_QUOTES",
    "IGNORE_SPACE",
    "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_DIR_IN_CREATE",
    "ANSI",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "TRADITIONAL",
    "NO_AUTO_CREATE_USER",
    "HIGH_NOT_PRECEDENCE",
    "NO_ENGINE_SUBSTITUTION",
    "PAD_CHAR_TO_FULL_LENGTH",
    "TIME_TRUNCATE_FRACTIONAL",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "MYSQL40",
];

const ANSI: &[&str] = &["REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "ONLY_FULL_GROUP_BY"];
const TRADITIONAL: &[&str] = &[
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_ENGINE_SUBSTITUTION",
];

impl Variable {
    /// MySQL's default.
    pub fn default(&self) -> OwnedValue {
        match self.kind {
            Kind::Int(default, ..) => OwnedValue::UInt(default),
            Kind::Double(default, _) => OwnedValue::Double(default),
            Kind::Flag(on) => OwnedValue::Int(on.into()),
            Kind::Text(text)
            | Kind::Choice(text, _)
            | Kind::Charset(text)
            | Kind::NullableCharset(text)
            | Kind::Collation(text)
            | Kind::Modes(text)
            | Kind::TimeZone(text) => OwnedValue::Text(text.to_owned()),
            Kind::Unset | Kind::SameAs(_) => OwnedValue::Null,
        }
    }

    /// Whether a list shows it as `ON` or `OFF` where `@@` gives 1 or 0.
    pub fn is_flag(&self) -> bool {
        matches!(self.kind, Kind::Flag(_))
    }

    /// Reads the server's own value, which it gives as text; what does not fit is taken as text.
    pub fn read(&self, text: &str) -> OwnedValue {
        let number = || text.parse().map(OwnedValue::UInt).ok();
        let read = match self.kind {
            Kind::Int(..) => number(),
            Kind::Double(..) => text.parse().map(OwnedValue::Double).ok(),
            Kind::Flag(_) => flag(&OwnedValue::Text(text.to_owned())).map(|on| OwnedValue::Int(on.into())),
            _ => None,
        };
        read.unwrap_or_else(|| OwnedValue::Text(text.to_owned()))
    }

    /// The value that `SET` makes of `value`.
    ///
    /// # Errors
    /// 1231, 1232, 1115, 1273, 1298: as MySQL says that a value does not fit.
    pub fn accept(&self, value: OwnedValue) -> Result<Accepted, SqlError> {
        if value == OwnedValue::Null && !matches!(self.kind, Kind::NullableCharset(_)) {
            return Err(self.wrong_value("NULL"));
        }
        let text = |value: OwnedValue| match value {
            OwnedValue::Text(text) => Ok(text),
            _ => Err(self.wrong_type()),
        };
        let kept = match self.kind {
            Kind::Int(_, least, greatest) => return self.accept_number(&value, least, greatest),
            Kind::Double(_, greatest) => {
                let number = match value {
                    OwnedValue::Int(v) => v as f64,
                    OwnedValue::UInt(v) => v as f64,
                    OwnedValue::Double(v) => v,
                    _ => return Err(self.wrong_type()),
                };
                OwnedValue::Double(number.clamp(0.0, greatest))
            }
            Kind::Flag(_) => OwnedValue::Int(flag(&value).ok_or_else(|| self.wrong_value(&shown(&value)))?.into()),
            Kind::Text(_) | Kind::Unset | Kind::SameAs(_) => OwnedValue::Text(text(value)?),
            Kind::Choice(_, choices) => {
                let found = match &value {
                    // MySQL takes the place in the list, too.
                    OwnedValue::Int(at) => usize::try_from(*at).ok().and_then(|at| choices.get(at)),
                    OwnedValue::UInt(at) => usize::try_from(*at).ok().and_then(|at| choices.get(at)),
                    OwnedValue::Text(name) => choices.iter().find(|c| c.eq_ignore_ascii_case(name)),
                    _ => return Err(self.wrong_type()),
                };
                OwnedValue::Text((*found.ok_or_else(|| self.wrong_value(&shown(&value)))?).to_owned())
            }
            Kind::NullableCharset(_) if value == OwnedValue::Null => OwnedValue::Null,
            Kind::Charset(_) | Kind::NullableCharset(_) => {
                OwnedValue::Text(known_charset(&text(value)?)?.name.to_owned())
            }
            Kind::Collation(_) => OwnedValue::Text(known_collation(&text(value)?)?.name.to_owned()),
            Kind::Modes(_) => OwnedValue::Text(self.accept_modes(&value)?),
            Kind::TimeZone(_) => {
                let name = text(value)?;
                if offset_of(&name).is_none() {
                    return Err(SqlError::new(1298, "HY000", format!("Unknown or incorrect time zone: '{name}'")));
                }
                OwnedValue::Text(name)
            }
        };
        Ok(Accepted { value: kept, warning: None })
    }

    fn accept_number(&self, value: &OwnedValue, least: u64, greatest: u64) -> Result<Accepted, SqlError> {
        let wanted = match value {
            OwnedValue::Int(v) => i128::from(*v),
            OwnedValue::UInt(v) => i128::from(*v),
            _ => return Err(self.wrong_type()),
        };
        let kept = u64::try_from(wanted.max(0)).unwrap_or(u64::MAX).clamp(least, greatest);
        let warning = (i128::from(kept) != wanted).then(|| Warning {
            level: Level::Warning,
            code: 1292,
            message: format!("Truncated incorrect {} value: '{wanted}'", self.name),
        });
        Ok(Accepted { value: OwnedValue::UInt(kept), warning })
    }

    /// A set of modes in MySQL's order, with the combined ones spelt out.
    fn accept_modes(&self, value: &OwnedValue) -> Result<String, SqlError> {
        let text = match value {
            OwnedValue::Text(text) => text.as_str(),
            OwnedValue::Int(0) | OwnedValue::UInt(0) => "",
            other => return Err(self.wrong_value(&shown(other))),
        };
        let mut set = [false; MODES.len()];
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let at = MODES.iter().position(|m| m.eq_ignore_ascii_case(name)).ok_or_else(|| self.wrong_value(name))?;
            set[at] = true;
            let more = match MODES[at] {
                "ANSI" => ANSI,
                "TRADITIONAL" => TRADITIONAL,
                _ => &[],
            };
            for (at, mode) in MODES.iter().enumerate() {
                set[at] |= more.contains(mode);
            }
        }
        let names: Vec<&str> = MODES.iter().zip(set).filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        Ok(names.join(","))
    }

    fn wrong_value(&self, value: &str) -> SqlError {
        let value: String = value.chars().take(64).collect();
        let message = format!("Variable '{}' can't be set to the value of '{value}'", self.name);
        SqlError::of(ErrorKind::WrongValueForVariable, message)
    }

    fn wrong_type(&self) -> SqlError {
        SqlError::new(1232, "42000", format!("Incorrect argument type to variable '{}'", self.name))
    }
}

/// The character set of this name.
///
/// # Errors
/// 1115.
pub(super) fn known_charset(name: &str) -> Result<&'static Charset, SqlError> {
    Charset::find(name).ok_or_else(|| SqlError::new(1115, "42000", format!("Unknown character set: '{name}'")))
}

/// The collation of this name.
///
/// # Errors
/// 1273.
pub(super) fn known_collation(name: &str) -> Result<&'static Collation, SqlError> {
    Collation::find(name).ok_or_else(|| SqlError::new(1273, "HY000", format!("Unknown collation: '{name}'")))
}

/// How many seconds a time zone is ahead of UTC. MySQL knows names of places only once their tables have been loaded;
/// here there are none.
pub(super) fn offset_of(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("SYSTEM") || zone.eq_ignore_ascii_case("UTC") {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let digits = |s: &str| (matches!(s.len(), 1 | 2) && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok());
    let (hours, minutes): (i64, i64) = (digits(hours)??, digits(minutes)??);
    let ahead = sign * (hours * 3_600 + minutes * 60);
    // MySQL: from -13:59 to +14:00.
    (minutes < 60 && (-50_340..=50_400).contains(&ahead)).then_some(ahead)
}

/// What counts as on and off.
fn flag(value: &OwnedValue) -> Option<bool> {
    match value {
        OwnedValue::Int(0) | OwnedValue::UInt(0) => Some(false),
        OwnedValue::Int(1) | OwnedValue::UInt(1) => Some(true),
        OwnedValue::Text(text) if ["on", "true", "1"].iter().any(|on| text.eq_ignore_ascii_case(on)) => Some(true),
        OwnedValue::Text(text) if ["off", "false", "0"].iter().any(|off| text.eq_ignore_ascii_case(off)) => Some(false),
        _ => None,
    }
}

/// A value as text, as lists and errors show it; NULL as nothing.
pub(super) fn shown(value: &OwnedValue) -> String {
    value.text().unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::variables::find;

    fn set(name: &str, value: OwnedValue) -> Result<OwnedValue, u16> {
        find(name).unwrap().accept(value).map(|a| a.value).map_err(|e| e.code())
    }

    fn text(s: &str) -> OwnedValue {
        OwnedValue::Text(s.to_owned())
    }

    #[test]
    fn each_type_accepts_what_mysql_accepts() {
        for (name, value, expected) in [
            ("wait_timeout", OwnedValue::Int(60), Ok(OwnedValue::UInt(60))),
            ("wait_timeout", OwnedValue::Int(-1), Ok(OwnedValue::UInt(1))),
            ("wait_timeout", text("60"), Err(1232)),
            ("wait_timeout", OwnedValue::Null, Err(1231)),
            ("foreign_key_checks", text("off"), Ok(OwnedValue::Int(0))),
            ("foreign_key_checks", OwnedValue::Int(2), Err(1231)),
            ("character_set_results", OwnedValue::Null, Ok(OwnedValue::Null)),
            ("character_set_client", text("UTF8"), Ok(text("utf8mb3"))),
            ("character_set_client", text("klingon"), Err(1115)),
            ("collation_connection", text("klingon_ci"), Err(1273)),
            ("transaction_isolation", text("read-committed"), Ok(text("READ-COMMITTED"))),
            ("transaction_isolation", OwnedValue::Int(3), Ok(text("SERIALIZABLE"))),
            ("transaction_isolation", text("none"), Err(1231)),
            ("sql_mode", text("no_zero_date,,strict_trans_tables"), Ok(text("STRICT_TRANS_TABLES,NO_ZERO_DATE"))),
            ("sql_mode", text("NOPE"), Err(1231)),
            ("sql_mode", OwnedValue::Int(0), Ok(text(""))),
            ("time_zone", text("+05:30"), Ok(text("+05:30"))),
            ("time_zone", text("Mars/Olympus"), Err(1298)),
            ("long_query_time", OwnedValue::Int(2), Ok(OwnedValue::Double(2.0))),
        ] {
            assert_eq!(set(name, value.clone()), expected, "{name} = {value:?}");
        }
        assert_eq!(
            set("sql_mode", text("ANSI")),
            Ok(text("REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI"))
        );
        let clamped = find("wait_timeout").unwrap().accept(OwnedValue::Int(0)).unwrap();
        assert_eq!(clamped.warning.unwrap().message, "Truncated incorrect wait_timeout value: '0'");
    }

    #[test]
    fn time_zones_are_offsets_within_mysqls_range() {
        for (zone, expected) in [
            ("SYSTEM", Some(0)),
            ("+00:00", Some(0)),
            ("-03:30", Some(-12_600)),
            ("+14:00", Some(50_400)),
            ("+14:01", None),
            ("-14:00", None),
            ("+1:60", None),
            ("+é:00", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(offset_of(zone), expected, "{zone}");
        }
    }
}
