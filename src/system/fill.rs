//! Which system tables there are, and their rows: as far as whoever asks may see them, and no others are ever copied.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Question, Room, Table, needle::Needle};
use crate::{
    dialect::{Dialect, KILL_HISTORY, KILLDEER, View, columns, row_of},
    engine::StatementContext,
    id::{RUN, Roll},
    model::{Column, KillRow, OwnedValue, ProcessRow, Seen, SqlError, Value},
    supervisor::{Listing, Registry},
};

/// Each table's name, in every system, has one of these in it.
static WORDS: [Needle; 3] = [Needle::new("processlist"), Needle::new("threads"), Needle::new(KILL_HISTORY)];

/// The tables at these places among the known ones, without rows.
pub(crate) fn empty(registry: &Registry, cx: &StatementContext, places: &[usize]) -> Vec<Table> {
    let view = view(registry, cx);
    let table = |place: usize| {
        let (database, name) = registry.dialect.system_tables()[place];
        Table { database, name, columns: headers(&registry.dialect, &view, place), rows: Vec::new() }
    };
    places.iter().map(|place| table(*place)).collect()
}

/// Whether a statement may ask for one: it has the bytes of a table's name. Costs next to nothing.
pub(crate) fn may_ask(sql: &[u8]) -> bool {
    let begins = sql.iter().find(|b| !b.is_ascii_whitespace());
    matches!(begins, Some(b's' | b'S' | b'w' | b'W' | b'(' | b'/' | b'-' | b'#'))
        && WORDS.iter().any(|word| word.is_in(sql))
}

/// The same with their rows, as of `now`, in the order of the sessions' ids; of their columns those that the question
/// names. It blocks for as long as it takes.
///
/// # Errors
/// The statement is to stop, or there is no `room` for more.
pub(crate) fn filled(
    registry: &Arc<Registry>,
    cx: &StatementContext,
    places: &[usize],
    now: Instant,
    question: &Question,
    room: &mut Room,
) -> Result<Vec<Table>, SqlError> {
    let mut tables = empty(registry, cx, places);
    let kept: Vec<Vec<usize>> = tables.iter_mut().map(|table| narrow(table, question)).collect();
    let listing = Listing::new(Arc::clone(registry), Arc::clone(cx.principal()));
    let dialect = &registry.dialect;
    for (table, kept) in tables.iter_mut().zip(&kept).filter(|(table, _)| table.database == KILLDEER) {
        for kill in listing.kills() {
            let row: Vec<OwnedValue> = kill.row().into();
            add(table, kept.iter().filter_map(|at| row.get(*at).cloned()), room)?;
        }
    }
    if tables.iter().all(|table| table.database == KILLDEER) {
        return Ok(tables);
    }
    let mut roll = Roll::default();
    for ids in registry.ids() {
        roll.add(ids);
        cx.check()?;
    }
    let view = view(registry, cx);
    let (mut ids, mut slots) = (Vec::new(), Vec::new());
    loop {
        roll.next(RUN, &mut ids);
        if ids.is_empty() {
            return Ok(tables);
        }
        registry.get_each(&ids, &mut slots);
        for slot in slots.drain(..) {
            cx.check()?;
            let Some(row) = listing.show(&slot, now, |seen| ProcessRow::from(seen)) else { continue };
            for ((place, table), kept) in places.iter().zip(&mut tables).zip(&kept) {
                if let Some(of) = dialect.tables().get(*place) {
                    let (fields, mut added) = (dialect.table_fields(of, &view), Ok(()));
                    row_of(fields, &view, &Seen::from(&row), |values| {
                        let row = kept.iter().filter_map(|at| values.get(*at).copied()).map(Value::to_owned);
                        if added.is_ok() {
                            added = add(table, row, room);
                        }
                    });
                    added?;
                }
            }
        }
    }
}

/// Leaves a table the columns that a question may name, or one, as SQLite has no table without columns; their places.
fn narrow(table: &mut Table, question: &Question) -> Vec<usize> {
    let named = |at: &usize| question.names(&table.columns[*at].name);
    let mut kept: Vec<usize> = (0..table.columns.len()).filter(named).collect();
    if kept.is_empty() {
        kept.push(0);
    }
    table.columns = kept.iter().filter_map(|at| table.columns.get(*at).cloned()).collect();
    kept
}

fn add(table: &mut Table, row: impl Iterator<Item = OwnedValue>, room: &mut Room) -> Result<(), SqlError> {
    let row: Vec<OwnedValue> = row.collect();
    room.take(&row)?;
    table.rows.push(row);
    Ok(())
}

fn headers(dialect: &Dialect, view: &View<'_>, place: usize) -> Vec<Column> {
    match dialect.tables().get(place) {
        Some(table) => columns(dialect.table_fields(table, view)),
        None => KillRow::columns(),
    }
}

fn view<'a>(registry: &'a Registry, cx: &'a StatementContext) -> View<'a> {
    View::new(cx.principal(), Some(cx.session()), &registry.node, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_every_system_may_be_asked_for() {
        for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
            for (database, table) in dialect.system_tables() {
                for begin in [
                    "SELECT",
                    "\n\twith x as (select 1) select",
                    "((select",
                    "/* x */ SELECT",
                    "-- x\nSELECT",
                    "#\nSELECT",
                ] {
                    let upper = table.to_uppercase();
                    assert!(may_ask(format!("{begin} 1 FROM {database}.{table}").as_bytes()), "{begin} {table}");
                    assert!(may_ask(format!("{begin} 1 FROM `{upper}`").as_bytes()), "{begin} {upper}");
                }
            }
        }
        for other in ["", " ", "SELECT 1", "KILL 5", "INSERT INTO threads VALUES (1)", "SELECT * FROM process_list"] {
            assert!(!may_ask(other.as_bytes()), "{other}");
        }
    }
}
