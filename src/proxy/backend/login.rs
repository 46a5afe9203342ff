//! The packets of a login, up to its end.

use mysql_common::constants::CapabilityFlags;

use super::{
    Account, BackendError, Wishes, answer,
    greeting::{self, ended},
    link::Link,
    proof,
};
use crate::{
    model::{Done, ServerPeer},
    wire::AuthPlugin,
};

/// A server has so many words before it says yes or no.
const MOST_WORDS: usize = 8;

/// `caching_sha2_password`: what follows is a word of the method's.
const MORE: u8 = 1;
/// The password was proved.
const KNOWN: &[u8] = &[3];
/// The password itself is needed.
const SEND_PASSWORD: &[u8] = &[4];
/// What the public key is asked for with.
const WANT_KEY: u8 = 2;

/// The password itself is needed, and whoever answers could have sent the key that it would be encrypted for.
const NO_KEY: &str = "the server wants the password encrypted for a public key that it sends itself (caching_sha2_password \
                      without TLS), which the proxy was not told to take from it (get_server_public_key)";

/// A login that the server took.
pub(super) struct Entered {
    pub(super) server_sessid: u64,
    pub(super) version: Box<str>,
    /// Whether it puts EOFs behind columns and rows.
    pub(super) writes_eofs: bool,
    /// The session's flags, before anything was said in it.
    pub(super) flags: Done,
}

/// How a server gets the password itself, where it needs that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// As it is, as servers want it by Unix sockets.
    Plain,
    /// Encrypted for the public key that the server sends.
    Sealed,
    /// Not at all.
    Never,
}

impl Whole {
    /// On this machine nobody is in between; elsewhere the host has to take the servers' keys for theirs.
    pub(super) fn of(account: &Account, peer: &ServerPeer) -> Self {
        match peer {
            ServerPeer::Unix { .. } => Self::Plain,
            ServerPeer::Tcp(address) if account.takes_keys || address.ip().to_canonical().is_loopback() => Self::Sealed,
            ServerPeer::Tcp(_) => Self::Never,
        }
    }
}

/// Reads the greeting of a server that was connected to just now, and logs in.
pub(super) async fn login(
    link: &mut Link,
    account: &Account,
    wishes: Wishes,
    whole: Whole,
) -> Result<Entered, BackendError> {
    let (Account { user, password, .. }, Wishes { collation, found_rows }) = (account, wishes);
    if user.contains('\0') {
        return Err(link.lose("the account's name has a zero in it"));
    }
    let first = link.packet().await?;
    if first.first() == Some(&answer::ERROR) {
        return Err(refused(link, &first));
    }
    let Some(mut greeting) = greeting::read(&first) else {
        return Err(link.lose("this is no server that speaks protocol 4.1"));
    };
    if !found_rows {
        greeting.capabilities.remove(CapabilityFlags::CLIENT_FOUND_ROWS);
    }
    let mut nonce = greeting.nonce;
    let mut plugin = greeting.plugin.unwrap_or(AuthPlugin::Native);
    let mut asked_for_key = false;
    let proved = proof::proof(plugin, password, &nonce);
    link.queue(|out| greeting::answer(out, &greeting, user, collation, plugin, &proved));
    for _ in 0..MOST_WORDS {
        let word = link.packet().await?;
        match word.first() {
            Some(0x00) => {
                return Ok(Entered {
                    server_sessid: greeting.server_sessid,
                    version: greeting.version,
                    writes_eofs: !greeting.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF),
                    flags: answer::ok(&word).map_or_else(Done::default, |answer| answer.done.quiet()),
                });
            }
            Some(&answer::ERROR) => return Err(refused(link, &word)),
            Some(0xfe) => {
                let Some((name, fresh)) = greeting::read_switch(&word) else {
                    return Err(link.lose("the server wants a method of proof that is too old"));
                };
                let Some(wanted) = AuthPlugin::named(&name) else {
                    return Err(
                        link.lose(format!("the server wants a method of proof that is not spoken here: {name}"))
                    );
                };
                (plugin, nonce, asked_for_key) = (wanted, fresh, false);
                let proved = proof::proof(plugin, password, &nonce);
                link.queue(|out| out.extend_from_slice(&proved));
            }
            Some(&MORE) if plugin == AuthPlugin::CachingSha2 => match &word[1..] {
                KNOWN => {}
                SEND_PASSWORD => match whole {
                    Whole::Plain => link.queue(|out| ended(out, password)),
                    Whole::Sealed => {
                        asked_for_key = true;
                        link.queue(|out| out.push(WANT_KEY));
                    }
                    Whole::Never => return Err(link.lose(NO_KEY)),
                },
                pem => {
                    if !std::mem::take(&mut asked_for_key) {
                        return Err(link.lose("the server sent a key that it was not asked for"));
                    }
                    let Some(sealed) = proof::sealed(password, &nonce, pem) else {
                        return Err(link.lose("the server sent no key for the password"));
                    };
                    link.queue(|out| out.extend_from_slice(&sealed));
                }
            },
            _ => return Err(link.lose("the server's answer to the login makes no sense")),
        }
    }
    Err(link.lose("the server does not come to an end with the login"))
}

fn refused(link: &mut Link, packet: &[u8]) -> BackendError {
    match answer::error(packet) {
        Some(error) => BackendError::Server(error),
        None => link.lose("an error that is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_machines_are_taken_by_consent() {
        let account = |takes_keys| Account { user: String::new(), password: String::new(), takes_keys };
        for (peer, expected) in [
            ("127.0.0.1", Whole::Sealed),
            ("127.8.8.8", Whole::Sealed),
            ("::1", Whole::Sealed),
            ("::ffff:127.0.0.1", Whole::Sealed),
            ("10.0.0.1", Whole::Never),
            ("::ffff:10.0.0.1", Whole::Never),
            ("fe80::1", Whole::Never),
        ] {
            let ip: std::net::IpAddr = peer.parse().unwrap();
            let peer = ServerPeer::Tcp((ip, 3306).into());
            assert_eq!(Whole::of(&account(false), &peer), expected, "{peer}");
            assert_eq!(Whole::of(&account(true), &peer), Whole::Sealed);
        }
    }
}
