//! The decision of a kill: may the requester, and what exactly is ended. Plain code over slots; the supervisor calls it
//! in the order in which kills come.

use std::{
    hint::black_box,
    sync::{Arc, Weak},
};

use tokio::time::Instant;

use super::{history::Suspect, registry::Registry};
use crate::{
    dialect::Verdict,
    id::SessionId,
    model::{KillError, KillMode, KillOutcome, Origin, Principal, Reason, StatementNo, Target},
    state::{Raised, Signal, Slot},
};

/// Who asks for a kill, and from where.
pub(crate) struct Requester<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) session: Option<SessionId>,
    /// Where the session's client is, if somebody is to be told of it.
    pub(crate) peer: Option<Origin>,
}

/// Why a kill was not carried out: what the requester is told, and what there was.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// `None`: that it was carried out, and reached nobody.
    pub(crate) told: Option<KillError>,
    /// The denial that the requester is not told of.
    pub(crate) hidden: Option<KillError>,
    /// Whose session it would have been.
    pub(crate) suspect: Option<Suspect>,
}

impl Refusal {
    fn unknown(told: KillError) -> Self {
        Self { told: Some(told), hidden: None, suspect: None }
    }

    /// The session exists, and is not the requester's to kill.
    fn denied(verdict: Verdict, slot: &Slot, denial: KillError, unknown: KillError) -> Self {
        let suspect = Some(Suspect::of(slot));
        match verdict {
            Verdict::Unseen => Self { told: Some(unknown), hidden: Some(denial), suspect },
            _ => Self { told: Some(denial), hidden: None, suspect },
        }
    }

    /// What really happened.
    pub(crate) fn truth(&self) -> Option<&KillError> {
        self.hidden.as_ref().or(self.told.as_ref())
    }
}

/// Says that a kill was signalled, which is what SQL's OK means; and can be awaited until what was killed is over.
#[derive(Debug)]
#[must_use = "a kill is over when its receipt says so"]
pub struct Receipt {
    victims: Vec<Victim>,
}

/// One session that a kill reached.
#[derive(Clone, Debug)]
pub(super) struct Victim {
    pub(super) slot: Arc<Slot>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Nothing,
    /// With the first reason that reached it.
    Statement(StatementNo, Reason),
    Session(Reason),
}

impl Victim {
    /// The same, without keeping the session.
    pub(super) fn fate(&self) -> Fate {
        Fate { slot: Arc::downgrade(&self.slot), what: self.what }
    }
}

/// What a kill has ended. Keeps nothing of the session, only the place where it was.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    slot: Weak<Slot>,
    what: What,
}

impl Fate {
    /// Whether what was killed is over; `None`: there was nothing to end.
    pub(super) fn is_over(&self) -> Option<bool> {
        let over = |is_over: &dyn Fn(&Slot) -> bool| Some(self.slot.upgrade().is_none_or(|slot| is_over(&slot)));
        match self.what {
            What::Nothing => None,
            What::Statement(number, _) => over(&|slot| slot.switch.word().running() != Some(number)),
            What::Session(_) => over(&|slot| slot.switch.word().gone()),
        }
    }
}

impl Receipt {
    /// That there was nobody.
    pub(super) fn of_nobody() -> Self {
        Self { victims: Vec::new() }
    }

    /// How many sessions it found.
    pub fn sessions(&self) -> usize {
        self.victims.len()
    }

    pub(super) fn victims(&self) -> &[Victim] {
        &self.victims
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
    pub(crate) fn kill_session(&self, by: &Requester<'_>, id: SessionId, mode: KillMode) -> Result<Receipt, Refusal> {
        let unknown = || KillError::UnknownSession(id.to_string());
        let Some(slot) = self.get(id) else {
            // The same work as for a session that there is: the time that it takes tells nobody which ids are in use.
            black_box(self.dialect.may_kill(by.principal, Some(by.principal)));
            return Err(Refusal::unknown(unknown()));
        };
        // Observed first, authorised then, struck last: if another statement has begun meanwhile, nothing is struck.
        let observed = slot.switch.word().running();
        match self.may_kill(by, &slot) {
            Verdict::Allowed => Ok(Receipt { victims: vec![strike(by, slot, mode, observed)] }),
            verdict => Err(Refusal::denied(verdict, &slot, KillError::NotOwner(id), unknown())),
        }
    }

    /// Kills the statement with this query id.
    pub(crate) fn kill_statement(
        &self,
        by: &Requester<'_>,
        found: Option<Arc<Slot>>,
        query_id: u64,
    ) -> Result<Receipt, Refusal> {
        let unknown = KillError::UnknownQuery(query_id);
        let observed = |slot: Arc<Slot>| {
            let running = slot.running().filter(|running| running.query_id == query_id)?;
            Some((slot, running))
        };
        let Some((slot, running)) = found.and_then(observed) else { return Err(Refusal::unknown(unknown)) };
        match self.may_kill(by, &slot) {
            Verdict::Allowed => {
                Ok(Receipt { victims: vec![strike(by, slot, KillMode::Query, Some(running.statement))] })
            }
            verdict => Err(Refusal::denied(verdict, &slot, KillError::NotQueryOwner(query_id), unknown)),
        }
    }

    /// Kills the statement with this name, in those of the sessions `found` that the requester may kill: several may have
    /// the same trace id, since clients choose it. One that has run last and no longer runs is known, and not touched.
    pub(crate) fn kill_named(&self, by: &Requester<'_>, name: &str, found: Vec<Arc<Slot>>) -> Result<Receipt, Refusal> {
        let unknown = || KillError::UnknownName(crate::control::truncate_chars(name, 80).to_owned());
        let number = self.node.query_id(name);
        let (mut victims, mut refusal) = (Vec::new(), None);
        for slot in found {
            let observed = match number.filter(|number| *number != 0 && slot.last_query_id() == *number) {
                Some(number) => slot.running().filter(|running| running.query_id == number),
                None if slot.has_trace_id(name) => slot.running(),
                // It was found, and has another statement by now.
                None => continue,
            };
            match self.may_kill(by, &slot) {
                Verdict::Allowed => victims.push(strike(by, slot, KillMode::Query, observed.map(|r| r.statement))),
                verdict => {
                    let denial = KillError::NotOwner(slot.id());
                    let next = Refusal::denied(verdict, &slot, denial, unknown());
                    // What may be told is told.
                    if refusal.as_ref().is_none_or(|refusal: &Refusal| refusal.hidden.is_some()) {
                        refusal = Some(next);
                    }
                }
            }
        }
        match refusal {
            _ if !victims.is_empty() => Ok(Receipt { victims }),
            Some(refusal) => Err(refusal),
            None => Err(Refusal::unknown(unknown())),
        }
    }

    /// Kills all of a user's sessions, or their statements: all of them, or none if one of them is not the requester's
    /// to kill (MariaDB). Those `found` that have become another user's since are left alone, and so are those that the
    /// requester is not to know of.
    pub(crate) fn kill_user(
        &self,
        by: &Requester<'_>,
        target: &Target,
        found: Vec<Arc<Slot>>,
        mode: KillMode,
    ) -> Result<Receipt, Refusal> {
        let (mut allowed, mut unseen) = (Vec::new(), None);
        // They were looked for some at a time, and a user can be changed meanwhile; from here on nothing awaits.
        for slot in found.into_iter().filter(|slot| self.matches(target, slot)) {
            match self.may_kill(by, &slot) {
                Verdict::Allowed => allowed.push(slot),
                Verdict::Unseen => unseen = unseen.or(Some(slot)),
                Verdict::Denied => {
                    let denial = KillError::NotOwner(slot.id());
                    return Err(Refusal::denied(Verdict::Denied, &slot, denial.clone(), denial));
                }
            }
        }
        match unseen {
            // What a user without sessions is answered with.
            Some(slot) if allowed.is_empty() => Err(Refusal {
                told: None,
                hidden: Some(KillError::NotOwner(slot.id())),
                suspect: Some(Suspect::of(&slot)),
            }),
            _ => {
                let strike = |slot: Arc<Slot>| {
                    let observed = slot.switch.word().running();
                    strike(by, slot, mode, observed)
                };
                Ok(Receipt { victims: allowed.into_iter().map(strike).collect() })
            }
        }
    }

    fn may_kill(&self, by: &Requester<'_>, slot: &Slot) -> Verdict {
        let verdict = self.dialect.may_kill(by.principal, slot.principal().as_deref());
        if by.session == Some(slot.id()) { Verdict::Allowed } else { verdict }
    }

    /// Whether a session is one that the target means.
    pub(crate) fn matches(&self, target: &Target, slot: &Slot) -> bool {
        match target {
            Target::Session(id) => slot.id() == *id,
            Target::Statement(query_id) => slot.running().is_some_and(|running| running.query_id == *query_id),
            Target::Named(name) => {
                let number = self.node.query_id(name).filter(|number| *number != 0);
                number == Some(slot.last_query_id()) || slot.has_trace_id(name)
            }
            Target::User { user, host } => is_of(slot, user, host.as_deref()),
        }
    }
}

/// Whether it is a session of this user's, at this host if one is given.
fn is_of(slot: &Slot, user: &str, host: Option<&str>) -> bool {
    let from = slot.peer();
    let at =
        |host: &str| host == "%" || host == from.host() || (from.is_local() && host.eq_ignore_ascii_case("localhost"));
    slot.principal().is_some_and(|owner| {
        // A host pattern, as CURRENT_USER() gives it, means the account that has it.
        let of_account = |host: &str| host == owner.account_host() || at(host);
        **owner.user() == *user && host.is_none_or(of_account)
    })
}

/// Throws the switch. Only who throws it sends the message: a flood of kills cannot fill a mailbox.
fn strike(by: &Requester<'_>, slot: Arc<Slot>, mode: KillMode, observed: Option<StatementNo>) -> Victim {
    let now = Instant::now();
    let what = match (mode, observed) {
        (KillMode::Query, None) => What::Nothing,
        (KillMode::Query, Some(statement)) => {
            let reason = Reason::KillQuery;
            match slot.kill(now, by.peer, |switch| switch.cancel(statement, reason)) {
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
            match slot.kill(now, by.peer, |switch| switch.terminate(reason)) {
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
pub(super) mod tests {
    use actix::{Actor, AsyncContext, Context, Handler, WeakRecipient};

    use super::*;
    use crate::{
        dialect::{Dialect, Node},
        id::Layout,
        model::{Clock, Privileges},
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

    /// How a registry reaches such a session.
    pub(in crate::supervisor) fn deaf() -> WeakRecipient<Signal> {
        Context::<Deaf>::new().address().downgrade().recipient()
    }

    #[test]
    fn a_session_that_was_found_and_is_anothers_by_now_is_left_alone() {
        let user = |name: &str| Arc::new(Principal::new(name, Privileges::NONE));
        let root = Principal::new("root", Privileges::CONNECTION_ADMIN);
        for asker in [&root, &*user("a")] {
            let registry = Registry::new(Layout::plain32(), Dialect::mysql(), Node::default(), Clock::default());
            let admit = || registry.admit(Origin::Local, deaf(), Some(user("a"))).unwrap();
            let (stays, changes) = (admit(), admit());
            let found = vec![Arc::clone(stays.slot()), Arc::clone(changes.slot())];
            registry.authenticated(changes.slot(), user("b"));
            let target = Target::User { user: "a".into(), host: None };
            let by = Requester { principal: asker, session: None, peer: None };
            let receipt = registry.kill_user(&by, &target, found, KillMode::Connection).unwrap();
            assert_eq!(receipt.sessions(), 1);
            assert_eq!(stays.slot().switch.word().leaving(), Some(Reason::KillConnection));
            assert_eq!(changes.slot().switch.word().leaving(), None);
        }
    }
}
