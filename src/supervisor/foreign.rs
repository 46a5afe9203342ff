//! Kills that another node of the cluster asks for. They are decided here, with this node's own eyes, and carried out, counted
//! and told as those of its own clients are.

use std::sync::Arc;

use super::{
    actor::{search_and_kill, told},
    kill::Requester,
    messages::Kill,
    registry::Registry,
    tombs::Tomb,
};
use crate::model::{KillCause, KillError, Origin, Target};

/// A kill that another node asks for.
#[derive(Debug)]
pub(crate) struct ForeignKill {
    /// Who asks for what. The session that asks is one of that node's: no session here has its id, and it is no session's
    /// own kill.
    pub(crate) kill: Kill,
    /// Where the client is that asks, if one does.
    pub(crate) origin: Option<Origin>,
    /// The node's server id.
    pub(crate) server: u32,
    /// If there are any: nothing is to be killed but these clients of proxies, which another node has killed.
    pub(crate) tombs: Vec<Tomb>,
}

impl ForeignKill {
    /// Carries it out on this node's sessions, and says how many it reached.
    ///
    /// # Errors
    /// Those of a local kill; and that this node may not act.
    pub(crate) async fn carry_out(&self, registry: &Arc<Registry>) -> Result<u64, KillError> {
        if !registry.is_supervised() {
            return Err(KillError::Stopped);
        }
        if !registry.stands() {
            return Err(KillError::Offline);
        }
        if !self.tombs.is_empty() {
            // That was decided, and told, where it was asked for.
            self.tombs.iter().for_each(|tomb| registry.bury(tomb));
            return Ok(0);
        }
        let kill = &self.kill;
        // None of the sessions here asks.
        let peer = self.origin.filter(|_| registry.dialect.tells_killers());
        let by = Requester { principal: &kill.by, session: None, peer, kill: registry.next_kill() };
        let result = match kill.target {
            Target::Session(id) if !registry.is_client_id(id) => registry.kill_session(&by, id, kill.mode),
            _ => search_and_kill(registry, &by, kill).await,
        };
        let cause = KillCause::Peer(self.server);
        told(registry, kill, cause, self.origin, by.kill, result).map(|receipt| receipt.sessions() as u64)
    }

    /// The clients of proxies that are refused here from now on: the other nodes are to refuse them too.
    pub(crate) fn tombs(&self, registry: &Registry) -> Vec<Tomb> {
        registry.tombs_of_kill(&self.kill.target, self.kill.mode)
    }
}
