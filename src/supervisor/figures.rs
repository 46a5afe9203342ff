//! The figures of a runtime, for whoever collects them: what each is called, and what it says.
//!
//! They are counted where things happen, in atomics, and published when they are asked for: nothing of this is on the way
//! of a statement. The one exception is the time that kills take, which is rare and recorded at each end. Labels are of
//! small fixed sets: never a user, a host or a statement, of which there is no end.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::counters::{Asked, Counters, MODES, Status};
use crate::{
    model::{KillMode, Reason, Refused},
    state::Activity,
};

const SESSIONS: &str = "killdeer_sessions";
const ACTORS: &str = "killdeer_session_actors";
const PREPARED: &str = "killdeer_prepared_statements";
const LONGEST_POLL: &str = "killdeer_longest_poll_seconds";
const CONNECTIONS: &str = "killdeer_connections_total";
const REFUSED: &str = "killdeer_refused_connections_total";
const ABORTED_LOGINS: &str = "killdeer_aborted_logins_total";
const ABORTED_CLIENTS: &str = "killdeer_aborted_clients_total";
const STATEMENTS: &str = "killdeer_statements_total";
const KILLS: &str = "killdeer_kills_total";
const KILL_TIME: &str = "killdeer_kill_duration_seconds";
const ENDED_SESSIONS: &str = "killdeer_sessions_ended_total";
const CUT_STATEMENTS: &str = "killdeer_statements_cut_short_total";
const TIMEOUTS: &str = "killdeer_timeouts_total";
const PANICS: &str = "killdeer_panics_total";
#[cfg(feature = "cluster")]
const PEERS_REFUSED: &str = "killdeer_peers_refused_total";

/// What each says, and in which unit.
fn describe() {
    let one = Unit::Count;
    describe_gauge!(SESSIONS, one, "Sessions by what they are at; state=\"login\" has not proved who it is yet");
    describe_gauge!(ACTORS, one, "Session actors that exist");
    describe_gauge!(PREPARED, one, "Statements that clients keep prepared");
    describe_gauge!(LONGEST_POLL, Unit::Seconds, "The longest time that one poll of the engine kept its arbiter");
    describe_counter!(CONNECTIONS, one, "Sessions admitted");
    describe_counter!(REFUSED, one, "Connections that were not admitted, by cause");
    describe_counter!(ABORTED_LOGINS, one, "Sessions that ended before their client had proved who it is");
    describe_counter!(ABORTED_CLIENTS, one, "Sessions that ended without their client's goodbye");
    describe_counter!(STATEMENTS, one, "Statements begun");
    describe_counter!(KILLS, one, "Kills asked for, by kind and by what came of them");
    describe_histogram!(KILL_TIME, Unit::Seconds, "From a kill to the end of what it was aimed at, by kind");
    describe_counter!(ENDED_SESSIONS, one, "Sessions that have ended, by reason");
    describe_counter!(CUT_STATEMENTS, one, "Statements that were ended from outside, by reason");
    describe_counter!(TIMEOUTS, one, "Time limits that were passed, by reason");
    describe_counter!(PANICS, one, "Panics of the engine that were caught");
    #[cfg(feature = "cluster")]
    describe_counter!(PEERS_REFUSED, one, "Calls at the peers' port by somebody who is no node of the cluster");
}

/// Of a count of sessions, nobody needs more than 52 bits.
#[allow(clippy::cast_precision_loss)]
fn float(count: usize) -> f64 {
    count as f64
}

/// The reason as labels are written.
fn label(reason: Reason) -> String {
    reason.as_str().replace(' ', "_")
}

impl Counters {
    /// Hands them to the recorder; `sessions` says how many sessions there are at each activity.
    pub(super) fn publish(&self, status: &Status, sessions: &[(Activity, usize)]) {
        describe();
        for (activity, sessions) in sessions {
            gauge!(SESSIONS, "state" => state(*activity)).set(float(*sessions));
        }
        gauge!(ACTORS).set(float(status.actors));
        gauge!(PREPARED).set(float(status.prepared));
        gauge!(LONGEST_POLL).set(status.longest_poll.as_secs_f64());
        counter!(CONNECTIONS).absolute(status.connections);
        counter!(ABORTED_LOGINS).absolute(status.aborted_logins);
        counter!(ABORTED_CLIENTS).absolute(status.aborted_clients);
        counter!(STATEMENTS).absolute(status.statements);
        counter!(PANICS).absolute(status.panics);
        #[cfg(feature = "cluster")]
        counter!(PEERS_REFUSED).absolute(status.peers_refused);
        for (at, cause) in Refused::CAUSES.into_iter().enumerate() {
            counter!(REFUSED, "cause" => cause).absolute(self.refused.get(at));
        }
        for mode in MODES {
            for asked in Asked::ALL {
                let kills = self.asked[mode as usize].get(asked as usize);
                counter!(KILLS, "kind" => kind(mode), "outcome" => outcome(asked)).absolute(kills);
            }
        }
        for reason in Reason::ALL {
            let code = reason.code().into();
            counter!(ENDED_SESSIONS, "reason" => label(reason)).absolute(self.ended_sessions.get(code));
            counter!(CUT_STATEMENTS, "reason" => label(reason)).absolute(self.cut_statements.get(code));
        }
        for (reason, timeouts) in self.timeouts() {
            counter!(TIMEOUTS, "reason" => label(reason)).absolute(timeouts);
        }
    }
}

/// The activity as labels are written.
fn state(activity: Activity) -> &'static str {
    match activity {
        Activity::Login => "login",
        Activity::Idle => "idle",
        Activity::InTransaction => "idle_in_transaction",
        Activity::Running => "running",
        Activity::Killed => "killed",
        Activity::RollingBack => "rolling_back",
    }
}

fn kind(mode: KillMode) -> &'static str {
    match mode {
        KillMode::Query => "query",
        KillMode::Connection => "connection",
    }
}

fn outcome(asked: Asked) -> &'static str {
    match asked {
        Asked::Signalled => "signalled",
        Asked::NothingToEnd => "nothing_to_end",
        Asked::Denied => "denied",
        Asked::Unknown => "unknown",
        Asked::Unreachable => "unreachable",
        Asked::Unanswered => "unanswered",
    }
}

/// What a kill was aimed at is over: a statement, or a session.
pub(super) fn kill_ended(statement: bool, time: Duration) {
    let mode = if statement { KillMode::Query } else { KillMode::Connection };
    histogram!(KILL_TIME, "kind" => kind(mode)).record(time);
}
