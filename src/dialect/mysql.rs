//! MySQL 8.0 (manual, "KILL Statement", "SHOW PROCESSLIST Statement"; source of 8.0).

use super::{Emit, Rules};
use crate::{
    control::truncate_chars,
    model::{Column, ColumnType, Principal, Privileges, ProcessRow, Value},
};

/// Without FULL, Info ends after so many characters.
const SHORT_INFO: usize = 100;

pub(super) static RULES: Rules = Rules {
    name: "mysql",
    version: 80_036,
    // The forms of KILL that MariaDB added are taken, and so is the comment that hides them from others.
    mariadb_comments: true,
    may_see,
    may_kill,
    process_columns,
    process_row,
};

/// One's own sessions, by user name; everybody's with PROCESS. SUPER gives no sight.
fn may_see(by: &Principal, owner: Option<&Principal>) -> bool {
    by.has(Privileges::PROCESS) || owner.is_some_and(|owner| owner.user() == by.user())
}

/// One's own sessions, by user name; everybody's with CONNECTION_ADMIN or SUPER, but those of an account with
/// SYSTEM_USER only by who has that too. PROCESS gives no right.
fn may_kill(by: &Principal, owner: Option<&Principal>) -> bool {
    let administrator = by.has(Privileges::CONNECTION_ADMIN.and(Privileges::SUPER));
    let Some(owner) = owner else { return administrator };
    let protected = owner.has(Privileges::SYSTEM_USER) && !by.has(Privileges::SYSTEM_USER);
    !protected && (administrator || owner.user() == by.user())
}

fn process_columns(full: bool) -> Vec<Column> {
    let text = |name, width| Column::new(name, ColumnType::VarChar).width(width);
    // As much as a packet may hold.
    let info = if full { Column::new("Info", ColumnType::Text).width(64 << 20) } else { text("Info", 100) };
    vec![
        Column::new("Id", ColumnType::BigInt).not_null().width(21),
        text("User", 32).not_null(),
        text("Host", 261).not_null(),
        text("db", 64),
        text("Command", 16).not_null(),
        Column::new("Time", ColumnType::Int).not_null().width(7),
        text("State", 30),
        info,
    ]
}

fn process_row(row: &ProcessRow, full: bool, emit: Emit<'_>) {
    let host = row.peer.to_string();
    let info = row.info.as_deref().map(|info| if full { info } else { truncate_chars(info, SHORT_INFO) });
    emit(&[
        Value::UInt(row.id.get()),
        row.user().into(),
        Value::Text(&host),
        row.database.as_deref().into(),
        row.command.as_str().into(),
        // Whole seconds, as many as an int column takes.
        Value::Int(i64::try_from(row.time.as_secs()).unwrap_or(i64::MAX).min(i32::MAX.into())),
        row.state.into(),
        info.into(),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str, privileges: Privileges) -> Principal {
        Principal::new(name, privileges)
    }

    /// {who} x {see, kill} over the sessions of alice, of an account with SYSTEM_USER, and of nobody yet.
    #[test]
    fn who_may_see_and_kill() {
        let alice = who("alice", Privileges::NONE);
        let system = who("system", Privileges::SYSTEM_USER);
        let both = Privileges::SUPER.and(Privileges::SYSTEM_USER);
        #[rustfmt::skip]
        let table = [
            // requester                                     alice: see  kill   system: see  kill   nobody: see  kill
            (who("alice", Privileges::NONE),                 [ true,  true,    false, false,       false, false]),
            (who("bob", Privileges::NONE),                   [ false, false,   false, false,       false, false]),
            (who("bob", Privileges::PROCESS),                [ true,  false,   true,  false,       true,  false]),
            (who("bob", Privileges::SUPER),                  [ false, true,    false, false,       false, true ]),
            (who("bob", Privileges::CONNECTION_ADMIN),       [ false, true,    false, false,       false, true ]),
            (who("bob", both),                               [ false, true,    false, true,        false, true ]),
            (who("bob", Privileges::SYSTEM_USER),            [ false, false,   false, false,       false, false]),
            (who("system", Privileges::SYSTEM_USER),         [ false, false,   true,  true,        false, false]),
            (who("system", Privileges::NONE),                [ false, false,   true,  false,       false, false]),
            (who("root", Privileges::ALL),                   [ true,  true,    true,  true,        true,  true ]),
        ];
        for (by, expected) in table {
            let owners = [Some(&alice), Some(&system), None];
            let got: Vec<bool> = owners.iter().flat_map(|o| [may_see(&by, *o), may_kill(&by, *o)]).collect();
            assert_eq!(got, expected, "{by:?}");
        }
    }
}
