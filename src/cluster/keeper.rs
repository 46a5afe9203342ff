//! The keeper of a node's place in its cluster: asks the coordinator for what the [`Lease`] says, lets clients in when there
//! is a server id, and ends all sessions when it is lost, or might be.
//!
//! It is one future, to be polled where nothing else keeps it waiting for long: with it the fence is late. Whoever acts is
//! safe all the same, since it looks at the node's standing, which ends by the clock alone.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    coordinator::{Claim, Coordinator, CoordinatorError, Renewal},
    lease::{Lease, Moment, News, Step, Why},
    member::Identity,
    times::LeaseTimes,
};
use crate::{id::Layout, supervisor::Registry};

/// The clock is looked at as often as this: timers stand still while the machine is suspended.
const LOOK: Duration = Duration::from_millis(500);

/// So often a fenced node looks for sessions that are still there.
const PAUSE: Duration = Duration::from_millis(50);

/// So often it says how many there still are.
const REMIND: Duration = Duration::from_secs(10);

/// So long a node on its way out waits for the coordinator.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a node is in its cluster at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has no server id: not yet, or not any more.
    Outside,
    /// It has one, and may act until then; `None`: for ever.
    Member { identity: Identity, until: Option<Moment> },
    /// It has lost the one that it had, and its sessions are ending.
    Fenced(Why),
}

/// What the rest of the process has of the keeper. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    place: watch::Receiver<Place>,
    now: fn() -> Moment,
    leave: Arc<Notify>,
}

impl Seat {
    /// What the node is by now.
    pub(crate) fn place(&self) -> Place {
        let place = *self.place.borrow();
        match place {
            // Its time is over, which the keeper has yet to find.
            Place::Member { until: Some(until), .. } if until <= (self.now)() => Place::Fenced(Why::Silent),
            place => place,
        }
    }

    /// What it is as a member, if it may act as one.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self.place() {
            Place::Member { identity, .. } => Some(identity),
            Place::Outside | Place::Fenced(_) => None,
        }
    }

    /// How long it may still act without its coordinator; `None`: it may not, or for ever.
    pub(crate) fn lease_left(&self) -> Option<Duration> {
        match self.place() {
            Place::Member { until, .. } => Some(until?.saturating_sub((self.now)())),
            Place::Outside | Place::Fenced(_) => None,
        }
    }

    /// Waits until it is a member. `None`: it will not be, since its keeper is gone.
    pub(crate) async fn joined(&self) -> Option<Identity> {
        let mut place = self.place.clone();
        loop {
            place.borrow_and_update();
            if let Some(identity) = self.identity() {
                return Some(identity);
            }
            place.changed().await.ok()?;
        }
    }

    /// Gives the server id back, after the sessions are gone: the end of the keeper, which is waited for.
    pub(crate) async fn leave(&self) {
        self.leave.notify_one();
        let mut place = self.place.clone();
        while place.changed().await.is_ok() {}
    }
}

/// See the module's text.
pub(crate) struct Keeper {
    registry: Arc<Registry>,
    coordinator: Arc<dyn Coordinator>,
    claim: Claim,
    times: LeaseTimes,
    now: fn() -> Moment,
    lease: Lease,
    /// What the coordinator is asked.
    question: Option<Question>,
    /// A server id on its way back.
    returning: Option<BoxFuture<'static, ()>>,
    /// A server id whose ids are not given out yet.
    opening: Option<Identity>,
    fenced: Option<Fenced>,
    /// The last renewal, or claim, has failed: that was said.
    failing: bool,
    place: watch::Sender<Place>,
    leave: Arc<Notify>,
}

/// A question to the coordinator. `until`: so long it is waited for.
struct Question {
    sent: Moment,
    until: Moment,
    renews: Option<Identity>,
    answer: BoxFuture<'static, Answer>,
}

enum Answer {
    Claim(Result<Identity, CoordinatorError>),
    Renewal(Identity, Result<Renewal, CoordinatorError>),
}

/// A node whose sessions are ending.
struct Fenced {
    since: Moment,
    remind_at: Moment,
}

/// What the keeper was woken by.
enum Woken {
    Time,
    Answered(Answer),
    Leave,
}

impl Keeper {
    /// For a registry that has no sessions yet: until there is a server id it admits none. `now` tells moments.
    pub(crate) fn new(
        registry: Arc<Registry>,
        coordinator: Arc<dyn Coordinator>,
        claim: Claim,
        now: fn() -> Moment,
    ) -> (Self, Seat) {
        registry.standing.depend(now);
        let times = if coordinator.expires() { claim.times } else { claim.times.endless() };
        let (place, seen) = watch::channel(Place::Outside);
        let leave = Arc::new(Notify::new());
        let seat = Seat { place: seen, now, leave: Arc::clone(&leave) };
        let lease = Lease::new(times, now());
        let keeper = Self {
            registry,
            coordinator,
            claim,
            times,
            now,
            lease,
            question: None,
            returning: None,
            opening: None,
            fenced: None,
            failing: false,
            place,
            leave,
        };
        (keeper, seat)
    }

    /// Keeps the place until it is told to leave ([`Seat::leave`]).
    pub(crate) async fn run(mut self) {
        let coordinator = Arc::clone(&self.coordinator);
        let mut attend = coordinator.attend().fuse();
        let leave = Arc::clone(&self.leave);
        let mut told = pin!(leave.notified());
        loop {
            self.advance();
            let mut time = pin!(sleep(self.pause()));
            // The time comes first: no answer, however many there are, keeps the fence waiting.
            let woken = poll_fn(|cx| {
                if told.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Woken::Leave);
                }
                if time.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Woken::Time);
                }
                let _ = attend.poll_unpin(cx);
                if let Some(returning) = &mut self.returning
                    && returning.poll_unpin(cx).is_ready()
                {
                    self.returning = None;
                }
                if let Some(question) = &mut self.question
                    && let Poll::Ready(answer) = question.answer.poll_unpin(cx)
                {
                    return Poll::Ready(Woken::Answered(answer));
                }
                Poll::Pending
            });
            match woken.await {
                Woken::Time => {}
                Woken::Answered(answer) => self.answered(answer),
                Woken::Leave => break,
            }
        }
        self.depart().await;
    }

    /// How long there is nothing to be done, unless something is answered.
    fn pause(&self) -> Duration {
        let now = (self.now)();
        let next = self.lease.next().into_iter().chain(self.question.as_ref().map(|question| question.until));
        let left = next.min().map_or(LOOK, |next| next.saturating_sub(now));
        left.min(if self.fenced.is_some() || self.opening.is_some() { PAUSE } else { LOOK })
    }

    /// Does what is due.
    fn advance(&mut self) {
        let now = (self.now)();
        if self.question.as_ref().is_some_and(|question| question.until <= now)
            && let Some(Question { renews, .. }) = self.question.take()
        {
            let error = CoordinatorError::Silent("no answer in time".into());
            let none = match renews {
                Some(identity) => Answer::Renewal(identity, Err(error)),
                None => Answer::Claim(Err(error)),
            };
            self.hear(now, none, now);
        }
        while let Some(step) = self.lease.due(now) {
            self.take(step, now);
        }
        self.empty(now);
        self.open();
        self.tell();
    }

    /// Takes in an answer.
    fn answered(&mut self, answer: Answer) {
        if let Some(Question { sent, .. }) = self.question.take() {
            self.hear(sent, answer, (self.now)());
        }
    }

    fn hear(&mut self, sent: Moment, answer: Answer, now: Moment) {
        let news = match answer {
            Answer::Claim(Ok(identity)) => match self.claim.ids.layout(identity.server) {
                Ok(_) => News::Claimed { sent, identity },
                Err(error) => {
                    tracing::error!(server = identity.server, %error, "the coordinator gave out a server id that is none");
                    self.give_back(identity);
                    News::Unclaimed
                }
            },
            Answer::Claim(Err(error)) => {
                self.failed("no server id was to be had; it is tried again", &error);
                News::Unclaimed
            }
            Answer::Renewal(_, Ok(Renewal::Renewed)) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the lease of the server id is renewed again");
                }
                News::Renewed { sent }
            }
            Answer::Renewal(identity, Ok(Renewal::Gone)) => News::Gone(identity),
            Answer::Renewal(_, Err(error)) => {
                self.failed("the lease of the server id was not renewed; it is tried again", &error);
                News::Unrenewed
            }
        };
        if let Some(step) = self.lease.heard(now, news) {
            self.take(step, now);
        }
    }

    /// Says the first of several failures.
    fn failed(&mut self, what: &'static str, error: &CoordinatorError) {
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(%error, "{what}");
        } else {
            tracing::warn!(%error, "{what}");
        }
    }

    fn take(&mut self, step: Step, now: Moment) {
        match step {
            Step::Claim => {
                let answer = self.coordinator.claim(self.claim).map(Answer::Claim).boxed();
                // One that comes later is worth nothing.
                let until = now + self.times.fence_after;
                self.question = Some(Question { sent: now, until, renews: None, answer });
            }
            Step::Renew(identity) => {
                let answer = self.coordinator.renew(identity).map(move |told| Answer::Renewal(identity, told)).boxed();
                // Before the fence there is time for another one.
                let until = now + self.times.fence_after / 2;
                self.question = Some(Question { sent: now, until, renews: Some(identity), answer });
            }
            Step::Open(identity) => self.opening = Some(identity),
            Step::Fence(why) => self.fence(why, now),
            Step::Release(identity) => self.give_back(identity),
        }
    }

    /// Gives a server id back that no session has had. If there is another one on its way, that one is left to its lease.
    fn give_back(&mut self, identity: Identity) {
        self.returning = Some(self.coordinator.release(identity).map(|_| ()).boxed());
    }

    /// Ends all sessions, and lets nobody in.
    fn fence(&mut self, why: Why, now: Moment) {
        // First of all, and whatever was asked is of the lease that is lost.
        let sessions = self.registry.fence();
        (self.question, self.opening) = (None, None);
        self.place.send_replace(Place::Fenced(why));
        let why = match why {
            Why::Silent => "its coordinator has not renewed the lease of its server id for too long",
            Why::Taken => "its coordinator says that the server id is not its own any more",
        };
        tracing::warn!(
            sessions,
            "the node has lost its place in the cluster, ends its sessions and admits none: {why}"
        );
        self.fenced = Some(Fenced { since: now, remind_at: now + REMIND });
    }

    /// Ends the sessions of a fenced node that are still there; without any, it may ask for a server id.
    fn empty(&mut self, now: Moment) {
        let Some(fenced) = &mut self.fenced else { return };
        // One that was being admitted may not have been found.
        let sessions = self.registry.fence().max(self.registry.len());
        if sessions > 0 {
            if fenced.remind_at <= now {
                fenced.remind_at = now + REMIND;
                let seconds = now.saturating_sub(fenced.since).as_secs();
                tracing::warn!(
                    sessions,
                    seconds,
                    "sessions have not ended since the node lost its place in the cluster"
                );
            }
            return;
        }
        self.fenced = None;
        self.place.send_replace(Place::Outside);
        if let Some(step) = self.lease.heard(now, News::Empty) {
            self.take(step, now);
        }
    }

    /// Gives out the ids of a new server id.
    fn open(&mut self) {
        let Some(identity) = self.opening else { return };
        // It was looked at when it was given out.
        let Ok(layout) = self.claim.ids.layout(identity.server).map(begun_anywhere) else { return };
        if !self.registry.renumber(layout) {
            // Somebody is in between the two looks at the node's standing that an admission takes: the second one fails.
            self.registry.fence();
            return;
        }
        (self.opening, self.failing) = (None, false);
        tracing::info!(server = identity.server, epoch = identity.epoch, "the node has its place in the cluster");
    }

    /// Lets everybody know until when the node may act.
    fn tell(&mut self) {
        let (None, Some(until)) = (self.opening, self.lease.until()) else { return };
        let Some(identity) = self.lease.identity((self.now)()) else { return };
        let until = self.coordinator.expires().then_some(until);
        self.registry.standing.extend(until.unwrap_or(Duration::MAX));
        let place = Place::Member { identity, until };
        self.place.send_if_modified(|told| std::mem::replace(told, place) != place);
    }

    /// Gives the server id back, if there is one.
    async fn depart(&mut self) {
        let sessions = self.registry.fence();
        if sessions > 0 {
            tracing::warn!(sessions, "sessions have not ended before the node leaves the cluster");
        }
        let mut identity = self.lease.identity((self.now)());
        if let Some(Question { renews: None, answer, .. }) = self.question.take()
            && let Ok(Answer::Claim(Ok(claimed))) = timeout(GOODBYE, answer).await
        {
            identity = Some(claimed);
        }
        let returning = self.returning.take();
        let release = identity.map(|identity| self.coordinator.release(identity));
        let all = async {
            if let Some(returning) = returning {
                returning.await;
            }
            match release {
                Some(release) => release.await,
                None => Ok(()),
            }
        };
        match timeout(GOODBYE, all).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(%error, "the server id was not given back: it runs out"),
            Err(_) => tracing::info!("the server id was not given back in time: it runs out"),
        }
    }
}

impl Drop for Keeper {
    /// Without a keeper, after its end or its panic, the node may not act.
    fn drop(&mut self) {
        self.registry.fence();
        self.place.send_replace(Place::Outside);
    }
}

/// With a count that begins at random: what a server with this id gave out before does not come back soon.
fn begun_anywhere(layout: Layout) -> Layout {
    layout.starting_at(rand::random())
}

#[cfg(test)]
mod tests;
