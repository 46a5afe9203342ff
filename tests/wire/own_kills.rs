//! What a client is told that kills itself, and the client of a killed query, in each system, byte by byte.

use killdeer::Dialect;

use crate::{
    echo::accounts::Accounts,
    raw::{Answer, Raw},
    server::Server,
};

fn start(dialect: Dialect) -> Server {
    Server::start_with(Accounts::of_everybody(dialect.has_tenants()), move |builder| builder.dialect(dialect))
}

fn error(code: u16, text: &str) -> Answer {
    let state = if code == 1105 { "HY000" } else { "70100" };
    Answer::Error { code, state: state.into(), text: text.into() }
}

#[test]
fn who_kills_itself_is_told_its_systems_word_and_then_closed() {
    let interrupted = || error(1317, "Query execution was interrupted");
    for name in Dialect::NAMES {
        let server = start(Dialect::named(name).unwrap());
        let expected = || match name {
            "mariadb" => error(1927, "Connection was killed"),
            "doris" => Answer::Ok { affected: 0, status: 2 },
            _ => interrupted(),
        };
        let mut own = Raw::login(&server);
        let kill_query = format!("KILL QUERY {}", own.id);
        assert_eq!(own.query(&kill_query), interrupted(), "{name}");
        assert!(matches!(own.query("SELECT 1"), Answer::Rows { .. }), "{name}: the session lives");
        let kill = format!("KILL {}", own.id);
        assert_eq!(own.query(&kill), expected(), "{name}");
        assert!(own.closes_silently(), "{name}: and then no byte more");
        drop(own);

        // COM_PROCESS_KILL
        let mut own = Raw::login(&server);
        let id = own.id.to_le_bytes();
        own.command(0x0c, &id);
        assert_eq!(own.answer(), Some(expected()), "{name}");
        assert!(own.closes_silently(), "{name}");
        drop(own);
        server.wait_empty();
    }
}

#[test]
fn doris_tells_the_client_of_a_killed_query_from_where_if_asked_to() {
    for (telling, name) in [(true, "doris"), (false, "doris"), (true, "mysql")] {
        let server = start(Dialect::named(name).unwrap().cancel_text(telling));
        let (mut victim, mut by) = (Raw::login(&server), Raw::login(&server));
        victim.send_query("SELECT SLEEP(1000)");
        server.wait_running(victim.id);
        assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
        let expected = match (telling, name) {
            (true, "doris") => error(1105, &format!("cancel query by user from {}", by.socket.local_addr().unwrap())),
            _ => error(1317, "Query execution was interrupted"),
        };
        assert_eq!(victim.answer(), Some(expected), "{telling}, {name}");
        assert!(matches!(victim.query("SELECT 1"), Answer::Rows { .. }));
    }
}
