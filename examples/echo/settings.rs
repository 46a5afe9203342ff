//! The options that say the server's settings.

use clap::Args;
use killdeer::Settings;

#[derive(Args)]
pub struct Set {
    /// A setting's value, as SET GLOBAL takes it: wait_timeout=600, max_connections=500; may stand there several times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Set {
    /// What they say together.
    pub fn settings(&self) -> Result<Settings, String> {
        let mut settings = Settings::new();
        for one in &self.set {
            let (name, value) = one.split_once('=').ok_or_else(|| format!("--set {one}: no NAME=VALUE"))?;
            settings.read(name.trim(), value).map_err(|error| format!("--set {one}: {}", error.message()))?;
        }
        Ok(settings)
    }
}
