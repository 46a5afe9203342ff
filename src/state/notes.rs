//! What an engine says of its session while a statement runs, for the client: what changed, and which character sets
//! it reads and writes.
//!
//! Written by whoever runs the statement, taken by whoever answers it. Where there is nothing to tell, which is nearly
//! always, that is one load.

#[cfg(feature = "proxy")]
use std::sync::atomic::AtomicU16;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use crate::model::{Amount, CharacterSet, CharacterSets, Setting, Tracking};

/// The client can be told of changes.
const TELLABLE: u32 = 1;
/// It does not want to hear of its database.
const NO_DATABASE: u32 = 1 << 1;
/// It wants to hear of its transactions.
const TRANSACTION: u32 = 1 << 2;
/// Something changed.
const CHANGED: u32 = 1 << 3;
/// The client wants to hear of the rows that an `UPDATE` found, not of those that it changed.
#[cfg(feature = "proxy")]
const FOUND_ROWS: u32 = 1 << 4;
/// A reset brings back the character sets of the login.
#[cfg(feature = "proxy")]
const RESTORES_SETS: u32 = 1 << 5;
/// What the client said when it logged in.
#[cfg(feature = "proxy")]
const SAID: u32 = TELLABLE | FOUND_ROWS;
#[cfg(not(feature = "proxy"))]
const SAID: u32 = TELLABLE;

/// From this bit on, what it writes in; from that one on, what it reads.
const CLIENT_SHIFT: u32 = 8;
const RESULTS_SHIFT: u32 = 16;
const SETS: u32 = 0xff << CLIENT_SHIFT | 0xff << RESULTS_SHIFT;

/// From this bit on, whether it wants to hear of a setting of the runtime's.
const SETTINGS_SHIFT: u32 = 24;

/// The settings that sessions change, each with a bit.
const TRACKABLE: [Setting; 6] = [
    Setting::WaitTimeout,
    Setting::InteractiveTimeout,
    Setting::IdleTransactionTimeout,
    Setting::MaxExecutionTime,
    Setting::MaxStatementTime,
    Setting::NetWriteTimeout,
];

/// So many variables may have changed without having been told; what goes beyond is not told.
const MOST_VARIABLES: usize = 64;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Notes {
    flags: AtomicU32,
    /// The number of the collation that the client has named when it logged in; 0: none.
    #[cfg(feature = "proxy")]
    login_collation: AtomicU16,
    changes: Mutex<Option<Box<Changes>>>,
}

/// What changed and was not told yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The new database, if it is another one.
    pub(crate) database: Option<Arc<str>>,
    /// Names and values of variables, in the order of their changes.
    pub(crate) variables: Vec<(Box<str>, Box<str>)>,
    /// What is to be said of the transaction.
    pub(crate) transaction: Option<&'static str>,
}

#[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code, reason = "read by wires alone"))]
impl Notes {
    /// The client can be told.
    pub(crate) fn tellable(&self) {
        self.flags.fetch_or(TELLABLE, Ordering::Relaxed);
    }

    /// The client has logged in, or become another user, with this collation: it writes and reads its character set.
    pub(crate) fn set_login(&self, collation: u16) {
        #[cfg(feature = "proxy")]
        self.login_collation.store(collation, Ordering::Relaxed);
        let set = CharacterSet::of_collation(collation);
        self.set_character_sets(CharacterSets { client: set, results: set });
    }

    /// Whether there may be anything to tell.
    pub(crate) fn any(&self) -> bool {
        let flags = self.flags.load(Ordering::Acquire);
        flags & TELLABLE != 0 && flags & (CHANGED | TRANSACTION) != 0
    }

    /// What is to be told with an OK, at which the transaction is in this state.
    pub(crate) fn take(&self, transaction: &'static str) -> Changes {
        let mut kept = self.changes();
        self.flags.fetch_and(!CHANGED, Ordering::AcqRel);
        let wanted = self.flags.load(Ordering::Acquire) & TRANSACTION != 0;
        let mut taken = kept.take().map(|changes| *changes).unwrap_or_default();
        // What stays is the state that was told last.
        let last = taken.transaction.take();
        if wanted {
            *kept = Some(Box::new(Changes { transaction: Some(transaction), ..Changes::default() }));
            taken.transaction = (last != Some(transaction)).then_some(transaction);
        }
        taken
    }
}

impl Notes {
    /// What the client wants to hear of. One that begins to ask for its transactions is told of their state at once.
    pub(crate) fn set_tracking(&self, tracking: Tracking) {
        let mut kept = self.changes();
        let set = |flag, on| match on {
            true => self.flags.fetch_or(flag, Ordering::AcqRel),
            false => self.flags.fetch_and(!flag, Ordering::AcqRel),
        };
        set(NO_DATABASE, !tracking.database);
        set(TRANSACTION, tracking.transaction);
        if let (Some(changes), false) = (kept.as_mut(), tracking.transaction) {
            changes.transaction = None;
        }
    }

    /// The number of the collation that the client has named then; 0: none.
    #[cfg(feature = "proxy")]
    pub(crate) fn login_collation(&self) -> u16 {
        self.login_collation.load(Ordering::Relaxed)
    }

    /// The reset that is being done brings back the character sets of the login.
    #[cfg(feature = "proxy")]
    pub(crate) fn restore_sets(&self) {
        self.flags.fetch_or(RESTORES_SETS, Ordering::AcqRel);
    }

    /// What the client writes and reads. Until it is set, utf8mb4.
    pub(crate) fn character_sets(&self) -> CharacterSets {
        let flags = self.flags.load(Ordering::Acquire);
        let [_, client, results, _] = flags.to_le_bytes();
        CharacterSets { client: CharacterSet::from_code(client), results: CharacterSet::from_code(results) }
    }

    /// What it writes and reads from now on.
    pub(crate) fn set_character_sets(&self, sets: CharacterSets) {
        let bits = u32::from(sets.client.code()) << CLIENT_SHIFT | u32::from(sets.results.code()) << RESULTS_SHIFT;
        let _ = self.flags.fetch_update(Ordering::AcqRel, Ordering::Acquire, |flags| Some(flags & !SETS | bits));
    }

    /// The client wants to hear of the rows that an `UPDATE` found.
    #[cfg(feature = "proxy")]
    pub(crate) fn count_found_rows(&self) {
        self.flags.fetch_or(FOUND_ROWS, Ordering::Relaxed);
    }

    /// Whether it does.
    #[cfg(feature = "proxy")]
    pub(crate) fn counts_found_rows(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & FOUND_ROWS != 0
    }

    /// The database is this one from now on.
    pub(crate) fn database(&self, name: &Arc<str>) {
        if self.flags.load(Ordering::Acquire) & (TELLABLE | NO_DATABASE) == TELLABLE {
            self.change(|changes| changes.database = Some(Arc::clone(name)));
        }
    }

    /// A variable has this value from now on.
    pub(crate) fn variable(&self, name: &str, value: &str) {
        if self.flags.load(Ordering::Acquire) & TELLABLE == 0 {
            return;
        }
        self.change(|changes| {
            changes.variables.retain(|(known, _)| **known != *name);
            if changes.variables.len() < MOST_VARIABLES {
                changes.variables.push((name.into(), value.into()));
            }
        });
    }

    /// The client wants to hear of those of the runtime's settings that are among these names.
    pub(crate) fn track_settings(&self, names: &str) {
        let mut bits = 0;
        for name in names.split(',').map(str::trim) {
            let wanted = |setting: &Setting| name == "*" || Setting::named(name) == Some(*setting);
            let places = TRACKABLE.iter().zip(SETTINGS_SHIFT..).filter(|(setting, _)| wanted(setting));
            bits |= places.fold(0, |bits, (_, place)| bits | 1 << place);
        }
        let all = ((1 << TRACKABLE.len()) - 1) << SETTINGS_SHIFT;
        let _ = self.flags.fetch_update(Ordering::AcqRel, Ordering::Acquire, |flags| Some(flags & !all | bits));
    }

    /// A setting of the runtime's has this value from now on.
    pub(crate) fn setting(&self, setting: Setting, amount: Amount) {
        let place = TRACKABLE.iter().zip(SETTINGS_SHIFT..).find(|(known, _)| **known == setting);
        if place.is_some_and(|(_, place)| self.flags.load(Ordering::Acquire) & 1 << place != 0) {
            self.variable(setting.name(), &setting.shown(amount).text().unwrap_or_default());
        }
    }

    /// The session is as it was after its login, in utf8mb4 unless [`Notes::restore_sets`] says otherwise.
    pub(crate) fn reset(&self) {
        let mut kept = self.changes();
        #[cfg(feature = "proxy")]
        let restores = self.flags.load(Ordering::Acquire) & RESTORES_SETS != 0;
        self.flags.fetch_and(SAID, Ordering::AcqRel);
        *kept = None;
        #[cfg(feature = "proxy")]
        if restores {
            self.set_login(self.login_collation());
        }
    }

    fn change(&self, change: impl FnOnce(&mut Changes)) {
        let mut kept = self.changes();
        change(kept.get_or_insert_default());
        self.flags.fetch_or(CHANGED, Ordering::AcqRel);
    }

    fn changes(&self) -> MutexGuard<'_, Option<Box<Changes>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_to_those_who_ask_for_them() {
        let notes = Notes::default();
        notes.tellable();
        notes.setting(Setting::WaitTimeout, 5_000_000);
        assert!(!notes.any(), "nobody asked");
        notes.track_settings("autocommit, Wait_Timeout,tidb_idle_transaction_timeout");
        for setting in [Setting::WaitTimeout, Setting::NetWriteTimeout, Setting::IdleTransactionTimeout] {
            notes.setting(setting, 5_000_000);
        }
        let told: Vec<_> =
            notes.take("").variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told, ["wait_timeout=5", "idle_transaction_timeout=5"]);
        notes.track_settings("*");
        notes.setting(Setting::MaxStatementTime, 500_000);
        assert_eq!(&*notes.take("").variables[0].1, "0.500000");
        notes.reset();
        notes.setting(Setting::WaitTimeout, 6_000_000);
        assert!(!notes.any());
        assert_eq!(notes.character_sets(), CharacterSets::default());
    }

    #[test]
    fn who_cannot_be_told_costs_nothing() {
        let notes = Notes::default();
        notes.database(&"shop".into());
        notes.variable("time_zone", "UTC");
        assert!(!notes.any());
        assert!(notes.changes().is_none());
    }

    #[test]
    fn what_changed_is_told_once() {
        let notes = Notes::default();
        notes.tellable();
        assert!(!notes.any());
        notes.database(&"shop".into());
        notes.variable("time_zone", "UTC");
        notes.variable("autocommit", "ON");
        notes.variable("time_zone", "+01:00");
        assert!(notes.any());
        let expected = Changes {
            database: Some("shop".into()),
            variables: vec![("autocommit".into(), "ON".into()), ("time_zone".into(), "+01:00".into())],
            transaction: None,
        };
        assert_eq!(notes.take("________"), expected);
        assert!(!notes.any() && notes.changes().is_none(), "nothing is kept for the idle");
        notes.set_tracking(Tracking { database: false, transaction: false });
        notes.database(&"shop".into());
        assert!(!notes.any());
    }

    #[test]
    fn the_transaction_is_told_at_first_and_when_it_changes() {
        let notes = Notes::default();
        notes.tellable();
        let tracked = Tracking { transaction: true, ..Tracking::default() };
        let mut told = Vec::new();
        notes.set_tracking(tracked);
        for state in ["________", "________", "T_______", "T_______", "________"] {
            assert!(notes.any());
            told.push(notes.take(state).transaction);
        }
        assert_eq!(told, [Some("________"), None, Some("T_______"), None, Some("________")]);
        notes.set_tracking(Tracking::default());
        assert!(!notes.any());
        notes.set_tracking(tracked);
        assert_eq!(notes.take("________").transaction, Some("________"), "asked for again, told again");
        notes.reset();
        assert!(!notes.any());
    }

    #[test]
    fn character_sets_stay_until_they_are_set_or_reset() {
        let notes = Notes::default();
        notes.tellable();
        assert_eq!(notes.character_sets(), CharacterSets::default());
        let sets = CharacterSets { client: CharacterSet::Latin1, results: CharacterSet::Binary };
        notes.set_character_sets(sets);
        notes.set_tracking(Tracking::default());
        notes.database(&"shop".into());
        assert_eq!(notes.character_sets(), sets);
        notes.take("________");
        assert!(!notes.any());
        assert_eq!(notes.character_sets(), sets);
        notes.reset();
        assert_eq!(notes.character_sets(), CharacterSets::default());
        notes.set_login(8);
        let latin1 = CharacterSets { client: CharacterSet::Latin1, results: CharacterSet::Latin1 };
        assert_eq!(notes.character_sets(), latin1);
        notes.reset();
        assert_eq!(notes.character_sets(), CharacterSets::default());
        #[cfg(feature = "proxy")]
        for restored in [latin1, CharacterSets::default()] {
            if restored == latin1 {
                notes.restore_sets();
            }
            notes.reset();
            assert_eq!((notes.character_sets(), notes.login_collation()), (restored, 8), "once");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let notes = Notes::default();
        notes.tellable();
        for n in 0..1_000 {
            notes.variable(&format!("v{n}"), "x");
        }
        assert_eq!(notes.take("________").variables.len(), MOST_VARIABLES);
    }
}
