//! The registry of a server that is a node of a cluster: it gives out the ids of the server id that it has, and ends its
//! sessions when it may have lost it.

use std::sync::Arc;

#[cfg(feature = "system-tables")]
use super::elsewhere::{NodeRow, NodeState};
use super::{elsewhere::Elsewhere, registry::Registry};
use crate::{
    id::Layout,
    model::Reason,
    state::{Raised, Signal, Slot},
};

impl Registry {
    /// Who asks the other nodes of the cluster, if there is one. Once, by the builder.
    pub(crate) fn set_elsewhere(&self, elsewhere: Arc<dyn Elsewhere>) {
        let _ = self.elsewhere.set(elsewhere);
    }

    /// The other nodes of the cluster, if there is one.
    pub(crate) fn elsewhere(&self) -> Option<&Arc<dyn Elsewhere>> {
        self.elsewhere.get()
    }

    /// This server where there are no others.
    #[cfg(feature = "system-tables")]
    pub(crate) fn alone(&self) -> NodeRow {
        NodeRow {
            server: self.layout().server(),
            address: self.node.address.to_string(),
            epoch: 0,
            state: if self.stands() { NodeState::Up } else { NodeState::Offline },
            sessions: Some(self.len() as u64),
            lease_left: None,
        }
    }

    /// Gives out the ids of another layout from now on. `false`, and nothing happens, while there are sessions.
    pub(crate) fn renumber(&self, layout: Layout) -> bool {
        self.sessions.renumber(layout)
    }

    /// This node may have lost its place in the cluster: it does nothing more, and its sessions are to end. Says how many
    /// there were. To be called again until there are none.
    pub(crate) fn fence(&self) -> usize {
        self.standing.lose();
        let mut sessions = 0;
        for slot in self.chunks().flatten() {
            sessions += 1;
            self.end_offline(&slot);
        }
        sessions
    }

    /// A session of a node that may not act is to end.
    pub(super) fn end_offline(&self, slot: &Slot) {
        if slot.switch.terminate(Reason::Offline) == Raised::First {
            slot.signal(Signal::Leaving);
        }
    }
}
