//! What a server asks of the other nodes of its cluster. What answers stands above, in `cluster`: here is what the sessions
//! and the host are told of it.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

#[cfg(feature = "system-tables")]
use crate::model::{Column, ColumnType, OwnedValue};
use crate::{
    dialect::Node,
    id::SessionId,
    model::{KillError, KillMode, Origin, Principal, ProcessRow, Target},
};

/// A kill that other nodes are asked for. They authorise it, with their own eyes.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    /// Who asks.
    pub(crate) by: Arc<Principal>,
    /// From which session here, and where its client is; `None`: the host itself.
    pub(crate) from: Option<(SessionId, Origin)>,
    /// What to end: a session of another node, or what is looked for on all of them.
    pub(crate) target: Target,
    /// How much of it.
    pub(crate) mode: KillMode,
}

/// The sessions of the other nodes, as far as somebody may see them.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// What each node has told, by ascending server id; of each the rows by ascending id.
    pub(crate) lists: Vec<(Node, Vec<ProcessRow>)>,
    /// The nodes whose rows are missing.
    pub(crate) missing: Vec<Missing>,
}

/// A node that has not told its sessions, and why not.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) server: u32,
    /// As a client is told.
    pub(crate) why: String,
}

/// A node of the cluster, as `killdeer.nodes` shows it.
#[cfg_attr(not(feature = "system-tables"), expect(dead_code, reason = "for `killdeer.nodes` alone"))]
#[derive(Clone, Debug)]
pub(crate) struct NodeRow {
    /// `None`: it is this one, and it has no server id.
    pub(crate) server: Option<u32>,
    /// Where its clients connect.
    pub(crate) address: String,
    pub(crate) epoch: u64,
    pub(crate) state: NodeState,
    /// `None`: it has not said.
    pub(crate) sessions: Option<u64>,
    /// How long it may still act without its coordinator; `None`: it has not said, or for ever.
    pub(crate) lease_left: Option<Duration>,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeState {
    /// It has a place in the cluster and answers.
    Up,
    /// It has a place in the cluster and does not answer.
    Unreachable,
    /// It has no place in the cluster, or might have lost it: this node alone is shown so.
    Offline,
}

impl NodeState {
    /// As the table shows it.
    #[cfg_attr(not(feature = "system-tables"), expect(dead_code, reason = "for `killdeer.nodes` alone"))]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Unreachable => "UNREACHABLE",
            Self::Offline => "OFFLINE",
        }
    }
}

#[cfg(feature = "system-tables")]
impl NodeRow {
    /// The columns of `killdeer.nodes`.
    pub(crate) fn columns() -> Vec<Column> {
        let number = |name, kind, width| Column::new(name, kind).unsigned().width(width);
        let text = |name, width| Column::new(name, ColumnType::VarChar).width(width).not_null();
        vec![
            number("SERVER_ID", ColumnType::Int, 10),
            text("ADDRESS", 261),
            number("EPOCH", ColumnType::BigInt, 20).not_null(),
            text("STATE", 16),
            number("SESSIONS", ColumnType::BigInt, 20),
            // In seconds.
            Column::new("LEASE_LEFT", ColumnType::Decimal).width(20).decimals(3),
        ]
    }

    /// The row, in the order of those columns.
    pub(crate) fn row(&self) -> [OwnedValue; 6] {
        let or_null = |value: Option<OwnedValue>| value.unwrap_or(OwnedValue::Null);
        let seconds = |time: Duration| OwnedValue::Decimal(format!("{}.{:03}", time.as_secs(), time.subsec_millis()));
        [
            or_null(self.server.map(|server| OwnedValue::UInt(server.into()))),
            OwnedValue::Text(self.address.clone()),
            OwnedValue::UInt(self.epoch),
            OwnedValue::Text(self.state.as_str().to_owned()),
            or_null(self.sessions.map(OwnedValue::UInt)),
            or_null(self.lease_left.map(seconds)),
        ]
    }
}

/// See the module's text. Each answer comes within a deadline, whatever the other nodes do.
pub(crate) trait Elsewhere: Send + Sync {
    /// Carries out a kill on the node that has the session, or on all others where what is to be ended is looked for; says
    /// how many sessions it reached there.
    fn kill(&self, errand: Errand) -> BoxFuture<'static, Result<u64, KillError>>;

    /// The sessions of all other nodes, asked at once.
    fn list(&self, by: Arc<Principal>) -> BoxFuture<'static, Gathered>;

    /// All nodes, this one among them, by ascending server id.
    #[cfg_attr(not(feature = "system-tables"), expect(dead_code, reason = "for `killdeer.nodes` alone"))]
    fn nodes(&self) -> BoxFuture<'static, Vec<NodeRow>>;
}

/// What whoever asked for the kill of a proxy's client is told, of which any server may have sessions: `answers` are those
/// of all of them, this one included. Never OK while sessions may be left where nobody has answered: then
/// [`KillError::ClientNotReached`] (OceanBase: 4402), whatever the others have ended.
pub(crate) fn client_killed(
    client: SessionId,
    answers: impl IntoIterator<Item = Result<u64, KillError>>,
) -> Result<u64, KillError> {
    let (mut reached, mut silent, mut denied) = (0, false, None);
    for answer in answers {
        match answer {
            Ok(sessions) => reached += sessions,
            Err(KillError::UnknownSession(_)) => {}
            Err(denial) if denial.is_denial() => denied = denied.or(Some(denial)),
            Err(_) => silent = true,
        }
    }
    match (silent, reached, denied) {
        (true, ..) => Err(KillError::ClientNotReached { client }),
        (false, 0, Some(denied)) => Err(denied),
        (false, 0, None) => Err(KillError::UnknownSession(client.to_string())),
        // As on one server: what is somebody else's is left alone without a word.
        (false, reached, _) => Ok(reached),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_counts_as_killed_only_if_every_server_has_answered() {
        let client = SessionId::new(7);
        let unknown = || Err(KillError::UnknownSession("7".into()));
        let denied = || Err(KillError::NotOwner(client));
        let failed = || Err(KillError::ClientNotReached { client });
        let (unreachable, unanswered) =
            (|| Err(KillError::Unreachable { server: 2 }), || Err(KillError::Unanswered { server: 3 }));
        for (answers, told) in [
            (vec![unknown(), unknown()], unknown()),
            (vec![Ok(1), unknown(), Ok(2)], Ok(3)),
            (vec![unknown(), Ok(1)], Ok(1)),
            (vec![unknown(), denied()], denied()),
            (vec![denied(), Ok(1)], Ok(1)),
            (vec![Ok(1), unreachable()], failed()),
            (vec![unknown(), unanswered()], failed()),
            (vec![denied(), unreachable()], failed()),
            (vec![Ok(1), Err(KillError::Offline)], failed()),
            (vec![], unknown()),
        ] {
            assert_eq!(client_killed(client, answers.clone()), told, "{answers:?}");
        }
    }
}
