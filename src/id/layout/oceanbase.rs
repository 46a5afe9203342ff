//! OceanBase's ids, of 32 bits: which server made it, and that server's sequence.
//!
//! ```text
//!   31  30  29        18 17            0
//! +---+---+-------------+---------------+
//! |=1 |=1 |  server id  |   sequence    |     now
//! |   |   |   (12 b)    |    (18 b)     |
//! +---+---+-------------+---------------+
//!
//!   31  30            16 15            0
//! +---+-----------------+---------------+
//! |=1 |    server id    |   sequence    |     formerly; ODP's documents show such ids
//! |   |     (15 b)      |    (16 b)     |
//! +---+-----------------+---------------+
//! ```
//!
//! Bit 31 is set if a server made the id, and clear if a proxy did. Bit 30 is reserved, and set. Neither the server id
//! nor the sequence is ever 0. The two layouts overlap, so all servers of a cluster must have the same.

use super::Reading;
use crate::id::span::Span;

const SEQUENCE_BITS: u32 = 18;
const OLDER_SEQUENCE_BITS: u32 = 16;

const MADE_BY_SERVER: u64 = 1 << 31;
const RESERVED: u64 = 1 << 30;

/// The greatest server id.
pub(super) const SERVERS: u32 = (1 << 12) - 1;
/// The greatest server id of the older layout.
pub(super) const OLDER_SERVERS: u32 = (1 << 15) - 1;

/// The sequences.
pub(super) const LOCALS: Span = Span::to((1 << SEQUENCE_BITS) - 1);
/// The sequences of the older layout.
pub(super) const OLDER_LOCALS: Span = Span::to((1 << OLDER_SEQUENCE_BITS) - 1);

/// The id for the sequence `local` of `server`; both must be within bounds.
pub(super) fn encode(server: u32, local: u64) -> u64 {
    debug_assert!(server <= SERVERS && LOCALS.contains(local));
    MADE_BY_SERVER | RESERVED | u64::from(server) << SEQUENCE_BITS | local
}

/// [`encode`], in the older layout.
pub(super) fn encode_older(server: u32, local: u64) -> u64 {
    debug_assert!(server <= OLDER_SERVERS && OLDER_LOCALS.contains(local));
    MADE_BY_SERVER | u64::from(server) << OLDER_SEQUENCE_BITS | local
}

/// The server id and the sequence within `id`.
///
/// # Errors
/// What it is instead, if no server makes such ids.
pub(super) fn decode(id: u64) -> Result<(u32, u64), Reading> {
    match parts(id, SERVERS, SEQUENCE_BITS) {
        Ok(_) if id & RESERVED == 0 => Err(Reading::Nobodys),
        parts => parts,
    }
}

/// [`decode`], in the older layout.
///
/// # Errors
/// As there.
pub(super) fn decode_older(id: u64) -> Result<(u32, u64), Reading> {
    parts(id, OLDER_SERVERS, OLDER_SEQUENCE_BITS)
}

/// The parts of `id`, with the server ids up to `servers` above a sequence of `bits`.
fn parts(id: u64, servers: u32, bits: u32) -> Result<(u32, u64), Reading> {
    match u32::try_from(id) {
        Err(_) | Ok(0) => Err(Reading::Nobodys),
        Ok(_) if id & MADE_BY_SERVER == 0 => Err(Reading::OfProxy),
        Ok(id) => {
            let (server, sequence) = (id >> bits & servers, u64::from(id) & ((1 << bits) - 1));
            if server == 0 || sequence == 0 { Err(Reading::Nobodys) } else { Ok((server, sequence)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ids_of_oceanbases_documents() {
        for (id, sequence) in [
            (3_221_487_617, 1),
            (3_221_487_619, 3),
            (3_221_487_628, 12),
            // From a document some years older.
            (3_221_638_212, 150_596),
            (3_221_638_213, 150_597),
        ] {
            assert_eq!(decode(id), Ok((1, sequence)));
            assert_eq!(encode(1, sequence), id);
        }
        // From a document of ODP's.
        assert_eq!(decode_older(2_147_549_203), Ok((1, 19)));
        assert_eq!(encode_older(1, 19), 2_147_549_203);
    }

    #[test]
    fn the_bounds() {
        assert_eq!(encode(1, 1), 0xC004_0001);
        assert_eq!(encode(SERVERS, LOCALS.last()), 0xFFFF_FFFF);
        assert_eq!(encode_older(1, 1), 0x8001_0001);
        assert_eq!(encode_older(OLDER_SERVERS, OLDER_LOCALS.last()), 0xFFFF_FFFF);
    }

    #[test]
    fn ids_that_no_server_makes() {
        for (id, now, older) in [
            (0, Reading::Nobodys, Some(Reading::Nobodys)),
            (7, Reading::OfProxy, Some(Reading::OfProxy)),
            (0x7FFF_FFFF, Reading::OfProxy, Some(Reading::OfProxy)),
            // Without the reserved bit; server 0; sequence 0; more than 32 bits.
            (2_147_549_203, Reading::Nobodys, None),
            (0x8004_0001, Reading::Nobodys, None),
            (0xC000_0001, Reading::Nobodys, None),
            (0x8000_0001, Reading::Nobodys, Some(Reading::Nobodys)),
            (0xC004_0000, Reading::Nobodys, Some(Reading::Nobodys)),
            (0x1_C004_0001, Reading::Nobodys, Some(Reading::Nobodys)),
        ] {
            assert_eq!(decode(id), Err(now), "{id:#x}");
            assert_eq!(decode_older(id).err(), older, "{id:#x}");
        }
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(server in 1..=SERVERS, local in 1..=LOCALS.last()) {
            prop_assert_eq!(decode(encode(server, local)), Ok((server, local)));
        }

        #[test]
        fn decode_undoes_encode_in_the_older_layout(server in 1..=OLDER_SERVERS, local in 1..=OLDER_LOCALS.last()) {
            prop_assert_eq!(decode_older(encode_older(server, local)), Ok((server, local)));
        }

        #[test]
        fn encode_undoes_decode(id: u32) {
            let id = u64::from(id);
            if let Ok((server, local)) = decode(id) {
                prop_assert_eq!(encode(server, local), id);
            }
            if let Ok((server, local)) = decode_older(id) {
                prop_assert_eq!(encode_older(server, local), id);
            }
        }
    }
}
