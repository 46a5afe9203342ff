//! One client from its connect to its end.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use killdeer::wire::rustls::ClientConfig;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    acts::Act,
    client::{Client, Lost, NATIVE, SHA2, Who},
    dice::Dice,
    ledger::{Ledger, Parting, Visit},
    library, strangers,
};

/// What all clients share.
pub struct Stage {
    pub address: SocketAddr,
    pub tls: Arc<ClientConfig>,
    /// The server's certificate, for libraries.
    pub pem: String,
    pub ledger: Ledger,
    /// The highest id that a greeting has said.
    pub newest: AtomicU32,
    /// How many clients there are at a time.
    pub crowd: u64,
}

/// What a client is there for.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Anything.
    Any,
    /// Lists, all the time.
    Lists,
    /// Asks the system tables, all the time.
    Asks,
    /// Kills, all the time.
    Kills,
}

/// Who may come in, and how. (`root` is all that there is in privileges; the others have none.)
pub const USERS: [Who; 8] = [
    Who { user: "root", password: "", plugin: NATIVE, tls: false },
    Who { user: "alice", password: "", plugin: NATIVE, tls: false },
    Who { user: "bob", password: "", plugin: SHA2, tls: false },
    Who { user: "native", password: "secret", plugin: NATIVE, tls: false },
    // Asked to switch.
    Who { user: "native", password: "secret", plugin: SHA2, tls: true },
    Who { user: "sha2", password: "secret", plugin: SHA2, tls: false },
    Who { user: "sha2", password: "secret", plugin: SHA2, tls: true },
    Who { user: "tls", password: "secret", plugin: NATIVE, tls: true },
];

/// A client that is in.
pub struct Guest<'a> {
    pub stage: &'a Stage,
    pub client: Client,
    pub who: Who,
    /// When the round is over.
    pub until: Instant,
    /// Whether it met 1317 unasked.
    pub interrupted: bool,
    /// Whether it is changing its user.
    pub changing: bool,
}

/// A client comes, does what the dice say, and goes.
pub async fn visit(stage: &Stage, dice: &mut Dice, role: Role, until: Instant) {
    let mut seen = Visit { id: None, parting: Parting::Vanished, interrupted: false, logging_in: true };
    match come(stage, dice, role, until, &mut seen).await {
        Ok(parting) => seen.parting = parting,
        Err(Lost::Closed) => seen.parting = Parting::Cut,
        Err(Lost::Fault(what)) => stage.ledger.fault(format!("{what} ({seen:?})")),
    }
    stage.ledger.visited(seen);
}

async fn come(stage: &Stage, dice: &mut Dice, role: Role, until: Instant, seen: &mut Visit) -> Result<Parting, Lost> {
    if matches!(role, Role::Any) {
        match dice.below(100) {
            0..15 => return strangers::come(stage, dice, until, seen).await,
            15..20 => return library::come(stage, dice, seen).await,
            _ => {}
        }
    }
    let who = match role {
        Role::Any | Role::Lists => dice.one_of(&USERS),
        Role::Asks | Role::Kills => USERS[0],
    };
    let mut client = Client::greeted(stage.address).await?;
    stage.greeted(&client, seen);
    stage.ledger.acted(if who.tls { "login under TLS" } else { "login" });
    match client.log_in(who, &stage.tls).await? {
        0 => {}
        code => return Err(Lost::Fault(format!("{who:?} was refused by {code}"))),
    }
    let mut guest = Guest { stage, client, who, until, interrupted: false, changing: false };
    let parting = stay(&mut guest, dice, role).await;
    (seen.interrupted, seen.logging_in) = (guest.interrupted, guest.changing);
    if matches!(parting, Ok((_, true))) {
        guest.client.reset();
    }
    parting.map(|(parting, _)| parting)
}

/// How it parted, and whether by a reset.
async fn stay(guest: &mut Guest<'_>, dice: &mut Dice, role: Role) -> Result<(Parting, bool), Lost> {
    let acts = match role {
        Role::Any => dice.below(20),
        _ => 50 + dice.below(200),
    };
    for _ in 0..acts {
        let act = match role {
            Role::Any => dice.weighed(&Act::ORDINARY),
            Role::Lists => dice.one_of(&[Act::List, Act::ProcessInfo]),
            Role::Asks => dice.one_of(&[Act::SystemTable, Act::History]),
            Role::Kills => dice.weighed(&[(3, Act::KillQuery), (1, Act::KillConnection), (1, Act::ProcessKill)]),
        };
        guest.stage.ledger.acted(act.name());
        if let Some(parting) = guest.act(act, dice).await? {
            return Ok((parting, false));
        }
        if Instant::now() >= guest.until {
            break;
        }
        sleep(Duration::from_millis(dice.below(30))).await;
    }
    let end = dice.weighed(&Act::ENDS);
    guest.stage.ledger.acted(end.name());
    guest.end(end, dice).await
}

impl Stage {
    /// A client has read its greeting.
    pub fn greeted(&self, client: &Client, seen: &mut Visit) {
        self.came(client.id, seen);
    }

    pub fn came(&self, id: u32, seen: &mut Visit) {
        seen.id = Some(id);
        self.newest.fetch_max(id, Relaxed);
    }

    /// The id of a session that may be there, other than `own`.
    pub fn somebody(&self, own: u32, dice: &mut Dice) -> u32 {
        let newest = self.newest.load(Relaxed);
        let back = u32::try_from(dice.below(2 * self.crowd)).unwrap();
        // 0 is nobody, and so is what is above the newest.
        let id = newest.saturating_sub(back);
        if id == own { newest + 1000 } else { id }
    }
}

/// Does nothing for at most so long, and not beyond the end of the round.
pub async fn pause(most: Duration, until: Instant) {
    sleep_until(until.min(Instant::now() + most)).await;
}
