//! What an id says by its bits alone, before anybody looks who has it.

/// What an id is in a [`Layout`](crate::Layout), as [`Layout::read`](crate::Layout::read) tells.
///
/// Whether anybody has it is another question. It arises for the first three; the others are no session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reading {
    /// One that this server may have given out.
    Ours,
    /// One that the server with this id may have given out.
    OfServer(u32),
    /// OceanBase: one that a proxy made, for a client across all servers.
    OfProxy,
    /// TiDB: the low half of an id of 64 bits, as a client reads it from the greeting. It stands for nobody: several
    /// ids, of any servers, have the same low half.
    Truncated,
    /// TiDB: one that cannot be an id, with TiDB's words for it.
    Malformed(Malformed),
    /// One that no server gives out.
    Nobodys,
}

/// Why TiDB does not take a number for an id. The texts are the ones that its `KILL` warns with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bit 63 is set, so it is no signed number of 64 bits.
    #[error("unexpected connectionID exceeds int64")]
    ExceedsInt64,
    /// Bit 0 says that it has 32 bits, but it has more.
    #[error("unexpected connectionID exceeds uint32")]
    ExceedsUint32,
}
