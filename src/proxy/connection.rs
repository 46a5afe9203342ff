//! A connection to a server, and what the server keeps behind it.

use super::{
    backend::{Backend, BackendError, command},
    prepared::Texts,
};
use crate::model::{SqlError, Versions};

/// Whether a server knows the id that the client has at the proxy.
#[derive(Debug)]
pub(super) enum ClientId {
    Untold,
    Told,
    /// It does not let the account say so. It is not asked again: it may keep something by the id that it has.
    Refused(SqlError),
}

/// See the module's text.
pub(super) struct Connection {
    pub(super) backend: Backend,
    /// The statements that are prepared there.
    pub(super) prepared: Texts,
    /// How far it knows what the client has changed.
    pub(super) versions: Versions,
    /// Whether the server knows the client's id.
    pub(super) id: ClientId,
    /// Whether it was brought up to the client's state once: before, it is being made.
    pub(super) made: bool,
    /// Whether it has a current database, be it the client's or not.
    pub(super) in_database: bool,
    /// Whether the server refuses all that writes.
    pub(super) reads_only: bool,
}

impl Connection {
    /// One in which nothing was said yet.
    pub(super) fn new(backend: Backend) -> Self {
        Self {
            backend,
            prepared: Texts::default(),
            versions: Versions::default(),
            id: ClientId::Untold,
            made: false,
            in_database: false,
            reads_only: false,
        }
    }

    /// The server has forgotten all that the session had changed.
    pub(super) fn forget(&mut self) {
        self.prepared = Texts::default();
        self.versions = Versions::default();
        (self.id, self.reads_only) = (ClientId::Untold, false);
    }

    /// Closes those prepared statements at the server that are not needed any more: it hears of them with what is asked next.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn close_unneeded(&mut self) -> Result<(), BackendError> {
        while let Some(id) = self.prepared.unneeded() {
            self.backend.tell(command::STMT_CLOSE, &[&id.to_le_bytes()])?;
        }
        Ok(())
    }

    /// Closes a prepared statement at the server, at once if that takes no waiting.
    pub(super) fn close_prepared(&mut self, database: Option<&str>, sql: &[u8]) {
        self.prepared.remove(database, sql);
        // A connection that is lost is seen to be so by whoever watches it.
        if self.backend.is_between_commands() && self.close_unneeded().is_ok() {
            self.backend.flush_at_once();
        }
    }
}
