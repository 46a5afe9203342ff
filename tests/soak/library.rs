//! What an ordinary library does: `mysql_async`.

use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, SslOpts, prelude::Queryable};

use crate::{
    client::{Lost, Who, fault},
    dice::Dice,
    ledger::{Parting, Visit},
    visit::{Stage, USERS},
};

fn opts(stage: &Stage, who: Who) -> Opts {
    let builder = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(stage.address.port())
        .prefer_socket(false)
        .user(Some(who.user))
        .pass((!who.password.is_empty()).then_some(who.password));
    let ssl = SslOpts::default()
        .with_root_certs(vec![stage.pem.as_bytes().to_vec().into()])
        .with_disable_built_in_roots(true)
        .with_danger_tls_hostname_override(Some("localhost"));
    builder.ssl_opts(who.tls.then_some(ssl)).into()
}

pub async fn come(stage: &Stage, dice: &mut Dice, seen: &mut Visit) -> Result<Parting, Lost> {
    let who = dice.one_of(&USERS);
    stage.ledger.acted("mysql_async");
    // Its id is known once it is in only: one that is killed before is nobody's here.
    let mut conn = match Conn::new(opts(stage, who)).await {
        Ok(conn) => conn,
        Err(error) => return lost(stage, seen, error),
    };
    stage.came(conn.id(), seen);
    seen.logging_in = false;
    match scene(&mut conn, dice).await {
        Ok(()) => {}
        Err(Met::Wrong(what)) => return fault(what),
        Err(Met::Error(error)) => return lost(stage, seen, error),
    }
    if dice.percent(50) {
        return match conn.disconnect().await {
            Ok(()) => Ok(Parting::Quit),
            Err(error) => lost(stage, seen, error),
        };
    }
    Ok(Parting::Dropped)
}

enum Met {
    Error(Error),
    Wrong(String),
}

impl From<Error> for Met {
    fn from(error: Error) -> Self {
        Met::Error(error)
    }
}

async fn scene(conn: &mut Conn, dice: &mut Dice) -> Result<(), Met> {
    let own: Option<u32> = conn.query_first("SELECT CONNECTION_ID()").await?;
    if own != Some(conn.id()) {
        return Err(Met::Wrong(format!("{own:?} instead of {}", conn.id())));
    }
    for _ in 0..dice.below(5) {
        let number = dice.below(1 << 50);
        let text = format!("text {number}");
        let params = Params::from((number, text.as_str()));
        let back: Option<(u64, String)> = conn.exec_first("SELECT ?, ?", params).await?;
        if back != Some((number, text)) {
            return Err(Met::Wrong(format!("{number} came back as {back:?}")));
        }
        let last = 1 + dice.below(2000);
        let rows: Vec<u64> = conn.query(format!("SELECT * FROM seq({last})")).await?;
        if !rows.into_iter().eq(1..=last) {
            return Err(Met::Wrong(format!("not the numbers to {last}")));
        }
    }
    if dice.percent(50) {
        conn.query_drop("BEGIN").await?;
    }
    if dice.percent(50) {
        conn.reset().await?;
    }
    Ok(())
}

/// What an error of the library's means: it was interrupted and goes, or it was cut off.
fn lost(stage: &Stage, seen: &mut Visit, error: Error) -> Result<Parting, Lost> {
    match error {
        Error::Server(error) if error.code == 1317 => {
            stage.ledger.met(1317);
            seen.interrupted = true;
            Ok(Parting::Dropped)
        }
        Error::Server(error) => fault(format!("mysql_async: {error}")),
        Error::Io(_) | Error::Driver(mysql_async::DriverError::ConnectionClosed) => Err(Lost::Closed),
        other => fault(format!("mysql_async: {other}")),
    }
}
