//! Pools: clients that come back again and again as if they were new.

use mysql_async::{OptsBuilder, Pool, PoolConstraints, PoolOpts, prelude::*};

use crate::{client::opts, server::Server};

/// Every connection is reset (COM_RESET_CONNECTION) before its next turn.
#[tokio::test]
async fn ten_thousand_turns_of_a_pool_that_resets_keep_ids_count_and_list() {
    const TURNS: u64 = 10_000;
    let server = Server::start();
    let constraints = PoolConstraints::new(4, 4).unwrap();
    let pool = PoolOpts::default().with_constraints(constraints).with_reset_connection(true);
    let pool = Pool::new(OptsBuilder::from_opts(opts(&server, "alice")).pool_opts(pool));
    let mut ids = std::collections::BTreeMap::new();
    for turn in 0..TURNS / 4 {
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(pool.get_conn().await.unwrap());
        }
        for conn in &mut turns {
            *ids.entry(conn.id()).or_insert(0) += 1;
            let set: Option<Option<u64>> = conn.query_first("SELECT @turn").await.unwrap();
            assert_eq!(set, Some(None), "turn {turn}: what the one before had set is gone");
            conn.query_drop(format!("SET @turn = {turn}")).await.unwrap();
            conn.exec_drop("DO ?", (turn,)).await.unwrap();
        }
    }
    assert_eq!(ids.values().sum::<u64>(), TURNS);
    assert_eq!(ids.len(), 4, "the same four connections, under the same ids");
    let listed: Vec<u64> = server.list().iter().map(|row| row.id.get()).collect();
    assert_eq!(listed, ids.keys().map(|id| u64::from(*id)).collect::<Vec<_>>());
    assert!(server.list().iter().all(|row| row.principal.as_ref().is_some_and(|who| **who.user() == *"alice")));
    let status = server.runtime.status();
    assert_eq!((status.sessions, status.actors, status.connections), (4, 4, 4));
    pool.disconnect().await.unwrap();
    tokio::task::spawn_blocking(move || {
        server.wait_empty();
        let status = server.runtime.status();
        assert_eq!((status.prepared, status.aborted_clients), (0, 0));
    })
    .await
    .unwrap();
}
