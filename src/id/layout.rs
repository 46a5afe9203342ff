//! The layout of ids: which ones a server may give out, and where in an id the server's own count stands.
//!
//! Not here: which of them is next (`order.rs`) and who has which (`map.rs`).

use std::ops::RangeInclusive;

use super::SessionId;

/// The range of ids that a server gives out.
///
/// A server counts its sessions with a *local number*; the layout turns that number into the [`SessionId`] that clients
/// see, and back. In the layouts below the two are the same number. Layouts for clusters put a server's number around
/// it, so that an id is unique in the cluster while each server still counts for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    first: u64,
    last: u64,
}

impl Layout {
    /// MySQL's: the ids 1 to 2^32 - 1, as the greeting has four bytes for the id. 0 is never given out.
    pub const fn plain32() -> Self {
        Self { first: 1, last: 0xFFFF_FFFF }
    }

    /// The ids `first` to `last`, both included: for tests, and for embedders whose ids must stay clear of others'.
    ///
    /// `None` if `first` is 0, which is no id, or greater than `last`. Ids above 2^32 - 1 do not fit the greeting of
    /// the MySQL protocol.
    pub const fn range(first: u64, last: u64) -> Option<Self> {
        if first == 0 || first > last { None } else { Some(Self { first, last }) }
    }

    /// How many ids there are, so how many sessions can live at once. At least 1.
    pub const fn size(&self) -> u64 {
        // No overflow: first is at least 1.
        self.last - self.first + 1
    }

    /// The local numbers, one for each id.
    pub(crate) fn locals(&self) -> RangeInclusive<u64> {
        self.first..=self.last
    }

    /// The id for `local`, which must be one of [`Layout::locals`]. Different numbers have different ids.
    pub(crate) fn encode(&self, local: u64) -> SessionId {
        debug_assert!(self.locals().contains(&local), "local number {local} is outside of {self:?}");
        SessionId::new(local)
    }

    /// The local number within `id`; `None` if this layout never gives out such an id.
    pub(crate) fn decode(&self, id: SessionId) -> Option<u64> {
        Some(id.get()).filter(|local| self.locals().contains(local))
    }
}

impl Default for Layout {
    /// MySQL's, [`Layout::plain32`].
    fn default() -> Self {
        Self::plain32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_never_0() {
        for (first, last, size) in
            [(1, 1, Some(1)), (5, 9, Some(5)), (1, u64::MAX, Some(u64::MAX)), (0, 9, None), (0, 0, None), (9, 8, None)]
        {
            assert_eq!(Layout::range(first, last).map(|layout| layout.size()), size, "{first}..={last}");
        }
    }

    #[test]
    fn mysqls_layout_is_all_of_32_bits_but_0() {
        let layout = Layout::plain32();
        assert_eq!(layout.locals(), 1..=u64::from(u32::MAX));
        assert_eq!(layout, Layout::default());
        assert_eq!(layout.decode(SessionId::new(0)), None);
        assert_eq!(layout.decode(SessionId::new(1 << 32)), None);
    }

    #[test]
    fn decode_undoes_encode_and_knows_no_other_ids() {
        let layout = Layout::range(5, 9).unwrap();
        for local in layout.locals() {
            assert_eq!(layout.decode(layout.encode(local)), Some(local));
        }
        for foreign in [0, 4, 10, u64::MAX] {
            assert_eq!(layout.decode(SessionId::new(foreign)), None);
        }
    }
}
