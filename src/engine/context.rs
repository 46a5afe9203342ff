//! What a statement knows of itself: its number, whose it is, and whether it is to stop.

use std::{fmt, sync::Arc};

use super::SettingValues;
use crate::{
    id::SessionId,
    model::{
        Amount, Attributes, CharacterSets, Encryption, Killed, Origin, Principal, Reason, Setting, StatementNo,
        Tracking,
    },
    state::Slot,
};

/// Given to the engine with every statement. Cheap to clone; a clone may go to other threads, and outlive its
/// statement: from then on it says that it is to stop.
#[derive(Clone)]
pub struct StatementContext {
    slot: Arc<Slot>,
    principal: Arc<Principal>,
    number: StatementNo,
    query_id: u64,
}

impl StatementContext {
    pub(crate) fn new(slot: Arc<Slot>, principal: Arc<Principal>, number: StatementNo, query_id: u64) -> Self {
        Self { slot, principal, number, query_id }
    }

    /// That of a later statement of the same session and the same user: whom it belongs to is not counted anew.
    pub(crate) fn next(self, number: StatementNo, query_id: u64) -> Self {
        Self { number, query_id, ..self }
    }

    /// The same statement, of a session that has become this one's.
    #[cfg(feature = "mysql")]
    pub(crate) fn of(&self, principal: Arc<Principal>) -> Self {
        Self { principal, ..self.clone() }
    }

    /// The session's id, by which it is known here.
    pub fn session(&self) -> SessionId {
        self.slot.id()
    }

    /// What `CONNECTION_ID()` says: the session's id; or (OceanBase) that of the proxy's client that it is for, under which
    /// lists show it; or (ODP) the other number that it is known by, see [`Layout::odp`](crate::Layout::odp). Looks at what
    /// the session shows: not for every statement.
    pub fn connection_id(&self) -> SessionId {
        SessionId::new(self.slot.shown_id().get() | self.slot.globals().connection_mark())
    }

    /// The statement's number within the session.
    pub fn number(&self) -> StatementNo {
        self.number
    }

    /// The statement's number within the server (MariaDB's QUERY_ID).
    pub fn query_id(&self) -> u64 {
        self.query_id
    }

    /// Whose session it is.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Where the client is.
    pub fn peer(&self) -> Origin {
        self.slot.peer()
    }

    /// How the connection is encrypted, if it is.
    pub fn encryption(&self) -> Option<&'static Encryption> {
        self.slot.encryption()
    }

    /// What the client said of itself when it connected.
    pub fn connection_attributes(&self) -> Option<Attributes> {
        self.slot.attributes()
    }

    /// The current database.
    pub fn database(&self) -> Option<Arc<str>> {
        self.slot.database()
    }

    /// Makes `name` the current database in the lists and for later statements: for engines that run `USE` as a
    /// statement. A client that wants to know is told.
    pub fn set_database(&self, name: Option<&str>) {
        let name: Option<Arc<str>> = name.map(Arc::from);
        if let Some(name) = &name {
            self.slot.notes.database(name);
        }
        self.slot.set_database(name);
    }

    /// Says of which changes in its session the client wants to be told from now on: for engines that know
    /// `session_track_schema` and `session_track_transaction_info`.
    pub fn set_tracking(&self, tracking: Tracking) {
        self.slot.notes.set_tracking(tracking);
    }

    /// What the client writes its statements in, and reads results in.
    pub fn character_sets(&self) -> CharacterSets {
        self.slot.notes.character_sets()
    }

    /// Says what the client writes and reads from now on: for engines that know `SET NAMES`. Statements come as UTF-8 all
    /// the same, and text is given as UTF-8: the wire converts. It holds from the statement's end on; `reset` takes it
    /// back to utf8mb4.
    pub fn set_character_sets(&self, sets: CharacterSets) {
        self.slot.notes.set_character_sets(sets);
    }

    /// A system variable of the session has this value from now on, and it is one of those of which the client wants to
    /// know (MySQL: `session_track_system_variables`). Told with the answer, if the client can be told.
    pub fn variable_changed(&self, name: &str, value: &str) {
        self.slot.notes.variable(name, value);
    }

    /// One of the session's own settings has this value from now on.
    pub(crate) fn setting_changed(&self, setting: Setting, amount: Amount) {
        self.slot.notes.setting(setting, amount);
    }

    /// Says of which system variables the client wants to hear, as `session_track_system_variables` lists them (names with
    /// commas between them, or `*`): of those that are the runtime's settings it is told when a `SET` changes them.
    pub fn set_tracked_variables(&self, names: &str) {
        self.slot.notes.track_settings(names);
    }

    /// The runtime's settings, with this session's values.
    pub fn settings(&self) -> SettingValues {
        SettingValues::new(self.slot.limits(), Arc::clone(self.slot.globals()), &self.principal)
    }

    /// Shows in the list what the statement is at, in MySQL's words (`User sleep`, `Sending data`).
    pub fn set_state(&self, state: &'static str) {
        if !self.is_killed() {
            self.slot.set_state(state);
        }
    }

    /// Why the statement is to stop, if it is. One load: code that computes calls it every millisecond or so.
    pub fn stop(&self) -> Option<Reason> {
        self.slot.switch.word().stop(self.number)
    }

    /// Whether the statement is to stop.
    pub fn is_killed(&self) -> bool {
        self.stop().is_some()
    }

    /// The same, for the `?` of code that computes.
    ///
    /// # Errors
    /// The reason, once there is one.
    pub fn check(&self) -> Result<(), Killed> {
        self.stop().map_or(Ok(()), |reason| Err(Killed(reason)))
    }

    /// Waits until the statement is to stop. A task that outlives a statement which ended well is not woken for that:
    /// it sees it when it looks, or when its session is next told to end something.
    pub async fn killed(&self) -> Reason {
        self.slot.switch.until(|word| word.stop(self.number)).await
    }

    /// The number of the collation that the client has named when it logged in; 0: none.
    #[cfg(feature = "proxy")]
    pub(crate) fn login_collation(&self) -> u16 {
        self.slot.notes.login_collation()
    }

    /// For an engine's `reset`: it brings back the character sets of the login, as in MariaDB.
    #[cfg(feature = "proxy")]
    pub(crate) fn restore_character_sets(&self) {
        self.slot.notes.restore_sets();
    }

    /// Whether the client wants an `UPDATE` to count the rows that it found, also those that stay as they were (MySQL:
    /// `CLIENT_FOUND_ROWS`).
    #[cfg(feature = "proxy")]
    pub(crate) fn counts_found_rows(&self) -> bool {
        self.slot.notes.counts_found_rows()
    }

    /// Shows what the session has at the servers behind a proxy, from now on.
    #[cfg(feature = "proxy")]
    pub(crate) fn publish_servers(&self, servers: Arc<dyn crate::model::ServerSessions>) {
        self.slot.set_servers(servers);
    }

    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

impl fmt::Debug for StatementContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementContext").field("session", &self.session()).field("number", &self.number).finish()
    }
}
