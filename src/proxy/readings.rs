//! What the texts of prepared statements say, so that each is read once and not with every execution.
//!
//! The runtime gives an execution the very text that the statement was prepared from: it is found by where it lies. A bounded
//! number is kept; what is used least goes first.

use bytes::Bytes;

use super::{
    recent::Recent,
    route::{self, Reading},
};
use crate::control::Syntax;

/// So many of them are kept.
const MOST: usize = 64;

/// A longer text is read anew each time: keeping it could be keeping it alive.
const LONGEST: usize = 4 * 1024;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Readings {
    known: Recent<(Bytes, Reading<'static>)>,
}

impl Readings {
    /// What the text of a prepared statement says.
    pub(super) fn of<'a>(&mut self, sql: &'a Bytes, syntax: &Syntax) -> Reading<'a> {
        if let Some((_, reading)) = self.known.of(sql, |_| true) {
            return *reading;
        }
        let reading = route::read(sql, syntax);
        // What the proxy does itself may point into the text.
        if let Reading { own: None, verb, place, pins, unpins, uses_connection_id } = reading
            && sql.len() <= LONGEST
        {
            if self.known.len() == MOST {
                self.known.take_oldest();
            }
            let kept = Reading { own: None, verb, place, pins, unpins, uses_connection_id };
            // While it is kept here, nothing else can lie where it does.
            self.known.add(sql, (Bytes::clone(sql), kept));
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialect::Dialect, proxy::route::Place};

    #[test]
    fn a_text_is_read_once_and_those_used_least_make_room() {
        let syntax = Dialect::odp().syntax();
        let mut readings = Readings::default();
        let texts: Vec<Bytes> = (0..=MOST).map(|number| Bytes::from(format!("SELECT {number}"))).collect();
        for text in texts.iter().chain(&texts[1..]) {
            assert_eq!(readings.of(text, &syntax), route::read(text, &syntax));
        }
        assert_eq!(readings.known.len(), MOST);
        assert!(readings.known.find(|(text, _)| *text == texts[0]).is_none(), "it was used least");
    }

    #[test]
    fn texts_are_told_apart_by_where_they_lie() {
        let syntax = Dialect::odp().syntax();
        let mut readings = Readings::default();
        let read = Bytes::from("SELECT 1 -- a".to_owned());
        assert_eq!(readings.of(&read, &syntax).place, Place::Any);
        // It lies where the other begins, and says something else.
        let part = read.slice(..6);
        assert_eq!(readings.of(&part, &syntax), route::read(&part, &syntax));
        drop((read, part));
        // Nothing new lies where a text lay that is remembered.
        for number in 0..10 * MOST {
            let text = Bytes::from(format!("INSERT {number}"));
            assert_eq!(readings.of(&text, &syntax).place, Place::Primary);
        }
    }

    #[test]
    fn what_the_proxy_does_itself_and_long_texts_are_not_kept() {
        let syntax = Dialect::odp().syntax();
        let mut readings = Readings::default();
        let own = Bytes::from_static(b"SELECT CONNECTION_ID()");
        assert!(readings.of(&own, &syntax).own.is_some() && readings.of(&own, &syntax).own.is_some());
        let long = Bytes::from(format!("SELECT '{}'", "x".repeat(LONGEST)));
        assert_eq!(readings.of(&long, &syntax).place, Place::Any);
        assert_eq!(readings.known.len(), 0);
    }
}
