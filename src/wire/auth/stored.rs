//! What a verifier's text says.

use super::{AuthPlugin, native, sha2};

/// What a server keeps of an account's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// There is none.
    Empty,
    Native(native::Stored),
    Sha2(sha2::Stored),
    /// No password fits: nobody has this account, or its verifier makes no sense.
    Nobody,
}

impl Stored {
    /// Reads a verifier's text.
    pub(super) fn read(text: &str) -> Self {
        if text.is_empty() {
            return Self::Empty;
        }
        let native = native::read(text).map(Self::Native);
        native.or_else(|| sha2::read(text).map(Self::Sha2)).unwrap_or(Self::Nobody)
    }

    /// The method by which a client has to prove a password. Where none would be right, the server's default: an
    /// account without a password, to which one is offered, looks like nobody's.
    pub(super) fn plugin(&self, default: AuthPlugin) -> AuthPlugin {
        match self {
            Self::Native(_) => AuthPlugin::Native,
            Self::Sha2(_) => AuthPlugin::CachingSha2,
            Self::Empty | Self::Nobody => default,
        }
    }

    pub(super) fn native(&self) -> Option<&native::Stored> {
        match self {
            Self::Native(stored) => Some(stored),
            _ => None,
        }
    }

    pub(super) fn sha2(&self) -> Option<&sha2::Stored> {
        match self {
            Self::Sha2(stored) => Some(stored),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Verifier,
        wire::auth::{caching_sha2_verifier, native_verifier},
    };

    #[test]
    fn a_text_says_its_method() {
        let default = AuthPlugin::Native;
        let plugin = |verifier: Verifier| Stored::read(verifier.expose()).plugin(default);
        assert_eq!(plugin(native_verifier("x")), AuthPlugin::Native);
        assert_eq!(plugin(caching_sha2_verifier("x")), AuthPlugin::CachingSha2);
        assert_eq!(Stored::read(""), Stored::Empty);
        for text in ["!", "*nonsense", "$A$", "secret", Verifier::nobody().expose()] {
            assert_eq!(Stored::read(text), Stored::Nobody);
        }
    }
}
