//! What the text of a `SET` says of the values that it has assigned.

use std::borrow::Cow;

use super::{LEFT_ALONE, State, TIMESTAMP, begins_with_any, literal::quoted, passing, same};
use crate::{
    control::{Syntax, TokenKind},
    proxy::{
        assign::{Assignment, Reach, Target, assignments, is},
        character_sets::is_constant,
        pins::Pins,
    },
};

/// Those of the variables that are left alone whose assignment ties the client to the server session.
const LEFT_AND_PINNED: &[&str] =
    &["character_set_database", "collation_database", "gtid_", "rand_seed", "skip_", "wsrep_"];

impl State {
    /// The assignments of a `SET`, those of system variables as far as the server has not told of them. Whether it may have
    /// stopped the server from telling.
    pub(super) fn note_set(&mut self, sql: &[u8], syntax: &Syntax, told: &[(String, String)]) -> bool {
        let mut stopped = false;
        let passing = passing(sql, syntax);
        for assignment in assignments(sql, syntax) {
            let written = &sql[assignment.value.clone()];
            match assignment.target {
                Target::User(name) => {
                    let name = name.to_string_lossy().to_lowercase();
                    match constant(&assignment, written) {
                        Some(written) => self.keep_user(&name, &written),
                        None => {
                            self.pins = self.pins.and(Pins::USER_VARIABLES);
                            if let Some(kept) = &mut self.kept {
                                kept.remove_user(&name);
                            }
                        }
                    }
                }
                Target::System(Reach::Session, name) => {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    if passing.iter().any(|passing| same(&name, passing)) {
                        continue;
                    }
                    stopped |= name.starts_with("session_track_");
                    if name == TIMESTAMP {
                        self.note_timestamp(&assignment, written);
                        continue;
                    }
                    if begins_with_any(&name, LEFT_AND_PINNED) {
                        self.pins = self.pins.and(Pins::VARIABLES);
                    }
                    if told.iter().any(|(told, _)| same(told, &name)) || begins_with_any(&name, LEFT_ALONE) {
                        continue;
                    }
                    let word = matches!(assignment.first, TokenKind::Word(_));
                    match (as_kept(&assignment, written), word && is(assignment.first, "DEFAULT")) {
                        (_, true) if told.is_empty() => self.pins = self.pins.and(Pins::VARIABLES),
                        (Some(written), false) => self.keep(&name, &written),
                        _ if told.is_empty() => self.pins = self.pins.and(Pins::VARIABLES),
                        _ => {}
                    }
                }
                // servers that tell of changes tell of these by the names of variables
                Target::Transaction(Some(Reach::Session)) if told.is_empty() => {
                    self.pins = self.pins.and(Pins::VARIABLES);
                }
                _ => {}
            }
        }
        stopped
    }

    /// A `SET` whose texts end elsewhere than the proxy reads them to end: what it has assigned is not known, but for what the
    /// server tells.
    pub(super) fn note_unread_set(&mut self) {
        self.pins = self.pins.and(Pins::USER_VARIABLES).and(Pins::VARIABLES);
        if let Some(kept) = &mut self.kept {
            kept.remove_users();
        }
    }

    /// `timestamp` is told as it is now, also where it goes on with the clock.
    fn note_timestamp(&mut self, assignment: &Assignment<'_>, written: &[u8]) {
        let zero = written.contains(&b'0') && written.iter().all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'+'));
        if zero || is(assignment.first, "DEFAULT") {
            self.keep(TIMESTAMP, b"DEFAULT");
        } else if let Some(written) = constant(assignment, written) {
            self.keep(TIMESTAMP, &written);
        } else {
            self.pins = self.pins.and(Pins::VARIABLES);
            if let Some(kept) = &mut self.kept {
                kept.remove(TIMESTAMP);
            }
        }
    }
}

/// A value that is the same wherever and whenever it is assigned, as it is kept.
fn constant<'a>(assignment: &Assignment<'_>, written: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    is_constant(assignment).then(|| as_kept(assignment, written)).flatten()
}

/// A plain value as it is kept: it is read again in whatever `sql_mode` another server session has.
fn as_kept<'a>(assignment: &Assignment<'_>, written: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    match assignment.first {
        _ if !assignment.plain => None,
        TokenKind::Str(text) => quoted(&text.decode()).map(Cow::Owned),
        _ => Some(Cow::Borrowed(written)),
    }
}
