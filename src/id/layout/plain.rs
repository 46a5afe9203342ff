//! Ids that are the server's count and nothing else: MySQL's, MariaDB's and Doris's.
//!
//! ```text
//!  31                              0
//! +---------------------------------+
//! |       count, from 1 (32 b)      |
//! +---------------------------------+
//! ```
//!
//! No server's number is in them, so they are unique on one server only.

use super::Reading;
use crate::id::span::Span;

/// As the greeting has four bytes for the id. 0 is never given out.
pub(super) const LOCALS: Span = Span::to(u32::MAX as u64);

/// Those that are the same number when they are read as signed.
pub(super) const SIGNED: u64 = i32::MAX as u64;

/// The id for the count `local`: the same number.
pub(super) const fn encode(local: u64) -> u64 {
    local
}

/// The count within `id`.
///
/// # Errors
/// What it is instead, if it is not in `locals`.
pub(super) fn decode(id: u64, locals: Span) -> Result<u64, Reading> {
    if locals.contains(id) { Ok(id) } else { Err(Reading::Nobodys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_all_of_32_bits_but_0() {
        for (id, count) in [(1, Ok(1)), (4_294_967_295, Ok(4_294_967_295)), (0, Err(Reading::Nobodys))] {
            assert_eq!(decode(id, LOCALS), count);
        }
        // MySQL's KILL takes this for 1.
        assert_eq!(decode(4_294_967_297, LOCALS), Err(Reading::Nobodys));
    }
}
