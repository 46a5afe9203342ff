//! Proofs of passwords, byte by byte.

use killdeer::wire::{AuthPlugin, Serve, caching_sha2_verifier, native_verifier};
use mysql_common::{
    crypto::encrypt,
    scramble::{scramble_native, scramble_sha256},
};

use crate::{
    echo::accounts::Accounts,
    raw::{BASIC, Raw, error},
    server::Server,
};

const SHA2: &str = "caching_sha2_password";
const NATIVE: &str = "mysql_native_password";
const CLEAR: &str = "mysql_clear_password";

/// Users `sha2` and `native` with the password `secret`, and `open` with none.
pub fn accounts() -> Accounts {
    let (sha2, native) = (caching_sha2_verifier("secret"), native_verifier("secret"));
    let text = format!(
        "[[user]]\nuser = 'sha2'\nverifier = '{}'\n[[user]]\nuser = 'native'\nverifier = '{}'\n\
         [[user]]\nuser = 'tls'\nverifier = '{}'\nrequire_tls = true\n[[user]]\nuser = 'open'\n",
        sha2.expose(),
        native.expose(),
        native.expose(),
    );
    Accounts::parse(&text, false).unwrap()
}

/// What the client does once it is asked for the password itself, and the last packet that it gets.
pub fn full(raw: &mut Raw, password: &str) -> Vec<u8> {
    raw.send(&[2]);
    let key = raw.receive().unwrap();
    assert_eq!(key[0], 1);
    assert!(key[1..].starts_with(b"-----BEGIN PUBLIC KEY-----\n"), "{key:?}");
    let masked: Vec<u8> =
        password.bytes().chain([0]).zip(raw.nonce.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    raw.send(&encrypt(&masked, &key[1..]));
    raw.receive().unwrap()
}

/// Answers the greeting as `user`, with a proof by `caching_sha2_password`.
fn begin(server: &Server, user: &str, password: &str) -> Raw {
    let mut raw = Raw::greeted(server);
    let proof = scramble_sha256(&raw.nonce, password.as_bytes()).unwrap();
    raw.answer_greeting(user, &proof, BASIC, SHA2);
    raw
}

#[test]
fn a_password_is_sent_by_rsa_once_and_then_remembered() {
    let server = Server::start_with(accounts(), |builder| builder);
    let mut first = begin(&server, "sha2", "secret");
    assert_eq!(first.plugin, SHA2);
    assert_eq!(first.receive().unwrap(), [1, 4]);
    assert_eq!(full(&mut first, "secret")[0], 0);
    assert_eq!(first.query("DO 1").code(), 0);
    let mut second = begin(&server, "sha2", "secret");
    assert_eq!(second.receive().unwrap(), [1, 3]);
    assert_eq!(second.receive().unwrap()[0], 0);
    assert_eq!(second.query("DO 1").code(), 0);
    // Another password is not the remembered one.
    let mut wrong = begin(&server, "sha2", "Secret");
    assert_eq!(wrong.receive().unwrap(), [1, 4]);
    assert_eq!(error(&full(&mut wrong, "Secret")).code(), 1045);
    assert!(wrong.closes_silently());
    // Nor is what another user proved.
    let mut other = begin(&server, "nobody", "secret");
    assert_eq!(other.receive().unwrap(), [1, 4]);
    assert_eq!(error(&full(&mut other, "secret")).code(), 1045);
}

#[test]
fn a_password_in_the_clear_is_not_taken_where_others_can_read_it() {
    let server = Server::start_with(accounts(), |builder| builder);
    let mut raw = begin(&server, "sha2", "secret");
    assert_eq!(raw.receive().unwrap(), [1, 4]);
    raw.send(b"secret\0");
    assert_eq!(error(&raw.receive().unwrap()).code(), 1045);
    for (user, asked) in [("sha2", SHA2), ("native", NATIVE)] {
        let mut raw = Raw::greeted(&server);
        raw.answer_greeting(user, b"secret\0", BASIC, CLEAR);
        let switch = raw.receive().unwrap();
        assert_eq!(switch[0], 0xfe);
        assert!(switch[1..].starts_with(asked.as_bytes()), "{switch:?}");
    }
}

/// The kinds of the packets that the server sends until it lets in or refuses.
fn packets(server: &Server, user: &str, password: &str, plugin: &str) -> Vec<String> {
    let mut raw = Raw::greeted(server);
    let scramble = |raw: &Raw, plugin: &str| match plugin {
        SHA2 => scramble_sha256(&raw.nonce, password.as_bytes()).map(|proof| proof.to_vec()).unwrap_or_default(),
        _ => scramble_native(&raw.nonce, password.as_bytes()).map(|proof| proof.to_vec()).unwrap_or_default(),
    };
    raw.answer_greeting(user, &scramble(&raw, plugin), BASIC, plugin);
    let mut seen = Vec::new();
    let mut packet = raw.receive().unwrap();
    loop {
        match packet[..] {
            [0xfe, ref asked @ ..] => {
                let end = asked.iter().position(|byte| *byte == 0).unwrap();
                let asked = String::from_utf8(asked[..end].to_vec()).unwrap();
                raw.send(&scramble(&raw, &asked));
                seen.push(asked);
                packet = raw.receive().unwrap();
            }
            [1, 4] => {
                seen.push("password".to_owned());
                packet = full(&mut raw, password);
            }
            [0xff, ..] => {
                seen.push(error(&packet).code().to_string());
                return seen;
            }
            [0, ..] => {
                seen.push("in".to_owned());
                return seen;
            }
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_unknown_user_is_answered_as_one_whose_password_was_wrong() {
    for (default, known, plugin) in [(AuthPlugin::CachingSha2, "sha2", SHA2), (AuthPlugin::Native, "native", NATIVE)] {
        let server = Server::start_serving(accounts(), move |serve: Serve| serve.default_plugin(default));
        for password in ["wrong", ""] {
            for client in [SHA2, NATIVE, "something_else"] {
                let expected = packets(&server, known, password, client);
                assert_eq!(packets(&server, "nobody", password, client), expected, "{client} {password:?}");
                if !password.is_empty() {
                    assert_eq!(packets(&server, "open", password, client), expected, "{client}");
                }
                assert_eq!(expected.last().unwrap(), "1045");
                assert_eq!(expected[0] == plugin, client != plugin, "asked to switch");
            }
        }
        assert_eq!(packets(&server, known, "secret", plugin).last().unwrap(), "in");
        assert_eq!(packets(&server, "open", "", plugin), ["in"]);
    }
}

#[test]
fn without_a_key_a_password_is_not_taken_and_a_proof_still_is() {
    let server = Server::start_serving(accounts(), |serve| serve.passwords_by_rsa(false));
    let mut raw = begin(&server, "sha2", "secret");
    assert_eq!(raw.receive().unwrap(), [1, 4]);
    raw.send(&[2]);
    assert_eq!(error(&raw.receive().unwrap()).code(), 1045);
    assert_eq!(packets(&server, "native", "secret", SHA2), [NATIVE, "in"]);
}

#[test]
fn whatever_comes_for_a_proof_is_answered() {
    let server = Server::start_with(accounts(), |builder| builder);
    let rubbish = [&b""[..], &[0], &[1], &[2, 2], &[0; 20], &[0; 32], &[0xff; 256], &[7; 300], &[7; 70_000]];
    for rubbish in rubbish {
        let mut raw = begin(&server, "sha2", "secret");
        assert_eq!(raw.receive().unwrap(), [1, 4]);
        raw.send(rubbish);
        assert_eq!(error(&raw.receive().unwrap()).code(), 1045, "{} bytes", rubbish.len());
        let mut raw = Raw::greeted(&server);
        raw.answer_greeting("native", &[1; 20], BASIC, "something_else");
        assert!(raw.receive().unwrap().starts_with(b"\xfemysql_native_password\0"));
        raw.send(rubbish);
        assert_eq!(error(&raw.receive().unwrap()).code(), 1045, "{} bytes", rubbish.len());
    }
    // And who leaves in the middle of it has left.
    drop(begin(&server, "sha2", "secret"));
    server.wait_empty();
}

#[test]
fn the_accounts_of_a_file_hold_what_they_should() {
    let account = |rest: &str| Accounts::parse(&format!("[[user]]\nuser = 'x'\n{rest}"), false);
    let verifier = native_verifier("x");
    assert!(account(&format!("verifier = '{}'", verifier.expose())).is_ok());
    assert!(account("password = 'x'\nplugin = 'mysql_native_password'").is_ok());
    for wrong in [
        "verifier = '*nonsense'",
        "verifier = ''",
        "password = 'x'\nplugin = 'sha256_password'",
        &format!("verifier = '{}'\npassword = 'x'", verifier.expose()),
        &format!("verifier = '{}'\nplugin = 'mysql_native_password'", verifier.expose()),
    ] {
        assert!(account(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn accounts_say_whether_some_clients_need_tls_for_them() {
    let of = |line: &str| Accounts::parse(&format!("[[user]]\nuser = \"a\"\n{line}"), false).unwrap().want_tls();
    assert!(of("password = \"x\""));
    assert!(!of("password = \"x\"\nplugin = \"mysql_native_password\""));
    assert!(!of("password = \"\""), "no password");
}
