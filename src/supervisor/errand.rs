//! Kills across nodes: those that this node asks of others, and those that others ask of it. A node that is asked answers for
//! its own sessions alone, and asks nobody.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    actor::{cause, peer, search_and_kill, told},
    elsewhere::{Elsewhere, Errand},
    kill::{Refusal, Requester},
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
    let (Target::Named(_), Some(elsewhere)) = (&kill.target, registry.elsewhere()) else { return here };
    let refusal = match here {
        Err(refusal) if matches!(refusal.told, Some(KillError::UnknownName(_))) => refusal,
        known => return known,
    };
    match elsewhere.kill(errand(registry, kill)).await {
        Ok(0) | Err(KillError::UnknownName(_)) => Err(refusal),
        Ok(sessions) => {
            let hidden = if refusal.hidden().is_some() { refusal.suspects() } else { Vec::new() };
            Ok(Receipt::elsewhere(sessions).sparing(Spared::from(hidden)))
        }
        Err(error) => Err(refusal.saying(error)),
    }
}

/// What the other nodes are asked for.
fn errand(registry: &Registry, kill: &Kill) -> Errand {
    Errand {
        by: Arc::clone(&kill.by),
        from: kill.from.zip(peer(registry, kill)),
        target: kill.target.clone(),
        mode: kill.mode,
    }
}

/// Carries out here what another node was asked for, with this node's eyes.
///
/// # Errors
/// Those of a kill that was asked for here.
#[allow(dead_code)] // until the node answers others
pub(crate) async fn carry_out(registry: &Arc<Registry>, errand: Errand) -> Result<Receipt, KillError> {
    if !registry.is_supervised() {
        return Err(KillError::Stopped);
    }
    if !registry.stands() {
        return Err(KillError::Offline);
    }
    let Errand { by, from, target, mode } = errand;
    let (session, origin) = from.unzip();
    let kill = Kill { by, from: session, target, mode };
    let number = registry.next_kill();
    // Nobody's own session is on another node.
    let peer = origin.filter(|_| registry.dialect.tells_killers());
    let by = Requester { principal: &kill.by, session: None, peer, kill: number };
    let result = match kill.target {
        Target::Session(id) => registry.kill_session(&by, id, kill.mode),
        _ => search_and_kill(registry, &by, &kill).await,
    };
    told(registry, &kill, cause(&kill), origin, number, result)
}
