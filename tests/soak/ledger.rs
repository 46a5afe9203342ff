//! What the clients did and met, and what the runtime told of it: the two must explain each other.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::{Actor, Context, Handler};
use killdeer::{Event, KillMode, Progress, Reason, SessionEvent, Status, Target};

/// How a client's connection came to its end, as far as the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// It said goodbye.
    Quit,
    /// It went without a word.
    Vanished,
    /// Its library let go of it: with a goodbye, or without.
    Dropped,
    /// The server told it an error and closed: a refused login or change of user, a broken protocol.
    Refused,
    /// It had sent what is no MySQL, and looked at no answer.
    Rubbish,
    /// It killed itself.
    OwnKill,
    /// The server closed without a word.
    Cut,
}

impl Parting {
    /// Whether the runtime may say that such a session ended for this reason. (A kill of somebody's may always come
    /// first; whether there was one is looked at apart.)
    fn allows(self, reason: Reason, logging_in: bool) -> bool {
        let login = logging_in && reason == Reason::LoginTimeout;
        match self {
            Parting::Quit => reason == Reason::Quit,
            Parting::Vanished => reason == Reason::ClientGone || login,
            Parting::Dropped => matches!(reason, Reason::Quit | Reason::ClientGone),
            Parting::Refused => reason == Reason::Protocol,
            Parting::Rubbish => matches!(reason, Reason::Protocol | Reason::ClientGone | Reason::Quit) || login,
            Parting::OwnKill => reason == Reason::KillOwnConnection,
            Parting::Cut => login,
        }
    }
}

/// One client from its connect to its end.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// The id that the greeting said, if it has read one.
    pub id: Option<u32>,
    pub parting: Parting,
    /// Whether one of its statements ended in 1317 and it had not asked for that itself.
    pub interrupted: bool,
    /// Whether it was still logging in at its end, or changing its user, which has the same time.
    pub logging_in: bool,
}

/// What the runtime told of one session.
#[derive(Debug, Default)]
struct Life {
    /// Whose it was, all of them.
    users: Vec<Arc<str>>,
    running: i64,
    left: Option<Reason>,
}

#[derive(Default)]
struct Books {
    acts: BTreeMap<&'static str, u64>,
    codes: BTreeMap<u16, u64>,
    faults: Vec<String>,
    visits: Vec<Visit>,
    visited: u64,
    lives: HashMap<u64, Life>,
    killed: [HashSet<u64>; 2],
    killed_users: [HashSet<String>; 2],
    told: Told,
    reasons: BTreeMap<&'static str, u64>,
}

/// Sums of what was told. They are to be the runtime's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    connections: u64,
    left: u64,
    aborted_logins: u64,
    aborted_clients: u64,
    kills: u64,
    kills_denied: u64,
    statements: u64,
    lost: u64,
}

impl Told {
    /// The same, as the counters say it.
    fn counted(status: &Status) -> Self {
        Self {
            connections: status.connections,
            left: status.connections - status.sessions as u64,
            aborted_logins: status.aborted_logins,
            aborted_clients: status.aborted_clients,
            kills: status.kills,
            kills_denied: status.kills_denied,
            statements: status.statements,
            lost: 0,
        }
    }
}

#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

impl Ledger {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn acted(&self, act: &'static str) {
        *self.books().acts.entry(act).or_default() += 1;
    }

    pub fn met(&self, code: u16) {
        *self.books().codes.entry(code).or_default() += 1;
    }

    pub fn fault(&self, what: String) {
        self.books().faults.push(what);
    }

    pub fn visited(&self, visit: Visit) {
        let mut books = self.books();
        books.visited += 1;
        books.visits.push(visit);
    }

    /// Whether the runtime has told of everything that its counters have counted.
    pub fn agrees(&self, status: &Status) -> Result<(), String> {
        let (told, counted) = (self.books().told, Told::counted(status));
        if told == counted { Ok(()) } else { Err(format!("told: {told:?}, counted: {counted:?}")) }
    }

    /// Compares what the clients of a round met with what the runtime told of them, and forgets both. `live`: the
    /// sessions that are still there.
    pub fn settle(&self, live: &[u64]) -> Vec<String> {
        let mut books = self.books();
        let mut faults = std::mem::take(&mut books.faults);
        let visits = std::mem::take(&mut books.visits);
        let mut lives = std::mem::take(&mut books.lives);
        let (killed, killed_users) = (std::mem::take(&mut books.killed), std::mem::take(&mut books.killed_users));
        books.lives = live.iter().filter_map(|id| lives.remove_entry(id)).collect();
        drop(books);
        let was_killed = |id: u64, life: &Life, mode: KillMode| {
            let of = mode as usize;
            killed[of].contains(&id) || life.users.iter().any(|user| killed_users[of].contains(&**user))
        };
        for (id, life) in &lives {
            match life.left {
                None => faults.push(format!("session {id} was never told to have left: {life:?}")),
                Some(Reason::KillConnection) if !was_killed(*id, life, KillMode::Connection) => {
                    faults.push(format!("session {id} was killed by nobody: {life:?}"));
                }
                Some(_) if life.running > 1 || life.running < 0 => {
                    faults.push(format!("session {id} has begun {} statements more than ended", life.running));
                }
                Some(_) => {}
            }
        }
        let seen: HashMap<u64, &Visit> =
            visits.iter().filter_map(|visit| Some((u64::from(visit.id?), visit))).collect();
        for (id, visit) in &seen {
            let Some(life) = lives.get(id) else {
                faults.push(format!("the runtime knows nothing of session {id}: {visit:?}"));
                continue;
            };
            let Some(reason) = life.left else { continue };
            if reason != Reason::KillConnection && !visit.parting.allows(reason, visit.logging_in) {
                faults.push(format!("session {id} left for {reason:?}: {visit:?}, {life:?}"));
            }
            if visit.interrupted && !was_killed(*id, life, KillMode::Query) {
                faults.push(format!("session {id} was interrupted by nobody: {visit:?}, {life:?}"));
            }
        }
        faults
    }

    /// How many clients there were so far.
    pub fn visits(&self) -> u64 {
        self.books().visited
    }

    /// What was done and met, for people to read.
    pub fn summary(&self) -> String {
        let books = self.books();
        let line = |(what, count): (String, &u64)| format!("  {count:>9}  {what}\n");
        let acts: String = books.acts.iter().map(|(act, count)| line(((*act).to_owned(), count))).collect();
        let codes: String = books.codes.iter().map(|(code, count)| line((code.to_string(), count))).collect();
        let reasons: String = books.reasons.iter().map(|(why, count)| line(((*why).to_owned(), count))).collect();
        format!("actions\n{acts}errors, by code\n{codes}ends, by reason\n{reasons}told: {:?}\n", books.told)
    }
}

impl Actor for Ledger {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Ledger {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        let mut books = self.books();
        let id = told.session.map_or(0, |id| id.get());
        match &told.event {
            Event::Connected { .. } => {
                books.told.connections += 1;
                if books.lives.insert(id, Life::default()).is_some() {
                    books.faults.push(format!("two sessions with the id {id}"));
                }
            }
            Event::Authenticated { principal } => {
                books.lives.entry(id).or_default().users.push(Arc::clone(principal.user()));
            }
            Event::StatementBegan { .. } => {
                books.told.statements += 1;
                books.lives.entry(id).or_default().running += 1;
            }
            Event::StatementEnded { .. } => books.lives.entry(id).or_default().running -= 1,
            Event::KillAsked { target, mode, outcome, .. } => match outcome {
                Ok(reached) => {
                    books.told.kills += reached;
                    match target {
                        Target::Session(id) => drop(books.killed[*mode as usize].insert(id.get())),
                        Target::User { user, .. } => drop(books.killed_users[*mode as usize].insert(user.clone())),
                        _ => {}
                    }
                }
                Err(error) => books.told.kills_denied += u64::from(error.is_denial()),
            },
            Event::Disconnected { reason, progress } => {
                books.told.left += 1;
                *books.reasons.entry(reason.as_str()).or_default() += 1;
                let life = books.lives.entry(id).or_default();
                life.left = Some(*reason);
                match (progress, reason) {
                    (Progress::Refused, _) | (Progress::In, Reason::Quit) => {}
                    (Progress::In, _) => books.told.aborted_clients += 1,
                    _ => books.told.aborted_logins += 1,
                }
            }
            Event::Lagged(lost) => books.told.lost += lost,
            _ => {}
        }
    }
}

/// The kinds of kills are told apart by this order.
const _: () = assert!(KillMode::Query as usize == 0 && KillMode::Connection as usize == 1);
