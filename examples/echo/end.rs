//! How the server ends: in order at the first signal, at once at the second.

use std::{error::Error, io::ErrorKind, path::Path, pin::pin, process::ExitCode, time::Duration};

use actix_rt::time::sleep;
use clap::Args;
use futures::future::{Either, select};
use killdeer::{Engine, Runtime, Summary, wire::Serving};

use crate::signals::Signals;

/// How much time its clients have.
#[derive(Args)]
pub struct End {
    /// How long statements and transactions may still go on after SIGTERM or SIGINT; a second one ends the server at once
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    grace: u32,
    /// How long before that clients are still let in, while load balancers are told to look elsewhere
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    announce: u32,
}

impl End {
    /// Serves until signals end it. The socket's file, if there is one, does not stay.
    pub async fn of<E: Engine>(
        &self,
        serving: Serving,
        runtime: &Runtime<E>,
        mut signals: Signals,
        socket: Option<&Path>,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let stop = serving.stop();
        let server = actix_rt::spawn(serving);
        let first = signals.next().await;
        let in_order = async {
            let summary = self.drain(runtime).await;
            stop.await;
            server.await??;
            tracing::info!(
                drained = summary.drained,
                forced = summary.forced,
                transactions_ended = summary.transactions_ended,
                transactions_rolled_back = summary.transactions_rolled_back,
                left_behind = summary.left_behind,
                "stopped"
            );
            Ok(ExitCode::SUCCESS)
        };
        let code = match select(pin!(in_order), pin!(signals.next())).await {
            Either::Left((stopped, _)) => stopped,
            Either::Right((second, _)) => {
                tracing::warn!(?first, ?second, "stopped at once");
                Ok(second.exit_code())
            }
        };
        if let Some(path) = socket {
            match std::fs::remove_file(path) {
                // Somebody has tidied up already.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(%error, path = %path.display(), "the socket's file stays"),
                Ok(()) => {}
            }
        }
        code
    }

    /// Sends the clients away, in order. Those that still come are told why they are refused.
    async fn drain<E: Engine>(&self, runtime: &Runtime<E>) -> Summary {
        let [announce, grace] = [self.announce, self.grace].map(|seconds| Duration::from_secs(seconds.into()));
        tracing::info!(?announce, ?grace, "stopping");
        runtime.announce_shutdown();
        sleep(announce).await;
        runtime.shutdown(grace).await
    }
}
