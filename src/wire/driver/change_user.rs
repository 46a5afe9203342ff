//! COM_CHANGE_USER: the connection goes on as somebody else.

use std::pin::pin;

use bytes::Bytes;
use futures::future::{Either, select};
use tokio::time::Instant;

use super::{Driver, Next};
use crate::{
    engine::{Engine, StatementContext},
    model::{CharacterSet, Command, Killed, Reason},
    session::{Farewell, within},
    wire::{
        command, hello,
        login::{Known, Talk, Turned, Unproved, prove},
    },
};

impl<E: Engine> Driver<E> {
    /// Goes on as another user. When that fails, the connection is closed, as MySQL does.
    pub(super) async fn change_user(&mut self, payload: Bytes) -> Next {
        let (cx, began) = match self.core.begin(Command::ChangeUser, None) {
            Ok(begun) => begun,
            Err(reason) => return Next::Unbegun(reason),
        };
        self.statements = None;
        let (sequence, proved, collation) = self.prove(&cx, &payload).await;
        if sequence.is_none() {
            self.conn.close();
        }
        let state = self.core.state();
        self.rows().begin(sequence.unwrap_or_default(), state);
        let result = match proved {
            Ok(Known { principal, database, client }) => {
                let run = self.watched(&cx, began, |core, cx, sink, began| {
                    Box::pin(core.change_user(cx, (principal, client), collation, database, sink, began))
                });
                run.await
            }
            Err(Unproved::Refused(error)) => Err(error),
            Err(Unproved::Turned(why)) => {
                let reason = if why == Turned::Told { Reason::Protocol } else { Reason::ClientGone };
                return self.come_to_nothing(cx, reason, why == Turned::Told);
            }
        };
        let Farewell { result, killed } = self.settle(result);
        match &result {
            Ok(done) => {
                self.rows().results = CharacterSet::of_collation(collation);
                self.done(done, false);
            }
            Err(error) => {
                cx.slot().switch.terminate(Reason::Protocol);
                self.rows().failed(error);
            }
        }
        self.tell(cx, result.map(|_| 0), killed).await
    }

    /// The client is gone, or was told already what was wrong.
    fn come_to_nothing(&mut self, cx: StatementContext, reason: Reason, told: bool) -> Next {
        cx.slot().switch.terminate(reason);
        let Farewell { result, killed } = self.settle::<u64>(Err(Killed(reason).into()));
        self.told = told;
        self.core.finish(cx, result, killed, Instant::now());
        Next::Leave(reason)
    }

    /// Lets the client prove that it is who it wants to be, unless it is killed meanwhile or takes too long. With the
    /// sequence number of the next packet, unless the client could make no sense of it, and with its collation.
    async fn prove(&mut self, cx: &StatementContext, payload: &Bytes) -> (Option<u8>, Result<Known, Unproved>, u16) {
        let Driver { core, conn, gate, nonce, peer, .. } = self;
        let Some(hello) = hello::read_change_user(payload, peer.0) else {
            return (Some(1), Err(Unproved::Refused(command::malformed())), 0);
        };
        let collation = hello.charset;
        let mut talk = Talk::new(conn, gate, 1, *peer);
        let shared = core.shared();
        let proved = {
            let proving = within(shared.login_timeout(), prove(&mut talk, shared, cx.slot(), gate, *nonce, hello));
            match select(pin!(proving), pin!(cx.killed())).await {
                Either::Left((Some(proved), _)) => Ok(proved),
                Either::Left((None, _)) => {
                    shared.login_timed_out(cx.slot());
                    Err(Reason::LoginTimeout)
                }
                Either::Right((reason, _)) => Err(reason),
            }
        };
        match proved {
            Ok(proved) => (Some(talk.sequence), proved, collation),
            Err(interrupted) => (talk.break_off(), Err(Unproved::Refused(Killed(interrupted).into())), collation),
        }
    }
}
