//! The file of the proxy's users: who may log in at the proxy, and as whom at the servers.
//!
//! ```toml
//! [[user]]
//! user = "alice"
//! tenant = "shop"                 # where there are tenants; sys unless said otherwise
//! verifier = "$A$005$…"           # what `proxy hash` prints; or password and plugin
//! privileges = []
//! server_user = "app"             # at the servers; the same name unless said otherwise
//! server_password = "…"           # there; the password of this file, if it has one, unless said otherwise
//! ```
//!
//! The servers' passwords stand there as they are: nobody else may read the file.

use std::{error::Error, fs::File, io::Read, os::unix::fs::PermissionsExt, path::Path};

use killdeer::proxy::{Account, Accounts};

#[path = "../accounts/file.rs"]
mod file;

use file::Entry;

/// What others may not do with the file: read or write it.
const OTHERS: u32 = 0o077;

/// As much of a file is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// Reads the file. A mistake in it is an error, not an account less.
pub fn read(path: &Path, tenants: bool) -> Result<Accounts, Box<dyn Error>> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & OTHERS != 0 {
        let said =
            format!("others may read or write it (mode {:o}): it has passwords of servers; chmod 600", mode & 0o777);
        return Err(said.into());
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    parse(&text, tenants)
}

/// Reads the text of a file.
fn parse(text: &str, tenants: bool) -> Result<Accounts, Box<dyn Error>> {
    let mut accounts = Accounts::new();
    for entry in file::entries(text)? {
        if accounts.add(account(&entry, tenants)?).is_err() {
            return Err(entry.twice().into());
        }
    }
    Ok(accounts)
}

fn account(entry: &Entry, tenants: bool) -> Result<Account, Box<dyn Error>> {
    let (begin, most) = entry.settings()?;
    let server_user = entry.server_user.as_ref().unwrap_or(&entry.user);
    let server_password = entry.server_password.as_ref().or(entry.password.as_ref());
    let account = Account::new(entry.user.as_str(), entry.verifier()?, entry.privileges()?)
        .at_servers(server_user.as_str(), server_password.map_or("", String::as_str))
        .with_settings(begin, most);
    let account = if entry.require_tls { account.require_tls() } else { account };
    Ok(match entry.tenant(tenants)? {
        Some(tenant) => account.in_tenant(tenant),
        None => account,
    })
}
