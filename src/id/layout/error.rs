//! Why there is no such layout, or no such id.

/// Why a [`Layout`](crate::Layout) or an id cannot be made: a number does not fit the bits that there are for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A range without ids, or with 0 in it, which is no id.
    #[error("no ids are from {first} to {last}: the first must be at least 1, and at most the last")]
    Range {
        /// The first id that was asked for.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// A part of an id that has too few bits for the number.
    #[error("{layout} has room for {part} {least} to {greatest}, not for {given}")]
    Part {
        /// Which layout it is.
        layout: &'static str,
        /// What the number is, in the plural: "server ids".
        part: &'static str,
        /// The least number that is allowed.
        least: u64,
        /// The greatest one.
        greatest: u64,
        /// The one that was given.
        given: u64,
    },
    /// A pool of no ids, or of more than the layout has.
    #[error("a pool may have 1 to {greatest} ids here, not {given}")]
    Pool {
        /// How many the layout has.
        greatest: u64,
        /// How many were asked for.
        given: u64,
    },
    /// A range of which no id has bit 31 clear.
    #[error("no id from {first} on can be read as a signed number of 32 bits, which ends at 2147483647")]
    NotSigned {
        /// The first id of the range.
        first: u64,
    },
    /// OceanBase's bit 31 has a meaning.
    #[error("bit 31 of an OceanBase id says that a server made it, and not a proxy, so it cannot be kept clear")]
    MarksServer,
}
