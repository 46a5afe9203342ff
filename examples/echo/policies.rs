//! The file of policies: read at the start, and again whenever SIGHUP comes.

use std::{
    error::Error,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use actix_rt::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use killdeer::{Engine, Runtime, policy::Policies};
use tokio::sync::oneshot;

/// So long reading the file may take, wherever it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Puts the rules of this file in force, and what it says by then at each SIGHUP.
///
/// # Errors
/// The file cannot be read, or has a mistake. Later on that is logged, and the rules in force stay.
pub async fn follow<E: Engine>(runtime: &Runtime<E>, path: PathBuf) -> Result<(), Box<dyn Error>> {
    // From here on SIGHUP no longer ends the process.
    let mut hangups = signal(SignalKind::hangup())?;
    load(runtime, &path).await?;
    let runtime = runtime.clone();
    actix_rt::spawn(async move {
        while hangups.recv().await.is_some() {
            match load(&runtime, &path).await {
                Ok(()) => {}
                Err(error) => tracing::error!("{error}; the rules in force stay"),
            }
        }
    });
    Ok(())
}

async fn load<E: Engine>(runtime: &Runtime<E>, path: &Path) -> Result<(), Box<dyn Error>> {
    let said = |error: &dyn Error| format!("{}: {error}", path.display());
    let text = timely(path.to_owned()).await.map_err(|error| said(&error))?;
    let policies = Policies::parse(&text).map_err(|error| said(&error))?;
    let (before, rules, interval) = (runtime.policies().rules().len(), policies.len(), policies.interval());
    runtime.policies().put(policies);
    match (before, rules) {
        (1.., 0) => tracing::warn!(before, rules, "policies in force: none any more"),
        _ => tracing::info!(rules, ?interval, "policies in force"),
    }
    Ok(())
}

/// The text of a file. It is read on a thread of its own, which nobody waits for at the end: signals are heard on this one,
/// and a network's file may not answer for long.
async fn timely(path: PathBuf) -> io::Result<String> {
    let (told, text) = oneshot::channel();
    std::thread::Builder::new().name("policies".into()).spawn(move || told.send(read(&path)))?;
    match timeout(PATIENCE, text).await {
        Ok(text) => text.map_err(io::Error::other)?,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it could not be read in time")),
    }
}

/// The text of a file, no more of it than it takes to see that it is too long.
fn read(path: &Path) -> io::Result<String> {
    // Asked before it is opened: a pipe is not open until somebody writes to it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(Policies::LONGEST as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
