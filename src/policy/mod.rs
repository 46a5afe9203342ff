//! Policies: rules that log or kill by themselves, as people have pt-kill do it from outside.
//!
//! They are written in TOML. [`crate::Runtime::policies`] gives the [`Enforcer`] that takes them.
//!
//! ```toml
//! interval = "5s"                 # how often the list is looked at: 1 s to 1 day; 5 s unless said otherwise
//!
//! [[rule]]
//! name = "long reports"           # its own, of 48 characters at most
//! match = { user = "^report", command = ["^Query$", "^Execute$"] }
//! ignore = { info = "(?i)^\\s*CALL nightly" }
//! busy_time = "2m"
//! action = "kill-query"
//!
//! [[rule]]
//! name = "idle in transaction"
//! idle_time = 60
//! transaction_age = 60
//! action = "kill-connection"
//! dry_run = true
//! ```
//!
//! # Which sessions a rule hits
//! All that its keys ask for must hold. (pt-kill takes a session as soon as one of its `--match` options or `--busy-time`
//! holds.)
//!
//! | key | a session is hit if |
//! | --- | --- |
//! | `match` | of `user`, `host`, `db`, `command`, `state`, `info`, each that is given has one of these regexes |
//! | `ignore` | none of them has any of these regexes |
//! | `busy_time` | it has run its statement for at least so long |
//! | `idle_time` | it has been idle for at least so long |
//! | `transaction_age` | its transaction, idle or busy, has been open for at least so long |
//!
//! A time is a whole number of seconds, or a text with a unit: `"90s"`, `"5m"`, `"2h"`, `"1d"`. A regex is one text or a
//! list of them; it is found anywhere (`^` and `$` tie it) and heeds case unless it says `(?i)`, which knows ASCII letters
//! alone. `host` is without its port, `localhost` for a Unix socket. `command` and `state` are MySQL's words, in every
//! dialect; `command` is that of the statement, killed or not. `info` is the statement as lists show it, secrets replaced; of a long one, the first 16 KiB. What a session does
//! not have (`db`, `info` while it is idle) no regex is found in.
//!
//! A rule must have a `match`, a time or a `count`; one that is to hit everybody says so: `match = { user = "." }`.
//!
//! # Whom of them it takes
//! `victims`: `"all"` (unless said otherwise; pt-kill takes the oldest), `"oldest"`, `"all-but-oldest"`. The oldest has the
//! greatest of the time that the rule asks for: that of its transaction if `transaction_age` is the only one, otherwise
//! that of its statement, or of being idle. `group_by`, a list of the same six names, makes groups of those that have all of
//! these in common, and each group has its oldest. `count`: a group, or all that are hit if there are none, is left alone
//! unless it has at least so many.
//!
//! # What it does
//! `action`: `"log"`, `"kill-query"` (the statement) or `"kill-connection"` (the session). With `dry_run = true` what it
//! would do is logged, and nothing is done. The rules are asked in order, as those of a firewall: a session that a rule
//! kills is not there for the later ones, so that it is killed once; `log` and dry runs take nothing from later rules.
//!
//! Left alone by every rule: sessions before login, those that are killed already or leaving, and the runtime's own. A
//! session whose statement was killed, and runs on, is there for rules with `kill-connection` alone: one with `kill-query`
//! after 60 s and one with `kill-connection` after 300 s are two steps. An idle session is nothing to a rule that kills statements, not in a `count` either.
//!
//! A kill is tied to what was seen: the statement that ran, or the session as it was. If that has gone on meanwhile, nothing
//! is ended. It is asked for by `policy`, a principal of its own that may kill everybody, and the history of kills names the
//! rule. Administrators are spared by rules that ignore them, and by no others.
//!
//! # What is refused
//! A file with a mistake is refused whole, with the line and the column of the first one ([`PolicyError`]), and the rules in
//! force stay. Mistakes are also: keys and values that are not known, two rules of one name, an `idle_time` with a
//! `busy_time`, with `match.info` or with `kill-query`, a regex that is empty, a `group_by` of no consequence. Bounds: 256 KiB
//! of text, 64 rules, 256 regexes, 64 KiB of memory for each of them.

mod enforcer;
mod error;
mod facts;
mod read;
mod round;
mod rule;
#[cfg(test)]
mod tests;
mod watch;

use std::time::Duration;

use self::rule::Rule;
pub use self::{
    enforcer::{Enforcer, RuleStatus},
    error::PolicyError,
    round::Hit,
    rule::Action,
};
use crate::model::ProcessRow;

/// Rules, as they were read. See the module's text.
#[derive(Clone, Debug)]
pub struct Policies {
    interval: Duration,
    rules: Vec<Rule>,
}

impl Policies {
    /// So many bytes a text may have.
    pub const LONGEST: usize = 256 * 1024;

    /// So many rules there may be.
    pub const MOST: usize = 64;

    /// No rules.
    pub const fn none() -> Self {
        Self { interval: Duration::from_secs(5), rules: Vec::new() }
    }

    /// Reads rules.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        read::policies(text)
    }

    /// How often the list is looked at.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules do to a list, such as [`crate::Listing::rows`] gives: by rule, and for each by session id. It looks
    /// at nothing else, and does nothing.
    pub fn decide(&self, rows: &[ProcessRow]) -> Vec<Hit> {
        let mut round = round::Round::new(&self.rules);
        for (place, row) in rows.iter().enumerate() {
            let rules = round.screen(row);
            round.add(rules, row.clone(), place);
        }
        round.hits()
    }
}
