//! `mysql_async`.

use futures::StreamExt as _;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, Row, SslOpts, Value, prelude::*};

use crate::scenes::{
    BLOB, INTERRUPTED, Outcome, Play, Process, ROWS, SLEEP, Server, TEXT, UNKNOWN_THREAD, await_list, expect_equal,
};

pub async fn play(play: &mut Play) {
    play.scene("connect", connect()).await;
    play.scene("query", query()).await;
    play.scene("prepare", prepare()).await;
    play.scene("stream", stream()).await;
    play.scene("cancel", cancel()).await;
    play.scene("killed", killed()).await;
    play.scene("reconnect", reconnect()).await;
}

async fn connect() -> Outcome {
    let mut session = open().await?;
    expect_alive(&mut session).await?;
    let database: Option<String> = session.query_first("SELECT DATABASE()").await?;
    expect_equal(database.as_deref(), Some("test"), "the database")?;
    let cipher: Option<(String, String)> = session.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    let encrypted = cipher.is_some_and(|(_, cipher)| !cipher.is_empty());
    expect_equal(encrypted, Server::from_environment()?.tls, "a connection over TLS")
}

async fn query() -> Outcome {
    let mut session = open().await?;
    session.query_drop("SET @text = 'it''s', @number = -7").await?;
    let row: Option<(String, i64, Option<String>)> = session.query_first("SELECT @text, @number, @unset").await?;
    expect_equal(row, Some(("it's".into(), -7, None)), "the variables")?;
    expect_code(session.query_drop("KILL 999999").await, UNKNOWN_THREAD)
}

async fn prepare() -> Outcome {
    let mut session = open().await?;
    let statement = session.prep("SELECT ?, ?, ?, ?, ?, ?, ?").await?;
    let decimal = "-12345678901234567890.50";
    let date = Value::Date(2024, 2, 29, 23, 59, 58, 7);
    let values = vec![
        Value::Int(-7),
        Value::Double(1.5),
        Value::Bytes(TEXT.into()),
        Value::NULL,
        Value::Bytes(decimal.into()),
        Value::Bytes(BLOB.into()),
        date,
    ];
    for _ in 0..2 {
        let row: Option<Row> = session.exec_first(&statement, values.clone()).await?;
        expect_equal(row.map(Row::unwrap), Some(values.clone()), "the row")?;
    }
    session.close(statement).await?;
    Ok(())
}

async fn stream() -> Outcome {
    let mut session = open().await?;
    let mut numbers = session.query_stream::<u64, _>(Server::from_environment()?.many_rows).await?;
    let mut count = 0;
    while let Some(number) = numbers.next().await {
        count += 1;
        expect_equal(number?, count, "the row")?;
    }
    drop(numbers);
    expect_equal(count, ROWS, "the rows")?;
    expect_alive(&mut session).await
}

/// It has no way of its own: a second connection asks for it.
async fn cancel() -> Outcome {
    let (mut session, mut other) = (open().await?, open().await?);
    let kill = format!("KILL QUERY {}", session.id());
    let slept = kill_sleeping(&kill, &mut session, &mut other).await?;
    expect_code(slept, INTERRUPTED)?;
    expect_alive(&mut session).await
}

async fn killed() -> Outcome {
    let (mut session, mut other) = (open().await?, open().await?);
    let id = session.id();
    let kill = format!("KILL {id}");
    match kill_sleeping(&kill, &mut session, &mut other).await? {
        Err(Error::Io(_) | Error::Driver(mysql_async::DriverError::ConnectionClosed)) => {}
        other => return Err(format!("a lost connection is wanted, not {other:?}").into()),
    }
    await_gone(id, &mut other).await?;
    expect_code(other.query_drop(kill).await, UNKNOWN_THREAD)
}

/// The pool opens another connection in the place of one that was killed while nobody used it.
async fn reconnect() -> Outcome {
    let one = PoolConstraints::new(1, 1).ok_or("no constraints")?;
    let pool = Pool::new(options()?.pool_opts(PoolOpts::new().with_constraints(one)));
    let mut other = open().await?;
    let first = pool.get_conn().await?.id();
    other.query_drop(format!("KILL {first}")).await?;
    await_gone(first, &mut other).await?;
    let mut next = pool.get_conn().await?;
    expect_alive(&mut next).await?;
    expect_equal(next.id() == first, false, "the same id again")?;
    drop(next);
    pool.disconnect().await?;
    Ok(())
}

fn options() -> Outcome<OptsBuilder> {
    let server = Server::from_environment()?;
    // A certificate that nobody has signed.
    let tls = SslOpts::default().with_danger_accept_invalid_certs(true);
    Ok(OptsBuilder::default()
        .ip_or_hostname(server.host)
        .tcp_port(server.port)
        .user(Some(server.user))
        .pass(Some(server.password))
        .db_name(Some("test"))
        .ssl_opts(server.tls.then_some(tls)))
}

async fn open() -> Outcome<Conn> {
    Ok(Conn::new(Opts::from(options()?)).await?)
}

/// How the statement ended that the session was running when it was killed.
async fn kill_sleeping(kill: &str, session: &mut Conn, other: &mut Conn) -> Outcome<Result<(), Error>> {
    let id = u64::from(session.id());
    let killing = async {
        let runs = |list: &[Process]| list.iter().any(|process| process.sleeps(id));
        await_list("the statement in the list", async || listed(other).await, runs).await?;
        Outcome::Ok(other.query_drop(kill).await?)
    };
    let (slept, killed) = tokio::join!(session.query_drop(SLEEP), killing);
    killed.map(|()| slept)
}

async fn await_gone(id: u32, other: &mut Conn) -> Outcome {
    let id = u64::from(id);
    let gone = |list: &[Process]| list.iter().all(|process| process.id != id);
    await_list("the session gone from the list", async || listed(other).await, gone).await
}

async fn listed(session: &mut Conn) -> Outcome<Vec<Process>> {
    let rows: Vec<Row> = session.query("SHOW PROCESSLIST").await?;
    let process = |mut row: Row| {
        Some(Process {
            id: row.take("Id")?,
            command: row.take("Command")?,
            state: row.take("State")?,
            info: row.take("Info")?,
        })
    };
    rows.into_iter().map(process).collect::<Option<_>>().ok_or_else(|| "a column is missing".into())
}

async fn expect_alive(session: &mut Conn) -> Outcome {
    let id: Option<u32> = session.query_first("SELECT CONNECTION_ID()").await?;
    expect_equal(id, Some(session.id()), "CONNECTION_ID() and the greeting's id")
}

fn expect_code<T: std::fmt::Debug>(result: Result<T, Error>, code: u16) -> Outcome {
    match result {
        Err(Error::Server(error)) if error.code == code => Ok(()),
        other => Err(format!("error {code} is wanted, not {other:?}").into()),
    }
}
