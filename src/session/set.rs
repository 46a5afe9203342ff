//! `SET` of the runtime's settings: who may change which, what the values come to, and that all of a statement's changes are
//! made or none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use tokio::time::Instant;

use super::core::{Core, Timed};
use crate::{
    control::{Assigned, Assignment, Set, SetStatement, Values},
    engine::{Engine, EngineSession, RowSink, StatementContext},
    model::{
        Amount, Column, ColumnType, Done, Globals, OwnedValue, Params, Prepared, Principal, Privileges, Setting,
        SettingReach, SqlError, Statement, Warning,
    },
    state::Limits,
};

/// A change that is allowed, with the value as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    setting: Setting,
    global: bool,
    amount: Amount,
}

/// What a change is decided by.
struct Rules<'a> {
    principal: &'a Principal,
    globals: &'a Globals,
    limits: &'a Limits,
    variable: &'a dyn Fn(&str) -> OwnedValue,
    params: Option<&'a [OwnedValue]>,
}

impl Rules<'_> {
    /// What an assignment changes, and what is to be warned of.
    ///
    /// # Errors
    /// 1229 and 1621 for what is no session's to change, 1227 without the privilege for the server's values, 1231 and 1232
    /// for what is no value.
    fn change(
        &self,
        Assignment { setting, global, value }: &Assignment,
    ) -> Result<(Change, Option<Warning>), SqlError> {
        let (setting, global) = (*setting, *global);
        match setting.reach() {
            _ if global && !self.principal.has(Privileges::SUPER.and(Privileges::SYSTEM_VARIABLES_ADMIN)) => {
                return Err(SqlError::needs_privilege("SUPER or SYSTEM_VARIABLES_ADMIN"));
            }
            SettingReach::Global if !global => return Err(SqlError::global_variable(setting.name())),
            SettingReach::SessionReads if !global => return Err(SqlError::session_read_only(setting.name())),
            _ => {}
        }
        let (amount, warning) = match value {
            Assigned::Default if global => (setting.default(), None),
            Assigned::Default => (self.principal.first(setting, self.globals.get(setting)), None),
            Assigned::Expression(expression) => {
                let now = |setting: Setting, global| setting.shown(self.now(setting, global));
                let values = Values { variable: self.variable, params: self.params, setting: &now };
                let accepted = setting.accept(&expression.value(setting, &values)?)?;
                (accepted.amount, accepted.warning)
            }
        };
        if global {
            return Ok((Change { setting, global, amount }, warning));
        }
        // A session goes no further than its account may.
        let (amount, less) = self.principal.clamp(setting, amount);
        Ok((Change { setting, global, amount }, warning.or(less)))
    }

    /// A setting's value as it is.
    fn now(&self, setting: Setting, global: bool) -> Amount {
        let server = self.globals.get(setting);
        match global {
            true => server,
            false => self.limits.get(setting).unwrap_or_else(|| self.principal.first(setting, server)),
        }
    }
}

impl<E: Engine> Core<E> {
    /// `SET …`: what is the engine's of it is done first, and if that fails, nothing is changed.
    pub(super) async fn set(
        &mut self,
        cx: &StatementContext,
        set: Set,
        params: Option<Params>,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        let (changes, warnings) = self.changes(cx, &set.assignments, params.as_ref())?;
        let done = match set.rest {
            Some(rest) => {
                let params = params.map(|all| Params(rest.params(&all.0)));
                let statement = Statement { sql: rest.sql, params, ..Statement::default() };
                Some(self.ask_engine(cx, statement, sink, began).await?)
            }
            None => None,
        };
        self.change(cx, &changes);
        match done {
            Some(done) => Ok(self.warned_beside(done, warnings)),
            None => {
                self.ran(Instant::now());
                self.warned(0, warnings)
            }
        }
    }

    /// `SET STATEMENT … FOR …`: the settings hold while the statement runs.
    pub(super) async fn set_for_statement(
        &mut self,
        cx: &StatementContext,
        set: SetStatement,
        Statement { sql, params, database }: Statement,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        let (changes, warnings) = self.changes(cx, &set.assignments, params.as_ref())?;
        let before = *self.limits();
        self.change_quietly(&changes);
        self.time(set.bare(&sql), began);
        let params = params.map(|all| Params(set.params(&all.0)));
        let statement = Statement { sql: set.statement(&sql), params, database };
        let result = self.run(cx, statement, sink, Timed::Already(began)).await;
        // What the statement itself has set beside them stays set.
        let mut after = *self.limits();
        for Change { setting, .. } in changes {
            if let Some(amount) = before.get(setting) {
                after.set(setting, amount);
            }
        }
        self.set_limits(after);
        result.map(|done| self.warned_beside(done, warnings))
    }

    /// Says what parameters and columns a statement has for which settings are set.
    pub(super) async fn prepare_for_statement(
        &mut self,
        cx: &StatementContext,
        set: SetStatement,
        sql: Bytes,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Prepared, SqlError> {
        let prepared = self.prepare(cx, set.statement(&sql), sink, began).await?;
        let (before, kept) = set.placeholders();
        let mut params = vec![Column::new("?", ColumnType::Null); before];
        params.extend(prepared.params.into_iter().skip(kept));
        if params.len() > usize::from(u16::MAX) {
            return Err(SqlError::too_many_placeholders());
        }
        Ok(Prepared { params, columns: prepared.columns })
    }

    /// What assignments change. Nothing is changed yet. The values of user variables come from the engine, whose code may
    /// panic.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be made: the statement's diagnostics, too.
    fn changes(
        &mut self,
        cx: &StatementContext,
        assignments: &[Assignment],
        params: Option<&Params>,
    ) -> Result<(Vec<Change>, Vec<Warning>), SqlError> {
        let session = self.session.as_deref();
        let variable = |name: &str| session.and_then(|session| session.user_variable(name)).unwrap_or(OwnedValue::Null);
        let rules = Rules {
            principal: cx.principal(),
            globals: &self.registry().settings,
            limits: self.limits(),
            variable: &variable,
            params: params.map(|params| params.0.as_slice()),
        };
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let mut warnings = Vec::new();
            let changes = assignments.iter().map(|assignment| {
                let (change, warning) = rules.change(assignment)?;
                warnings.extend(warning);
                Ok(change)
            });
            changes.collect::<Result<Vec<_>, _>>().map(|changes| (changes, warnings))
        }));
        decided.unwrap_or_else(|_| Err(self.panicked(cx))).inspect_err(|error| self.refused(error))
    }

    /// Makes changes, and tells a client that wants to know.
    fn change(&mut self, cx: &StatementContext, changes: &[Change]) {
        for Change { setting, amount, .. } in changes.iter().filter(|change| change.global) {
            self.registry().settings.set(*setting, *amount);
        }
        self.change_quietly(changes);
        for Change { setting, amount, .. } in changes.iter().filter(|change| !change.global) {
            cx.setting_changed(*setting, *amount);
        }
    }

    /// Makes changes in the session.
    fn change_quietly(&mut self, changes: &[Change]) {
        let mut limits = *self.limits();
        let mut any = false;
        for Change { setting, amount, .. } in changes.iter().filter(|change| !change.global) {
            any |= limits.set(*setting, *amount);
        }
        if any {
            self.set_limits(limits);
        }
    }

    /// The statement was the engine's, or another of the runtime's, beside which there is something to warn of. Its own
    /// warnings stay those that are shown, if there are any.
    fn warned_beside(&mut self, done: Done, warnings: Vec<Warning>) -> Done {
        if warnings.is_empty() || done.warnings > 0 {
            return done;
        }
        let count = u16::try_from(warnings.len()).unwrap_or(u16::MAX);
        self.diagnostics = Some(warnings.into());
        Done { warnings: count, ..done }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        control::{Control, Syntax, parse},
        model::Settings,
    };

    /// What a `SET` of one setting comes to: whose value, and its text; or the error's code.
    fn set(sql: &str, principal: &Principal) -> Result<(bool, String, bool), u16> {
        let globals = Globals::new(&Settings::new().time(Setting::WaitTimeout, Duration::from_secs(600)));
        let limits = Limits::first(&globals, principal, false);
        let variable = |name: &str| match name {
            "five" => OwnedValue::Int(5),
            "text" => OwnedValue::Text("5".into()),
            "half" => OwnedValue::Double(0.5),
            _ => OwnedValue::Null,
        };
        let params = [OwnedValue::Int(8)];
        let rules = Rules { principal, globals: &globals, limits: &limits, variable: &variable, params: Some(&params) };
        let read = parse(sql.as_bytes(), &Syntax::MYSQL).map_err(|error| error.code())?;
        let Some(Control::Set(set)) = read else { panic!("{sql}: {read:?}") };
        let (change, warning) = rules.change(&set.assignments[0]).map_err(|error| error.code())?;
        let shown = change.setting.shown(change.amount).text().unwrap_or_default().into_owned();
        Ok((change.global, shown, warning.is_some()))
    }

    #[test]
    fn values_are_what_mysql_makes_of_them() {
        let alice = Principal::new("alice", Privileges::NONE);
        for (sql, value) in [
            ("SET wait_timeout = 5", Ok("5")),
            ("SET wait_timeout = 2 * (3 + @five) - 1", Ok("15")),
            ("SET wait_timeout = @@wait_timeout DIV 2", Ok("300")),
            ("SET wait_timeout = @@global.wait_timeout", Ok("600")),
            ("SET wait_timeout = @@global.max_connections", Ok("10000")),
            ("SET wait_timeout = ?", Ok("8")),
            ("SET wait_timeout = DEFAULT", Ok("600")),
            ("SET wait_timeout = TRUE", Ok("1")),
            ("SET wait_timeout = -5", Ok("1 warned")),
            ("SET wait_timeout = 99999999999", Ok("31536000 warned")),
            ("SET wait_timeout = 18446744073709551615", Ok("31536000 warned")),
            ("SET max_statement_time = 0.5", Ok("0.500000")),
            ("SET max_statement_time = 1 / 8", Ok("0.125000")),
            ("SET max_statement_time = 5e-1", Ok("0.500000")),
            ("SET max_statement_time = @half", Ok("0.500000")),
            ("SET max_statement_time = -0.5", Ok("0.000000 warned")),
            ("SET max_statement_time = 'x'", Err(1232)),
            ("SET wait_timeout = '5'", Err(1232)),
            ("SET wait_timeout = @text", Err(1232)),
            ("SET wait_timeout = ON", Err(1232)),
            ("SET wait_timeout = 5.0", Err(1232)),
            ("SET wait_timeout = 5e0", Err(1232)),
            ("SET wait_timeout = 0x10", Err(1232)),
            ("SET wait_timeout = 'a' + 5", Err(1232)),
            ("SET wait_timeout = 18446744073709551616", Err(1232)),
            ("SET wait_timeout = NULL", Err(1231)),
            ("SET wait_timeout = @unset", Err(1231)),
            ("SET wait_timeout = 1 / 0", Err(1231)),
            ("SET wait_timeout = @@session.max_connections", Err(1238)),
            ("SET wait_timeout = @@sql_mode", Err(1235)),
            ("SET wait_timeout = SLEEP(5)", Err(1235)),
            ("SET wait_timeout = (SELECT 5)", Err(1235)),
            ("SET wait_timeout = 5 > 3", Err(1235)),
            ("SET wait_timeout =", Err(1064)),
            ("SET wait_timeout = 5,", Err(1064)),
            ("SET wait_timeout = 5 'x'", Err(1064)),
            ("SET wait_timeout = 5; SELECT 1", Err(1064)),
            ("SET max_connections = 5", Err(1229)),
            ("SET @@session.connect_timeout = 5", Err(1229)),
            ("SET max_user_connections = 5", Err(1621)),
            ("SET GLOBAL wait_timeout = 5", Err(1227)),
            ("SET @@global.max_connections = 5", Err(1227)),
            ("SET PERSIST wait_timeout = 5", Err(1235)),
        ] {
            let set = set(sql, &alice).map(|(global, shown, warned)| {
                assert!(!global, "{sql}");
                if warned { format!("{shown} warned") } else { shown }
            });
            assert_eq!(set, value.map(str::to_owned), "{sql}");
        }
    }

    #[test]
    fn the_servers_values_are_for_administrators() {
        for privilege in [Privileges::SUPER, Privileges::SYSTEM_VARIABLES_ADMIN] {
            let root = Principal::new("root", privilege);
            for (sql, value) in [
                ("SET GLOBAL max_connections = 5", "5"),
                ("SET @@global.wait_timeout := 7", "7"),
                ("SET GLOBAL wait_timeout = DEFAULT", "28800"),
                ("SET GLOBAL max_user_connections = 3", "3"),
            ] {
                assert_eq!(set(sql, &root), Ok((true, value.to_owned(), false)), "{sql}");
            }
            assert_eq!(set("SET SESSION max_connections = 5", &root), Err(1229));
        }
        let others = Principal::new("carol", Privileges::PROCESS.and(Privileges::CONNECTION_ADMIN));
        assert_eq!(set("SET GLOBAL max_connections = 5", &others), Err(1227));
    }

    #[test]
    fn nobody_goes_beyond_what_the_account_may() {
        let most = Settings::new().time(Setting::MaxExecutionTime, Duration::from_secs(2));
        let begin = Settings::new().time(Setting::MaxExecutionTime, Duration::from_secs(1));
        let capped = Principal::new("app", Privileges::ALL).with_settings(begin).capped(most);
        for (sql, value, warned) in [
            ("SET max_execution_time = 1500", "1500", false),
            ("SET max_execution_time = 2001", "2000", true),
            ("SET max_execution_time = 0", "2000", true),
            ("SET max_execution_time = DEFAULT", "1000", false),
        ] {
            assert_eq!(set(sql, &capped), Ok((false, value.to_owned(), warned)), "{sql}");
        }
        assert_eq!(set("SET GLOBAL max_execution_time = 0", &capped), Ok((true, "0".to_owned(), false)));
    }
}
