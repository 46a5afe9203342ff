//! Who sees and kills whom, by the tables, on sessions that are really unharmed or really ended. (Sessions before login
//! have no place here: they are in the tests of the dialects and of the wire.)

#[path = "../privileges/mod.rs"]
mod tables;

use std::sync::Arc;

use killdeer::{
    Dialect, KillAnswer, KillDenied, KillMode, OwnedValue, Principal, Privileges, Reason, Runtime, SessionHandle,
    SqlError, Target, Tenant,
};
use tables::{Cell, Line};

use crate::lab::{Lab, Running, build, code, paused, peer, rows, settle};

/// How somebody asks for a kill.
#[derive(Clone, Copy, Debug)]
enum Way {
    Host,
    Statement,
}

/// One asker, and what it is told.
struct Asker<'a> {
    runtime: &'a Runtime<Lab>,
    dialect: Dialect,
    by: Arc<Principal>,
    session: SessionHandle,
}

impl Asker<'_> {
    /// Asks for a kill.
    async fn kill(&self, victim: &SessionHandle, mode: KillMode, way: Way) -> Result<(), SqlError> {
        match way {
            Way::Host => {
                let asked = self.runtime.kill(&self.by, Target::Session(victim.id()), mode).await;
                let layout = self.dialect.ids(1).unwrap();
                asked.map(drop).map_err(|error| match self.dialect.kill_answer(&error, &layout) {
                    KillAnswer::Error(error) => error,
                    KillAnswer::Lenient(warning) => panic!("lenient: {warning:?}"),
                })
            }
            Way::Statement => {
                let mode = if mode == KillMode::Query { "QUERY" } else { "CONNECTION" };
                rows(&self.session, &format!("KILL {mode} {}", victim.id())).await.map(drop)
            }
        }
    }
}

async fn connect(runtime: &Runtime<Lab>, who: Principal) -> SessionHandle {
    runtime.connect(who, peer()).await.unwrap()
}

/// Everything that one asker may and may not do to a session of one owner.
async fn tried(asker: &Asker<'_>, cell: &Cell, expected: u16, what: &str) {
    let owner = tables::principal(cell.owner.as_deref().expect("somebody's"));
    for mode in [KillMode::Query, KillMode::Connection] {
        for way in [Way::Host, Way::Statement] {
            let what = format!("{what}, {mode:?} by {way:?}");
            let victim = connect(asker.runtime, owner.clone()).await;
            let waiting = Running::begin(&victim, "wait").await;
            let told = asker.kill(&victim, mode, way).await;
            assert_eq!(told.as_ref().map_or_else(SqlError::code, |()| 0), expected, "{what}");
            settle().await;
            match (told, mode) {
                (Err(told), _) => {
                    if expected == 1094 {
                        assert_eq!(told.message(), format!("Unknown thread id: {}", victim.id()), "{what}");
                    }
                    assert!(!waiting.is_over(), "{what}: it was not its to kill");
                    victim.cancel(victim.running().unwrap());
                    assert_eq!(waiting.code().await, 1317, "{what}");
                    assert_eq!(code(&victim, "hello").await, 0, "{what}: unharmed");
                }
                (Ok(()), KillMode::Query) => {
                    assert_eq!(waiting.code().await, 1317, "{what}");
                    assert_eq!(code(&victim, "hello").await, 0, "{what}: the session lives");
                }
                (Ok(()), KillMode::Connection) => {
                    assert_eq!(victim.ended().await, Reason::KillConnection, "{what}");
                    waiting.abandon();
                }
            }
        }
    }
}

/// The list that one asker gets, from the host's hands and by a statement: its own session, and those that it sees.
async fn listed(asker: &Asker<'_>, line: &Line, what: &str) {
    let mut held = Vec::new();
    let mut expected = vec![asker.session.id().get()];
    for (cell, owner) in line.cells.iter().filter_map(|cell| Some((cell, cell.owner.as_deref()?))) {
        let victim = connect(asker.runtime, tables::principal(owner)).await;
        if cell.seen {
            expected.push(victim.id().get());
        }
        held.push(victim);
    }
    let by_host: Vec<u64> = asker.runtime.list(&asker.by).rows().iter().map(|row| row.id.get()).collect();
    assert_eq!(by_host, expected, "{what}: the host's list");
    // Doris's first column says whose connection it is.
    let at = usize::from(asker.dialect.name() == "doris");
    for sql in ["SHOW PROCESSLIST", "SHOW FULL PROCESSLIST"] {
        let shown: Vec<u64> = rows(&asker.session, sql)
            .await
            .unwrap()
            .iter()
            .map(|row| match row[at] {
                OwnedValue::UInt(id) => id,
                ref other => panic!("no id: {other:?}"),
            })
            .collect();
        assert_eq!(shown, expected, "{what}: {sql}");
    }
}

/// The whole table of a system.
fn table(name: &str) {
    paused(async {
        let table = tables::TABLES.iter().find(|(system, _)| *system == name).unwrap().1;
        for denied in [KillDenied::Told, KillDenied::Hidden] {
            let dialect = Dialect::named(name).unwrap().kill_denied(denied);
            let runtime = build(Lab::default()).dialect(dialect).start();
            for line in tables::lines(table) {
                let by = Arc::new(tables::principal(&line.name));
                let session = connect(&runtime, Principal::clone(&by)).await;
                let asker = Asker { runtime: &runtime, dialect, by, session };
                let what = format!("{denied:?}: {}", line.name);
                listed(&asker, &line, &what).await;
                for cell in line.cells.iter().filter(|cell| cell.owner.is_some()) {
                    let expected = if denied == KillDenied::Told { cell.told } else { cell.hidden };
                    let what = format!("{what} and {:?}", cell.owner);
                    let before = runtime.status().kills_denied;
                    tried(&asker, cell, expected, &what).await;
                    let counted = if expected == 0 { 0 } else { 4 };
                    assert_eq!(runtime.status().kills_denied - before, counted, "{what}: the host is told the truth");
                }
                asker.session.terminate(Reason::Quit);
                asker.session.ended().await;
                settle().await;
            }
            assert_eq!(runtime.status().sessions, 0, "nobody is left over");
        }
    });
}

#[test]
fn mysqls_table() {
    table("mysql");
}

#[test]
fn mariadbs_table() {
    table("mariadb");
}

#[test]
fn doriss_table() {
    table("doris");
}

#[test]
fn oceanbases_table() {
    table("oceanbase");
}

#[test]
fn tidbs_table() {
    table("tidb");
}

#[test]
fn odps_table() {
    table("odp");
}
