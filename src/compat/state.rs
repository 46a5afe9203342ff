//! What one client has set up in its session: variables, transaction flags, warnings.

use std::collections::BTreeMap;

use crate::model::{Done, OwnedValue, SqlError, Warning};

/// How many user variables one client may keep.
pub const MOST_USER_VARIABLES: usize = 1_000;

/// How many bytes one client may keep in variables, names included.
pub const MOST_KEPT_BYTES: usize = 1 << 20;

/// How many warnings are kept of one statement (MySQL's `max_error_count` is 1024; these are ours, and few).
const MOST_WARNINGS: usize = 64;

/// How many savepoints one transaction may have.
const MOST_SAVEPOINTS: usize = 1_000;

/// What a value costs beside its bytes, so that many small ones are counted too.
const VALUE_OVERHEAD: usize = 64;

/// What one client has set up in its session: user variables, session values of system variables, autocommit, whether a
/// transaction is open, and the warnings of its last statement.
///
/// Small while untouched; a client cannot make it keep more than [`MOST_KEPT_BYTES`] and [`MOST_USER_VARIABLES`].
#[derive(Clone, Debug)]
pub struct ClientState {
    autocommit: bool,
    in_transaction: bool,
    /// The last statement was about the warnings of the one before it, and had none of its own.
    diagnostic: bool,
    last_insert_id: u64,
    /// Everything that most clients never fill; boxed, since an idle connection should cost next to nothing.
    kept: Option<Box<Kept>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    /// By lower-case name, without the `@`.
    user: BTreeMap<Box<str>, OwnedValue>,
    /// By the name of the variable table.
    system: BTreeMap<&'static str, OwnedValue>,
    warnings: Vec<Warning>,
    savepoints: Vec<Box<str>>,
    /// The system variables that the last `SET` has set, and the session was not told of yet.
    changed: Vec<&'static str>,
    /// What `user` and `system` cost together.
    bytes: usize,
}

/// One change that a statement makes to the variables; a statement's changes are applied all or none.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// `@name`; the name in lower case.
    User(String, OwnedValue),
    /// A system variable's session value; `None` takes it back to the default.
    System(&'static str, Option<OwnedValue>),
    Autocommit(bool),
}

impl Default for ClientState {
    fn default() -> Self {
        Self { autocommit: true, in_transaction: false, diagnostic: false, last_insert_id: 0, kept: None }
    }
}

impl ClientState {
    /// The state of a client that has just logged in: autocommit on, no transaction, nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// `COM_RESET_CONNECTION` and `COM_CHANGE_USER`: the transaction is rolled back and everything set is gone.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The value of `@name`, if the client has set it. The name is without the `@`; its case does not matter.
    pub fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        self.kept.as_ref()?.user.get(name.to_lowercase().as_str()).cloned()
    }

    /// The session value of a system variable, if this client has set one: a server that honours
    /// `max_execution_time` or `sql_select_limit` looks here. `None`: the client left it as it was.
    pub fn session_variable(&self, name: &str) -> Option<&OwnedValue> {
        let variable = super::variables::find(name)?;
        self.system(variable.name)
    }

    /// Whether autocommit is on.
    pub fn autocommit(&self) -> bool {
        self.autocommit
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// The warnings of the last statement.
    pub fn warnings(&self) -> &[Warning] {
        self.kept.as_ref().map_or(&[], |k| &k.warnings)
    }

    /// What to say of a statement that ended well and changed nothing, with this client's flags filled in.
    pub fn done(&self) -> Done {
        let warnings = if self.diagnostic { 0 } else { self.warnings().len() };
        let warnings = u16::try_from(warnings).unwrap_or(u16::MAX);
        Done {
            affected: 0,
            last_insert_id: 0,
            warnings,
            in_transaction: self.in_transaction,
            autocommit: self.autocommit,
            ..Done::default()
        }
    }

    /// The server says: it is about to run a statement that reads or writes tables. With autocommit off, that opens a
    /// transaction (MySQL: the first such statement does, not `SET autocommit = 0` itself).
    pub fn note_statement(&mut self) {
        self.in_transaction |= !self.autocommit;
    }

    /// The server says: the last statement generated this `AUTO_INCREMENT` value; `LAST_INSERT_ID()` shows it.
    pub fn note_insert_id(&mut self, id: u64) {
        self.last_insert_id = id;
    }

    /// The server says: the transaction was committed, by a statement that commits implicitly, say.
    pub fn committed(&mut self) {
        self.end_transaction();
    }

    /// The server says: the transaction was rolled back, by a deadlock or an administrator, say.
    pub fn rolled_back(&mut self) {
        self.end_transaction();
    }

    /// The server says: a statement of its own begins, which [`ClientState::answer`] was not asked about. The warnings
    /// of the one before it are over.
    pub fn clear_warnings(&mut self) {
        self.diagnostic = false;
        if let Some(kept) = &mut self.kept {
            kept.warnings.clear();
        }
    }

    /// The server says: its statement, which was none of ours, gave this warning. `SHOW WARNINGS` lists the first 64
    /// of a statement; the next statement clears them.
    pub fn warn(&mut self, warning: Warning) {
        self.diagnostic = false;
        let kept = self.kept.get_or_insert_default();
        if kept.warnings.len() < MOST_WARNINGS {
            kept.warnings.push(warning);
        }
    }

    /// The server says: its statement, which was none of ours, failed with this error. `SHOW WARNINGS` and
    /// `SHOW ERRORS` list it.
    pub fn note_error(&mut self, error: &SqlError) {
        self.warn(error.into());
    }

    pub(super) fn last_insert_id(&self) -> u64 {
        self.last_insert_id
    }

    /// The session value set for the variable that the table calls `name`.
    pub(super) fn system(&self, name: &str) -> Option<&OwnedValue> {
        self.kept.as_ref()?.system.get(name)
    }

    /// The statement was about the warnings of the one before it, which it keeps.
    pub(super) fn note_diagnostic(&mut self) {
        self.diagnostic = true;
    }

    pub(super) fn begin(&mut self) {
        self.end_transaction();
        self.in_transaction = true;
    }

    pub(super) fn end_transaction(&mut self) {
        self.in_transaction = false;
        if let Some(kept) = &mut self.kept {
            kept.savepoints.clear();
        }
    }

    /// `SAVEPOINT`: a second one of the same name replaces the first. Outside of a transaction it is gone at once.
    pub(super) fn set_savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        if !self.in_transaction {
            return Ok(());
        }
        let kept = self.kept.get_or_insert_default();
        kept.savepoints.retain(|s| !s.eq_ignore_ascii_case(name));
        if kept.savepoints.len() == MOST_SAVEPOINTS {
            return Err(out_of_memory(format!("at most {MOST_SAVEPOINTS} savepoints in one transaction")));
        }
        kept.savepoints.push(name.into());
        Ok(())
    }

    /// `ROLLBACK TO` keeps the savepoint, `RELEASE` does not; both drop those that came after it.
    ///
    /// # Errors
    /// 1305 when there is none of this name, as MySQL says it.
    pub(super) fn back_to_savepoint(&mut self, name: &str, keep: bool) -> Result<(), SqlError> {
        let unknown = || SqlError::new(1305, "42000", format!("SAVEPOINT {name} does not exist"));
        let kept = self.kept.as_mut().ok_or_else(unknown)?;
        let at = kept.savepoints.iter().position(|s| s.eq_ignore_ascii_case(name)).ok_or_else(unknown)?;
        kept.savepoints.truncate(at + usize::from(keep));
        Ok(())
    }

    /// Applies all of `changes`, or none of them.
    ///
    /// # Errors
    /// 1038 when the client would keep more than the bounds allow.
    pub(super) fn apply(&mut self, changes: Vec<Change>) -> Result<(), SqlError> {
        let bytes = self.bytes_after(&changes)?;
        if let Some(kept) = &mut self.kept {
            kept.changed.clear();
        }
        for change in changes {
            match &change {
                Change::Autocommit(_) => self.note_changed("autocommit"),
                Change::System(name, _) => self.note_changed(name),
                Change::User(..) => {}
            }
            match change {
                Change::Autocommit(on) => {
                    // MySQL: turning autocommit on commits the open transaction.
                    if on && !self.autocommit {
                        self.end_transaction();
                    }
                    self.autocommit = on;
                }
                Change::User(name, value) => {
                    self.kept.get_or_insert_default().user.insert(name.into(), value);
                }
                Change::System(name, Some(value)) => {
                    self.kept.get_or_insert_default().system.insert(name, value);
                }
                Change::System(name, None) => {
                    if let Some(kept) = &mut self.kept {
                        kept.system.remove(name);
                    }
                }
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.bytes = bytes;
        }
        Ok(())
    }

    fn note_changed(&mut self, name: &'static str) {
        let changed = &mut self.kept.get_or_insert_default().changed;
        if !changed.contains(&name) {
            changed.push(name);
        }
    }

    /// The system variables that the last `SET` has set, if nobody has asked before.
    pub(super) fn take_changed(&mut self) -> Vec<&'static str> {
        let Some(kept) = &mut self.kept else { return Vec::new() };
        let changed = std::mem::take(&mut kept.changed);
        if **kept == Kept::default() {
            // As drivers do that set autocommit to what it was: nothing is kept for it.
            self.kept = None;
        }
        changed
    }

    /// What will be kept once `changes` are applied.
    fn bytes_after(&self, changes: &[Change]) -> Result<usize, SqlError> {
        let empty = Kept::default();
        let kept = self.kept.as_deref().unwrap_or(&empty);
        // The last change of a name is the one that stays.
        let (mut user, mut system) = (BTreeMap::new(), BTreeMap::new());
        for change in changes {
            match change {
                Change::User(name, value) => _ = user.insert(name.as_str(), value),
                Change::System(name, value) => _ = system.insert(*name, value.as_ref()),
                Change::Autocommit(_) => {}
            }
        }
        let mut bytes = kept.bytes;
        let mut variables = kept.user.len();
        for (name, value) in user {
            let old = kept.user.get(name);
            variables += usize::from(old.is_none());
            bytes = bytes + cost(name, Some(value)) - cost(name, old);
        }
        for (name, value) in system {
            bytes = bytes + cost(name, value) - cost(name, kept.system.get(name));
        }
        if variables > MOST_USER_VARIABLES {
            return Err(out_of_memory(format!("at most {MOST_USER_VARIABLES} user variables in one session")));
        }
        if bytes > MOST_KEPT_BYTES {
            return Err(out_of_memory(format!("at most {MOST_KEPT_BYTES} bytes of variables in one session")));
        }
        Ok(bytes)
    }
}

/// What a variable costs; nothing if it is not there.
fn cost(name: &str, value: Option<&OwnedValue>) -> usize {
    value.map_or(0, |value| {
        let own = match value {
            OwnedValue::Decimal(text) | OwnedValue::Text(text) => text.len(),
            OwnedValue::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        name.len() + own + VALUE_OVERHEAD
    })
}

/// 1038 is what MySQL says when a session needs more memory than it may have for sorting; the closest of its codes.
fn out_of_memory(bound: String) -> SqlError {
    SqlError::new(1038, "HY001", format!("Out of session memory: {bound}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(len: usize) -> OwnedValue {
        OwnedValue::Text("x".repeat(len))
    }

    #[test]
    fn an_untouched_state_is_tiny() {
        assert!(size_of::<ClientState>() <= 64);
        assert!(ClientState::new().kept.is_none());
    }

    #[test]
    fn what_a_client_can_keep_is_bounded_in_bytes() {
        let mut state = ClientState::new();
        state.apply(vec![Change::User("a".into(), text(900_000))]).unwrap();
        let e = state.apply(vec![Change::User("b".into(), text(900_000)), Change::Autocommit(false)]).unwrap_err();
        assert_eq!((e.code(), e.state()), (1038, "HY001"));
        assert!(state.user_variable("b").is_none() && state.autocommit(), "all or none");
        // Replacing what is there frees its bytes first, and twice in one statement counts once.
        state.apply(vec![Change::User("a".into(), text(10)), Change::User("a".into(), text(900_000))]).unwrap();
        state.apply(vec![Change::User("a".into(), OwnedValue::Null)]).unwrap();
        state.apply(vec![Change::User("b".into(), text(900_000))]).unwrap();
        assert!(state.apply(vec![Change::System("init_connect", Some(text(900_000)))]).is_err());
    }

    #[test]
    fn what_a_client_can_keep_is_bounded_in_number() {
        let mut state = ClientState::new();
        let many = |n: usize| (0..n).map(|i| Change::User(format!("v{i}"), OwnedValue::Int(1))).collect::<Vec<_>>();
        state.apply(many(MOST_USER_VARIABLES)).unwrap();
        state.apply(many(MOST_USER_VARIABLES)).unwrap();
        assert_eq!(state.apply(many(MOST_USER_VARIABLES + 1)).unwrap_err().code(), 1038);
        state.begin();
        for i in 0..MOST_SAVEPOINTS {
            state.set_savepoint(&format!("s{i}")).unwrap();
        }
        assert_eq!(state.set_savepoint("one more").unwrap_err().code(), 1038);
    }

    #[test]
    fn a_reset_takes_everything_away() {
        let mut state = ClientState::new();
        state.apply(vec![Change::User("a".into(), text(1)), Change::Autocommit(false)]).unwrap();
        state.note_statement();
        assert!(state.in_transaction());
        state.reset();
        assert!(state.autocommit() && !state.in_transaction() && state.user_variable("a").is_none());
        state.note_statement();
        assert!(!state.in_transaction(), "with autocommit on, a statement is its own transaction");
    }

    #[test]
    fn the_warnings_kept_of_one_statement_are_few() {
        let mut state = ClientState::new();
        for _ in 0..1_000 {
            state.note_error(&SqlError::unknown_command());
        }
        assert_eq!(state.warnings().len(), MOST_WARNINGS);
        assert_eq!(state.done().warnings, 64);
    }
}
