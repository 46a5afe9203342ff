//! The variables that a client has set, as they are written, within bounds.

use std::collections::BTreeMap;

/// How many variables of one client are kept.
pub(super) const MOST_VARIABLES: usize = 1_000;

/// How many bytes one client's variables may have, names included.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// By name in lower case, without its signs.
    pub(super) system: BTreeMap<Box<str>, Value>,
    pub(super) user: BTreeMap<Box<str>, Value>,
    /// What both cost together.
    bytes: usize,
}

/// A variable's value.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// As it is written behind the sign of an assignment.
    pub(super) written: Box<[u8]>,
    /// The version that came with it.
    pub(super) version: u64,
}

impl Kept {
    /// Whether there was room.
    pub(super) fn insert(&mut self, system: bool, name: &str, written: &[u8], version: u64) -> bool {
        self.take(system, name);
        let cost = name.len() + written.len();
        if self.system.len() + self.user.len() == MOST_VARIABLES || self.bytes + cost > MOST_BYTES {
            return false;
        }
        self.bytes += cost;
        let value = Value { written: written.into(), version };
        if system { &mut self.system } else { &mut self.user }.insert(name.into(), value);
        true
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.take(true, name);
    }

    pub(super) fn remove_user(&mut self, name: &str) {
        self.take(false, name);
    }

    /// Forgets all user variables.
    pub(super) fn remove_users(&mut self) {
        for (name, value) in std::mem::take(&mut self.user) {
            self.bytes -= name.len() + value.written.len();
        }
    }

    fn take(&mut self, system: bool, name: &str) {
        if let Some(old) = if system { &mut self.system } else { &mut self.user }.remove(name) {
            self.bytes -= name.len() + old.written.len();
        }
    }
}
