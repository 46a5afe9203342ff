//! Children: what is measured, and what measures it, each in a process of its own.
//!
//! None outlives the run: each ends when its handle is dropped, by `PR_SET_PDEATHSIG` (`setpriv` of util-linux) when the
//! run is killed, and those that are this same program when their standard input ends.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// So long a child may take to say something.
pub const PATIENCE: Duration = Duration::from_secs(300);

pub struct Process {
    child: Child,
    asked: Option<ChildStdin>,
    said: mpsc::Receiver<String>,
}

/// A program with arguments that is given another one to run, and runs it in the same process: `valgrind`.
pub type Wrapper<'a> = &'a [String];

impl Process {
    /// Starts a program. What it complains about goes into the file.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: &[A], log: Option<&Path>) -> io::Result<Self> {
        Self::wrapped(&[], program, arguments, log)
    }

    /// The same, under another one.
    pub fn wrapped<A: AsRef<OsStr>>(
        wrapper: Wrapper<'_>,
        program: &Path,
        arguments: &[A],
        log: Option<&Path>,
    ) -> io::Result<Self> {
        let log = log.map(File::create).transpose()?;
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(wrapper)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.map_or_else(Stdio::inherit, Stdio::from))
            .spawn()
            .map_err(|error| io::Error::other(format!("{} cannot be started: {error}", program.display())))?;
        let asked = child.stdin.take();
        let said = lines(child.stdout.take());
        Ok(Self { child, asked, said })
    }

    /// Starts this program once more, with other arguments.
    pub fn own<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<Self> {
        Self::start(&std::env::current_exe()?, arguments, None)
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> io::Result<String> {
        self.said.recv_timeout(PATIENCE).map_err(|_| io::Error::other("a child has ended, or says nothing"))
    }

    /// Tells it something.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        let asked = self.asked.as_mut().ok_or_else(|| io::Error::other("the child does not listen"))?;
        writeln!(asked, "{line}")
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an administrator would, and waits until it has ended.
    pub fn end(mut self) -> io::Result<()> {
        kill(Pid::from_raw(self.id().try_into().map_err(io::Error::other)?), Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child says, line by line.
fn lines(output: Option<ChildStdout>) -> mpsc::Receiver<String> {
    let (told, said) = mpsc::channel();
    if let Some(output) = output {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
    }
    said
}

/// In a child: what its parent tells it. The process ends when the parent has let go of it.
pub fn told() -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            // Nobody may want to know.
            let _ = tell.send(line);
        }
        std::process::exit(0);
    });
    told
}
