//! Killdeer, by its main example.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Certificate, MANY, WORKERS};
use crate::process::{Process, Wrapper};

/// Starts it on a free port. It is what it is by default, but for its limits, and the plugin by which the others ask too.
pub fn start(
    wrapper: Wrapper<'_>,
    program: &Path,
    home: &Path,
    certificate: Option<&Certificate>,
    options: &[&str],
) -> io::Result<(Process, SocketAddr)> {
    let fixed = [
        "--listen=127.0.0.1:0".to_owned(),
        format!("--workers={WORKERS}"),
        "--default-plugin=mysql_native_password".to_owned(),
        format!("--set=max_connections={MANY}"),
        format!("--set=max_unauthenticated_connections={MANY}"),
    ];
    let mut arguments: Vec<OsString> = fixed.into_iter().map(OsString::from).collect();
    arguments.extend(options.iter().map(OsString::from));
    if let Some(certificate) = certificate {
        arguments.extend(["--tls-cert".into(), certificate.cert.clone().into_os_string()]);
        arguments.extend(["--tls-key".into(), certificate.key.clone().into_os_string()]);
    }
    let log = home.join("log");
    let mut process = Process::wrapped(wrapper, program, &arguments, Some(&log))?;
    let line = process.line().unwrap_or_default();
    let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
    let address = address.ok_or_else(|| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        io::Error::other(format!("echo_sql does not listen: it said {line:?}, and in its log {log:?}"))
    })?;
    Ok((process, address))
}

/// Builds it, from the package that this one stands in.
pub fn build() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = root.join("target");
    let built = Command::new(cargo)
        .args(["build", "--locked", "--release", "--example", "echo_sql", "--target-dir"])
        .arg(&target)
        .current_dir(&root)
        .status()?;
    match built.success() {
        true => Ok(target.join("release/examples/echo_sql")),
        false => Err(io::Error::other("echo_sql does not build")),
    }
}
