//! Kills by the policies. Unlike others they come some time after somebody has looked at the list, and nobody looks at
//! it again: so each carries what was seen, and ends nothing else.

use std::sync::{Arc, Weak};

use actix::{Handler, Message};
use tokio::time::Instant;

use super::{
    actor::{Supervisor, told},
    kill::Refusal,
    messages::Kill,
    receipt::{Receipt, Victim, What},
    registry::Registry,
};
use crate::{
    dialect::Verdict,
    model::{KillCause, KillError, KillMode, Reason, StatementNo},
    state::{Moment, Raised, Signal, Slot, Strike},
};

/// Ends a session that was seen, or the statement that it was seen to run, if that is still as it was. The answer: whether
/// this was what ended it.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, KillError>")]
pub(crate) struct Enforce {
    /// Who asks, and what for, as the audit shows it.
    pub(crate) kill: Kill,
    /// By which rule.
    pub(crate) rule: Arc<str>,
    /// Whom.
    pub(crate) victim: Weak<Slot>,
    /// As which state.
    pub(crate) seen: Moment,
    /// The statement that was seen to run.
    pub(crate) statement: Option<StatementNo>,
}

impl Handler<Enforce> for Supervisor {
    type Result = Result<bool, KillError>;

    fn handle(&mut self, enforce: Enforce, _: &mut Self::Context) -> Self::Result {
        let registry = self.registry();
        let number = registry.next_kill();
        let (result, struck) = match registry.enforce(&enforce, number) {
            Ok((receipt, struck)) => (Ok(receipt), struck),
            Err(refusal) => (Err(refusal), false),
        };
        told(registry, &enforce.kill, KillCause::Policy(enforce.rule), None, number, result).map(|_| struck)
    }
}

impl Registry {
    fn enforce(&self, enforce: &Enforce, kill: u64) -> Result<(Receipt, bool), Refusal> {
        // Gone meanwhile: nothing is left to end.
        let Some(slot) = enforce.victim.upgrade() else { return Ok((Receipt::of(Vec::new()), false)) };
        let verdict = self.dialect.may_kill(&enforce.kill.by, slot.principal().as_deref());
        if verdict != Verdict::Allowed {
            return Err(Refusal::denied(Verdict::Denied, &slot, KillError::NotOwner(slot.id()), None));
        }
        let strike = Strike { kill, at: Instant::now(), from: None };
        let seen = enforce.seen;
        let ((raised, ending), signal, what) = match (enforce.kill.mode, enforce.statement) {
            (KillMode::Query, None) => return Ok((Receipt::of(Vec::new()), false)),
            (KillMode::Query, Some(statement)) => {
                let reason = Reason::KillQuery;
                let struck =
                    slot.strike_seen(seen, strike, Some(statement), |switch, _| switch.cancel(statement, reason));
                (struck, Signal::Cancelled, What::Statement(statement, reason))
            }
            (KillMode::Connection, _) => {
                let reason = Reason::KillConnection;
                let struck = slot.strike_seen(seen, strike, None, |switch, seen| switch.terminate_seen(seen, reason));
                (struck, Signal::Leaving, What::Session(reason))
            }
        };
        if raised != Raised::First {
            // It went on, or another has ended it: that other's kill it is.
            return Ok((Receipt::of(Vec::new()), false));
        }
        slot.signal(signal);
        Ok((Receipt::of(vec![Victim { slot, what, struck: ending.map(|ending| (strike.at, ending)) }]), true))
    }
}
