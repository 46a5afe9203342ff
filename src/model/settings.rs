//! Values of settings: a set of them, the server's, and those that an account begins with.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    OwnedValue, SqlError, Warning,
    setting::{Amount, Setting, SettingReach, SettingUnit},
};

/// Some settings with their values, for [`crate::Builder::settings`] and [`crate::Principal::with_settings`]. Whatever is
/// not said is the default, or the server's.
///
/// ```
/// # use std::time::Duration;
/// use killdeer::{Setting, Settings};
///
/// let mut settings = Settings::new()
///     .time(Setting::WaitTimeout, Duration::from_secs(600))
///     .count(Setting::MaxConnections, 500);
/// settings.read("max_execution_time", "1500")?; // as a configuration file says it, in the variable's unit
/// # Ok::<(), killdeer::SqlError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<(Setting, Amount)>);

impl Settings {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with this time: it is taken into the setting's range, but may be shorter than a second.
    ///
    /// # Panics
    /// If the setting is a count.
    #[must_use]
    pub fn time(mut self, setting: Setting, time: Duration) -> Self {
        let amount = setting.amount_of(time).unwrap_or_else(|| panic!("{} is not a time", setting.name()));
        self.put(setting, amount);
        self
    }

    /// The same, with this count: it is taken into the setting's range.
    ///
    /// # Panics
    /// If the setting is a time.
    #[must_use]
    pub fn count(mut self, setting: Setting, count: u64) -> Self {
        let is_time = !matches!(setting.unit(), SettingUnit::Count | SettingUnit::Switch);
        assert!(!is_time, "{} is a time", setting.name());
        self.put(setting, setting.amount(count.into()).unwrap_or_else(|nearest| nearest));
        self
    }

    /// Takes a value as a statement or a file says it, in the variable's unit.
    ///
    /// # Errors
    /// 1193 for a name that is no setting's, 1232 for what is no number of its kind, 1231 for one that is out of range.
    pub fn read(&mut self, name: &str, value: &str) -> Result<(), SqlError> {
        let setting = Setting::named(name).ok_or_else(|| SqlError::unknown_system_variable(name))?;
        let number = match value.trim().parse::<i64>() {
            Ok(number) => OwnedValue::Int(number),
            Err(_) if setting.unit() == SettingUnit::Switch => OwnedValue::Text(value.trim().to_owned()),
            Err(_) => OwnedValue::Decimal(value.trim().to_owned()),
        };
        if let OwnedValue::Decimal(digits) = &number
            && !digits.parse().is_ok_and(f64::is_finite)
        {
            return Err(SqlError::wrong_value(setting.name(), value));
        }
        let accepted = setting.accept(&number)?;
        if accepted.warning.is_some() {
            return Err(SqlError::wrong_value(setting.name(), value));
        }
        self.put(setting, accepted.amount);
        Ok(())
    }

    fn put(&mut self, setting: Setting, amount: Amount) {
        self.0.retain(|(other, _)| *other != setting);
        self.0.push((setting, amount));
    }

    pub(crate) fn get(&self, setting: Setting) -> Option<Amount> {
        self.0.iter().find(|(known, _)| *known == setting).map(|(_, amount)| *amount)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The server's values: read by everybody, changed by `SET GLOBAL`. Beside them, what else all sessions have in common.
#[derive(Debug)]
pub(crate) struct Globals {
    values: [AtomicU64; Setting::COUNT],
    /// The bits that `CONNECTION_ID()` has beside those of a session's id.
    connection_mark: u64,
}

impl Globals {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut all = Setting::all();
        let values = std::array::from_fn(|_| {
            let setting = all.next().expect("as many as there are");
            AtomicU64::new(settings.get(setting).unwrap_or(setting.default()))
        });
        Self { values, connection_mark: 0 }
    }

    /// The same, of a server whose `CONNECTION_ID()` has these bits beside those of a session's id.
    pub(crate) fn marking(self, connection_mark: u64) -> Self {
        Self { connection_mark, ..self }
    }

    /// The bits that `CONNECTION_ID()` has beside those of a session's id.
    pub(crate) fn connection_mark(&self) -> u64 {
        self.connection_mark
    }

    pub(crate) fn get(&self, setting: Setting) -> Amount {
        self.values[setting as usize].load(Relaxed)
    }

    pub(crate) fn set(&self, setting: Setting, amount: Amount) {
        self.values[setting as usize].store(amount, Relaxed);
    }

    /// A time. 0, where it means that there is no limit, is `None`.
    #[cfg(feature = "mysql")]
    pub(crate) fn time(&self, setting: Setting) -> Option<Duration> {
        debug_assert!(setting.unit() != SettingUnit::Count);
        limit(self.get(setting))
    }
}

/// An amount of time as a limit; 0 is none.
pub(crate) fn limit(amount: Amount) -> Option<Duration> {
    (amount > 0).then(|| Duration::from_micros(amount))
}

/// What an account's sessions begin with, and how far they may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) begin: Settings,
    pub(crate) most: Settings,
}

impl Allowance {
    /// The amount that a session of the account may have where it asked for `amount`: no more than the account's most. 0,
    /// where it means that there is no limit, is more than any.
    pub(crate) fn within(&self, setting: Setting, amount: Amount) -> Amount {
        let unlimited = setting.amount(0) == Ok(0);
        match self.most.get(setting) {
            // A bound that is none where none is no limit lifts nothing.
            Some(0) if unlimited => amount,
            Some(most) if amount > most || (amount == 0 && unlimited) => most,
            _ => amount,
        }
    }

    /// The same, with a warning if that is less than what was asked for.
    pub(crate) fn clamp(&self, setting: Setting, amount: Amount) -> (Amount, Option<Warning>) {
        let kept = self.within(setting, amount);
        let typed = || setting.shown(amount).text().unwrap_or_default().into_owned();
        (kept, (kept != amount).then(|| setting.truncated(&typed())))
    }

    /// What a session begins with, if the server's value is `global`.
    pub(crate) fn first(&self, setting: Setting, global: Amount) -> Amount {
        let begin = self.begin.get(setting).unwrap_or(global);
        if setting.reach() == SettingReach::Both { self.within(setting, begin) } else { begin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_values_in_the_variables_unit() {
        let mut settings = Settings::new();
        settings.read("WAIT_TIMEOUT", "60").unwrap();
        settings.read("max_statement_time", "0.25").unwrap();
        settings.read("wait_timeout", "61").unwrap();
        assert_eq!(settings.get(Setting::WaitTimeout), Some(61_000_000));
        assert_eq!(settings.get(Setting::MaxStatementTime), Some(250_000));
        for (name, value, code) in [
            ("wait_timeout", "0", 1231),
            ("wait_timeout", "ten", 1231),
            ("wait_timeout", "1.5", 1232),
            ("max_statement_time", "inf", 1231),
            ("sql_mode", "0", 1193),
        ] {
            assert_eq!(settings.read(name, value).unwrap_err().code(), code, "{name} = {value}");
        }
    }

    #[test]
    fn a_session_goes_no_further_than_its_account_may() {
        let most = Settings::new().time(Setting::MaxExecutionTime, Duration::from_secs(2));
        let allowance = Allowance { begin: Settings::new(), most };
        let within = |amount| allowance.within(Setting::MaxExecutionTime, amount);
        assert_eq!((within(1_000), within(3_000_000), within(0)), (1_000, 2_000_000, 2_000_000));
        assert_eq!(allowance.first(Setting::MaxExecutionTime, 0), 2_000_000);
        assert_eq!(allowance.first(Setting::WaitTimeout, 5), 5);
        let (kept, warning) = allowance.clamp(Setting::MaxExecutionTime, 0);
        assert_eq!(
            (kept, warning.unwrap().message),
            (2_000_000, "Truncated incorrect max_execution_time value: '0'".into())
        );
        assert_eq!(allowance.clamp(Setting::MaxExecutionTime, 7), (7, None));
        let most = Settings::new().time(Setting::MaxStatementTime, Duration::ZERO);
        let none = Allowance { begin: Settings::new(), most };
        assert_eq!(none.first(Setting::MaxStatementTime, 5), 5, "a bound that is none lifts no limit");
    }
}
