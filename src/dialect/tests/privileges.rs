//! Who sees and kills whom, by the tables that the tests of sessions and of the wire go by too.

#[path = "../../../tests/privileges/mod.rs"]
mod tables;

use crate::{
    Dialect, KillAnswer, KillDenied, KillError, Principal, Privileges, SessionId, Tenant, Verdict, id::Layout,
};

/// What whoever asks for a kill is told; 0: OK.
fn answer(dialect: &Dialect, by: &Principal, owner: Option<&Principal>) -> u16 {
    let id = SessionId::new(7);
    let error = match dialect.may_kill(by, owner) {
        Verdict::Allowed => return 0,
        Verdict::Denied => KillError::NotOwner(id),
        Verdict::Protected => KillError::Protected(id),
        Verdict::Unseen => KillError::UnknownSession(id.to_string()),
    };
    match dialect.kill_answer(&error, &Layout::plain32()) {
        KillAnswer::Error(error) => error.code(),
        KillAnswer::Lenient(warning) => panic!("lenient: {warning:?}"),
    }
}

#[test]
fn the_rules_are_those_of_the_tables() {
    assert_eq!(tables::TABLES.map(|(name, _)| name), Dialect::NAMES);
    for (name, table) in tables::TABLES {
        let told = Dialect::named(name).unwrap();
        let hidden = told.kill_denied(KillDenied::Hidden);
        for line in tables::lines(table) {
            let by = tables::principal(&line.name);
            for cell in &line.cells {
                let what = format!("{name}: {} and {:?}", line.name, cell.owner);
                let owner = cell.owner.as_deref().map(tables::principal);
                let owner = owner.as_ref();
                assert_eq!(told.may_see(&by, owner), cell.seen, "{what}: sight");
                assert_eq!(hidden.may_see(&by, owner), cell.seen, "{what}: sight, hidden");
                assert_eq!(answer(&told, &by, owner), cell.told, "{what}: kill");
                assert_eq!(answer(&hidden, &by, owner), cell.hidden, "{what}: kill, hidden");
            }
        }
    }
}

#[test]
fn what_is_not_seen_is_never_denied_openly_where_denials_are_hidden() {
    for (name, table) in tables::TABLES {
        for cell in tables::lines(table).iter().flat_map(|line| &line.cells) {
            let expected = if cell.seen || cell.told == 0 { cell.told } else { 1094 };
            assert_eq!(cell.hidden, expected, "{name}: a slip in the table, {:?}", cell.owner);
        }
    }
}
