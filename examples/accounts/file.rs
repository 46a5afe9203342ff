//! The files of users: their tables, and what is wrong with one, without its secrets.

use std::{collections::HashMap, error::Error};

use killdeer::{Privileges, Settings, Verifier, wire::AuthPlugin};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    user: Vec<Entry>,
}

/// One `[[user]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub user: String,
    /// Its tenant, where the system has tenants (OceanBase); `sys` unless said otherwise.
    tenant: Option<String>,
    /// What `echo_sql hash` prints.
    verifier: Option<String>,
    /// For those who do not mind that it stands in the file.
    pub password: Option<String>,
    /// The method for `password`; caching_sha2_password unless said otherwise.
    plugin: Option<String>,
    /// Whether it may come in by TLS or a Unix socket only.
    #[serde(default)]
    pub require_tls: bool,
    #[serde(default)]
    privileges: Vec<String>,
    /// What its sessions begin with, in place of the server's settings, and how many of them there may be.
    #[serde(default)]
    settings: HashMap<String, Amount>,
    /// How far its sessions may go.
    #[serde(default)]
    caps: HashMap<String, Amount>,
    /// As whom a proxy logs in for it at the servers: the same name unless said otherwise.
    pub server_user: Option<String>,
    /// The password there; that of this file, if it has one, unless said otherwise.
    pub server_password: Option<String>,
}

/// The users in the text of a file.
pub fn entries(text: &str) -> Result<Vec<Entry>, Box<dyn Error>> {
    Ok(toml::from_str::<File>(text).map_err(|error| mistake(text, &error))?.user)
}

impl Entry {
    pub fn verifier(&self) -> Result<Verifier, String> {
        verifier(&self.user, self.verifier.as_deref(), self.password.as_deref(), self.plugin.as_deref())
    }

    pub fn privileges(&self) -> Result<Privileges, Box<dyn Error>> {
        Ok(Privileges::from_names(&self.privileges)?)
    }

    /// Its settings and its caps.
    pub fn settings(&self) -> Result<(Settings, Settings), String> {
        Ok((settings(&self.user, &self.settings)?, settings(&self.user, &self.caps)?))
    }

    /// Its tenant, where there are `tenants`.
    pub fn tenant(&self, tenants: bool) -> Result<Option<&str>, String> {
        match &self.tenant {
            Some(_) if !tenants => Err(format!("user {:?} has a tenant, and there are none", self.user)),
            None if tenants => Ok(Some("sys")),
            tenant => Ok(tenant.as_deref()),
        }
    }

    /// What is wrong with a user who stands there a second time.
    pub fn twice(&self) -> String {
        format!("user {:?} stands there twice", self.user)
    }
}

/// A setting's value, in its unit.
#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Whole(i64),
    Fraction(f64),
}

/// The settings of a user.
fn settings(user: &str, amounts: &HashMap<String, Amount>) -> Result<Settings, String> {
    let mut settings = Settings::new();
    for (name, amount) in amounts {
        let text = match amount {
            Amount::Whole(number) => number.to_string(),
            Amount::Fraction(number) => number.to_string(),
        };
        settings.read(name, &text).map_err(|error| format!("user {user:?}: {}", error.message()))?;
    }
    Ok(settings)
}

/// What a user's password is checked against: the verifier that stands there, or one made of the password.
fn verifier(
    user: &str,
    verifier: Option<&str>,
    password: Option<&str>,
    plugin: Option<&str>,
) -> Result<Verifier, String> {
    match (verifier, password, plugin) {
        (Some(_), Some(_), _) => Err(format!("user {user:?} has both a verifier and a password")),
        (Some(_), None, Some(_)) => Err(format!("the verifier of user {user:?} says its plugin itself")),
        (Some(text), None, None) => {
            let verifier = Verifier::new(text);
            let readable = AuthPlugin::of(&verifier).is_some();
            readable.then_some(verifier).ok_or_else(|| format!("the verifier of user {user:?} is none"))
        }
        (None, password, plugin) => {
            let named = plugin.map(|name| AuthPlugin::named(name).ok_or(name)).transpose();
            let plugin = named.map_err(|name| format!("the plugin {name:?} of user {user:?} is not known"))?;
            Ok(plugin.unwrap_or_default().verifier(password.unwrap_or_default()))
        }
    }
}

/// What is wrong with a file, and where, without the file's own text: it may be a password.
fn mistake(text: &str, error: &toml::de::Error) -> String {
    let place = error.span().map_or(text.len(), |span| span.start);
    let before = text.get(..place).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let (line, column) = (before.matches('\n').count() + 1, line.chars().count() + 1);
    // "invalid type: integer `1234`, expected a string"
    let what = match error.message().split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") && found.contains(": ") => {
            format!("expected {expected}")
        }
        _ => error.message().to_owned(),
    };
    format!("line {line}, column {column}: {what}")
}
