//! A hundred thousand sessions, for hours (promise 9): what they cost while they do nothing, and what is left of them
//! after all that can happen to them, at random from a printed seed (`KILLDEER_ENDURANCE_SEED` sets it).

use std::{sync::Arc, time::Duration};

use killdeer::{KillMode, Reason, Receipt, Runtime, SessionHandle, Setting, Settings, SqlError, Target};
use tokio::{runtime::Handle, task::JoinSet, time::sleep};

use crate::lab::{Lab, build, code, connect, paused, root, rows, settle, user};

const SESSIONS: usize = 100_000;

/// Their owners, some thousands of sessions each.
const OWNERS: usize = 37;

/// SplitMix64: the same throws from the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

fn seed() -> u64 {
    let set = std::env::var("KILLDEER_ENDURANCE_SEED").ok().map(|text| text.parse().expect("a number"));
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    let seed = set.unwrap_or_else(now);
    println!("KILLDEER_ENDURANCE_SEED={seed}");
    seed
}

/// So often this one thread has had nothing to do and waited for the clock or another thread.
fn rests() -> u64 {
    Handle::current().metrics().worker_park_count(0)
}

/// A place that one session after the other has.
struct Seat {
    handle: Option<SessionHandle>,
    /// Which session it is, counted from the first.
    turn: u32,
    /// Whether this session was the target of a kill of statements.
    struck: bool,
    /// Why this session was to end, once it was.
    over: Option<Reason>,
}

/// What became of a statement: whose it was, and how it has ended.
struct Ended {
    seat: usize,
    turn: u32,
    sql: &'static str,
    error: Option<SqlError>,
}

/// So long a statement may run.
const LONGEST: Duration = Duration::from_secs(4000);

/// What one ends with that has run for so long.
const TOO_LONG: u16 = 1969;

/// Statements, and what they end with if nobody interferes.
const STATEMENTS: [(&str, u16); 9] = [
    ("hello", 0),
    ("begin", 0),
    ("commit", 0),
    ("fail", 1062),
    ("rows 3000", 0),
    ("sleep 7", 0),
    ("sleep 600", 0),
    ("sleep 9000", TOO_LONG),
    ("wait", TOO_LONG),
];

struct Hall {
    runtime: Runtime<Lab>,
    dice: Dice,
    seats: Vec<Seat>,
    connected: u64,
    killed: u64,
    denied: u64,
    statements: JoinSet<Ended>,
    receipts: JoinSet<()>,
}

impl Hall {
    async fn full(dice: Dice) -> Self {
        let lab = Lab { rollback: Some(Duration::from_secs(5)), ..Lab::default() };
        let mut hall = Self {
            runtime: build(lab)
                .settings(
                    Settings::new()
                        .count(Setting::MaxConnections, 2 * SESSIONS as u64)
                        .time(Setting::MaxStatementTime, LONGEST),
                )
                .start(),
            dice,
            seats: Vec::with_capacity(SESSIONS),
            connected: 0,
            killed: 0,
            denied: 0,
            statements: JoinSet::new(),
            receipts: JoinSet::new(),
        };
        for seat in 0..SESSIONS {
            hall.seats.push(Seat { handle: None, turn: 0, struck: false, over: None });
            hall.seat(seat).await;
        }
        hall
    }

    /// The name of whoever has this seat.
    fn owner(seat: usize) -> String {
        format!("user{}", seat % OWNERS)
    }

    async fn seat(&mut self, at: usize) {
        let handle = connect(&self.runtime, &Self::owner(at)).await;
        let seat = &mut self.seats[at];
        *seat = Seat { handle: Some(handle), turn: seat.turn + 1, struck: false, over: None };
        self.connected += 1;
    }

    /// A seat that has a session, whether or not that is about to end.
    fn somebody(&mut self) -> usize {
        loop {
            let at = self.dice.below(SESSIONS);
            if self.seats[at].handle.is_some() {
                return at;
            }
        }
    }

    fn handle(&self, at: usize) -> &SessionHandle {
        self.seats[at].handle.as_ref().expect("it was chosen for having one")
    }

    fn live(&self) -> impl Iterator<Item = usize> {
        (0..SESSIONS).filter(|at| self.seats[*at].over.is_none())
    }

    fn begin(&mut self) {
        let seat = self.somebody();
        let (turn, handle) = (self.seats[seat].turn, self.handle(seat).clone());
        let sql = STATEMENTS[self.dice.below(STATEMENTS.len())].0;
        self.statements.spawn_local(async move {
            let error = rows(&handle, sql).await.err();
            Ended { seat, turn, sql, error }
        });
    }

    /// One session kills another, or tries to.
    async fn kill(&mut self) {
        let (by, victim) = (self.somebody(), self.somebody());
        let mode = if self.dice.below(2) == 0 { KillMode::Query } else { KillMode::Connection };
        let own = by % OWNERS == victim % OWNERS || self.dice.below(2) == 0;
        let by = if own { user(&Self::owner(victim)) } else { user(&Self::owner(by)) };
        let own = **by.user() == *Self::owner(victim);
        let target = Target::Session(self.handle(victim).id());
        let killed = self.runtime.kill(&by, target, mode).await;
        let over = self.seats[victim].over.is_some();
        match killed {
            Ok(receipt) => {
                assert!(own, "{by:?} has no right to kill {victim}");
                self.follow(receipt, 1);
                self.strike(victim, mode);
            }
            Err(error) if error.is_denial() => {
                assert!(!own);
                self.denied += 1;
            }
            Err(error) => assert!(over, "it is there: {error}"),
        }
    }

    fn strike(&mut self, victim: usize, mode: KillMode) {
        match mode {
            KillMode::Query => self.seats[victim].struck = true,
            KillMode::Connection => self.end(victim, Reason::KillConnection),
        }
    }

    fn end(&mut self, at: usize, reason: Reason) {
        self.seats[at].over.get_or_insert(reason);
    }

    /// A receipt comes to its end, too.
    fn follow(&mut self, receipt: Receipt, sessions: usize) {
        assert_eq!(receipt.sessions(), sessions);
        self.killed += sessions as u64;
        self.receipts.spawn_local(async move {
            receipt.ended().await;
        });
    }

    /// Somebody leaves: its host lets go of it, or ends it.
    fn leave(&mut self) {
        let at = self.somebody();
        match self.dice.below(3) {
            0 => {
                // A statement of its own may hold it still.
                self.handle(at).terminate(Reason::Quit);
                self.seats[at].handle = None;
                self.end(at, Reason::Quit);
            }
            1 => {
                self.handle(at).terminate(Reason::ClientGone);
                self.end(at, Reason::ClientGone);
            }
            _ => {
                self.handle(at).addr().do_send(killdeer::Terminate { reason: Reason::Shutdown });
                self.end(at, Reason::Shutdown);
            }
        }
    }

    /// What has ended by now, ended as it should.
    fn look(&mut self) {
        while let Some(ended) = self.statements.try_join_next() {
            let Ended { seat: at, turn, sql, error } = ended.unwrap();
            let seat = &self.seats[at];
            let code = error.as_ref().map_or(0, SqlError::code);
            let own = STATEMENTS.iter().find(|(known, _)| *known == sql).expect("one of them").1;
            let interrupted = seat.turn > turn || seat.struck || seat.over.is_some();
            let explained = match code {
                1317 | 1053 => interrupted,
                // Refused: too many wait.
                1105 => true,
                code => code == own,
            };
            assert!(explained, "{sql} of {at} ended with {error:?}: {:?}, struck: {}", seat.over, seat.struck);
        }
        while let Some(ended) = self.receipts.try_join_next() {
            ended.unwrap();
        }
    }

    /// Time enough for rollbacks; then the list, the counters, the actors and who should be there agree.
    async fn agree(&mut self) {
        sleep(Duration::from_secs(20)).await;
        settle().await;
        self.look();
        let (live, status) = (self.live().count(), self.runtime.status());
        assert_eq!((status.sessions, status.actors), (live, live), "{status:?}");
        let counted = (status.connections, status.kills, status.kills_denied, status.panics);
        assert_eq!(counted, (self.connected, self.killed, self.denied, 0), "{status:?}");
        let listed: Vec<_> = self.runtime.list(&root()).rows().into_iter().map(|row| row.id).collect();
        let mut ids: Vec<_> = self.live().map(|at| self.handle(at).id()).collect();
        ids.sort_unstable();
        assert!(listed == ids, "{} are listed, {live} are there", listed.len());
    }

    /// All of a user's sessions are killed at once.
    async fn kill_user(&mut self, mode: KillMode) {
        let owner = self.dice.below(OWNERS);
        let theirs: Vec<_> = self.live().filter(|at| at % OWNERS == owner).collect();
        let by = Arc::new(user(&Self::owner(owner)).as_ref().clone());
        assert_eq!(self.runtime.list(&by).rows().len(), theirs.len(), "a user sees its own");
        let target = Target::User { user: Self::owner(owner), host: None };
        let receipt = self.runtime.kill(&by, target, mode).await.unwrap();
        self.follow(receipt, theirs.len());
        for at in theirs {
            self.strike(at, mode);
        }
    }

    /// Others take the places of those who have left.
    async fn refill(&mut self) {
        for at in 0..SESSIONS {
            if self.seats[at].over.is_some() {
                self.seat(at).await;
            }
        }
    }
}

#[test]
fn a_hundred_thousand_sessions_wake_nobody_while_idle_and_leave_nothing_behind() {
    let dice = Dice(seed());
    paused(async {
        let mut hall = Hall::full(dice).await;
        for at in (0..SESSIONS).step_by(100) {
            assert_eq!(code(hall.handle(at), "hello").await, 0);
        }
        settle().await;
        let before = rests();
        sleep(Duration::from_secs(3600)).await;
        // The clock's own steps to the end of the hour: not one for every session, nor one a second.
        let wakened = rests() - before;
        println!("rests in an hour of idling: {wakened}");
        assert!(wakened <= 20, "an hour of idling: {wakened} times");
        hall.agree().await;

        for hour in 0..3 {
            for _ in 0..300 {
                for _ in 0..30 {
                    match hall.dice.below(100) {
                        0..60 => hall.begin(),
                        60..90 => hall.kill().await,
                        _ => hall.leave(),
                    }
                }
                sleep(Duration::from_secs(11)).await;
                hall.look();
            }
            hall.agree().await;
            hall.kill_user(if hour % 2 == 0 { KillMode::Query } else { KillMode::Connection }).await;
            hall.refill().await;
            hall.runtime.engine().log.take();
        }
        hall.agree().await;

        let Hall { runtime, seats, mut statements, mut receipts, connected, .. } = hall;
        drop(seats);
        let summary = runtime.shutdown(Duration::from_secs(60)).await;
        assert_eq!(summary.left_behind, 0, "{summary:?}");
        while statements.join_next().await.is_some() {}
        while receipts.join_next().await.is_some() {}
        let status = runtime.status();
        assert_eq!((status.sessions, status.actors, status.prepared, status.panics), (0, 0, 0, 0), "{status:?}");
        assert_eq!(status.connections, connected);
        assert!(runtime.list(&root()).rows().is_empty());
        assert!(status.timeouts > 0, "{status:?}");
        println!("{status:?}");
    });
}
