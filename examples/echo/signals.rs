//! The signals that stop the server: the first one in order, the second one at once.

use std::{future::poll_fn, io, process::ExitCode, task::Poll};

use actix_rt::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, from now on.
pub struct Signals([(Kind, Signal); 2]);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Interrupt,
    Terminate,
}

impl Kind {
    /// What a shell reports of a process that it has ended.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Kind::Interrupt => ExitCode::from(130),
            Kind::Terminate => ExitCode::from(143),
        }
    }
}

impl Signals {
    /// They no longer end the process by themselves.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> io::Result<Self> {
        let kinds = [(Kind::Interrupt, SignalKind::interrupt()), (Kind::Terminate, SignalKind::terminate())];
        let [interrupt, terminate] = kinds.map(|(kind, system)| signal(system).map(|signal| (kind, signal)));
        Ok(Self([interrupt?, terminate?]))
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Kind {
        poll_fn(|cx| {
            let came = self.0.iter_mut().find_map(|(kind, signal)| signal.poll_recv(cx).is_ready().then_some(*kind));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
