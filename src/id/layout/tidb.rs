//! TiDB's ids, of 32 or of 64 bits: which server made it, that server's count, and which of the two it is.
//!
//! ```text
//!                      31         21 20              1   0
//!                     +-------------+-----------------+----+
//!                     |  server id  |      local      | =0 |     32 bits
//!                     |   (11 b)    |     (20 b)      |    |
//!                     +-------------+-----------------+----+
//!
//!   63  62         41 40                              1   0
//! +----+-------------+---------------------------------+----+
//! | =0 |  server id  |              local              | =1 |     64 bits
//! |    |   (22 b)    |             (40 b)              |    |
//! +----+-------------+---------------------------------+----+
//! ```
//!
//! The greeting carries the low 32 bits. Since server ids begin with 1, each id of 64 bits has a bit above those, and
//! bit 0 tells the low half of one from an id of 32 bits: `KILL` of such a half is recognised, and harms nobody.

use super::{Malformed, Reading};
use crate::id::span::Span;

const LOCAL_BITS_32: u32 = 20;
const LOCAL_BITS_64: u32 = 40;

/// The greatest server id in 32 bits.
pub(super) const SERVERS_32: u32 = (1 << 11) - 1;
/// The greatest server id in 64 bits.
pub(super) const SERVERS_64: u32 = (1 << 22) - 1;
/// The greatest server id in 32 bits whose ids have bit 31 clear.
pub(super) const SIGNED_SERVERS_32: u32 = (1 << 10) - 1;

/// How many local numbers TiDB reserves for sessions of its own, in 64 bits: the greatest ones. They are not given out.
const RESERVED: u64 = 200;

/// The local numbers of ids of 32 bits.
pub(super) const LOCALS_32: Span = Span::to((1 << LOCAL_BITS_32) - 1);
/// The local numbers of ids of 64 bits.
pub(super) const LOCALS_64: Span = Span::to((1 << LOCAL_BITS_64) - 1 - RESERVED);
/// The greatest local number in 64 bits with bit 31 of the id clear. There are greater ones again whose bit is clear;
/// a thousand million are enough.
pub(super) const SIGNED_LOCALS_64: u64 = (1 << 30) - 1;

/// Which of the two layouts an id has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Bits32,
    Bits64,
}

/// The id for `local` of `server` in `width`; both must be within its bounds.
pub(super) fn encode(width: Width, server: u32, local: u64) -> u64 {
    match width {
        Width::Bits32 => {
            debug_assert!((1..=SERVERS_32).contains(&server) && LOCALS_32.contains(local));
            u64::from(server) << (LOCAL_BITS_32 + 1) | local << 1
        }
        Width::Bits64 => {
            debug_assert!((1..=SERVERS_64).contains(&server) && LOCALS_64.contains(local));
            u64::from(server) << (LOCAL_BITS_64 + 1) | local << 1 | 1
        }
    }
}

/// The layout of `id`, and the server id and local number within it. The number may be one of the reserved ones.
///
/// # Errors
/// What it is instead, if no server makes such ids.
pub(super) fn decode(id: u64) -> Result<(Width, u32, u64), Reading> {
    let (width, bits, servers) = match (id & 1, id >> 32) {
        _ if id >> 63 == 1 => return Err(Reading::Malformed(Malformed::ExceedsInt64)),
        (1, 0) => return Err(Reading::Truncated),
        (1, _) => (Width::Bits64, LOCAL_BITS_64, SERVERS_64),
        (_, 0) => (Width::Bits32, LOCAL_BITS_32, SERVERS_32),
        (_, _) => return Err(Reading::Malformed(Malformed::ExceedsUint32)),
    };
    let local = id >> 1 & ((1 << bits) - 1);
    match u32::try_from(id >> (bits + 1)) {
        Ok(server) if (1..=servers).contains(&server) && local > 0 => Ok((width, server, local)),
        _ => Err(Reading::Nobodys),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ids_of_tidbs_documents() {
        for (id, server, local) in [
            (5_857_102_839_209_263_511, 2_663_502, 203),
            (5_857_102_839_209_263_513, 2_663_502, 204),
            (8_306_449_708_033_769_879, 3_777_336, 203),
        ] {
            assert_eq!(decode(id), Ok((Width::Bits64, server, local)));
            assert_eq!(encode(Width::Bits64, server, local), id);
        }
    }

    #[test]
    fn the_low_half_of_an_id_of_64_bits_is_recognised() {
        for id in [5_857_102_839_209_263_511_u64, 8_306_449_708_033_769_879] {
            assert_eq!(id & 0xFFFF_FFFF, 407);
        }
        assert_eq!(decode(407), Err(Reading::Truncated));
    }

    #[test]
    fn the_bounds() {
        for (width, server, local, id) in [
            (Width::Bits32, 1, 1, 0x20_0002),
            (Width::Bits32, 2_047, 1_048_575, 0xFFFF_FFFE),
            (Width::Bits64, 1, 1, 0x200_0000_0003),
            (Width::Bits64, 4_194_303, (1 << 40) - 201, 0x7FFF_FFFF_FFFF_FE6F),
        ] {
            assert_eq!(encode(width, server, local), id);
            assert_eq!(decode(id), Ok((width, server, local)));
        }
        assert_eq!((LOCALS_32.last(), LOCALS_64.last()), (1_048_575, (1 << 40) - 201));
        assert_eq!((SERVERS_32, SERVERS_64), (2_047, 4_194_303));
        // The first and the last of the reserved.
        assert_eq!(decode(0x200_0000_0000 | (((1 << 40) - 200) << 1) | 1), Ok((Width::Bits64, 1, (1 << 40) - 200)));
        assert_eq!(decode(0x3FF_FFFF_FFFF), Ok((Width::Bits64, 1, (1 << 40) - 1)));
    }

    #[test]
    fn bit_31_tells_the_great_server_ids_and_local_numbers() {
        let bit = |width, server, local| encode(width, server, local) >> 31 & 1;
        assert_eq!(bit(Width::Bits32, SIGNED_SERVERS_32, LOCALS_32.last()), 0);
        assert_eq!(bit(Width::Bits32, SIGNED_SERVERS_32 + 1, 1), 1);
        assert_eq!(bit(Width::Bits64, SERVERS_64, SIGNED_LOCALS_64), 0);
        assert_eq!(bit(Width::Bits64, 1, SIGNED_LOCALS_64 + 1), 1);
    }

    #[test]
    fn what_is_no_id() {
        let (int64, uint32) = (Malformed::ExceedsInt64, Malformed::ExceedsUint32);
        for (id, reading) in [
            (0, Reading::Nobodys),
            (1, Reading::Truncated),
            (0xFFFF_FFFF, Reading::Truncated),
            // Server 0, in either width.
            (4, Reading::Nobodys),
            (0x1_0000_0001, Reading::Nobodys),
            // Local number 0.
            (0x20_0000, Reading::Nobodys),
            (0x200_0000_0001, Reading::Nobodys),
            (0x1_0000_0000, Reading::Malformed(uint32)),
            (0x7FFF_FFFF_FFFF_FFFE, Reading::Malformed(uint32)),
            (1 << 63, Reading::Malformed(int64)),
            (u64::MAX, Reading::Malformed(int64)),
        ] {
            assert_eq!(decode(id), Err(reading), "{id:#x}");
        }
        assert_eq!(int64.to_string(), "unexpected connectionID exceeds int64");
        assert_eq!(uint32.to_string(), "unexpected connectionID exceeds uint32");
    }

    proptest! {
        #[test]
        fn decode_undoes_encode_in_32_bits(server in 1..=SERVERS_32, local in 1..=LOCALS_32.last()) {
            let id = encode(Width::Bits32, server, local);
            prop_assert_eq!(decode(id), Ok((Width::Bits32, server, local)));
            prop_assert!(u32::try_from(id).is_ok());
        }

        #[test]
        fn decode_undoes_encode_in_64_bits(server in 1..=SERVERS_64, local in 1..=LOCALS_64.last()) {
            let id = encode(Width::Bits64, server, local);
            prop_assert_eq!(decode(id), Ok((Width::Bits64, server, local)));
            prop_assert_eq!(decode(id & 0xFFFF_FFFF), Err(Reading::Truncated));
        }

        #[test]
        fn encode_undoes_decode(id in prop_oneof![any::<u64>(), any::<u32>().prop_map(u64::from)]) {
            if let Ok((width, server, local)) = decode(id)
                && (width == Width::Bits32 || LOCALS_64.contains(local))
            {
                prop_assert_eq!(encode(width, server, local), id);
            }
        }
    }
}
