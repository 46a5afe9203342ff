//! CPU time and memory of processes, as the kernel accounts for them.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use nix::{time::clock_getcpuclockid, unistd::Pid};

/// The CPU time that a process has taken, user and system, in nanoseconds' resolution: all its threads, those that have
/// ended included.
pub fn cpu(process: u32) -> io::Result<Duration> {
    let process = Pid::from_raw(process.try_into().map_err(io::Error::other)?);
    Ok(clock_getcpuclockid(process)?.now()?.into())
}

/// The memory of a process that is resident, in bytes.
pub fn resident(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    kilobytes(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("no VmRSS"))
}

/// Measures what is done between its start and its stop.
pub struct Watch {
    server: u32,
    began: Instant,
    servers: Duration,
    own: Duration,
}

/// What it took, in seconds.
pub struct Spent {
    pub took: f64,
    /// The server's CPU time.
    pub cpu: f64,
    client: f64,
}

impl Watch {
    /// The client is this process.
    pub fn start(server: u32) -> io::Result<Self> {
        Ok(Self { server, servers: cpu(server)?, own: cpu(std::process::id())?, began: Instant::now() })
    }

    pub fn stop(self) -> io::Result<Spent> {
        let took = self.began.elapsed().as_secs_f64();
        let since = |process, before: Duration| cpu(process).map(|now| (now - before).as_secs_f64());
        Ok(Spent { took, cpu: since(self.server, self.servers)?, client: since(std::process::id(), self.own)? })
    }
}

impl Spent {
    /// The client's part of all CPU time, in percent.
    pub fn clients_part(&self) -> f64 {
        100.0 * self.client / (self.client + self.cpu)
    }
}

/// The figure of one line of `/proc/…/status`.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_status_is_found_by_its_name() {
        let status = "Name:\tx\nVmHWM:\t    9999 kB\nVmRSS:\t    1234 kB\nThreads:\t2\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1234));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }

    #[test]
    fn work_is_accounted_for() {
        let before = cpu(std::process::id()).unwrap();
        let worked = std::thread::spawn(|| (0..1_000_000_u64).map(std::hint::black_box).sum::<u64>());
        worked.join().unwrap();
        // The thread has ended, and counts.
        assert!(cpu(std::process::id()).unwrap() > before);
        assert!(resident(std::process::id()).unwrap() > 0);
    }
}
