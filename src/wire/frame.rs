//! Packets in a stream of bytes: a length of three bytes, a sequence number, the payload; a payload of 2^24-1 bytes
//! goes on in the next packet.
//!
//! Nothing is ever allocated for a length that was merely claimed: the buffer grows with what has arrived.

#[cfg(feature = "proxy")]
mod long;

use bytes::{Buf, Bytes, BytesMut};

#[cfg(feature = "proxy")]
pub(crate) use self::long::{LongRow, RowPart};

/// A payload of this length goes on in the next packet.
pub(crate) const MAX_CHUNK: usize = 0xff_ff_ff;

/// The length of a packet's header.
pub(crate) const HEADER: usize = 4;

/// A whole packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The sequence number of its last part.
    pub(crate) sequence: u8,
    pub(crate) payload: Bytes,
}

/// What is wrong with a client's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The sequence number is not the next one.
    OutOfOrder,
    /// The payload is, or claims to be, longer than is allowed.
    TooLarge,
    /// What was compressed cannot be uncompressed, or becomes something of another length than it says.
    #[cfg_attr(not(feature = "compression"), expect(dead_code, reason = "nobody compresses"))]
    Uncompressed,
}

/// The bytes that arrived and are not used yet.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    buffer: BytesMut,
}

impl Inbound {
    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The room that it takes.
    #[cfg(any(feature = "internals", all(test, feature = "proxy")))]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// What waits.
    pub(super) fn into_bytes(self) -> Bytes {
        self.buffer.freeze()
    }

    /// Keeps bytes for later.
    pub(crate) fn keep(&mut self, fresh: &[u8]) {
        self.buffer.extend_from_slice(fresh);
    }

    /// All bytes that wait, which are then no packets of ours.
    #[cfg(feature = "tls")]
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.buffer).freeze()
    }

    /// The next packet, if all of it is there. `expected`: its sequence number; `limit`: how long its payload may be.
    pub(crate) fn next(&mut self, expected: u8, limit: usize) -> Result<Option<Packet>, FrameError> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let Some(found) = find(&self.buffer, expected, limit)? else { return Ok(None) };
        let packet = match found.parts {
            1 => {
                let mut whole = self.buffer.split_to(found.end);
                whole.advance(HEADER);
                whole.freeze()
            }
            _ => {
                let payload = join(&self.buffer[..found.end]);
                self.buffer.advance(found.end);
                payload
            }
        };
        if self.buffer.is_empty() {
            // An idle connection holds no buffer.
            self.buffer = BytesMut::new();
        }
        Ok(Some(Packet { sequence: found.sequence, payload: packet }))
    }

    /// Room for so many bytes more, to read into.
    #[cfg(feature = "proxy")]
    pub(crate) fn room(&mut self, bytes: usize) -> &mut BytesMut {
        // What is there already will do, unless it is too little to read for.
        if self.buffer.capacity() - self.buffer.len() < bytes / 4 {
            self.buffer.reserve(bytes);
        }
        &mut self.buffer
    }

    /// The rows of a server that wait whole, one after the other with their headers, and the number of the packet behind them:
    /// `most` bytes of them, or one row. `None`: none waits whole, or what is next is no row, but the end of them or an error.
    #[cfg(feature = "proxy")]
    pub(crate) fn rows(&mut self, expected: u8, limit: usize, most: usize) -> Result<Option<(Bytes, u8)>, FrameError> {
        let (mut end, mut next) = (0, expected);
        while end < most {
            let rest = &self.buffer[end..];
            if rest.len() <= HEADER || !begins_row(rest) {
                break;
            }
            let Some(found) = find(rest, next, limit)? else { break };
            if end > 0 && end + found.end > most {
                break;
            }
            end += found.end;
            next = found.sequence.wrapping_add(1);
        }
        if end == 0 {
            return Ok(None);
        }
        let rows = self.buffer.split_to(end).freeze();
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(Some((rows, next)))
    }

    /// The next packet, when `fresh` has just arrived. A packet that arrived whole costs no buffer.
    pub(super) fn next_with(&mut self, fresh: &[u8], expected: u8, limit: usize) -> Result<Option<Packet>, FrameError> {
        if !self.buffer.is_empty() {
            self.keep(fresh);
            return self.next(expected, limit);
        }
        match find(fresh, expected, limit)? {
            Some(found) if found.parts == 1 => {
                self.keep(&fresh[found.end..]);
                let payload = Bytes::copy_from_slice(&fresh[HEADER..found.end]);
                Ok(Some(Packet { sequence: found.sequence, payload }))
            }
            _ => {
                self.keep(fresh);
                self.next(expected, limit)
            }
        }
    }
}

/// Whether a packet among a server's rows is one, of which the header and a byte are there. No value begins with 0xff; one that
/// begins with 0xfe is of 16 MiB and more, so that its row has several parts.
#[cfg(feature = "proxy")]
fn begins_row(packet: &[u8]) -> bool {
    match packet {
        [a, b, c, _, first, ..] => match *first {
            0xff => false,
            0xfe => [*a, *b, *c] == [0xff; 3],
            _ => [*a, *b, *c] != [0; 3],
        },
        _ => false,
    }
}

struct Found {
    end: usize,
    parts: usize,
    sequence: u8,
}

/// Where the first packet of `bytes` ends. The error comes as soon as a header shows it, not when its payload is there.
fn find(bytes: &[u8], expected: u8, limit: usize) -> Result<Option<Found>, FrameError> {
    let (mut at, mut parts, mut total, mut sequence) = (0, 0, 0, expected);
    loop {
        let Some(&[a, b, c, number]) = bytes[at..].first_chunk::<HEADER>() else { return Ok(None) };
        if number != sequence {
            return Err(FrameError::OutOfOrder);
        }
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        total += length;
        if total > limit {
            return Err(FrameError::TooLarge);
        }
        parts += 1;
        at += HEADER + length;
        if at > bytes.len() {
            return Ok(None);
        }
        if length < MAX_CHUNK {
            return Ok(Some(Found { end: at, parts, sequence }));
        }
        sequence = sequence.wrapping_add(1);
    }
}

/// The payloads of several parts, joined.
fn join(mut bytes: &[u8]) -> Bytes {
    let mut payload = BytesMut::with_capacity(bytes.len());
    while let Some((&[a, b, c, _], rest)) = bytes.split_first_chunk::<HEADER>() {
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        let (part, rest) = rest.split_at(length);
        payload.extend_from_slice(part);
        bytes = rest;
    }
    payload.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn framed(payload: &[u8], mut sequence: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = payload;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(MAX_CHUNK));
            let length = u32::try_from(part.len()).unwrap().to_le_bytes();
            out.extend_from_slice(&length[..3]);
            out.push(sequence);
            out.extend_from_slice(part);
            sequence = sequence.wrapping_add(1);
            rest = tail;
            if part.len() < MAX_CHUNK {
                return out;
            }
        }
    }

    #[test]
    fn a_claimed_length_is_refused_before_anything_is_kept_for_it() {
        let mut inbound = Inbound::default();
        assert_eq!(inbound.next_with(&[0xff, 0xff, 0xff, 0], 0, 1024), Err(FrameError::TooLarge));
        let mut inbound = Inbound::default();
        assert_eq!(inbound.next_with(&[0xff, 0xff, 0xff, 0, 1], 0, 1 << 30), Ok(None));
        assert!(inbound.buffer.capacity() < 1024, "16 MiB were claimed, 5 bytes came");
    }

    #[test]
    fn a_payload_of_several_packets_is_joined() {
        let payload: Vec<u8> = (0..MAX_CHUNK + 5).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let mut inbound = Inbound::default();
        let packet = inbound.next_with(&framed(&payload, 0), 0, usize::MAX).unwrap().unwrap();
        assert_eq!(packet.sequence, 1);
        assert!(packet.payload == payload);
        let exact = vec![7; MAX_CHUNK];
        let packet = inbound.next_with(&framed(&exact, 0), 0, usize::MAX).unwrap().unwrap();
        assert!(packet.payload == exact);
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn rows_are_taken_in_runs_up_to_what_is_no_row() {
        let mut inbound = Inbound::default();
        let long = vec![0xfe; MAX_CHUNK];
        let rows: [&[u8]; 5] = [b"\x01a", b"\xfb", b"\0", b"\x02bc", &long];
        let mut sequence = 250;
        let mut stream = Vec::new();
        for row in rows {
            let packets = framed(row, sequence);
            // The longest has a second part, which is empty.
            sequence = sequence.wrapping_add(if row.len() == MAX_CHUNK { 2 } else { 1 });
            stream.extend_from_slice(&packets);
        }
        let end = framed(b"\xfe\0\0\x02\0\0\0", sequence);
        inbound.keep(&stream[..stream.len() - 1]);
        let (few, next) = inbound.rows(250, 1 << 30, 12).unwrap().unwrap();
        assert_eq!((&few[..], next), (&stream[..11], 252));
        let (more, next) = inbound.rows(next, 1 << 30, 1 << 20).unwrap().unwrap();
        assert_eq!((&more[..], next), (&stream[11..23], 254));
        assert_eq!(inbound.rows(next, 1 << 30, 1 << 20), Ok(None), "the rest of the long one is not there");
        inbound.keep(&[stream[stream.len() - 1]]);
        inbound.keep(&end);
        let (long, next) = inbound.rows(next, 1 << 30, 1 << 20).unwrap().unwrap();
        assert!(long == stream[23..] && next == 0, "one row, however long");
        assert_eq!(inbound.rows(next, 1 << 30, 1 << 20), Ok(None), "the end is no row");
        assert!(inbound.next(next, 1 << 30).unwrap().is_some());
        assert_eq!(inbound.buffer.capacity(), 0);
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn rows_out_of_order_or_too_long_are_refused() {
        let mut inbound = Inbound::default();
        inbound.keep(&framed(b"\x01a", 3));
        assert_eq!(inbound.rows(4, 1 << 30, 1 << 20), Err(FrameError::OutOfOrder));
        assert_eq!(inbound.rows(3, 1, 1 << 20), Err(FrameError::TooLarge));
    }

    proptest! {
        /// However the bytes arrive, the same packets come out, and nothing is kept when all are out.
        #[test]
        fn packets_survive_any_fragmentation(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..6),
            cuts in prop::collection::vec(1usize..20, 1..60),
        ) {
            let stream: Vec<u8> = payloads.iter().flat_map(|p| framed(p, 0)).collect();
            let (mut inbound, mut out, mut at) = (Inbound::default(), Vec::new(), 0);
            let mut cuts = cuts.into_iter().cycle();
            while at < stream.len() {
                let end = (at + cuts.next().unwrap()).min(stream.len());
                let mut next = inbound.next_with(&stream[at..end], 0, 1024).unwrap();
                while let Some(packet) = next {
                    out.push(packet.payload.to_vec());
                    next = inbound.next(0, 1024).unwrap();
                }
                at = end;
            }
            prop_assert_eq!(out, payloads);
            prop_assert_eq!(inbound.buffer.capacity(), 0);
        }

        /// However they arrive, the same rows come out, up to their end.
        #[cfg(feature = "proxy")]
        #[test]
        fn rows_survive_any_fragmentation(
            rows in prop::collection::vec(prop::collection::vec(0u8..0xfc, 1..50), 0..20),
            cuts in prop::collection::vec(1usize..200, 1..20),
            most in 1usize..200,
        ) {
            let mut stream = Vec::new();
            let mut sequence = 3u8;
            for payload in rows.iter().map(Vec::as_slice).chain([&b"\xfe\0\0\x02\0"[..]]) {
                stream.extend_from_slice(&framed(payload, sequence));
                sequence = sequence.wrapping_add(1);
            }
            let end = stream.len() - 9;
            let (mut inbound, mut out, mut at, mut next) = (Inbound::default(), Vec::new(), 0, 3);
            let mut cuts = cuts.into_iter().cycle();
            while at < stream.len() {
                let to = (at + cuts.next().unwrap()).min(stream.len());
                inbound.keep(&stream[at..to]);
                at = to;
                while let Some((run, behind)) = inbound.rows(next, 1024, most).unwrap() {
                    prop_assert!(run.len() <= most || join(&run).len() + HEADER == run.len(), "more than asked for");
                    out.extend_from_slice(&run);
                    next = behind;
                }
            }
            prop_assert!(out == stream[..end]);
            prop_assert!(inbound.next(next, 1024).unwrap().is_some());
        }

        /// Anything at all is answered, without a panic, and never kept in more room than it arrived in (twice over,
        /// as buffers grow).
        #[test]
        fn any_bytes_are_answered(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..10),
            limit in 0usize..0x200_0000,
        ) {
            let (mut inbound, mut arrived) = (Inbound::default(), 0);
            for chunk in &chunks {
                arrived += chunk.len();
                let mut next = inbound.next_with(chunk, 0, limit);
                while let Ok(Some(packet)) = next {
                    prop_assert!(packet.payload.len() <= limit);
                    next = inbound.next(0, limit);
                }
                prop_assert!(inbound.buffer.capacity() <= 2 * arrived + 64);
                if next.is_err() {
                    return Ok(());
                }
            }
        }
    }
}
