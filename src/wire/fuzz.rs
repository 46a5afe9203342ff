//! What clients send, read as a connection reads it, and the laws that hold whatever they send: see [`crate::fuzz`].

use std::sync::Arc;

use bytes::{Buf, Bytes};
use mysql_common::constants::CapabilityFlags;

use super::{
    command,
    frame::{Inbound, Packet},
    hello::{self, Hello},
    login::OURS,
    params,
    prepared::Statements,
    proxy::fuzz as proxy,
};
#[cfg(feature = "compression")]
use super::{
    compress::{Algorithm, Frames},
    frame::FrameError,
};
use crate::{
    model::{CharacterSet, OwnedValue, Params},
    session::{Allowed, Keep, STATEMENT},
    supervisor::Gauge,
};

/// A buffer that grows may have twice the room that it needs.
const GROWTH: usize = 2;

/// The least room that a buffer takes.
const LEAST: usize = 256;

/// Packets out of a stream that arrives in pieces. The first byte says how long a packet may be, the second how long a piece
/// is; the rest is the stream.
pub(crate) fn packets(data: &[u8]) {
    let [limit, step, stream @ ..] = data else { return };
    let limit = 1 << (limit % 26);
    let pieces = reassembled(stream.chunks(usize::from(*step).max(1)), limit);
    let whole = reassembled(std::iter::once(stream), limit);
    assert_eq!(pieces, whole, "however they arrive");
    let total: usize = whole.0.iter().map(|packet| packet.payload.len() + 4).sum();
    assert!(total <= stream.len(), "nothing is made up");
    for packet in whole.0 {
        // COM_QUERY and its like take the payload as it is; whatever is read is no longer than it was.
        let _ = command::read(packet.payload);
    }
}

/// All packets, and whether the stream ended in an error.
fn reassembled<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<Packet>, bool) {
    let (mut inbound, mut found, mut arrived) = (Inbound::default(), Vec::new(), 0);
    let mut expected = 0;
    for piece in pieces {
        arrived += piece.len();
        let mut next = inbound.next_with(piece, expected, limit);
        loop {
            match next {
                Ok(Some(packet)) => {
                    assert!(packet.payload.len() <= limit, "no longer than is allowed");
                    expected = packet.sequence.wrapping_add(1);
                    found.push(packet);
                }
                Ok(None) => break,
                Err(_) => return (found, true),
            }
            next = inbound.next(expected, limit);
        }
        assert!(inbound.capacity() <= GROWTH * arrived + LEAST, "room for what came, not for what was claimed");
    }
    (found, false)
}

/// Frames of the compressed protocol, and the packets in them. The first byte says how it is compressed and how long a packet
/// may be, the second how long a piece is; the rest is the stream. What is sent in the other direction comes back as it was.
#[cfg(feature = "compression")]
pub(crate) fn frames(data: &[u8]) {
    let [how, step, stream @ ..] = data else { return };
    let algorithm = if how & 1 == 0 { Algorithm::Zlib } else { Algorithm::Zstd { level: 3 } };
    let limit = 1 << (how / 2 % 22);
    let most = limit + (64 << 10);
    let (mut frames, mut inbound, mut arrived, mut plain) = (Frames::new(algorithm), Inbound::default(), 0, 0);
    'stream: for piece in stream.chunks(usize::from(*step).max(1)) {
        frames.keep(piece);
        arrived += piece.len();
        // A frame that is uncompressed in several turns gives nothing at some of them.
        while let Some(some) = match frames.next(limit) {
            Ok(some) => some,
            Err(FrameError::OutOfOrder | FrameError::TooLarge | FrameError::Uncompressed) => break 'stream,
        } {
            assert!(some.len() <= most && some.capacity() <= GROWTH * most + LEAST, "no longer than is allowed");
            plain += some.len();
            inbound.keep(&some);
        }
        assert!(frames.capacity() <= GROWTH * arrived + LEAST, "room for what came, not for what was claimed");
        // DEFLATE makes at most 1032 times as much of anything, and zstd is held to what a frame says.
        assert!(plain <= most.max(1032 * arrived) * 128, "nothing is made up");
        let mut expected = 0;
        while let Ok(Some(packet)) = inbound.next(expected, limit) {
            expected = packet.sequence.wrapping_add(1);
        }
        inbound = Inbound::default();
    }
    let (mut ours, mut theirs, mut rest, mut back) =
        (Frames::new(algorithm), Frames::new(algorithm), stream, Vec::new());
    while !rest.is_empty() {
        rest = &rest[ours.put(rest)..];
        theirs.keep(ours.unwritten());
        ours.written(ours.unwritten().len());
        while let Some(some) = theirs.next(stream.len()).expect("what we send can be read") {
            back.extend_from_slice(&some);
        }
    }
    assert!(back == stream, "what was sent comes back");
}

/// An answer to the greeting.
pub(crate) fn hello(data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    assert!(!hello::wants_tls(&payload) || hello::mentions_tls(&payload));
    for ours in [OURS, CapabilityFlags::all()] {
        if let Some(hello) = hello::read_answer(&payload, ours) {
            assert!(ours.contains(hello.capabilities), "nothing that was not offered");
            is_bounded(&hello, data);
        }
    }
}

/// A COM_CHANGE_USER: four bytes of capabilities, and its payload.
pub(crate) fn change_user(data: &[u8]) {
    let Some((flags, payload)) = data.split_first_chunk() else { return };
    let capabilities = CapabilityFlags::from_bits_truncate(u32::from_le_bytes(*flags));
    if let Some(hello) = hello::read_change_user(&Bytes::copy_from_slice(payload), capabilities) {
        is_bounded(&hello, payload);
    }
}

/// What is kept of a client's word is no longer than it was.
fn is_bounded(hello: &Hello, sent: &[u8]) {
    // A byte of a name may become three.
    let names = hello.user.len() + hello.database.as_ref().map_or(0, String::len);
    assert!(names <= 3 * sent.len() && hello.claim.response.len() <= sent.len());
    let Some(attributes) = &hello.attributes else { return };
    // A pair takes two bytes at least, and four of its own.
    assert!(attributes.size() <= 2 * sent.len() && attributes.size() <= 2 * 64 * 1024);
    assert!(attributes.pairs().count() <= sent.len() / 2);
    for (name, _) in attributes.pairs().take(8) {
        assert!(attributes.get(&name).is_some(), "what was kept is found");
    }
    let logged = crate::control::logged_attributes(Some(attributes));
    assert!(!logged.chars().any(char::is_control), "one line");
}

/// The header of a proxy, in a stream that arrives byte by byte.
pub(crate) fn proxy(data: &[u8]) {
    match proxy::outcome(data) {
        Ok(Some(length)) => {
            assert!(length <= data.len() && length <= proxy::LONGEST, "of what came, and bounded");
            for cut in 0..length {
                assert_eq!(proxy::outcome(&data[..cut]), Ok(None), "a part of a header is no other one, nor a mistake");
            }
            assert_eq!(proxy::outcome(&data[..length]), Ok(Some(length)), "whatever follows it");
        }
        Ok(None) => assert!(data.len() < proxy::LONGEST, "nobody is waited for without end"),
        Err(error) => {
            let first = (0..data.len()).find(|cut| proxy::outcome(&data[..*cut]).is_err()).unwrap_or(data.len());
            let wrong = |cut| proxy::outcome(&data[..cut]) == Err(error);
            assert!((first..=data.len()).take(4096).all(wrong), "a mistake stays one, however much follows");
        }
    }
}

/// The parameters of a COM_STMT_EXECUTE: how many there are, what the client writes its text in, which of them came ahead, and
/// the payload behind its fixed part.
pub(crate) fn execute(data: &[u8]) {
    let [low, high, set, ahead, payload @ ..] = data else { return };
    let count = usize::from(u16::from_le_bytes([*low, *high]));
    let payload = Bytes::copy_from_slice(payload);
    let set = CharacterSet::of_collation((*set).into());
    let long = |place: usize| (place < 8 && ahead & (1 << place) != 0).then(|| b"came ahead".to_vec());
    let mut types = Vec::new();
    let read = params::read(&payload, count, &mut types, set, long);
    assert!(types.capacity() <= GROWTH * count.max(4), "one type for each");
    let Ok(Params(values)) = read else { return };
    assert_eq!(values.len(), count);
    // A byte of a text may become three, and eight values may have come ahead.
    let kept: usize = values.iter().map(length).sum();
    assert!(kept <= 3 * (payload.len() + 8 * 10), "nothing is made up");
    // Another execution may leave the types out, but not have other ones.
    let again = params::read(&payload, count, &mut types, set, long);
    assert_eq!(format!("{:?}", Ok::<_, crate::SqlError>(Params(values))), format!("{again:?}"), "and again");
}

fn length(value: &OwnedValue) -> usize {
    match value {
        OwnedValue::Text(text) | OwnedValue::Decimal(text) => text.len(),
        OwnedValue::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// The life of a connection's prepared statements. Of each step, the first byte says what is done, the second how long what
/// comes with it is.
pub(crate) fn statements(data: &[u8]) {
    const LIMIT: usize = 4096;
    let (gauge, keep, allowed) = (Gauge::default(), Arc::<Keep>::default(), Allowed::bytes(LIMIT));
    let mut statements = Statements::new(Arc::clone(&keep), LIMIT / 2);
    let mut rest = Bytes::copy_from_slice(data);
    while rest.remaining() >= 2 {
        let (step, length) = (rest.get_u8(), rest.get_u8());
        let payload = rest.split_to(rest.len().min(length.into()));
        match step % 5 {
            0 => drop(statements.insert(&payload, usize::from(step / 5), None, allowed, &gauge)),
            1 => drop(statements.execute(payload, CharacterSet::Utf8mb4)),
            2 => statements.long_data(payload, allowed),
            3 => drop(statements.reset(payload)),
            _ => drop(statements.close(payload)),
        }
        assert!(keep.held() <= LIMIT && keep.held() <= STATEMENT * data.len(), "what they hold is bounded");
    }
    drop(statements);
    assert_eq!((keep.held(), gauge.get()), (0, 0), "and counted to its end");
}
