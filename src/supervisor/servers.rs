//! The end of a single server session of a proxy's client (`KILL PROXYSESSION id ss_id`): whether the requester may, and what
//! comes of it for the client.

use super::registry::Registry;
use crate::{
    control::logged,
    dialect::Verdict,
    id::SessionId,
    model::{KillError, Principal, ServerEnd},
};

impl Registry {
    /// Ends the server session `ss_id` of the client session `id`, if the requester may kill that: a server session is its
    /// client's. `from`: from which session it is asked for, if from one. Where a transaction is open on it nothing is ended: the
    /// client's session has to be killed instead.
    ///
    /// # Errors
    /// There is no such client session here, or none that the requester is to know of; it has no such server session; it is not
    /// the requester's.
    pub(crate) fn end_server_session(
        &self,
        by: &Principal,
        from: Option<SessionId>,
        id: SessionId,
        ss_id: u64,
    ) -> Result<ServerEnd, KillError> {
        if !self.is_supervised() {
            return Err(KillError::Stopped);
        }
        if !self.stands() {
            return Err(KillError::Offline);
        }
        let unknown = |id: &dyn std::fmt::Display| KillError::UnknownSession(id.to_string());
        let slot = self.get(id).ok_or_else(|| unknown(&id))?;
        match self.dialect.may_kill(by, slot.principal().as_deref()) {
            _ if from == Some(slot.id()) => {}
            Verdict::Allowed => {}
            Verdict::Denied => return Err(KillError::NotOwner(id)),
            Verdict::Protected => return Err(KillError::Protected(id)),
            Verdict::Unseen => return Err(unknown(&id)),
        }
        let end = slot.servers().and_then(|servers| servers.end(ss_id)).ok_or_else(|| unknown(&ss_id))?;
        tracing::info!(by = logged(by.user()), session = %slot.id(), server_session = ss_id, ?end, "kill of a server session");
        Ok(end)
    }
}
