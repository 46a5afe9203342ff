//! The packets of a proof, whichever the method.

use bytes::Bytes;

use super::{AuthPlugin, ClientPlugin, Nonce, Prover, key::ENCRYPTED, native, sha2, stored::Stored};
use crate::{
    model::{Checking, Proof, Verifier},
    wire::{
        login::{Talk, Turned},
        packet,
    },
};

/// `caching_sha2_password`: a packet that begins with it is neither OK nor an error.
const MORE: u8 = 1;
/// You are known; the OK follows.
const KNOWN: u8 = 3;
/// The password itself is needed.
const SEND_PASSWORD: u8 = 4;
/// What a client asks for the public key with.
const WANT_KEY: &[u8] = &[2];

/// What a client showed of its own accord.
#[derive(Debug)]
pub(in crate::wire) struct Claim {
    pub(in crate::wire) plugin: ClientPlugin,
    pub(in crate::wire) response: Bytes,
}

/// A proof in the making.
pub(in crate::wire) struct Exchange<'a, 'b> {
    talk: &'a mut Talk<'b>,
    prover: &'a Prover,
    nonce: Nonce,
    claim: Claim,
    /// How it came to nothing: the client went away, or sent what is no packet.
    turned: Option<Turned>,
}

impl<'a, 'b> Exchange<'a, 'b> {
    pub(in crate::wire) fn new(talk: &'a mut Talk<'b>, prover: &'a Prover, nonce: Nonce, claim: Claim) -> Self {
        Self { talk, prover, nonce, claim, turned: None }
    }

    /// How it came to nothing, if it did.
    pub(in crate::wire) fn turned(&self) -> Option<Turned> {
        self.turned
    }

    async fn run(&mut self, user: &str, verifier: &Verifier) -> Result<bool, Turned> {
        let stored = Stored::read(verifier.expose());
        if self.claim.plugin == ClientPlugin::Clear && self.is_secure() {
            let password = without_nul(&self.claim.response);
            return Ok(self.fits(user, verifier, stored, Some(password)).await);
        }
        let own = matches!(self.claim.plugin, ClientPlugin::One(_));
        if own && stored == Stored::Empty && !self.used_password() {
            return Ok(true);
        }
        let plugin = stored.plugin(self.prover.default);
        if self.claim.plugin != ClientPlugin::One(plugin) {
            let nonce = self.nonce;
            // With the nonce of the greeting: clients differ in which of the two they use for a change of user.
            self.talk.send(|out, sequence, _| packet::auth_switch(out, sequence, plugin.name(), &nonce)).await?;
            let response = self.talk.receive().await?.payload;
            self.claim = Claim { plugin: ClientPlugin::One(plugin), response };
        }
        if !self.used_password() {
            return Ok(stored == Stored::Empty);
        }
        match plugin {
            AuthPlugin::Native => Ok(native::proves(&self.nonce, &self.claim.response, stored.native())),
            AuthPlugin::CachingSha2 => self.sha2(user, verifier, stored).await,
        }
    }

    async fn sha2(&mut self, user: &str, verifier: &Verifier, stored: Stored) -> Result<bool, Turned> {
        let remembered = self.prover.cache.get(user, verifier.expose());
        if remembered.is_some_and(|remembered| sha2::proves(&self.nonce, &self.claim.response, &remembered)) {
            self.say(&[KNOWN]).await?;
            return Ok(true);
        }
        self.say(&[SEND_PASSWORD]).await?;
        let password = self.password().await?;
        Ok(self.fits(user, verifier, stored, password).await)
    }

    /// The password itself, as the client sends it: as it is where nobody can read it, encrypted otherwise. `None` if it
    /// cannot be read.
    async fn password(&mut self) -> Result<Option<Bytes>, Turned> {
        let mut sent = self.talk.receive().await?.payload;
        let mut encrypted = !self.is_secure();
        if sent == WANT_KEY {
            let Some(keys) = self.prover.keys.clone() else { return Ok(None) };
            let Some(Some(pem)) = self.prover.threads.run(move || keys.public()).await else { return Ok(None) };
            self.say(pem.as_bytes()).await?;
            sent = self.talk.receive().await?.payload;
            encrypted = true;
        }
        if !encrypted {
            return Ok(Some(without_nul(&sent)));
        }
        // A password in the clear that anybody may have read is not one.
        let Some(keys) = self.prover.keys.clone().filter(|_| sent.len() == ENCRYPTED) else { return Ok(None) };
        let nonce = self.nonce;
        let opened = self.prover.threads.run(move || keys.open(&sent, &nonce)).await.flatten();
        Ok(opened.map(|password| without_nul(&password.into())))
    }

    /// Whether this password is the right one.
    async fn fits(&self, user: &str, verifier: &Verifier, stored: Stored, password: Option<Bytes>) -> bool {
        let Some(password) = password else { return false };
        match stored {
            Stored::Empty if password.is_empty() => true,
            Stored::Native(stored) => native::fits(&password, &stored),
            Stored::Nobody if self.prover.default == AuthPlugin::Native => false,
            Stored::Empty | Stored::Sha2(_) | Stored::Nobody => {
                let hashing = move || {
                    let fits = sha2::fits(&password, stored.sha2());
                    fits.then(|| sha2::digested(&password))
                };
                let Some(proved) = self.prover.threads.run(hashing).await.flatten() else { return false };
                self.prover.cache.put(user, verifier.expose(), proved);
                true
            }
        }
    }

    async fn say(&mut self, words: &[u8]) -> Result<(), Turned> {
        self.talk
            .send(|out, sequence, _| {
                packet::packet(out, sequence, |out| {
                    out.push(MORE);
                    out.extend_from_slice(words);
                });
            })
            .await
    }
}

impl Proof for Exchange<'_, '_> {
    fn check<'a>(&'a mut self, user: &'a str, verifier: &'a Verifier) -> Checking<'a> {
        Box::pin(async move {
            if self.turned.is_some() {
                return false;
            }
            match self.run(user, verifier).await {
                Ok(proved) => proved,
                Err(turned) => {
                    self.turned = Some(turned);
                    false
                }
            }
        })
    }

    fn used_password(&self) -> bool {
        // Some clients send the empty password with the zero of a C string.
        !matches!(&*self.claim.response, b"" | b"\0")
    }

    fn is_secure(&self) -> bool {
        self.talk.is_secure()
    }
}

/// A C string's zero is no part of a password.
fn without_nul(sent: &Bytes) -> Bytes {
    match &**sent {
        [password @ .., 0] => sent.slice(..password.len()),
        _ => sent.clone(),
    }
}
