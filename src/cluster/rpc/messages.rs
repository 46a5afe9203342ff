//! What nodes say to each other: protocol buffers, written by hand. The service is `killdeer.Peers`, with the methods `Kill`
//! and `Status`, which have one answer, and `List`, whose answer comes in pieces.
//!
//! Each call is a [`Call`] and each answer an [`Answer`]: what is said stands inside as bytes, so that a seal is over exactly
//! those bytes. A node of a newer version may say more: fields that are not known are passed over. What must be understood,
//! such as what a kill is aimed at, and is not, gives an error.

use bytes::Bytes;
use prost::Message as _;

/// What is asked of which node.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Call {
    /// Whom it is for: the server id, and the epoch.
    #[prost(uint32, tag = "1")]
    pub(crate) server: u32,
    #[prost(fixed64, tag = "2")]
    pub(crate) epoch: u64,
    /// When it was sealed: milliseconds since 1970, by the caller's clock.
    #[prost(fixed64, tag = "3")]
    pub(crate) moment: u64,
    /// 16 random bytes; none if it is not sealed.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) nonce: Bytes,
    /// A [`KillCall`] or a [`ListCall`]; of a status nothing.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) body: Bytes,
    /// None if it is not sealed.
    #[prost(bytes = "bytes", tag = "6")]
    pub(crate) seal: Bytes,
}

/// An answer, or a piece of one.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    /// Counted from 0.
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    /// Whether it is the last piece.
    #[prost(bool, tag = "2")]
    pub(crate) last: bool,
    /// Whether the node does what it was asked for: a [`Standing`].
    #[prost(enumeration = "Standing", tag = "3")]
    pub(crate) standing: i32,
    /// A [`KillAnswer`], a [`ListPiece`] or a [`StatusAnswer`].
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) body: Bytes,
    /// None if it is not sealed.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) seal: Bytes,
}

/// Whether a node is in a position to do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Standing {
    /// It is.
    Good = 0,
    /// It is not the one that was meant, any more: it has another server id or another epoch.
    Another = 1,
    /// It has no place in the cluster, or might have lost it.
    Offline = 2,
}

/// Ends a session or a statement there.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KillCall {
    #[prost(message, optional, tag = "1")]
    pub(crate) by: Option<Principal>,
    /// The server id of the node that asks.
    #[prost(uint32, tag = "2")]
    pub(crate) asker: u32,
    /// From which session; none: its host asks.
    #[prost(message, optional, tag = "3")]
    pub(crate) from: Option<From>,
    #[prost(enumeration = "Mode", tag = "4")]
    pub(crate) mode: i32,
    #[prost(oneof = "Target", tags = "5, 6, 7, 8")]
    pub(crate) target: Option<Target>,
    /// If there are any: nothing is to be killed but these, which another node has killed.
    #[prost(message, repeated, tag = "9")]
    pub(crate) tombs: Vec<Tomb>,
}

/// A client of a proxy that was killed, as one account's (OceanBase).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Tomb {
    #[prost(message, optional, tag = "1")]
    pub(crate) client: Option<Client>,
    #[prost(string, tag = "2")]
    pub(crate) user: String,
    #[prost(string, optional, tag = "3")]
    pub(crate) tenant: Option<String>,
}

/// A session that asks.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct From {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    /// Where its client is.
    #[prost(message, optional, tag = "2")]
    pub(crate) peer: Option<Address>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Mode {
    Unsaid = 0,
    Query = 1,
    Connection = 2,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Target {
    #[prost(uint64, tag = "5")]
    Session(u64),
    #[prost(uint64, tag = "6")]
    Statement(u64),
    #[prost(string, tag = "7")]
    Named(String),
    #[prost(message, tag = "8")]
    User(User),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct User {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) host: Option<String>,
}

/// What became of a kill.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KillAnswer {
    #[prost(oneof = "Outcome", tags = "1, 2")]
    pub(crate) outcome: Option<Outcome>,
    /// The clients that the node refuses from now on: the other nodes are to refuse them too.
    #[prost(message, repeated, tag = "3")]
    pub(crate) tombs: Vec<Tomb>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Outcome {
    /// It reached so many sessions.
    #[prost(uint64, tag = "1")]
    Reached(u64),
    #[prost(message, tag = "2")]
    Refused(Refused),
}

/// A kill that was not carried out, as the requester is told.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Refused {
    #[prost(enumeration = "Refusal", tag = "1")]
    pub(crate) why: i32,
    /// The id of the session or the query, where it has one.
    #[prost(uint64, tag = "2")]
    pub(crate) id: u64,
    /// What it was called, where it has no number.
    #[prost(string, tag = "3")]
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Refusal {
    Unsaid = 0,
    UnknownSession = 1,
    NotOwner = 2,
    Protected = 3,
    UnknownQuery = 4,
    UnknownName = 5,
    NotQueryOwner = 6,
    Stopped = 7,
}

/// Asks for the sessions that somebody may see.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListCall {
    #[prost(message, optional, tag = "1")]
    pub(crate) by: Option<Principal>,
}

/// Some of them, by ascending id.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListPiece {
    /// In the first piece.
    #[prost(message, optional, tag = "1")]
    pub(crate) node: Option<Node>,
    /// Each a [`Row`]. They are decoded one at a time: all of them together take ten times the room of what they say.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) rows: Vec<Bytes>,
}

impl ListPiece {
    /// What stands before a row in the encoded message: the field's number, and that its length follows.
    const ROW: u8 = 2 << 3 | 2;

    /// Adds a row to the encoded message.
    pub(crate) fn encode_row(row: &Row, message: &mut Vec<u8>) {
        message.push(Self::ROW);
        row.encode_length_delimited(message).expect("a Vec has room");
    }
}

/// What lists say of the node itself.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Node {
    #[prost(message, optional, tag = "1")]
    pub(crate) address: Option<Address>,
    #[prost(fixed64, tag = "2")]
    pub(crate) query_ids: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) first_query_id: u64,
}

/// How a node is doing.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StatusAnswer {
    #[prost(uint64, tag = "1")]
    pub(crate) sessions: u64,
    /// In milliseconds: how long it may still act; none: for ever.
    #[prost(uint64, optional, tag = "2")]
    pub(crate) lease_left: Option<u64>,
}

/// An account.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Principal {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(string, tag = "2")]
    pub(crate) host: String,
    #[prost(uint32, tag = "3")]
    pub(crate) privileges: u32,
    #[prost(string, optional, tag = "4")]
    pub(crate) tenant: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) cluster: Option<String>,
}

/// A network address.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Address {
    /// 4 bytes or 16; none: a Unix socket.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) ip: Bytes,
    #[prost(uint32, tag = "2")]
    pub(crate) port: u32,
    /// Of IPv6.
    #[prost(uint32, tag = "3")]
    pub(crate) flow: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) scope: u32,
}

/// A time: since 1970.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Moment {
    #[prost(sint64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(uint32, tag = "2")]
    pub(crate) nanos: u32,
}

/// A session, as lists show it. Times are in nanoseconds.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Row {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) principal: Option<Principal>,
    /// In place of `principal`: the one of the row before in the list.
    #[prost(bool, tag = "25")]
    pub(crate) same_principal: bool,
    #[prost(message, optional, tag = "3")]
    pub(crate) peer: Option<Address>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) attributes: Option<Bytes>,
    #[prost(string, optional, tag = "5")]
    pub(crate) cipher: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) database: Option<String>,
    #[prost(message, optional, tag = "7")]
    pub(crate) login: Option<Moment>,
    #[prost(uint32, tag = "8")]
    pub(crate) command: u32,
    #[prost(uint32, tag = "9")]
    pub(crate) active: u32,
    #[prost(enumeration = "Mode", tag = "10")]
    pub(crate) killed: i32,
    #[prost(uint64, tag = "11")]
    pub(crate) time: u64,
    #[prost(uint64, tag = "12")]
    pub(crate) state_time: u64,
    #[prost(string, tag = "13")]
    pub(crate) state: String,
    #[prost(string, optional, tag = "14")]
    pub(crate) info: Option<String>,
    #[prost(uint64, optional, tag = "15")]
    pub(crate) statement: Option<u64>,
    #[prost(uint64, optional, tag = "16")]
    pub(crate) query_id: Option<u64>,
    #[prost(uint64, tag = "17")]
    pub(crate) last_query_id: u64,
    #[prost(string, optional, tag = "18")]
    pub(crate) trace_id: Option<String>,
    #[prost(uint32, tag = "19")]
    pub(crate) outcome: u32,
    /// Of a statement that ended with one.
    #[prost(string, tag = "20")]
    pub(crate) error: String,
    #[prost(bool, tag = "21")]
    pub(crate) in_transaction: bool,
    #[prost(uint64, optional, tag = "22")]
    pub(crate) transaction_time: Option<u64>,
    #[prost(bool, tag = "23")]
    pub(crate) autocommit: bool,
    #[prost(message, optional, tag = "24")]
    pub(crate) client: Option<Client>,
}

/// A client of a proxy (OceanBase).
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Client {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// Microseconds since 1970, by the proxy's clock.
    #[prost(uint64, tag = "2")]
    pub(crate) connected: u64,
}
