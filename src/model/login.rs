//! What a client shows to prove who it is, and what it is checked against.

use std::{fmt, net::SocketAddr};

/// What a server keeps of a password, in the text form of `mysql.user.authentication_string`.
///
/// For `mysql_native_password`: `*` and 40 hexadecimal digits. The empty text is an account without a password.
/// Never shown: its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Verifier(String);

impl Verifier {
    /// Takes the text form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the account has no password.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// A client's proof that it knows a password, as its protocol made it. It never holds the password itself unless the
/// protocol sent it so.
pub trait Proof: Send + Sync {
    /// Whether the proof was made with the password that `verifier` stands for. Takes the same time whatever differs.
    fn matches(&self, verifier: &Verifier) -> bool;

    /// Whether a password was given at all (MySQL's `using password: YES`).
    fn used_password(&self) -> bool;
}

/// A client that asks to be let in.
pub struct Login {
    /// The name that it gives.
    pub user: String,
    /// Where it connects from.
    pub peer: SocketAddr,
    /// The database that it wants to begin with.
    pub database: Option<String>,
    /// What it shows as proof.
    pub proof: Box<dyn Proof>,
}

impl Login {
    /// Whether the proof fits the verifier.
    pub fn proves(&self, verifier: &Verifier) -> bool {
        self.proof.matches(verifier)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("peer", &self.peer).finish_non_exhaustive()
    }
}
