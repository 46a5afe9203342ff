//! Kills and what became of them, as nodes tell each other.

use std::sync::Arc;

use super::messages as wire;
use crate::{
    cluster::rows::{Misread, mode},
    id::SessionId,
    model::{ClientSession, KillError, Origin, Target},
    supervisor::{Errand, ForeignKill, Kill, Tomb},
};

impl wire::KillCall {
    /// What the node `asker` asks another for.
    /// `tombs`: if there are any, that these are refused from now on, and nothing else.
    pub(crate) fn new(asker: u32, errand: &Errand, tombs: &[Tomb]) -> Self {
        wire::KillCall {
            by: Some((&*errand.by).into()),
            asker,
            from: errand.from.map(|(session, peer)| wire::From { session: session.get(), peer: Some(peer.into()) }),
            mode: wire::Mode::from(errand.mode).into(),
            target: Some((&errand.target).into()),
            tombs: tombs.iter().map(wire::Tomb::from).collect(),
        }
    }
}

impl TryFrom<wire::KillCall> for ForeignKill {
    type Error = Misread;

    fn try_from(call: wire::KillCall) -> Result<Self, Misread> {
        let (from, origin) = match call.from {
            Some(wire::From { session, peer }) => {
                (Some(SessionId::new(session)), peer.map(Origin::try_from).transpose()?)
            }
            None => (None, None),
        };
        let kill = Kill {
            by: Arc::new(call.by.ok_or(Misread::Missing("who asks"))?.into()),
            from,
            target: call.target.ok_or(Misread::Missing("what a kill is aimed at"))?.into(),
            mode: mode(call.mode)?.ok_or(Misread::Missing("the mode of a kill"))?,
        };
        let tombs = call.tombs.into_iter().map(Tomb::try_from).collect::<Result<_, _>>()?;
        Ok(ForeignKill { kill, origin, server: call.asker, tombs })
    }
}

impl From<ClientSession> for wire::Client {
    fn from(client: ClientSession) -> Self {
        wire::Client { id: client.id.get(), connected: client.connected }
    }
}

impl From<wire::Client> for ClientSession {
    fn from(client: wire::Client) -> Self {
        ClientSession { id: SessionId::new(client.id), connected: client.connected }
    }
}

impl From<&Tomb> for wire::Tomb {
    fn from(tomb: &Tomb) -> Self {
        wire::Tomb {
            client: Some(tomb.client.into()),
            user: tomb.user.to_string(),
            tenant: tomb.tenant.as_deref().map(str::to_owned),
        }
    }
}

impl TryFrom<wire::Tomb> for Tomb {
    type Error = Misread;

    fn try_from(tomb: wire::Tomb) -> Result<Self, Misread> {
        let client = tomb.client.ok_or(Misread::Missing("a killed client"))?.into();
        Ok(Tomb { client, user: tomb.user.into(), tenant: tomb.tenant.map(String::into_boxed_str) })
    }
}

impl From<&Target> for wire::Target {
    fn from(target: &Target) -> Self {
        match target {
            Target::Session(id) => wire::Target::Session(id.get()),
            Target::Statement(query_id) => wire::Target::Statement(*query_id),
            Target::Named(name) => wire::Target::Named(name.clone()),
            Target::User { user, host } => wire::Target::User(wire::User { user: user.clone(), host: host.clone() }),
        }
    }
}

impl From<wire::Target> for Target {
    fn from(target: wire::Target) -> Self {
        match target {
            wire::Target::Session(id) => Target::Session(SessionId::new(id)),
            wire::Target::Statement(query_id) => Target::Statement(query_id),
            wire::Target::Named(name) => Target::Named(name),
            wire::Target::User(wire::User { user, host }) => Target::User { user, host },
        }
    }
}

impl From<Result<u64, KillError>> for wire::KillAnswer {
    fn from(result: Result<u64, KillError>) -> Self {
        use wire::Refusal as R;
        let refused = |why: R, id, name| wire::Outcome::Refused(wire::Refused { why: why.into(), id, name });
        let of = |why, id: SessionId| refused(why, id.get(), String::new());
        wire::KillAnswer {
            tombs: Vec::new(),
            outcome: Some(match result {
                Ok(sessions) => wire::Outcome::Reached(sessions),
                Err(KillError::UnknownSession(id)) => refused(R::UnknownSession, 0, id),
                Err(KillError::NotOwner(id)) => of(R::NotOwner, id),
                Err(KillError::Protected(id)) => of(R::Protected, id),
                Err(KillError::UnknownQuery(id)) => refused(R::UnknownQuery, id, String::new()),
                Err(KillError::UnknownName(name)) => refused(R::UnknownName, 0, name),
                Err(KillError::NotQueryOwner(id)) => refused(R::NotQueryOwner, id, String::new()),
                Err(KillError::Stopped) => refused(R::Stopped, 0, String::new()),
                // What only who asks can say, and [`wire::Standing`] says: a node has no second hop.
                Err(
                    KillError::Offline
                    | KillError::Unreachable { .. }
                    | KillError::Unanswered { .. }
                    | KillError::ClientNotReached { .. },
                ) => refused(R::Unsaid, 0, String::new()),
            }),
        }
    }
}

/// As the requester is told; `None`: the node is being stopped, and has ended nothing.
impl TryFrom<wire::KillAnswer> for Option<Result<u64, KillError>> {
    type Error = Misread;

    fn try_from(answer: wire::KillAnswer) -> Result<Self, Misread> {
        use wire::Refusal as R;
        let wire::Refused { why, id, name } = match answer.outcome.ok_or(Misread::Missing("what became of a kill"))? {
            wire::Outcome::Reached(sessions) => return Ok(Some(Ok(sessions))),
            wire::Outcome::Refused(refused) => refused,
        };
        let unknown = Misread::Unknown { what: "refusal of a kill", number: why.into() };
        Ok(Some(Err(match R::try_from(why).map_err(|_| unknown.clone())? {
            R::Unsaid => return Err(unknown),
            R::UnknownSession => KillError::UnknownSession(name),
            R::NotOwner => KillError::NotOwner(SessionId::new(id)),
            R::Protected => KillError::Protected(SessionId::new(id)),
            R::UnknownQuery => KillError::UnknownQuery(id),
            R::UnknownName => KillError::UnknownName(name),
            R::NotQueryOwner => KillError::NotQueryOwner(id),
            R::Stopped => return Ok(None),
        })))
    }
}
