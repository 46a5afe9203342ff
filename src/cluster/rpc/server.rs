//! What a node does that others ask for: the service `killdeer.Peers`.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt, stream};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{Body as HttpBody, BoxFuture, Service, StdError, http},
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
    transport::Server,
};
use tonic_prost::ProstCodec;

use super::{
    LONGEST_ANSWER, LONGEST_CALL, Method,
    desk::Desk,
    listen::{self, Listen},
    lists,
    messages::{Answer, Call, KillAnswer, KillCall, ListCall, Standing, StatusAnswer},
};
use crate::{
    cluster::{Identity, rows::Misread, trust::Trust},
    model::KillError,
    supervisor::{ForeignKill, Registry},
};

/// So many calls of one connection are served at a time.
const CALLS: u32 = 32;

/// A connection that has been silent for so long is asked whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// So long the answer may take.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);

/// The headers of a call have no more bytes.
const HEADERS: u32 = 8 << 10;

/// What a node needs to answer others.
pub(in crate::cluster) struct Hall<L> {
    pub(in crate::cluster) registry: Arc<Registry>,
    pub(in crate::cluster) trust: Trust,
    /// What the node is, while it has a place in the cluster.
    pub(in crate::cluster) identity: watch::Receiver<Option<Identity>>,
    /// Where the others call.
    pub(in crate::cluster) listener: L,
}

/// Answers other nodes until `over`.
pub(in crate::cluster) async fn serve<L: Listen + Sync>(hall: Hall<L>, over: impl Future<Output = ()>) {
    let Hall { registry, trust, identity, listener } = hall;
    let desk = Arc::new(Desk::new(registry, trust, identity));
    let (to, mut accepted) = mpsc::channel(1);
    let accepting = tokio::spawn(listen::accept(listener, Arc::clone(&desk), to));
    let incoming = stream::poll_fn(move |cx| accepted.poll_recv(cx));
    let serving = Server::builder()
        .max_concurrent_streams(CALLS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
        .http2_max_header_list_size(HEADERS)
        .add_service(Peers(desk))
        .serve_with_incoming(incoming);
    tokio::select! {
        served = serving => tracing::error!(?served, "the peers' port is not served any more"),
        () = over => {}
    }
    accepting.abort();
}

/// The service.
#[derive(Clone)]
struct Peers(Arc<Desk>);

impl NamedService for Peers {
    const NAME: &'static str = "killdeer.Peers";
}

impl<B> Service<http::Request<B>> for Peers
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let desk = Arc::clone(&self.0);
        let mut grpc = Grpc::new(ProstCodec::<Answer, Call>::default())
            .max_decoding_message_size(LONGEST_CALL)
            .max_encoding_message_size(LONGEST_ANSWER);
        match Method::of(request.uri().path()) {
            Some(Method::List) => Box::pin(async move { Ok(grpc.server_streaming(List(desk), request).await) }),
            Some(method) => Box::pin(async move { Ok(grpc.unary(Unary(desk, method), request).await) }),
            None => Box::pin(async { Ok(Status::unimplemented("no such method").into_http()) }),
        }
    }
}

/// A method with one answer.
struct Unary(Arc<Desk>, Method);

impl UnaryService<Call> for Unary {
    type Response = Answer;
    type Future = BoxFuture<Response<Answer>, Status>;

    fn call(&mut self, request: Request<Call>) -> Self::Future {
        let Self(desk, method) = self;
        let (desk, method) = (Arc::clone(desk), *method);
        Box::pin(async move {
            let heeded = match desk.hear(method, request)? {
                Ok(heeded) => heeded,
                Err(answer) => return Ok(Response::new(answer)),
            };
            let (standing, body) = match method {
                Method::Kill => kill(&desk.registry, &heeded.call).await?,
                _ => (Standing::Good, status(&desk.registry).encode_to_vec()),
            };
            Ok(Response::new(heeded.answer(standing, body)))
        })
    }
}

/// The method whose answer comes in pieces.
struct List(Arc<Desk>);

impl ServerStreamingService<Call> for List {
    type Response = Answer;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Call>) -> Self::Future {
        let desk = Arc::clone(&self.0);
        Box::pin(async move {
            let heeded = match desk.hear(Method::List, request)? {
                Ok(heeded) => heeded,
                Err(answer) => return Ok(Response::new(stream::iter([Ok(answer)]).boxed())),
            };
            let call = ListCall::decode(heeded.call.body.clone()).map_err(malformed)?;
            let by = call.by.ok_or(Misread::Missing("who asks")).map_err(misread)?;
            let list = lists::list(Arc::clone(&desk.registry), Arc::new(by.into()), heeded);
            Ok(Response::new(list.flatten_stream().boxed()))
        })
    }
}

/// Carries out a kill.
async fn kill(registry: &Arc<Registry>, call: &Call) -> Result<(Standing, Vec<u8>), Status> {
    let call = KillCall::decode(call.body.clone()).map_err(malformed)?;
    let kill = ForeignKill::try_from(call).map_err(misread)?;
    Ok(match kill.carry_out(registry).await {
        Err(KillError::Offline) => (Standing::Offline, Vec::new()),
        result => {
            let tombs = kill.tombs(registry).iter().map(Into::into).collect();
            (Standing::Good, KillAnswer { tombs, ..result.into() }.encode_to_vec())
        }
    })
}

/// How this node is doing.
fn status(registry: &Registry) -> StatusAnswer {
    let left = registry.standing.left();
    StatusAnswer {
        sessions: registry.len() as u64,
        lease_left: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn malformed(error: prost::DecodeError) -> Status {
    Status::invalid_argument(error.to_string())
}

fn misread(misread: Misread) -> Status {
    Status::invalid_argument(misread.to_string())
}
