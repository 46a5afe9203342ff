//! Who may log in to the examples' servers: the users of a TOML file, or the three that everybody has.

mod file;

use std::collections::HashMap;

use killdeer::{Login, Principal, Privileges, Settings, Verifier, wire::AuthPlugin};

/// The users, by tenant, if there is one, and name. Of their passwords only the verifiers are kept.
pub struct Accounts(HashMap<(Option<String>, String), Account>);

struct Account {
    verifier: Verifier,
    require_tls: bool,
    privileges: Privileges,
    settings: Settings,
    caps: Settings,
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
        for entry in file::entries(text)? {
            if entry.server_user.is_some() || entry.server_password.is_some() {
                return Err(format!("user {:?} is to be another one at servers, and there are none", entry.user).into());
            }
            let (settings, caps) = entry.settings()?;
            let account = Account {
                verifier: entry.verifier()?,
                require_tls: entry.require_tls,
                privileges: entry.privileges()?,
                settings,
                caps,
            };
            let tenant = entry.tenant(tenants)?.map(str::to_owned);
            if accounts.insert((tenant, entry.user.clone()), account).is_some() {
                return Err(entry.twice().into());
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
