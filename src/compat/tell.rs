//! What `SET` changed, told to the session: so that its wire can tell the client.

use super::{
    Facts,
    state::ClientState,
    value_of::{global, listed_as, session},
    variable::shown,
    variables,
};
use crate::{
    engine::StatementContext,
    model::{CharacterSet, Tracking},
};

impl ClientState {
    /// Tells the session what the last statement has changed: the character sets that the client writes and reads, of which changes the client wants to know
    /// (`session_track_schema`, `session_track_transaction_info`), and the new values of the variables that
    /// `session_track_system_variables` names, the runtime's own settings among them. To be called after [`ClientState::answer`] has answered a statement;
    /// where nothing changed, it costs next to nothing.
    pub fn tell(&mut self, cx: &StatementContext, facts: &Facts<'_>) {
        let changed = self.take_changed();
        if changed.is_empty() {
            return;
        }
        if changed.iter().any(|name| matches!(*name, "session_track_schema" | "session_track_transaction_info")) {
            cx.set_tracking(Tracking {
                database: self.text_of("session_track_schema", facts) != "OFF",
                transaction: self.text_of("session_track_transaction_info", facts) != "OFF",
            });
        }
        let mut sets = cx.character_sets();
        for name in &changed {
            // What was taken back is the server's own again, whatever the client chose when it logged in.
            let named = || CharacterSet::named(&self.own_text_of(name, facts)).unwrap_or_default();
            match *name {
                "character_set_client" => sets.client = named(),
                // NULL: text is sent as it is.
                "character_set_results" => sets.results = named(),
                _ => {}
            }
        }
        cx.set_character_sets(sets);
        let tracked = self.text_of("session_track_system_variables", facts);
        if changed.contains(&"session_track_system_variables") {
            cx.set_tracked_variables(&tracked);
        }
        for name in changed {
            if tracked.split(',').any(|t| t.trim() == "*" || t.trim().eq_ignore_ascii_case(name)) {
                cx.variable_changed(name, &self.own_text_of(name, facts));
            }
        }
    }

    /// The value that the client has set, or the server's own.
    fn own_text_of(&self, name: &str, facts: &Facts<'_>) -> String {
        match (self.system(name), variables::find(name)) {
            (None, Some(variable)) if name.starts_with('c') => shown(&global(facts, variable)),
            _ => self.text_of(name, facts),
        }
    }

    /// A variable's value as `SHOW VARIABLES` lists it.
    fn text_of(&self, name: &str, facts: &Facts<'_>) -> String {
        let Some(variable) = variables::find(name) else { return String::new() };
        let value = session(self, facts, variable);
        if variable.is_flag() { listed_as(variable, &value) } else { shown(&value) }
    }
}
