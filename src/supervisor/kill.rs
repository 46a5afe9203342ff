//! The decision of a kill: may the requester, and what exactly is ended. Plain code over slots; the supervisor calls it
//! in the order in which kills come.

use std::sync::Arc;

use super::registry::Registry;
use crate::{
    id::SessionId,
    model::{KillError, KillMode, KillOutcome, Principal, Reason, StatementNo, Target},
    state::{Raised, Signal, Slot},
};

/// Who asks for a kill, and from where.
pub(crate) struct Requester<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) session: Option<SessionId>,
}

/// Says that a kill was signalled, which is what SQL's OK means; and can be awaited until what was killed is over.
#[derive(Debug)]
#[must_use = "a kill is over when its receipt says so"]
pub struct Receipt {
    victims: Vec<Victim>,
}

/// One session that a kill reached.
#[derive(Debug)]
struct Victim {
    slot: Arc<Slot>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Nothing,
    /// With the first reason that reached it.
    Statement(StatementNo, Reason),
    Session(Reason),
}

impl Receipt {
    /// How many sessions it found.
    pub fn sessions(&self) -> usize {
        self.victims.len()
    }

    /// Waits until what was killed is over: the statement has ended and its client was told; the session has rolled
    /// back and left the list. With several victims: until all are.
    ///
    /// The answer for a single victim names the first reason that reached it, which need not be this kill's.
    pub async fn ended(self) -> KillOutcome {
        let mut outcome = KillOutcome::NotRunning;
        for Victim { slot, what } in self.victims {
            match what {
                What::Nothing => {}
                What::Statement(number, first) => {
                    slot.switch.until(|word| (word.running() != Some(number)).then_some(())).await;
                    outcome = KillOutcome::Ended(first);
                }
                What::Session(first) => {
                    slot.switch.until(|word| word.gone().then_some(())).await;
                    outcome = KillOutcome::Ended(first);
                }
            }
        }
        outcome
    }
}

impl Registry {
    /// Kills one session, or the statement that it runs now.
    pub(crate) fn kill_session(&self, by: &Requester<'_>, id: SessionId, mode: KillMode) -> Result<Receipt, KillError> {
        let slot = self.get(id).ok_or_else(|| KillError::UnknownSession(id.to_string()))?;
        // Observed first, authorised then, struck last: if another statement has begun meanwhile, nothing is struck.
        let observed = slot.switch.word().running();
        if !self.may_kill(by, &slot) {
            return Err(KillError::NotOwner(id));
        }
        Ok(Receipt { victims: vec![strike(by, slot, mode, observed)] })
    }

    /// Kills the statement with this query id.
    pub(crate) fn kill_statement(
        &self,
        by: &Requester<'_>,
        slot: Arc<Slot>,
        query_id: u64,
    ) -> Result<Receipt, KillError> {
        let observed = slot.running().filter(|running| running.query_id == query_id);
        let Some(running) = observed else { return Err(KillError::UnknownQuery(query_id)) };
        if !self.may_kill(by, &slot) {
            return Err(KillError::NotQueryOwner(query_id));
        }
        Ok(Receipt { victims: vec![strike(by, slot, KillMode::Query, Some(running.statement))] })
    }

    /// Kills all of a user's sessions, or their statements: all of them, or none if one of them is not the requester's
    /// to kill (MariaDB). Those `found` that have become another user's since are left alone.
    pub(crate) fn kill_user(
        &self,
        by: &Requester<'_>,
        target: &Target,
        mut found: Vec<Arc<Slot>>,
        mode: KillMode,
    ) -> Result<Receipt, KillError> {
        // They were looked for some at a time, and a user can be changed meanwhile; from here on nothing awaits.
        found.retain(|slot| matches(target, slot));
        if let Some(denied) = found.iter().find(|slot| !self.may_kill(by, slot)) {
            return Err(KillError::NotOwner(denied.id()));
        }
        let strike = |slot: Arc<Slot>| {
            let observed = slot.switch.word().running();
            strike(by, slot, mode, observed)
        };
        Ok(Receipt { victims: found.into_iter().map(strike).collect() })
    }

    fn may_kill(&self, by: &Requester<'_>, slot: &Slot) -> bool {
        by.session == Some(slot.id()) || self.dialect.may_kill(by.principal, slot.principal().as_deref())
    }
}

/// Whether a session is one that the target means.
pub(crate) fn matches(target: &Target, slot: &Slot) -> bool {
    match target {
        Target::Session(id) => slot.id() == *id,
        Target::Statement(query_id) => slot.running().is_some_and(|running| running.query_id == *query_id),
        // No statement has a name yet.
        Target::Named(_) => false,
        Target::User { user, host } => {
            let from = slot.peer();
            let at = |host: &str| {
                host == "%" || host == from.host() || (from.is_local() && host.eq_ignore_ascii_case("localhost"))
            };
            slot.principal().is_some_and(|owner| {
                // A host pattern, as CURRENT_USER() gives it, means the account that has it.
                let of_account = |host: &str| host == owner.account_host() || at(host);
                **owner.user() == **user && host.as_deref().is_none_or(of_account)
            })
        }
    }
}

/// Throws the switch. Only who throws it sends the message: a flood of kills cannot fill a mailbox.
fn strike(by: &Requester<'_>, slot: Arc<Slot>, mode: KillMode, observed: Option<StatementNo>) -> Victim {
    let what = match (mode, observed) {
        (KillMode::Query, None) => What::Nothing,
        (KillMode::Query, Some(statement)) => {
            let reason = Reason::KillQuery;
            match slot.switch.cancel(statement, reason) {
                Raised::First => {
                    slot.signal(Signal::Cancelled);
                    What::Statement(statement, reason)
                }
                Raised::Already(first) => What::Statement(statement, first),
                Raised::NotRunning => What::Nothing,
            }
        }
        (KillMode::Connection, _) => {
            let own = by.session == Some(slot.id());
            let reason = if own { Reason::KillOwnConnection } else { Reason::KillConnection };
            match slot.switch.terminate(reason) {
                Raised::First => {
                    slot.signal(Signal::Leaving);
                    // It may have been told before to end after its statement.
                    What::Session(slot.switch.word().leaving().unwrap_or(reason))
                }
                Raised::Already(first) => What::Session(first),
                Raised::NotRunning => What::Nothing,
            }
        }
    };
    Victim { slot, what }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, AsyncContext, Context, Handler};

    use super::*;
    use crate::{
        dialect::Dialect,
        id::Layout,
        model::{Origin, Privileges},
    };

    /// A session that hears nothing: what is asked is what its switch shows.
    struct Deaf;

    impl Actor for Deaf {
        type Context = Context<Self>;
    }

    impl Handler<Signal> for Deaf {
        type Result = ();

        fn handle(&mut self, _: Signal, _: &mut Self::Context) {}
    }

    #[test]
    fn a_session_that_was_found_and_is_anothers_by_now_is_left_alone() {
        let user = |name: &str| Arc::new(Principal::new(name, Privileges::NONE));
        let root = Principal::new("root", Privileges::CONNECTION_ADMIN);
        for asker in [&root, &*user("a")] {
            let registry = Registry::new(Layout::plain32(), Dialect::mysql());
            let admit = || {
                let control = Context::<Deaf>::new().address().into();
                registry.admit(Origin::Local, control, Some(user("a"))).unwrap()
            };
            let (stays, changes) = (admit(), admit());
            let found = vec![Arc::clone(stays.slot()), Arc::clone(changes.slot())];
            registry.authenticated(changes.slot(), user("b"));
            let target = Target::User { user: "a".into(), host: None };
            let by = Requester { principal: asker, session: None };
            let receipt = registry.kill_user(&by, &target, found, KillMode::Connection).unwrap();
            assert_eq!(receipt.sessions(), 1);
            assert_eq!(stays.slot().switch.word().leaving(), Some(Reason::KillConnection));
            assert_eq!(changes.slot().switch.word().leaving(), None);
        }
    }
}
