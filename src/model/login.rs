//! What a client shows to prove who it is, and what it is checked against.

use std::{fmt, pin::Pin};

use super::{Attributes, Origin, SqlError, Tenant};

/// What a server keeps of a password, in the text form of `mysql.user.authentication_string`.
///
/// The text says its method: `*` and 40 hexadecimal digits is one of `mysql_native_password`, `$A$005$` with salt and
/// digest one of `caching_sha2_password`. The empty text is an account without a password. No password fits any other.
/// Never shown: its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Verifier(String);

impl Verifier {
    /// Takes the text form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The verifier for an account that does not exist. No password fits it, but finding that out takes the same packets
    /// and the same work as with an account of the server's default method.
    pub fn nobody() -> Self {
        Self("!".to_owned())
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

/// The answer of [`Proof::check`].
pub type Checking<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// How a client proves that it knows a password, in its protocol.
pub trait Proof: Send + Sync {
    /// Whether the client knows the password that `verifier` stands for. Carries out whatever the verifier's method
    /// needs, with the client: `false` also if the client went away meanwhile.
    fn check<'a>(&'a mut self, user: &'a str, verifier: &'a Verifier) -> Checking<'a>;

    /// Whether a password was given at all (MySQL's `using password: YES`).
    fn used_password(&self) -> bool;

    /// Whether nobody on the way can read what the client sends.
    fn is_secure(&self) -> bool;
}

/// A client that asks to be let in.
pub struct Login<'a> {
    /// The name that it gives, without its tenant.
    pub user: String,
    /// The tenant that it names or that its system takes for granted; none where there are no tenants (OceanBase has
    /// them: `user@tenant#cluster`).
    pub tenant: Option<Tenant>,
    /// Where it comes from.
    pub peer: Origin,
    /// The database that it wants to begin with.
    pub database: Option<String>,
    /// What it says of itself.
    pub attributes: Option<Attributes>,
    proof: &'a mut dyn Proof,
}

impl<'a> Login<'a> {
    /// A login of `user`'s, without a database or attributes.
    pub fn new(user: impl Into<String>, peer: impl Into<Origin>, proof: &'a mut dyn Proof) -> Self {
        Self { user: user.into(), tenant: None, peer: peer.into(), database: None, attributes: None, proof }
    }

    /// Whether the client knows the password that `verifier` stands for. To be asked once per login: not every client
    /// can prove itself a second time. For a user that does not exist, ask with [`Verifier::nobody`].
    pub async fn proves(&mut self, verifier: &Verifier) -> bool {
        self.proof.check(&self.user, verifier).await
    }

    /// Whether the connection is secret: TLS, or a Unix socket.
    pub fn is_secure(&self) -> bool {
        self.proof.is_secure()
    }

    /// 1045, for whatever cause: the client is not to know it.
    pub fn denied(&self) -> SqlError {
        SqlError::access_denied(&self.user, &self.peer.host(), self.proof.used_password())
    }
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("peer", &self.peer).finish_non_exhaustive()
    }
}
