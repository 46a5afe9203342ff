//! `COM_CHANGE_USER`: the client proves that it is somebody else, and the session becomes that one's.

use std::pin::pin;

use bytes::Bytes;
use futures::future::{Either, select};
use tokio::time::timeout;

use super::{
    command,
    driver::{Driver, Next},
    hello,
    login::{Known, Talk, Turned, Unproved, prove},
};
use crate::{
    engine::{Engine, StatementContext},
    model::{Command, Killed, Reason},
};

impl<E: Engine> Driver<E> {
    /// Goes on as another user. When that fails, the connection is closed, as MySQL does.
    pub(super) async fn change_user(&mut self, payload: Bytes) -> Next {
        let (cx, began) = match self.core.begin(Command::ChangeUser, None) {
            Ok(begun) => begun,
            Err(reason) => return Next::Leave(reason),
        };
        let (sequence, proved) = self.prove(&cx, &payload).await;
        let state = self.core.state();
        self.rows().begin(sequence, state);
        let result = match proved {
            Ok(Known { principal, database }) => {
                let run = self.watched(&cx, began, |core, cx, sink, began| {
                    Box::pin(core.change_user(cx, principal, database, sink, began))
                });
                run.await
            }
            Err(Unproved::Refused(error)) => Err(error),
            Err(Unproved::Turned(why)) => {
                let reason = if why == Turned::Told { Reason::Protocol } else { Reason::ClientGone };
                cx.slot().switch.terminate(reason);
                return Next::Leave(reason);
            }
        };
        let farewell = self.core.settle(result);
        if farewell.result.is_err() {
            cx.slot().switch.terminate(Reason::Protocol);
        }
        self.tell(&cx, farewell).await
    }

    /// Lets the client prove that it is who it wants to be, unless it is killed meanwhile or takes too long. With the
    /// sequence number of the next packet.
    async fn prove(&mut self, cx: &StatementContext, payload: &Bytes) -> (u8, Result<Known, Unproved>) {
        let Driver { core, conn, gate, nonce, peer, .. } = self;
        let Some(hello) = hello::read_change_user(payload, peer.0) else {
            return (1, Err(Unproved::Refused(command::malformed())));
        };
        let mut talk = Talk { conn, sequence: 1, peer: *peer };
        let shared = core.shared();
        let proved = {
            let proving = timeout(shared.login_timeout, prove(&mut talk, shared, cx.slot(), gate, *nonce, hello));
            match select(pin!(proving), pin!(cx.killed())).await {
                Either::Left((Ok(proved), _)) => proved,
                Either::Left((Err(_elapsed), _)) => {
                    cx.slot().switch.terminate(Reason::LoginTimeout);
                    Err(Unproved::Turned(Turned::Gone))
                }
                Either::Right((reason, _)) => Err(Unproved::Refused(Killed(reason).into())),
            }
        };
        (talk.sequence, proved)
    }
}
