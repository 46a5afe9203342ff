//! How commands end: what the client is told, and when it is over.

use std::{future::poll_fn, task::Poll};

use futures::FutureExt;
use tokio::time::Instant;

use super::{Driver, Next, watch_flow};
use crate::{
    engine::{Engine, StatementContext},
    model::{Done, Killed, Reason, SqlError, transaction_state},
    session::{Farewell, Timer},
    wire::{
        command::{self, WireCommand},
        farewell,
        lead_in::FAREWELL,
        rows::WireRows,
        track,
    },
};

impl<E: Engine> Driver<E> {
    /// Decides how a command ended, tells the client, and only then calls it over.
    pub(super) async fn conclude(&mut self, cx: StatementContext, result: Result<Done, SqlError>) -> Next {
        let farewell = self.settle(result);
        match &farewell.result {
            Ok(done) => self.done(done, false),
            Err(error) => self.rows().failed(error),
        }
        self.tell(cx, farewell.result.map(|done| done.affected), farewell.killed).await
    }

    /// Decides how a command ended.
    pub(super) fn settle<R>(&mut self, result: Result<R, SqlError>) -> Farewell<R> {
        let Farewell { mut result, killed } = self.core.settle(result);
        // A kill of the statement alone is no reason for a close that may follow.
        self.told = killed.is_some() && killed == self.core.slot().switch.word().leaving();
        let closed = killed.filter(|reason| matches!(reason, Reason::KillConnection | Reason::LoginTimeout));
        if let (Some(reason), true) = (closed, self.core.shared().tell_killed) {
            result = Err(farewell::error(reason));
        }
        Farewell { result, killed }
    }

    /// Tells the client how a command ended, and calls it over.
    pub(super) async fn tell(
        &mut self,
        cx: StatementContext,
        end: Result<u64, SqlError>,
        killed: Option<Reason>,
    ) -> Next {
        let next = self.flush().await;
        let at = if self.waited { Instant::now() } else { self.core.ended() };
        self.core.finish(cx, end, killed, at);
        next
    }

    /// A statement ended well: its OK, with what changed in the session.
    pub(super) fn done(&mut self, done: &Done, more: bool) {
        let notes = &self.core.slot().notes;
        let changes = match &self.rows {
            Some(rows) if notes.any() && rows.can_tell() => track::encode(&notes.take(transaction_state(done))),
            _ => Vec::new(),
        };
        let results = notes.character_sets().results;
        let rows = self.rows();
        rows.done(done, more, &changes);
        // For the statements that follow in the same command.
        rows.results = results;
    }

    /// An error, outside of any statement. The client was heard of all the same.
    pub(super) async fn refuse(&mut self, error: &SqlError) -> Next {
        self.core.touch();
        self.core.refused(error);
        self.begin().failed(error);
        self.flush().await
    }

    /// A command that came too late to be begun is told so if the whole server ends its sessions. For the other reasons clients are told, or not,
    /// as if they had sent none.
    pub(super) async fn turn_down(&mut self, reason: Reason) {
        if reason.is_of_server() {
            self.begin().failed(&Killed(reason).into());
            self.told = true;
            self.flush().await;
        }
    }

    /// The same, for a command that has arrived behind the last answer, and was not looked at.
    pub(super) async fn turn_down_arrived(&mut self, reason: Reason) {
        let longest = self.core.shared().max_allowed_packet;
        loop {
            let arrived = poll_fn(|task| match self.conn.poll_packet(task, 0, longest) {
                Poll::Ready(packet) => Poll::Ready(packet.ok()),
                Poll::Pending => Poll::Ready(None),
            });
            let Some(packet) = arrived.await else { return };
            match command::read(packet.payload) {
                Ok(WireCommand::Quit) => return,
                // Nobody waits for an answer to these.
                Ok(WireCommand::LongData(_) | WireCommand::CloseStatement(_)) => {}
                _ => return self.turn_down(reason).await,
            }
        }
    }

    pub(super) fn rows(&mut self) -> &mut WireRows {
        let Driver { rows, peer, .. } = self;
        rows.get_or_insert_with(|| WireRows::lend(*peer))
    }

    /// Begins the answer to a command.
    pub(super) fn begin(&mut self) -> &mut WireRows {
        let state = self.core.state();
        self.told = false;
        let first = self.conn.first();
        let results = self.core.slot().notes.character_sets().results;
        let rows = self.rows();
        rows.begin(first, state);
        rows.results = results;
        rows
    }

    /// Writes what is to be written. A client that does not read keeps its session here, but not when that is to end.
    pub(super) async fn flush(&mut self) -> Next {
        let Driver { core, conn, rows, waited, told, owed, .. } = self;
        let tell = core.shared().tell_killed;
        let (slot, registry) = (core.slot(), &core.shared().registry);
        let switch = &slot.switch;
        *waited = false;
        let Some(rows) = rows.as_deref_mut() else { return Next::Serve };
        let mut patience = None;
        let flushed = poll_fn(|task| {
            // Who is closed without a word is not told how its statement ended.
            let leaving = switch.word().leaving();
            if let Some(reason) = leaving.filter(|reason| !reason.is_told()) {
                if !tell || reason.is_goodbye() {
                    return Poll::Ready(Err(reason));
                }
                // Told, but not waited for.
                return match rows.poll_write(task, conn) {
                    Poll::Ready(written) => Poll::Ready(written.map_err(|_| reason)),
                    Poll::Pending => {
                        let words = rows.unwritten();
                        if *told {
                            conn.part_with(&words);
                        } else {
                            conn.part_ahead(&words, &farewell::packet(reason, 1, true));
                        }
                        Poll::Ready(Err(reason))
                    }
                };
            }
            let polled = rows.poll_write(task, conn);
            if watch_flow(conn, slot, registry) && leaving == Some(Reason::Shutdown) {
                // It reads as fast as it can, and is to get whole packets: its time begins anew.
                patience = None;
            }
            if let Poll::Ready(written) = polled {
                return Poll::Ready(written.map_err(|_| Reason::ClientGone));
            }
            *waited = true;
            if let Some(reason) = leaving {
                if reason == Reason::Shutdown {
                    owed.get_or_insert_with(|| registry.owe());
                }
                // So long it may take to make room for the rest of its last answer.
                let over = patience.get_or_insert_with(|| Box::new(Timer::after(FAREWELL)));
                if over.poll_unpin(task).is_ready() {
                    return Poll::Ready(Err(reason));
                }
            }
            conn.poll_gone(task).map(|()| Err(Reason::ClientGone))
        })
        .await;
        match flushed {
            Ok(()) => switch.word().leaving().map_or(Next::Serve, Next::Leave),
            Err(reason) => {
                switch.terminate(reason);
                conn.close();
                Next::Leave(reason)
            }
        }
    }
}
