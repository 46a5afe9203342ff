//! An etcd of a test's own, in a directory of its own and on free ports. It ends with the test.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

pub struct Server {
    pub address: String,
    peers: String,
    scheme: &'static str,
    options: Vec<String>,
    directory: PathBuf,
    process: Child,
}

impl Server {
    pub fn start() -> Self {
        Self::with("http", |_| Vec::new())
    }

    /// `options` may write files to the directory that it is given.
    pub fn with(scheme: &'static str, options: impl FnOnce(&Path) -> Vec<String>) -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("killdeer-etcd-{}-{number}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let options = options(&directory);
        // A port that was free may be another's by the time etcd takes it.
        for _ in 0..5 {
            let [address, peers] = free();
            if let Some(process) = run(scheme, &address, &peers, &directory, &options) {
                return Self { address, peers, scheme, options, directory, process };
            }
            let _ = fs::remove_dir_all(directory.join("data"));
        }
        panic!("etcd does not start");
    }

    /// It is killed, and starts again on what it has written.
    pub fn restart(&mut self) {
        self.kill();
        self.process =
            run(self.scheme, &self.address, &self.peers, &self.directory, &self.options).expect("it starts again");
    }

    /// It stands still.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// And goes on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn free() -> [String; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

/// `None`: it has ended again.
fn run(scheme: &str, address: &str, peers: &str, directory: &Path, options: &[String]) -> Option<Child> {
    let (clients, peers) = (format!("{scheme}://{address}"), format!("http://{peers}"));
    let mut command = Command::new("etcd");
    command.arg("--data-dir").arg(directory.join("data"));
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}"), "--logger", "zap", "--log-level", "info"]);
    // So that leases may be short.
    command.args(["--heartbeat-interval", "50", "--election-timeout", "500"]).args(options);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut process = spawned.expect("no etcd: apt-get install etcd-server");
    let log = BufReader::new(process.stderr.take().unwrap());
    let (ready, is_ready) = mpsc::channel();
    // To its end: it would wait for a reader.
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            if line.contains("serving client traffic") {
                let _ = ready.send(());
            }
        }
    });
    match is_ready.recv_timeout(Duration::from_secs(20)) {
        Ok(()) => Some(process),
        Err(_) => {
            let _ = process.kill();
            process.wait().unwrap();
            None
        }
    }
}
