//! Rows of the process list, and what stands in them, as nodes tell each other.
//!
//! A text of more than 256 KiB, of which a statement's shown text has a quarter, is cut: a row then always fits into a message.

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::{Arc, Once},
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::rpc::messages as wire;
use crate::{
    dialect::Node,
    id::SessionId,
    model::{
        Attributes, Behind, Command, Encryption, KillMode, Origin, Outcome, Principal, Privileges, ProcessRow, Seen,
        StatementNo, Tenant, cut,
    },
};

/// The longest text, in bytes.
const LONGEST: usize = 256 << 10;

/// What another node has said cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misread {
    /// Its version is newer, by all likelihood.
    #[error("unknown {what} {number}, perhaps of a newer version")]
    Unknown { what: &'static str, number: i64 },
    #[error("{0} is missing, or of a newer version")]
    Missing(&'static str),
    #[error("{0} is malformed")]
    Malformed(&'static str),
}

/// The commands, by their numbers from 1. A number is never used again.
const COMMANDS: [Command; 11] = [
    Command::Connect,
    Command::Sleep,
    Command::Query,
    Command::Execute,
    Command::Prepare,
    Command::FieldList,
    Command::InitDb,
    Command::ChangeUser,
    Command::ResetConnection,
    Command::Killed,
    Command::Quit,
];

fn command_number(command: Command) -> u32 {
    match command {
        Command::Connect => 1,
        Command::Sleep => 2,
        Command::Query => 3,
        Command::Execute => 4,
        Command::Prepare => 5,
        Command::FieldList => 6,
        Command::InitDb => 7,
        Command::ChangeUser => 8,
        Command::ResetConnection => 9,
        Command::Killed => 10,
        Command::Quit => 11,
    }
}

fn command(number: u32) -> Result<Command, Misread> {
    let known = usize::try_from(number).ok().and_then(|number| COMMANDS.get(number.checked_sub(1)?));
    known.copied().ok_or(Misread::Unknown { what: "command", number: number.into() })
}

/// The mode of a kill; `None` if it says that there is none.
pub(crate) fn mode(number: i32) -> Result<Option<KillMode>, Misread> {
    match wire::Mode::try_from(number) {
        Ok(wire::Mode::Unsaid) => Ok(None),
        Ok(wire::Mode::Query) => Ok(Some(KillMode::Query)),
        Ok(wire::Mode::Connection) => Ok(Some(KillMode::Connection)),
        Err(_) => Err(Misread::Unknown { what: "mode of a kill", number: number.into() }),
    }
}

impl From<KillMode> for wire::Mode {
    fn from(mode: KillMode) -> Self {
        match mode {
            KillMode::Query => wire::Mode::Query,
            KillMode::Connection => wire::Mode::Connection,
        }
    }
}

fn text(text: &str) -> String {
    cut(text, LONGEST).to_owned()
}

/// 584 years are enough.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl From<&Principal> for wire::Principal {
    fn from(principal: &Principal) -> Self {
        wire::Principal {
            user: text(principal.user()),
            host: text(principal.account_host()),
            privileges: principal.privileges().bits(),
            tenant: principal.tenant().map(text),
            cluster: principal.tenant_cluster().map(text),
        }
    }
}

/// Privileges that are not known here are left out, which is warned of once: each gives a right, and whoever lacks one may do less. To
/// refuse the call would keep administrators of newer nodes from killing on older ones for as long as a cluster is updated.
impl From<wire::Principal> for Principal {
    fn from(principal: wire::Principal) -> Self {
        let (privileges, known) = Privileges::from_bits(principal.privileges);
        if !known {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| tracing::warn!("accounts of another node have privileges that are not known here"));
        }
        let new = Principal::new(principal.user, privileges).at_host(principal.host);
        match principal.tenant {
            Some(name) => new.in_tenant(Tenant { name, cluster: principal.cluster }),
            None => new,
        }
    }
}

impl From<Origin> for wire::Address {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Local => wire::Address::default(),
            Origin::Network(address) => address.into(),
        }
    }
}

impl From<SocketAddr> for wire::Address {
    fn from(address: SocketAddr) -> Self {
        let port = address.port().into();
        match address {
            SocketAddr::V4(v4) => {
                wire::Address { ip: Bytes::copy_from_slice(&v4.ip().octets()), port, flow: 0, scope: 0 }
            }
            SocketAddr::V6(v6) => wire::Address {
                ip: Bytes::copy_from_slice(&v6.ip().octets()),
                port,
                flow: v6.flowinfo(),
                scope: v6.scope_id(),
            },
        }
    }
}

impl TryFrom<wire::Address> for Origin {
    type Error = Misread;

    fn try_from(address: wire::Address) -> Result<Self, Misread> {
        let malformed = Misread::Malformed("an address");
        let port = u16::try_from(address.port).map_err(|_| malformed.clone())?;
        if address.ip.is_empty() {
            return Ok(Origin::Local);
        }
        if let Ok(v4) = <[u8; 4]>::try_from(&address.ip[..]) {
            return Ok(Origin::Network(SocketAddr::new(IpAddr::from(v4), port)));
        }
        let v6 = <[u8; 16]>::try_from(&address.ip[..]).map_err(|_| malformed)?;
        Ok(Origin::Network(SocketAddrV6::new(v6.into(), port, address.flow, address.scope).into()))
    }
}

impl From<&Node> for wire::Node {
    fn from(node: &Node) -> Self {
        wire::Node {
            address: Some(node.address.into()),
            query_ids: node.query_ids,
            first_query_id: node.first_query_id,
        }
    }
}

impl TryFrom<wire::Node> for Node {
    type Error = Misread;

    fn try_from(node: wire::Node) -> Result<Self, Misread> {
        match Origin::try_from(node.address.ok_or(Misread::Missing("a node's address"))?)? {
            Origin::Network(address) => {
                Ok(Node { address, query_ids: node.query_ids, first_query_id: node.first_query_id })
            }
            Origin::Local => Err(Misread::Malformed("a node's address")),
        }
    }
}

impl From<SystemTime> for wire::Moment {
    fn from(time: SystemTime) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => wire::Moment { seconds: seconds(since), nanos: since.subsec_nanos() },
            // The nanoseconds count forward from the second before.
            Err(before) => match (seconds(before.duration()), before.duration().subsec_nanos()) {
                (seconds, 0) => wire::Moment { seconds: -seconds, nanos: 0 },
                (seconds, nanos) => wire::Moment { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
            },
        }
    }
}

impl TryFrom<wire::Moment> for SystemTime {
    type Error = Misread;

    fn try_from(moment: wire::Moment) -> Result<Self, Misread> {
        let seconds = Duration::from_secs(moment.seconds.unsigned_abs());
        let second = match moment.seconds {
            0.. => SystemTime::UNIX_EPOCH.checked_add(seconds),
            _ => SystemTime::UNIX_EPOCH.checked_sub(seconds),
        };
        let time = second.and_then(|second| second.checked_add(Duration::from_nanos(moment.nanos.into())));
        time.ok_or(Misread::Malformed("a time"))
    }
}

impl From<&Seen<'_>> for wire::Row {
    fn from(seen: &Seen<'_>) -> Self {
        let (outcome, error) = match seen.outcome {
            Outcome::None => (0, String::new()),
            Outcome::Ok => (1, String::new()),
            Outcome::Rows => (2, String::new()),
            Outcome::Error(error) => (3, text(error)),
        };
        wire::Row {
            id: seen.id.get(),
            client: seen.client.map(Into::into),
            principal: seen.principal.map(|principal| (&**principal).into()),
            same_principal: false,
            peer: Some(seen.peer.into()),
            // Of those that are longer than any client sends, none.
            attributes: seen
                .attributes
                .filter(|attributes| attributes.size() <= LONGEST)
                .map(|attributes| Bytes::copy_from_slice(attributes.as_bytes())),
            cipher: seen.encryption.map(|encryption| encryption.cipher.to_owned()),
            database: seen.database.map(|database| text(database)),
            login: seen.login.map(Into::into),
            command: command_number(seen.command),
            active: command_number(seen.active),
            killed: seen.killed.map_or(wire::Mode::Unsaid, Into::into).into(),
            time: nanos(seen.time),
            state_time: nanos(seen.state_time),
            state: text(seen.state),
            info: seen.info.map(text),
            statement: seen.statement.map(StatementNo::get),
            query_id: seen.query_id,
            last_query_id: seen.last_query_id,
            trace_id: seen.trace_id.map(|trace_id| text(trace_id)),
            outcome,
            error,
            in_transaction: seen.in_transaction,
            transaction_time: seen.transaction_time.map(nanos),
            autocommit: seen.autocommit,
        }
    }
}

impl TryFrom<wire::Row> for ProcessRow {
    type Error = Misread;

    fn try_from(row: wire::Row) -> Result<Self, Misread> {
        let outcome = match row.outcome {
            0 => Outcome::None,
            1 => Outcome::Ok,
            2 => Outcome::Rows,
            3 => Outcome::Error(row.error.into()),
            number => return Err(Misread::Unknown { what: "outcome", number: number.into() }),
        };
        Ok(ProcessRow {
            id: SessionId::new(row.id),
            client: row.client.map(Into::into),
            principal: row.principal.map(|principal| Arc::new(principal.into())),
            peer: row.peer.ok_or(Misread::Missing("a client's address"))?.try_into()?,
            attributes: row.attributes.map(|bytes| Attributes::from_bytes(&bytes)),
            encryption: row.cipher.map(|cipher| Encryption::named(&cipher)),
            database: row.database.map(Into::into),
            login: row.login.map(TryInto::try_into).transpose()?,
            command: command(row.command)?,
            active: command(row.active)?,
            killed: mode(row.killed)?,
            time: Duration::from_nanos(row.time),
            state_time: Duration::from_nanos(row.state_time),
            state: row.state,
            info: row.info,
            statement: row.statement.map(StatementNo::new),
            query_id: row.query_id,
            last_query_id: row.last_query_id,
            trace_id: row.trace_id.map(Into::into),
            outcome,
            in_transaction: row.in_transaction,
            transaction_time: row.transaction_time.map(Duration::from_nanos),
            autocommit: row.autocommit,
            // Of its own node alone.
            thread: 0,
            behind: Behind::default(),
        })
    }
}

#[cfg(test)]
mod tests;
