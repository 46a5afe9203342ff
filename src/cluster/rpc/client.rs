//! How another node is asked.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use prost::Message;
use tokio::time::timeout;
use tonic::{
    ConnectError, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::{
    LONGEST_ANSWER, LONGEST_CALL, LONGEST_LIST, Method,
    messages::{Answer, Call, KillAnswer, KillCall, ListCall, ListPiece, Row, Standing, StatusAnswer},
    millis,
};
use crate::{
    cluster::{
        Member,
        rows::Misread,
        trust::{Kind, Trust, TrustError},
    },
    dialect::Node,
    model::{KillError, Principal, ProcessRow},
    supervisor::{Errand, Tomb},
};

/// A connection that has been silent for so long is asked whether anybody is there, also while nothing is asked.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// So long the answer may take.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);

/// Why a node has not done what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cluster) enum Fault {
    /// There was nobody to ask: it has done nothing.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// What it has done is not known.
    #[error("it has not answered: {0}")]
    Unanswered(String),
    /// It has done nothing: it is not the node that was meant any more.
    #[error("it is not the node that it was any more")]
    Another,
    /// It has done nothing: it has no place in the cluster.
    #[error("it has no place in the cluster")]
    Offline,
}

/// How a connection is made, when it is needed.
pub(in crate::cluster) type Dial = fn(&Endpoint) -> Channel;

/// A node, and the connections to it: made when they are first needed, and again after they were lost. Lists have one of their
/// own, so that no kill waits behind their pieces.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Link {
    pub(in crate::cluster) member: Member,
    kills: Channel,
    lists: Channel,
    trust: Arc<Trust>,
}

impl Link {
    /// Within the runtime that the connection is to be served by. A connection is given up after `patience`.
    ///
    /// # Errors
    /// Nobody at such an address is trusted, or not in this way.
    pub(in crate::cluster) fn new(
        member: Member,
        trust: Arc<Trust>,
        patience: Duration,
        dial: Dial,
    ) -> Result<Self, LinkError> {
        let address = member.addresses.peers;
        trust.admits(address)?;
        let scheme = if matches!(trust.0, Kind::MutualTls(_)) { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
            .connect_timeout(patience)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER)
            .keep_alive_while_idle(true);
        if let Kind::MutualTls(tls) = &trust.0 {
            let name = tls.name.clone().unwrap_or_else(|| address.ip().to_string());
            endpoint = endpoint.tls_config(tls.client.clone().domain_name(name))?;
        }
        Ok(Self { member, kills: dial(&endpoint), lists: dial(&endpoint), trust })
    }

    /// Has a kill carried out there, in the name of this node `asker`; says what became of it, and which clients of proxies
    /// are refused there for it. `tombs`: if there are any, that these are refused there, and nothing else.
    pub(in crate::cluster) async fn kill(
        &self,
        asker: u32,
        errand: &Errand,
        tombs: &[Tomb],
        deadline: Duration,
    ) -> Result<(Result<u64, KillError>, Vec<Tomb>), Fault> {
        let body = KillCall::new(asker, errand, tombs).encode_to_vec();
        if body.len() > LONGEST_CALL - 1024 {
            return Err(Fault::Unreachable("what is looked for is too long to be asked for".into()));
        }
        let mut answer: KillAnswer = self.ask(&self.kills, Method::Kill, body, deadline).await?;
        let tombs = std::mem::take(&mut answer.tombs).into_iter().map(Tomb::try_from).collect::<Result<_, _>>();
        let tombs = tombs.map_err(unanswered)?;
        let result = Option::<Result<u64, KillError>>::try_from(answer).map_err(unanswered)?;
        let result = result.ok_or_else(|| Fault::Unreachable("it is being stopped".into()))?;
        Ok((result, tombs))
    }

    /// How it is doing.
    pub(in crate::cluster) async fn status(&self, deadline: Duration) -> Result<StatusAnswer, Fault> {
        self.ask(&self.kills, Method::Status, Vec::new(), deadline).await
    }

    /// Has both connections there.
    pub(in crate::cluster) async fn warm(&self, deadline: Duration) -> Result<(), Fault> {
        let lists: Result<StatusAnswer, _> = self.ask(&self.lists, Method::Status, Vec::new(), deadline).await;
        self.status(deadline).await.and(lists).map(drop)
    }

    /// Its sessions, as far as `by` may see them; those of a node whose part of the list has more than [`LONGEST_LIST`] bytes
    /// are missing.
    pub(in crate::cluster) async fn list(
        &self,
        by: &Principal,
        deadline: Duration,
    ) -> Result<(Node, Vec<ProcessRow>), Fault> {
        let body = ListCall { by: Some(by.into()) }.encode_to_vec();
        within(deadline, async {
            let (mut grpc, call) = (ready(&self.lists).await?, self.call(Method::List, body));
            let nonce = call.nonce.clone();
            let codec = ProstCodec::<Call, Answer>::default();
            let path = PathAndQuery::from_static(Method::List.path());
            let mut pieces = grpc.server_streaming(Request::new(call), path, codec).await.map_err(fault)?.into_inner();
            let (mut number, mut size, mut node, mut rows, mut last_principal) = (0, 0, None, Vec::new(), None);
            loop {
                let piece = pieces.message().await.map_err(fault)?;
                let piece = piece.ok_or_else(|| unanswered("its list has no end"))?;
                if piece.number != number {
                    return Err(unanswered("its list has a gap"));
                }
                number += 1;
                size += piece.body.len();
                if size > LONGEST_LIST {
                    return Err(unanswered("its list is too long"));
                }
                let last = piece.last;
                let piece: ListPiece = self.open(Method::List, &nonce, piece)?;
                if let Some(told) = piece.node {
                    node = Some(Node::try_from(told).map_err(unanswered)?);
                }
                rows.reserve(piece.rows.len());
                for row in piece.rows {
                    let row = Row::decode(row).map_err(unanswered)?;
                    let same = row.same_principal;
                    let mut row = ProcessRow::try_from(row).map_err(unanswered)?;
                    match same {
                        true => row.principal = last_principal.clone(),
                        false => last_principal = row.principal.clone(),
                    }
                    rows.push(row);
                }
                if last {
                    let node = node.ok_or(Misread::Missing("where the node is")).map_err(unanswered)?;
                    return Ok((node, rows));
                }
            }
        })
        .await
    }

    /// Asks for what has one answer.
    async fn ask<A: Message + Default>(
        &self,
        channel: &Channel,
        method: Method,
        body: Vec<u8>,
        deadline: Duration,
    ) -> Result<A, Fault> {
        within(deadline, async {
            let (mut grpc, call) = (ready(channel).await?, self.call(method, body));
            let nonce = call.nonce.clone();
            let codec = ProstCodec::<Call, Answer>::default();
            let path = PathAndQuery::from_static(method.path());
            let answer = grpc.unary(Request::new(call), path, codec).await.map_err(fault)?.into_inner();
            if (answer.number, answer.last) != (0, true) {
                return Err(unanswered("its answer is a piece of another"));
            }
            self.open(method, &nonce, answer)
        })
        .await
    }

    /// For this node and no other, sealed if there is a secret.
    fn call(&self, method: Method, body: Vec<u8>) -> Call {
        let identity = self.member.identity;
        let mut call = Call { server: identity.server, epoch: identity.epoch, body: body.into(), ..Call::default() };
        if let Some(secret) = self.trust.sealing() {
            call.moment = millis(SystemTime::now());
            call.nonce = rand::random::<[u8; 16]>().to_vec().into();
            call.seal = secret.of_call(method.path(), &call).to_vec().into();
        }
        call
    }

    /// What an answer says, if it is the node's and the node has done what it was asked for.
    fn open<A: Message + Default>(&self, method: Method, nonce: &[u8], answer: Answer) -> Result<A, Fault> {
        if self.trust.sealing().is_some_and(|secret| !secret.is_of(method.path(), nonce, &answer)) {
            return Err(unanswered("its answer has a wrong seal"));
        }
        match Standing::try_from(answer.standing) {
            Ok(Standing::Good) => A::decode(answer.body).map_err(unanswered),
            Ok(Standing::Another) => Err(Fault::Another),
            Ok(Standing::Offline) => Err(Fault::Offline),
            Err(_) => Err(unanswered(Misread::Unknown { what: "standing", number: answer.standing.into() })),
        }
    }
}

/// Why no node can be asked there.
#[derive(Debug, thiserror::Error)]
pub(in crate::cluster) enum LinkError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
}

async fn ready(channel: &Channel) -> Result<Grpc<Channel>, Fault> {
    let grpc = Grpc::new(channel.clone());
    let mut grpc = grpc.max_decoding_message_size(LONGEST_ANSWER).max_encoding_message_size(LONGEST_CALL);
    grpc.ready().await.map_err(|error| Fault::Unreachable(innermost(&error)))?;
    Ok(grpc)
}

async fn within<T>(deadline: Duration, asking: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(deadline, asking).await.unwrap_or_else(|_| Err(unanswered(format!("not within {deadline:?}"))))
}

fn unanswered(why: impl ToString) -> Fault {
    Fault::Unanswered(why.to_string())
}

/// What a status says. Unless there was no connection, nothing is certain: a status has no seal.
fn fault(status: Status) -> Fault {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return Fault::Unreachable(innermost(error));
        }
        source = error.source();
    }
    Fault::Unanswered(status.message().to_owned())
}

/// The error that was first.
fn innermost(mut error: &(dyn Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
