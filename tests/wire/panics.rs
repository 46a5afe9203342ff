//! A panic in the engine, as its client and the others see it.

use crate::{
    raw::{Answer, Raw},
    server::Server,
};

#[test]
fn a_panic_gives_1105_and_a_close_and_the_others_go_on() {
    let server = Server::start();
    let mut other = Raw::login(&server);
    for (turn, sql) in ["PANIC", "PANIC IN ROWS"].into_iter().enumerate() {
        let mut raw = Raw::login(&server);
        assert_eq!(raw.query("BEGIN").code(), 0);
        assert_eq!(raw.query(sql).code(), 1105, "{sql}");
        assert!(raw.closes_silently());
        server.wait("its end", |list| list.len() == 1);
        let status = server.runtime.status();
        assert_eq!((status.sessions, status.panics), (1, turn as u64 + 1));
        assert!(matches!(other.query("SELECT 1"), Answer::Rows { .. }));
    }
    drop(other);
    server.wait_empty();
}
