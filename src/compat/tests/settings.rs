//! The runtime's settings, where a server passes them on.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    engine::SettingValues,
    model::{Globals, Principal, Privileges, Setting, Settings},
    state::Limits,
};

fn values() -> SettingValues {
    let settings = Settings::new().time(Setting::WaitTimeout, Duration::from_secs(600));
    let globals = Globals::new(&settings.count(Setting::MaxConnections, 77));
    let own = Settings::new().time(Setting::MaxStatementTime, Duration::from_millis(1_500));
    let principal = Principal::new("app", Privileges::NONE).with_settings(own.count(Setting::MaxUserConnections, 3));
    let mut limits = Limits::first(&globals, &principal, false);
    limits.set(Setting::WaitTimeout, 5_000_000);
    SettingValues::new(limits, Arc::new(globals), &principal)
}

#[test]
fn variables_show_what_holds() {
    let values = values();
    let facts = Facts { settings: Some(&values), variables: &[("wait_timeout", "1")], ..facts() };
    let mut state = ClientState::new();
    for (sql, expected) in [
        ("SELECT @@wait_timeout, @@session.wait_timeout, @@global.wait_timeout", "5|5|600"),
        ("SELECT @@max_connections, @@GLOBAL.max_connections", "77|77"),
        ("SELECT @@max_user_connections, @@global.max_user_connections", "3|0"),
        ("SELECT @@max_statement_time, @@global.max_statement_time", "1.500000|0.000000"),
        ("SELECT @@idle_transaction_timeout, @@tidb_idle_transaction_timeout", "0|0"),
        ("SHOW VARIABLES LIKE 'wait_timeout'", "wait_timeout|5"),
        ("SHOW GLOBAL VARIABLES LIKE 'wait_timeout'", "wait_timeout|600"),
        ("SHOW VARIABLES LIKE 'max_statement_time'", "max_statement_time|1.500000"),
        ("SHOW GLOBAL VARIABLES WHERE Variable_name = 'max_tenant_connections'", "max_tenant_connections|0"),
        (
            "SHOW VARIABLES LIKE '%idle_transaction_timeout'",
            "idle_transaction_timeout|0\ntidb_idle_transaction_timeout|0",
        ),
    ] {
        let shown = outcome_with(&mut state, sql, &facts);
        let (_, rows) = shown.split_once('\n').unwrap_or_else(|| panic!("{sql}: {shown}"));
        assert_eq!(rows, expected, "{sql}");
    }
    assert_eq!(outcome_with(&mut state, "SELECT @@session.max_connections", &facts), "ERROR 1238");
}

#[test]
fn without_them_there_are_mysqls_alone() {
    play(&[
        ("SELECT @@wait_timeout", "@@wait_timeout\n28800"),
        ("SELECT @@max_statement_time", "ERROR 1193"),
        ("SHOW VARIABLES LIKE 'idle_transaction_timeout'", "Variable_name|Value"),
    ]);
}

#[cfg(feature = "cluster")]
#[test]
fn a_switch_is_a_number_as_a_value_and_a_word_in_a_list() {
    let globals = Globals::new(&Settings::new());
    let principal = Principal::new("app", Privileges::NONE);
    let mut limits = Limits::first(&globals, &principal, false);
    limits.set(Setting::ShowAllFeConnection, 1);
    let values = SettingValues::new(limits, Arc::new(globals), &principal);
    let facts = Facts { settings: Some(&values), ..facts() };
    let mut state = ClientState::new();
    for (sql, expected) in [
        ("SELECT @@show_all_fe_connection, @@global.show_all_fe_connection", "1|0"),
        ("SHOW VARIABLES LIKE 'show_all_fe%'", "show_all_fe_connection|true"),
        ("SHOW GLOBAL VARIABLES LIKE 'show_all_fe%'", "show_all_fe_connection|false"),
    ] {
        let shown = outcome_with(&mut state, sql, &facts);
        assert_eq!(shown.split_once('\n').map(|(_, rows)| rows), Some(expected), "{sql}");
    }
}
