//! MariaDB: Debian's `mariadb-server`, in a directory of its own. `root` has no password, and may come from any address of
//! the loopback interface.

use std::{
    ffi::OsString,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use super::{Certificate, MANY, QUEUE};
use crate::process::Process;

/// Run when it starts.
const ACCOUNTS: &str = "CREATE USER root@'127.0.0.0/255.0.0.0';\n\
    GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.0/255.0.0.0' WITH GRANT OPTION;\n";

/// Looked at so often, so many times, whether it listens.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: usize = 3000;

/// What is made once: its programs found, and a directory of data that the servers begin with.
pub struct Installation {
    server: PathBuf,
    data: PathBuf,
    pub version: String,
}

/// One of its programs, which Debian keeps where a user's PATH does not look.
fn program(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let mut found = places.map(|place| place.join(name)).filter(|program| program.is_file());
    found.next().ok_or_else(|| io::Error::other(format!("there is no {name} here: apt-get install mariadb-server")))
}

impl Installation {
    pub fn make(home: &Path) -> io::Result<Self> {
        let (server, install) = (program("mariadbd")?, program("mariadb-install-db")?);
        let data = home.join("mariadb");
        let made = Command::new(install)
            .arg("--no-defaults")
            .arg(option("--datadir", &data))
            .arg(option("--tmpdir", home))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"])
            .args(["--innodb-log-file-size=8M"])
            .args(as_root())
            .output()?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(io::Error::other(format!("mariadb-install-db failed: {said}")));
        }
        let said = Command::new(&server).args(["--no-defaults", "--version"]).output()?.stdout;
        let said = String::from_utf8_lossy(&said);
        let version = said.split_whitespace().find(|word| word.contains("MariaDB")).unwrap_or("MariaDB").to_owned();
        Ok(Self { server, data, version })
    }

    /// Starts a server that handles its threads so (`thread_handling`); the rest is as it is by default, but for its limits
    /// and for what would be written to disk.
    pub fn start(
        &self,
        home: &Path,
        certificate: Option<&Certificate>,
        threads: &str,
    ) -> io::Result<(Process, SocketAddr)> {
        let data = home.join("data");
        copy(&self.data, &data)?;
        let accounts = home.join("accounts.sql");
        std::fs::write(&accounts, ACCOUNTS)?;
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let mut arguments: Vec<OsString> = [
            "--no-defaults".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={}", address.port()),
            format!("--thread-handling={threads}"),
            format!("--max-connections={MANY}"),
            format!("--back-log={QUEUE}"),
            "--open-files-limit=20000".to_owned(),
            // It takes its own share of the descriptors first, as much as this says.
            "--table-open-cache=200".to_owned(),
            "--table-open-cache-instances=1".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--skip-log-bin".to_owned(),
            "--performance-schema=OFF".to_owned(),
            "--innodb-buffer-pool-size=16M".to_owned(),
            "--innodb-log-file-size=8M".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
            "--collation-server=utf8mb4_general_ci".to_owned(),
        ]
        .map(OsString::from)
        .into();
        arguments.push(option("--init-file", &accounts));
        arguments.push(option("--datadir", &data));
        arguments.push(option("--tmpdir", home));
        arguments.push(option("--socket", &home.join("socket")));
        arguments.push(option("--pid-file", &home.join("pid")));
        arguments.extend(as_root().map(OsString::from));
        if let Some(certificate) = certificate {
            arguments.push(option("--ssl-cert", &certificate.cert));
            arguments.push(option("--ssl-key", &certificate.key));
        }
        let log = home.join("log");
        let mut process = Process::start(&self.server, &arguments, Some(&log))?;
        for _ in 0..LOOKS {
            // It accepts when all is ready.
            if TcpStream::connect(address).is_ok() {
                return Ok((process, address));
            }
            if process.has_ended()? {
                break;
            }
            sleep(PAUSE);
        }
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        Err(io::Error::other(format!("MariaDB does not listen; in its log: {log}")))
    }
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(value);
    option
}

/// It does not run as root unless it is told to.
fn as_root() -> Option<&'static str> {
    nix::unistd::geteuid().is_root().then_some("--user=root")
}

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
