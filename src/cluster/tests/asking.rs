//! What is asked for and done.

use super::*;
use crate::model::Reason;

#[tokio::test]
async fn a_kill_reaches_the_session_wherever_it_was_asked_for() {
    let [one, two] = Rules::default().peers();
    let victim = two.connect(user("alice"));
    let bystander = two.connect(user("alice"));
    assert_eq!(one.kill_session(root(), victim.slot().id()).await, Ok(1));
    assert_eq!(victim.slot().switch.word().leaving(), Some(Reason::KillConnection));
    assert!(is_unharmed(bystander.slot()));
}

#[tokio::test]
async fn a_list_has_the_sessions_of_all_other_nodes() {
    let [one, two, three] = Rules::default().peers();
    let sessions = [two.connect(user("alice")), two.connect(user("bob")), three.connect(user("alice"))];
    one.connect(user("alice"));
    let gathered = one.list(root()).await;
    assert!(gathered.missing.is_empty(), "{gathered:?}");
    let told: Vec<_> = gathered.lists.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.id)).collect();
    assert_eq!(told, sessions.each_ref().map(|session| session.slot().id()));
    let nodes: Vec<_> = gathered.lists.iter().map(|(node, _)| (node.address, node.query_ids)).collect();
    assert_eq!(nodes, [&two, &three].map(|peer| (peer.registry.node.address, peer.registry.node.query_ids)));
    let alices = one.list(user("alice")).await;
    let told: Vec<_> = alices.lists.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(told, [1, 1], "what alice may see");
}
