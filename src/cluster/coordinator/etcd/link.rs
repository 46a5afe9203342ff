//! A connection to one of the etcds of a cluster, and to the next one when that does not answer. Not to all at once: of the
//! questions of one renewal each would take its own, and a single one that stands still would spoil most of them.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use etcd_client::{Client, ConnectOptions, Error};
use tokio::time::timeout;
use tonic::Code;

use super::{super::CoordinatorError, config::Etcd};

/// So long each answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// See the module's text.
pub(super) struct Link {
    endpoints: Vec<String>,
    options: ConnectOptions,
    at: Mutex<At>,
}

/// Which of the etcds is asked: the `turn`th, counted round.
#[derive(Default)]
struct At {
    turn: usize,
    client: Option<Client>,
}

impl Link {
    pub(super) fn new(etcd: &Etcd) -> Self {
        Self { endpoints: etcd.addresses().to_vec(), options: etcd.options(), at: Mutex::default() }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoint(&self, turn: usize) -> &str {
        &self.endpoints[turn % self.endpoints.len()]
    }

    /// Asks, and waits for the answer as long as [`PATIENCE`] says.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(Client) -> Result<T, Error>,
    ) -> Result<T, CoordinatorError> {
        let (turn, client) = {
            let at = self.at();
            (at.turn, at.client.clone())
        };
        let asked = async {
            let client = match client {
                Some(client) => client,
                None => self.connect(turn).await?,
            };
            question(client).await
        };
        let error = match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => self.because(turn, &error),
            Err(_) => CoordinatorError::Silent(format!("{}: no answer within 2 s", self.endpoint(turn))),
        };
        self.turn_from(turn);
        Err(error)
    }

    /// Turns to the next etcd: what was heard of this one came to its end.
    pub(super) fn turn(&self) {
        let turn = self.at().turn;
        self.turn_from(turn);
    }

    /// One step, however many questions failed at once.
    fn turn_from(&self, turn: usize) {
        let mut at = self.at();
        if at.turn == turn {
            *at = At { turn: turn.wrapping_add(1), client: None };
        }
    }

    async fn connect(&self, turn: usize) -> Result<Client, Error> {
        let client = Client::connect([self.endpoint(turn)], Some(self.options.clone())).await?;
        let mut at = self.at();
        if at.turn == turn {
            at.client = Some(client.clone());
        }
        Ok(client)
    }

    fn because(&self, turn: usize, error: &Error) -> CoordinatorError {
        let endpoint = self.endpoint(turn);
        match error {
            Error::GRpcStatus(status) => {
                let text = format!("{endpoint}: {}", status.message());
                match status.code() {
                    Code::Unauthenticated
                    | Code::PermissionDenied
                    | Code::InvalidArgument
                    | Code::FailedPrecondition => CoordinatorError::Refused(text),
                    _ => CoordinatorError::Silent(text),
                }
            }
            error => CoordinatorError::Silent(format!("{endpoint}: {error}")),
        }
    }

    /// A lease of so many seconds; parts of one are rounded up.
    pub(super) async fn grant(&self, time: Duration) -> Result<i64, CoordinatorError> {
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let lease = self.ask(async |mut etcd| etcd.lease_grant(seconds, None).await).await?;
        match lease.ttl() >= seconds {
            true => Ok(lease.id()),
            false => Err(CoordinatorError::Refused(format!("a lease of {seconds} s: it has {} s", lease.ttl()))),
        }
    }

    /// Ends a lease: the keys that have it are gone.
    pub(super) async fn revoke(&self, lease: i64) -> Result<(), CoordinatorError> {
        self.ask(async |mut etcd| etcd.lease_revoke(lease).await.map(|_| ())).await
    }

    /// Whether a lease was still there and is as long as it was again.
    pub(super) async fn keep_alive(&self, lease: i64) -> Result<bool, CoordinatorError> {
        self.ask(async |mut etcd| match etcd.lease_keep_alive(lease).await {
            Ok(_) => Ok(true),
            // It was answered with no time left.
            Err(Error::LeaseKeepAliveError(_)) => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}
