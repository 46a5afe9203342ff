//! What a statement asks of the other nodes of its cluster, before it shows their sessions beside this one's. It can be killed
//! while it waits for them.

#[cfg(feature = "cluster")]
use super::control::unless_killed;
use crate::{
    dialect::{Node, Reach},
    engine::StatementContext,
    model::{Killed, ProcessRow, Warning},
    supervisor::Registry,
};

/// The sessions of the other nodes, as far as they are wanted and have been told.
#[derive(Default)]
pub(super) struct Others {
    /// By ascending server id, each node's by ascending id.
    pub(super) lists: Vec<(Node, Vec<ProcessRow>)>,
    /// A warning for each node whose sessions are missing.
    pub(super) warnings: Vec<Warning>,
}

/// Whether a list shows the sessions of all nodes to this session.
pub(super) fn is_wide(cx: &StatementContext, reach: Reach) -> bool {
    match reach {
        Reach::Node => false,
        Reach::Cluster => true,
        Reach::Chosen => chosen(cx),
    }
}

/// Asks all other nodes for their sessions at once, if there are any nodes.
///
/// # Errors
/// The statement was killed meanwhile.
#[cfg(feature = "cluster")]
pub(super) async fn others(registry: &Registry, cx: &StatementContext) -> Result<Others, Killed> {
    let Some(elsewhere) = registry.elsewhere() else { return Ok(Others::default()) };
    let gathered = unless_killed(cx, elsewhere.list(std::sync::Arc::clone(cx.principal()))).await?;
    let missing = gathered.missing.iter().map(|missing| {
        let text = format!("The sessions of server {} of the cluster are missing: {}", missing.server, missing.why);
        Warning::of(crate::model::ErrorKind::UnansweredNode, text)
    });
    Ok(Others { warnings: missing.collect(), lists: gathered.lists })
}

/// Without clusters there are no others.
#[cfg(not(feature = "cluster"))]
#[expect(clippy::unused_async, reason = "as where there are some")]
pub(super) async fn others(_: &Registry, _: &StatementContext) -> Result<Others, Killed> {
    Ok(Others::default())
}

#[cfg(feature = "cluster")]
fn chosen(cx: &StatementContext) -> bool {
    cx.slot().limits().get(crate::model::Setting::ShowAllFeConnection) == Some(1)
}

#[cfg(not(feature = "cluster"))]
fn chosen(_: &StatementContext) -> bool {
    false
}

/// The nodes of the cluster, this one among them, as far as the statement's user may know of them: whoever does not see the
/// sessions of others sees the node that it is connected to.
///
/// # Errors
/// The statement was killed meanwhile.
#[cfg(all(feature = "cluster", feature = "system-tables"))]
pub(super) async fn nodes(
    registry: &Registry,
    cx: &StatementContext,
) -> Result<Vec<crate::supervisor::NodeRow>, Killed> {
    let Some(elsewhere) = registry.elsewhere() else { return Ok(vec![registry.alone()]) };
    let mut nodes = unless_killed(cx, elsewhere.nodes()).await?;
    if !registry.dialect.may_see(cx.principal(), None) {
        let own = registry.layout().server();
        nodes.retain(|node| node.server.is_none() || node.server == own);
    }
    Ok(nodes)
}
