//! The connections to the other nodes.

use tokio::runtime::Builder;
use tonic::transport::Endpoint;

use super::*;
use crate::cluster::links::Links;

#[tokio::test]
async fn a_thread_that_asks_for_kills_gets_a_connection_of_its_own() {
    let two = Rules::default().peer(2);
    // Nobody runs what is to serve the shared ones: by those, nothing is ever answered.
    let stuck = Builder::new_current_thread().enable_all().build().unwrap();
    let links = {
        let _within = stuck.enter();
        Links::new(Deadlines { kill: LONG, list: LONG }, Trust::loopback(), Endpoint::connect_lazy)
    };
    let is_answered = async || links.nearest(two.member).unwrap().status(SHORT).await.is_ok();
    assert!(!is_answered().await, "the first is asked by the one that all share, for that is there");
    while !is_answered().await {}
    // One that is no member any more is asked by none that was kept.
    links.keep(&[]);
    assert!(!is_answered().await);
    stuck.shutdown_background();
}
