//! What the session that asks is, and the server.

use rusqlite::types::Value;

use super::{Entry, call::some};

pub(super) const ALL: &[Entry] = &[
    ("connection_id", 0, 0, |call| {
        let id = call.environment.facts.connection_id;
        Ok(i64::try_from(id).map_or_else(|_| Value::Text(id.to_string()), Value::Integer))
    }),
    ("current_role", 0, 0, |_| Ok(Value::Text("NONE".into()))),
    ("current_user", 0, 0, |call| Ok(Value::Text(call.environment.facts.current_user.clone()))),
    ("database", 0, 0, |call| Ok(some(call.environment.facts.database.clone()))),
    ("user", 0, 0, |call| Ok(Value::Text(call.environment.facts.user.clone()))),
    ("version", 0, 0, |call| Ok(Value::Text(call.environment.facts.version.clone()))),
];
