//! Children, their CPU time and their memory. What is measured runs in a process of its own, a child that is this same
//! program with other arguments, so that nothing of the client's is counted with it.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// A child. It ends when its handle is dropped, and when its parent is gone.
pub struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program with these arguments.
    pub fn start(arguments: &[&str]) -> io::Result<Self> {
        Self::start_in(&[], arguments)
    }

    /// The same, with these variables in its environment.
    pub fn start_in(environment: &[(&str, &str)], arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = child.stdout.take().ok_or_else(|| io::Error::other("the child has no output"))?;
        Ok(Self { child, said: BufReader::new(said) })
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// The address that a server prints when it listens.
    pub fn address(&mut self) -> io::Result<SocketAddr> {
        let line = self.line()?;
        line.parse().map_err(|_| io::Error::other(format!("the server does not listen: {line:?}")))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a child: ends the process when its parent has let go of it.
pub fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// The CPU time that a process has taken, user and system, all threads that still live.
///
/// The scheduler's own account, in nanoseconds; it is behind by up to a tick for a thread that is running.
pub fn cpu(process: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let account = fs::read_to_string(thread?.path().join("schedstat"))?;
        let ran = account.split(' ').next().and_then(|field| field.parse::<u64>().ok());
        nanos += ran.ok_or_else(|| io::Error::other("schedstat cannot be read"))?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The processor time of the thread that asks, up to this moment: what else the machine does is not in it.
pub fn own_cpu() -> Duration {
    // A thread's own time is not negative.
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// The memory of a process that is resident, in bytes.
pub fn resident(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("VmRSS cannot be read"))
}

/// How many files this process may have open: now, and at the most.
pub fn open_files() -> io::Result<(u64, u64)> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut fields = line.unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(u64::MAX));
    match (fields.next(), fields.next()) {
        (Some(soft), Some(hard)) => Ok((soft, hard)),
        _ => Err(io::Error::other("the limits cannot be read")),
    }
}
