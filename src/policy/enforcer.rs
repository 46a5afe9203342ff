//! The rules in force: whoever has the runtime may replace them, and read what they did.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use actix::Arbiter;
use tokio::sync::watch;

use super::{
    Policies, PolicyError,
    rule::{Action, Rule},
    watch::keep_watch,
};
use crate::supervisor::Registry;

/// Keeps a runtime's policies in force. See [`crate::policy`] and [`crate::Runtime::policies`].
///
/// While there are rules, the list is looked at once per interval, on an arbiter of the policies' own (with
/// [`crate::Builder::single_arbiter`], on the one where rules were first put in force). Without rules nothing is done.
pub struct Enforcer {
    registry: Arc<Registry>,
    in_force: watch::Sender<Arc<InForce>>,
    watching: Mutex<Watching>,
}

#[derive(Debug)]
enum Watching {
    /// There were no rules yet.
    NotYet { own_arbiter: bool },
    /// On this arbiter, if it is one of the policies' own.
    On(Option<Arbiter>),
}

/// Rules, and what they have done.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) policies: Policies,
    /// One for each rule.
    pub(super) counts: Vec<Arc<Counts>>,
}

impl InForce {
    pub(super) fn rules(&self) -> &[Rule] {
        &self.policies.rules
    }
}

/// What one rule has done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) matched: AtomicU64,
    pub(super) acted: AtomicU64,
    pub(super) dry: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// A rule in force, and what it has done since it was first loaded. A rule that is loaded again under the same name goes on
/// counting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleStatus {
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub action: Action,
    /// Whether it only says so.
    pub dry_run: bool,
    /// How many sessions it took, each look at the list counted: so often as its action was due.
    pub matched: u64,
    /// Of those, how many it logged, or killed.
    pub acted: u64,
    /// How many it would have.
    pub dry: u64,
    /// How many it did not kill after all: they had gone on, or were killed by others, or the runtime has stopped.
    pub failed: u64,
}

impl Enforcer {
    pub(crate) fn new(registry: Arc<Registry>, own_arbiter: bool) -> Self {
        let none = InForce { policies: Policies::none(), counts: Vec::new() };
        let watching = Mutex::new(Watching::NotYet { own_arbiter });
        Self { registry, in_force: watch::Sender::new(Arc::new(none)), watching }
    }

    /// Reads rules and puts them in force, in place of those that were; they look at the list at once. A text without
    /// rules ends the policies.
    ///
    /// # Errors
    /// The first mistake. The rules in force stay.
    ///
    /// # Panics
    /// As [`Enforcer::put`].
    pub fn load(&self, text: &str) -> Result<(), PolicyError> {
        self.put(Policies::parse(text)?);
        Ok(())
    }

    /// Puts rules in force, in place of those that were.
    ///
    /// # Panics
    /// Outside of an actix `System` (with [`crate::Builder::single_arbiter`]: of a `LocalSet`), if these are the first.
    pub fn put(&self, policies: Policies) {
        let any = !policies.is_empty();
        // First the watch, and then the rules: if there can be none, there are no rules that nobody heeds.
        if any {
            self.begin();
        }
        self.in_force.send_modify(|in_force| {
            let counts = policies.rules.iter().map(|rule| in_force.counts_of(&rule.name)).collect();
            *in_force = Arc::new(InForce { policies, counts });
        });
    }

    /// The rules in force, in their order, and what they have done.
    pub fn rules(&self) -> Vec<RuleStatus> {
        let in_force = Arc::clone(&self.in_force.borrow());
        let status = |(rule, counts): (&Rule, &Arc<Counts>)| {
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            RuleStatus {
                name: Arc::clone(&rule.name),
                action: rule.action,
                dry_run: rule.dry_run,
                matched: read(&counts.matched),
                acted: read(&counts.acted),
                dry: read(&counts.dry),
                failed: read(&counts.failed),
            }
        };
        in_force.rules().iter().zip(&in_force.counts).map(status).collect()
    }

    fn begin(&self) {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Watching::NotYet { own_arbiter } = *watching {
            let watch = keep_watch(Arc::clone(&self.registry), self.in_force.subscribe());
            *watching = Watching::On(if own_arbiter {
                let arbiter = Arbiter::new();
                arbiter.spawn(watch);
                Some(arbiter)
            } else {
                tokio::task::spawn_local(watch);
                None
            });
        }
    }
}

impl InForce {
    /// Those of the rule of this name; new ones, if there was none.
    fn counts_of(&self, name: &str) -> Arc<Counts> {
        let place = self.rules().iter().position(|rule| *rule.name == *name);
        place.and_then(|place| self.counts.get(place)).map(Arc::clone).unwrap_or_default()
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        if let Watching::On(Some(arbiter)) = self.watching.get_mut().unwrap_or_else(PoisonError::into_inner) {
            arbiter.stop();
        }
    }
}

impl fmt::Debug for Enforcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enforcer").field("rules", &self.rules()).finish_non_exhaustive()
    }
}
