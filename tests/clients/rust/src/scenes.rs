//! What the scenes of both clients have in common.

use std::{env::var, error::Error, time::Duration};

use tokio::time::Instant;

pub const SLEEP: &str = "SELECT SLEEP(30)";
pub const ROWS: u64 = 100_000;
pub const TEXT: &str = "it's a \"back\\slash\", 100 % and ünïcödé 🐦";
pub const BLOB: &[u8] = &[0, 255, 39, 92];
pub const INTERRUPTED: u16 = 1317;
pub const UNKNOWN_THREAD: u16 = 1094;

/// So long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The server, from the environment.
pub struct Server {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub tls: bool,
    /// The statement that gives the numbers from 1 to [`ROWS`].
    pub many_rows: String,
}

impl Server {
    pub fn from_environment() -> Outcome<Self> {
        Ok(Self {
            host: var("KILLDEER_HOST")?,
            port: var("KILLDEER_PORT")?.parse()?,
            user: var("KILLDEER_USER")?,
            password: var("KILLDEER_PASSWORD")?,
            tls: var("KILLDEER_TLS")? == "1",
            many_rows: var("KILLDEER_ROWS")?,
        })
    }
}

/// Says which scenes have passed, and why others have not.
#[derive(Default)]
pub struct Play {
    failures: u32,
}

impl Play {
    pub async fn scene(&mut self, name: &str, scene: impl Future<Output = Outcome>) {
        match scene.await {
            Ok(()) => println!("{name}"),
            Err(why) => {
                self.failures += 1;
                eprintln!("{name}: {why} ({why:?})");
            }
        }
    }

    /// For the end of the process.
    pub fn code(&self) -> i32 {
        i32::from(self.failures > 0)
    }
}

pub fn expect_equal<T: PartialEq + std::fmt::Debug>(got: T, wanted: T, what: &str) -> Outcome {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}").into()) }
}

/// One row of the list of processes.
pub struct Process {
    pub id: u64,
    pub command: String,
    pub state: Option<String>,
    pub info: Option<String>,
}

impl Process {
    /// Whether this session runs [`SLEEP`], over either kind of statement.
    pub fn sleeps(&self, id: u64) -> bool {
        self.id == id
            && ["Query", "Execute"].contains(&&*self.command)
            && self.state.as_deref() == Some("User sleep")
            && self.info.as_deref() == Some(SLEEP)
    }
}

/// Asks again and again, up to a limit in time, until the list is as wanted.
pub async fn await_list(
    what: &str,
    mut list: impl AsyncFnMut() -> Outcome<Vec<Process>>,
    wanted: impl Fn(&[Process]) -> bool,
) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    while !wanted(&list().await?) {
        if Instant::now() > deadline {
            return Err(format!("waited in vain: {what}").into());
        }
    }
    Ok(())
}
