//! Clients that do not get in: by mistake, by chance, or because they never meant to.

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    client::{Client, Lost, NATIVE, SHA2, Who, fault},
    dice::Dice,
    ledger::{Parting, Visit},
    raw::{BASIC, framed},
    visit::{Stage, USERS, pause},
};

#[derive(Clone, Copy)]
enum Stranger {
    WrongPassword,
    Unknown,
    Silent,
    Gone,
    Slow,
    HalfAnAnswer,
    HalfOfTls,
    Rubbish,
    TooLong,
}

const STRANGERS: [(u64, Stranger); 9] = [
    (4, Stranger::WrongPassword),
    (2, Stranger::Unknown),
    (2, Stranger::Silent),
    (4, Stranger::Gone),
    (3, Stranger::Slow),
    (2, Stranger::HalfAnAnswer),
    (2, Stranger::HalfOfTls),
    (4, Stranger::Rubbish),
    (2, Stranger::TooLong),
];

pub async fn come(stage: &Stage, dice: &mut Dice, until: Instant, seen: &mut Visit) -> Result<Parting, Lost> {
    let stranger = dice.weighed(&STRANGERS);
    if let Stranger::Gone = stranger {
        stage.ledger.acted("before login: gone");
        return gone(stage, dice, seen).await;
    }
    let mut client = Client::greeted(stage.address).await?;
    stage.greeted(&client, seen);
    // So long such a client may stay before it goes by itself; longer than a login may take, at times.
    let stay = Duration::from_millis(dice.below(4000));
    let parting = match stranger {
        Stranger::WrongPassword => {
            stage.ledger.acted("login with a wrong password");
            denied(stage, &mut client, Who { password: "wrong", ..dice.one_of(&USERS[3..]) }).await?
        }
        Stranger::Unknown => {
            stage.ledger.acted("login of nobody");
            let plugin = dice.one_of(&[NATIVE, SHA2]);
            denied(stage, &mut client, Who { user: "nobody", password: "x", plugin, tls: dice.percent(30) }).await?
        }
        Stranger::Slow => {
            stage.ledger.acted("login byte by byte");
            return slow(&mut client, dice).await;
        }
        Stranger::Silent => {
            stage.ledger.acted("before login: silent");
            pause(stay, until).await;
            Parting::Vanished
        }
        Stranger::HalfAnAnswer => {
            stage.ledger.acted("before login: half an answer");
            let whole = framed(1, &client.hello(dice.one_of(&USERS[..4])));
            let part = 1 + usize::try_from(dice.below(whole.len() as u64 - 1)).unwrap();
            client.write(&whole[..part]).await?;
            pause(stay, until).await;
            Parting::Vanished
        }
        Stranger::HalfOfTls => {
            stage.ledger.acted("before login: half of TLS");
            let wish = Client::wish(BASIC | mysql_common::constants::CapabilityFlags::CLIENT_SSL);
            client.send(&wish).await?;
            // The head of a record of TLS's handshake, which claims 512 bytes.
            client.write(&[0x16, 3, 1, 2, 0, 1, 0]).await?;
            pause(stay, until).await;
            Parting::Vanished
        }
        Stranger::Rubbish => {
            stage.ledger.acted("before login: rubbish");
            let payload = dice.bytes(200);
            let bytes = if dice.percent(50) { framed(1, &payload) } else { payload };
            client.write(&bytes).await?;
            client.drain(stay.min(Duration::from_millis(200))).await;
            Parting::Rubbish
        }
        Stranger::TooLong => {
            stage.ledger.acted("before login: packet that is too long");
            client.write(&[0xff, 0xff, 0xff, 1, 0]).await?;
            client.drain(stay.min(Duration::from_millis(200))).await;
            Parting::Rubbish
        }
        Stranger::Gone => unreachable!("it has gone"),
    };
    if dice.percent(50) {
        client.reset();
    }
    Ok(parting)
}

/// Goes before it has read a byte, or right after the greeting.
async fn gone(stage: &Stage, dice: &mut Dice, seen: &mut Visit) -> Result<Parting, Lost> {
    let reset = dice.percent(50);
    if dice.percent(50) {
        let mut client = Client::greeted(stage.address).await?;
        stage.greeted(&client, seen);
        if dice.percent(50) {
            let hello = client.hello(USERS[1]);
            client.send(&hello).await?;
            // It may have been let in before it was missed.
        }
        if reset {
            client.reset();
        }
        return Ok(Parting::Vanished);
    }
    let mut tcp = TcpStream::connect(stage.address).await.or_else(|error| fault(format!("no connection: {error}")))?;
    if reset {
        let _ = tcp.set_zero_linger();
    } else {
        let _ = tcp.shutdown().await;
    }
    Ok(Parting::Vanished)
}

async fn denied(stage: &Stage, client: &mut Client, who: Who) -> Result<Parting, Lost> {
    match client.log_in(who, &stage.tls).await? {
        1045 => stage.ledger.met(1045),
        code => return fault(format!("{who:?} was answered by {code}")),
    }
    Ok(Parting::Refused)
}

/// Logs in a byte at a time, and is in, or cut off at the deadline; then goes.
async fn slow(client: &mut Client, dice: &mut Dice) -> Result<Parting, Lost> {
    let who = USERS[1];
    let each = Duration::from_millis(dice.one_of(&[0, 1, 10, 100]));
    for byte in framed(1, &client.hello(who)) {
        client.write(&[byte]).await?;
        sleep(each).await;
    }
    client.expect_next(2);
    match client.prove(who).await? {
        0 => Ok(Parting::Vanished),
        code => fault(format!("a slow login was answered by {code}")),
    }
}
