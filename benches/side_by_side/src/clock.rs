//! CPU time and memory of processes, as the kernel accounts for them.

use std::{fs, io, time::Duration};

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
