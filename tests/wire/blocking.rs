//! An engine of plain blocking code, served over the wire.

use std::sync::{
    Arc, Mutex,
    mpsc::{self, Receiver},
};

use killdeer::{
    Blocking, BlockingEngine, BlockingSession, Done, Engine, EngineSession, KillMode, Login, Principal, Privileges,
    RowSink, Runtime, SqlError, Statement, StatementContext, Target, Verifier, wire,
};
use mysql_common::{constants::CapabilityFlags, scramble::scramble_sha256};

use crate::{
    auth::full,
    raw::{Answer, BASIC, Raw},
};

/// Notes what it runs. `wait` ends when it is killed, and then says that all is well.
#[derive(Clone, Default)]
struct Stone(Arc<Mutex<Vec<String>>>);

impl BlockingEngine for Stone {
    type Session = Stone;

    fn account(&self, login: &Login<'_>) -> Result<Option<(Verifier, Principal)>, SqlError> {
        Ok(Some((Verifier::default(), Principal::new(login.user.as_str(), Privileges::NONE))))
    }

    fn open(&self, _: &Arc<Principal>) -> Result<Stone, SqlError> {
        Ok(self.clone())
    }
}

impl BlockingSession for Stone {
    fn execute(&mut self, cx: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        let sql = st.sql_lossy().into_owned();
        self.0.lock().unwrap().push(sql.clone());
        while sql == "wait" && !cx.is_killed() {
            std::thread::yield_now();
        }
        Ok(Done::default())
    }
}

#[actix_rt::test]
async fn of_several_statements_none_is_begun_after_a_kill() {
    let stone = Stone::default();
    let runtime = Runtime::builder(Blocking::new(stone.clone())).start();
    let serving = wire::serve(&runtime, wire::listen("127.0.0.1:0".parse().unwrap()).unwrap(), 1).unwrap();
    let (address, stop) = (serving.address(), serving.stop());
    let server = actix_rt::spawn(serving);
    let client = std::thread::spawn(move || {
        let mut raw = Raw::login_at(address, "alice", BASIC.union(CapabilityFlags::CLIENT_MULTI_STATEMENTS));
        raw.send_query("first; wait; third");
        let answers = [raw.answer().unwrap(), raw.answer().unwrap()];
        let next = raw.query("fourth");
        (answers, next)
    });
    while !stone.0.lock().unwrap().iter().any(|sql| sql == "wait") {
        tokio::task::yield_now().await;
    }
    let root = Arc::new(Principal::new("root", Privileges::ALL));
    let id = runtime.list(&root).rows()[0].id;
    assert_eq!(runtime.kill(&root, Target::Session(id), KillMode::Query).await.unwrap().sessions(), 1);
    while !client.is_finished() {
        tokio::task::yield_now().await;
    }
    let ([first, second], next) = client.join().unwrap();
    assert_eq!(first, Answer::Ok { affected: 0, status: 2 | 8 });
    assert_eq!(second.code(), 1317, "it says that all is well, but it was killed");
    assert_eq!(next.code(), 0);
    assert_eq!(*stone.0.lock().unwrap(), ["first", "wait", "fourth"]);
    runtime.shutdown(std::time::Duration::ZERO).await;
    stop.await;
    server.await.unwrap().unwrap();
}

/// More threads where blocking is allowed than a worker of the server has.
const MANY: usize = 600;

/// Each of its statements blocks all threads of its worker, until the sender is dropped. All passwords are `secret`.
struct Crowd {
    held: Arc<Mutex<Receiver<()>>>,
    verifier: Verifier,
}

struct Crowding(Arc<Mutex<Receiver<()>>>);

impl Engine for Crowd {
    type Session = Crowding;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        if login.proves(&self.verifier).await {
            Ok(Principal::new(login.user.as_str(), Privileges::NONE))
        } else {
            Err(login.denied())
        }
    }

    async fn open(&self, _: &Arc<Principal>) -> Result<Crowding, SqlError> {
        Ok(Crowding(Arc::clone(&self.held)))
    }
}

impl EngineSession for Crowding {
    async fn execute(&mut self, _: &StatementContext, _: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        for _ in 0..MANY {
            let held = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || held.lock().unwrap().recv().is_err());
        }
        Ok(Done::default())
    }
}

#[actix_rt::test]
async fn a_password_is_proved_while_all_blocking_threads_are_busy() {
    let (let_go, held) = mpsc::channel();
    let verifier = wire::caching_sha2_verifier("secret");
    let runtime = Runtime::builder(Crowd { held: Arc::new(Mutex::new(held)), verifier }).start();
    let serving = wire::serve(&runtime, wire::listen("127.0.0.1:0".parse().unwrap()).unwrap(), 1).unwrap();
    let (address, stop) = (serving.address(), serving.stop());
    let server = actix_rt::spawn(serving);
    let client = std::thread::spawn(move || {
        let login = |user: &str| {
            let mut raw = Raw::greeted_at(address);
            let proof = scramble_sha256(&raw.nonce, b"secret").unwrap();
            raw.answer_greeting(user, &proof, BASIC, "caching_sha2_password");
            assert_eq!(raw.receive().unwrap(), [1, 4], "its password is not known yet");
            assert_eq!(full(&mut raw, "secret")[0], 0);
            raw
        };
        let mut first = login("alice");
        assert_eq!(first.query("block").code(), 0);
        login("bob").query("block").code()
    });
    while !client.is_finished() {
        tokio::task::yield_now().await;
    }
    drop(let_go);
    assert_eq!(client.join().unwrap(), 0);
    runtime.shutdown(std::time::Duration::ZERO).await;
    stop.await;
    server.await.unwrap().unwrap();
}
