//! `mysql_async` and `sqlx`, each with its pool. Each plays the scenes of ../scenes.py.

mod mysql_async_client;
mod scenes;
mod sqlx_client;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut play = scenes::Play::default();
    match std::env::args().nth(1).as_deref() {
        Some("mysql_async") => mysql_async_client::play(&mut play).await,
        Some("sqlx") => sqlx_client::play(&mut play).await,
        _ => panic!("mysql_async or sqlx?"),
    }
    std::process::exit(play.code());
}
