//! What lists show of a slot: its row, and the statement's text without its secrets.

use std::{hint::black_box, sync::Arc};

#[cfg(feature = "policies")]
use bytes::Bytes;
use tokio::time::Instant;

#[cfg(feature = "policies")]
use super::Moment;
use super::{Rare, Shown, Slot};
use crate::{
    control::{self, Syntax},
    model::{Behind, Command, KillMode, Outcome, Principal, ProcessRow, Seen, ServerSessions},
    state::word::{Phase, Word},
};

/// Of a longer statement, this many bytes are shown.
const LONGEST_INFO: usize = 64 * 1024;

/// What most sessions have of [`Rare`].
static NOTHING_RARE: Rare =
    Rare { trace_id: None, client: None, outcome: Outcome::None, killed: None, statement_ending: None, ending: None };

impl Slot {
    /// Shows the row for the lists where it stands, if whoever asks `sees` sessions of its owner. Others who look at the
    /// session wait for as long as that takes: `show` must not take long, and not use the slot.
    pub(crate) fn show_if<T>(
        &self,
        now: Instant,
        syntax: &Syntax,
        sees: impl FnOnce(Option<&Principal>) -> bool,
        show: impl FnOnce(&Seen<'_>) -> T,
    ) -> Option<T> {
        let word = self.switch.word();
        let shown = self.shown();
        if !sees(shown.principal.as_deref()) {
            return None;
        }
        let seen = self.look(&shown, word, now);
        let info = shown.info.clone();
        let servers = shown.servers();
        if info.is_none() && servers.is_none() {
            return Some(show(&seen));
        }
        let row = ProcessRow::from(&seen);
        drop(shown);
        // To look for secrets takes longer than anybody should wait, and a proxy's session has locks of its own.
        let info = info.map(|info| self::shown(&info, syntax));
        Some(show(&Seen { info: info.as_deref(), behind: behind(servers), ..Seen::from(&row) }))
    }

    /// Has what a list reads first of the session brought near. Of several sessions that is done at the same time, where
    /// nothing stands between these calls that waits for memory.
    pub(crate) fn approach(&self) {
        black_box((self.id, self.shown.approach(), self.switch.word()));
    }

    #[cfg(test)]
    pub(super) fn row(&self, now: Instant, syntax: &Syntax) -> ProcessRow {
        self.show_if(now, syntax, |_| true, |seen| seen.into()).expect("everybody sees it")
    }

    /// The row without the statement's text, and that text as it came, secrets and all; and what a later kill can be tied
    /// to. `None` of a session that is on its way out, or just between two states.
    #[cfg(feature = "policies")]
    pub(crate) fn observe(&self, now: Instant) -> Option<(ProcessRow, Option<Bytes>, Moment)> {
        let word = self.switch.word();
        let shown = self.shown();
        let (row, info, since) = (ProcessRow::from(&self.look(&shown, word, now)), shown.info.clone(), shown.since);
        let servers = shown.servers();
        drop(shown);
        let row = ProcessRow { behind: behind(servers), ..row };
        // The word was read first: what is shown is never older than it, but it can be newer.
        let settled = match row.statement {
            Some(number) => word.number() == number,
            None => word.running().is_none(),
        };
        let stays = word.leaving().is_none() && !word.gone();
        (settled && stays).then_some((row, info, Moment { word, since }))
    }

    /// What is to be seen of it, without the statement's text.
    #[inline]
    fn look<'a>(&self, shown: &'a Shown, word: Word, now: Instant) -> Seen<'a> {
        let leaving = word.leaving().filter(|reason| !reason.is_goodbye());
        let killed = match word.phase() {
            Phase::Running => None,
            Phase::Ended(_) => Some(leaving.map_or(KillMode::Query, |_| KillMode::Connection)),
            Phase::Idle => leaving.map(|_| KillMode::Connection),
        };
        let rare = shown.rare.as_deref().unwrap_or(&NOTHING_RARE);
        let time = now.saturating_duration_since(shown.since);
        let state_time = match (killed, rare.killed) {
            (Some(_), Some((at, _))) => now.saturating_duration_since(at).min(time),
            _ => time,
        };
        Seen {
            id: self.id,
            client: rare.client.as_deref().copied(),
            principal: shown.principal.as_ref(),
            peer: self.peer,
            attributes: shown.attributes.as_ref(),
            encryption: shown.encryption,
            database: shown.database.as_ref(),
            login: shown.login,
            command: if killed.is_some() { Command::Killed } else { shown.command },
            active: shown.command,
            killed,
            time,
            state_time,
            state: shown.state,
            info: None,
            statement: shown.running,
            query_id: shown.running.map(|_| shown.last_query_id),
            last_query_id: shown.last_query_id,
            trace_id: rare.trace_id.as_ref(),
            outcome: &rare.outcome,
            in_transaction: shown.transaction.is_some(),
            transaction_time: shown.transaction.map(|began| now.saturating_duration_since(began)),
            autocommit: shown.autocommit,
            thread: shown.thread,
            behind: Behind::default(),
        }
    }
}

/// What a proxy's session tells of those at servers. To be asked without the slot's lock: it may be held by who holds theirs.
fn behind(servers: Option<Arc<dyn ServerSessions>>) -> Behind {
    servers.map_or_else(Behind::default, |servers| Behind {
        servers: servers.count() as u64,
        transactions: servers.transactions(),
    })
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
    use crate::model::Privileges;

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

    #[test]
    fn who_may_not_see_a_session_is_shown_nothing_of_it() {
        let slot = Slot::decoy(Principal::new("alice", Privileges::NONE));
        let alices = |owner: Option<&Principal>| owner.is_some_and(|owner| &**owner.user() == "alice");
        let syntax = Syntax::MYSQL;
        let now = Instant::now();
        assert_eq!(slot.show_if(now, &syntax, alices, |seen| seen.user().to_string()), Some("alice".to_owned()));
        let never = |_: &Seen<'_>| panic!("it is not to be seen");
        assert_eq!(slot.show_if(now, &syntax, |owner| !alices(owner), never), None);
    }

    #[test]
    fn a_statement_is_shown_without_the_slots_lock_and_without_its_secrets() {
        let slot = Slot::decoy(Principal::new("alice", Privileges::NONE));
        let (now, sql) = (Instant::now(), "SET PASSWORD = 'hunter2'");
        slot.show(Command::Query, "executing", Some(sql.into()), None, now);
        let shown = slot.show_if(
            now,
            &Syntax::MYSQL,
            |_| true,
            |seen| {
                assert_eq!(slot.info().as_deref(), Some(sql.as_bytes()), "the slot is free");
                assert_eq!((seen.command, seen.state, seen.user()), (Command::Query, "executing", "alice"));
                seen.info.map(str::to_owned)
            },
        );
        let shown = shown.flatten().expect("it runs");
        assert!(shown.starts_with("SET PASSWORD") && !shown.contains("hunter2"), "{shown}");
    }

    /// What a session has at servers, for a proxy that has some.
    #[cfg(feature = "proxy")]
    struct Few;

    #[cfg(feature = "proxy")]
    impl ServerSessions for Few {
        fn servers(&self) -> Vec<crate::model::ServerSession> {
            Vec::new()
        }

        fn count(&self) -> usize {
            2
        }

        fn transactions(&self) -> u64 {
            5
        }

        fn versions(&self) -> crate::model::Versions {
            crate::model::Versions::default()
        }

        fn variables(&self) -> Vec<crate::model::ChangedVariable> {
            Vec::new()
        }

        fn end(&self, _: u64) -> Option<crate::model::ServerEnd> {
            None
        }
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn who_takes_a_session_over_has_nothing_of_what_it_had_at_servers() {
        let account = |name: &str| Principal::new(name, Privileges::NONE);
        let slot = Slot::decoy(account("alice"));
        let behind = || slot.row(Instant::now(), &Syntax::MYSQL).behind;
        assert_eq!(behind(), Behind::default());
        slot.set_servers(Arc::new(Few));
        assert_eq!(behind(), Behind { servers: 2, transactions: 5 });
        slot.set_principal(Arc::new(account("bob")), std::time::SystemTime::UNIX_EPOCH);
        assert_eq!((behind(), slot.servers().is_none()), (Behind::default(), true));
    }
}
