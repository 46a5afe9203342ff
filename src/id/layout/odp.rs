//! The ids that a proxy of OceanBase's kind, ODP, gives its clients: version 1 of the cs_id (see `odp.rs` above), of a proxy
//! with one count for all of its threads.
//!
//! ```text
//!   31  30       23  22  21  20                      0
//! +---+------------+---+---+--------------------------+
//! | m |  proxy id  |=0 |=0 |        sequence          |
//! |   |   (8 b)    |   |   |         (21 b)           |
//! +---+------------+---+---+--------------------------+
//! ```
//!
//! *m* is clear in the id itself, the cs_id, which the greeting carries and lists show, and set in the connection_id, which
//! `CONNECTION_ID()` says: ODP's servers know a client by an id of their own, in which it is set. Both stand for the same
//! session. A proxy without an id has 0.

use super::Reading;
use crate::id::{
    odp::{CsId, CsIdLayout, CsIdVersion},
    span::Span,
};

/// The greatest id of a proxy.
pub(super) const PROXIES: u32 = (1 << 8) - 1;

const SEQUENCE_BITS: u32 = 21;

/// The sequences.
pub(super) const LOCALS: Span = Span::to((1 << SEQUENCE_BITS) - 1);

/// What tells a connection_id from the cs_id.
pub(super) const MARK: u64 = 1 << 31;

/// The cs_id for the sequence `local` of proxy `proxy`; both must be within bounds.
pub(super) fn encode(proxy: u32, local: u64) -> u64 {
    debug_assert!(proxy <= PROXIES && LOCALS.contains(local));
    u64::from(proxy) << (SEQUENCE_BITS + 2) | local
}

/// The proxy's id and the sequence within a cs_id or a connection_id.
///
/// # Errors
/// What it is instead, if no proxy with such ids makes it.
pub(super) fn decode(id: u64) -> Result<(u32, u64), Reading> {
    let id = u32::try_from(id & !MARK).map_err(|_| Reading::Nobodys)?;
    match COUNTED_BY_ONE.decode(id) {
        Some(CsId { proxy, upgrade: false, thread: 0, sequence }) => Ok((proxy, sequence.into())),
        _ => Err(Reading::Nobodys),
    }
}

/// With one thread.
const COUNTED_BY_ONE: CsIdLayout = match CsIdLayout::new(CsIdVersion::V1, 1) {
    Ok(layout) => layout,
    Err(_) => panic!("one thread is never too many"),
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_ids_of_a_session_are_the_same_one() {
        for (proxy, sequence, cs_id) in [(0, 7, 7), (1, 1, 0x0080_0001), (255, LOCALS.last(), 0x7F9F_FFFF)] {
            assert_eq!(encode(proxy, sequence), cs_id);
            assert_eq!(decode(cs_id), Ok((proxy, sequence)));
            assert_eq!(decode(cs_id | MARK), Ok((proxy, sequence)));
        }
    }

    #[test]
    fn ids_that_no_such_proxy_makes() {
        // Without a sequence; of a proxy that was replaced; of another thread; more than 32 bits.
        for id in [0, MARK, 0x0080_0000, 0x0040_0001, 0x0020_0001, 1 << 32 | 7, 1 << 63 | 7] {
            assert_eq!(decode(id), Err(Reading::Nobodys), "{id:#x}");
        }
    }

    proptest! {
        #[test]
        fn they_are_cs_ids_of_version_1(proxy in 0..=PROXIES, local in 1..=LOCALS.last()) {
            let id = encode(proxy, local);
            prop_assert_eq!(decode(id), Ok((proxy, local)));
            let parts = CsId { proxy, upgrade: false, thread: 0, sequence: u32::try_from(local).unwrap() };
            prop_assert_eq!(COUNTED_BY_ONE.encode(parts), Ok(u32::try_from(id).unwrap()));
            prop_assert_eq!(id & MARK, 0);
        }
    }
}
