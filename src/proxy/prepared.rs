//! The statements that are prepared on one server session, by their texts and the databases that they were prepared in.
//!
//! The runtime gives its clients ids of its own, and with each execution the statement's text. The server's ids are looked up
//! here, so that a statement is prepared at the server once. A bounded number of them is kept; what is used least goes first.

use std::sync::Arc;

use bytes::Bytes;

use super::recent::Recent;

/// So many statements one server session keeps.
const MOST: usize = 64;

/// So many bytes their texts have together at most. A longer text is prepared anew each time.
const LONGEST: usize = 1 << 20;

#[derive(Debug)]
struct Known {
    /// The current database when it was prepared: names that have none before them are of that one.
    database: Option<Arc<str>>,
    sql: Bytes,
    id: u32,
}

impl Known {
    fn is(&self, database: Option<&str>, sql: &[u8]) -> bool {
        self.sql == sql && self.database.as_deref() == database
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: Recent<Known>,
    bytes: usize,
    /// The ids that are still to be closed at the server.
    unneeded: Vec<u32>,
}

impl Texts {
    /// The server's id for this text, if it is prepared there.
    pub(super) fn find(&mut self, database: Option<&str>, sql: &[u8]) -> Option<u32> {
        let here = self.known.of(sql, |known| known.database.as_deref() == database);
        if let Some(known) = here {
            return Some(known.id);
        }
        self.known.find(|known| known.is(database, sql)).map(|known| known.id)
    }

    /// Keeps a statement. The text's id before is not needed any more, nor are those that there is no more room for; the new
    /// one itself is needed once, if its text is too long to be kept.
    pub(super) fn insert(&mut self, database: Option<Arc<str>>, sql: Bytes, id: u32) {
        self.remove(database.as_deref(), &sql);
        if sql.len() > LONGEST {
            self.unneeded.push(id);
            return;
        }
        self.bytes += sql.len();
        self.known.add(&Bytes::clone(&sql), Known { database, sql, id });
        while self.known.len() > MOST || self.bytes > LONGEST {
            let oldest = self.known.take_oldest();
            self.forget(oldest);
        }
    }

    fn forget(&mut self, known: Option<Known>) {
        if let Some(Known { sql, id, .. }) = known {
            self.bytes -= sql.len();
            self.unneeded.push(id);
        }
    }

    /// Forgets a statement.
    pub(super) fn remove(&mut self, database: Option<&str>, sql: &[u8]) {
        let known = self.known.take(|known| known.is(database, sql));
        self.forget(known);
    }

    /// An id that is to be closed at the server, before the next statement is prepared or executed there.
    pub(super) fn unneeded(&mut self) -> Option<u32> {
        self.unneeded.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u32) -> Bytes {
        format!("SELECT {number}").into()
    }

    #[test]
    fn those_that_are_used_least_make_room() {
        let mut texts = Texts::default();
        (0..64).for_each(|number| texts.insert(None, text(number), number));
        assert_eq!(texts.unneeded(), None);
        assert_eq!(texts.find(None, &text(0)), Some(0), "and it is the latest now");
        texts.insert(None, text(1000), 1000);
        assert_eq!((texts.unneeded(), texts.unneeded()), (Some(1), None));
        assert_eq!((texts.find(None, &text(1)), texts.find(None, &text(0))), (None, Some(0)));
    }

    #[test]
    fn a_text_that_is_prepared_again_has_its_new_id_alone() {
        let mut texts = Texts::default();
        texts.insert(None, text(1), 1);
        texts.insert(None, text(1), 2);
        assert_eq!((texts.unneeded(), texts.unneeded()), (Some(1), None));
        assert_eq!(texts.find(None, &text(1)), Some(2));
        texts.remove(None, &text(1));
        assert_eq!((texts.find(None, &text(1)), texts.unneeded(), texts.bytes), (None, Some(2), 0));
    }

    #[test]
    fn one_text_is_another_statement_in_another_database() {
        let mut texts = Texts::default();
        for (id, database) in [(1, None), (2, Some("a")), (3, Some("b"))] {
            texts.insert(database.map(Arc::from), text(1), id);
        }
        assert_eq!(texts.unneeded(), None);
        assert_eq!(
            [None, Some("a"), Some("b"), Some("c")].map(|database| texts.find(database, &text(1))),
            [Some(1), Some(2), Some(3), None]
        );
        // The same one text, too.
        let sql = text(2);
        for (id, database) in [(4, "a"), (5, "b")] {
            texts.insert(Some(database.into()), sql.clone(), id);
        }
        assert_eq!(["a", "b", "c"].map(|database| texts.find(Some(database), &sql)), [Some(4), Some(5), None]);
        texts.remove(Some("a"), &text(1));
        assert_eq!((texts.find(Some("a"), &text(1)), texts.find(Some("b"), &text(1))), (None, Some(3)));
    }

    #[test]
    fn long_texts_are_kept_as_far_as_there_is_room() {
        let mut texts = Texts::default();
        let long = |fill: u8, length| Bytes::from(vec![fill; length]);
        texts.insert(None, long(b'a', LONGEST), 1);
        texts.insert(None, long(b'b', LONGEST / 2), 2);
        assert_eq!(texts.unneeded(), Some(1));
        texts.insert(None, long(b'c', LONGEST + 1), 3);
        assert_eq!(texts.unneeded(), Some(3), "too long to be kept");
        assert_eq!(texts.find(None, &long(b'b', LONGEST / 2)), Some(2));
    }
}
