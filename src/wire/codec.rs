//! How a connection compresses, and what does it: zlib and zstd.
//!
//! What compresses and uncompresses belongs to the thread, and is lent to one frame at a time.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use mysql_common::constants::CapabilityFlags;
use zstd::zstd_safe::{CCtx, DCtx, zstd_sys::ZSTD_ErrorCode};

use super::frame::FrameError;

/// What uncompressing gives at a time.
const STEP: usize = 16 * 1024;

/// What is uncompressed in one turn, where it can be done in several.
pub(super) const TURN: usize = 256 * 1024;

/// zstd's level for clients that name none (MySQL: 3), and the highest that a client gets: what is above it costs the
/// server many times more.
const ZSTD_LEVEL: i32 = 3;
const MOST_ZSTD_LEVEL: i32 = 9;

/// What a block of zstd's becomes at most, and how long it is at least if it becomes anything (RFC 8878, 3.1.1.2).
const BLOCK: usize = 128 * 1024;
const BLOCK_CONTENT: usize = 4;

/// zstd's word for a destination that is full: its errors are negative numbers in an unsigned one.
const TOO_SMALL: usize = (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();

/// How a connection compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Zlib,
    Zstd { level: i32 },
}

impl Algorithm {
    /// The one that a client asks for: zlib, if it asks for both, as in MySQL. Of zstd the level is the last byte of
    /// its answer to the greeting.
    pub(super) fn asked(capabilities: CapabilityFlags, hello: &[u8]) -> Option<Self> {
        if capabilities.contains(CapabilityFlags::CLIENT_COMPRESS) {
            return Some(Algorithm::Zlib);
        }
        capabilities.contains(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM).then(|| {
            let level = match hello.last() {
                None | Some(0) => ZSTD_LEVEL,
                Some(level) => i32::from(*level).min(MOST_ZSTD_LEVEL),
            };
            Algorithm::Zstd { level }
        })
    }
}

/// What the thread lends.
pub(super) struct Tools {
    pub(super) deflate: Compress,
    inflate: Decompress,
    pub(super) zstd: CCtx<'static>,
    unzstd: DCtx<'static>,
    step: Box<[u8]>,
}

thread_local! {
    pub(super) static TOOLS: RefCell<Tools> = RefCell::new(Tools {
        deflate: Compress::new(Compression::default(), true),
        inflate: Decompress::new(true),
        zstd: CCtx::create(),
        unzstd: DCtx::create(),
        step: vec![0; STEP].into(),
    });
}

/// Adds what `plain` becomes to `out`. `false`: it cannot be compressed.
pub(super) fn compress(tools: &mut Tools, algorithm: Algorithm, plain: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    match algorithm {
        Algorithm::Zlib => {
            tools.deflate.reset();
            // Room for as much as came in: what would need more is sent as it is.
            out.reserve_exact(plain.len());
            let ended = tools.deflate.compress_vec(plain, out, FlushCompress::Finish);
            matches!(ended, Ok(Status::StreamEnd))
        }
        Algorithm::Zstd { level } => {
            out.resize(start + plain.len(), 0);
            match tools.zstd.compress(&mut out[start..], plain, level) {
                Ok(length) => {
                    out.truncate(start + length);
                    true
                }
                // It would have been longer.
                Err(_) => false,
            }
        }
    }
}

/// Puts what `content` becomes into `out`, which is empty; it must be `plain` bytes.
pub(super) fn uncompress(
    tools: &mut Tools,
    algorithm: Algorithm,
    content: &[u8],
    plain: usize,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let whole = match algorithm {
        Algorithm::Zlib => {
            tools.inflate.reset(true);
            inflate(&mut tools.inflate, &mut tools.step, content, plain + 1, out)?
        }
        Algorithm::Zstd { .. } => unzstd(tools, content, plain, out)?,
    };
    if whole && out.len() == plain { Ok(()) } else { Err(FrameError::Uncompressed) }
}

/// A long content of zlib's, uncompressed in part: it is done in turns.
pub(super) struct Half {
    content: Bytes,
    inflate: Decompress,
    /// How long it must become.
    plain: usize,
    out: Vec<u8>,
}

impl Half {
    pub(super) fn new(content: Bytes, plain: usize) -> Self {
        Self { content, inflate: Decompress::new(true), plain, out: Vec::new() }
    }

    /// How long the content is.
    pub(super) fn len(&self) -> usize {
        self.content.len()
    }

    /// Takes another turn: [`TURN`] bytes and a step at most. What it became, when that was the last one.
    pub(super) fn turn(&mut self, tools: &mut Tools) -> Result<Option<Vec<u8>>, FrameError> {
        let Self { content, inflate: state, plain, out } = self;
        let most = (out.len() + TURN).min(*plain + 1);
        let ended = inflate(state, &mut tools.step, content, most, out)?;
        match out.len() {
            length if length == *plain && ended => Ok(Some(std::mem::take(out))),
            length if length <= *plain && !ended => Ok(None),
            _ => Err(FrameError::Uncompressed),
        }
    }
}

/// Goes on with `content` until there are `most` bytes in `out`, and up to one step more. Whether that was all of it.
fn inflate(
    inflate: &mut Decompress,
    step: &mut [u8],
    content: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<bool, FrameError> {
    // All these numbers are within a frame.
    let length = |bytes: u64| usize::try_from(bytes).unwrap_or_default();
    while out.len() < most {
        let (read, made) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(&content[length(read)..], step, FlushDecompress::None);
        let status = status.map_err(|_| FrameError::Uncompressed)?;
        let made = length(inflate.total_out() - made);
        out.extend_from_slice(&step[..made]);
        if status == Status::StreamEnd {
            return Ok(true);
        }
        if inflate.total_in() == read && made == 0 {
            return Err(FrameError::Uncompressed);
        }
    }
    Ok(false)
}

/// The room grows only when zstd says that it was too small, and no further than to `plain` bytes or to the most that
/// can come of such a content: zstd also says so of wrong lengths within it.
fn unzstd(tools: &mut Tools, content: &[u8], plain: usize, out: &mut Vec<u8>) -> Result<bool, FrameError> {
    let most = plain.min(STEP.max(content.len() / BLOCK_CONTENT * BLOCK));
    let mut room = most.min(STEP.max(4 * content.len()));
    loop {
        out.reserve_exact(room);
        match tools.unzstd.decompress(out, content) {
            Ok(_) => return Ok(true),
            Err(TOO_SMALL) if room < most => room = most.min(4 * room),
            Err(_) => return Err(FrameError::Uncompressed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd { level: 3 }];

    #[test]
    fn clients_get_what_they_ask_for() {
        let (zlib, zstd) = (CapabilityFlags::CLIENT_COMPRESS, CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM);
        assert_eq!(Algorithm::asked(CapabilityFlags::empty(), &[7]), None);
        assert_eq!(Algorithm::asked(zlib.union(zstd), &[7]), Some(Algorithm::Zlib));
        for (byte, level) in [(0, 3), (1, 1), (7, 7), (22, 9), (255, 9)] {
            assert_eq!(Algorithm::asked(zstd, &[byte]), Some(Algorithm::Zstd { level }));
        }
    }

    #[test]
    fn rubbish_is_given_no_more_room_for_claiming_more() {
        let zstd: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1, 2];
        let truncated = &zstd::bulk::compress(&[7; 100], 3).unwrap()[..12];
        for rubbish in [b"rubbish!", zstd, truncated] {
            for algorithm in BOTH {
                let mut out = Vec::new();
                let claimed = 0xff_ff_ff;
                let done = TOOLS.with_borrow_mut(|tools| uncompress(tools, algorithm, rubbish, claimed, &mut out));
                assert_eq!(done, Err(FrameError::Uncompressed));
                assert!(out.capacity() <= STEP, "{algorithm:?}: {} for {rubbish:?}", out.capacity());
            }
        }
    }

    #[test]
    fn rubbish_that_seems_to_need_room_is_given_what_a_content_of_its_length_can_fill() {
        // A block whose literals are said to be longer than its window.
        let mut rubbish = vec![0x28, 0xb5, 0x2f, 0xfd];
        rubbish.extend_from_slice(&[100, 0, 0, 130, 0, 109, 0, 114, 25, 222, 0, 186, 230, 180, 0]);
        let (algorithm, mut out) = (BOTH[1], Vec::new());
        let done = TOOLS.with_borrow_mut(|tools| uncompress(tools, algorithm, &rubbish, 0xff_ff_ff, &mut out));
        assert_eq!(done, Err(FrameError::Uncompressed));
        assert_eq!(out.capacity(), 4 * 128 * 1024);
        // Of one that does fill it, all comes.
        let whole = zstd::bulk::compress(&vec![7; 0xff_ff_ff], 9).unwrap();
        let mut out = Vec::new();
        TOOLS.with_borrow_mut(|tools| uncompress(tools, algorithm, &whole, 0xff_ff_ff, &mut out)).unwrap();
        assert!(out.len() == 0xff_ff_ff && whole.len() < 2048, "{}", whole.len());
    }

    proptest! {
        /// Anything at all is answered, without a panic, and becomes no longer than it says. The room for it grows with
        /// what it becomes.
        #[test]
        fn any_content_is_answered(
            content in prop::collection::vec(any::<u8>(), 0..200),
            plain in 1usize..0x100_0000,
            plausible in any::<bool>(),
            zstd in any::<bool>(),
        ) {
            let mut content = content;
            if plausible {
                let head: &[u8] = if zstd { &[0x28, 0xb5, 0x2f, 0xfd] } else { &[0x78, 0x9c] };
                content.splice(0..0, head.iter().copied());
            }
            let (algorithm, mut out) = (BOTH[usize::from(zstd)], Vec::new());
            let done = TOOLS.with_borrow_mut(|tools| uncompress(tools, algorithm, &content, plain, &mut out));
            if done.is_ok() {
                prop_assert_eq!(out.len(), plain);
            }
            let room = if zstd {
                // A run of the longest blocks that there are would become as much.
                (content.len() / 4 * 0x2_0000).max(STEP)
            } else {
                // What another reader makes of it, up to where it is wrong.
                let mut made = Vec::new();
                let _ = flate2::read::ZlibDecoder::new(&content[..]).take(1 << 24).read_to_end(&mut made);
                2 * (made.len() + STEP)
            };
            prop_assert!(out.capacity() <= room, "{} of {} bytes", out.capacity(), content.len());
        }
    }
}
