//! Who is no node is refused, and that is seen.

use std::io::Read;

use actix::{Actor, Context, Handler};
use futures::StreamExt;
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::{Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Endpoint};
use tonic_prost::ProstCodec;

use super::*;
use crate::{
    cluster::rpc::{
        Fault, Link, Method,
        messages::{Answer, Call, KillCall},
        seal::Secret,
    },
    model::{Event, PeerRefusal},
    supervisor::SessionEvent,
};

const SECRET: &[u8] = b"the cluster's own secret";

fn sealing() -> Rules {
    Rules { trust: Trust::secret(SECRET).unwrap(), ..Rules::default() }
}

/// Tells a test of those who were refused.
struct Guard(futures::channel::mpsc::UnboundedSender<PeerRefusal>);

impl Actor for Guard {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Guard {
    type Result = ();

    fn handle(&mut self, event: SessionEvent, _: &mut Self::Context) {
        if let Event::PeerRefused { from, why } = event.event {
            assert!(from.is_local());
            let _ = self.0.unbounded_send(why);
        }
    }
}

fn guard(peer: &Peer) -> futures::channel::mpsc::UnboundedReceiver<PeerRefusal> {
    let (tell, told) = futures::channel::mpsc::unbounded();
    peer.registry.events.subscribe(Guard(tell).start().recipient(), 100);
    told
}

/// A kill of this session as root, for this node.
fn kill(of: Identity, id: SessionId) -> Call {
    let target = Target::Session(id);
    let errand = Errand { by: root(), from: None, target, mode: KillMode::Connection };
    let body = KillCall::new(1, &errand, &[]).encode_to_vec().into();
    Call { server: of.server, epoch: of.epoch, body, ..Call::default() }
}

/// Sends what a stranger makes up.
async fn send(to: &Peer, call: Call) -> Result<Answer, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{}", to.member.addresses.peers)).unwrap();
    let mut grpc = Grpc::new(endpoint.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static(Method::Kill.path());
    let codec = ProstCodec::<Call, Answer>::default();
    Ok(grpc.unary(Request::new(call), path, codec).await?.into_inner())
}

fn sealed(call: Call, secret: &[u8], age: Duration) -> Call {
    let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() - age;
    let mut call = Call { moment: u64::try_from(moment.as_millis()).unwrap(), nonce: vec![3; 16].into(), ..call };
    call.seal = Secret::new(secret).unwrap().of_call(Method::Kill.path(), &call).to_vec().into();
    call
}

#[actix_rt::test]
async fn a_call_without_the_secret_is_refused_and_told() {
    let two = sealing().peer(2);
    let mut refused = guard(&two);
    let victim = two.connect(user("alice"));
    let plain = kill(two.member.identity, victim.slot().id());
    let now = Duration::ZERO;
    let good = sealed(plain.clone(), SECRET, now);
    let calls = [
        (plain.clone(), PeerRefusal::NoSeal),
        (sealed(plain.clone(), b"another secret than that", now), PeerRefusal::WrongSeal),
        (Call { body: kill(two.member.identity, SessionId::new(1)).body, ..good.clone() }, PeerRefusal::WrongSeal),
        (Call { server: 3, ..good.clone() }, PeerRefusal::WrongSeal),
        (sealed(plain.clone(), SECRET, Duration::from_secs(40)), PeerRefusal::Stale),
    ];
    let mut count = 0;
    for (call, why) in calls {
        let status = send(&two, call).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, &*why.to_string()));
        assert_eq!(refused.next().await, Some(why));
        count += 1;
        assert_eq!(two.registry.status().peers_refused, count);
    }
    assert!(is_unharmed(victim.slot()));
    // With its seal it is heard, and once.
    let answer = send(&two, good.clone()).await.unwrap();
    assert!(Secret::new(SECRET).unwrap().is_of(Method::Kill.path(), &good.nonce, &answer));
    assert!(!is_unharmed(victim.slot()));
    assert_eq!(send(&two, good).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(refused.next().await, Some(PeerRefusal::Repeated));
}

#[tokio::test]
async fn nodes_with_one_secret_kill_and_list() {
    let [one, two] = sealing().peers();
    let victim = two.connect(user("alice"));
    assert_eq!(one.list(root()).await.lists[0].1.len(), 1);
    assert_eq!(one.kill_session(root(), victim.slot().id()).await, Ok(1));
    assert_eq!(two.registry.status().peers_refused, 0);
}

#[tokio::test]
async fn an_answer_that_is_not_sealed_is_none() {
    let two = Rules::default().peer(2);
    let victim = two.connect(user("alice"));
    // It answers whoever asks, and cannot seal.
    let link = Link::new(two.member, Arc::new(sealing().trust), LONG, Endpoint::connect_lazy).unwrap();
    let target = Target::Session(victim.slot().id());
    let errand = Errand { by: root(), from: None, target, mode: KillMode::Query };
    let forged = Fault::Unanswered("its answer has a wrong seal".into());
    assert_eq!(link.kill(1, &errand, &[], LONG).await.map(|(result, _)| result), Err(forged.clone()));
    assert_eq!(link.list(&root(), LONG).await.unwrap_err(), forged);
}

#[tokio::test]
async fn a_call_that_cannot_be_understood_is_an_error_and_ends_nothing() {
    let two = Rules::default().peer(2);
    let victim = two.connect(user("alice"));
    let call = kill(two.member.identity, victim.slot().id());
    let of = |kill: KillCall| Call { body: kill.encode_to_vec().into(), ..call.clone() };
    let known = KillCall::decode(call.body.clone()).unwrap();
    for (call, text) in [
        (of(KillCall { mode: 9, ..known.clone() }), "unknown mode of a kill 9, perhaps of a newer version"),
        (of(KillCall { target: None, ..known.clone() }), "what a kill is aimed at is missing, or of a newer version"),
        (of(KillCall { by: None, ..known.clone() }), "who asks is missing, or of a newer version"),
    ] {
        let status = send(&two, call).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text));
    }
    let garbage = Call { body: vec![0xff; 40].into(), ..call.clone() };
    assert_eq!(send(&two, garbage).await.unwrap_err().code(), Code::InvalidArgument);
    let long = Call { body: vec![0; 100_000].into(), ..call };
    assert_eq!(send(&two, long).await.unwrap_err().code(), Code::OutOfRange);
    assert!(is_unharmed(victim.slot()));
}

#[tokio::test]
async fn a_connection_that_shows_nothing_is_closed() {
    let two = sealing().peer(2);
    let mut idle = std::net::TcpStream::connect(two.member.addresses.peers).unwrap();
    // What is read before the end are the settings of HTTP/2.
    let end = tokio::task::spawn_blocking(move || idle.read_to_end(&mut Vec::new())).await.unwrap();
    drop(end);
}

/// An authority, with certificates for 127.0.0.1.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certificate(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// Trusts this authority, and shows this certificate.
    fn trust(&self, (certificate, key): (String, String)) -> Trust {
        Trust::mutual_tls(self.0.pem().as_bytes(), certificate.as_bytes(), key.as_bytes()).unwrap()
    }
}

#[actix_rt::test]
async fn nodes_with_certificates_of_one_authority_kill_and_list() {
    let authority = Authority::new();
    for (name, trust) in [
        ("127.0.0.1", authority.trust(authority.certificate("127.0.0.1"))),
        ("node.test", authority.trust(authority.certificate("node.test")).certified_as("node.test")),
    ] {
        let [one, two] = Rules { trust, ..Rules::default() }.peers();
        let victim = two.connect(user("alice"));
        assert_eq!(one.list(root()).await.lists.len(), 1, "{name}");
        assert_eq!(one.kill_session(root(), victim.slot().id()).await, Ok(1), "{name}");
        assert_eq!(two.registry.status().peers_refused, 0, "{name}");
    }
}

#[actix_rt::test]
async fn without_a_certificate_of_the_authority_nobody_is_heard() {
    let (authority, others) = (Authority::new(), Authority::new());
    let trust = authority.trust(authority.certificate("127.0.0.1"));
    let two = Rules { trust, ..Rules::default() }.peer(2);
    let mut refused = guard(&two);
    let victim = two.connect(user("alice"));
    let target = Target::Session(victim.slot().id());
    let errand = Errand { by: root(), from: None, target, mode: KillMode::Connection };
    for (trust, why) in [
        (authority.trust(others.certificate("127.0.0.1")), PeerRefusal::NoCertificate),
        // In the clear, with a secret or without.
        (Trust::loopback(), PeerRefusal::Malformed),
        (sealing().trust, PeerRefusal::Malformed),
    ] {
        let link = Link::new(two.member, Arc::new(trust), LONG, Endpoint::connect_lazy).unwrap();
        let kill = link.kill(1, &errand, &[], LONG).await;
        assert!(matches!(kill, Err(Fault::Unanswered(_) | Fault::Unreachable(_))), "{kill:?}");
        assert_eq!(refused.next().await, Some(why));
    }
    // Nor does a node speak with somebody of another authority, or of another name.
    for trust in [
        others.trust(others.certificate("127.0.0.1")),
        authority.trust(authority.certificate("127.0.0.1")).certified_as("other.test"),
    ] {
        let link = Link::new(two.member, Arc::new(trust), LONG, Endpoint::connect_lazy).unwrap();
        let kill = link.kill(1, &errand, &[], LONG).await;
        assert!(matches!(kill, Err(Fault::Unreachable(_))), "{kill:?}");
    }
    assert!(is_unharmed(victim.slot()));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let authority = Authority::new();
    let ((one, key), (_, other)) = (authority.certificate("127.0.0.1"), authority.certificate("127.0.0.1"));
    let root = authority.0.pem();
    let trust = |root: &str, one: &str, key: &str| Trust::mutual_tls(root.as_bytes(), one.as_bytes(), key.as_bytes());
    assert!(trust(&root, &one, &key).is_ok());
    for (root, one, key) in [("", &*one, &*key), (&root, "", &key), (&root, &one, ""), (&root, &one, &other)] {
        assert!(trust(root, one, key).is_err());
    }
    assert!(Trust::secret(b"short").is_err());
    assert_eq!(format!("{:?}", Trust::secret(SECRET).unwrap()), "Trust(Secret)");
}
