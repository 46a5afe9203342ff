//! Who may log in to the examples' servers: the users of a TOML file, or the three that everybody has.

mod file;

use std::collections::HashMap;

use file::{Amount, mistake};
use killdeer::{Login, Principal, Privileges, Settings, Verifier, wire::AuthPlugin};
use serde::Deserialize;

/// The users, by tenant, if there is one, and name. Of their passwords only the verifiers are kept.
pub struct Accounts(HashMap<(Option<String>, String), Account>);

struct Account {
    verifier: Verifier,
    require_tls: bool,
    privileges: Privileges,
    settings: Settings,
    caps: Settings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    user: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: String,
    /// Its tenant, where the system has tenants (OceanBase); `sys` unless said otherwise.
    tenant: Option<String>,
    /// What `echo_sql hash` prints.
    verifier: Option<String>,
    /// For those who do not mind that it stands in the file.
    password: Option<String>,
    /// The method for `password`; caching_sha2_password unless said otherwise.
    plugin: Option<String>,
    /// Whether it may come in by TLS or a Unix socket only.
    #[serde(default)]
    require_tls: bool,
    #[serde(default)]
    privileges: Vec<String>,
    /// What its sessions begin with, in place of the server's settings, and how many of them there may be.
    #[serde(default)]
    settings: HashMap<String, Amount>,
    /// How far its sessions may go.
    #[serde(default)]
    caps: HashMap<String, Amount>,
}

impl Default for Accounts {
    /// `root` with all privileges, `alice` and `bob` with none; no passwords.
    fn default() -> Self {
        Self::of_everybody(false)
    }
}

impl Accounts {
    /// `root` with all privileges, `alice` and `bob` with none; no passwords. Where there are tenants, they are in the
    /// tenant `test`, and `sys` has a `root` too.
    pub fn of_everybody(tenants: bool) -> Self {
        let account = |tenant: Option<&str>, user: &str, privileges| {
            let (settings, caps) = (Settings::new(), Settings::new());
            let account = Account { verifier: Verifier::default(), require_tls: false, privileges, settings, caps };
            ((tenant.map(str::to_owned), user.to_owned()), account)
        };
        let tenant = tenants.then_some("test");
        let users = [
            account(tenant, "root", Privileges::ALL),
            account(tenant, "alice", Privileges::NONE),
            account(tenant, "bob", Privileges::NONE),
        ];
        let sys = tenants.then(|| account(Some("sys"), "root", Privileges::ALL));
        Self(users.into_iter().chain(sys).collect())
    }

    /// Reads the text of a file. A mistake in it is an error, not an account less.
    pub fn parse(text: &str, tenants: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let mut accounts = HashMap::new();
        for entry in toml::from_str::<File>(text).map_err(|error| mistake(text, &error))?.user {
            let account = Account {
                verifier: entry.verifier()?,
                require_tls: entry.require_tls,
                privileges: Privileges::from_names(&entry.privileges)?,
                settings: file::settings(&entry.user, &entry.settings)?,
                caps: file::settings(&entry.user, &entry.caps)?,
            };
            let tenant = match entry.tenant {
                Some(_) if !tenants => {
                    return Err(format!("user {:?} has a tenant, and there are none", entry.user).into());
                }
                None if tenants => Some("sys".to_owned()),
                tenant => tenant,
            };
            if accounts.insert((tenant, entry.user.clone()), account).is_some() {
                return Err(format!("user {:?} stands there twice", entry.user).into());
            }
        }
        Ok(Self(accounts))
    }

    /// Whether there are passwords that some clients do not prove without TLS: those by caching_sha2_password.
    pub fn want_tls(&self) -> bool {
        self.0.values().any(|account| AuthPlugin::of(&account.verifier) == Some(AuthPlugin::CachingSha2))
    }

    /// Who wants to be let in, and what its password is to be checked against. `None` for an unknown user, and for one
    /// that may not come in this way: an account without a password is for clients on this machine only.
    pub fn find(&self, login: &Login<'_>) -> Option<(Verifier, Principal)> {
        let tenant = login.tenant.as_ref();
        let account = self.0.get(&(tenant.map(|tenant| tenant.name.clone()), login.user.clone()))?;
        let allowed =
            (!account.require_tls || login.is_secure()) && (!account.verifier.is_empty() || login.peer.is_local());
        allowed.then(|| {
            let principal = Principal::new(login.user.as_str(), account.privileges);
            let principal = match (account.settings.is_empty(), account.caps.is_empty()) {
                (true, true) => principal,
                _ => principal.with_settings(account.settings.clone()).capped(account.caps.clone()),
            };
            let principal = match tenant {
                Some(tenant) => principal.in_tenant(tenant.clone()),
                None => principal,
            };
            (account.verifier.clone(), principal)
        })
    }
}

impl Entry {
    fn verifier(&self) -> Result<Verifier, String> {
        file::verifier(&self.user, self.verifier.as_deref(), self.password.as_deref(), self.plugin.as_deref())
    }
}
