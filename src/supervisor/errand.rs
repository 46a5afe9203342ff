//! Kills that this node asks of others.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    actor::{cause, peer, shown_id, told},
    elsewhere::{Elsewhere, Errand, client_killed},
    kill::Refusal,
    messages::Kill,
    receipt::{Receipt, Spared},
    registry::Registry,
};
use crate::{
    id::{Reading, SessionId},
    model::{KillError, Target},
};

/// Who asks the node that has this session; `None`: it is this one's, or nobody's.
pub(super) fn owner(registry: &Registry, id: SessionId) -> Option<&Arc<dyn Elsewhere>> {
    let elsewhere = registry.elsewhere()?;
    matches!(registry.layout().read(id.get()), Reading::OfServer(_)).then_some(elsewhere)
}

/// Asks the node that has the session, and tells of the answer as of that to a kill here. Once asked it goes on: whoever
/// waits for it may be killed meanwhile, and what was done is kept all the same.
pub(super) fn send(
    registry: &Arc<Registry>,
    elsewhere: &Arc<dyn Elsewhere>,
    kill: &Kill,
) -> BoxFuture<'static, Result<Receipt, KillError>> {
    let (number, from) = (registry.next_kill(), peer(registry, kill));
    let asked = elsewhere.kill(errand(registry, kill));
    let (registry, kill) = (Arc::clone(registry), kill.clone());
    let asked = tokio::spawn(async move {
        let result = asked.await.map(Receipt::elsewhere);
        let result = result.map_err(|error| Refusal::elsewhere(&registry.decoy, error));
        told(&registry, &kill, cause(&kill), from, number, result)
    });
    Box::pin(async move { asked.await.unwrap_or(Err(KillError::Stopped)) })
}

/// A statement that nobody here is known to run by its name may run on another node: the first that knows it counts. What
/// is not to be known of here is looked for there too, or the time would tell.
pub(super) async fn search_elsewhere(
    registry: &Registry,
    kill: &Kill,
    here: Result<Receipt, Refusal>,
) -> Result<Receipt, Refusal> {
    let Some(elsewhere) = registry.elsewhere() else { return here };
    if let Target::Session(client) = kill.target {
        return kill_client_elsewhere(elsewhere, errand(registry, kill), client, here).await;
    }
    let Target::Named(_) = &kill.target else { return here };
    // A namesake here, of somebody else or with nothing to end, is not all that there may be: clients choose trace ids.
    if here.as_ref().is_ok_and(Receipt::has_struck) {
        return here;
    }
    match (elsewhere.kill(errand(registry, kill)).await, here) {
        (Ok(0) | Err(KillError::UnknownName(_)), here) => here,
        (Ok(sessions), Err(refusal)) if refusal.truth().is_some_and(KillError::is_denial) => {
            Ok(Receipt::elsewhere(sessions).sparing(Spared::from(refusal.suspects())))
        }
        (Ok(sessions), _) => Ok(Receipt::elsewhere(sessions)),
        (Err(error), Err(refusal)) if matches!(refusal.told, Some(KillError::UnknownName(_))) => {
            Err(refusal.saying(error))
        }
        // It is known here.
        (Err(_), here) => here,
    }
}

/// A proxy's client may have sessions on every node.
async fn kill_client_elsewhere(
    elsewhere: &Arc<dyn Elsewhere>,
    errand: Errand,
    client: SessionId,
    here: Result<Receipt, Refusal>,
) -> Result<Receipt, Refusal> {
    let there = elsewhere.kill(errand).await;
    let of = match &here {
        Ok(receipt) => Ok(receipt.sessions() as u64),
        Err(refusal) => Err(refusal.told.clone().unwrap_or_else(|| KillError::UnknownSession(client.to_string()))),
    };
    let reached = there.clone().unwrap_or(0);
    match (client_killed(client, [of, there]), here) {
        // Those of the other nodes end there, and are known there.
        (Ok(_), Ok(receipt)) => Ok(receipt),
        (Ok(_), Err(refusal)) if refusal.truth().is_some_and(KillError::is_denial) => {
            Ok(Receipt::elsewhere(reached).sparing(Spared::from(refusal.suspects())))
        }
        (Ok(_), Err(_)) => Ok(Receipt::elsewhere(reached)),
        (Err(error), Err(refusal)) => Err(refusal.saying(error)),
        // What was ended here is over all the same.
        (Err(error), Ok(receipt)) => Ok(receipt.but(error)),
    }
}

/// What the other nodes are asked for.
fn errand(registry: &Registry, kill: &Kill) -> Errand {
    Errand {
        by: Arc::clone(&kill.by),
        from: kill.from.map(|id| shown_id(registry, id)).zip(peer(registry, kill)),
        target: kill.target.clone(),
        mode: kill.mode,
    }
}
