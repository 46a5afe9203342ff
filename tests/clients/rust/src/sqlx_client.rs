//! `sqlx`. Its ordinary statements are prepared ones; `raw_sql` sends a text.

use std::str::FromStr as _;

use futures::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Error, MySqlConnection, MySqlPool, Row as _,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions, MySqlRow, MySqlSslMode},
    query, query_scalar, raw_sql,
    types::{
        Decimal,
        time::{Date, PrimitiveDateTime, Time},
    },
};

use crate::scenes::{
    BLOB, INTERRUPTED, Outcome, Play, Process, ROWS, SLEEP, Server, TEXT, UNKNOWN_THREAD, await_list, expect_equal,
};

pub async fn play(play: &mut Play) {
    play.scene("connect", connect()).await;
    play.scene("query", raw()).await;
    play.scene("prepare", prepare()).await;
    play.scene("stream", stream()).await;
    play.scene("cancel", cancel()).await;
    play.scene("killed", killed()).await;
    play.scene("reconnect", reconnect()).await;
}

async fn connect() -> Outcome {
    let mut session = open().await?;
    expect_equal(id(&mut session).await? > 0, true, "an id")?;
    let database: String = raw_sql("SELECT DATABASE()").fetch_one(&mut session).await?.try_get_unchecked(0)?;
    expect_equal(&*database, "test", "the database")?;
    let row = raw_sql("SHOW STATUS LIKE 'Ssl_cipher'").fetch_one(&mut session).await?;
    let encrypted = !row.try_get_unchecked::<String, _>(1)?.is_empty();
    expect_equal(encrypted, Server::from_environment()?.tls, "a connection over TLS")
}

async fn raw() -> Outcome {
    let mut session = open().await?;
    raw_sql("SET @text = 'it''s', @number = -7").execute(&mut session).await?;
    let row = raw_sql("SELECT @text, @number, @unset").fetch_one(&mut session).await?;
    expect_equal(row.try_get_unchecked::<String, _>(0)?, "it's".into(), "the text")?;
    expect_equal(row.try_get_unchecked::<i64, _>(1)?, -7, "the number")?;
    expect_equal(row.try_get_unchecked::<Option<String>, _>(2)?, None, "the variable that is not set")?;
    expect_code(raw_sql("KILL 999999").execute(&mut session).await, UNKNOWN_THREAD)
}

async fn prepare() -> Outcome {
    let mut session = open().await?;
    let decimal = Decimal::from_str("-1234567890123456789.50")?;
    let date = Date::from_ordinal_date(2024, 60)?;
    let when = PrimitiveDateTime::new(date, Time::from_hms_micro(23, 59, 58, 7)?);
    for _ in 0..2 {
        let row = query("SELECT ?, ?, ?, ?, ?, ?, ?, ?")
            .bind(-7_i64)
            .bind(1.5_f64)
            .bind(TEXT)
            .bind(None::<String>)
            .bind(decimal)
            .bind(BLOB)
            .bind(date)
            .bind(when)
            .fetch_one(&mut session)
            .await?;
        expect_equal(row.try_get_unchecked::<i64, _>(0)?, -7, "the number")?;
        expect_equal(row.try_get_unchecked::<f64, _>(1)?, 1.5, "the float")?;
        expect_equal(row.try_get_unchecked::<String, _>(2)?, TEXT.into(), "the text")?;
        expect_equal(row.try_get_unchecked::<Option<String>, _>(3)?, None, "NULL")?;
        expect_equal(row.try_get_unchecked::<Decimal, _>(4)?, decimal, "the decimal")?;
        expect_equal(row.try_get_unchecked::<Vec<u8>, _>(5)?, BLOB.into(), "the blob")?;
        expect_equal(row.try_get_unchecked::<Date, _>(6)?, date, "the date")?;
        expect_equal(row.try_get_unchecked::<PrimitiveDateTime, _>(7)?, when, "the time")?;
    }
    Ok(())
}

async fn stream() -> Outcome {
    let mut session = open().await?;
    let many_rows = Server::from_environment()?.many_rows;
    let mut rows = query(AssertSqlSafe(many_rows)).fetch(&mut session);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        count += 1;
        expect_equal(row.try_get_unchecked::<u64, _>(0)?, count, "the row")?;
    }
    drop(rows);
    expect_equal(count, ROWS, "the rows")?;
    id(&mut session).await.map(drop)
}

/// It has no way of its own: a second connection asks for it.
async fn cancel() -> Outcome {
    let (mut session, mut other) = (open().await?, open().await?);
    let before = id(&mut session).await?;
    let slept = kill_sleeping(&format!("KILL QUERY {before}"), &mut session, &mut other).await?;
    expect_code(slept, INTERRUPTED)?;
    expect_equal(id(&mut session).await?, before, "the id afterwards")
}

async fn killed() -> Outcome {
    let (mut session, mut other) = (open().await?, open().await?);
    let id = id(&mut session).await?;
    let kill = format!("KILL {id}");
    match kill_sleeping(&kill, &mut session, &mut other).await? {
        Err(Error::Io(_)) => {}
        other => return Err(format!("a lost connection is wanted, not {other:?}").into()),
    }
    await_gone(id, &mut other).await?;
    expect_code(raw_sql(AssertSqlSafe(kill)).execute(&mut other).await, UNKNOWN_THREAD)
}

/// The pool asks a connection whether it lives, and opens another in the place of one that was killed.
async fn reconnect() -> Outcome {
    let pool: MySqlPool = MySqlPoolOptions::new().max_connections(1).connect_with(options()?).await?;
    let mut other = open().await?;
    let first: u64 = id(&mut *pool.acquire().await?).await?;
    raw_sql(AssertSqlSafe(format!("KILL {first}"))).execute(&mut other).await?;
    await_gone(first, &mut other).await?;
    let next = id(&mut *pool.acquire().await?).await?;
    expect_equal(next == first, false, "the same id again")?;
    pool.close().await;
    Ok(())
}

fn options() -> Outcome<MySqlConnectOptions> {
    let server = Server::from_environment()?;
    Ok(MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .password(&server.password)
        .database("test")
        // Without verification: a certificate that nobody has signed.
        .ssl_mode(if server.tls { MySqlSslMode::Required } else { MySqlSslMode::Disabled }))
}

async fn open() -> Outcome<MySqlConnection> {
    Ok(options()?.connect().await?)
}

/// How the statement ended that the session was running when it was killed.
async fn kill_sleeping(
    kill: &str,
    session: &mut MySqlConnection,
    other: &mut MySqlConnection,
) -> Outcome<Result<(), Error>> {
    let id = id(session).await?;
    let killing = async {
        let runs = |list: &[Process]| list.iter().any(|process| process.sleeps(id));
        await_list("the statement in the list", async || listed(other).await, runs).await?;
        raw_sql(AssertSqlSafe(kill.to_owned())).execute(other).await?;
        Outcome::Ok(())
    };
    let (slept, killed) = tokio::join!(query(SLEEP).execute(session), killing);
    killed.map(|()| slept.map(drop))
}

async fn await_gone(id: u64, other: &mut MySqlConnection) -> Outcome {
    let gone = |list: &[Process]| list.iter().all(|process| process.id != id);
    await_list("the session gone from the list", async || listed(other).await, gone).await
}

async fn listed(session: &mut MySqlConnection) -> Outcome<Vec<Process>> {
    let process = |row: MySqlRow| -> Outcome<Process> {
        Ok(Process {
            id: row.try_get_unchecked("Id")?,
            command: row.try_get_unchecked("Command")?,
            state: row.try_get_unchecked("State")?,
            info: row.try_get_unchecked("Info")?,
        })
    };
    raw_sql("SHOW PROCESSLIST").fetch_all(session).await?.into_iter().map(process).collect()
}

async fn id(session: &mut MySqlConnection) -> Outcome<u64> {
    Ok(query_scalar("SELECT CONNECTION_ID()").fetch_one(session).await?)
}

fn expect_code<T: std::fmt::Debug>(result: Result<T, Error>, code: u16) -> Outcome {
    match &result {
        Err(Error::Database(error)) if error.downcast_ref::<MySqlDatabaseError>().number() == code => Ok(()),
        _ => Err(format!("error {code} is wanted, not {result:?}").into()),
    }
}
