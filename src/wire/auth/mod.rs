//! How clients prove their passwords.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `stored` | what a verifier's text says; pure |
//! | `native` | `mysql_native_password`; pure |
//! | `sha2` | `caching_sha2_password`: its verifiers and its proofs; pure |
//! | `crypt` | the slow hash in its verifiers; pure |
//! | `cache` | which passwords were proved before |
//! | `key` | the RSA key for clients without TLS |
//! | `exchange` | the packets of a proof, whichever the method |

mod cache;
mod crypt;
mod exchange;
mod key;
mod native;
mod sha2;
mod stored;

use std::sync::Arc;

use rand::RngExt;

use crate::{
    model::Verifier,
    threads::{Threads, processors},
};

pub(super) use self::exchange::{Claim, Exchange};
use self::{cache::Cache, key::Keys, stored::Stored};
pub use self::{native::native_verifier, sha2::caching_sha2_verifier};

/// The methods by which accounts keep their passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthPlugin {
    /// `mysql_native_password`: two rounds of SHA-1. For clients older than MySQL 8.
    Native,
    /// `caching_sha2_password`: thousands of rounds of SHA-256, once per password and server.
    #[default]
    CachingSha2,
}

impl AuthPlugin {
    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            AuthPlugin::Native => "mysql_native_password",
            AuthPlugin::CachingSha2 => "caching_sha2_password",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [AuthPlugin::Native, AuthPlugin::CachingSha2].into_iter().find(|plugin| plugin.name() == name)
    }

    /// The method that a verifier's text is of. `None` if it is empty, or of none.
    pub fn of(verifier: &Verifier) -> Option<Self> {
        match Stored::read(verifier.expose()) {
            Stored::Native(_) => Some(AuthPlugin::Native),
            Stored::Sha2(_) => Some(AuthPlugin::CachingSha2),
            Stored::Empty | Stored::Nobody => None,
        }
    }

    /// The verifier for a password. See [`native_verifier`] and [`caching_sha2_verifier`].
    pub fn verifier(self, password: &str) -> Verifier {
        match self {
            AuthPlugin::Native => native_verifier(password),
            AuthPlugin::CachingSha2 => caching_sha2_verifier(password),
        }
    }
}

/// What a client's proof was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientPlugin {
    One(AuthPlugin),
    /// `mysql_clear_password`: the password itself.
    Clear,
    /// One that is not served here.
    Other,
}

impl ClientPlugin {
    /// The one of this name. A client that names none has the oldest.
    pub(super) fn named(name: &[u8]) -> Self {
        match name {
            b"" | b"mysql_native_password" => Self::One(AuthPlugin::Native),
            b"caching_sha2_password" => Self::One(AuthPlugin::CachingSha2),
            b"mysql_clear_password" => Self::Clear,
            _ => Self::Other,
        }
    }
}

pub(super) type Nonce = [u8; 20];

/// A nonce for one connection: 20 bytes from a cryptographic generator, none of them 0, since clients take it for a C
/// string.
pub(super) fn nonce() -> Nonce {
    let mut rng = rand::rng();
    std::array::from_fn(|_| rng.random_range(1..=127))
}

/// What all proofs of a server share.
#[derive(Debug)]
pub(super) struct Prover {
    /// The method in the greeting, and the one that unknown users are asked by.
    pub(super) default: AuthPlugin,
    cache: Cache,
    /// `None`: passwords are not taken by RSA.
    keys: Option<Arc<Keys>>,
    /// Hashes take a millisecond and more of a processor.
    threads: Threads,
}

impl Prover {
    pub(super) fn new(default: AuthPlugin, rsa: bool) -> Self {
        Self {
            default,
            cache: Cache::default(),
            keys: rsa.then(Arc::default),
            threads: Threads::new("killdeer-proofs", processors()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever stands in a file and whatever a client sends.
        #[test]
        fn any_bytes_are_answered_and_prove_nothing(
            text in "[*$]?A?[$]?00[5-9]?[$]?.{0,70}",
            response in prop::collection::vec(any::<u8>(), 0..64),
            nonce in any::<Nonce>(),
        ) {
            let stored = Stored::read(&text);
            prop_assert!(!native::proves(&nonce, &response, stored.native()));
            prop_assert!(!sha2::proves(&nonce, &response, &[7; 32]));
            let _ = ClientPlugin::named(&response);
        }
    }

    #[test]
    fn nonces_differ_and_hold_no_zero() {
        let (a, b) = (nonce(), nonce());
        assert_ne!(a, b);
        assert!(a.iter().chain(&b).all(|byte| (1..=127).contains(byte)));
    }
}
