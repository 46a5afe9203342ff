//! Who a session belongs to, and what that account may do.

use std::sync::Arc;

use super::{Allowance, Amount, Setting, Settings, Warning};

/// What an account may do to other sessions. The systems' own names; each [`crate::Dialect`] heeds those of its system.
///
/// Nodes of a cluster tell each other the numbers: one that was given up is not used again.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Privileges(u32);

/// A privilege name that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown privilege {0:?}")]
pub struct UnknownPrivilege(pub String);

impl Privileges {
    /// No privilege: one sees and kills one's own sessions only.
    pub const NONE: Self = Self(0);
    /// Sight of everybody's sessions. Gives no right to kill (MySQL manual, "KILL Statement").
    pub const PROCESS: Self = Self(1);
    /// May kill everybody's sessions. Does not imply sight.
    pub const SUPER: Self = Self(1 << 1);
    /// MySQL 8: may kill everybody's sessions.
    pub const CONNECTION_ADMIN: Self = Self(1 << 2);
    /// MySQL 8.0.16: sessions of an account that has it are killed only by accounts that have it too.
    pub const SYSTEM_USER: Self = Self(1 << 3);
    /// Apache Doris: sees and kills everybody's sessions.
    pub const ADMIN_PRIV: Self = Self(1 << 4);
    /// Apache Doris: an administrator who only reads. Sees everybody's sessions, kills none but its own.
    pub const READ_ONLY_ADMIN: Self = Self(1 << 5);
    /// TiDB: sessions of an account that has it are killed only by accounts with RESTRICTED_CONNECTION_ADMIN.
    pub const RESTRICTED_USER_ADMIN: Self = Self(1 << 6);
    /// TiDB: may kill sessions of accounts with RESTRICTED_USER_ADMIN, where it may kill others' sessions at all.
    pub const RESTRICTED_CONNECTION_ADMIN: Self = Self(1 << 7);
    /// MySQL 8: may change the server's settings (`SET GLOBAL`), as SUPER may.
    pub const SYSTEM_VARIABLES_ADMIN: Self = Self(1 << 8);
    /// May say `FLUSH HOSTS`.
    pub const RELOAD: Self = Self(1 << 9);
    /// All of them.
    pub const ALL: Self = Self(0x3FF);

    const NAMES: [(&'static str, Self); 11] = [
        ("PROCESS", Self::PROCESS),
        ("SUPER", Self::SUPER),
        ("CONNECTION_ADMIN", Self::CONNECTION_ADMIN),
        ("SYSTEM_USER", Self::SYSTEM_USER),
        ("ADMIN_PRIV", Self::ADMIN_PRIV),
        ("READ_ONLY_ADMIN", Self::READ_ONLY_ADMIN),
        ("RESTRICTED_USER_ADMIN", Self::RESTRICTED_USER_ADMIN),
        ("RESTRICTED_CONNECTION_ADMIN", Self::RESTRICTED_CONNECTION_ADMIN),
        ("SYSTEM_VARIABLES_ADMIN", Self::SYSTEM_VARIABLES_ADMIN),
        ("RELOAD", Self::RELOAD),
        ("ALL", Self::ALL),
    ];

    /// Whether any of `these` is held.
    pub const fn any_of(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }

    /// Both sets together.
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// As a number.
    #[cfg(feature = "cluster")]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// Those with this number, and whether all that it holds is known here.
    #[cfg(feature = "cluster")]
    pub(crate) const fn from_bits(bits: u32) -> (Self, bool) {
        (Self(bits & Self::ALL.0), bits & !Self::ALL.0 == 0)
    }

    /// Reads privilege names, in any case, `CONNECTION ADMIN` with a blank too.
    ///
    /// # Errors
    /// A name that is not known: a misspelt privilege is never silently nothing.
    pub fn from_names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self, UnknownPrivilege> {
        names.into_iter().try_fold(Self::NONE, |sum, name| {
            let wanted = name.as_ref().trim().replace(' ', "_").to_ascii_uppercase();
            let found = Self::NAMES.iter().find(|(known, _)| *known == wanted);
            found.map(|(_, p)| sum.and(*p)).ok_or_else(|| UnknownPrivilege(name.as_ref().to_owned()))
        })
    }
}

impl std::fmt::Debug for Privileges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = Self::NAMES.iter().filter(|(_, p)| *p != Self::ALL && self.any_of(*p));
        f.debug_set().entries(held.map(|(name, _)| name)).finish()
    }
}

/// Who a session belongs to: the account that its client logged in as, with its privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    user: Arc<str>,
    account_host: Arc<str>,
    privileges: Privileges,
    tenant: Option<Arc<Tenant>>,
    /// `None`: it has no settings of its own.
    allowance: Option<Arc<Allowance>>,
}

/// OceanBase: the tenant that an account belongs to, in its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The tenant's name; `sys` is the one that sees and kills all others' sessions.
    pub name: String,
    /// The cluster's name, if the client named one.
    pub cluster: Option<String>,
}

impl Principal {
    /// The account `user`@`%` with the given privileges.
    pub fn new(user: impl Into<Arc<str>>, privileges: Privileges) -> Self {
        Self { user: user.into(), account_host: "%".into(), privileges, tenant: None, allowance: None }
    }

    /// The same, in a tenant.
    #[must_use]
    pub fn in_tenant(self, tenant: Tenant) -> Self {
        Self { tenant: Some(Arc::new(tenant)), ..self }
    }

    /// The same, with these settings in place of the server's: what its sessions begin with, and how many of them there
    /// may be ([`Setting::MaxUserConnections`]: 1226 rather than 1203). A session may change what [`Setting::reach`] lets it.
    #[must_use]
    pub fn with_settings(self, begin: Settings) -> Self {
        let most = self.allowance.map_or_else(Settings::new, |own| own.most.clone());
        Self { allowance: Some(Arc::new(Allowance { begin, most })), ..self }
    }

    /// The same, whose sessions may not go beyond these times: what is more, or unlimited, becomes this.
    #[must_use]
    pub fn capped(self, most: Settings) -> Self {
        let begin = self.allowance.map_or_else(Settings::new, |own| own.begin.clone());
        Self { allowance: Some(Arc::new(Allowance { begin, most })), ..self }
    }

    /// What a session of the account begins with.
    pub(crate) fn first(&self, setting: Setting, global: Amount) -> Amount {
        self.allowance.as_ref().map_or(global, |own| own.first(setting, global))
    }

    /// The account's own value, if it has one.
    pub(crate) fn own_setting(&self, setting: Setting) -> Option<Amount> {
        self.allowance.as_ref().and_then(|own| own.begin.get(setting))
    }

    /// What a session of the account gets that asks for `amount`, with a warning if that is less.
    pub(crate) fn clamp(&self, setting: Setting, amount: Amount) -> (Amount, Option<Warning>) {
        self.allowance.as_ref().map_or((amount, None), |own| own.clamp(setting, amount))
    }

    /// The tenant's name, if the account belongs to one.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(|tenant| tenant.name.as_str())
    }

    /// The tenant's cluster, if the account belongs to a tenant and its client named one.
    pub(crate) fn tenant_cluster(&self) -> Option<&str> {
        self.tenant.as_ref().and_then(|tenant| tenant.cluster.as_deref())
    }

    /// The same, for an account that is bound to a host pattern; [`Principal::account`] shows it.
    #[must_use]
    pub fn at_host(self, account_host: impl Into<Arc<str>>) -> Self {
        Self { account_host: account_host.into(), ..self }
    }

    /// The user name, without a host.
    pub fn user(&self) -> &Arc<str> {
        &self.user
    }

    /// The host pattern of the account that matched at login, such as `%`.
    pub fn account_host(&self) -> &str {
        &self.account_host
    }

    /// What `CURRENT_USER()` shows: `user@host` of the account.
    pub fn account(&self) -> String {
        format!("{}@{}", self.user, self.account_host)
    }

    /// What the account may do.
    pub fn privileges(&self) -> Privileges {
        self.privileges
    }

    /// Whether any of `these` privileges is held.
    pub fn has(&self, these: Privileges) -> bool {
        self.privileges.any_of(these)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_refused() {
        let p = Privileges::from_names(["process", "Connection Admin"]).unwrap();
        assert_eq!(p, Privileges::PROCESS.and(Privileges::CONNECTION_ADMIN));
        assert_eq!(Privileges::from_names(["SUPPER"]), Err(UnknownPrivilege("SUPPER".into())));
        assert_eq!(Privileges::from_names(["all"]), Ok(Privileges::ALL));
        assert!(!Privileges::PROCESS.any_of(Privileges::SUPER));
    }
}
