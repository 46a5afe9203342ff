//! The statements that are prepared on one server session, by their texts.
//!
//! The runtime gives its clients ids of its own, and with each execution the statement's text. The server's ids are looked up
//! here, so that a statement is prepared at the server once. A bounded number of them is kept; what is used least goes first.

use bytes::Bytes;

/// So many statements one server session keeps.
const MOST: usize = 64;

/// So many bytes their texts have together at most. A longer text is prepared anew each time.
const LONGEST: usize = 1 << 20;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// In the order of their last use, the latest last.
    known: Vec<(Bytes, u32)>,
    bytes: usize,
    /// The ids that are still to be closed at the server.
    unneeded: Vec<u32>,
}

impl Texts {
    /// The server's id for this text, if it is prepared there.
    pub(super) fn find(&mut self, sql: &[u8]) -> Option<u32> {
        let place = self.known.iter().rposition(|(text, _)| text == sql)?;
        let id = self.known[place].1;
        self.known[place..].rotate_left(1);
        Some(id)
    }

    /// Keeps a statement. The text's id before is not needed any more, nor are those that there is no more room for; the new
    /// one itself is needed once, if its text is too long to be kept.
    pub(super) fn insert(&mut self, sql: Bytes, id: u32) {
        self.remove(&sql);
        if sql.len() > LONGEST {
            self.unneeded.push(id);
            return;
        }
        self.bytes += sql.len();
        self.known.push((sql, id));
        while self.known.len() > MOST || self.bytes > LONGEST {
            let (text, id) = self.known.remove(0);
            self.bytes -= text.len();
            self.unneeded.push(id);
        }
    }

    /// Forgets a statement.
    pub(super) fn remove(&mut self, sql: &[u8]) {
        if let Some(place) = self.known.iter().position(|(text, _)| text == sql) {
            let (text, id) = self.known.remove(place);
            self.bytes -= text.len();
            self.unneeded.push(id);
        }
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
        (0..64).for_each(|number| texts.insert(text(number), number));
        assert_eq!(texts.unneeded(), None);
        assert_eq!(texts.find(&text(0)), Some(0), "and it is the latest now");
        texts.insert(text(1000), 1000);
        assert_eq!((texts.unneeded(), texts.unneeded()), (Some(1), None));
        assert_eq!((texts.find(&text(1)), texts.find(&text(0))), (None, Some(0)));
    }

    #[test]
    fn a_text_that_is_prepared_again_has_its_new_id_alone() {
        let mut texts = Texts::default();
        texts.insert(text(1), 1);
        texts.insert(text(1), 2);
        assert_eq!((texts.unneeded(), texts.unneeded()), (Some(1), None));
        assert_eq!(texts.find(&text(1)), Some(2));
        texts.remove(&text(1));
        assert_eq!((texts.find(&text(1)), texts.unneeded(), texts.bytes), (None, Some(2), 0));
    }

    #[test]
    fn long_texts_are_kept_as_far_as_there_is_room() {
        let mut texts = Texts::default();
        let long = |fill: u8, length| Bytes::from(vec![fill; length]);
        texts.insert(long(b'a', LONGEST), 1);
        texts.insert(long(b'b', LONGEST / 2), 2);
        assert_eq!(texts.unneeded(), Some(1));
        texts.insert(long(b'c', LONGEST + 1), 3);
        assert_eq!(texts.unneeded(), Some(3), "too long to be kept");
        assert_eq!(texts.find(&long(b'b', LONGEST / 2)), Some(2));
    }
}
