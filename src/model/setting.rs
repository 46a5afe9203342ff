//! The system variables that the runtime itself heeds: their names, units, ranges and defaults.

use std::time::Duration;

use super::{ErrorKind, OwnedValue, SqlError, Warning};

/// A system variable that the runtime heeds: a time-out, or a limit. `SET` changes it, `SHOW VARIABLES` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Setting {
    /// So long a client may take from its connect to the end of its login, TLS included (MySQL: connect_timeout).
    ConnectTimeout,
    /// So long a session may be idle (MySQL: wait_timeout). A session begins with the global value, or with that of
    /// [`Setting::InteractiveTimeout`] if its client said that a person types (`CLIENT_INTERACTIVE`).
    WaitTimeout,
    /// What an interactive client's wait_timeout begins with (MySQL: interactive_timeout).
    InteractiveTimeout,
    /// So long a session may be idle in an open transaction; 0: as long as any (MariaDB: idle_transaction_timeout, TiDB:
    /// tidb_idle_transaction_timeout).
    IdleTransactionTimeout,
    /// So long a `SELECT` may run; 0: as long as it takes (MySQL: max_execution_time, in milliseconds).
    MaxExecutionTime,
    /// So long any statement may run; 0: as long as it takes (MariaDB: max_statement_time, in seconds, with up to six
    /// digits behind the point).
    MaxStatementTime,
    /// So long a client may keep rows waiting without reading any of them (MySQL: net_write_timeout).
    NetWriteTimeout,
    /// So many clients may be logged in at a time, and one administrator more (MySQL: max_connections).
    MaxConnections,
    /// So many sessions of one account; 0: as many as any (MySQL: max_user_connections). SUPER is exempt from the global
    /// value; an account's own holds for it in any case.
    MaxUserConnections,
    /// So many sessions of one tenant, where there are tenants; 0: as many as any.
    MaxTenantConnections,
    /// So many connections may be there that have not logged in; they do not count against
    /// [`Setting::MaxConnections`].
    MaxUnauthenticated,
    /// The same, from one address, or from one IPv6 network of 64 bits; 0: as many as any.
    MaxUnauthenticatedPerHost,
    /// After so many connections in a row that broke off before their login, an address is refused (MySQL:
    /// max_connect_errors, 1129) until `FLUSH HOSTS`; 0: never. This machine's own addresses are not counted.
    MaxConnectErrors,
    /// So many bytes a session may keep for its client between statements: the texts of prepared statements, with 256 bytes
    /// for each, and the parameters that came ahead of their executions. What goes beyond is refused: 1041.
    MaxSessionMemory,
    /// So many statements a session may keep prepared, by whatever way; what goes beyond is refused: 1461. The server's
    /// bound on those of all sessions is another (MySQL: max_prepared_stmt_count).
    MaxSessionPreparedStatements,
    /// Whether `SHOW PROCESSLIST` and `information_schema.processlist` show the sessions of all nodes (Doris:
    /// show_all_fe_connection). Of no effect in other systems, whose lists of all nodes have names of their own.
    #[cfg(feature = "cluster")]
    ShowAllFeConnection,
}

/// Where a setting has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettingReach {
    /// The server has one alone.
    Global,
    /// The server has one, with which sessions begin, and each session its own.
    Both,
    /// The same, but a session can only read its own, which is its account's.
    SessionReads,
}

/// What a setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettingUnit {
    /// Things.
    Count,
    /// Whole seconds.
    Seconds,
    /// Whole milliseconds.
    Milliseconds,
    /// Seconds with up to six digits behind the point.
    Fraction,
    /// On (1) or off (0).
    Switch,
}

/// A value of a setting: a count, or a time in microseconds.
pub(crate) type Amount = u64;

/// A value that `SET` was given, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) amount: Amount,
    /// MySQL takes a number that is out of range to the nearest that is in it, and warns: 1292.
    pub(crate) warning: Option<Warning>,
}

struct Rule {
    setting: Setting,
    name: &'static str,
    /// What other systems call it.
    others: &'static [&'static str],
    reach: SettingReach,
    unit: SettingUnit,
    default: u64,
    least: u64,
    most: u64,
}

const YEAR: u64 = 31_536_000;

/// In the order of the enumeration. Default, least and most are in the unit; of a `Fraction`, in seconds.
#[rustfmt::skip] // one line each
static RULES: [Rule; Setting::COUNT] = {
    use {Setting::*, SettingReach::*, SettingUnit::*};
    const fn rule(setting: Setting, name: &'static str, others: &'static [&'static str], reach: SettingReach, unit: SettingUnit, (default, least, most): (u64, u64, u64)) -> Rule {
        Rule { setting, name, others, reach, unit, default, least, most }
    }
    [
        rule(ConnectTimeout, "connect_timeout", &[], Global, Seconds, (10, 2, YEAR)),
        rule(WaitTimeout, "wait_timeout", &[], Both, Seconds, (28_800, 1, YEAR)),
        rule(InteractiveTimeout, "interactive_timeout", &[], Both, Seconds, (28_800, 1, YEAR)),
        rule(IdleTransactionTimeout, "idle_transaction_timeout", &["tidb_idle_transaction_timeout"], Both, Seconds, (0, 0, YEAR)),
        rule(MaxExecutionTime, "max_execution_time", &[], Both, Milliseconds, (0, 0, u32::MAX as u64)),
        rule(MaxStatementTime, "max_statement_time", &[], Both, Fraction, (0, 0, YEAR)),
        rule(NetWriteTimeout, "net_write_timeout", &[], Both, Seconds, (60, 1, YEAR)),
        rule(MaxConnections, "max_connections", &[], Global, Count, (10_000, 1, 10_000_000)),
        rule(MaxUserConnections, "max_user_connections", &[], SessionReads, Count, (0, 0, u32::MAX as u64)),
        rule(MaxTenantConnections, "max_tenant_connections", &[], Global, Count, (0, 0, u32::MAX as u64)),
        rule(MaxUnauthenticated, "max_unauthenticated_connections", &[], Global, Count, (10_000, 1, 10_000_000)),
        rule(MaxUnauthenticatedPerHost, "max_unauthenticated_connections_per_host", &[], Global, Count, (0, 0, 10_000_000)),
        rule(MaxConnectErrors, "max_connect_errors", &[], Global, Count, (100, 0, u32::MAX as u64)),
        rule(MaxSessionMemory, "max_session_memory", &[], SessionReads, Count, (64 << 20, 1 << 20, 1 << 40)),
        rule(MaxSessionPreparedStatements, "max_session_prepared_statements", &[], SessionReads, Count, (4_096, 0, 16_382)),
        #[cfg(feature = "cluster")]
        rule(ShowAllFeConnection, "show_all_fe_connection", &[], Both, Switch, (0, 0, 1)),
    ]
};

impl Setting {
    pub(crate) const COUNT: usize = if cfg!(feature = "cluster") { 16 } else { 15 };

    /// All of them, in the order of the enumeration.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        RULES.iter().map(|rule| rule.setting)
    }

    /// The setting of this name, in any case, by any system's name for it.
    pub fn named(name: &str) -> Option<Self> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        RULES.iter().find(|rule| is(&rule.name) || rule.others.iter().any(is)).map(|rule| rule.setting)
    }

    fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }

    /// Its name as a system variable.
    pub fn name(self) -> &'static str {
        self.rule().name
    }

    /// What other systems call it.
    pub fn other_names(self) -> &'static [&'static str] {
        self.rule().others
    }

    /// Where it has a value.
    pub fn reach(self) -> SettingReach {
        self.rule().reach
    }

    /// What it counts.
    pub fn unit(self) -> SettingUnit {
        self.rule().unit
    }

    /// How much of [`Amount`] one of its unit is.
    fn scale(self) -> u64 {
        match self.unit() {
            SettingUnit::Count | SettingUnit::Switch => 1,
            SettingUnit::Milliseconds => 1_000,
            SettingUnit::Seconds | SettingUnit::Fraction => 1_000_000,
        }
    }

    pub(crate) fn default(self) -> Amount {
        self.rule().default * self.scale()
    }

    /// The amount of a number in its unit, within its range.
    ///
    /// # Errors
    /// The nearest one that is in range.
    pub(crate) fn amount(self, number: i128) -> Result<Amount, Amount> {
        let (least, most) = (self.rule().least, self.rule().most);
        let kept = u64::try_from(number.max(0)).unwrap_or(u64::MAX).clamp(least, most);
        let amount = kept * self.scale();
        if i128::from(kept) == number { Ok(amount) } else { Err(amount) }
    }

    /// The amount of a time, taken into its range; what is below its unit is kept. `None`: it is no time.
    pub(crate) fn amount_of(self, time: Duration) -> Option<Amount> {
        let (least, most) = (self.rule().least, self.rule().most * self.scale());
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // A host may ask for less than a second, which a statement cannot say; but never for none where none is none at all.
        let least = if least > 0 { 1 } else { 0 };
        let is_time = !matches!(self.unit(), SettingUnit::Count | SettingUnit::Switch);
        is_time.then(|| micros.clamp(least, most))
    }

    /// The value as `@@name` shows it.
    pub(crate) fn shown(self, amount: Amount) -> OwnedValue {
        match self.unit() {
            SettingUnit::Fraction => OwnedValue::Decimal(format!("{}.{:06}", amount / 1_000_000, amount % 1_000_000)),
            _ => OwnedValue::UInt(amount / self.scale()),
        }
    }

    /// The amount that `SET` makes of a value.
    ///
    /// # Errors
    /// 1232 for what is no number of its kind, 1231 for NULL, and for what is neither on nor off.
    pub(crate) fn accept(self, value: &OwnedValue) -> Result<Accepted, SqlError> {
        let (amount, typed) = match value {
            OwnedValue::Null => return Err(SqlError::wrong_value(self.name(), "NULL")),
            OwnedValue::Int(0 | 1) | OwnedValue::UInt(0 | 1) | OwnedValue::Text(_)
                if self.unit() == SettingUnit::Switch =>
            {
                let text = value.text().unwrap_or_default();
                let is = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
                let on = is(["1", "on", "true"]);
                if !on && !is(["0", "off", "false"]) {
                    return Err(SqlError::wrong_value(self.name(), &text));
                }
                (Ok(on.into()), text.into_owned())
            }
            OwnedValue::Int(_) | OwnedValue::UInt(_) if self.unit() == SettingUnit::Switch => {
                return Err(SqlError::wrong_value(self.name(), &value.text().unwrap_or_default()));
            }
            OwnedValue::Int(number) => (self.amount((*number).into()), number.to_string()),
            OwnedValue::UInt(number) => (self.amount((*number).into()), number.to_string()),
            OwnedValue::Decimal(digits) if self.unit() == SettingUnit::Fraction => {
                (self.fraction(digits.parse().unwrap_or(f64::NAN)), digits.clone())
            }
            OwnedValue::Double(number) if self.unit() == SettingUnit::Fraction => {
                (self.fraction(*number), number.to_string())
            }
            _ => return Err(self.wrong_type()),
        };
        let warning = amount.is_err().then(|| self.truncated(&typed));
        Ok(Accepted { amount: amount.unwrap_or_else(|nearest| nearest), warning })
    }

    /// 1292: a value that was taken into the range. `typed`: as it was written.
    pub(crate) fn truncated(self, typed: &str) -> Warning {
        let typed: String = typed.chars().take(64).collect();
        Warning::of(ErrorKind::TruncatedWrongValue, format!("Truncated incorrect {} value: '{typed}'", self.name()))
    }

    /// 1232.
    pub(crate) fn wrong_type(self) -> SqlError {
        SqlError::of(ErrorKind::WrongTypeForVariable, format!("Incorrect argument type to variable '{}'", self.name()))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)] // clamped before
    fn fraction(self, seconds: f64) -> Result<Amount, Amount> {
        let most = (self.rule().most * self.scale()) as f64;
        let micros = (seconds * 1e6).round();
        if micros.is_nan() {
            return Err(0);
        }
        let kept = micros.clamp(0.0, most);
        // Less than a microsecond, but more than nothing, is not "as long as it takes".
        let amount = if kept == 0.0 && seconds > 0.0 { 1 } else { kept as u64 };
        if kept == micros { Ok(amount) } else { Err(amount) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_follows_the_enumeration_and_defaults_are_in_range() {
        for (at, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.setting as usize, at, "{}", rule.name);
            assert!((rule.least..=rule.most).contains(&rule.default), "{}", rule.name);
            assert!(rule.most.checked_mul(rule.setting.scale()).is_some(), "{}", rule.name);
            assert_eq!(Setting::named(&rule.name.to_uppercase()), Some(rule.setting));
        }
        assert_eq!(Setting::named("tidb_idle_transaction_timeout"), Some(Setting::IdleTransactionTimeout));
        assert_eq!(Setting::named("sql_mode"), None);
    }

    fn set(setting: Setting, value: OwnedValue) -> (OwnedValue, bool) {
        let accepted = setting.accept(&value).unwrap();
        (setting.shown(accepted.amount), accepted.warning.is_some())
    }

    #[test]
    fn numbers_out_of_range_are_taken_into_it_with_a_warning() {
        use OwnedValue::{Decimal, Double, Int, UInt};
        for (setting, value, shown, warned) in [
            (Setting::WaitTimeout, Int(60), UInt(60), false),
            (Setting::WaitTimeout, Int(0), UInt(1), true),
            (Setting::WaitTimeout, Int(-5), UInt(1), true),
            (Setting::WaitTimeout, UInt(u64::MAX), UInt(YEAR), true),
            (Setting::MaxExecutionTime, Int(1_500), UInt(1_500), false),
            (Setting::MaxStatementTime, Decimal("0.5".into()), Decimal("0.500000".into()), false),
            (Setting::MaxStatementTime, Double(1e-9), Decimal("0.000001".into()), false),
            (Setting::MaxStatementTime, Int(-1), Decimal("0.000000".into()), true),
            (Setting::MaxStatementTime, Double(f64::INFINITY), Decimal("31536000.000000".into()), true),
            (Setting::MaxConnections, Int(0), UInt(1), true),
        ] {
            assert_eq!(set(setting, value.clone()), (shown, warned), "{setting:?} = {value:?}");
        }
        let warning = Setting::WaitTimeout.accept(&Int(0)).unwrap().warning.unwrap();
        assert_eq!((warning.code, warning.message.as_str()), (1292, "Truncated incorrect wait_timeout value: '0'"));
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn a_switch_is_on_or_off_and_nothing_between() {
        use OwnedValue::{Int, Text, UInt};
        let text = |text: &str| Text(text.to_owned());
        for (value, on) in [
            (Int(1), 1),
            (UInt(1), 1),
            (text("TRUE"), 1),
            (text("on"), 1),
            (text("1"), 1),
            (Int(0), 0),
            (text("Off"), 0),
            (text("false"), 0),
        ] {
            assert_eq!(set(Setting::ShowAllFeConnection, value.clone()), (UInt(on), false), "{value:?}");
        }
        let code = |value| Setting::ShowAllFeConnection.accept(&value).unwrap_err().code();
        for value in [Int(2), Int(-1), UInt(u64::MAX), text(""), text("yes"), OwnedValue::Null] {
            assert_eq!(code(value.clone()), 1231, "{value:?}");
        }
        assert_eq!(code(OwnedValue::Double(1.0)), 1232);
        assert_eq!(Setting::ShowAllFeConnection.amount_of(Duration::from_secs(1)), None, "it is no time");
        let mut settings = crate::Settings::new();
        settings.read("show_all_fe_connection", " true ").unwrap();
        assert_eq!(settings, crate::Settings::new().count(Setting::ShowAllFeConnection, 1));
        assert_eq!(settings.read("show_all_fe_connection", "many").unwrap_err().code(), 1231);
    }

    #[test]
    fn what_is_no_number_of_the_kind_is_refused() {
        for (setting, value, code) in [
            (Setting::WaitTimeout, OwnedValue::Text("60".into()), 1232),
            (Setting::WaitTimeout, OwnedValue::Decimal("1.5".into()), 1232),
            (Setting::WaitTimeout, OwnedValue::Double(1.0), 1232),
            (Setting::WaitTimeout, OwnedValue::Null, 1231),
            (Setting::MaxStatementTime, OwnedValue::Text("1".into()), 1232),
        ] {
            assert_eq!(setting.accept(&value).unwrap_err().code(), code, "{setting:?} = {value:?}");
        }
    }

    #[test]
    fn a_host_may_ask_for_less_than_a_second_but_not_for_none() {
        let micros = |setting: Setting, time| setting.amount_of(time).unwrap();
        assert_eq!(micros(Setting::WaitTimeout, Duration::from_millis(20)), 20_000);
        assert_eq!(micros(Setting::WaitTimeout, Duration::ZERO), 1);
        assert_eq!(micros(Setting::MaxExecutionTime, Duration::ZERO), 0);
        assert_eq!(micros(Setting::WaitTimeout, Duration::MAX), YEAR * 1_000_000);
        assert_eq!(Setting::MaxConnections.amount_of(Duration::ZERO), None);
    }
}
