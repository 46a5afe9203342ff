//! The decision of a kill: may the requester, and what exactly is ended. Plain code over slots, on the arbiter that asks or,
//! where victims were looked for, on the supervisor's.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    history::Suspect,
    receipt::{Receipt, Spared, Victim, What},
    registry::Registry,
};
use crate::{
    dialect::Verdict,
    id::SessionId,
    model::{KillError, KillMode, Origin, Principal, Reason, StatementNo, Target},
    state::{Raised, Signal, Slot, Strike},
};

/// Who asks for a kill, and from where.
pub(crate) struct Requester<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) session: Option<SessionId>,
    /// Where the session's client is, if somebody is to be told of it.
    pub(crate) peer: Option<Origin>,
    /// The kill's number.
    pub(crate) kill: u64,
}

/// Why a kill was not carried out: what the requester is told, and what there was.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// `None`: that it was carried out, and reached nobody.
    pub(crate) told: Option<KillError>,
    /// The denial that the requester is not told of.
    hidden: Option<KillError>,
    /// Whose session it would have been; the decoy's, if there was none.
    suspect: Suspect,
    /// That there was no such session: `hidden` and `suspect` were made all the same, and mean nothing.
    absent: bool,
}

impl Refusal {
    /// The session exists, and is not the requester's to kill.
    pub(super) fn denied(verdict: Verdict, slot: &Slot, denial: KillError, unknown: Option<KillError>) -> Self {
        let suspect = Suspect::of(slot);
        match verdict {
            Verdict::Unseen => Self { told: unknown, hidden: Some(denial), suspect, absent: false },
            _ => Self { told: Some(denial), hidden: None, suspect, absent: false },
        }
    }

    /// There is no such session. Made of the decoy as a hidden denial is made of a session, by the same steps.
    fn absent(_: Verdict, decoy: &Slot, denial: KillError, unknown: Option<KillError>) -> Self {
        Self { absent: true, ..Self::denied(Verdict::Unseen, decoy, denial, unknown) }
    }

    /// Another node says so, or none could be asked. The owner knows what there was, and this node does not.
    #[cfg(feature = "cluster")]
    pub(super) fn elsewhere(decoy: &Slot, told: KillError) -> Self {
        Self { told: Some(told), hidden: None, suspect: Suspect::of(decoy), absent: true }
    }

    /// The same, where the requester is told this instead.
    #[cfg(feature = "cluster")]
    pub(super) fn saying(self, told: KillError) -> Self {
        Self { told: Some(told), ..self }
    }

    /// Whose session it would have been. Nobody's if there was none; that takes as long to say.
    pub(crate) fn suspects(&self) -> Vec<Suspect> {
        let mut suspects = vec![self.suspect.clone()];
        suspects.truncate(usize::from(!self.absent));
        suspects
    }

    /// What really happened.
    pub(crate) fn truth(&self) -> Option<&KillError> {
        self.hidden().or(self.told.as_ref())
    }

    /// The denial that the requester is not told of.
    pub(crate) fn hidden(&self) -> Option<&KillError> {
        self.hidden.as_ref().filter(|_| !self.absent)
    }
}

impl Registry {
    /// Kills one session, or the statement that it runs now.
    pub(crate) fn kill_session(&self, by: &Requester<'_>, id: SessionId, mode: KillMode) -> Result<Receipt, Refusal> {
        let found = self.get(id);
        let absent = found.is_none();
        // For an id that nobody has the same is done as for a session that the requester is not to know of, with the
        // decoy in its place: the time that it takes tells nobody which ids are in use. What differs is the look into
        // the table alone.
        let slot = found.unwrap_or_else(|| Arc::clone(&self.decoy));
        // Observed first, authorised then, struck last: if another statement has begun meanwhile, nothing is struck.
        let observed = slot.switch.word().running();
        let verdict = self.may_kill(by, &slot);
        if verdict == Verdict::Allowed && !absent {
            return Ok(Receipt::of(vec![strike(by, slot, mode, observed)]));
        }
        let refuse = if absent { Refusal::absent } else { Refusal::denied };
        Err(refuse(verdict, &slot, denial(verdict, id), Some(KillError::UnknownSession(id.to_string()))))
    }

    /// Kills the statement with this query id.
    pub(crate) fn kill_statement(
        &self,
        by: &Requester<'_>,
        found: Option<Arc<Slot>>,
        query_id: u64,
    ) -> Result<Receipt, Refusal> {
        let slot = found.unwrap_or_else(|| Arc::clone(&self.decoy));
        // The decoy runs nothing.
        let observed = slot.running().filter(|running| running.query_id == query_id);
        match (self.may_kill(by, &slot), observed) {
            (Verdict::Allowed, Some(running)) => {
                Ok(Receipt::of(vec![strike(by, slot, KillMode::Query, Some(running.statement))]))
            }
            (verdict, observed) => {
                let refuse = if observed.is_none() { Refusal::absent } else { Refusal::denied };
                let unknown = Some(KillError::UnknownQuery(query_id));
                Err(refuse(verdict, &slot, KillError::NotQueryOwner(query_id), unknown))
            }
        }
    }

    /// Kills the statement with this name, in those of the sessions `found` that the requester may kill: several may have
    /// the same trace id, since clients choose it. One that has run last and no longer runs is known, and not touched.
    pub(crate) fn kill_named(&self, by: &Requester<'_>, name: &str, found: Vec<Arc<Slot>>) -> Result<Receipt, Refusal> {
        let unknown = || KillError::UnknownName(crate::control::truncate_chars(name, 80).to_owned());
        let number = self.node.query_id(name);
        let (mut victims, mut passed) = (Vec::new(), Passed::default());
        for slot in found {
            let observed = match number.filter(|number| *number != 0 && slot.last_query_id() == *number) {
                Some(number) => slot.running().filter(|running| running.query_id == number),
                None if slot.has_trace_id(name) => slot.running(),
                // It was found, and has another statement by now.
                None => continue,
            };
            match self.may_kill(by, &slot) {
                Verdict::Allowed => victims.push(strike(by, slot, KillMode::Query, observed.map(|r| r.statement))),
                verdict => passed.add(verdict, &slot, denial(verdict, slot.id()), Some(unknown())),
            }
        }
        passed.receipt(victims, || self.nobody(by, Some(unknown())))
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
        let (mut allowed, mut spared, mut unseen) = (Vec::new(), Spared::default(), None);
        // They were looked for some at a time, and a user can be changed meanwhile; from here on nothing awaits.
        for slot in found.into_iter().filter(|slot| self.matches(target, slot)) {
            let verdict = self.may_kill(by, &slot);
            match verdict {
                Verdict::Allowed => allowed.push(slot),
                Verdict::Unseen => {
                    spared.add(&slot);
                    unseen = unseen.or(Some(slot));
                }
                Verdict::Denied | Verdict::Protected => {
                    return Err(Refusal::denied(verdict, &slot, denial(verdict, slot.id()), None));
                }
            }
        }
        // A user without sessions is answered as one whose sessions are hidden.
        match unseen {
            Some(slot) if allowed.is_empty() => {
                Err(Refusal::denied(Verdict::Unseen, &slot, KillError::NotOwner(slot.id()), None))
            }
            None if allowed.is_empty() => Err(self.nobody(by, None)),
            _ => {
                let strike = |slot: Arc<Slot>| {
                    let observed = slot.switch.word().running();
                    strike(by, slot, mode, observed)
                };
                Ok(Receipt::of(allowed.into_iter().map(strike).collect()).sparing(spared))
            }
        }
    }

    /// That nobody was found: what is done for a session that is hidden is done with the decoy.
    pub(super) fn nobody(&self, by: &Requester<'_>, unknown: Option<KillError>) -> Refusal {
        let verdict = self.may_kill(by, &self.decoy);
        Refusal::absent(verdict, &self.decoy, KillError::NotOwner(self.decoy.id()), unknown)
    }

    pub(super) fn may_kill(&self, by: &Requester<'_>, slot: &Slot) -> Verdict {
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

/// What of that which was found is not the requester's to kill.
#[derive(Default)]
pub(super) struct Passed {
    spared: Spared,
    refusal: Option<Refusal>,
}

impl Passed {
    /// One more.
    pub(super) fn add(&mut self, verdict: Verdict, slot: &Slot, denial: KillError, unknown: Option<KillError>) {
        self.spared.add(slot);
        let next = Refusal::denied(verdict, slot, denial, unknown);
        // What may be told is told.
        if self.refusal.as_ref().is_none_or(|refusal| refusal.hidden.is_some()) {
            self.refusal = Some(next);
        }
    }

    /// What the requester is told, if these were its victims; `nobody`: there was nothing at all.
    pub(super) fn receipt(self, victims: Vec<Victim>, nobody: impl FnOnce() -> Refusal) -> Result<Receipt, Refusal> {
        match self.refusal {
            _ if !victims.is_empty() => Ok(Receipt::of(victims).sparing(self.spared)),
            Some(refusal) => Err(refusal),
            None => Err(nobody()),
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

/// The error that says why not.
pub(super) fn denial(verdict: Verdict, id: SessionId) -> KillError {
    if verdict == Verdict::Protected { KillError::Protected(id) } else { KillError::NotOwner(id) }
}

/// Throws the switch. Only who throws it sends the message: a flood of kills cannot fill a mailbox.
pub(super) fn strike(by: &Requester<'_>, slot: Arc<Slot>, mode: KillMode, observed: Option<StatementNo>) -> Victim {
    let strike = Strike { kill: by.kill, at: Instant::now(), from: by.peer };
    let (what, ending) = match (mode, observed) {
        (KillMode::Query, None) => (What::Nothing, None),
        (KillMode::Query, Some(statement)) => {
            let reason = Reason::KillQuery;
            let (raised, ending) = slot.strike(strike, Some(statement), |switch| switch.cancel(statement, reason));
            let what = match raised {
                Raised::First => {
                    slot.signal(Signal::Cancelled);
                    What::Statement(statement, reason)
                }
                Raised::Already(first) => What::Statement(statement, first),
                Raised::NotRunning => What::Nothing,
            };
            (what, ending)
        }
        (KillMode::Connection, _) => {
            let own = by.session == Some(slot.id());
            let reason = if own { Reason::KillOwnConnection } else { Reason::KillConnection };
            let (raised, ending) = slot.strike(strike, None, |switch| switch.terminate(reason));
            let what = match raised {
                Raised::First => {
                    slot.signal(Signal::Leaving);
                    // It may have been told before to end after its statement.
                    What::Session(slot.switch.word().leaving().unwrap_or(reason))
                }
                Raised::Already(first) => What::Session(first),
                Raised::NotRunning => What::Nothing,
            };
            (what, ending)
        }
    };
    Victim { slot, what, struck: ending.map(|ending| (strike.at, ending)) }
}

#[cfg(test)]
pub(crate) mod tests {
    use actix::{Actor, AsyncContext, Context, Handler, WeakRecipient};

    use super::*;
    use crate::{
        dialect::{Dialect, KillDenied, Node},
        id::Layout,
        model::{Clock, Privileges, Settings, SqlError, Tenant},
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
    pub(crate) fn deaf() -> WeakRecipient<Signal> {
        Context::<Deaf>::new().address().downgrade().recipient()
    }

    #[test]
    fn of_nobody_the_same_is_made_as_of_a_session_that_is_hidden() {
        for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
            let dialect = dialect.kill_denied(KillDenied::Hidden);
            let registry =
                Registry::new(Layout::plain32(), dialect, Node::default(), Clock::default(), &Settings::new());
            let alice = Arc::new(Principal::new("alice", Privileges::NONE));
            let alice = registry.admit(Origin::Local, deaf(), Some(alice)).unwrap();
            let mallory = Principal::new("mallory", Privileges::NONE);
            let by = Requester { principal: &mallory, session: None, peer: None, kill: 0 };
            let all = Target::User { user: "alice".into(), host: None };
            let found = || vec![Arc::clone(alice.slot())];
            let kill = |id| registry.kill_session(&by, id, KillMode::Connection).unwrap_err();
            let nobody = registry.kill_user(&by, &all, Vec::new(), KillMode::Query).unwrap_err();
            let pairs = [
                (kill(alice.slot().id()), kill(SessionId::new(999))),
                (registry.kill_user(&by, &all, found(), KillMode::Query).unwrap_err(), nobody),
            ];
            for (hidden, absent) in pairs {
                let code = |refusal: &Refusal| refusal.told.clone().map(|told| SqlError::from(told).code());
                assert_eq!(code(&hidden), code(&absent));
                assert!(hidden.hidden.is_some() && absent.hidden.is_some(), "{dialect:?}: both are made");
                assert!(matches!(hidden.truth(), Some(KillError::NotOwner(_))), "{dialect:?}");
                assert_eq!((absent.truth(), absent.hidden()), (absent.told.as_ref(), None), "{dialect:?}");
                assert_eq!((hidden.suspects().len(), absent.suspects().len()), (1, 0), "{dialect:?}");
            }
            // To whoever may kill all, and to whoever has the name, it is nobody all the same.
            for (name, privileges) in [("root", Privileges::ALL), ("\0", Privileges::NONE)] {
                let asker = Principal::new(name, privileges).in_tenant(Tenant { name: "sys".into(), cluster: None });
                let by = Requester { principal: &asker, session: None, peer: None, kill: 0 };
                let refusal = registry.kill_session(&by, SessionId::new(999), KillMode::Query).unwrap_err();
                assert_eq!(refusal.truth(), Some(&KillError::UnknownSession("999".into())), "{dialect:?}");
            }
        }
    }

    #[test]
    fn a_session_that_was_found_and_is_anothers_by_now_is_left_alone() {
        let user = |name: &str| Arc::new(Principal::new(name, Privileges::NONE));
        let root = Principal::new("root", Privileges::CONNECTION_ADMIN);
        for asker in [&root, &*user("a")] {
            let registry =
                Registry::new(Layout::plain32(), Dialect::mysql(), Node::default(), Clock::default(), &Settings::new());
            let admit = || registry.admit(Origin::Local, deaf(), Some(user("a"))).unwrap();
            let (stays, changes) = (admit(), admit());
            let found = vec![Arc::clone(stays.slot()), Arc::clone(changes.slot())];
            registry.authenticated(changes.slot(), user("b"));
            let target = Target::User { user: "a".into(), host: None };
            let by = Requester { principal: asker, session: None, peer: None, kill: 0 };
            let receipt = registry.kill_user(&by, &target, found, KillMode::Connection).unwrap();
            assert_eq!(receipt.sessions(), 1);
            assert_eq!(stays.slot().switch.word().leaving(), Some(Reason::KillConnection));
            assert_eq!(changes.slot().switch.word().leaving(), None);
        }
    }
}
