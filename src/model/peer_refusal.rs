//! Why somebody is not taken for a node of the cluster.

/// Why somebody who has called at the peers' port is not taken for a node of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PeerRefusal {
    /// The call is not sealed with the cluster's secret.
    #[error("the call has no seal")]
    NoSeal,
    /// It is sealed with another secret, or something of it was changed on its way, or it was for another node.
    #[error("the call's seal is wrong")]
    WrongSeal,
    /// It was sealed so long ago that it may be a repetition; or the two clocks differ by as much.
    #[error("the call was sealed too long ago, or by another clock")]
    Stale,
    /// It was heard before.
    #[error("the call was heard before")]
    Repeated,
    /// The caller showed no certificate of the cluster's authority.
    #[error("no certificate of the cluster's authority")]
    NoCertificate,
    /// The call is none that a node makes.
    #[error("the call is none of a node's")]
    Malformed,
}
