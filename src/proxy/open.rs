//! What the proxy keeps for one client that has run something: how the client stands at its servers, and what becomes of that
//! when a statement has ended, or a server session.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    backend::Account,
    failure,
    pool::Servers,
    readings::Readings,
    route::{Place, Reading, is_of_one_server},
    server::{Lease, Server, Standing},
    state::{State, Told},
    turn::{Ask, Ended, Got},
};
use crate::{
    control::Syntax,
    engine::StatementContext,
    model::{Done, OwnedValue, SqlError, Versions},
};

/// So long a server is not asked again that could not be brought up to a client's state, while that is the same.
const REFUSED: Duration = Duration::from_secs(1);

/// See the module's text.
pub(super) struct Open {
    pub(super) account: Arc<Account>,
    pub(super) servers: Arc<Servers>,
    /// What its prepared statements say.
    pub(super) readings: Readings,
    /// The flags of the client's session: the primary's last answer's.
    pub(super) done: Done,
    /// Whether the primary has said them, or they are those that others' sessions begin with.
    known: bool,
    /// Where the next statement has to run: at the primary always.
    pub(super) home: Option<Arc<Server>>,
    /// Where the client's last statement ran. What else was asked of servers, to prepare one for instance, is none.
    last: Option<Arc<Server>>,
    /// The user variables that the statement names which is about to be answered, as they are at the server.
    pub(super) fetched: Vec<(String, OwnedValue)>,
    /// What is gone, where the client was told something else: its next statement is told.
    pub(super) owed: Option<SqlError>,
    refusals: Vec<Refusal>,
}

/// A server could not be brought up to what the client had then.
struct Refusal {
    at: usize,
    versions: Versions,
    until: Instant,
}

/// Where a statement runs whose text allows `place`: what binds a client binds it to the primary, whether or not there is a
/// server session there now.
fn narrowed(place: Place, standing: Standing) -> Place {
    if place == Place::Any && standing.binds() { Place::Primary } else { place }
}

impl Open {
    /// That of a client in this state, whose session begins with these flags.
    pub(super) fn new(account: Account, state: State, flags: Done) -> Self {
        Self {
            account: Arc::new(account),
            servers: Arc::new(Servers::new(state)),
            readings: Readings::default(),
            done: flags,
            known: false,
            home: None,
            last: None,
            fetched: Vec::new(),
            owed: None,
            refusals: Vec::new(),
        }
    }

    /// How the client stands at its server session.
    pub(super) fn standing(&self) -> Standing {
        let pinned = !self.servers.state.hold().pins().is_empty();
        let Done { in_transaction, autocommit, no_backslash_escapes, .. } = self.done;
        Standing { in_transaction, bound: pinned || !autocommit || no_backslash_escapes }
    }

    /// Where a statement runs whose text allows `place`.
    pub(super) fn place(&self, place: Place) -> Place {
        if place != Place::Any {
            return place;
        }
        let at_home = |name: &str| is_of_one_server(name.as_bytes());
        if self.servers.state.hold().database().is_some_and(at_home) {
            return Place::Primary;
        }
        narrowed(place, self.standing())
    }

    /// A new server session begins with these flags. The primary's are the client's, if it has none yet. Whether it serves a
    /// client of whom no more is known.
    pub(super) fn begin(&mut self, at: usize, flags: Done) -> bool {
        if at == 0 && !self.known {
            (self.done, self.known) = (flags.quiet(), true);
        }
        at == 0 || self.known || flags == self.done
    }

    /// The server session on which the last statement ran, for one that asks about it and may run at `place`. `None`: none has
    /// run.
    ///
    /// # Errors
    /// It is over, and with it what is asked for; or it is another server's than the one that may be asked.
    pub(super) fn take_last(&mut self, place: Place) -> Result<Option<Lease>, SqlError> {
        let Some(last) = self.last.take() else { return Ok(None) };
        if place == Place::LastAtPrimary && last.at != 0 && last.gone().is_none() {
            let refused = failure::asks_elsewhere(&last.address);
            self.last = Some(last);
            return Err(refused);
        }
        let lease = self.servers.take(last.ss_id).ok_or_else(|| failure::lost_between(&last.address, false))?;
        self.last = Some(last);
        Ok(Some(lease))
    }

    /// The client was told what it misses of its last statement.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// The server session is over that the next statement would have had to run on.
    ///
    /// # Errors
    /// Something is gone with it.
    pub(super) fn leave(&mut self, home: &Server) -> Result<(), SqlError> {
        self.home = None;
        let lost = self.servers.state.hold().lost();
        let in_transaction = std::mem::take(&mut self.done.in_transaction);
        if in_transaction || !lost.is_empty() {
            return Err(failure::lost_between(&home.address, in_transaction));
        }
        Ok(())
    }

    /// Everything is as after the login. A server session that was reset has these flags.
    pub(super) fn reset(&mut self, flags: Done, known: bool) {
        (self.home, self.last, self.owed) = (None, None, None);
        (self.done, self.known) = (flags.quiet(), known);
        (self.refusals, self.readings) = (Vec::new(), Readings::default());
    }

    /// Whether a server could not be brought up to what the client has, just now.
    pub(super) fn is_refused_at(&self, at: usize) -> bool {
        if self.refusals.is_empty() {
            return false;
        }
        let (versions, now) = (self.told_versions(), Instant::now());
        self.refusals.iter().any(|refusal| refusal.at == at && refusal.versions == versions && now < refusal.until)
    }

    /// Notes that this server cannot be brought up to what the client has.
    fn refuse(&mut self, at: usize) {
        let refusal = Refusal { at, versions: self.told_versions(), until: Instant::now() + REFUSED };
        self.refusals.retain(|old| old.at != at);
        self.refusals.push(refusal);
    }

    /// The versions of what a server session may refuse.
    fn told_versions(&self) -> Versions {
        Versions { last_insert_id: 0, ..self.servers.state.hold().versions() }
    }

    /// A server session could not be brought up to the client's state; nothing was asked of it. The statement is to be asked of
    /// the primary, on another one.
    ///
    /// # Errors
    /// No other one will do.
    pub(super) fn unfit(&mut self, lease: Lease, error: SqlError, place: Place) -> Result<(), SqlError> {
        let at = lease.server.at;
        if at != 0 {
            self.refuse(at);
            lease.give_back(Standing::default());
            return if place == Place::Any { Ok(()) } else { Err(error) };
        }
        if self.home.is_some() {
            lease.give_back(self.standing());
            return Err(error);
        }
        lease.give_up();
        Ok(())
    }

    /// A statement has ended at a replica, which has these flags since. Whether the server session is kept.
    pub(super) fn leave_replica(&self, lease: Lease, flags: Done) -> bool {
        if flags.quiet() == self.done {
            return lease.give_back(Standing::default());
        }
        // What a read has begun there is nobody's, a transaction for instance.
        lease.give_up();
        false
    }

    /// What a turn leaves of the client's session, if its server session lives.
    pub(super) fn ended(
        &mut self,
        cx: &StatementContext,
        ended: Ended,
        ask: Ask<'_>,
        reading: &Reading<'_>,
        syntax: &Syntax,
    ) -> Result<Got, SqlError> {
        let Ended { mut lease, mut got, flags, later, unfit: _ } = ended;
        let primary = lease.server.at == 0;
        let no_backslash_escapes = self.done.no_backslash_escapes;
        if primary {
            self.done = flags.quiet();
        } else if let Ok(Got::Done(answer)) = &mut got {
            let Done { affected, last_insert_id, warnings, .. } = answer.done;
            answer.done = Done { affected, last_insert_id, warnings, ..self.done };
        }
        match (&got, ask) {
            (Ok(Got::Done(answer)), Ask::Text(sql) | Ask::Execute(sql, ..)) => {
                let told = Told {
                    schema: answer.changes.schema.as_deref(),
                    variables: &answer.changes.variables,
                    insert_id: answer.done.last_insert_id,
                    no_backslash_escapes,
                };
                self.note(cx, (sql, syntax, reading), &told, &mut lease);
            }
            (Ok(_), Ask::Database(name)) => {
                let mut state = self.servers.state.hold();
                state.set_database(Some(name));
                lease.versions.db_name = state.versions().db_name;
                lease.in_database = true;
            }
            (Err(_), Ask::Text(_) | Ask::Execute(..)) => {
                self.servers.state.hold().note_failed(reading, &later, &mut lease.versions);
            }
            _ => {}
        }
        let (server, standing) = (Arc::clone(&lease.server), self.standing());
        let bound = primary && standing.binds();
        self.home = bound.then(|| Arc::clone(&server));
        self.servers.ran(server.ss_id, bound);
        let kept = if primary { lease.give_back(standing) } else { self.leave_replica(lease, flags) };
        if !kept {
            self.servers.sweep();
            let in_transaction = self.done.in_transaction;
            if self.home.is_some()
                && let Err(missed) = self.leave(&server)
                && got.is_ok()
            {
                if in_transaction {
                    // Ended before anybody could know what it had begun, and rolled back.
                    return Err(SqlError::interrupted());
                }
                self.owed = Some(missed);
            }
        }
        if matches!(ask, Ask::Text(_) | Ask::Execute(..)) {
            self.last = Some(server);
        }
        got
    }
}

impl Open {
    /// What a statement has set that has ended well.
    fn note(
        &self,
        cx: &StatementContext,
        (sql, syntax, reading): (&[u8], &Syntax, &Reading<'_>),
        told: &Told<'_>,
        lease: &mut Lease,
    ) {
        let mut state = self.servers.state.hold();
        let before = state.versions().db_name;
        state.note(sql, syntax, reading, told, &mut lease.versions);
        if told.schema.is_some() || state.versions().db_name != before {
            let database = state.database().map(str::to_owned);
            drop(state);
            lease.in_database = database.is_some();
            cx.set_database(database.as_deref());
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Lists may hold on to them longer.
        self.servers.leave_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::backend::Account;

    fn open() -> Open {
        let account = Account { user: "alice".into(), password: String::new(), takes_keys: false };
        Open::new(account, State::new(None, 0), Done::default())
    }

    #[test]
    fn who_is_bound_reads_at_the_primary_even_if_nothing_is_connected() {
        let free = Standing::default();
        for bound in [Standing { in_transaction: true, ..free }, Standing { bound: true, ..free }] {
            assert_eq!(narrowed(Place::Any, bound), Place::Primary);
        }
        assert_eq!(narrowed(Place::Any, free), Place::Any);
        assert_eq!(narrowed(Place::Last, Standing { bound: true, ..free }), Place::Last);
    }

    #[test]
    fn flags_bind_as_far_as_the_primary_has_said_them() {
        let off = Done { autocommit: false, ..Done::default() };
        let other = Done { no_backslash_escapes: true, ..Done::default() };
        for odd in [off, other] {
            let mut client = open();
            assert!(!client.begin(1, odd), "the primary may have other ones");
            assert_eq!(client.place(Place::Any), Place::Any);
            assert!(client.begin(0, odd));
            assert_eq!(client.place(Place::Any), Place::Primary);
            let mut client = open();
            assert!(client.begin(0, Done::default()) && client.begin(1, odd), "it is told the client's");
            assert!(client.begin(0, odd), "as is a new one");
            assert_eq!(client.done, Done::default());
        }
    }

    #[test]
    fn a_refusal_holds_while_the_state_is_the_same() {
        let mut client = open();
        client.refuse(1);
        assert!(client.is_refused_at(1) && !client.is_refused_at(2));
        client.servers.state.hold().set_database(Some("shop"));
        assert!(!client.is_refused_at(1));
        client.refuse(1);
        client.refusals[0].until = Instant::now();
        assert!(!client.is_refused_at(1), "nor for ever");
        assert_eq!(client.refusals.len(), 1);
    }
}
