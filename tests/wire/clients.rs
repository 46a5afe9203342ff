//! OceanBase's client sessions as its proxies (ODP) speak of them: by attributes of the connections that they open.

use killdeer::{
    Builder, Dialect, Login, Principal, Privileges,
    wire::{Network, Serve},
};
use mysql_common::constants::CapabilityFlags;

use crate::{
    raw::{Answer, BASIC, Raw, error, framed},
    server::{Odd, Server},
};

const PLUGIN: &str = "mysql_native_password";

/// When a client connected, if a test does not say otherwise.
const CONNECTED: &str = "1700000000000000";

/// An account of its user. `root` is an administrator.
fn cast(login: &Login<'_>) -> Principal {
    let privileges = if login.user == "root" { Privileges::ALL } else { Privileges::NONE };
    let principal = Principal::new(login.user.as_str(), privileges);
    login.tenant.clone().into_iter().fold(principal, Principal::in_tenant)
}

fn networks(list: &str) -> Vec<Network> {
    list.split(',').map(|network| network.parse().unwrap()).collect()
}

/// A server that believes the name of everybody, and proxies of these networks.
fn server_of(dialect: Dialect, odp: &'static str) -> Server {
    serving(dialect, move |serve| serve.odp_from(networks(odp)))
}

fn serving(dialect: Dialect, served: impl FnOnce(Serve) -> Serve + Send + 'static) -> Server {
    Server::start_cast_serving(cast, move |builder: Builder<Odd>| builder.dialect(dialect), served)
}

/// A server behind proxies on this machine.
fn server() -> Server {
    server_of(Dialect::oceanbase(), "192.0.2.0/24,127.0.0.0/8")
}

/// Attributes as they are sent.
fn attributes(pairs: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let all = pairs.iter().flat_map(|(name, value)| [text(name), text(value)]).collect::<Vec<_>>().concat();
    [&[u8::try_from(all.len()).unwrap()], &all[..]].concat()
}

/// What a proxy says of a client.
fn of_client<'a>(id: &'a str, connected: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("__mysql_client_type", "__ob_proxy_mysql"),
        ("__client_session_id", id),
        ("__client_connect_time", connected),
        ("__client_addr_port", "40007"),
    ]
}

/// What becomes of a login with these attributes.
fn try_login(greeted: Raw, user: &str, pairs: &[(&str, &str)]) -> (Raw, Option<Answer>) {
    let mut raw = greeted;
    let capabilities = BASIC.union(CapabilityFlags::CLIENT_CONNECT_ATTRS).bits().to_le_bytes();
    let fixed = [&capabilities[..], &[0, 0, 0, 1, 45], &[0; 23]].concat();
    raw.send(&[&fixed, user.as_bytes(), b"\0\0", PLUGIN.as_bytes(), b"\0", &attributes(pairs)].concat());
    let packet = raw.receive().expect("an answer");
    let refused = (packet[0] == 0xff).then(|| error(&packet));
    (raw, refused)
}

fn login(server: &Server, user: &str, pairs: &[(&str, &str)]) -> Raw {
    let (raw, refused) = try_login(Raw::greeted(server), user, pairs);
    assert_eq!(refused, None);
    raw
}

/// A session of this user's, for client `id`.
fn proxied(server: &Server, user: &str, id: &str) -> Raw {
    login(server, user, &of_client(id, CONNECTED))
}

/// The first column of an answer.
fn column(answer: Answer) -> Vec<String> {
    match answer {
        Answer::Rows { rows, .. } => rows.into_iter().map(|mut row| row.remove(0).expect("a value")).collect(),
        other => panic!("no rows: {other:?}"),
    }
}

fn killed() -> Answer {
    Answer::Error { code: 4401, state: "HY000".into(), text: "Client Session need be killed".into() }
}

/// As another user, with what a proxy says then.
fn change_user(raw: &mut Raw, user: &str, pairs: &[(&str, &str)]) -> Answer {
    let rest = [user.as_bytes(), b"\0\0\0\x2d\0", PLUGIN.as_bytes(), b"\0", &attributes(pairs)].concat();
    raw.command(0x11, &rest);
    raw.answer().expect("an answer")
}

#[test]
fn one_id_is_shown_for_all_sessions_of_a_client_and_kills_them() {
    let server = server();
    let mut direct = Raw::login_as(&server, "alice@test", BASIC);
    let (mut one, mut other) = (proxied(&server, "alice@test", "7"), proxied(&server, "alice@test", "7"));
    assert!(direct.id < one.id, "by its own id it would come first");
    let listed = vec!["7".to_owned(), "7".into(), direct.id.to_string()];
    assert_eq!(column(direct.query("SHOW PROCESSLIST")), listed);
    assert_eq!(column(direct.query("SHOW FULL PROCESSLIST")), listed);
    direct.command(0x0a, &[]);
    assert_eq!(column(direct.answer().unwrap()), listed, "COM_PROCESS_INFO");
    for table in ["information_schema.processlist", "oceanbase.GV$OB_PROCESSLIST"] {
        assert_eq!(column(direct.query(&format!("SELECT ID FROM {table}"))), listed, "{table}");
        assert_eq!(column(direct.query(&format!("SELECT COUNT(*) FROM {table} WHERE id = 7"))), ["2"]);
        let own = format!("SELECT USER FROM {table} WHERE ID = CONNECTION_ID()");
        assert_eq!(column(one.query(&own)), ["alice", "alice"], "{table}");
    }
    for sql in ["SELECT CONNECTION_ID()", "SELECT @@pseudo_thread_id"] {
        assert_eq!(column(one.query(sql)), ["7"], "{sql}");
        assert_eq!(column(direct.query(sql)), [direct.id.to_string()], "{sql}");
    }
    // What the session is to the host does not change.
    assert_eq!(server.row(one.id).expect("by its own id").client.map(|client| client.id.get()), Some(7));
    assert!(one.id >> 31 == 1 && one.id != other.id);
    other.send_query("SELECT SLEEP(1000)");
    server.wait_running_statement(other.id, "SELECT SLEEP(1000)");
    assert_eq!(direct.query("KILL QUERY 7").code(), 0);
    assert_eq!(other.answer().unwrap().code(), 1317);
    assert_eq!(other.query("SELECT 1").code(), 0);
    direct.command(0x0c, &7_u32.to_le_bytes());
    assert_eq!(direct.answer().unwrap().code(), 0, "COM_PROCESS_KILL");
    assert!(one.closes_silently() && other.closes_silently());
    server.wait("their end", |list| list.len() == 1);
    let (late, refused) = try_login(Raw::greeted(&server), "alice@test", &of_client("7", CONNECTED));
    assert_eq!(refused, Some(killed()));
    drop(late);
    let mut next = login(&server, "alice@test", &of_client("7", "1700000000000001"));
    assert_eq!(column(next.query("SELECT CONNECTION_ID()")), ["7"], "its id was given to another");
    drop((next, direct));
    server.wait_empty();
}

#[test]
fn who_is_refused_as_a_killed_client_blocks_no_host_and_leaves_no_place_taken() {
    let server = server();
    let mut by = Raw::login_as(&server, "alice@test", BASIC);
    let victim = proxied(&server, "alice@test", "7");
    assert_eq!(by.query("KILL 7").code(), 0);
    drop(victim);
    for _ in 0..200 {
        let (_late, refused) = try_login(Raw::greeted(&server), "alice@test", &of_client("7", CONNECTED));
        assert_eq!(refused, Some(killed()));
    }
    // Somebody else's is let in, under the same name too.
    assert_eq!(column(proxied(&server, "bob@test", "7").query("SELECT CONNECTION_ID()")), ["7"]);
    assert_eq!(column(proxied(&server, "alice@bank", "7").query("SELECT CONNECTION_ID()")), ["7"]);
    drop(by);
    server.wait_empty();
}

#[test]
fn who_lies_about_its_client_gains_no_right_over_the_other() {
    let server = server();
    let mut mallory = proxied(&server, "mallory@bank", "7");
    assert_eq!(mallory.query("KILL 8").code(), 1094);
    let mut alice = proxied(&server, "alice@test", "8");
    let denied = Answer::Error { code: 1094, state: "HY000".into(), text: "Unknown thread id: 8".into() };
    for sql in ["KILL 8", "KILL QUERY 8", "KILL '8'"] {
        assert_eq!(mallory.query(sql), denied, "{sql}");
    }
    // To say that one is that client gives no right over the other, and ends oneself.
    let mut liar = proxied(&server, "mallory@bank", "8");
    assert_eq!(mallory.query("KILL 8").code(), 0);
    assert!(liar.closes_silently());
    assert_eq!(column(alice.query("SELECT CONNECTION_ID()")), ["8"]);
    let mut sibling = proxied(&server, "alice@test", "8");
    assert_eq!(column(sibling.query("SHOW PROCESSLIST")), ["8", "8"], "nor does it keep the other out");
}

#[test]
fn nobody_is_believed_but_proxies_of_the_networks_named_and_in_this_system_alone() {
    let servers = [
        server_of(Dialect::oceanbase(), "192.0.2.0/24"),
        serving(Dialect::oceanbase(), |serve| serve),
        server_of(Dialect::mysql(), "*"),
        server_of(Dialect::tidb(), "*"),
    ];
    for server in servers {
        let mut raw = proxied(&server, "alice", "777777");
        assert_eq!(column(raw.query("SELECT CONNECTION_ID()")), [raw.id.to_string()]);
        assert_eq!(raw.query("KILL 777777").code(), 1094);
        assert_eq!(raw.query("SELECT 1").code(), 0);
    }
    // What says nothing, or nothing clear.
    let server = server();
    let signed = (1_u32 << 31 | 7).to_string();
    let (mut twice, mut forged) = (of_client("7", CONNECTED), of_client("7", CONNECTED));
    twice.push(("__client_session_id", "8"));
    forged.truncate(2);
    for pairs in [&twice, &forged, &of_client("0", CONNECTED), &of_client(&signed, CONNECTED), &of_client("x", "7")] {
        let mut raw = login(&server, "alice@test", pairs);
        assert_eq!(column(raw.query("SELECT CONNECTION_ID()")), [raw.id.to_string()], "{pairs:?}");
    }
}

#[test]
fn behind_another_proxy_it_counts_from_where_the_connection_came_to_that_one() {
    let server = serving(Dialect::oceanbase(), |serve| {
        serve.proxied_from(networks("127.0.0.0/8")).odp_from(networks("203.0.113.0/24"))
    });
    for (from, believed) in [("203.0.113.9", true), ("198.51.100.9", false), ("127.0.0.1", false)] {
        let mut socket = std::net::TcpStream::connect(server.address).unwrap();
        let header = format!("PROXY TCP4 {from} 198.51.100.1 40007 3306\r\n");
        std::io::Write::write_all(&mut socket, header.as_bytes()).unwrap();
        let (mut raw, refused) = try_login(Raw::over(socket), "alice@test", &of_client("7", CONNECTED));
        assert_eq!(refused, None);
        let shown = if believed { "7".to_owned() } else { raw.id.to_string() };
        assert_eq!(column(raw.query("SELECT CONNECTION_ID()")), [shown], "{from}");
    }
}

#[test]
fn a_connection_that_a_proxy_gives_to_another_client_is_that_ones() {
    let server = server();
    let mut by = Raw::login_as(&server, "root@test", BASIC);
    let mut raw = proxied(&server, "alice@test", "7");
    assert_eq!(change_user(&mut raw, "bob@test", &of_client("8", CONNECTED)).code(), 0);
    assert_eq!(column(raw.query("SELECT CONNECTION_ID()")), ["8"]);
    assert_eq!(by.query("KILL 7").code(), 1094);
    assert_eq!(raw.query("SELECT 1").code(), 0);
    // For none, if none is named.
    assert_eq!(change_user(&mut raw, "bob@test", &[("_os", "Linux")]).code(), 0);
    assert_eq!(column(raw.query("SELECT CONNECTION_ID()")), [raw.id.to_string()]);
    assert_eq!(by.query("KILL 8").code(), 1094);
    // For one that was killed it is closed.
    let mut victim = proxied(&server, "bob@test", "9");
    assert_eq!(by.query("KILL 9").code(), 0);
    assert!(victim.closes_silently());
    assert_eq!(change_user(&mut raw, "bob@test", &of_client("9", CONNECTED)), killed());
    assert!(raw.closes_silently());
    drop(by);
    server.wait_empty();
}

#[test]
fn a_kill_races_logins_of_its_client_and_none_is_left() {
    let server = server();
    let mut by = Raw::login_as(&server, "alice@test", BASIC);
    for client in 10..40 {
        let id = client.to_string();
        let first = proxied(&server, "alice@test", &id);
        let mut late: Vec<_> = (0..4).map(|_| Raw::greeted(&server)).collect();
        let capabilities = BASIC.union(CapabilityFlags::CLIENT_CONNECT_ATTRS).bits().to_le_bytes();
        let pairs = attributes(&of_client(&id, CONNECTED));
        let hello = [&capabilities[..], &[0, 0, 0, 1, 45], &[0; 23], b"alice@test\0\0mysql_native_password\0", &pairs];
        // All are sent before any is answered.
        for raw in &mut late {
            std::io::Write::write_all(&mut raw.socket, &framed(1, &hello.concat())).unwrap();
        }
        assert_eq!(by.query(&format!("KILL {id}")).code(), 0);
        // In and ended, or refused.
        for mut raw in late {
            raw.expect_next(2);
            match raw.receive() {
                Some(packet) if packet[0] == 0xff => assert_eq!(error(&packet), killed()),
                _ => assert!(raw.closes_silently()),
            }
        }
        drop(first);
        server.wait("their end", |list| list.len() == 1);
    }
}
