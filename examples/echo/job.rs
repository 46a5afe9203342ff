//! What the program does in place of serving.

use std::{error::Error, io::stdin};

use clap::Subcommand;
use killdeer::wire::AuthPlugin;

#[derive(Subcommand)]
pub enum Job {
    /// Prints the verifier of the password on standard input, for the users' file
    Hash {
        /// For mysql_native_password, rather than caching_sha2_password
        #[arg(long)]
        native: bool,
    },
}

impl Job {
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let Self::Hash { native } = self;
        let plugin = if *native { AuthPlugin::Native } else { AuthPlugin::CachingSha2 };
        let mut line = String::new();
        stdin().read_line(&mut line)?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err("no password on standard input".into());
        }
        println!("{}", plugin.verifier(password).expose());
        Ok(())
    }
}
