//! The statements that begin and end transactions, as MySQL's clients write them. SQLite has other words for some.

use super::words::Words;

/// What such a statement asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    Begin {
        read_only: bool,
    },
    /// `chain`: another one begins at once.
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    RollbackTo(String),
    Release(String),
}

impl Transaction {
    /// `None`: it is none of these. SQLite's own `BEGIN IMMEDIATE` is not either, and goes to SQLite as it is.
    pub fn parse(sql: &[u8]) -> Option<Self> {
        let mut words = Words::new(sql);
        let found = if words.take(&["BEGIN"]) {
            words.take(&["WORK"]);
            Self::Begin { read_only: false }
        } else if words.take(&["START", "TRANSACTION"]) {
            Self::Begin { read_only: characteristics(&mut words)? }
        } else if words.take(&["COMMIT"]) {
            Self::Commit { chain: chain(&mut words) }
        } else if words.take(&["ROLLBACK"]) {
            words.take(&["WORK"]);
            if words.take(&["TO"]) {
                words.take(&["SAVEPOINT"]);
                Self::RollbackTo(words.name()?)
            } else {
                Self::Rollback { chain: chain(&mut words) }
            }
        } else if words.take(&["SAVEPOINT"]) {
            Self::Savepoint(words.name()?)
        } else if words.take(&["RELEASE", "SAVEPOINT"]) {
            Self::Release(words.name()?)
        } else {
            return None;
        };
        words.end().then_some(found)
    }
}

/// `[WITH CONSISTENT SNAPSHOT | READ WRITE | READ ONLY], …`: whether it is to read only.
fn characteristics(words: &mut Words<'_>) -> Option<bool> {
    let mut read_only = false;
    if words.end() {
        return Some(read_only);
    }
    loop {
        if words.take(&["READ", "ONLY"]) {
            read_only = true;
        } else if !words.take(&["READ", "WRITE"]) && !words.take(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            return None;
        }
        if !words.sign(b',') {
            return Some(read_only);
        }
    }
}

/// `[WORK] [AND [NO] CHAIN] [NO RELEASE]`.
fn chain(words: &mut Words<'_>) -> bool {
    words.take(&["WORK"]);
    let chain = words.take(&["AND", "CHAIN"]);
    if !chain {
        words.take(&["AND", "NO", "CHAIN"]);
    }
    words.take(&["NO", "RELEASE"]);
    chain
}
