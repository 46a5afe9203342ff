//! The system calls of a statement, counted by `strace`. They are exact where times are not: but a server that is traced
//! is slow, and finds more to do each time that it wakes up.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Run, connects::come_and_go, short, started};
use crate::{
    client::{Load, Mode},
    report::{Section, Table},
    servers::{Kind, Server},
};

const CONNECTIONS: usize = 64;

const STRETCH: Duration = Duration::from_secs(1);
const QUICK_STRETCH: Duration = Duration::from_millis(100);

/// Fewer for a statement than this are left out.
const FEW: f64 = 0.005;

/// How often each system call was made.
type Calls = BTreeMap<String, f64>;

/// Follows all threads of a server.
struct Strace(Child);

impl Strace {
    /// Starts it, and waits until it has found the server.
    fn attach(server: &Server, into: &Path) -> io::Result<Self> {
        let mut child = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,name", "-p", &server.id().to_string(), "-o"])
            .arg(into)
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().map(BufReader::new);
        for line in said.into_iter().flat_map(|said| said.lines().map_while(Result::ok)) {
            if line.contains("attached") {
                return Ok(Self(child));
            }
        }
        Err(io::Error::other("strace does not attach to the server"))
    }

    /// It writes down what it has counted.
    fn detach(mut self) -> io::Result<()> {
        kill(Pid::from_raw(self.0.id().try_into().map_err(io::Error::other)?), Signal::SIGINT)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `strace -c -U calls,name` writes: a head, lines of two columns, and their sum.
fn counted(text: &str) -> Calls {
    let line = |line: &str| {
        let (calls, name) = line.trim().split_once(char::is_whitespace)?;
        Some((name.trim().to_owned(), calls.parse().ok()?))
    };
    text.lines().filter_map(line).filter(|(name, _)| name != "total").collect()
}

/// A row: how many for each of so many, and which.
fn row(kind: Kind, calls: Calls, of: f64) -> Vec<String> {
    let mut calls: Vec<_> = calls.into_iter().map(|(name, calls)| (name, calls / of)).collect();
    calls.sort_by(|a, b| b.1.total_cmp(&a.1));
    let total: f64 = calls.iter().map(|(_, each)| each).sum();
    let named = calls.iter().filter(|(_, each)| *each >= FEW).map(|(name, each)| format!("{name} {}", short(*each)));
    vec![kind.name().to_owned(), short(total), named.collect::<Vec<_>>().join(", ")]
}

pub async fn measure(run: &Run) -> io::Result<Section> {
    let mut section = Section { title: "System calls".to_owned(), ..Section::default() };
    if Command::new("strace").arg("-V").output().is_err() {
        section.paragraphs.push("Not counted: there is no strace here (apt-get install strace).".to_owned());
        return Ok(section);
    }
    let connects = run.sized(1_000, 50);
    let head = ["", "each", "of which"];
    let mut of_statements = Table::new(format!("Of a `SELECT 1`, at {CONNECTIONS} connections:"), &head);
    let mut of_connects = Table::new("Of a connect, login, quit, one at a time:", &head);
    let servers = started(run, &Kind::ALL)?;
    let file = run.workshop.file("strace", "")?;
    for (kind, server) in Kind::ALL.into_iter().zip(&servers) {
        let mut load = Load::open(server.address, CONNECTIONS, Mode::Text, kind.is_floor())?;
        let strace = Strace::attach(server, &file)?;
        let statements = load.run(run.sized(STRETCH, QUICK_STRETCH))?.statements;
        strace.detach()?;
        of_statements.row(row(kind, counted(&fs::read_to_string(&file)?), statements));
        drop(load);
        let strace = Strace::attach(server, &file)?;
        come_and_go(server.address, connects).await?;
        strace.detach()?;
        of_connects.row(row(kind, counted(&fs::read_to_string(&file)?), connects as f64));
    }
    section.paragraphs.push(
        "By strace. A server that is traced is slow, and finds more to do each time that it wakes up: fewer calls to wait \
         than it makes otherwise."
            .to_owned(),
    );
    section.tables = vec![of_statements, of_connects];
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strace_writes_is_read() {
        let text = "    calls syscall\n--------- ----------------\n     1200 recvfrom\n       50 epoll_wait\n\
                    --------- ----------------\n     1250 total\n";
        let calls = counted(text);
        assert_eq!(calls.len(), 2);
        assert_eq!((calls["recvfrom"], calls["epoll_wait"]), (1200.0, 50.0));
    }
}
