//! The file of policies: read at the start, and again whenever SIGHUP comes.

use std::{
    error::Error,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use actix_rt::signal::unix::{SignalKind, signal};
use killdeer::{Engine, Runtime, policy::Policies};

/// Puts the rules of this file in force, and what it says by then at each SIGHUP.
///
/// # Errors
/// The file cannot be read, or has a mistake. Later on that is logged, and the rules in force stay.
pub fn follow<E: Engine>(runtime: &Runtime<E>, path: PathBuf) -> Result<(), Box<dyn Error>> {
    // From here on SIGHUP no longer ends the process.
    let mut hangups = signal(SignalKind::hangup())?;
    load(runtime, &path)?;
    let runtime = runtime.clone();
    actix_rt::spawn(async move {
        while hangups.recv().await.is_some() {
            match load(&runtime, &path) {
                Ok(()) => {}
                Err(error) => tracing::error!("{error}; the rules in force stay"),
            }
        }
    });
    Ok(())
}

fn load<E: Engine>(runtime: &Runtime<E>, path: &Path) -> Result<(), Box<dyn Error>> {
    let said = |error: &dyn Error| format!("{}: {error}", path.display());
    let policies = Policies::parse(&read(path).map_err(|error| said(&error))?).map_err(|error| said(&error))?;
    let (rules, interval) = (policies.len(), policies.interval());
    runtime.policies().put(policies);
    tracing::info!(rules, ?interval, "policies in force");
    Ok(())
}

/// The text of a file, no more of it than it takes to see that it is too long.
fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(Policies::LONGEST as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
