//! Who may log in at the proxy, and as whom its statements run at the servers.
//!
//! A client proves itself to the proxy by a verifier of its own: what servers ask of it could not be answered by anybody in
//! between. For each account the proxy knows the user and the password that the servers have.

use std::{collections::HashMap, fmt};

use crate::model::{Login, Principal, Privileges, Settings, SqlError, Tenant, Verifier};

/// The accounts of a proxy, by tenant, where there are tenants, and user.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    accounts: HashMap<(Option<String>, String), Account>,
    cluster: Option<String>,
}

/// One account of a proxy. Shown without its secrets.
#[derive(Clone)]
pub struct Account {
    user: String,
    tenant: Option<String>,
    verifier: Verifier,
    privileges: Privileges,
    require_tls: bool,
    settings: Settings,
    caps: Settings,
    server_user: String,
    server_password: String,
}

impl Account {
    /// The account `user`, who proves itself to the proxy by `verifier`. At the servers it has the same name and no
    /// password, unless [`Account::at_servers`] says otherwise.
    pub fn new(user: impl Into<String>, verifier: Verifier, privileges: Privileges) -> Self {
        let user = user.into();
        Self {
            server_user: user.clone(),
            user,
            tenant: None,
            verifier,
            privileges,
            require_tls: false,
            settings: Settings::new(),
            caps: Settings::new(),
            server_password: String::new(),
        }
    }

    /// The same, in a tenant.
    #[must_use]
    pub fn in_tenant(self, tenant: impl Into<String>) -> Self {
        Self { tenant: Some(tenant.into()), ..self }
    }

    /// The same, whose statements run at the servers as `user`, who has this password there.
    #[must_use]
    pub fn at_servers(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { server_user: user.into(), server_password: password.into(), ..self }
    }

    /// The same, which may come in by TLS or a Unix socket only.
    #[must_use]
    pub fn require_tls(self) -> Self {
        Self { require_tls: true, ..self }
    }

    /// The same, with settings that its sessions begin with, and how far they may go: see [`Principal::with_settings`] and
    /// [`Principal::capped`].
    #[must_use]
    pub fn with_settings(self, begin: Settings, most: Settings) -> Self {
        Self { settings: begin, caps: most, ..self }
    }

    /// Its name at the proxy.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its tenant, where there are tenants.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// What its password at the proxy is checked against.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Its name at the servers.
    pub fn server_user(&self) -> &str {
        &self.server_user
    }

    /// As whom its statements run at the servers: user and password.
    pub(in crate::proxy) fn server_login(&self) -> (&str, &str) {
        (&self.server_user, &self.server_password)
    }

    /// Who it is once it has logged in.
    fn principal(&self, tenant: Option<Tenant>) -> Principal {
        let principal = Principal::new(self.user.as_str(), self.privileges);
        let principal = match (self.settings.is_empty(), self.caps.is_empty()) {
            (true, true) => principal,
            _ => principal.with_settings(self.settings.clone()).capped(self.caps.clone()),
        };
        match tenant {
            Some(tenant) => principal.in_tenant(tenant),
            None => principal,
        }
    }
}

/// Without its verifier and its password.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("tenant", &self.tenant)
            .field("privileges", &self.privileges)
            .field("server_user", &self.server_user)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// None yet: nobody may log in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account. One of the same name in the same tenant is given back, and keeps its place.
    ///
    /// # Errors
    /// The account that could not be added.
    pub fn add(&mut self, account: Account) -> Result<(), Box<Account>> {
        let key = (account.tenant.clone(), account.user.clone());
        match self.accounts.entry(key) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(account);
                Ok(())
            }
            std::collections::hash_map::Entry::Occupied(_) => Err(Box::new(account)),
        }
    }

    /// The same, in front of the cluster of this name: clients that name none mean it, and those that name another are not let
    /// in.
    #[must_use]
    pub fn in_cluster(self, name: impl Into<String>) -> Self {
        Self { cluster: Some(name.into()), ..self }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// All of them, in any order.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The account of a client that has logged in.
    pub(in crate::proxy) fn of(&self, who: &Principal) -> Option<&Account> {
        self.find(who.tenant(), who.user())
    }

    fn find(&self, tenant: Option<&str>, user: &str) -> Option<&Account> {
        self.accounts.get(&(tenant.map(str::to_owned), user.to_owned()))
    }

    /// Lets a client in, or not: see [`Engine::authenticate`](crate::Engine::authenticate). An unknown user, one that may not
    /// come in this way and a wrong password look alike, and take as long. An account without a password is for clients on
    /// this machine only.
    ///
    /// # Errors
    /// 1045.
    pub(in crate::proxy) async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        let principal = self.admits(login);
        let verifier = match &principal {
            Some((account, _)) => account.verifier.clone(),
            None => Verifier::nobody(),
        };
        let proved = login.proves(&verifier).await;
        principal.filter(|_| proved).map(|(_, principal)| principal).ok_or_else(|| login.denied())
    }

    /// The account that a client asks for, if it may come in this way, and who it is then.
    fn admits(&self, login: &Login<'_>) -> Option<(&Account, Principal)> {
        let account = self.find(login.tenant.as_ref().map(|tenant| &*tenant.name), &login.user)?;
        let mut tenant = login.tenant.clone();
        if let (Some(tenant), Some(cluster)) = (&mut tenant, &self.cluster)
            && tenant.cluster.get_or_insert_with(|| cluster.clone()) != cluster
        {
            return None;
        }
        let secret = !account.require_tls || login.is_secure();
        let near = !account.verifier.is_empty() || login.peer.is_local();
        (secret && near).then(|| (account, account.principal(tenant)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Checking, Proof};

    /// A client that knows one password, told by its verifier.
    struct Knows {
        text: &'static str,
        secure: bool,
        asked: Vec<String>,
    }

    impl Proof for Knows {
        fn check<'a>(&'a mut self, _: &'a str, verifier: &'a Verifier) -> Checking<'a> {
            self.asked.push(verifier.expose().to_owned());
            let fits = verifier.expose() == self.text;
            Box::pin(async move { fits })
        }

        fn used_password(&self) -> bool {
            true
        }

        fn is_secure(&self) -> bool {
            self.secure
        }
    }

    const OF_ALICE: &str = "*0123456789ABCDEF0123456789ABCDEF01234567";

    fn accounts() -> Accounts {
        let mut accounts = Accounts::new().in_cluster("ob1");
        let verifier = || Verifier::new(OF_ALICE);
        let alice =
            Account::new("alice", verifier(), Privileges::PROCESS).in_tenant("shop").at_servers("app", "secret");
        accounts.add(alice).unwrap();
        accounts.add(Account::new("root", verifier(), Privileges::ALL).in_tenant("sys").require_tls()).unwrap();
        accounts.add(Account::new("open", Verifier::default(), Privileges::NONE).in_tenant("shop")).unwrap();
        accounts
    }

    /// Who comes in as `user` of `tenant`, from `peer`; and what the client was asked.
    async fn comes_in(
        user: &str,
        tenant: (&str, Option<&str>),
        peer: &str,
        (text, secure): (&'static str, bool),
    ) -> (Result<Principal, u16>, Vec<String>) {
        let mut proof = Knows { text, secure, asked: Vec::new() };
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let mut login = Login::new(user, peer, &mut proof);
        let (name, cluster) = tenant;
        login.tenant = Some(Tenant { name: name.to_owned(), cluster: cluster.map(str::to_owned) });
        let answer = accounts().authenticate(&mut login).await.map_err(|error| error.code());
        (answer, proof.asked)
    }

    #[actix_rt::test]
    async fn who_proves_itself_comes_in_as_its_account() {
        for cluster in [None, Some("ob1")] {
            let (who, _) = comes_in("alice", ("shop", cluster), "192.0.2.7:1", (OF_ALICE, false)).await;
            let who = who.unwrap();
            assert_eq!((&**who.user(), who.tenant(), who.has(Privileges::PROCESS)), ("alice", Some("shop"), true));
            assert_eq!(who.tenant_cluster(), Some("ob1"), "{cluster:?}");
            let accounts = accounts();
            assert_eq!(accounts.of(&who).unwrap().server_login(), ("app", "secret"));
        }
        let (who, _) = comes_in("open", ("shop", None), "127.0.0.1:1", ("", false)).await;
        assert_eq!(accounts().of(&who.unwrap()).unwrap().server_login(), ("open", ""));
    }

    #[actix_rt::test]
    async fn others_are_refused_alike() {
        for (user, tenant, peer, text, secure) in [
            ("alice", ("shop", None), "192.0.2.7:1", "*WRONG", true),
            ("alice", ("other", None), "192.0.2.7:1", OF_ALICE, true),
            ("alice", ("shop", Some("ob2")), "192.0.2.7:1", OF_ALICE, true),
            ("nobody", ("shop", None), "192.0.2.7:1", OF_ALICE, true),
            ("root", ("sys", None), "192.0.2.7:1", OF_ALICE, false),
            ("open", ("shop", None), "192.0.2.7:1", "", true),
        ] {
            let (who, asked) = comes_in(user, tenant, peer, (text, secure)).await;
            assert_eq!((who, asked.len()), (Err(1045), 1), "{user} {tenant:?} {secure}");
        }
    }

    #[test]
    fn a_name_stands_there_once_and_no_secret_is_shown() {
        let mut accounts = accounts();
        let again = Account::new("alice", Verifier::default(), Privileges::ALL).in_tenant("shop");
        assert_eq!(accounts.add(again).unwrap_err().user(), "alice");
        assert_eq!(accounts.len(), 3);
        accounts.add(Account::new("alice", Verifier::default(), Privileges::ALL).in_tenant("sys")).unwrap();
        let shown = format!("{accounts:?}");
        assert!(shown.contains("app") && !shown.contains("secret") && !shown.contains(OF_ALICE), "{shown}");
    }
}
