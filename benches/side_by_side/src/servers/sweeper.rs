//! Who tidies up after a run that was killed: a child that removes the directory of the run when the run has ended,
//! however that was.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// The servers may be writing there still, so often and so long: they are ending too.
const TIMES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

pub struct Sweeper(Child);

impl Sweeper {
    pub fn start(directory: &Path) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg("sweep")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C in a terminal is for the run, not for those who tidy up after it.
            .process_group(0)
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // The run has tidied up itself, or the sweeper does. It ends by itself.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// In the child.
pub fn sweep(directory: &Path) -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    for _ in 0..TIMES {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => sleep(PAUSE),
        }
    }
    Ok(())
}
