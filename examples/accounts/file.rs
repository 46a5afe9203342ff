//! What files of users have in common, and what is wrong with one, without its secrets.

use std::collections::HashMap;

use killdeer::{Settings, Verifier, wire::AuthPlugin};
use serde::Deserialize;

/// A setting's value, in its unit.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Amount {
    Whole(i64),
    Fraction(f64),
}

/// The settings of a user.
pub fn settings(user: &str, amounts: &HashMap<String, Amount>) -> Result<Settings, String> {
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
pub fn verifier(
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
pub fn mistake(text: &str, error: &toml::de::Error) -> String {
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
