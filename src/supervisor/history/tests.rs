//! What is kept of kills, what is not, and who reads it.

use super::*;
use crate::{
    dialect::{KillDenied, Node},
    id::Layout,
    model::{Clock, Privileges, Settings, StatementNo, Target},
    state::Running,
    supervisor::{
        kill::{Requester, tests::deaf},
        registration::Registration,
        registry::Registry,
    },
};

/// A registry whose kills are kept as the supervisor keeps them.
struct Lab(Arc<Registry>);

impl Lab {
    fn new(dialect: Dialect) -> Self {
        let clock = Clock::new(|| SystemTime::UNIX_EPOCH);
        Self(Registry::new(Layout::plain32(), dialect, Node::default(), clock, &Settings::new()))
    }

    fn admit(&self, who: &Arc<Principal>) -> Registration {
        self.0.admit(Origin::Local, deaf(), Some(Arc::clone(who))).unwrap()
    }

    fn kill(&self, by: &Arc<Principal>, from: Option<&Registration>, target: Target, mode: KillMode) {
        let kill = Kill { by: Arc::clone(by), from: from.map(Registration::id), target, mode };
        let number = self.0.next_kill();
        let requester = Requester { principal: by, session: kill.from, peer: None, kill: number };
        let all: Vec<Arc<Slot>> = self.0.chunks().flatten().collect();
        let result = match &kill.target {
            Target::Session(id) => self.0.kill_session(&requester, *id, mode),
            Target::Statement(id) => self.0.kill_statement(&requester, None, *id),
            Target::Named(name) => self.0.kill_named(&requester, name, Vec::new()),
            Target::User { .. } => self.0.kill_user(&requester, &kill.target, all, mode),
        };
        let asker = from.map(|from| (from.id(), Some(from.slot().peer())));
        let cause = if from.is_some() { KillCause::Statement } else { KillCause::Host };
        let entries = entries((number, self.0.clock().now()), &self.0.dialect, &kill, &cause, asker, &result);
        self.0.history().add(entries);
    }

    fn rows(&self, viewer: &Principal) -> Vec<KillRow> {
        self.0.history().records().iter().filter_map(|record| record.row(&self.0.dialect, viewer)).collect()
    }
}

fn who(name: &str, privileges: Privileges) -> Arc<Principal> {
    Arc::new(Principal::new(name, privileges))
}

fn user(name: &str) -> Arc<Principal> {
    who(name, Privileges::NONE)
}

fn all_of(name: &str) -> Target {
    Target::User { user: name.into(), host: None }
}

/// What the viewer reads of the only kill: its result, the victim's id, and how many sessions.
fn only(lab: &Lab, viewer: &Principal) -> Option<(KillResult, Option<SessionId>, u64)> {
    let rows = lab.rows(viewer);
    assert!(rows.len() <= 1, "{rows:?}");
    rows.first().map(|row| (row.result, row.victim.as_ref().map(|victim| victim.id), row.sessions))
}

#[test]
fn a_denial_is_told_to_those_who_see_the_session_and_hidden_from_others() {
    let observer = who("observer", Privileges::PROCESS);
    for (denied, told) in [(KillDenied::Told, KillResult::Denied), (KillDenied::Hidden, KillResult::Unknown)] {
        let lab = Lab::new(Dialect::mysql().kill_denied(denied));
        let (alice, bob) = (lab.admit(&user("alice")), lab.admit(&user("bob")));
        lab.kill(&user("bob"), Some(&bob), Target::Session(alice.id()), KillMode::Connection);
        assert_eq!(only(&lab, &user("bob")), Some((told, None, 0)), "{denied:?}");
        assert_eq!(only(&lab, &user("alice")), Some((KillResult::Denied, Some(alice.id()), 0)), "{denied:?}");
        assert_eq!(only(&lab, &observer), Some((KillResult::Denied, Some(alice.id()), 0)), "{denied:?}");
        assert_eq!(only(&lab, &user("carol")), None, "{denied:?}");
        assert_eq!(only(&lab, &who("carol", Privileges::SUPER)), None, "{denied:?}: SUPER gives no sight");
    }
}

#[test]
fn a_hidden_kill_of_a_user_reads_as_one_of_a_user_without_sessions() {
    let lab = Lab::new(Dialect::mysql().kill_denied(KillDenied::Hidden));
    let (alice, bob) = (lab.admit(&user("alice")), lab.admit(&user("bob")));
    lab.kill(&user("bob"), Some(&bob), all_of("alice"), KillMode::Query);
    lab.kill(&user("bob"), Some(&bob), all_of("nosuch"), KillMode::Query);
    let mut rows = lab.rows(&user("bob"));
    for row in &mut rows {
        row.target.clear();
    }
    assert_eq!(rows[0], rows[1], "nothing tells them apart");
    assert_eq!(rows[0].result, KillResult::NothingToEnd);
    assert_eq!(only(&lab, &user("alice")), Some((KillResult::Denied, Some(alice.id()), 0)));
}

#[test]
fn what_a_kill_of_several_left_alone_has_a_row_for_those_who_see_it() {
    let lab = Lab::new(Dialect::mariadb().kill_denied(KillDenied::Hidden));
    let at = |host: &str| Arc::new(Principal::new("alice", Privileges::NONE).at_host(host));
    let (here, there, far) = (at("%"), at("10.%"), at("172.%"));
    let sessions = [&here, &there, &far, &far].map(|who| lab.admit(who));
    lab.kill(&here, Some(&sessions[0]), all_of("alice"), KillMode::Connection);
    let (ending, id) = (KillResult::Ending, |n: usize| Some(sessions[n].id()));
    assert_eq!(only(&lab, &here), Some((ending, id(0), 1)), "the requester reads of its own alone");
    assert_eq!(only(&lab, &there), Some((KillResult::Denied, id(1), 0)));
    assert_eq!(only(&lab, &far), Some((KillResult::Denied, None, 0)), "both of its two");
    let observer = who("observer", Privileges::PROCESS);
    let rows: Vec<_> = lab.rows(&observer).iter().map(|row| (row.result, row.sessions)).collect();
    assert_eq!(rows, [(ending, 1), (KillResult::Denied, 0)]);
    let many: Vec<_> = (0..2 * VICTIMS).map(|_| lab.admit(&far)).collect();
    lab.kill(&here, Some(&sessions[0]), all_of("alice"), KillMode::Query);
    assert!(lab.0.history().records().iter().all(|record| record.found.len() <= VICTIMS), "{}", many.len());
}

#[test]
fn a_victim_reads_who_it_was_but_not_of_a_session_that_it_may_not_see() {
    let lab = Lab::new(Dialect::mysql());
    let root = who("root", Privileges::ALL);
    let (alice, admin) = (lab.admit(&user("alice")), lab.admit(&root));
    lab.kill(&root, Some(&admin), Target::Session(alice.id()), KillMode::Connection);
    let [row] = &lab.rows(&user("alice"))[..] else { panic!() };
    assert_eq!((&*row.by, row.by_id, row.by_host, row.cause.clone()), ("root", None, None, KillCause::Statement));
    let [row] = &lab.rows(&root)[..] else { panic!() };
    assert_eq!((&*row.by, row.by_id, row.by_host), ("root", Some(admin.id()), Some(Origin::Local)));
    assert_eq!(row.result, KillResult::Ending);
    drop(alice);
    assert_eq!(lab.rows(&root)[0].result, KillResult::Ended);
    lab.kill(&root, None, Target::Session(admin.id()), KillMode::Query);
    assert_eq!(
        (lab.rows(&root)[1].cause.clone(), lab.rows(&root)[1].result),
        (KillCause::Host, KillResult::NothingToEnd)
    );
}

#[test]
fn of_several_victims_each_reads_of_itself() {
    let lab = Lab::new(Dialect::mariadb());
    let root = who("root", Privileges::ALL);
    let (here, there) = (user("alice"), Arc::new(Principal::new("alice", Privileges::NONE).at_host("10.%")));
    let sessions = [lab.admit(&here), lab.admit(&here), lab.admit(&there)];
    lab.kill(&root, None, all_of("alice"), KillMode::Connection);
    assert_eq!(only(&lab, &root), Some((KillResult::Ending, None, 3)));
    assert_eq!(only(&lab, &here), Some((KillResult::Ending, None, 2)), "its own two");
    assert_eq!(only(&lab, &there), Some((KillResult::Ending, None, 1)));
    assert_eq!(only(&lab, &user("bob")), None);
    drop(sessions);
    assert_eq!(only(&lab, &there), Some((KillResult::Ended, None, 1)));
}

#[test]
fn so_many_are_kept_and_kills_in_vain_or_of_ones_own_drive_out_no_others() {
    let lab = Lab::new(Dialect::mysql());
    let root = who("root", Privileges::ALL);
    let alice = lab.admit(&user("alice"));
    lab.kill(&root, None, Target::Session(alice.id()), KillMode::Connection);
    let mallory = user("mallory");
    let idle = lab.admit(&mallory);
    for _ in 0..KEPT {
        lab.kill(&mallory, None, Target::Session(SessionId::new(999)), KillMode::Query);
        lab.kill(&mallory, None, Target::Session(alice.id()), KillMode::Query);
        lab.kill(&mallory, None, all_of("nosuch"), KillMode::Query);
        lab.kill(&mallory, None, Target::Session(idle.id()), KillMode::Query);
    }
    let rows = lab.rows(&root);
    assert_eq!(rows.len(), 1 + KEPT);
    assert_eq!((rows[0].result, &*rows[0].by), (KillResult::Ending, "root"), "the oldest first, and still there");
    for _ in 0..2 * KEPT {
        lab.kill(&root, None, Target::Session(alice.id()), KillMode::Connection);
    }
    assert_eq!(lab.rows(&root).len(), 2 * KEPT);
    // Nor do those that end what is the requester's own.
    for _ in 0..2 * KEPT {
        lab.kill(&mallory, Some(&idle), Target::Session(idle.id()), KillMode::Connection);
        lab.kill(&mallory, None, all_of("mallory"), KillMode::Connection);
    }
    let rows = lab.rows(&root);
    let of = |user: &str| rows.iter().filter(|row| &*row.by == user && row.result == KillResult::Ending).count();
    assert_eq!((of("root"), of("mallory"), rows.len()), (KEPT, KEPT, 3 * KEPT));
    // Of many victims, some are remembered and all are counted.
    let many: Vec<_> = (0..2 * VICTIMS).map(|_| lab.admit(&user("many"))).collect();
    lab.kill(&root, None, all_of("many"), KillMode::Connection);
    assert_eq!(lab.rows(&root).last().unwrap().sessions, many.len() as u64);
    assert!(lab.0.history().records().iter().all(|record| record.found.len() <= VICTIMS));
}

#[test]
fn a_policy_owns_no_sessions_even_those_of_a_user_of_its_name() {
    let lab = Lab::new(Dialect::mysql());
    let policy = who("policy", Privileges::ALL);
    let theirs = lab.admit(&user("policy"));
    let target = || Target::Session(theirs.id());
    let kill = Kill { by: Arc::clone(&policy), from: None, target: target(), mode: KillMode::Connection };
    let by = Requester { principal: &policy, session: None, peer: None, kill: 1 };
    let receipt = lab.0.kill_session(&by, theirs.id(), kill.mode).unwrap();
    assert_eq!(Kind::of(&Dialect::mysql(), &kill.by, &KillCause::Policy("slow".into()), &receipt), Kind::Others);
    assert_eq!(Kind::of(&Dialect::mysql(), &kill.by, &KillCause::Host, &receipt), Kind::Own);
    assert_eq!(Kind::of(&Dialect::mysql(), &who("root", Privileges::ALL), &KillCause::Host, &receipt), Kind::Others);
}

#[test]
fn of_many_victims_those_are_remembered_that_something_was_ended_of() {
    let lab = Lab::new(Dialect::mysql());
    let root = who("root", Privileges::ALL);
    let many: Vec<_> = (0..=VICTIMS).map(|_| lab.admit(&user("many"))).collect();
    // One runs a statement, and the list may have it at any place.
    for busy in &many {
        let at = Running { statement: busy.slot().switch.begin().unwrap(), query_id: 1 };
        lab.kill(&root, None, all_of("many"), KillMode::Query);
        let row = || lab.rows(&root).pop().unwrap();
        assert_eq!((row().result, row().sessions), (KillResult::Ending, many.len() as u64), "{at:?}");
        assert_eq!(busy.slot().switch.complete(), Err(crate::model::Reason::KillQuery));
        busy.slot().finish_killed(at.statement, tokio::time::Instant::now(), false);
        assert_eq!(row().result, KillResult::Ended);
        assert!(row().duration.is_some());
    }
}

#[test]
fn who_sees_some_of_many_victims_reads_of_these_alone() {
    let lab = Lab::new(Dialect::mariadb());
    let root = who("root", Privileges::ALL);
    let (here, there) = (user("alice"), Arc::new(Principal::new("alice", Privileges::NONE).at_host("10.%")));
    let mut sessions: Vec<_> = (0..VICTIMS).map(|_| lab.admit(&here)).collect();
    let idle = lab.admit(&there);
    for session in &sessions {
        session.slot().switch.begin().unwrap();
    }
    lab.kill(&root, None, all_of("alice"), KillMode::Query);
    assert_eq!(only(&lab, &root), Some((KillResult::Ending, None, VICTIMS as u64 + 1)));
    assert_eq!(only(&lab, &here), Some((KillResult::Ending, None, VICTIMS as u64)), "not the one of another account");
    drop((idle, sessions.split_off(1)));
    let other = Lab::new(Dialect::mariadb());
    let (mine, theirs) = (other.admit(&here), other.admit(&there));
    other.kill(&root, None, all_of("alice"), KillMode::Connection);
    drop(mine);
    assert_eq!(only(&other, &here), Some((KillResult::Ended, None, 1)), "its own is over");
    assert_eq!(only(&other, &there), Some((KillResult::Ending, None, 1)));
    assert_eq!(only(&other, &root), Some((KillResult::Ending, None, 2)));
    drop(theirs);
    assert_eq!(only(&other, &root), Some((KillResult::Ended, None, 2)));
}

#[test]
fn nothing_that_a_client_has_sent_is_kept() {
    let lab = Lab::new(Dialect::mysql());
    let root = who("root", Privileges::ALL);
    let victim = lab.admit(&user("alice"));
    let text = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    let running = Running { statement: StatementNo::new(1), query_id: 1 };
    victim.slot().switch.begin().unwrap();
    let (command, now) = (crate::model::Command::Query, tokio::time::Instant::now());
    victim.slot().show(command, "", Some(text.clone()), Some(running), now);
    lab.kill(&root, None, Target::Session(victim.id()), KillMode::Query);
    lab.kill(&root, None, Target::Session(victim.id()), KillMode::Connection);
    let slot = Arc::downgrade(victim.slot());
    drop(victim);
    assert!(slot.upgrade().is_none(), "the session's slot goes with the session");
    assert!(text.try_into_mut().is_ok(), "nobody else has its statement");
    assert!(lab.rows(&root).iter().all(|row| row.result == KillResult::Ended));

    let long = "é".repeat(1 << 20);
    lab.kill(&root, None, Target::User { user: long.clone(), host: Some(long.clone()) }, KillMode::Query);
    lab.kill(&root, None, Target::Named(long), KillMode::Query);
    for row in &lab.rows(&root)[2..] {
        assert!(row.target.chars().count() < 200, "{}", row.target.len());
    }
}

#[test]
fn a_row_has_a_value_for_each_column_of_its_type() {
    use crate::model::{ColumnType, OwnedValue};
    let lab = Lab::new(Dialect::mysql());
    let root = who("root", Privileges::ALL);
    let (alice, admin) = (lab.admit(&user("alice")), lab.admit(&root));
    lab.kill(&root, Some(&admin), Target::Session(alice.id()), KillMode::Connection);
    lab.kill(&root, None, Target::Statement(5), KillMode::Query);
    let columns = KillRow::columns();
    let shown: Vec<Vec<String>> = lab
        .rows(&root)
        .iter()
        .map(KillRow::row)
        .map(|row| {
            assert_eq!(row.len(), columns.len());
            for (value, column) in row.iter().zip(&columns) {
                let fits = match value {
                    OwnedValue::Null => column.nullable,
                    OwnedValue::UInt(_) => column.kind == ColumnType::BigInt,
                    OwnedValue::DateTime(_) => column.kind == ColumnType::DateTime,
                    _ => column.kind == ColumnType::VarChar,
                };
                assert!(fits, "{value:?} in {column:?}");
            }
            row.iter().map(|value| value.text().unwrap_or("NULL".into()).into_owned()).collect()
        })
        .collect();
    let (victim, by) = (alice.id().to_string(), admin.id().to_string());
    #[rustfmt::skip]
    assert_eq!(shown, [
        ["1970-01-01 00:00:00", "root", &by, "localhost", "CONNECTION", &victim, &victim, "alice", "localhost", "1",
         "statement", "ending", "NULL"],
        ["1970-01-01 00:00:00", "root", "NULL", "NULL", "QUERY", "QUERY ID 5", "NULL", "NULL", "NULL", "0", "host",
         "unknown", "NULL"],
    ]);
}

#[cfg(feature = "cluster")]
#[test]
fn what_other_nodes_have_ended_for_anybody_drives_out_no_administrators_kills() {
    let receipt = Receipt::elsewhere(1);
    let of = |dialect: Dialect, by: &Principal| Kind::of(&dialect, by, &KillCause::Statement, &receipt);
    let admin = |dialect: &Dialect| {
        let privileges = Privileges::CONNECTION_ADMIN.and(Privileges::ADMIN_PRIV);
        let sys = crate::model::Tenant { name: "sys".into(), cluster: None };
        let admin = Principal::new("root", privileges);
        if dialect.has_tenants() { admin.in_tenant(sys) } else { admin }
    };
    for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
        assert_eq!(of(dialect, &admin(&dialect)), Kind::Others, "{dialect:?}");
        assert_eq!(of(dialect, &user("alice")), Kind::Own, "{dialect:?}: it may end its own alone");
    }
    let lab = Lab::new(Dialect::mysql());
    for (error, result) in [
        (KillError::Unreachable { server: 2 }, KillResult::Unreachable),
        (KillError::Unanswered { server: 2 }, KillResult::Unanswered),
        (KillError::UnknownSession("9".into()), KillResult::Unknown),
    ] {
        let kill =
            Kill { by: user("bob"), from: None, target: Target::Session(SessionId::new(9)), mode: KillMode::Query };
        let refused = Err(Refusal::elsewhere(&lab.0.decoy, error));
        let number = (lab.0.next_kill(), SystemTime::UNIX_EPOCH);
        lab.0.history().add(entries(number, &lab.0.dialect, &kill, &KillCause::Statement, None, &refused));
        let row = lab.rows(&user("bob")).pop().unwrap();
        assert_eq!((row.result, row.victim, row.sessions), (result, None, 0));
        assert_eq!(lab.rows(&user("alice")).len(), 0, "who does not see the requester has nothing of it");
    }
}
