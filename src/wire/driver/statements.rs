//! The commands about prepared statements, and about what a client may ask of tables and options.

use bytes::Bytes;
use mysql_common::constants::CapabilityFlags;

use super::{Driver, Next, Statements};
use crate::{engine::Engine, model::Command, session::Farewell, wire::prepared};

impl<E: Engine> Driver<E> {
    /// COM_RESET_CONNECTION. What was prepared is gone, if it comes about.
    pub(super) async fn reset(&mut self) -> Next {
        let run =
            self.run(Command::ResetConnection, None, |core, cx, sink, began| Box::pin(core.reset(cx, sink, began)));
        let (cx, result) = match run.await {
            Ok(ran) => ran,
            Err(reason) => return Next::Unbegun(reason),
        };
        if result.is_ok() {
            self.statements = None;
        }
        self.conclude(cx, result).await
    }

    /// COM_STMT_PREPARE.
    pub(super) async fn prepare(&mut self, sql: Bytes) -> Next {
        let text = sql.clone();
        let run = self.run(Command::Prepare, Some(sql.clone()), |core, cx, sink, began| {
            Box::pin(core.prepare(cx, text, sink, began))
        });
        let (cx, result) = match run.await {
            Ok(ran) => ran,
            Err(reason) => return Next::Unbegun(reason),
        };
        // Kept before it is known whether a kill came first: a client that is told of no id never uses it.
        let kept = result.and_then(|prepared| {
            let (keep, allowed) = self.core.keep();
            let shared = self.core.shared();
            let (everybodys, longest) = (&shared.registry.counters.prepared, shared.max_allowed_packet);
            let statements = self.statements.get_or_insert_with(|| Box::new(Statements::new(keep, longest)));
            let database = cx.database();
            statements.insert(&sql, prepared.params.len(), database, allowed, everybodys).map(|id| (id, prepared))
        });
        let known = kept.as_ref().ok().map(|(id, _)| *id);
        let Farewell { result, killed } = self.settle(kept);
        match (&result, known) {
            (Ok((id, prepared)), _) => self.rows().prepared(*id, prepared),
            (Err(error), known) => {
                self.rows().failed(error);
                if let Some(id) = known {
                    self.forget(id);
                }
            }
        }
        self.tell(cx, result.map(|_| 0), killed).await
    }

    /// COM_STMT_EXECUTE. Its rows are in the binary format.
    pub(super) async fn execute(&mut self, payload: Bytes) -> Next {
        let bound = match self.statements.as_deref_mut() {
            Some(statements) => statements.execute(payload, self.core.slot().notes.character_sets().client),
            None => Err(prepared::unknown(payload, "mysqld_stmt_execute")),
        };
        let statement = match bound {
            Ok(statement) => statement,
            Err(error) => return self.refuse(&error).await,
        };
        let (cx, began) = match self.core.begin(Command::Execute, Some(statement.sql.clone())) {
            Ok(begun) => begun,
            Err(reason) => return Next::Unbegun(reason),
        };
        self.begin().binary();
        let run = self.watched(&cx, began, |core, cx, sink, began| Box::pin(core.execute(cx, statement, sink, began)));
        let result = run.await;
        let misfit = self.rows().take_misfit();
        self.conclude(cx, misfit.map_or(result, Err)).await
    }

    /// COM_STMT_SEND_LONG_DATA, which has no answer.
    pub(super) fn long_data(&mut self, payload: Bytes) -> Next {
        self.core.touch();
        if let Some(statements) = self.statements.as_deref_mut() {
            statements.long_data(payload, self.core.allowed());
        }
        Next::Serve
    }

    /// COM_STMT_CLOSE, which has no answer.
    pub(super) fn close_statement(&mut self, payload: Bytes) -> Next {
        self.core.touch();
        let closed = self.statements.as_deref_mut().and_then(|statements| statements.close(payload));
        if let Some((sql, database)) = closed {
            self.core.close_prepared(&sql, database.as_deref());
        }
        Next::Serve
    }

    /// COM_STMT_RESET.
    pub(super) async fn reset_statement(&mut self, payload: Bytes) -> Next {
        self.core.touch();
        let reset = match self.statements.as_deref_mut() {
            Some(statements) => statements.reset(payload),
            None => Err(prepared::unknown(payload, "mysqld_stmt_reset")),
        };
        match reset {
            Ok(()) => {
                let state = self.core.state();
                self.begin().done(&state, false, &[]);
                self.flush().await
            }
            Err(error) => self.refuse(&error).await,
        }
    }

    /// COM_FIELD_LIST.
    pub(super) async fn fields(&mut self, table: String, pattern: String) -> Next {
        let of = (table, pattern);
        let run =
            self.run(Command::FieldList, None, |core, cx, sink, began| Box::pin(core.fields(cx, of, sink, began)));
        let (cx, result) = match run.await {
            Ok(ran) => ran,
            Err(reason) => return Next::Unbegun(reason),
        };
        let Farewell { result, killed } = self.settle(result);
        match &result {
            Ok(columns) => self.rows().fields(columns),
            Err(error) => self.rows().failed(error),
        }
        self.tell(cx, result.map(|_| 0), killed).await
    }

    /// COM_SET_OPTION.
    pub(super) async fn several_statements(&mut self, several: bool) -> Next {
        self.core.touch();
        self.peer.0.set(CapabilityFlags::CLIENT_MULTI_STATEMENTS, several);
        self.begin().end();
        self.flush().await
    }

    fn forget(&mut self, id: u32) {
        self.close_statement(Bytes::copy_from_slice(&id.to_le_bytes()));
    }
}
