//! The machine against a coordinator that is slow, deaf and forgetful, and against a node that stands still.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

const TIMES: LeaseTimes = LeaseTimes {
    lease: ms(10_000),
    renew_every: ms(1_000),
    fence_after: ms(5_000),
    claim_every: ms(10_000),
    cool_down: ms(10_000),
};

const FIRST: Identity = Identity { server: 7, epoch: 70 };

/// A node that was let in at 0.
fn held() -> Lease {
    let mut lease = Lease::new(TIMES, ms(0));
    assert_eq!(lease.due(ms(0)), Some(Step::Claim));
    assert_eq!(lease.heard(ms(5), News::Claimed { sent: ms(0), identity: FIRST }), Some(Step::Open(FIRST)));
    lease
}

#[test]
fn a_renewal_that_fails_is_repeated_and_changes_nothing() {
    let mut lease = held();
    for second in 1..=4 {
        assert_eq!(lease.next(), Some(ms(second * 1_000)));
        assert_eq!(lease.due(ms(second * 1_000)), Some(Step::Renew(FIRST)), "the first one, too");
        assert_eq!(lease.heard(ms(second * 1_000), News::Unrenewed), None);
        assert_eq!(lease.identity(ms(second * 1_000)), Some(FIRST));
    }
    assert_eq!(lease.due(ms(4_999)), None);
    assert_eq!(lease.due(ms(5_000)), Some(Step::Fence(Why::Silent)));
    assert_eq!((lease.identity(ms(5_000)), lease.next()), (None, None), "until all sessions are gone");
    assert_eq!(lease.heard(ms(6_000), News::Empty), Some(Step::Claim), "a fresh one");
}

#[test]
fn the_fence_counts_from_when_the_renewal_was_sent() {
    let mut lease = held();
    assert_eq!(lease.due(ms(1_000)), Some(Step::Renew(FIRST)));
    assert_eq!(lease.heard(ms(3_900), News::Renewed { sent: ms(1_000) }), None);
    assert_eq!(lease.until(), Some(ms(6_000)));
}

#[test]
fn an_answer_behind_the_fence_lifts_nothing() {
    let mut lease = held();
    assert_eq!(lease.due(ms(4_000)), Some(Step::Renew(FIRST)));
    assert_eq!(lease.identity(ms(5_000)), None, "whoever asks is told before the machine has moved");
    assert_eq!(lease.heard(ms(5_000), News::Renewed { sent: ms(4_000) }), Some(Step::Fence(Why::Silent)));
}

#[test]
fn a_key_that_is_gone_fences_at_once_and_another_ones_does_not() {
    let mut lease = held();
    assert_eq!(lease.heard(ms(10), News::Gone(Identity { epoch: 69, ..FIRST })), None);
    assert_eq!(lease.heard(ms(10), News::Gone(FIRST)), Some(Step::Fence(Why::Taken)));
}

#[test]
fn a_claim_that_is_answered_too_late_is_given_back() {
    let mut lease = Lease::new(TIMES, ms(0));
    assert_eq!(lease.due(ms(0)), Some(Step::Claim));
    assert_eq!(lease.heard(ms(5_000), News::Claimed { sent: ms(0), identity: FIRST }), Some(Step::Release(FIRST)));
    assert_eq!(lease.due(ms(5_000)), Some(Step::Claim));
    assert_eq!(lease.heard(ms(5_001), News::Unclaimed), None);
    assert_eq!(lease.next(), Some(ms(15_001)));
}

/// The coordinator's side: which identity is leased until when.
#[derive(Default)]
struct Coordinator {
    leases: BTreeMap<u32, (Identity, Moment)>,
    epochs: u64,
}

impl Coordinator {
    fn expire(&mut self, now: Moment) {
        self.leases.retain(|_, (_, until)| *until > now);
    }

    fn claim(&mut self, now: Moment) -> Identity {
        self.epochs += 1;
        let server = (1..).find(|server| !self.leases.contains_key(server)).expect("there are many");
        let identity = Identity { server, epoch: self.epochs };
        self.leases.insert(server, (identity, now + TIMES.lease));
        identity
    }

    fn renew(&mut self, now: Moment, identity: Identity) -> bool {
        match self.leases.get_mut(&identity.server).filter(|(leased, _)| *leased == identity) {
            Some((_, until)) => {
                *until = now + TIMES.lease;
                true
            }
            None => false,
        }
    }
}

/// What becomes of a question to the coordinator.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It arrives after so many milliseconds, and its answer after so many more.
    Answered(u64, u64),
    /// It arrives after so many, and its answer never.
    Unanswered(u64),
    /// It never arrives.
    Lost,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => (0..50u64, 0..50u64).prop_map(|(there, back)| Fate::Answered(there, back)),
        2 => (0..6_000u64, 0..6_000u64).prop_map(|(there, back)| Fate::Answered(there, back)),
        1 => (0..6_000u64).prop_map(Fate::Unanswered),
        2 => Just(Fate::Lost),
    ]
}

/// So long a question is waited for.
const PATIENCE: Duration = ms(2_000);

/// What is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The coordinator is asked: for this identity's renewal, or for a new one. The answer comes after so long, if at all.
    Asked { sent: Moment, renew: Option<Identity>, back: Option<Moment> },
    /// The node hears this.
    Told { sent: Moment, renew: Option<Identity>, given: Option<Identity> },
    /// The node waits no longer.
    Unheard { sent: Moment, renewal: bool },
    /// All its sessions are gone.
    Emptied,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Two nodes at one coordinator: while a node takes itself for the owner of a server id, the coordinator keeps it for
    /// nobody else.
    #[test]
    fn no_server_id_is_two_nodes(
        fates in prop::collection::vec(fate(), 1..64),
        stops in prop::collection::vec((0..2usize, 0..60_000u64, 0..20_000u64), 0..6),
    ) {
        let mut coordinator = Coordinator::default();
        let mut nodes = [Lease::new(TIMES, ms(0)), Lease::new(TIMES, ms(0))];
        let mut owned: [Option<Identity>; 2] = [None, None];
        let mut events: [BTreeMap<(Moment, u64), Event>; 2] = Default::default();
        let (mut fates, mut order) = (fates.into_iter().cycle(), 0u64);
        let standing = |node: usize, now: Moment| {
            stops.iter().any(|(stopped, from, time)| *stopped == node && ms(*from) <= now && now < ms(from + time))
        };
        for now in (0..90_000u64).step_by(10).map(ms) {
            coordinator.expire(now);
            for node in 0..2 {
                let mut steps = Vec::new();
                while let Some(entry) = events[node].first_entry().filter(|entry| entry.key().0 <= now) {
                    let news = match *entry.get() {
                        Event::Asked { sent, renew, back } => {
                            entry.remove();
                            let given = match renew {
                                Some(identity) => coordinator.renew(now, identity).then_some(identity),
                                None => Some(coordinator.claim(now)),
                            };
                            if let Some(back) = back {
                                order += 1;
                                events[node].insert((now + back, order), Event::Told { sent, renew, given });
                            }
                            continue;
                        }
                        // What reaches a node that stands still is heard when it goes on.
                        _ if standing(node, now) => break,
                        Event::Told { sent, renew: None, given } => {
                            News::Claimed { sent, identity: given.expect("there is always one") }
                        }
                        Event::Told { sent, renew: Some(_), given: Some(_) } => News::Renewed { sent },
                        Event::Told { renew: Some(identity), .. } => News::Gone(identity),
                        Event::Unheard { renewal: true, .. } => News::Unrenewed,
                        Event::Unheard { .. } => News::Unclaimed,
                        Event::Emptied => News::Empty,
                    };
                    entry.remove();
                    steps.extend(nodes[node].heard(now, news));
                }
                if !standing(node, now) {
                    steps.extend(std::iter::from_fn(|| nodes[node].due(now)).take(4));
                }
                for step in steps {
                    order += 1;
                    match step {
                        Step::Open(identity) => {
                            prop_assert!(owned[node].is_none(), "it was fenced before");
                            owned[node] = Some(identity);
                        }
                        Step::Fence(_) => {
                            owned[node] = None;
                            events[node].insert((now + ms(100), order), Event::Emptied);
                        }
                        Step::Release(identity) => {
                            coordinator.leases.retain(|_, (leased, _)| *leased != identity);
                        }
                        Step::Claim | Step::Renew(_) => {
                            let renew = if let Step::Renew(identity) = step { Some(identity) } else { None };
                            let (there, back) = match fates.next().expect("they never end") {
                                Fate::Answered(there, back) => (Some(there), Some(ms(back))),
                                Fate::Unanswered(there) => (Some(there), None),
                                Fate::Lost => (None, None),
                            };
                            if let Some(there) = there {
                                events[node].insert((now + ms(there), order), Event::Asked { sent: now, renew, back });
                            }
                            order += 1;
                            let unheard = Event::Unheard { sent: now, renewal: renew.is_some() };
                            events[node].insert((now + PATIENCE, order), unheard);
                        }
                    }
                }
                // What a node that stands still would find if it looked, too.
                if let (Some(identity), Some(own)) = (nodes[node].identity(now), owned[node]) {
                    prop_assert_eq!(identity, own);
                    let leased = coordinator.leases.get(&identity.server).map(|(leased, _)| *leased);
                    prop_assert_eq!(leased, Some(identity), "at {:?} of node {}", now, node);
                }
            }
        }
    }
}
