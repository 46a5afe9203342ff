//! What lists show of a slot: its row, and the statement's text without its secrets.

use bytes::Bytes;
use tokio::time::Instant;

#[cfg(feature = "policies")]
use super::Moment;
use super::{Shown, Slot};
use crate::{
    control::{self, Syntax},
    model::{Command, KillMode, Principal, ProcessRow},
    state::word::{Phase, Word},
};

/// Of a longer statement, this many bytes are shown.
const LONGEST_INFO: usize = 64 * 1024;

impl Slot {
    /// The row for the lists, if whoever asks `sees` sessions of its owner.
    pub(crate) fn row_if(
        &self,
        now: Instant,
        syntax: &Syntax,
        sees: impl FnOnce(Option<&Principal>) -> bool,
    ) -> Option<ProcessRow> {
        let word = self.switch.word();
        let shown = self.shown();
        if !sees(shown.principal.as_deref()) {
            return None;
        }
        let mut row = self.look(&shown, word, now);
        let info = shown.info.clone();
        drop(shown);
        row.info = info.map(|info| self::shown(&info, syntax));
        Some(row)
    }

    #[cfg(test)]
    pub(super) fn row(&self, now: Instant, syntax: &Syntax) -> ProcessRow {
        self.row_if(now, syntax, |_| true).expect("everybody sees it")
    }

    /// The row without the statement's text, and that text as it came, secrets and all; and what a later kill can be tied
    /// to. `None` of a session that is on its way out, or just between two states.
    #[cfg(feature = "policies")]
    pub(crate) fn observe(&self, now: Instant) -> Option<(ProcessRow, Option<Bytes>, Moment)> {
        let word = self.switch.word();
        let shown = self.shown();
        let (row, info, since) = (self.look(&shown, word, now), shown.info.clone(), shown.since);
        drop(shown);
        // The word was read first: what is shown is never older than it, but it can be newer.
        let settled = match row.statement {
            Some(number) => word.number() == number,
            None => word.running().is_none(),
        };
        let stays = word.leaving().is_none() && !word.gone();
        (settled && stays).then_some((row, info, Moment { word, since }))
    }

    /// The row without the statement's text.
    fn look(&self, shown: &Shown, word: Word, now: Instant) -> ProcessRow {
        let leaving = word.leaving().filter(|reason| !reason.is_goodbye());
        let killed = match word.phase() {
            Phase::Running => None,
            Phase::Ended(_) => Some(leaving.map_or(KillMode::Query, |_| KillMode::Connection)),
            Phase::Idle => leaving.map(|_| KillMode::Connection),
        };
        let rare = shown.rare.as_deref();
        let time = now.saturating_duration_since(shown.since);
        let struck = rare.and_then(|rare| rare.killed).map(|(at, _)| now.saturating_duration_since(at));
        ProcessRow {
            id: self.id,
            principal: shown.principal.clone(),
            peer: self.peer,
            attributes: shown.attributes.clone(),
            encryption: shown.encryption,
            database: shown.database.clone(),
            login: shown.login,
            command: if killed.is_some() { Command::Killed } else { shown.command },
            active: shown.command,
            killed,
            time,
            state_time: struck.filter(|_| killed.is_some()).unwrap_or(time).min(time),
            state: shown.state,
            info: None,
            statement: shown.running,
            query_id: shown.running.map(|_| shown.last_query_id),
            last_query_id: shown.last_query_id,
            trace_id: rare.and_then(|rare| rare.trace_id.clone()),
            outcome: rare.map(|rare| rare.outcome.clone()).unwrap_or_default(),
            in_transaction: shown.transaction.is_some(),
            transaction_time: shown.transaction.map(|began| now.saturating_duration_since(began)),
            autocommit: shown.autocommit,
        }
    }
}

/// A statement as lists and events show it: no longer than so much, and with its secrets replaced. (A secret that the
/// cut goes through is taken for one that never ends, and replaced whole.)
pub(crate) fn shown(sql: &[u8], syntax: &Syntax) -> String {
    control::redact(first(sql), syntax).into_owned()
}

/// As much of a statement as is shown. The cut is at the end of a character, if there are any.
fn first(sql: &[u8]) -> &[u8] {
    let Some(more) = sql.get(LONGEST_INFO) else { return sql };
    let is_inside = |b: &u8| b & 0xc0 == 0x80;
    let begun = if is_inside(more) {
        sql[..LONGEST_INFO].iter().rev().take(3).take_while(|b| is_inside(b)).count() + 1
    } else {
        0
    };
    &sql[..LONGEST_INFO - begun]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_statement_is_cut_and_never_within_a_character() {
        for (character, before) in [("a", 0), ("ä", 1), ("☃", 1), ("☃", 2), ("🐦", 0), ("🐦", 1), ("🐦", 2), ("🐦", 3)]
        {
            let sql = "-".repeat(before) + &character.repeat(LONGEST_INFO);
            let shown = shown(sql.as_bytes(), &Syntax::MYSQL);
            let whole = (LONGEST_INFO - before) / character.len();
            assert_eq!(shown, "-".repeat(before) + &character.repeat(whole), "{character} {before}");
        }
        assert_eq!(first(&[0x80; LONGEST_INFO + 1]).len(), LONGEST_INFO - 4, "of bytes that are no text, some less");
    }
}
