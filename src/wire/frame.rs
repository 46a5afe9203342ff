//! Packets in a stream of bytes: a length of three bytes, a sequence number, the payload; a payload of 2^24-1 bytes
//! goes on in the next packet.
//!
//! Nothing is ever allocated for a length that was merely claimed: the buffer grows with what has arrived.

use bytes::{Buf, Bytes, BytesMut};

/// A payload of this length goes on in the next packet.
pub(super) const MAX_CHUNK: usize = 0xff_ff_ff;

/// The length of a packet's header.
pub(super) const HEADER: usize = 4;

/// A whole packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// The sequence number of its last part.
    pub(super) sequence: u8,
    pub(super) payload: Bytes,
}

/// What is wrong with a client's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
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
pub(super) struct Inbound {
    buffer: BytesMut,
}

impl Inbound {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The room that it takes.
    #[cfg(feature = "internals")]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// What waits.
    pub(super) fn into_bytes(self) -> Bytes {
        self.buffer.freeze()
    }

    /// Keeps bytes for later.
    pub(super) fn keep(&mut self, fresh: &[u8]) {
        self.buffer.extend_from_slice(fresh);
    }

    /// All bytes that wait, which are then no packets of ours.
    #[cfg(feature = "tls")]
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.buffer).freeze()
    }

    /// The next packet, if all of it is there. `expected`: its sequence number; `limit`: how long its payload may be.
    pub(super) fn next(&mut self, expected: u8, limit: usize) -> Result<Option<Packet>, FrameError> {
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

    fn framed(payload: &[u8], mut sequence: u8) -> Vec<u8> {
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
