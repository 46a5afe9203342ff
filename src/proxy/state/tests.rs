//! What is kept of a client's session, and what server sessions are told.

use proptest::prelude::*;

use std::collections::BTreeMap;

use super::{
    kept::{MOST_BYTES, MOST_VARIABLES},
    *,
};
use crate::proxy::{
    assign::{Reach, Target, assignments},
    route,
};

/// What a new server session is told.
const FIRST_SET: &str = "SET session_track_system_variables = '*', session_track_schema = 1, \
                         character_set_client = utf8mb4, character_set_results = utf8mb4, net_write_timeout = 31536000";

/// A server session and its client's state.
struct Client {
    state: State,
    at: Versions,
}

impl Client {
    fn new() -> Self {
        Self { state: State::new(None, 0), at: Versions::default() }
    }

    /// A statement that ends well, on a server that tells of these variables.
    fn runs(&mut self, sql: &str, told: &[(&str, &str)]) {
        self.ends(sql, Told { variables: &owned(told), ..Told::default() });
    }

    fn ends(&mut self, sql: &str, told: Told<'_>) {
        self.at = self.state.versions();
        let reading = route::read(sql.as_bytes(), &Syntax::MARIADB);
        self.state.note(sql.as_bytes(), &Syntax::MARIADB, &reading, &told, &mut self.at);
    }

    /// What another server session would be told that has seen `at`.
    fn told(&self, at: &Versions) -> String {
        String::from_utf8(self.state.catch_up(at).set.unwrap_or_default()).unwrap()
    }

    /// What a server session would be told that has been told to tell, and nothing else.
    fn told_of_variables(&self) -> String {
        self.told(&Versions { sys_var: BEGIN, ..Versions::default() })
    }
}

fn owned(told: &[(&str, &str)]) -> Vec<(String, String)> {
    told.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_new_server_session_is_told_to_tell_and_of_the_database() {
    let client = Client { state: State::new(Some("test"), 0), at: Versions::default() };
    let first = client.state.catch_up(&client.at);
    assert_eq!(first.database, Some("test"));
    assert_eq!(first.set.as_deref(), Some(FIRST_SET.as_bytes()));
    assert!(client.state.catch_up(&client.state.versions()).is_empty());
    assert!(Client::new().state.catch_up(&Versions::default()).database.is_none());
}

#[test]
fn what_the_server_tells_is_brought_to_others() {
    let mut client = Client::new();
    client.runs("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", &[("sql_mode", "IT'S\\,X")]);
    client.runs("SET wait_timeout = 5 + 5, net_read_timeout = 1", &[("wait_timeout", "10"), ("net_read_timeout", "1")]);
    client.runs("SET autocommit = 0", &[("autocommit", "OFF")]);
    assert_eq!(
        client.told_of_variables(),
        "SET @@session.autocommit = 'OFF', @@session.net_read_timeout = 1, \
         @@session.sql_mode = _utf8mb4 0x495427535C2C58, @@session.wait_timeout = 10"
    );
    assert_eq!(client.at, client.state.versions(), "the server session itself has seen it");
    assert!(client.state.catch_up(&client.at).is_empty());
}

#[test]
fn only_what_is_new_is_told() {
    let mut client = Client::new();
    client.runs("SET a_b = 1, @x = 'y'", &[("a_b", "1")]);
    let seen = client.at;
    client.runs("SET c_d = 2", &[("c_d", "2")]);
    assert_eq!(client.told(&seen), "SET @@session.c_d = 2");
    client.runs("SET @x = 'z', @`odd``name` = 0x61", &[]);
    assert_eq!(client.told(&seen), "SET @@session.c_d = 2, @`odd``name` = 0x61, @`x` = 'z'");
    let seen = client.at;
    client.runs("SET a_b = 1", &[("a_b", "1")]);
    assert_eq!(client.told(&seen), "", "it had this value");
}

#[test]
fn a_server_that_tells_nothing_is_believed_by_the_text() {
    let mut client = Client::new();
    client
        .runs("SET SESSION wait_timeout = 5, @@sort_buffer_size := 1, time_zone = '+01:00', GLOBAL x = 1, y = 2", &[]);
    assert_eq!(
        client.told_of_variables(),
        "SET @@session.sort_buffer_size = 1, @@session.time_zone = '+01:00', @@session.wait_timeout = 5"
    );
    assert!(client.state.pins().is_empty());
    for sql in ["SET a = b + 1", "SET a = DEFAULT", "SET a = @@b", "SET SESSION TRANSACTION READ ONLY"] {
        let mut client = Client::new();
        client.runs(sql, &[]);
        assert_eq!((client.state.pins(), &*client.told_of_variables()), (Pins::VARIABLES, ""), "{sql}");
    }
}

#[test]
fn values_that_are_not_seen_tie_the_client() {
    let mut client = Client::new();
    client.runs("SET @x = 1", &[]);
    client.runs("SET @x = NOW()", &[]);
    assert_eq!((client.state.pins(), &*client.told_of_variables()), (Pins::USER_VARIABLES, ""));
    assert_eq!(client.state.lost(), Pins::USER_VARIABLES);
    assert!(client.state.pins().is_empty(), "it was told, and begins anew");
}

#[test]
fn pins_come_and_go() {
    let mut client = Client::new();
    for (sql, pins) in [
        ("SELECT 1", Pins::NONE),
        ("CREATE TEMPORARY TABLE t (a INT)", Pins::TEMPORARY_TABLES),
        ("SELECT GET_LOCK('a', 1)", Pins::TEMPORARY_TABLES.and(Pins::NAMED_LOCKS)),
        ("DO RELEASE_ALL_LOCKS()", Pins::TEMPORARY_TABLES),
        ("SELECT RELEASE_ALL_LOCKS(), GET_LOCK('a', 1)", Pins::TEMPORARY_TABLES.and(Pins::NAMED_LOCKS)),
        ("SELECT IF(0, RELEASE_ALL_LOCKS(), 1)", Pins::TEMPORARY_TABLES.and(Pins::NAMED_LOCKS)),
        ("SELECT RELEASE_ALL_LOCKS()", Pins::TEMPORARY_TABLES),
        ("BACKUP LOCK u", Pins::TEMPORARY_TABLES.and(Pins::BACKUP_LOCK)),
        ("BACKUP STAGE START", Pins::TEMPORARY_TABLES.and(Pins::BACKUP_LOCK).and(Pins::BACKUP_STAGE)),
        ("UNLOCK TABLES", Pins::TEMPORARY_TABLES.and(Pins::BACKUP_LOCK).and(Pins::BACKUP_STAGE)),
        ("BACKUP STAGE END", Pins::TEMPORARY_TABLES.and(Pins::BACKUP_LOCK)),
        ("BACKUP UNLOCK", Pins::TEMPORARY_TABLES),
        ("SET TRANSACTION READ ONLY", Pins::TEMPORARY_TABLES.and(Pins::NEXT_TRANSACTION)),
        ("SET @x = 1", Pins::TEMPORARY_TABLES.and(Pins::NEXT_TRANSACTION)),
        ("SELECT 1", Pins::TEMPORARY_TABLES),
    ] {
        client.runs(sql, &[]);
        assert_eq!(client.state.pins(), pins, "{sql}");
    }
    client.state.reset();
    assert!(client.state.pins().is_empty());
}

#[test]
fn what_is_taken_counts_more_than_what_the_same_statement_gives_up() {
    let mut client = Client::new();
    client.runs("SET STATEMENT a = GET_LOCK('a', 1) FOR DO RELEASE_ALL_LOCKS()", &[]);
    assert_eq!(client.state.pins(), Pins::NAMED_LOCKS);
}

/// MariaDB tells of the variables of a `SET STATEMENT` as they are meanwhile.
#[test]
fn what_is_set_for_one_statement_is_not_kept() {
    let mut client = Client::new();
    let told = [("sql_mode", "ANSI_QUOTES"), ("time_zone", "UTC"), ("tx_isolation", "SERIALIZABLE")];
    client.runs("SET STATEMENT sql_mode = 'ANSI_QUOTES', @@session.transaction_isolation = 'x' FOR CALL p()", &told);
    assert_eq!(client.told_of_variables(), "SET @@session.time_zone = 'UTC'");
    assert_eq!(client.state.pins(), Pins::ROUTINES);
    let mut client = Client::new();
    client.runs("SET STATEMENT a = 1 FOR SET STATEMENT timestamp = 5 FOR SET a = 2, @x = 3, b = 4", &told[..0]);
    assert_eq!(client.told_of_variables(), "SET @@session.b = 4, @`x` = 3");
    client.runs("SET STATEMENT a = 1 FOR SET c = 2", &[("a", "1"), ("c", "2")]);
    assert_eq!(client.told_of_variables(), "SET @@session.b = 4, @@session.c = 2, @`x` = 3");
    client.runs("SET STATEMENT a = 1, timestamp = 5 FOR SET timestamp = 6, @y = NOW()", &[("timestamp", "5")]);
    assert_eq!(client.told_of_variables(), "SET @@session.b = 4, @@session.c = 2, @`x` = 3");
    assert_eq!(client.state.pins(), Pins::USER_VARIABLES);
}

#[test]
fn what_a_procedure_may_have_left_keeps_reads_there_and_is_not_missed() {
    let mut client = Client::new();
    client.runs("CALL p()", &[]);
    assert_eq!(client.state.pins(), Pins::ROUTINES);
    assert_eq!(client.state.lost(), Pins::NONE);
    assert!(client.state.pins().is_empty());
}

#[test]
fn a_mode_of_other_quotes_ties_the_client_until_it_is_gone() {
    let mut client = Client::new();
    for (mode, pins) in [
        ("STRICT_TRANS_TABLES,NO_ZERO_DATE", Pins::NONE),
        ("ANSI_QUOTES,STRICT_TRANS_TABLES", Pins::QUOTES),
        ("STRICT_TRANS_TABLES", Pins::NONE),
        ("NO_BACKSLASH_ESCAPES", Pins::QUOTES),
        ("", Pins::NONE),
    ] {
        client.runs(&format!("SET sql_mode = '{mode}'"), &[("sql_mode", mode)]);
        assert_eq!(client.state.pins(), pins, "{mode}");
    }
    client.runs("SET sql_mode = ANSI", &[]);
    assert_eq!(client.state.pins(), Pins::QUOTES);
    assert_eq!(client.state.lost(), Pins::NONE, "the next server session has it too");
    assert_eq!(client.state.pins(), Pins::QUOTES);
}

#[test]
fn what_is_one_servers_own_is_not_brought_along() {
    let mut client = Client::new();
    let told = [("last_gtid", "0-1-5"), ("pseudo_thread_id", "5"), ("character_set_client", "utf8mb4")];
    client.runs("SET insert_id = 5, pseudo_thread_id = 5", &told);
    assert_eq!(client.told_of_variables(), "");
    client.runs("INSERT INTO t VALUES (1)", &[("last_gtid", "0-1-6"), ("x", "1")]);
    assert_eq!(client.told_of_variables(), "", "an INSERT sets no variable that stays");
    client.runs("CALL p()", &[("last_gtid", "0-1-6"), ("time_zone", "UTC")]);
    assert_eq!(client.told_of_variables(), "SET @@session.time_zone = 'UTC'");
    client.runs("SET gtid_domain_id = 5", &[]);
    assert_eq!(client.state.pins(), Pins::VARIABLES.and(Pins::ROUTINES));
}

#[test]
fn a_statement_that_fails_may_have_left_something() {
    for (sql, pins) in [
        ("CALL p(@x)", Pins::ROUTINES.and(Pins::USER_VARIABLES)),
        ("SELECT GET_LOCK('a', 1), f()", Pins::NAMED_LOCKS),
        ("SET @x = NOW(), sql_mode = 'x'", Pins::USER_VARIABLES),
        ("CREATE TEMPORARY TABLE t (a INT)", Pins::NONE),
        ("XA START 'a'", Pins::NONE),
        ("INSERT INTO t VALUES (1)", Pins::NONE),
    ] {
        let mut client = Client::new();
        client.at = client.state.versions();
        client.state.note_failed(&route::read(sql.as_bytes(), &Syntax::MARIADB), &[], &mut client.at);
        assert_eq!(client.state.pins(), pins, "{sql}");
    }
    let mut client = Client::new();
    let (call, behind) = (route::read(b"CALL p()", &Syntax::MARIADB), client.at);
    client.at = client.state.versions();
    client.state.note_failed(&call, &owned(&[("time_zone", "UTC")]), &mut client.at);
    assert_eq!(client.told_of_variables(), "SET @@session.time_zone = 'UTC'", "what it has set is told behind it");
    assert!(client.state.catch_up(&client.at).is_empty(), "which its own session has");
    let mut at = behind;
    client.state.note_failed(&call, &owned(&[("time_zone", "+01:00")]), &mut at);
    assert_eq!(at, behind, "one that was not up to date is not now");
}

#[test]
fn a_server_that_cannot_tell_is_told_the_rest() {
    let mut client = Client::new();
    let first = client.state.catch_up(&Versions::default()).set.unwrap();
    assert_eq!(
        without_first(&first).unwrap(),
        b"SET character_set_client = utf8mb4, character_set_results = utf8mb4, net_write_timeout = 31536000"
    );
    client.runs("SET time_zone = 'UTC'", &[]);
    let first = client.state.catch_up(&Versions::default()).set.unwrap();
    let rest = without_first(&first).unwrap();
    assert_eq!(rest, b"SET character_set_client = utf8mb4, character_set_results = utf8mb4, net_write_timeout = 31536000, @@session.time_zone = 'UTC'");
    assert_eq!(without_first(&rest), None);
}

#[test]
fn a_clock_that_goes_on_is_not_kept_as_it_is_now() {
    for sql in ["SET timestamp = DEFAULT", "SET @@session.timestamp = 0", "SET timestamp = 0.0"] {
        let mut client = Client::new();
        client.runs("SET timestamp = 5", &[("timestamp", "5.000000")]);
        assert_eq!(client.told_of_variables(), "SET @@session.timestamp = 5");
        client.runs(sql, &[("timestamp", "1700000000.123456")]);
        assert_eq!(client.told_of_variables(), "SET @@session.timestamp = DEFAULT", "{sql}");
        assert!(client.state.pins().is_empty());
    }
    for sql in ["SET timestamp = @then", "CALL p()"] {
        let mut client = Client::new();
        client.runs(sql, &[("timestamp", "1700000000.123456")]);
        assert_eq!(client.told_of_variables(), "", "{sql}");
        assert!(client.state.pins().any_of(Pins::VARIABLES), "{sql}");
    }
}

#[test]
fn a_database_that_is_used_is_known_by_the_text_too() {
    for (sql, name) in [
        ("USE b", "b"),
        ("use /* c */ `b``c`;", "b`c"),
        ("USE", "a"),
        ("SET STATEMENT max_statement_time = 1 FOR USE b", "b"),
    ] {
        let mut client = Client::new();
        client.state.set_database(Some("a"));
        client.runs(sql, &[]);
        assert_eq!(client.state.database(), Some(name), "{sql}");
    }
    let mut client = Client::new();
    client.ends("USE B", Told { schema: Some("b"), ..Told::default() });
    assert_eq!(client.state.database(), Some("b"), "but the server knows better");
}

#[test]
fn texts_mean_the_same_in_any_mode() {
    let mut client = Client::new();
    client.runs(r#"SET @a = 'it\'s', @b = "x", @c = 'C:\\new', @d = 'a\nb'"#, &[]);
    assert_eq!(
        client.told_of_variables(),
        "SET @`a` = 'it''s', @`b` = 'x', @`c` = _utf8mb4 0x433A5C6E6577, @`d` = 'a\nb'"
    );
    let shown: Vec<_> = client.state.variables().into_iter().map(|variable| variable.value).collect();
    assert_eq!(shown, ["it's", "x", r"C:\new", "a\nb"]);
    // What is no UTF-8 cannot be written so.
    let reading = route::read(b"SET @a = '\xff\\\\'", &Syntax::MARIADB);
    client.state.note(b"SET @a = '\xff\\\\'", &Syntax::MARIADB, &reading, &Told::default(), &mut client.at);
    assert_eq!(client.state.pins(), Pins::USER_VARIABLES);
    assert!(!client.told_of_variables().contains("@`a`"));
}

#[test]
fn texts_that_are_read_otherwise_are_not_kept() {
    let set = r"SET @p = 'C:\new', @q = 1";
    for by_flag in [true, false] {
        let mut client = Client::new();
        client.runs("SET @p = 'before'", &[]);
        if !by_flag {
            client.runs("SET sql_mode = 'NO_BACKSLASH_ESCAPES'", &[("sql_mode", "NO_BACKSLASH_ESCAPES")]);
        }
        client.ends(set, Told { no_backslash_escapes: by_flag, ..Told::default() });
        assert!(client.state.pins().any_of(Pins::USER_VARIABLES) && client.state.pins().any_of(Pins::VARIABLES));
        assert!(!client.told_of_variables().contains('@') || !client.told_of_variables().contains("@`"), "{by_flag}");
        let mut client = Client::new();
        client.ends("SET @p = 'C:/new'", Told { no_backslash_escapes: by_flag, ..Told::default() });
        assert!(client.state.pins().is_empty());
    }
}

#[test]
fn a_server_that_was_told_to_tell_less_is_told_again() {
    let mut client = Client::new();
    client.runs("SET session_track_system_variables = 'autocommit', time_zone = 'UTC'", &[("time_zone", "UTC")]);
    let next = client.state.catch_up(&client.at);
    let set = String::from_utf8(next.set.unwrap()).unwrap();
    assert!(set.starts_with("SET session_track_system_variables = '*'"), "{set}");
}

#[test]
fn two_names_of_one_variable_are_one() {
    let mut client = Client::new();
    client.runs("SET tx_isolation = 'SERIALIZABLE'", &[("tx_isolation", "SERIALIZABLE")]);
    client.runs("SET transaction_isolation = 'READ-COMMITTED'", &[("transaction_isolation", "READ-COMMITTED")]);
    assert_eq!(client.told_of_variables(), "SET @@session.transaction_isolation = 'READ-COMMITTED'");
    let mut client = Client::new();
    client.runs("SET tx_isolation = 'SERIALIZABLE'", &[("transaction_isolation", "SERIALIZABLE")]);
    assert_eq!(client.told_of_variables(), "SET @@session.transaction_isolation = 'SERIALIZABLE'");
    client.runs("SET SESSION TRANSACTION READ ONLY", &[("tx_read_only", "ON")]);
    assert!(client.told_of_variables().contains("@@session.tx_read_only = 'ON'"));
    assert!(client.state.pins().is_empty());
}

#[test]
fn a_new_server_session_knows_the_last_number_of_a_row() {
    let mut client = Client::new();
    client.ends("INSERT INTO t VALUES ()", Told { insert_id: 7, ..Told::default() });
    client.ends("INSERT INTO t VALUES (1)", Told::default());
    let first = FIRST_SET;
    assert_eq!(client.told(&Versions::default()), format!("{first}, last_insert_id = 7"));
    assert_eq!(client.told_of_variables(), "", "one that is there for reads is not told each time");
    let told_less = Versions { sys_var: 0, ..client.at };
    assert_eq!(client.told(&told_less), first);
    client.state.reset();
    assert_eq!(client.told(&Versions::default()), first);
}

#[test]
fn the_database_is_followed() {
    let mut client = Client::new();
    let seen = client.at;
    client.ends("USE shop", Told { schema: Some("shop"), ..Told::default() });
    assert_eq!(client.state.catch_up(&seen).database, Some("shop"));
    assert_eq!(client.state.catch_up(&client.at).database, None);
    client.state.set_database(Some("other"));
    assert_eq!(client.state.catch_up(&client.at).database, Some("other"));
    client.ends("DROP DATABASE other", Told { schema: Some(""), ..Told::default() });
    assert_eq!((client.state.database(), client.state.catch_up(&seen).database), (None, None));
}

#[test]
fn a_reset_forgets_all_but_the_database() {
    let mut client = Client::new();
    client.state.set_database(Some("shop"));
    client.runs("SET time_zone = 'UTC', @x = 1", &[("time_zone", "UTC")]);
    let before = client.state.versions();
    client.state.reset();
    assert!(client.state.versions().sys_var > before.sys_var, "server sessions that were not reset are behind");
    let next = client.state.catch_up(&Versions::default());
    assert_eq!(next.database, Some("shop"));
    assert_eq!(next.set.as_deref(), Some(FIRST_SET.as_bytes()));
    assert!(client.state.variables().is_empty());
}

#[test]
fn the_character_set_of_literals_is_told_when_it_is_needed() {
    let mut client = Client::new();
    client.runs("SET collation_connection = latin1_bin", &[("collation_connection", "latin1_bin")]);
    client.state.set_connection(CharacterSet::Latin1);
    assert_eq!(client.told_of_variables(), "SET @@session.character_set_connection = latin1");
}

#[test]
fn the_collation_of_the_login_is_told_before_what_was_set_since() {
    for (collation, told) in [(45, ""), (0, ""), (8, ", collation_connection = 8"), (63, ", collation_connection = 63")]
    {
        let mut client = Client { state: State::new(None, collation), at: Versions::default() };
        assert_eq!(client.told(&Versions::default()), format!("{FIRST_SET}{told}"), "{collation}");
        assert_eq!(client.told_of_variables(), "", "once");
        client.state.set_connection(CharacterSet::Utf8mb4);
        let set = format!("{FIRST_SET}{told}, @@session.character_set_connection = utf8mb4");
        assert_eq!(client.told(&Versions::default()), set);
        client.state.reset();
        assert_eq!(client.told(&Versions::default()), format!("{FIRST_SET}{told}"));
    }
}

#[test]
fn variables_are_shown_as_they_are_meant() {
    let mut client = Client::new();
    client.runs("SET time_zone = '+01:00', @b = 5, @A = 'it''s'", &[("time_zone", "+01:00")]);
    client.runs("SET autocommit = 0, @autocommit = 1", &[("autocommit", "OFF")]);
    let shown: Vec<_> = client.state.variables().into_iter().map(|v| (v.name, v.value, v.user, v.hot)).collect();
    let expected = [
        ("autocommit", "OFF", false, true),
        ("time_zone", "+01:00", false, false),
        ("a", "it's", true, false),
        ("autocommit", "1", true, false),
        ("b", "5", true, false),
    ];
    assert_eq!(shown, expected.map(|(name, value, user, hot)| (name.to_owned(), value.to_owned(), user, hot)));
}

#[test]
fn what_a_client_can_keep_is_bounded() {
    let mut client = Client::new();
    for i in 0..MOST_VARIABLES {
        client.runs(&format!("SET @v{i} = 1"), &[]);
    }
    assert!(client.state.pins().is_empty());
    client.runs("SET @v1 = 2", &[]);
    assert!(client.state.pins().is_empty(), "in place of the old value");
    client.runs("SET @one_more = 1", &[]);
    assert_eq!(client.state.pins(), Pins::USER_VARIABLES);

    let mut client = Client::new();
    let long = "x".repeat(MOST_BYTES / 2);
    client.runs(&format!("SET @a = '{long}'"), &[]);
    client.runs(&format!("SET @a = '{long}'"), &[]);
    assert!(client.state.pins().is_empty());
    client.runs("SET x = 1", &[("x", &long)]);
    assert_eq!(client.state.pins(), Pins::VARIABLES);
}

#[test]
fn an_untouched_state_is_small() {
    assert!(size_of::<State>() <= 80);
    let mut client = Client::new();
    client.runs("SELECT 1", &[]);
    client.runs("INSERT INTO t VALUES (1)", &[]);
    assert!(client.state.kept.is_none());
}

proptest! {
    /// Whatever statements have set, a new server session is told a SET from which the same is read.
    #[test]
    fn what_is_told_is_what_was_set(
        sets in proptest::collection::vec(("[a-z_]{1,6}", "[ -~]{0,12}", any::<bool>()), 0..12),
    ) {
        let mut client = Client::new();
        let mut expected = BTreeMap::new();
        for (name, value, user) in &sets {
            let written = format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"));
            if *user {
                client.runs(&format!("SET @{name} = {written}"), &[]);
            } else {
                client.runs(&format!("SET v_{name} = 1"), &[(&format!("v_{name}"), value)]);
            }
            let key = if *user { format!("@{name}") } else { format!("v_{name}") };
            expected.insert(key, value.clone());
        }
        let told = client.told_of_variables();
        let mut other = Client::new();
        let mut found = BTreeMap::new();
        for assignment in assignments(told.as_bytes(), &Syntax::MARIADB) {
            let key = match assignment.target {
                Target::User(name) => format!("@{}", name.to_string_lossy()),
                Target::System(Reach::Session, name) => String::from_utf8(name.to_vec()).unwrap(),
                other => panic!("{other:?}"),
            };
            prop_assert!(assignment.plain || told.contains("= -") || told.contains("_utf8mb4 0x"), "{}", told);
            found.insert(key, literal::bare(&told.as_bytes()[assignment.value.clone()]));
        }
        other.runs(&told, &[]);
        prop_assert_eq!(&found, &expected);
        if !told.contains("_utf8mb4 0x") {
            prop_assert_eq!(other.told_of_variables(), told, "told again, it is the same");
        }
    }
}
