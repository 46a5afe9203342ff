//! The packets of an answer, one after the other: what each of them is. Pure; rows do not come here.

use bytes::Bytes;

use super::answer::{self, Answer, EOF_LENGTH, ERROR};
use crate::{model::SqlError, wire::Reader};

/// So many bytes the definitions of one result set may have. MySQL has 4096 columns at most.
pub(super) const MOST_DEFINITIONS: usize = 16 << 20;

/// The first byte of an OK.
const OK: u8 = 0x00;

/// The first byte of the end of rows.
const END: u8 = 0xfe;

/// A server wants a file of the client's. We never said that we have any.
const LOCAL_INFILE: u8 = 0xfb;

/// The beginning of a result.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Head {
    /// A statement without rows ended well.
    Ok(Answer),
    /// A result set: the payloads of its columns' definitions. Its rows follow.
    Columns(Vec<Bytes>),
}

/// What a server says of a statement that it prepared.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Prepared {
    /// The server's id for it, on this connection.
    pub(in crate::proxy) id: u32,
    /// The definition of each parameter.
    pub(in crate::proxy) params: Vec<Bytes>,
    /// The definition of each column.
    pub(in crate::proxy) columns: Vec<Bytes>,
}

/// What a packet was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part of something.
    Part,
    /// The end of a result's head.
    Head(Head),
    /// The end of rows.
    End(Answer),
    /// The end of a preparation's answer.
    Prepared(Prepared),
}

/// Why nothing more is to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The statement ended with an error; the connection goes on.
    Failed(SqlError),
    /// It makes no sense.
    Malformed(&'static str),
}

/// Where in an answer the next packet stands.
#[derive(Debug, Default)]
enum Place {
    /// Behind its end.
    #[default]
    Over,
    /// At the first packet of a result.
    Head,
    /// Among the definitions of a result set's columns.
    Columns(Definitions),
    /// At the EOF behind them.
    ColumnsEnd(Vec<Bytes>),
    /// Among rows.
    Rows,
    /// At the first packet of a preparation's answer.
    Prepare,
    /// Among the definitions that follow it: parameters, then columns.
    Prepared { id: u32, params: Definitions, columns: Definitions },
}

/// Definitions that come one by one, and the EOF behind them, if there is one.
#[derive(Debug, Default)]
struct Definitions {
    got: Vec<Bytes>,
    bytes: usize,
    left: usize,
    eof: bool,
}

impl Definitions {
    /// So many are to come.
    fn of(count: usize, eofs: bool) -> Self {
        Self { left: count, eof: eofs && count > 0, ..Self::default() }
    }

    fn is_whole(&self) -> bool {
        self.left == 0 && !self.eof
    }

    fn take(&mut self, packet: Bytes) -> Result<(), Rest> {
        if self.left == 0 {
            self.eof = false;
            return if is_eof(&packet) { Ok(()) } else { Err(Rest::Malformed("definitions without an end")) };
        }
        self.left -= 1;
        self.bytes += packet.len();
        if self.bytes > MOST_DEFINITIONS {
            return Err(Rest::Malformed("there is no end of columns"));
        }
        self.got.push(packet);
        Ok(())
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Reply {
    place: Place,
    /// Whether the server puts EOFs behind columns and rows, as older ones do.
    eofs: bool,
}

impl Reply {
    /// None yet. `eofs`: whether the server puts EOFs behind columns and rows.
    pub(super) fn new(eofs: bool) -> Self {
        Self { place: Place::Over, eofs }
    }

    /// Whether nothing more is to come.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.place, Place::Over)
    }

    /// Whether rows are next, or their end.
    pub(super) fn is_in_rows(&self) -> bool {
        matches!(self.place, Place::Rows)
    }

    /// The answer to a command begins.
    pub(super) fn begin(&mut self) {
        self.place = Place::Head;
    }

    /// The answer to a preparation begins.
    pub(super) fn begin_prepare(&mut self) {
        self.place = Place::Prepare;
    }

    /// An answer begins that is nothing but packets and an end.
    pub(super) fn begin_rows(&mut self) {
        self.place = Place::Rows;
    }

    /// What this packet is. Of rows, only their end may come here.
    pub(super) fn take(&mut self, packet: Bytes) -> Result<Event, Rest> {
        if packet.first() == Some(&ERROR) {
            self.place = Place::Over;
            let error = answer::error(&packet).ok_or(Rest::Malformed("an error that is cut short"))?;
            return Err(Rest::Failed(error));
        }
        let (place, event) = match std::mem::take(&mut self.place) {
            Place::Over => return Err(Rest::Malformed("an answer that nobody asked for")),
            Place::Head => self.head(&packet)?,
            Place::Columns(mut columns) => {
                columns.take(packet)?;
                self.columns(columns)
            }
            Place::ColumnsEnd(columns) if is_eof(&packet) => (Place::Rows, Event::Head(Head::Columns(columns))),
            Place::ColumnsEnd(_) => return Err(Rest::Malformed("columns without an end")),
            Place::Rows => {
                let end = answer::end(&packet);
                let end = end.filter(|_| packet.first() == Some(&END)).ok_or(Rest::Malformed("rows without an end"))?;
                (behind(&end), Event::End(end))
            }
            Place::Prepare => self.prepare(&packet)?,
            Place::Prepared { id, mut params, mut columns } => {
                if params.is_whole() { &mut columns } else { &mut params }.take(packet)?;
                prepared(id, params, columns)
            }
        };
        self.place = place;
        Ok(event)
    }

    fn head(&self, packet: &Bytes) -> Result<(Place, Event), Rest> {
        match packet.first() {
            Some(&OK) => {
                let answer = answer::ok(packet).ok_or(Rest::Malformed("an OK that is cut short"))?;
                Ok((behind(&answer), Event::Head(Head::Ok(answer))))
            }
            Some(&LOCAL_INFILE) => Err(Rest::Malformed("the server wants a file")),
            _ => {
                let count = Reader::new(packet).number().filter(|count| (1..=u16::MAX.into()).contains(count));
                let count = count.and_then(|count| usize::try_from(count).ok());
                let count = count.ok_or(Rest::Malformed("a result that is none"))?;
                Ok((Place::Columns(Definitions::of(count, false)), Event::Part))
            }
        }
    }

    fn columns(&self, columns: Definitions) -> (Place, Event) {
        match (columns.left, self.eofs) {
            (1.., _) => (Place::Columns(columns), Event::Part),
            (0, true) => (Place::ColumnsEnd(columns.got), Event::Part),
            (0, false) => (Place::Rows, Event::Head(Head::Columns(columns.got))),
        }
    }

    fn prepare(&self, packet: &[u8]) -> Result<(Place, Event), Rest> {
        let read = || {
            let mut rest = Reader::new(packet);
            let [marker] = *rest.array()?;
            let id = u32::from_le_bytes(*rest.array()?);
            let columns = u16::from_le_bytes(*rest.array()?);
            let params = u16::from_le_bytes(*rest.array()?);
            (marker == OK).then_some((id, params, columns))
        };
        let (id, params, columns) = read().ok_or(Rest::Malformed("a preparation that is none"))?;
        let of = |count: u16| Definitions::of(count.into(), self.eofs);
        Ok(prepared(id, of(params), of(columns)))
    }
}

fn prepared(id: u32, params: Definitions, columns: Definitions) -> (Place, Event) {
    if params.is_whole() && columns.is_whole() {
        let (params, columns) = (params.got, columns.got);
        (Place::Over, Event::Prepared(Prepared { id, params, columns }))
    } else {
        (Place::Prepared { id, params, columns }, Event::Part)
    }
}

/// What follows a result.
fn behind(answer: &Answer) -> Place {
    if answer.more { Place::Head } else { Place::Over }
}

fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() == EOF_LENGTH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFINITION: &[u8] = b"\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0";
    const EOF: &[u8] = b"\xfe\0\0\x02\0";

    /// Takes these packets, and says what the last one was.
    fn last(reply: &mut Reply, packets: &[&[u8]]) -> Result<Event, Rest> {
        let (last, before) = packets.split_last().unwrap();
        for packet in before {
            assert_eq!(reply.take(Bytes::copy_from_slice(packet)), Ok(Event::Part), "{packet:?}");
        }
        reply.take(Bytes::copy_from_slice(last))
    }

    #[test]
    fn a_result_set_is_its_columns_and_its_end() {
        for eofs in [false, true] {
            let mut reply = Reply::new(eofs);
            reply.begin();
            let head: &[&[u8]] = &[b"\x02", DEFINITION, DEFINITION, EOF];
            let columns = last(&mut reply, &head[..if eofs { 4 } else { 3 }]).unwrap();
            assert_eq!(columns, Event::Head(Head::Columns(vec![Bytes::from_static(DEFINITION); 2])));
            assert!(reply.is_in_rows());
            // Another result of the same command follows.
            let end: &[u8] = if eofs { b"\xfe\0\0\x0a\0" } else { b"\xfe\0\0\x0a\0\0\0" };
            assert!(matches!(last(&mut reply, &[end]), Ok(Event::End(Answer { more: true, .. }))));
            assert!(!reply.is_over() && !reply.is_in_rows());
            let ok = last(&mut reply, &[b"\0\x01\0\x02\0\0\0"]).unwrap();
            assert!(matches!(ok, Event::Head(Head::Ok(Answer { more: false, .. }))) && reply.is_over());
        }
    }

    #[test]
    fn a_preparation_is_its_parameters_and_columns() {
        let d = DEFINITION;
        for (counts, eofs, rest) in [
            (b"\x02\0\x01\0", false, &[d, d, d][..]),
            (b"\x02\0\x01\0", true, &[d, EOF, d, d, EOF]),
            (b"\x02\0\0\0", true, &[d, d, EOF]),
            (b"\0\0\x02\0", true, &[d, d, EOF]),
            (b"\0\0\0\0", true, &[]),
        ] {
            let mut reply = Reply::new(eofs);
            reply.begin_prepare();
            let first = [b"\0\x0c\0\0\0", &counts[..], b"\0\0\0"].concat();
            let packets = [&[&first[..]], rest].concat();
            let columns = vec![Bytes::from_static(d); usize::from(counts[0])];
            let params = vec![Bytes::from_static(d); usize::from(counts[2])];
            let prepared = Prepared { id: 12, params, columns };
            assert_eq!(last(&mut reply, &packets), Ok(Event::Prepared(prepared)));
            assert!(reply.is_over());
        }
    }

    #[test]
    fn an_error_ends_the_answer_wherever_it_stands() {
        let places: [&[&[u8]]; 4] = [&[], &[b"\x02"], &[b"\x02", DEFINITION], &[b"\x01", DEFINITION, EOF]];
        for before in places {
            let mut reply = Reply::new(true);
            reply.begin();
            for packet in before {
                let _ = reply.take(Bytes::copy_from_slice(packet)).unwrap();
            }
            let ended = reply.take(Bytes::from_static(b"\xff\x25\x05#70100Query execution was interrupted"));
            assert_eq!(ended, Err(Rest::Failed(SqlError::interrupted())));
            assert!(reply.is_over());
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (eofs, packets) in [
            (false, &[&b""[..]][..]),
            (false, &[b"\xfb/etc/passwd"]),
            (false, &[b"\xfe\0\0\x01\0\0\0\0\0"]),
            (true, &[b"\x01", DEFINITION, DEFINITION]),
            (false, &[b"\0\0"]),
        ] {
            let mut reply = Reply::new(eofs);
            reply.begin();
            assert!(matches!(last(&mut reply, packets), Err(Rest::Malformed(_))), "{packets:?}");
        }
        let unasked = Reply::new(false).take(Bytes::from_static(b"\0\0\0\x02\0\0\0"));
        assert!(matches!(unasked, Err(Rest::Malformed(_))));
    }

    #[test]
    fn columns_have_an_end() {
        let mut reply = Reply::new(false);
        reply.begin();
        reply.take(Bytes::from_static(b"\xfc\xff\xff")).unwrap();
        let long = Bytes::from(vec![3; MOST_DEFINITIONS / 2]);
        assert_eq!(reply.take(long.clone()), Ok(Event::Part));
        assert_eq!(reply.take(long.clone()), Ok(Event::Part));
        assert!(matches!(reply.take(long), Err(Rest::Malformed(_))));
    }

    proptest! {
        /// Whatever packets come, the answer ends, or goes on.
        #[test]
        fn any_packets_are_answered(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 1..8),
            eofs in any::<bool>(),
            prepares in any::<bool>(),
        ) {
            let mut reply = Reply::new(eofs);
            if prepares { reply.begin_prepare() } else { reply.begin() }
            for packet in packets {
                let over = reply.is_over();
                let taken = reply.take(packet.into());
                prop_assert!(!over || taken.is_err());
                if matches!(taken, Err(Rest::Malformed(_))) {
                    return Ok(());
                }
            }
        }
    }
}
