//! Who may log in: the users of a TOML file, or the three that everybody has.

use std::collections::HashMap;

use killdeer::{Login, Principal, Privileges, SqlError, Verifier, wire::native_verifier};
use serde::Deserialize;

/// The users, by name. Of their passwords only the verifiers are kept.
pub struct Accounts(HashMap<String, Account>);

struct Account {
    verifier: Verifier,
    privileges: Privileges,
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
    #[serde(default)]
    password: String,
    #[serde(default)]
    privileges: Vec<String>,
}

impl Default for Accounts {
    /// `root` with all privileges, `alice` and `bob` with none; no passwords.
    fn default() -> Self {
        let account = |privileges| Account { verifier: Verifier::default(), privileges };
        Self(HashMap::from([
            ("root".into(), account(Privileges::ALL)),
            ("alice".into(), account(Privileges::NONE)),
            ("bob".into(), account(Privileges::NONE)),
        ]))
    }
}

impl Accounts {
    /// Reads the text of a file. A mistake in it is an error, not an account less.
    pub fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let mut accounts = HashMap::new();
        for entry in toml::from_str::<File>(text)?.user {
            let account = Account {
                verifier: native_verifier(&entry.password),
                privileges: Privileges::from_names(&entry.privileges)?,
            };
            if accounts.insert(entry.user.clone(), account).is_some() {
                return Err(format!("user {:?} stands there twice", entry.user).into());
            }
        }
        Ok(Self(accounts))
    }

    /// Lets a client in, or not. An account without a password is for clients on this machine only.
    pub fn authenticate(&self, login: &Login) -> Result<Principal, SqlError> {
        let nobody = Verifier::new("*0000000000000000000000000000000000000000");
        let account = self.0.get(&login.user);
        let proved = login.proves(account.map_or(&nobody, |account| &account.verifier));
        let ip = login.peer.ip();
        match account {
            Some(account) if proved && (!account.verifier.is_empty() || ip.is_loopback()) => {
                Ok(Principal::new(login.user.as_str(), account.privileges))
            }
            _ => Err(SqlError::access_denied(&login.user, &ip.to_string(), login.proof.used_password())),
        }
    }
}
