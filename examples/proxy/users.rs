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

use std::{collections::HashMap, error::Error, fs::File, io::Read, os::unix::fs::PermissionsExt, path::Path};

use killdeer::{
    Privileges,
    proxy::{Account, Accounts},
};
use serde::Deserialize;

#[path = "../accounts/file.rs"]
mod file;

use file::{Amount, mistake, settings, verifier};

/// What others may not do with the file: read or write it.
const OTHERS: u32 = 0o077;

/// As much of a file is read, in bytes.
const LONGEST: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Users {
    user: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: String,
    tenant: Option<String>,
    verifier: Option<String>,
    password: Option<String>,
    plugin: Option<String>,
    #[serde(default)]
    require_tls: bool,
    #[serde(default)]
    privileges: Vec<String>,
    #[serde(default)]
    settings: HashMap<String, Amount>,
    #[serde(default)]
    caps: HashMap<String, Amount>,
    server_user: Option<String>,
    server_password: Option<String>,
}

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
    for entry in toml::from_str::<Users>(text).map_err(|error| mistake(text, &error))?.user {
        let name = entry.user.clone();
        if entry.tenant.is_some() && !tenants {
            return Err(format!("user {name:?} has a tenant, and there are none").into());
        }
        if accounts.add(account(entry, tenants)?).is_err() {
            return Err(format!("user {name:?} stands there twice").into());
        }
    }
    Ok(accounts)
}

fn account(entry: Entry, tenants: bool) -> Result<Account, Box<dyn Error>> {
    let Entry { user, verifier: text, password, plugin, .. } = &entry;
    let verifier = verifier(user, text.as_deref(), password.as_deref(), plugin.as_deref())?;
    let (begin, most) = (settings(user, &entry.settings)?, settings(user, &entry.caps)?);
    let server_user = entry.server_user.as_deref().unwrap_or(user);
    let server_password = entry.server_password.as_deref().or(password.as_deref()).unwrap_or_default();
    let account = Account::new(user.as_str(), verifier, Privileges::from_names(&entry.privileges)?)
        .at_servers(server_user, server_password)
        .with_settings(begin, most);
    let account = if entry.require_tls { account.require_tls() } else { account };
    Ok(if tenants { account.in_tenant(entry.tenant.as_deref().unwrap_or("sys")) } else { account })
}
