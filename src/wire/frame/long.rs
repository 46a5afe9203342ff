//! Rows of several packets, part by part as they come: nobody has to hold one whole.

use bytes::{Bytes, BytesMut};

use super::{FrameError, HEADER, Inbound, MAX_CHUNK, begins_row};

/// A row of several packets, of which parts were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongRow {
    /// So much of its packet is to come.
    left: usize,
    /// Whether that packet is its last.
    last: bool,
}

/// A part of such a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RowPart {
    pub(crate) bytes: Bytes,
    /// Whether it begins with a packet's header.
    pub(crate) starts: bool,
    /// Whether it is the row's last.
    pub(crate) ends: bool,
}

impl Inbound {
    /// The next part of a row of several packets, of `most` bytes and a header. `row`: what was taken of it before; `sequence`:
    /// the number of the next packet. `None`: nothing of it waits, or what is next is no such row.
    pub(crate) fn part(
        &mut self,
        row: &mut Option<LongRow>,
        sequence: &mut u8,
        most: usize,
    ) -> Result<Option<RowPart>, FrameError> {
        let begun = match row {
            None => None,
            Some(LongRow { left: 0, .. }) => None,
            Some(begun) => Some(*begun),
        };
        let (head, mut now) = match begun {
            Some(begun) => (0, begun),
            None => {
                let Some(&[a, b, c, number]) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
                let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
                if row.is_none() && (length < MAX_CHUNK || !begins_row(&self.buffer)) {
                    return Ok(None);
                }
                if number != *sequence {
                    return Err(FrameError::OutOfOrder);
                }
                *sequence = sequence.wrapping_add(1);
                (HEADER, LongRow { left: length, last: length < MAX_CHUNK })
            }
        };
        let taken = now.left.min(self.buffer.len() - head).min(most);
        if head + taken == 0 {
            return Ok(None);
        }
        let bytes = self.buffer.split_to(head + taken).freeze();
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        now.left -= taken;
        let ends = now.left == 0 && now.last;
        *row = (!ends).then_some(now);
        Ok(Some(RowPart { bytes, starts: head > 0, ends }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::framed, *};

    /// Puts the stream in, so many bytes at a time, and takes rows out, up to what is none.
    fn taken(stream: &[u8], cut: usize, first: u8) -> (Vec<u8>, Vec<bool>, u8) {
        let (mut inbound, mut row, mut next) = (Inbound::default(), None, first);
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        for fresh in stream.chunks(cut) {
            inbound.keep(fresh);
            loop {
                if row.is_none()
                    && let Some((rows, behind)) = inbound.rows(next, usize::MAX, 1 << 16).unwrap()
                {
                    out.extend_from_slice(&rows);
                    next = behind;
                    continue;
                }
                let Some(part) = inbound.part(&mut row, &mut next, 1 << 16).unwrap() else { break };
                assert!(part.bytes.len() <= HEADER + (1 << 16) && (!part.starts || part.bytes.len() >= HEADER));
                out.extend_from_slice(&part.bytes);
                ends.push(part.ends);
            }
            assert!(inbound.capacity() <= 4 * cut.max(1 << 16), "{} bytes are held", inbound.capacity());
        }
        assert!(row.is_none());
        (out, ends, next)
    }

    #[test]
    fn a_long_row_passes_in_parts_and_what_is_around_it_as_ever() {
        for length in [MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK, 2 * MAX_CHUNK + 70_000] {
            let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let packets = (length / MAX_CHUNK + 1) as u8;
            let mut stream = framed(b"\x01a", 250);
            stream.extend(framed(&payload, 251));
            stream.extend(framed(b"\x01b", 251u8.wrapping_add(packets)));
            let rows = stream.len();
            stream.extend(framed(b"\xfe\0\0\x02\0\0\0", 252u8.wrapping_add(packets)));
            for cut in [4_099, 1 << 16] {
                let (out, ends, next) = taken(&stream, cut, 250);
                assert!(out == stream[..rows], "{length} in {cut}");
                assert_eq!(ends.iter().filter(|ends| **ends).count(), 1);
                assert_eq!(next, 252u8.wrapping_add(packets));
            }
        }
    }

    #[test]
    fn packets_of_a_long_row_that_are_out_of_order_are_refused() {
        let mut inbound = Inbound::default();
        inbound.keep(b"\xff\xff\xff\x04\xfd");
        assert_eq!(inbound.part(&mut None, &mut 3, 10), Err(FrameError::OutOfOrder));
        let (mut row, mut next) = (Some(LongRow { left: 1, last: false }), 9);
        assert!(inbound.part(&mut row, &mut next, 10).unwrap().is_some_and(|part| !part.starts && !part.ends));
        inbound = Inbound::default();
        inbound.keep(b"\0\0\0\x08");
        assert_eq!(inbound.part(&mut row, &mut next, 10), Err(FrameError::OutOfOrder));
    }

    #[test]
    fn what_is_no_long_row_is_left_where_it_is() {
        for bytes in [&b"\x02\0\0\0\x01"[..], b"\xff\xff\xff\0", b"\xff\xff\xff\0\xff", b"\xff\xff"] {
            let mut inbound = Inbound::default();
            inbound.keep(bytes);
            assert_eq!(inbound.part(&mut None, &mut 0, 10), Ok(None), "{bytes:?}");
            assert_eq!(inbound.len(), bytes.len());
        }
    }
}
