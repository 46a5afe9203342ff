//! With this crate's own server.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use futures::FutureExt;

use super::{small::Small, *};
use crate::{
    Column, ColumnType, Done, OwnedValue, Params, Principal, Privileges, Runtime,
    wire::{self, AuthPlugin, Serve},
};

/// Runs a test beside a server, which ends with it.
fn served<F: Future<Output = ()>>(test: impl FnOnce(Runtime<Small>, ServerAddress) -> F) {
    served_as(|serve| serve, |runtime, [to, _]| test(runtime, to));
}

/// The same, of a server that is to be so: over TCP, and by a Unix socket.
fn served_as<F: Future<Output = ()>>(
    so: impl FnOnce(Serve) -> Serve,
    test: impl FnOnce(Runtime<Small>, [ServerAddress; 2]) -> F,
) {
    static SOCKETS: AtomicUsize = AtomicUsize::new(0);
    let name = format!("killdeer-{}-{}.sock", std::process::id(), SOCKETS.fetch_add(1, Relaxed));
    let path = std::env::temp_dir().join(name);
    actix_rt::System::new().block_on(async {
        let runtime = Runtime::builder(Small).server_version("8.0.36-small").start();
        let listener = wire::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let socket = wire::listen_unix(&path).unwrap();
        let serving = so(Serve::new(listener, 1).unix(socket)).start(&runtime).unwrap();
        let (stop, address) = (serving.stop(), server(serving.address()));
        let socket = ServerAddress::Unix(path.clone());
        let served = actix_rt::spawn(serving);
        tokio::time::timeout(LONG, test(runtime.clone(), [address, socket])).await.unwrap();
        runtime.shutdown(Duration::ZERO).await;
        stop.await;
        served.await.unwrap().unwrap();
    });
    let _ = std::fs::remove_file(path);
}

async fn connected(to: &ServerAddress) -> Backend {
    Backend::connect(to, &account("native", "secret"), Wishes::default(), LONG).await.unwrap()
}

async fn query(backend: &mut Backend, sql: &str) -> Result<Answer, BackendError> {
    backend.command(command::QUERY, &[sql.as_bytes()]).await
}

#[test]
fn passwords_are_proved_by_each_method_whichever_the_server_begins_with() {
    for plugin in [AuthPlugin::Native, AuthPlugin::CachingSha2] {
        served_as(
            |serve| serve.default_plugin(plugin),
            async |runtime, [tcp, socket]| {
                // The second time, a password is remembered.
                for (user, password, to) in [
                    ("native", "secret", &tcp),
                    ("native", "secret", &socket),
                    ("sha2", "secret", &tcp),
                    ("sha2", "secret", &tcp),
                    ("sha2", "secret", &socket),
                    ("other", "secret", &socket),
                    ("other", "secret", &socket),
                    ("empty", "", &tcp),
                    ("empty", "", &socket),
                ] {
                    let mut backend =
                        Backend::connect(to, &account(user, password), Wishes::default(), LONG).await.unwrap();
                    let list = runtime.list(&Arc::new(Principal::new("root", Privileges::ALL))).rows();
                    let row = list.into_iter().find(|row| row.id.get() == backend.server_sessid()).unwrap();
                    assert_eq!((row.user(), row.database.as_deref()), (user, None));
                    assert_eq!(backend.peer().to_string(), to.to_string());
                    assert!(query(&mut backend, "LENGTH").await.is_ok());
                    backend.quit().await;
                }
                for (user, password) in [("native", "wrong"), ("sha2", "wrong"), ("sha2", ""), ("nobody", "x")] {
                    for to in [&tcp, &socket] {
                        let refused = Backend::connect(to, &account(user, password), Wishes::default(), LONG).await;
                        assert_eq!(code(refused), 1045, "{user} {to}");
                    }
                }
            },
        );
    }
}

#[test]
fn by_a_unix_socket_a_password_goes_as_it_is() {
    // The server has no key for it.
    served_as(
        |serve| serve.passwords_by_rsa(false),
        async |_, [tcp, socket]| {
            let account = account("sha2", "secret");
            let refused = Backend::connect(&tcp, &account, Wishes::default(), LONG).await;
            assert!(refused.is_err(), "by TCP it cannot be sent");
            let entered = Backend::connect(&socket, &account, Wishes::default(), LONG).await.unwrap();
            entered.quit().await;
        },
    );
}

#[test]
fn who_is_not_there_is_lost() {
    actix_rt::System::new().block_on(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        lost(Backend::connect(&server(free), &account("native", "secret"), Wishes::default(), LONG).await);
        // One that accepts and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = server(silent.local_addr().unwrap());
        let why =
            lost(Backend::connect(&to, &account("native", "s"), Wishes::default(), Duration::from_millis(20)).await);
        assert!(why.contains("in time"), "{why}");
        let zero = account("a\0b", "");
        lost(Backend::connect(&to, &zero, Wishes::default(), LONG).await);
    });
}

#[test]
fn answers_say_what_was_done() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        assert!(backend.is_between_commands());
        let done = query(&mut backend, "INSERT").await.unwrap().done;
        let expected = Done { affected: 3, last_insert_id: 1 << 40, warnings: 2, ..Done::default() };
        assert_eq!(done, expected);
        assert!(query(&mut backend, "BEGIN").await.unwrap().done.in_transaction);
        assert_eq!(code(query(&mut backend, "NONSENSE").await), 1064);
        assert!(backend.is_between_commands());
        query(&mut backend, "TRACKED shop").await.unwrap();
        let changes = query(&mut backend, "TRACKED other").await.unwrap().changes;
        assert_eq!(changes.schema.as_deref(), Some("other"));
        assert_eq!(changes.variables, [("time_zone".to_owned(), "+01:00".to_owned())]);
        backend.command(command::PING, &[]).await.unwrap();
        backend.command(command::INIT_DB, &[b"shop"]).await.unwrap();
        backend.command(command::RESET_CONNECTION, &[]).await.unwrap();
    });
}

#[test]
fn an_update_counts_the_rows_that_are_asked_for() {
    served(async |_, to| {
        for (found_rows, affected) in [(false, 1), (true, 2)] {
            let wishes = Wishes { found_rows, ..Wishes::default() };
            let mut backend = Backend::connect(&to, &account("native", "secret"), wishes, LONG).await.unwrap();
            assert_eq!(query(&mut backend, "UPDATE").await.unwrap().done.affected, affected);
            backend.command(command::RESET_CONNECTION, &[]).await.unwrap();
            assert_eq!(query(&mut backend, "UPDATE").await.unwrap().done.affected, affected, "it stays so");
        }
    });
}

#[test]
fn rows_come_in_runs_and_none_is_missing() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        for count in [0usize, 1, 10, 20_000] {
            backend.send(command::QUERY, &[format!("ROWS {count}").as_bytes()]).unwrap();
            let Head::Columns(definitions) = backend.head().await.unwrap() else { panic!("no columns") };
            let columns: Vec<_> = definitions.iter().map(|definition| column(definition).unwrap()).collect();
            assert_eq!((columns[0].name.as_ref(), columns[1].kind), ("n", ColumnType::VarChar));
            let (mut seen, mut runs) = (0i64, 0usize);
            while let Rows::Some(packets) = backend.rows().await.unwrap() {
                runs += 1;
                assert!(packets.len() <= MOST_ROWS);
                for row in payloads(packets) {
                    let expected = [OwnedValue::Int(seen), OwnedValue::Text(format!("row {seen}"))];
                    assert_eq!(text_row(&columns, &row).unwrap(), expected);
                    seen += 1;
                }
            }
            assert_eq!(usize::try_from(seen).unwrap(), count);
            assert!(runs <= 2 + count / 10, "{runs} runs of {count} rows");
            assert!(backend.is_between_commands());
        }
    });
}

#[test]
fn a_row_of_more_than_a_packet_is_one_row() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        for length in [MAX - 10, MAX - 4, MAX, MAX + 1] {
            backend.send(command::QUERY, &[format!("LONG {length}").as_bytes()]).unwrap();
            assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
            let (rows, _) = all_rows(&mut backend).await.unwrap();
            let columns = [Column::new("text", ColumnType::Text)];
            let texts: Vec<_> = rows.iter().map(|row| text_row(&columns, row).unwrap().remove(0)).collect();
            let (OwnedValue::Text(long), OwnedValue::Text(behind)) = (&texts[0], &texts[1]) else { panic!("no texts") };
            assert_eq!((texts.len(), long.len(), behind.as_str()), (2, length, "behind it"));
        }
    });
}

#[test]
fn a_long_row_comes_in_parts_and_is_held_by_nobody() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        for length in [MAX - 4, 2 * MAX + 1] {
            backend.send(command::QUERY, &[format!("LONG {length}").as_bytes()]).unwrap();
            assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
            let (mut bytes, mut ends, mut rows) = (0, 0, 0);
            loop {
                match backend.pieces().await.unwrap() {
                    Rows::Part(part) => {
                        bytes += part.bytes.len() - if part.starts { 4 } else { 0 };
                        ends += usize::from(part.ends);
                    }
                    Rows::Some(packets) => rows += payloads(packets).count(),
                    Rows::End(_) => break,
                }
                assert!(backend.given.len() <= MOST_ROWS + 4 && backend.link.held() <= 4 * MOST_ROWS);
            }
            assert!(bytes > length && (ends, rows) == (1, 1), "{bytes} bytes, {ends}, {rows}");
        }
        // What is not wanted is not held either.
        backend.send(command::QUERY, &[format!("LONG {}", 2 * MAX).as_bytes()]).unwrap();
        assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
        assert!(matches!(backend.pieces().await, Ok(Rows::Part(_))));
        backend.finish().await.unwrap();
        assert!(backend.is_between_commands());
    });
}

/// The length of a payload that goes on in a second packet.
const MAX: usize = wire::MAX_CHUNK;

#[test]
fn a_command_of_more_than_a_packet_is_one_command() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        // With the command's own byte, the second fills a packet to its end, so that an empty one follows.
        for length in [MAX - 2, MAX - 1, MAX + 7] {
            let text = vec![b'x'; length - 7];
            let answer = backend.command(command::QUERY, &[b"LENGTH ", &text]).await.unwrap();
            assert_eq!(answer.done.affected, length as u64);
        }
    });
}

#[test]
fn several_results_come_one_after_the_other() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        backend.send(command::QUERY, &[b"TWICE"]).unwrap();
        for (expected, more) in [(b"\x011", true), (b"\x012", false)] {
            assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
            let (rows, answer) = all_rows(&mut backend).await.unwrap();
            assert_eq!((rows, answer.more), (vec![expected.to_vec()], more));
        }
        // Left in the middle, the rest is read and dropped.
        for heads in 0..2 {
            backend.send(command::QUERY, &[b"TWICE"]).unwrap();
            for _ in 0..heads {
                backend.head().await.unwrap();
            }
            assert!(!backend.is_between_commands());
            assert!(!backend.finish().await.unwrap().more);
            assert!(backend.is_between_commands());
        }
        backend.send(command::QUERY, &[b"HALF"]).unwrap();
        assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
        assert_eq!(code(all_rows(&mut backend).await), 1213);
        assert!(backend.is_between_commands());
        assert_eq!(code(query(&mut backend, "HALF").await), 1213);
        assert_eq!(query(&mut backend, "INSERT").await.unwrap().done.affected, 3);
    });
}

#[test]
fn prepared_statements_run_with_their_parameters() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        let prepared = backend.prepare(b"PARAMS ?, ?, ?, ?").await.unwrap();
        assert_eq!((prepared.params.len(), prepared.columns.len()), (4, 1));
        assert_eq!(column(&prepared.columns[0]).unwrap().name, "a");
        let values =
            vec![OwnedValue::Int(-7), OwnedValue::Null, OwnedValue::Text("é".into()), OwnedValue::Bytes(vec![0xff])];
        let payload = execute_payload(prepared.id, &Params(values.clone()));
        backend.send(command::STMT_EXECUTE, &[&payload]).unwrap();
        let Head::Columns(definitions) = backend.head().await.unwrap() else { panic!("no columns") };
        let columns: Vec<_> = definitions.iter().map(|definition| column(definition).unwrap()).collect();
        let (rows, _) = all_rows(&mut backend).await.unwrap();
        assert_eq!(binary_row(&columns, &rows[0]).unwrap(), values);
        backend.tell(command::STMT_CLOSE, &[&prepared.id.to_le_bytes()]).unwrap();
        assert_eq!(code(backend.command(command::STMT_EXECUTE, &[&payload]).await), 1243);
        assert_eq!(code(backend.prepare(b"NONSENSE").await), 1295);
        assert!(backend.is_between_commands());
    });
}

#[test]
fn columns_of_tables_are_told() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        let names = |fields: Vec<Bytes>| -> Vec<String> {
            fields.iter().map(|field| column(field).unwrap().name.into_owned()).collect()
        };
        assert_eq!(names(backend.fields("t", "").await.unwrap()), ["a", "b"]);
        assert_eq!(names(backend.fields("t", "b").await.unwrap()), ["b"]);
        assert_eq!(code(backend.fields("u", "").await), 1146);
        assert!(backend.is_between_commands());
    });
}

/// Polls a call once and drops it, again and again, until one of them is ready.
macro_rules! once_at_a_time {
    ($call:expr) => {
        loop {
            if let Some(ready) = $call.now_or_never() {
                break ready;
            }
            tokio::task::yield_now().await;
        }
    };
}

#[test]
fn a_call_that_is_dropped_loses_nothing() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        for _ in 0..20 {
            // What does not fit the socket is sent by whoever reads next.
            let text = [&b"LENGTH "[..], &vec![b'x'; 8 << 20]].concat();
            let _ = backend.send(command::QUERY, &[&text]);
            let Head::Ok(answer) = once_at_a_time!(backend.head()).unwrap() else { panic!("no OK") };
            assert_eq!(answer.done.affected, text.len() as u64);

            let _ = backend.send(command::QUERY, &[b"ROWS 3000"]);
            assert!(matches!(once_at_a_time!(backend.head()), Ok(Head::Columns(_))));
            let mut seen = 0;
            loop {
                // The borrow of the rows goes on: they are counted within the call.
                let count = async {
                    match backend.rows().await.unwrap() {
                        Rows::Some(packets) => Some(payloads(packets).count()),
                        Rows::Part(_) => panic!("a part"),
                        Rows::End(_) => None,
                    }
                };
                match count.now_or_never() {
                    Some(Some(rows)) => seen += rows,
                    Some(None) => break,
                    None => tokio::task::yield_now().await,
                }
            }
            assert_eq!(seen, 3000);

            let _ = backend.send(command::QUERY, &[b"ROWS 3000"]);
            once_at_a_time!(backend.finish()).unwrap();

            // A preparation that nobody waits for any more.
            let _ = backend.prepare(b"PARAMS ?").now_or_never();
            once_at_a_time!(backend.finish()).unwrap();
            assert!(backend.is_between_commands());
        }
    });
}

#[test]
fn a_connection_that_is_killed_is_seen_to_be_closed() {
    served(async |runtime, to| {
        let mut idle = connected(&to).await;
        assert!(std::future::poll_fn(|cx| Poll::Ready(idle.poll_closed(cx))).await.is_pending());
        let mut other = connected(&to).await;
        let kill = format!("KILL CONNECTION {}", idle.server_sessid());
        query(&mut other, &kill).await.unwrap();
        std::future::poll_fn(|cx| idle.poll_closed(cx)).await;
        assert!(!idle.is_between_commands());
        lost(query(&mut idle, "LENGTH").await);
        // A statement that is killed ends in an error, and its connection goes on.
        other.send(command::QUERY, &[b"WAIT"]).unwrap();
        assert!(other.head().now_or_never().is_none());
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        let id = crate::SessionId::new(other.server_sessid());
        while runtime.list(&root).rows().iter().all(|row| row.id != id || row.statement.is_none()) {
            tokio::task::yield_now().await;
        }
        let mut third = connected(&to).await;
        query(&mut third, &format!("KILL QUERY {}", other.server_sessid())).await.unwrap();
        assert_eq!(code(other.finish().await), 1317);
        assert_eq!(query(&mut other, "INSERT").await.unwrap().done.affected, 3);
    });
}

#[test]
fn commands_do_not_come_in_the_middle_of_an_answer() {
    served(async |_, to| {
        let mut backend = connected(&to).await;
        backend.send(command::QUERY, &[b"ROWS 3"]).unwrap();
        lost(backend.send(command::QUERY, &[b"ROWS 3"]));
        assert!(!backend.is_between_commands());
        lost(backend.finish().await);
        let mut backend = connected(&to).await;
        lost(backend.rows().await.map(|_| ()));
    });
}
