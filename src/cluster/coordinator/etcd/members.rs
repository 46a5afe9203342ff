//! Who the members are, as an etcd has it: read once, then by what changes, and read again when that breaks off.

use std::{convert::Infallible, sync::Arc, time::Duration};

use etcd_client::{EventType, GetOptions, KeyValue, WatchOptions};
use tokio::{sync::watch, time::sleep};

use super::{
    super::CoordinatorError,
    entry::{self, Keys},
    link::Link,
};
use crate::cluster::member::{Identity, Member, Members};

/// So many keys are read at once.
const PAGE: i64 = 256;

/// So many members a node knows at most.
const MOST: usize = 16_384;

/// So long nothing is asked after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes the members for as long as it is polled.
pub(super) async fn attend(link: &Link, keys: &Keys, members: &watch::Sender<Arc<Members>>) {
    let mut known = true;
    loop {
        let Err(error) = follow(link, keys, members, &mut known).await;
        if std::mem::replace(&mut known, false) {
            tracing::warn!(%error, "the members of the cluster are not known any more: they stay as they were last seen");
        }
        sleep(PAUSE).await;
    }
}

async fn follow(
    link: &Link,
    keys: &Keys,
    members: &watch::Sender<Arc<Members>>,
    known: &mut bool,
) -> Result<Infallible, CoordinatorError> {
    let (mut seen, revision) = read(link, keys).await?;
    let range = keys.servers();
    let options = WatchOptions::new().with_range(range.end).with_start_revision(revision + 1).with_fragment();
    let mut changes = link.ask(async |mut etcd| etcd.watch(range.first, Some(options)).await).await?;
    if !std::mem::replace(known, true) {
        tracing::info!(members = seen.len(), "the members of the cluster are known again");
    }
    publish(members, &seen);
    // What was asked and failed has turned to the next etcd already; what was heard and breaks off has not.
    let broken = |why: String| {
        link.turn();
        CoordinatorError::Silent(why)
    };
    loop {
        // For as long as nothing changes. That the connection is there is looked after by pings.
        let change = changes.message().await.map_err(|error| broken(error.to_string()))?;
        let change = change.ok_or_else(|| broken("the watch has ended".into()))?;
        if change.canceled() {
            return Err(broken(format!("the watch was ended: {}", change.cancel_reason())));
        }
        for event in change.events() {
            let Some(entry) = event.kv() else { continue };
            match event.event_type() {
                EventType::Put => note(keys, &mut seen, entry),
                EventType::Delete => {
                    keys.server_of(entry.key()).map(|server| seen.remove(&server));
                }
            }
        }
        publish(members, &seen);
    }
}

/// All members, and the revision as of which they are it.
async fn read(link: &Link, keys: &Keys) -> Result<(Members, i64), CoordinatorError> {
    let (mut range, mut seen, mut revision) = (keys.servers(), Members::new(), 0);
    loop {
        let options = GetOptions::new().with_range(range.end.clone()).with_limit(PAGE).with_revision(revision);
        let first = range.first.clone();
        let page = link.ask(async |mut etcd| etcd.get(first, Some(options)).await).await?;
        if revision == 0 {
            let header =
                page.header().ok_or_else(|| CoordinatorError::Silent("an answer without a revision".into()))?;
            revision = header.revision();
        }
        page.kvs().iter().for_each(|entry| note(keys, &mut seen, entry));
        match page.kvs().last() {
            Some(last) if page.more() && seen.len() < MOST => range = range.behind(last.key()),
            _ => return Ok((seen, revision)),
        }
    }
}

/// Takes in what stands under a key.
fn note(keys: &Keys, seen: &mut Members, entry: &KeyValue) {
    let Some(server) = keys.server_of(entry.key()) else {
        tracing::warn!(key = entry::excerpt(entry.key()), "no member of the cluster has such a key");
        return;
    };
    let (addresses, epoch) = (entry::read(entry.value()), u64::try_from(entry.create_revision()));
    let (Some(addresses), Ok(epoch)) = (addresses, epoch) else {
        let value = entry::excerpt(entry.value());
        tracing::warn!(server, value, "a member of the cluster does not say where it is: it is passed over");
        seen.remove(&server);
        return;
    };
    if seen.len() >= MOST && !seen.contains_key(&server) {
        tracing::warn!(server, "one member of the cluster more than a node knows: it is passed over");
        return;
    }
    seen.insert(server, Member { identity: Identity { server, epoch }, addresses });
}

fn publish(members: &watch::Sender<Arc<Members>>, seen: &Members) {
    members.send_if_modified(|known| {
        let differs = **known != *seen;
        if differs {
            *known = Arc::new(seen.clone());
        }
        differs
    });
}
