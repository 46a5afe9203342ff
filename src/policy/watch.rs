//! The watch: looks at the list once per interval, and has done what the rules say.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    sync::watch::Receiver,
    task::yield_now,
    time::{Instant, timeout},
};

use super::{
    enforcer::InForce,
    round::{Found, Round},
    rule::{Action, Rule},
};
use crate::{
    control::{Syntax, logged},
    dialect::Dialect,
    model::{KillMode, Principal, Privileges, ProcessRow, StatementNo, Target, Tenant},
    state::{Moment, Slot, shown},
    supervisor::{Enforce, Kill, Registry},
};

/// Of a statement, so many bytes are matched.
const MATCHED_INFO: usize = 16 * 1024;

/// So long a look goes on at most until others on its thread have their turn.
const TURN: Duration = Duration::from_millis(1);

/// In one look, so many lines are logged for a rule; the others are counted.
const LINES: u64 = 100;

/// Watches for as long as there is somebody who can put rules in force.
pub(super) async fn keep_watch(registry: Arc<Registry>, rules: Receiver<Arc<InForce>>) {
    let by = Arc::new(policy(&registry.dialect));
    let stale = rules.clone();
    watch(rules, |in_force| {
        let (registry, by, stale) = (Arc::clone(&registry), Arc::clone(&by), stale.clone());
        async move { look(&registry, &by, &in_force, &stale).await }
    })
    .await;
}

/// Who asks for the policies' kills: one that may kill everybody.
fn policy(dialect: &Dialect) -> Principal {
    let policy = Principal::new("policy", Privileges::ALL);
    match dialect.has_tenants() {
        true => policy.in_tenant(Tenant { name: "sys".to_owned(), cluster: None }),
        false => policy,
    }
}

/// One `look` per interval while there are rules, and one as soon as there are others. A look that panics is not the last.
async fn watch<F: Future<Output = ()>>(mut rules: Receiver<Arc<InForce>>, mut look: impl FnMut(Arc<InForce>) -> F) {
    loop {
        let in_force = Arc::clone(&rules.borrow_and_update());
        let interval = in_force.policies.interval();
        let changed = if in_force.policies.is_empty() {
            rules.changed().await
        } else {
            if AssertUnwindSafe(async { look(in_force).await }).catch_unwind().await.is_err() {
                tracing::error!("a look of the policies at the list panicked; the next one comes in its time");
            }
            timeout(interval, rules.changed()).await.unwrap_or(Ok(()))
        };
        if changed.is_err() {
            return;
        }
    }
}

/// A session as the look found it.
struct Sight {
    slot: Weak<Slot>,
    seen: Moment,
}

/// Looks at the list, decides, and acts.
async fn look(registry: &Registry, by: &Arc<Principal>, in_force: &InForce, stale: &Receiver<Arc<InForce>>) {
    let syntax = registry.dialect.syntax();
    let mut round = Round::new(in_force.rules());
    let mut turn = Instant::now();
    for chunk in registry.chunks() {
        for slot in chunk {
            see(&mut round, &slot, &syntax);
            if turn.elapsed() >= TURN {
                yield_now().await;
                turn = Instant::now();
            }
        }
        yield_now().await;
    }
    let mut lines = vec![0; in_force.rules().len()];
    for victim in round.victims() {
        // Other rules are in force by now: these have no say any more.
        if stale_since(stale, in_force) {
            break;
        }
        let (rule, found) = round.found(victim);
        let counts = &in_force.counts[victim.rule];
        count(&counts.matched);
        let line = &mut lines[victim.rule];
        *line += 1;
        if *line <= LINES {
            log(rule, &found.row);
        }
        let mode = match rule.action {
            _ if rule.dry_run => {
                count(&counts.dry);
                continue;
            }
            Action::Log => {
                count(&counts.acted);
                continue;
            }
            Action::KillQuery => KillMode::Query,
            Action::KillConnection => KillMode::Connection,
        };
        let struck = kill(registry, by, rule, found, mode).await;
        count(if struck { &counts.acted } else { &counts.failed });
    }
    for (rule, lines) in in_force.rules().iter().zip(lines).filter(|(_, lines)| *lines > LINES) {
        tracing::info!(rule = %rule.name, "policy: and {} more", lines - LINES);
    }
}

fn stale_since(stale: &Receiver<Arc<InForce>>, in_force: &InForce) -> bool {
    !std::ptr::eq(Arc::as_ptr(&stale.borrow()), in_force)
}

fn see(round: &mut Round<'_, Sight>, slot: &Arc<Slot>, syntax: &Syntax) {
    let Some((row, info, seen)) = slot.observe(Instant::now()) else { return };
    let rules = round.screen(&row);
    if rules != 0 {
        // Matched as lists show it: nobody finds out a secret by a rule, nor does one get into the log.
        let info = info.map(|info| shown(&info[..info.len().min(MATCHED_INFO)], syntax));
        round.add(rules, ProcessRow { info, ..row }, Sight { slot: Arc::downgrade(slot), seen });
    }
}

fn log(rule: &Rule, row: &ProcessRow) {
    let does = match (rule.action, rule.dry_run) {
        (Action::Log, _) => "policy: matched",
        (Action::KillQuery, false) => "policy: kills the statement",
        (Action::KillQuery, true) => "policy: would kill the statement",
        (Action::KillConnection, false) => "policy: kills the session",
        (Action::KillConnection, true) => "policy: would kill the session",
    };
    let transaction = row.transaction_time.map(|time| time.as_secs());
    // What a client may choose is escaped.
    tracing::info!(
        rule = %rule.name, session = %row.id, query_id = row.query_id, user = logged(row.user()), host = %row.peer,
        db = row.database.as_deref().map(logged), command = row.command.as_str(), state = row.state.as_str(), seconds = row.time.as_secs(), transaction,
        info = row.info.as_deref().map(tracing::field::debug), "{does}"
    );
}

/// Has a session killed, or its statement; whether that was done.
async fn kill(registry: &Registry, by: &Arc<Principal>, rule: &Rule, found: &Found<Sight>, mode: KillMode) -> bool {
    let (row, Sight { slot, seen }) = (&found.row, &found.tag);
    let target = match (mode, row.query_id) {
        (KillMode::Query, Some(query_id)) => Target::Statement(query_id),
        _ => Target::Session(row.id),
    };
    let statement: Option<StatementNo> = row.statement;
    let kill = Kill { by: Arc::clone(by), from: None, target, mode };
    let enforce = Enforce { kill, rule: Arc::clone(&rule.name), victim: slot.clone(), seen: *seen, statement };
    let Some(supervisor) = registry.supervisor() else { return false };
    matches!(supervisor.send(enforce).await, Ok(Ok(true)))
}

fn count(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::{sync::watch::Sender, task::LocalSet, time::sleep};

    use super::*;
    use crate::policy::Policies;

    fn in_force(text: &str) -> Arc<InForce> {
        Arc::new(InForce { policies: Policies::parse(text).unwrap(), counts: Vec::new() })
    }

    #[test]
    fn a_look_comes_once_per_interval_and_after_a_panic_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (rules, heeded) = {
                let sender = Sender::new(in_force(""));
                let receiver = sender.subscribe();
                (sender, receiver)
            };
            let looks = std::rc::Rc::new(Cell::new(0));
            let counted = std::rc::Rc::clone(&looks);
            let watching = tokio::task::spawn_local(watch(heeded, move |_| {
                counted.set(counted.get() + 1);
                // The first one panics before it is a future, the third as one.
                assert_ne!(counted.get(), 1, "asked to");
                let third = counted.get() == 3;
                async move { assert!(!third, "asked to") }
            }));
            sleep(Duration::from_secs(3600)).await;
            assert_eq!(looks.get(), 0, "without rules nothing is looked at");
            let rule = "[[rule]]\nname = 'x'\nbusy_time = 1\naction = 'log'";
            rules.send_replace(in_force(rule));
            sleep(Duration::from_secs(1)).await;
            assert_eq!(looks.get(), 1, "at once");
            sleep(Duration::from_secs(20)).await;
            assert_eq!(looks.get(), 5);
            rules.send_replace(in_force(&format!("interval = 60\n{rule}")));
            sleep(Duration::from_secs(130)).await;
            assert_eq!(looks.get(), 5 + 3, "at once, and every minute from then on");
            rules.send_replace(in_force(""));
            sleep(Duration::from_secs(3600)).await;
            assert_eq!(looks.get(), 8);
            drop(rules);
            watching.await.expect("it ends with whoever can load rules");
        });
    }
}
