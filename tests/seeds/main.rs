//! The examples of the systems' own documents, replayed: with the same sessions, each statement gives the same table and
//! the same messages, to a library and in the `mariadb` command-line client, byte for byte. `replay.rs` says what the
//! files are made of. Of the documents, ODP's comes with the proxy.

mod document;
#[allow(dead_code)] // it is echo_sql's, which has more users than these
#[path = "../../examples/echo/mod.rs"]
mod echo;
mod players;
mod replay;
mod stage;

use std::{collections::HashMap, net::SocketAddr, path::Path, time::Duration};

use players::{Cli, Library, Player};
use replay::{Client, Replay, Step};
use stage::Stage;

/// The replays, of one document each.
const FILES: [&str; 4] = ["000_doris.txt", "001_oceanbase.txt", "002_oceanbase.txt", "003_tidb.txt"];

fn replays() -> impl Iterator<Item = Replay> {
    FILES.iter().map(|file| Replay::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(file)))
}

#[test]
fn replays_say_what_the_documents_print_and_leave_nothing_out() {
    assert_eq!(replays().map(|replay| replay.seed).collect::<Vec<_>>(), document::names(), "each has its replay");
    replays().for_each(|replay| document::compare(&replay));
}

#[test]
fn a_library_is_answered_as_the_documents_print() {
    replays().for_each(|replay| play(&replay, |address, client| Box::new(Library::connect(address, client))));
}

#[test]
fn the_mariadb_client_prints_what_the_documents_print() {
    replays().for_each(|replay| play(&replay, |address, client| Box::new(Cli::start(address, client))));
}

fn play(replay: &Replay, connect: impl Fn(SocketAddr, &Client) -> Box<dyn Player>) {
    let stage = Stage::set(replay);
    let clients = replay.clients();
    let mut players: HashMap<&str, Box<dyn Player>> = HashMap::new();
    for step in &replay.steps {
        match step {
            Step::Connect(client) => {
                stage.admit(client);
                players.insert(&client.name, connect(stage.address, client));
                stage.await_idle(client);
            }
            Step::Others(count) => stage.others(*count),
            Step::Misprint(_) => {}
            Step::Wait(seconds) => stage.wait(Duration::from_secs(*seconds)),
            Step::Say { who, statement, answer, .. } => {
                let player = players.get_mut(who.as_str()).expect("who speaks is connected");
                player.begin(statement);
                match answer {
                    Some(answer) => expect(replay, statement, &player.answer(), &answer.expected),
                    None => stage.await_running(clients[who.as_str()], statement),
                }
            }
            Step::Get { who, answer } => {
                let player = players.get_mut(who.as_str()).expect("who is answered is connected");
                expect(replay, who, &player.answer(), &answer.expected);
            }
        }
    }
}

fn expect(replay: &Replay, what: &str, answer: &[String], expected: &[String]) {
    let masked: Vec<String> = answer
        .iter()
        .map(|line| match &replay.mask {
            Some((address, text)) => line.replace(address.as_str(), text),
            None => line.clone(),
        })
        .collect();
    let (was, expected) = (masked.join("\n"), expected.join("\n"));
    assert!(was == expected, "{}: {what}:\n{was}\ninstead of\n{expected}", replay.seed);
}
