//! What ties a client to one server session: what lives there and cannot be brought to another.

use std::fmt;

/// A set of the things that live on one server session alone.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Pins(u16);

impl Pins {
    /// Nothing: any server session serves, once it is brought up to date.
    pub(in crate::proxy) const NONE: Self = Self(0);
    /// Temporary tables. That the last one was dropped is not known: they hold until the session is reset.
    pub(in crate::proxy) const TEMPORARY_TABLES: Self = Self(1);
    /// Locks with names, by `GET_LOCK`.
    pub(in crate::proxy) const NAMED_LOCKS: Self = Self(1 << 1);
    /// `LOCK TABLES`, `FLUSH TABLES WITH READ LOCK`.
    pub(in crate::proxy) const TABLE_LOCKS: Self = Self(1 << 2);
    /// Tables opened by `HANDLER`.
    pub(in crate::proxy) const HANDLERS: Self = Self(1 << 3);
    /// A transaction of `XA`, which stays one while no statement may run in it.
    pub(in crate::proxy) const XA: Self = Self(1 << 4);
    /// `SET TRANSACTION` for the next one alone.
    pub(in crate::proxy) const NEXT_TRANSACTION: Self = Self(1 << 5);
    /// User variables whose values the proxy has not seen.
    pub(in crate::proxy) const USER_VARIABLES: Self = Self(1 << 6);
    /// System variables whose values the proxy has not seen, roles, or more of them than it keeps.
    pub(in crate::proxy) const VARIABLES: Self = Self(1 << 7);
    /// An `sql_mode` in which text in quotes ends elsewhere than the proxy reads it to end.
    pub(in crate::proxy) const QUOTES: Self = Self(1 << 8);
    /// A procedure has run, or a block of statements, of which the proxy does not know what it has left behind.
    pub(in crate::proxy) const ROUTINES: Self = Self(1 << 9);
    /// `LOCK INSTANCE FOR BACKUP`.
    pub(in crate::proxy) const INSTANCE_LOCK: Self = Self(1 << 10);
    /// MariaDB's `BACKUP LOCK`, which `UNLOCK TABLES` does not end, nor the end of a `BACKUP STAGE`.
    pub(in crate::proxy) const BACKUP_LOCK: Self = Self(1 << 11);
    /// MariaDB's `BACKUP STAGE`, up to its `END`.
    pub(in crate::proxy) const BACKUP_STAGE: Self = Self(1 << 12);

    const NAMES: [(&'static str, Self); 13] = [
        ("TEMPORARY_TABLES", Self::TEMPORARY_TABLES),
        ("NAMED_LOCKS", Self::NAMED_LOCKS),
        ("TABLE_LOCKS", Self::TABLE_LOCKS),
        ("HANDLERS", Self::HANDLERS),
        ("XA", Self::XA),
        ("NEXT_TRANSACTION", Self::NEXT_TRANSACTION),
        ("USER_VARIABLES", Self::USER_VARIABLES),
        ("VARIABLES", Self::VARIABLES),
        ("QUOTES", Self::QUOTES),
        ("ROUTINES", Self::ROUTINES),
        ("INSTANCE_LOCK", Self::INSTANCE_LOCK),
        ("BACKUP_LOCK", Self::BACKUP_LOCK),
        ("BACKUP_STAGE", Self::BACKUP_STAGE),
    ];

    /// Whether nothing ties the client.
    pub(in crate::proxy) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of `these` is among them.
    pub(in crate::proxy) const fn any_of(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub(in crate::proxy) const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// The set without `these`.
    #[must_use]
    pub(in crate::proxy) const fn without(self, these: Self) -> Self {
        Self(self.0 & !these.0)
    }

    /// Those that a client misses once the server session has ended: not what other server sessions have too, and not what may
    /// never have been.
    pub(in crate::proxy) const fn lost(self) -> Self {
        self.without(Self::QUOTES.and(Self::ROUTINES))
    }

    /// Those that a statement may have set which has failed.
    #[must_use]
    pub(in crate::proxy) const fn left_by_failures(self) -> Self {
        let these = Self::NAMED_LOCKS.and(Self::USER_VARIABLES).and(Self::VARIABLES).and(Self::ROUTINES);
        Self(self.0 & these.0)
    }

    /// Those that stay with the client when the server session has ended.
    pub(in crate::proxy) const fn stay(self) -> Self {
        Self(self.0 & Self::QUOTES.0)
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Self::NAMES.iter().filter(|(_, pin)| self.any_of(*pin)).map(|(name, _)| name)).finish()
    }
}
