//! The time-outs of one session, and whatever else settings say of it: its own values of those that have one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::model::{Amount, Globals, Principal, Reason, Setting, limit};

/// The values of a session, in microseconds; 0 is none where the setting says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    wait: Amount,
    interactive: Amount,
    idle_transaction: Amount,
    execution: Amount,
    statement: Amount,
    net_write: Amount,
    /// Whether lists show all nodes' sessions.
    #[cfg(feature = "cluster")]
    all_nodes: Amount,
}

impl Limits {
    /// No limit at all: before login, when none of them holds.
    pub(crate) const NONE: Self = Self {
        wait: 0,
        interactive: 0,
        idle_transaction: 0,
        execution: 0,
        statement: 0,
        net_write: 0,
        #[cfg(feature = "cluster")]
        all_nodes: 0,
    };

    /// What a session begins with: its account's values, and the server's. `interactive`: a person types (MySQL: such a
    /// session waits for as long as interactive_timeout says).
    pub(crate) fn first(globals: &Globals, principal: &Principal, interactive: bool) -> Self {
        let mut limits = Self::NONE;
        for setting in Setting::all() {
            if let Some(own) = limits.own(setting) {
                *own = principal.first(setting, globals.get(setting));
            }
        }
        if interactive {
            limits.wait = principal.clamp(Setting::WaitTimeout, limits.interactive).0;
        }
        limits
    }

    /// The session's value, if it has one of its own.
    pub(crate) fn get(&self, setting: Setting) -> Option<Amount> {
        let mut copy = *self;
        copy.own(setting).copied()
    }

    /// Changes it. `false`: sessions have none.
    pub(crate) fn set(&mut self, setting: Setting, amount: Amount) -> bool {
        self.own(setting).map(|own| *own = amount).is_some()
    }

    fn own(&mut self, setting: Setting) -> Option<&mut Amount> {
        Some(match setting {
            Setting::WaitTimeout => &mut self.wait,
            Setting::InteractiveTimeout => &mut self.interactive,
            Setting::IdleTransactionTimeout => &mut self.idle_transaction,
            Setting::MaxExecutionTime => &mut self.execution,
            Setting::MaxStatementTime => &mut self.statement,
            Setting::NetWriteTimeout => &mut self.net_write,
            #[cfg(feature = "cluster")]
            Setting::ShowAllFeConnection => &mut self.all_nodes,
            _ => return None,
        })
    }

    /// So long a statement may run, and what it is told then. MySQL's limit is for those that only read (`reads`),
    /// MariaDB's for all; the shorter one holds.
    pub(crate) fn statement(&self, reads: bool) -> Option<(Duration, Reason)> {
        let execution = limit(self.execution).filter(|_| reads).map(|time| (time, Reason::ExecutionTime));
        let statement = limit(self.statement).map(|time| (time, Reason::StatementTime));
        match (execution, statement) {
            (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
            (one, other) => one.or(other),
        }
    }

    /// Whether [`Limits::statement`] may be anything but `None`: nearly always it is not.
    pub(crate) fn any_for_statements(&self) -> bool {
        self.execution | self.statement != 0
    }

    /// So long the session may be idle, and why it ends then.
    pub(crate) fn idle(&self, in_transaction: bool) -> Option<(Duration, Reason)> {
        let wait = limit(self.wait).map(|time| (time, Reason::WaitTimeout));
        let transaction =
            limit(self.idle_transaction).filter(|_| in_transaction).map(|time| (time, Reason::IdleTransaction));
        match (wait, transaction) {
            (Some(one), Some(other)) => Some(if other.0 <= one.0 { other } else { one }),
            (one, other) => one.or(other),
        }
    }

    /// So long the client may leave rows unread.
    pub(crate) fn net_write(&self) -> Option<Duration> {
        limit(self.net_write)
    }
}

/// The time-outs that most sessions begin with, kept once for all of them: an idle session has no room for its own copy.
#[derive(Debug, Default)]
pub(crate) struct CommonLimits(Mutex<Option<Arc<Limits>>>);

impl CommonLimits {
    /// The same time-outs, shared with the last session that asked for these.
    pub(crate) fn share(&self, limits: Limits) -> Arc<Limits> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(same) if **same == limits => Arc::clone(same),
            _ => Arc::clone(last.insert(Arc::new(limits))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Privileges, Settings};

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_session_begins_with_its_accounts_values_and_the_servers() {
        let globals = Globals::new(&Settings::new().time(Setting::InteractiveTimeout, secs(7)));
        let own = Settings::new().time(Setting::IdleTransactionTimeout, secs(3));
        let principal = Principal::new("app", Privileges::NONE).with_settings(own);
        let limits = Limits::first(&globals, &principal, false);
        assert_eq!(limits.idle(false), Some((secs(28_800), Reason::WaitTimeout)));
        assert_eq!(limits.idle(true), Some((secs(3), Reason::IdleTransaction)));
        assert_eq!(Limits::first(&globals, &principal, true).idle(false), Some((secs(7), Reason::WaitTimeout)));
        assert_eq!(limits.net_write(), Some(secs(60)));
        assert!(!limits.any_for_statements());
    }

    #[test]
    fn sessions_with_the_same_time_outs_share_them() {
        let common = CommonLimits::default();
        let one = common.share(Limits::NONE);
        assert!(Arc::ptr_eq(&one, &common.share(Limits::NONE)));
        let other = Limits { wait: 7, ..Limits::NONE };
        assert_eq!(*common.share(other), other);
        assert_eq!(*one, Limits::NONE);
    }

    #[test]
    fn an_interactive_client_goes_no_further_than_its_account_may() {
        let most = Settings::new().time(Setting::WaitTimeout, secs(10));
        let principal = Principal::new("app", Privileges::NONE).capped(most);
        let limits = Limits::first(&Globals::new(&Settings::new()), &principal, true);
        assert_eq!(limits.idle(false), Some((secs(10), Reason::WaitTimeout)));
    }

    #[test]
    fn the_shorter_limit_holds_and_mysqls_is_for_reading_alone() {
        let mut limits = Limits::NONE;
        assert_eq!(limits.statement(true), None);
        limits.set(Setting::MaxExecutionTime, 2_000_000);
        assert_eq!(limits.statement(true), Some((secs(2), Reason::ExecutionTime)));
        assert_eq!(limits.statement(false), None);
        limits.set(Setting::MaxStatementTime, 5_000_000);
        assert_eq!(limits.statement(true), Some((secs(2), Reason::ExecutionTime)));
        assert_eq!(limits.statement(false), Some((secs(5), Reason::StatementTime)));
        limits.set(Setting::MaxStatementTime, 1_000_000);
        assert_eq!(limits.statement(true), Some((secs(1), Reason::StatementTime)));
        assert!(limits.any_for_statements());
        assert!(!limits.set(Setting::MaxConnections, 1));
        assert_eq!(limits.get(Setting::MaxStatementTime), Some(1_000_000));
    }
}
