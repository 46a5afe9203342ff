//! One look at the list: who is hit, by which rule.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use super::rule::{Action, Rule, Victims};
use crate::{
    id::SessionId,
    model::{Command, KillMode, ProcessRow},
};

/// What a rule does to one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The session.
    pub session: SessionId,
    /// The statement that it runs, by its number within the server, if it runs one.
    pub query_id: Option<u64>,
    /// What is done.
    pub action: Action,
    /// That it is not done, but would be.
    pub dry_run: bool,
}

/// Of a statement, so many characters are kept for what is logged.
const LOGGED_INFO: usize = 200;

/// The sessions seen so far that some rule hits. `T`: what the caller knows them by.
pub(super) struct Round<'a, T> {
    rules: &'a [Rule],
    found: Vec<Found<T>>,
    /// Two, so that groups are told apart by 128 bits, which nobody can foresee: no text of a client's is kept.
    hashers: [RandomState; 2],
}

/// A session that some rule hits.
pub(super) struct Found<T> {
    /// Its row, the statement cut.
    pub(super) row: ProcessRow,
    pub(super) tag: T,
    /// By which rules: their bits.
    rules: u64,
    /// Of those of them that group, in order: the group.
    groups: Box<[u128]>,
}

/// A rule's victim, by places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Victim {
    pub(super) rule: usize,
    pub(super) found: usize,
}

impl<'a, T> Round<'a, T> {
    /// At most [`super::Policies::MOST`] rules.
    pub(super) fn new(rules: &'a [Rule]) -> Self {
        Self { rules, found: Vec::new(), hashers: [RandomState::new(), RandomState::new()] }
    }

    /// Which rules may hit a session, as bits; its row need not have the statement's text yet.
    pub(super) fn screen(&self, row: &ProcessRow) -> u64 {
        let spared = row.principal.is_none() || matches!(row.active, Command::Connect | Command::Quit);
        let harder = |rule: &Rule| match row.killed {
            None => true,
            // Its statement goes on all the same.
            Some(KillMode::Query) => rule.action == Action::KillConnection,
            Some(KillMode::Connection) => false,
        };
        if spared { 0 } else { self.bits(u64::MAX, |rule| harder(rule) && rule.may_hit(row)) }
    }

    /// Adds a session that these rules may hit, now with the statement's text.
    pub(super) fn add(&mut self, rules: u64, row: ProcessRow, tag: T) {
        let rules = self.bits(rules, |rule| rule.hits(&row));
        if rules == 0 {
            return;
        }
        let grouping = self.among(rules).filter(|(_, rule)| !rule.group_by.is_empty());
        let groups = grouping.map(|(_, rule)| self.group(rule, &row)).collect();
        let info = row.info.as_deref().map(|info| crate::control::truncate_chars(info, LOGGED_INFO).to_owned());
        self.found.push(Found { row: ProcessRow { info, ..row }, tag, rules, groups });
    }

    fn bits(&self, among: u64, is: impl Fn(&Rule) -> bool) -> u64 {
        self.among(among).filter(|(_, rule)| is(rule)).fold(0, |bits, (place, _)| bits | 1 << place)
    }

    fn among(&self, bits: u64) -> impl Iterator<Item = (usize, &'a Rule)> + use<'a, T> {
        self.rules.iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1)
    }

    fn group(&self, rule: &Rule, row: &ProcessRow) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| {
            let mut hasher = hasher.build_hasher();
            rule.group_by.iter().for_each(|fact| fact.of(row).hash(&mut hasher));
            hasher.finish()
        });
        u128::from(high) << 64 | u128::from(low)
    }

    pub(super) fn found(&self, victim: Victim) -> (&'a Rule, &Found<T>) {
        (&self.rules[victim.rule], &self.found[victim.found])
    }

    /// Whom each rule takes, rule by rule in their order, and for each by session id.
    pub(super) fn victims(&self) -> Vec<Victim> {
        let mut killed = vec![false; self.found.len()];
        let mut victims = Vec::new();
        for (place, rule) in self.rules.iter().enumerate() {
            let first = victims.len();
            for group in self.groups(place, rule, &killed).into_values().filter(|group| group.len() >= rule.count) {
                let oldest = group.iter().copied().max_by_key(|found| self.seniority(rule, *found));
                let taken = group.into_iter().filter(|found| match rule.victims {
                    Victims::All => true,
                    Victims::Oldest => Some(*found) == oldest,
                    Victims::AllButOldest => Some(*found) != oldest,
                });
                victims.extend(taken.map(|found| Victim { rule: place, found }));
            }
            let taken = &mut victims[first..];
            taken.sort_unstable_by_key(|victim| self.found[victim.found].row.id);
            if rule.action != Action::Log && !rule.dry_run {
                taken.iter().for_each(|victim| killed[victim.found] = true);
            }
        }
        victims
    }

    /// Whom a rule hits, those that earlier ones kill left out, in groups.
    fn groups(&self, place: usize, rule: &Rule, killed: &[bool]) -> HashMap<u128, Vec<usize>> {
        let mut groups: HashMap<u128, Vec<usize>> = HashMap::new();
        for (at, found) in self.found.iter().enumerate() {
            if found.rules >> place & 1 == 0 || killed[at] {
                continue;
            }
            let before = self.among(found.rules & ((1 << place) - 1)).filter(|(_, rule)| !rule.group_by.is_empty());
            let group = if rule.group_by.is_empty() { 0 } else { found.groups[before.count()] };
            groups.entry(group).or_default().push(at);
        }
        groups
    }

    /// The greater, the older; of two of the same age the one with the lower id is.
    fn seniority(&self, rule: &Rule, found: usize) -> (Duration, std::cmp::Reverse<SessionId>) {
        let row = &self.found[found].row;
        (rule.age(row), std::cmp::Reverse(row.id))
    }

    /// The same, for whoever asks what would be.
    pub(super) fn hits(&self) -> Vec<Hit> {
        let hit = |victim: Victim| {
            let (rule, Found { row, .. }) = self.found(victim);
            Hit {
                rule: Arc::clone(&rule.name),
                session: row.id,
                query_id: row.query_id,
                action: rule.action,
                dry_run: rule.dry_run,
            }
        };
        self.victims().into_iter().map(hit).collect()
    }
}
