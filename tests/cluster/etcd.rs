//! Server ids from an etcd.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use etcd_client::{Client, ConnectOptions, Permission, PermissionType};
use futures::future::{join, join_all};
use killdeer::{
    Dialect,
    cluster::{
        Addresses, Claim, Coordinator, CoordinatorError, Etcd, EtcdNode, Identity, LeaseTimes, Member, Members,
        Renewal, ServerIds,
    },
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::server::Server;

/// What does not come by then does not come.
const LONG: Duration = Duration::from_secs(60);

fn at(port: u16) -> Addresses {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Addresses { clients: at(port), peers: at(port + 1) }
}

/// OceanBase's server ids, of which there are no others behind those.
fn up_to(greatest: u32) -> ServerIds {
    ServerIds::of(&Dialect::oceanbase()).up_to(greatest)
}

/// A claim of a node at this port.
fn claim(ids: ServerIds, port: u16, lease: u64, cool_down: u64) -> Claim {
    let seconds = Duration::from_secs;
    let times = LeaseTimes { lease: seconds(lease), cool_down: seconds(cool_down), ..LeaseTimes::default() };
    Claim { ids, addresses: at(port), times }
}

fn etcd(server: &Server) -> Etcd {
    Etcd::at([&server.address]).unwrap()
}

/// A node that sees who the members are.
struct Watching {
    node: EtcdNode,
    members: watch::Receiver<Arc<Members>>,
    attending: JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.attending.abort();
    }
}

fn watching(etcd: &Etcd) -> Watching {
    let node = etcd.node();
    Watching { members: node.members(), attending: tokio::spawn(node.attend()), node }
}

impl Watching {
    async fn sees(&mut self, what: impl Fn(&Members) -> bool) -> Arc<Members> {
        let seen = timeout(LONG, self.members.wait_for(|members| what(members))).await;
        Arc::clone(&seen.expect("it is never seen").unwrap())
    }
}

/// The same question until it is answered at all.
async fn insist<T>(ask: impl AsyncFn() -> Result<T, CoordinatorError>) -> T {
    let answered = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(CoordinatorError::Silent(_) | CoordinatorError::Contended) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(LONG, answered).await.expect("it never answers")
}

async fn client(server: &Server) -> Client {
    Client::connect([&server.address], None).await.unwrap()
}

#[tokio::test]
async fn a_server_id_is_claimed_renewed_and_given_back_and_the_others_see_it() {
    let server = Server::start();
    let etcd = etcd(&server);
    let (node, mut other) = (etcd.node(), watching(&etcd));
    let identity = node.claim(claim(up_to(4_095), 4_000, 60, 60)).await.unwrap();
    let member = Member { identity, addresses: at(4_000) };
    let members = other.sees(|members| !members.is_empty()).await;
    assert_eq!(*members, Members::from([(identity.server, member)]));
    assert_eq!(node.renew(identity).await, Ok(Renewal::Renewed));
    assert_eq!(node.renew(Identity { epoch: identity.epoch + 1, ..identity }).await, Ok(Renewal::Gone));
    node.release(identity).await.unwrap();
    other.sees(Members::is_empty).await;
    assert_eq!(node.renew(identity).await, Ok(Renewal::Gone));
}

#[tokio::test]
async fn no_two_nodes_have_one_server_id() {
    let server = Server::start();
    let etcd = etcd(&server);
    let nodes: Vec<_> = (0..24).map(|_| etcd.node()).collect();
    // All at once, and there are just as many: most of them draw what somebody else was faster with.
    let claims = nodes.iter().map(|node| insist(async || node.claim(claim(up_to(24), 4_000, 60, 60)).await));
    let identities = join_all(claims).await;
    let servers: BTreeSet<_> = identities.iter().map(|identity| identity.server).collect();
    assert_eq!(servers, (1..=24).collect());
    let epochs: BTreeSet<_> = identities.iter().map(|identity| identity.epoch).collect();
    assert_eq!(epochs.len(), 24);
    let late = etcd.node();
    assert_eq!(late.claim(claim(up_to(24), 4_000, 60, 60)).await, Err(CoordinatorError::NoneFree));
    // Each is its own, and what was drawn in vain has left nothing behind.
    let renewals = join_all(nodes.iter().zip(&identities).map(|(node, identity)| node.renew(*identity))).await;
    assert!(renewals.iter().all(|renewal| *renewal == Ok(Renewal::Renewed)), "{renewals:?}");
    assert_eq!(client(&server).await.leases().await.unwrap().leases().len(), 2 * 24);
    // Another cluster's are others.
    let beside = etcd.clone().prefix("/beside/").node();
    assert_eq!(beside.claim(claim(up_to(1), 4_000, 60, 60)).await.unwrap().server, 1);
}

#[tokio::test]
async fn the_lease_of_a_node_that_is_gone_runs_out_and_its_server_id_cools_down() {
    let server = Server::start();
    let etcd = etcd(&server);
    let (node, mut other) = (etcd.node(), watching(&etcd));
    let before = node.claim(claim(up_to(1), 4_000, 2, 6)).await.unwrap();
    other.sees(|members| members.contains_key(&1)).await;
    // It crashes: it renews nothing and gives nothing back.
    other.sees(Members::is_empty).await;
    assert_eq!(node.renew(before).await, Ok(Renewal::Gone));
    let again = claim(up_to(1), 4_000, 2, 0);
    assert_eq!(other.node.claim(again).await, Err(CoordinatorError::NoneFree));
    let warm = async {
        loop {
            match other.node.claim(again).await {
                Err(CoordinatorError::NoneFree) => tokio::time::sleep(Duration::from_millis(100)).await,
                claimed => return claimed.unwrap(),
            }
        }
    };
    let after = timeout(LONG, warm).await.unwrap();
    assert!(after.server == 1 && after.epoch > before.epoch);
}

#[tokio::test]
async fn what_is_renewed_does_not_run_out() {
    let server = Server::start();
    let etcd = etcd(&server);
    let (node, mut other) = (etcd.node(), watching(&etcd));
    let kept = node.claim(claim(up_to(2), 4_000, 2, 1)).await.unwrap();
    // Twice as long as the leases of both keys, by etcd's own count: another node's go meanwhile.
    for _ in 0..2 {
        let lost = etcd.node().claim(claim(up_to(4_095), 4_002, 3, 1)).await.unwrap();
        other.sees(|members| members.contains_key(&lost.server)).await;
        let gone = other.sees(|members| !members.contains_key(&lost.server));
        let renewed = async {
            loop {
                assert_eq!(node.renew(kept).await, Ok(Renewal::Renewed));
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            members = gone => assert_eq!(members[&kept.server].identity, kept),
            () = renewed => {}
        }
    }
    // The cool-down's was renewed as well.
    let keys = client(&server).await.get(format!("/killdeer/cool_down/{}", kept.server), None).await.unwrap();
    assert_eq!(keys.kvs().len(), 1);
}

#[tokio::test]
async fn an_etcd_that_stands_still_is_silent_and_nothing_is_lost_when_it_goes_on() {
    let server = Server::start();
    let etcd = etcd(&server);
    let (mut node, other) = (watching(&etcd), etcd.node());
    let identity = node.node.claim(claim(up_to(4_095), 4_000, 120, 60)).await.unwrap();
    node.sees(|members| members.contains_key(&identity.server)).await;
    server.stop();
    let (renewal, claimed) = join(node.node.renew(identity), other.claim(claim(up_to(4_095), 4_002, 60, 60))).await;
    assert!(matches!(renewal, Err(CoordinatorError::Silent(_))), "{renewal:?}");
    assert!(matches!(claimed, Err(CoordinatorError::Silent(_))), "{claimed:?}");
    assert_eq!(node.members.borrow().len(), 1, "as it was last seen");
    server.go_on();
    assert_eq!(insist(async || node.node.renew(identity).await).await, Renewal::Renewed);
    let second = insist(async || other.claim(claim(up_to(4_095), 4_002, 60, 60)).await).await;
    let members = node.sees(|members| members.contains_key(&second.server)).await;
    assert_eq!(members[&identity.server].identity, identity);
}

#[tokio::test]
async fn an_etcd_that_starts_again_has_kept_who_has_what() {
    let mut server = Server::start();
    let etcd = etcd(&server);
    let (mut node, other) = (watching(&etcd), etcd.node());
    let identity = node.node.claim(claim(up_to(4_095), 4_000, 120, 60)).await.unwrap();
    let leaves = other.claim(claim(up_to(4_095), 4_002, 120, 60)).await.unwrap();
    node.sees(|members| members.len() == 2).await;
    server.restart();
    assert_eq!(insist(async || node.node.renew(identity).await).await, Renewal::Renewed);
    insist(async || other.release(leaves).await).await;
    node.sees(|members| members.len() == 1 && members.contains_key(&identity.server)).await;
}

#[tokio::test]
async fn a_server_id_that_somebody_took_away_is_gone() {
    let server = Server::start();
    let etcd = etcd(&server);
    let (node, other) = (etcd.node(), etcd.node());
    let before = node.claim(claim(up_to(1), 4_000, 60, 60)).await.unwrap();
    let mut client = client(&server).await;
    client.delete("/killdeer/server_id/1", None).await.unwrap();
    assert_eq!(node.renew(before).await, Ok(Renewal::Gone));
    assert_eq!(other.claim(claim(up_to(1), 4_002, 60, 60)).await, Err(CoordinatorError::NoneFree), "it cools down");
    client.delete("/killdeer/cool_down/1", None).await.unwrap();
    let after = other.claim(claim(up_to(1), 4_002, 60, 60)).await.unwrap();
    assert!(after.server == before.server && after.epoch > before.epoch);
    // The key is there again, and its lease is alive: it is the other's.
    assert_eq!(node.renew(before).await, Ok(Renewal::Gone));
    node.release(before).await.unwrap();
    assert_eq!(other.renew(after).await, Ok(Renewal::Renewed));
}

#[tokio::test]
async fn what_others_have_written_below_the_prefix_is_passed_over() {
    let server = Server::start();
    let mut client = client(&server).await;
    let huge = vec![b'x'; 1 << 20];
    let nonsense: [(&str, &[u8]); 5] = [
        ("/killdeer/server_id/1", b"hello"),
        ("/killdeer/server_id/2", &huge),
        ("/killdeer/server_id/03", b"clients=127.0.0.1:1 peers=127.0.0.1:2"),
        ("/killdeer/server_id/99999999999", b"clients=127.0.0.1:1 peers=127.0.0.1:2"),
        ("/killdeer/server_id/\u{7}", b""),
    ];
    for (key, value) in nonsense {
        client.put(key, value, None).await.unwrap();
    }
    let etcd = etcd(&server);
    let mut node = watching(&etcd);
    let identity = node.node.claim(claim(up_to(3), 4_000, 60, 60)).await.unwrap();
    assert_eq!(identity.server, 3, "the other two are somebody's");
    let members = node.sees(|members| members.contains_key(&3)).await;
    assert_eq!(members.len(), 1);
    // While it is watched, as well.
    for (key, value) in nonsense {
        client.put(key, value, None).await.unwrap();
    }
    client.put("/killdeer/server_id/1", "clients=127.0.0.1:1 peers=127.0.0.1:2", None).await.unwrap();
    let members = node.sees(|members| members.contains_key(&1)).await;
    assert_eq!(members.len(), 2);
    client.put("/killdeer/server_id/1", "hello", None).await.unwrap();
    node.sees(|members| !members.contains_key(&1)).await;
}

#[tokio::test]
async fn more_members_than_a_page_are_all_seen() {
    let server = Server::start();
    let mut client = client(&server).await;
    let all = 700;
    for n in 1..=all {
        let value = format!("clients=127.0.0.1:{n} peers=127.0.0.1:{n}");
        client.put(format!("/killdeer/server_id/{n}"), value, None).await.unwrap();
    }
    let mut node = watching(&etcd(&server));
    let members = node.sees(|members| !members.is_empty()).await;
    let ports = members.iter().map(|(n, member)| (*n, u32::from(member.addresses.peers.port())));
    assert_eq!(ports.collect::<Vec<_>>(), (1..=all).map(|n| (n, n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_next_etcd_is_asked_when_one_does_not_answer() {
    let (silent, good) = (Server::start(), Server::start());
    silent.stop();
    let node = Etcd::at([&silent.address, &good.address]).unwrap().node();
    let claimed = node.claim(claim(up_to(1), 4_000, 60, 60)).await;
    assert!(matches!(claimed, Err(CoordinatorError::Silent(_))), "{claimed:?}");
    let identity = node.claim(claim(up_to(1), 4_000, 60, 60)).await.unwrap();
    for _ in 0..5 {
        assert_eq!(node.renew(identity).await, Ok(Renewal::Renewed), "it stays there");
    }
    // So it is for who watches the members: of two, each failure turns to the other one.
    let mut other = watching(&Etcd::at([&silent.address, &good.address]).unwrap());
    other.sees(|members| members.contains_key(&identity.server)).await;
    silent.go_on();
}

#[tokio::test]
async fn a_user_has_a_password_and_may_write_below_the_prefix_alone() {
    let mut server = Server::start();
    let mut root = client(&server).await;
    root.user_add("root", "toor", None).await.unwrap();
    root.user_grant_role("root", "root").await.unwrap();
    root.role_add("nodes").await.unwrap();
    let may = Permission::new(PermissionType::Readwrite, "/killdeer/").with_prefix();
    root.role_grant_permission("nodes", may).await.unwrap();
    root.user_add("node", "secret", None).await.unwrap();
    root.user_grant_role("node", "nodes").await.unwrap();
    root.auth_enable().await.unwrap();

    let etcd = etcd(&server);
    let wanted = claim(up_to(4_095), 4_000, 120, 60);
    for (refused, what) in [
        (etcd.clone(), "nobody"),
        (etcd.clone().user("node", "wrong"), "a wrong password"),
        (etcd.clone().user("node", "secret").prefix("/elsewhere"), "another prefix"),
    ] {
        let claimed = refused.node().claim(wanted).await;
        assert!(matches!(claimed, Err(CoordinatorError::Refused(_))), "{what}: {claimed:?}");
    }
    let mut node = watching(&etcd.clone().user("node", "secret"));
    let identity = node.node.claim(wanted).await.unwrap();
    node.sees(|members| members.contains_key(&identity.server)).await;
    assert_eq!(node.node.renew(identity).await, Ok(Renewal::Renewed));
    // What it had for its password is worth nothing to an etcd that has started again.
    server.restart();
    assert_eq!(insist(async || node.node.renew(identity).await).await, Renewal::Renewed);
    let other = etcd.user("node", "secret").node();
    let second = insist(async || other.claim(wanted).await).await;
    node.sees(|members| members.contains_key(&second.server)).await;
    let options = ConnectOptions::new().with_user("root", "toor");
    let mut root = Client::connect([&server.address], Some(options)).await.unwrap();
    root.delete(format!("/killdeer/server_id/{}", identity.server), None).await.unwrap();
    assert_eq!(node.node.renew(identity).await, Ok(Renewal::Gone));
}

mod tls {
    use std::fs;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    /// An authority as PEM, and what it signs.
    struct Authority {
        pem: String,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    impl Authority {
        /// A certificate for this name, and its key.
        fn signs(&self, name: &str) -> (String, String) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
        }
    }

    #[tokio::test]
    async fn an_etcd_and_its_nodes_know_each_other_by_their_certificates() {
        let (ours, others) = (authority(), authority());
        let (certificate, key) = ours.signs("127.0.0.1");
        let server = Server::with("https", |directory| {
            let write = |name: &str, text: &str| {
                fs::write(directory.join(name), text).unwrap();
                directory.join(name).to_str().unwrap().to_owned()
            };
            let files = [
                ("--cert-file", write("certificate", &certificate)),
                ("--key-file", write("key", &key)),
                ("--trusted-ca-file", write("authority", &ours.pem)),
            ];
            let options = files.into_iter().flat_map(|(option, file)| [option.to_owned(), file]);
            options.chain(["--client-cert-auth".into()]).collect()
        });
        let wanted = claim(up_to(4_095), 4_000, 60, 60);
        let (certificate, key) = ours.signs("node");
        let (strangers, strangers_key) = others.signs("node");
        for (refused, what) in [
            (etcd(&server), "no TLS"),
            (etcd(&server).tls(&ours.pem), "no certificate"),
            (etcd(&server).tls(&ours.pem).certificate(&strangers, &strangers_key), "one of others"),
            (etcd(&server).tls(&others.pem).certificate(&certificate, &key), "another authority"),
            (etcd(&server).tls(&ours.pem).certificate(&certificate, &key).tls_name("elsewhere"), "another name"),
        ] {
            let claimed = refused.node().claim(wanted).await;
            assert!(matches!(claimed, Err(CoordinatorError::Silent(_))), "{what}: {claimed:?}");
        }
        let mut node = watching(&etcd(&server).tls(&ours.pem).certificate(&certificate, &key));
        let identity = node.node.claim(wanted).await.unwrap();
        node.sees(|members| members.contains_key(&identity.server)).await;
    }
}
