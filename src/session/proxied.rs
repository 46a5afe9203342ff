//! `SHOW PROXYSESSION …` of one session and `KILL PROXYSESSION …` (ODP): what they mean in a session, and what they answer. The
//! list of all is made as the process list is.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    control::{KillProxySession, ProxyShow, Scope, ShowProxySession},
    dialect::{Dialect, Inspected, SessionSetting, show_columns},
    engine::{RowSink, SettingValues, StatementContext},
    id::SessionId,
    model::{KillMode, OwnedValue, ProcessRow, ServerSessions, Setting, SettingReach, SqlError, Target, Versions},
    state::Slot,
    supervisor::{Kill, Listing, Registry},
};

/// What a `SHOW PROXYSESSION` of one session asks for.
pub(super) struct Inspect {
    what: ProxyShow,
    /// As it was typed; `None`: one's own.
    id: Option<SessionId>,
    like: Option<String>,
}

/// What a `KILL PROXYSESSION` ends.
pub(super) enum End {
    Client(Kill),
    ServerSession { id: SessionId, ss_id: u64 },
}

/// What is asked for; `None`: the list of all.
pub(super) fn show(show: ShowProxySession, scope: &Scope<'_>) -> Result<Option<Inspect>, SqlError> {
    let ShowProxySession { what, id, like } = show;
    if what == ProxyShow::Sessions {
        return Ok(None);
    }
    let id = id.map(|id| id.resolve(scope)).transpose()?;
    Ok(Some(Inspect { what, id, like }))
}

/// What is to end. Whoever may not say so at all hears of nothing else: neither of the ids nor of what is wrong with them.
pub(super) fn kill(
    kill: &KillProxySession,
    scope: &Scope<'_>,
    dialect: &Dialect,
    cx: &StatementContext,
) -> Result<End, SqlError> {
    if !dialect.may_operate(cx.principal()) {
        return Err(SqlError::unknown_operator());
    }
    let id = kill.id.resolve(scope)?;
    Ok(match &kill.server_session {
        None => End::Client(of_client(cx, id)),
        Some(ss_id) => End::ServerSession { id, ss_id: ss_id.resolve(scope)?.get() },
    })
}

/// The kill of a client session with all that it has.
pub(super) fn of_client(cx: &StatementContext, id: SessionId) -> Kill {
    let (by, from) = (Arc::clone(cx.principal()), Some(cx.session()));
    Kill { by, from, target: Target::Session(id), mode: KillMode::Connection }
}

/// Answers the `SHOW PROXYSESSION` of one session.
pub(super) async fn inspect(
    registry: &Arc<Registry>,
    cx: &StatementContext,
    asked: &Inspect,
    sink: &mut RowSink,
) -> Result<(), SqlError> {
    let slot = match asked.id {
        None => Some(Arc::clone(cx.slot())),
        Some(id) => registry.get(id),
    };
    // Of a session that is hidden the same is said as of one that is not there.
    let unknown = || SqlError::unknown_thread(asked.id.unwrap_or(cx.session()));
    let slot = slot.ok_or_else(unknown)?;
    let (row, servers) = seen(registry, cx, &slot).ok_or_else(unknown)?;
    let rows = {
        let inspected = Inspected {
            node: &registry.node,
            row: &row,
            servers: servers.as_ref().map_or_else(Vec::new, |servers| servers.servers()),
            versions: servers.as_ref().map_or_else(Versions::default, |servers| servers.versions()),
            variables: servers.as_ref().map_or_else(Vec::new, |servers| servers.variables()),
            settings: settings(&slot, &row),
            statements: slot.switch.word().number().get(),
        };
        inspected.rows(asked.what, asked.like.as_deref())
    };
    sink.columns(show_columns(asked.what))?;
    let mut values = Vec::new();
    for row in &rows {
        values.clear();
        values.extend(row.iter().map(OwnedValue::borrow));
        if sink.row(&values)? {
            sink.ready().await?;
        }
    }
    Ok(())
}

/// The session's row, and what it has at servers; `None`: the requester may not see it. Both are the same user's.
fn seen(
    registry: &Arc<Registry>,
    cx: &StatementContext,
    slot: &Slot,
) -> Option<(ProcessRow, Option<Arc<dyn ServerSessions>>)> {
    let listing = Listing::new(Arc::clone(registry), Arc::clone(cx.principal()));
    loop {
        let row = listing.show(slot, Instant::now(), |seen| ProcessRow::from(seen))?;
        let servers = slot.servers();
        // It may have become another user's in between.
        let owner = slot.principal();
        if owner.as_ref().map(Arc::as_ptr) == row.principal.as_ref().map(Arc::as_ptr) {
            return Some((row, servers));
        }
    }
}

/// The session's own values of the runtime's settings.
fn settings(slot: &Slot, row: &ProcessRow) -> Vec<SessionSetting> {
    let Some(owner) = &row.principal else { return Vec::new() };
    let values = SettingValues::new(slot.limits(), Arc::clone(slot.globals()), owner);
    let text = |value: &OwnedValue| value.text().unwrap_or_default().into_owned();
    let own = Setting::all().filter(|setting| setting.reach() == SettingReach::Both);
    let shown = own.filter_map(|setting| {
        let (value, global) = (values.session(setting)?, values.global(setting));
        Some(SessionSetting { name: setting.name(), value: text(&value), changed: value != global })
    });
    shown.collect()
}
