//! The packets of a login, up to its end.

use mysql_common::constants::CapabilityFlags;

use super::{Account, BackendError, Wishes, answer, greeting, link::Link, proof};
use crate::{model::SqlError, wire::AuthPlugin};

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

/// A login that the server took.
pub(super) struct Entered {
    pub(super) server_sessid: u64,
    pub(super) version: Box<str>,
    /// Whether it puts EOFs behind columns and rows.
    pub(super) writes_eofs: bool,
}

/// Reads the greeting of a server that was connected to just now, and logs in.
pub(super) async fn login(link: &mut Link, account: &Account, wishes: Wishes<'_>) -> Result<Entered, BackendError> {
    let (Account { user, password }, Wishes { database, found_rows }) = (account, wishes);
    if user.contains('\0') {
        return Err(link.lose("the account's name has a zero in it"));
    }
    if let Some(name) = database.filter(|name| name.contains('\0')) {
        return Err(BackendError::Server(SqlError::unknown_database(name)));
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
    let plugin = greeting.plugin.unwrap_or(AuthPlugin::Native);
    let proved = proof::proof(plugin, password, &nonce);
    link.queue(|out| greeting::answer(out, greeting.capabilities, user, database, plugin, &proved));
    for _ in 0..MOST_WORDS {
        let word = link.packet().await?;
        match word.first() {
            Some(0x00) => {
                return Ok(Entered {
                    server_sessid: greeting.server_sessid,
                    version: greeting.version,
                    writes_eofs: !greeting.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF),
                });
            }
            Some(&answer::ERROR) => return Err(refused(link, &word)),
            Some(0xfe) => {
                let Some((name, fresh)) = greeting::read_switch(&word) else {
                    return Err(link.lose("the server wants a method of proof that is too old"));
                };
                let Some(plugin) = AuthPlugin::named(&name) else {
                    return Err(
                        link.lose(format!("the server wants a method of proof that is not spoken here: {name}"))
                    );
                };
                nonce = fresh;
                let proved = proof::proof(plugin, password, &nonce);
                link.queue(|out| out.extend_from_slice(&proved));
            }
            Some(&MORE) => match &word[1..] {
                KNOWN => {}
                SEND_PASSWORD => link.queue(|out| out.push(WANT_KEY)),
                pem => {
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
