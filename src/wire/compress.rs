//! The compressed protocol: the stream of packets, cut into frames of up to 2^24-1 bytes, each of them compressed or
//! not. Pure.
//!
//! A frame: its length, three bytes; a sequence number of its own, one byte; the length of what it becomes, three
//! bytes, or 0 if it is not compressed; its content.
//!
//! A connection keeps nothing but bytes that are on their way.

use bytes::{Buf, Bytes, BytesMut};
use mysql_common::constants::CapabilityFlags;

pub(super) use super::codec::Algorithm;
use super::{
    codec::{self, Half, TOOLS, TURN},
    frame::FrameError,
};

/// The length of a frame's header.
const HEADER: usize = 7;

/// What is shorter is not worth compressing (MySQL: MIN_COMPRESS_LENGTH).
const SHORTEST: usize = 50;

/// So much goes into a frame of ours: compressing it takes no long time.
const LONGEST: usize = 32 * 1024;

/// After so much was uncompressed at once, others on the arbiter have their turn.
const LONG: usize = 64 * 1024;

/// So much more than the longest packet a frame may become: it can hold the packets of several commands.
const SLACK: usize = 64 * 1024;

/// What we can do.
pub(super) const OFFERED: CapabilityFlags =
    CapabilityFlags::CLIENT_COMPRESS.union(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM);

/// The frames of one connection, in both directions.
pub(super) struct Frames {
    algorithm: Algorithm,
    /// What arrived and is not uncompressed yet.
    arrived: BytesMut,
    /// A frame that is uncompressed in part.
    half: Option<Box<Half>>,
    /// Frames of ours that were not written yet.
    ours: Bytes,
    /// The number of the next frame, whoever sends it. A command begins with 0.
    next: u8,
    /// How many frames were made since others had their turn.
    burst: u8,
    /// Much was uncompressed since others had their turn.
    full: bool,
}

impl Frames {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let (arrived, half, ours) = (BytesMut::new(), None, Bytes::new());
        Self { algorithm, arrived, half, ours, next: 0, burst: 0, full: false }
    }

    /// The number of the next frame.
    pub(super) fn number(&self) -> u8 {
        self.next
    }

    /// The next frame has this number.
    pub(super) fn renumber(&mut self, next: u8) {
        self.next = next;
    }

    /// How many bytes have arrived and wait.
    pub(super) fn len(&self) -> usize {
        self.arrived.len() + self.half.as_ref().map_or(0, |half| half.len())
    }

    /// The room that they take.
    #[cfg(feature = "internals")]
    pub(super) fn capacity(&self) -> usize {
        self.arrived.capacity()
    }

    /// Keeps bytes that arrived.
    pub(super) fn keep(&mut self, fresh: &[u8]) {
        self.arrived.extend_from_slice(fresh);
    }

    /// What the next frame becomes, if all of it has arrived; nothing yet (an empty one) where it is long and takes
    /// another turn. `limit`: how long a packet may be. The error comes as soon
    /// as a header shows it; nothing is allocated for what is merely claimed.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let plain = if self.half.is_some() { self.further() } else { self.begin(limit) }?;
        self.full |= plain.as_ref().is_some_and(|plain| plain.len() > LONG);
        Ok(plain)
    }

    fn further(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(mut half) = self.half.take() else { return Ok(None) };
        let plain = TOOLS.with_borrow_mut(|tools| half.turn(tools))?;
        self.full = true;
        Ok(Some(plain.unwrap_or_else(|| {
            self.half = Some(half);
            Vec::new()
        })))
    }

    fn begin(&mut self, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(&[a, b, c, number, d, e, f]) = self.arrived.first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        let plain = usize::from(d) | usize::from(e) << 8 | usize::from(f) << 16;
        if number != 0 && number != self.next {
            return Err(FrameError::OutOfOrder);
        }
        if length.max(plain) > limit.saturating_add(SLACK) {
            return Err(FrameError::TooLarge);
        }
        if self.arrived.len() < HEADER + length {
            return Ok(None);
        }
        let mut content = self.arrived.split_to(HEADER + length);
        if self.arrived.is_empty() {
            // An idle connection holds no buffer.
            self.arrived = BytesMut::new();
        }
        self.next = number.wrapping_add(1);
        content.advance(HEADER);
        if plain == 0 {
            return Ok(Some(content.into()));
        }
        if self.algorithm == Algorithm::Zlib && plain > TURN {
            self.half = Some(Box::new(Half::new(content.freeze(), plain)));
            return self.further();
        }
        let mut out = Vec::new();
        TOOLS.with_borrow_mut(|tools| codec::uncompress(tools, self.algorithm, &content, plain, &mut out))?;
        Ok(Some(out))
    }

    /// Makes a frame of as much of `plain` as goes into one, and says how much that was. Frames made before must have
    /// been written.
    pub(super) fn put(&mut self, plain: &[u8]) -> usize {
        let (plain, _) = plain.split_at(plain.len().min(LONGEST));
        let mut out = vec![0; HEADER];
        let compressed = plain.len() >= SHORTEST
            && TOOLS.with_borrow_mut(|tools| codec::compress(tools, self.algorithm, plain, &mut out))
            && out.len() - HEADER < plain.len();
        if !compressed {
            out.truncate(HEADER);
            out.extend_from_slice(plain);
        }
        let [a, b, c, ..] = (out.len() - HEADER).to_le_bytes();
        let [d, e, f, ..] = if compressed { plain.len() } else { 0 }.to_le_bytes();
        out[..HEADER].copy_from_slice(&[a, b, c, self.next, d, e, f]);
        self.next = self.next.wrapping_add(1);
        self.ours = out.into();
        self.burst += 1;
        plain.len()
    }

    /// What is to be written.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.ours
    }

    /// So much of it was written.
    pub(super) fn written(&mut self, bytes: usize) {
        self.ours.advance(bytes);
        if self.ours.is_empty() {
            // An idle connection holds no buffer.
            self.ours = Bytes::new();
        }
    }

    /// Whether so much was uncompressed that others should have their turn before the next. Asked once, it begins anew.
    pub(super) fn is_full(&mut self) -> bool {
        std::mem::take(&mut self.full)
    }

    /// Whether it is time to let others have their turn. Asked once, it begins to count anew.
    pub(super) fn is_tired(&mut self) -> bool {
        let tired = self.burst >= 2;
        if tired {
            self.burst = 0;
        }
        tired
    }
}

#[cfg(test)]
mod tests {
    use flate2::FlushCompress;
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd { level: 3 }];

    /// Everything that a connection would send for these bytes.
    fn sent(frames: &mut Frames, mut plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while !plain.is_empty() {
            plain = &plain[frames.put(plain)..];
            out.extend_from_slice(frames.unwritten());
            frames.written(frames.unwritten().len());
        }
        out
    }

    fn frame(number: u8, plain: usize, content: &[u8]) -> Vec<u8> {
        let (length, plain) = (content.len().to_le_bytes(), plain.to_le_bytes());
        [&length[..3], &[number], &plain[..3], content].concat()
    }

    #[test]
    fn little_is_not_compressed_and_much_is() {
        for algorithm in BOTH {
            let mut frames = Frames::new(algorithm);
            frames.keep(&frame(0, 0, b"\x01\0\0\0\x0e"));
            assert_eq!(frames.next(1024).unwrap().unwrap(), b"\x01\0\0\0\x0e");
            assert_eq!(sent(&mut frames, &[7; 49]), frame(1, 0, &[7; 49]));
            let long = sent(&mut frames, &[7; 1000]);
            assert!(long.len() < 60 && long[3..7] == [2, 0xe8, 0x03, 0], "{long:?}");
            assert!(frames.arrived.capacity() == 0 && frames.ours.is_empty(), "nothing is kept");
        }
    }

    #[test]
    fn what_does_not_become_shorter_is_sent_as_it_is() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[3]
        })
        .take(1000)
        .collect();
        for algorithm in BOTH {
            assert_eq!(sent(&mut Frames::new(algorithm), &noise), frame(0, 0, &noise));
        }
    }

    #[test]
    fn wrong_numbers_and_lengths_are_refused_as_soon_as_a_header_shows_them() {
        let header = |bytes: &[u8]| {
            let mut frames = Frames::new(Algorithm::Zlib);
            frames.keep(bytes);
            frames.next(1024)
        };
        assert_eq!(header(&[1, 0, 0, 0, 0, 0]), Ok(None));
        assert_eq!(header(&[1, 0, 0, 1, 0, 0, 0]), Err(FrameError::OutOfOrder));
        assert_eq!(header(&[1, 0, 0, 0, 0, 0, 0x10]), Err(FrameError::TooLarge), "claims to become 1 MiB");
        assert_eq!(header(&[0, 0, 0x10, 0, 0, 0, 0]), Err(FrameError::TooLarge), "claims to be 1 MiB");
    }

    #[test]
    fn a_frame_becomes_as_long_as_it_says_or_is_refused() {
        for algorithm in BOTH {
            let mut frames = Frames::new(algorithm);
            // A megabyte of zeros is a kilobyte or less.
            let mut bomb = Vec::with_capacity(1 << 16);
            let plain = vec![0; 1 << 20];
            assert!(TOOLS.with_borrow_mut(|tools| match algorithm {
                Algorithm::Zlib => {
                    tools.deflate.reset();
                    tools.deflate.compress_vec(&plain, &mut bomb, FlushCompress::Finish).is_ok()
                }
                Algorithm::Zstd { .. } => {
                    bomb.resize(1 << 16, 0);
                    let length = tools.zstd.compress(&mut bomb[..], &plain, 3).unwrap();
                    bomb.truncate(length);
                    true
                }
            }));
            assert!(bomb.len() < 1 << 12);
            let whole = |frames: &mut Frames| {
                loop {
                    match frames.next(1 << 21) {
                        Ok(Some(turn)) if turn.is_empty() => assert!(frames.half.is_some() && frames.is_full()),
                        done => return done,
                    }
                }
            };
            for claimed in [1, 100, 1 << 16, (1 << 20) - 1, (1 << 20) + 1] {
                frames.keep(&frame(0, claimed, &bomb));
                assert!(whole(&mut frames) == Err(FrameError::Uncompressed), "{algorithm:?} {claimed}");
                assert!(frames.half.is_none());
            }
            frames.keep(&frame(0, 1 << 20, &bomb));
            assert!(whole(&mut frames).unwrap().unwrap() == plain, "{algorithm:?}");
            assert!(frames.half.is_none() && frames.len() == 0 && frames.is_full());
        }
    }

    proptest! {
        /// However the frames arrive, what was put in comes out.
        #[test]
        fn bytes_survive_any_fragmentation(
            parts in prop::collection::vec((any::<u8>(), 1usize..100_000), 1..5),
            cuts in prop::collection::vec(1usize..30_000, 1..30),
            zstd in any::<bool>(),
        ) {
            let plain: Vec<u8> = parts.iter().flat_map(|(step, length)| {
                (0..*length).map(move |n| u8::try_from(n * usize::from(*step) / 7 % 251).unwrap())
            }).collect();
            let algorithm = BOTH[usize::from(zstd)];
            let stream = sent(&mut Frames::new(algorithm), &plain);
            let (mut there, mut out, mut at) = (Frames::new(algorithm), Vec::new(), 0);
            let mut cuts = cuts.into_iter().cycle();
            while at < stream.len() {
                let end = (at + cuts.next().unwrap()).min(stream.len());
                there.keep(&stream[at..end]);
                while let Some(some) = there.next(1 << 20).unwrap() {
                    out.extend(some);
                }
                at = end;
            }
            prop_assert!(out == plain);
            prop_assert_eq!(there.arrived.capacity(), 0);
        }
    }
}
