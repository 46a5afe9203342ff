//! What the process costs the system, by the system's own account.

use std::{fs, io, time::Duration};

/// At one pause.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Since the beginning.
    pub at: Duration,
    pub visits: u64,
    pub files: usize,
    pub threads: u64,
    /// Resident memory, in KiB.
    pub resident: u64,
}

impl Figures {
    pub fn read(at: Duration, visits: u64) -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| {
            let value =
                status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("no {name}")))
        };
        Ok(Self { at, visits, files: files()?, threads: field("Threads:")?, resident: field("VmRSS:")? })
    }
}

/// Open files of this process; without the one that this takes.
pub fn files() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count() - 1)
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, visits, files, threads, resident } = self;
        write!(
            f,
            "{:>7.1} s  {visits:>8} clients so far  {files:>4} files  {threads:>3} threads  {resident:>7} KiB resident",
            at.as_secs_f64()
        )
    }
}

/// The median of the memory at some pauses, in KiB.
pub fn median(figures: &[Figures]) -> u64 {
    let mut resident: Vec<_> = figures.iter().map(|figures| figures.resident).collect();
    resident.sort_unstable();
    resident[resident.len() / 2]
}
