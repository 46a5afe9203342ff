//! The same over the wire.

use mysql_async::{Opts, OptsBuilder, prelude::Queryable};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::{KillMode, Target, supervisor::Missing, wire};

/// A client that knows no more than packets.
struct Raw(TcpStream);

impl Raw {
    /// Logs in as root without a password.
    async fn login(address: std::net::SocketAddr) -> Self {
        let mut raw = Self(TcpStream::connect(address).await.unwrap());
        raw.receive().await;
        // CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH.
        let mut answer = 0x0008_8200_u32.to_le_bytes().to_vec();
        answer.extend([0, 0, 0, 1, 45]);
        answer.extend([0; 23]);
        answer.extend(b"root\0\0mysql_native_password\0");
        raw.send(1, &answer).await;
        assert_eq!(raw.receive().await[0], 0);
        raw
    }

    async fn send(&mut self, number: u8, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        self.0.write_all(&[&length[..3], &[number], payload].concat()).await.unwrap();
    }

    async fn receive(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
        self.0.read_exact(&mut payload).await.unwrap();
        payload
    }

    /// The code of the error that a command is answered with; 0: OK.
    async fn command(&mut self, payload: &[u8]) -> u16 {
        self.send(0, payload).await;
        match &self.receive().await[..] {
            [0xff, low, high, ..] => u16::from_le_bytes([*low, *high]),
            [0, ..] => 0,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a test beside a node that is served. It ends with the test.
fn served<F: Future<Output = ()>>(
    dialect: Dialect,
    others: &Arc<Others>,
    test: impl FnOnce(std::net::SocketAddr, SessionId) -> F,
) {
    actix_rt::System::new().block_on(async {
        let (runtime, theirs) = start(dialect, others);
        let listener = wire::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = wire::serve(&runtime, listener, 1).unwrap();
        let stop = serving.stop();
        let server = actix_rt::spawn(serving);
        test(address, theirs).await;
        stop.await;
        server.await.unwrap().unwrap();
    });
}

#[test]
fn a_client_kills_by_command_and_by_its_interrupt() {
    let others = Others::new(|errand| match errand.mode {
        KillMode::Query => Ok(1),
        KillMode::Connection => Err(KillError::Unreachable { server: 2 }),
    });
    served(Dialect::tidb(), &others, async |address, theirs| {
        let mut raw = Raw::login(address).await;
        let id = u32::try_from(theirs.get()).expect("an id of 32 bits");
        assert_eq!(raw.command(&[&[0x0c], &id.to_le_bytes()[..]].concat()).await, 1429);
        // The client's Ctrl-C: on a connection of its own, the id that the greeting told.
        assert_eq!(raw.command(format!("\x03KILL QUERY {id}").as_bytes()).await, 0);
        let asked: Vec<_> = others.kills().into_iter().map(|errand| (errand.mode, errand.target)).collect();
        let target = Target::Session(theirs);
        assert_eq!(asked, [(KillMode::Connection, target.clone()), (KillMode::Query, target)]);
    });
}

#[test]
fn a_client_is_told_of_missing_nodes_in_both_protocols() {
    for (dialect, before, sql) in [
        (Dialect::tidb(), "SET @a = 1", "SELECT * FROM information_schema.cluster_processlist"),
        (Dialect::doris(), "SET show_all_fe_connection = 1", "SHOW PROCESSLIST"),
    ] {
        let missing = |server| Missing { server, why: "it cannot be reached".to_owned() };
        let others = Others::telling(move |_| Gathered { lists: Vec::new(), missing: vec![missing(4), missing(9)] });
        served(dialect, &others, async |address, _| {
            let opts = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(address.port()).user(Some("root"));
            let opts = opts.prefer_socket(Some(false)).max_allowed_packet(Some(1 << 20)).wait_timeout(Some(60));
            let mut client = mysql_async::Conn::new(Opts::from(opts)).await.unwrap();
            client.query_drop(before).await.unwrap();
            for prepared in [false, true] {
                let rows: Vec<mysql_async::Row> = match prepared {
                    false => client.query(sql).await.unwrap(),
                    true => client.exec(sql, ()).await.unwrap(),
                };
                assert_eq!((rows.len(), client.get_warnings()), (1, 2), "{sql}, prepared: {prepared}");
                let told: Vec<(String, u16, String)> = client.query("SHOW WARNINGS").await.unwrap();
                let text = |server| {
                    format!("The sessions of server {server} of the cluster are missing: it cannot be reached")
                };
                assert_eq!(told, [4, 9].map(|server| ("Warning".to_owned(), 1430, text(server))));
            }
            client.disconnect().await.unwrap();
        });
    }
}
