//! Sessions in process, by the thousand.

use std::{
    collections::VecDeque,
    future::Future,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use futures::{StreamExt, stream::FuturesUnordered};
use killdeer::{Origin, Principal, Privileges, Reason, Refused, Runtime, SessionHandle};

use super::{engine::One, many};

/// So many connects are under way at a time.
pub const AT_ONCE: usize = 1024;

/// A runtime with room for as many sessions as a benchmark likes.
pub fn runtime() -> Runtime<One> {
    Runtime::builder(One::new()).settings(many()).start()
}

/// Whose sessions they are; a host reads an account once.
pub fn owner() -> Principal {
    static OWNER: OnceLock<Principal> = OnceLock::new();
    OWNER.get_or_init(|| Principal::new("bench", Privileges::NONE)).clone()
}

/// Who lists and kills them.
pub fn root() -> Arc<Principal> {
    Arc::new(Principal::new("root", Privileges::ALL))
}

/// Where their clients are.
pub fn peer() -> Origin {
    SocketAddr::from(([127, 0, 0, 1], 50_000)).into()
}

/// Connects a session.
pub async fn connect(runtime: &Runtime<One>) -> Result<SessionHandle, Refused> {
    runtime.connect(owner(), peer()).await
}

/// Connects so many more, some at a time.
pub async fn connect_all(
    runtime: &Runtime<One>,
    sessions: &mut VecDeque<SessionHandle>,
    count: usize,
) -> Result<(), Refused> {
    sessions.reserve(count);
    pipelined(
        count,
        || connect(runtime),
        |connected| {
            sessions.push_back(connected?);
            Ok(())
        },
    )
    .await
}

/// Disconnects so many, the oldest first, and waits until they have left the list.
pub async fn disconnect_all(sessions: &mut VecDeque<SessionHandle>, count: usize) {
    let mut oldest = sessions.drain(..count);
    let next = || {
        let session = oldest.next();
        async move {
            if let Some(session) = session {
                session.terminate(Reason::Quit);
                session.ended().await;
            }
        }
    };
    let ended: Result<(), std::convert::Infallible> = pipelined(count, next, |()| Ok(())).await;
    ended.unwrap_or_else(|never| match never {});
}

/// So many futures, [`AT_ONCE`] at a time.
pub async fn pipelined<F: Future, E>(
    count: usize,
    mut next: impl FnMut() -> F,
    mut done: impl FnMut(F::Output) -> Result<(), E>,
) -> Result<(), E> {
    let mut under_way = FuturesUnordered::new();
    for _ in 0..count {
        if under_way.len() == AT_ONCE
            && let Some(output) = under_way.next().await
        {
            done(output)?;
        }
        under_way.push(next());
    }
    while let Some(output) = under_way.next().await {
        done(output)?;
    }
    Ok(())
}
