//! The file of the proxy example's users: what it means, and what is refused.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::PathBuf};

use killdeer::proxy::{Account, Accounts};

#[path = "../../examples/proxy/users.rs"]
mod users;

/// A file of this text that goes with the test.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, text: &str, mode: u32) -> Self {
        let path = std::env::temp_dir().join(format!("killdeer-users-{}-{name}.toml", std::process::id()));
        let mut file = fs::File::create(&path).unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What is read of a file of this text, or why not.
fn read(name: &str, text: &str, tenants: bool) -> Result<Accounts, String> {
    let file = Written::new(name, text, 0o600);
    users::read(&file.0, tenants).map_err(|error| error.to_string())
}

fn find<'a>(accounts: &'a Accounts, user: &str) -> &'a Account {
    accounts.iter().find(|account| account.user() == user).unwrap()
}

#[test]
fn users_are_read_with_their_names_at_the_servers() {
    let text = r#"
        [[user]]
        user = "alice"
        tenant = "shop"
        password = "swordfish"
        plugin = "mysql_native_password"
        privileges = ["PROCESS"]
        settings = { wait_timeout = 60 }
        caps = { max_statement_time = 1.5 }
        server_user = "app"
        server_password = "secret"

        [[user]]
        user = "root"
        verifier = "*0123456789ABCDEF0123456789ABCDEF01234567"
        require_tls = true
    "#;
    let accounts = read("read", text, true).unwrap();
    assert_eq!(accounts.len(), 2);
    let alice = find(&accounts, "alice");
    assert_eq!((alice.tenant(), alice.server_user()), (Some("shop"), "app"));
    assert!(alice.verifier().expose().starts_with('*'));
    let root = find(&accounts, "root");
    assert_eq!((root.tenant(), root.server_user()), (Some("sys"), "root"));
}

#[test]
fn a_mistake_is_said_without_the_files_text() {
    let user = |more: &str| format!("[[user]]\nuser = \"alice\"\npassword = \"swordfish\"\n{more}\n");
    for (name, text, tenants, said) in [
        ("unknown", user("server_pasword = \"secret\""), false, "line 4, column 1: unknown field `server_pasword`"),
        ("type", user("server_password = 1234"), false, "line 4, column 19: expected a string"),
        ("both", user("verifier = \"*\""), false, "user \"alice\" has both a verifier and a password"),
        ("plugin", user("plugin = \"sha256\""), false, "the plugin \"sha256\" of user \"alice\" is not known"),
        ("tenant", user("tenant = \"shop\""), false, "user \"alice\" has a tenant, and there are none"),
        ("twice", user("") + &user(""), true, "user \"alice\" stands there twice"),
        ("privilege", user("privileges = [\"SUPR\"]"), true, "unknown privilege \"SUPR\""),
        ("setting", user("settings = { nothing = 1 }"), true, "user \"alice\": "),
    ] {
        let error = read(name, &text, tenants).unwrap_err();
        assert!(error.contains(said), "{name}: {error}");
        assert!(!error.contains("swordfish") && !error.contains("1234"), "{name}: {error}");
    }
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let text = "[[user]]\nuser = \"alice\"\nserver_password = \"secret\"\n";
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602] {
        let file = Written::new("mode", text, mode);
        let error = users::read(&file.0, true).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {mode:o}")) && error.contains("chmod 600"), "{error}");
    }
    for mode in [0o600, 0o400] {
        assert_eq!(users::read(&Written::new("own", text, mode).0, true).unwrap().len(), 1);
    }
}
