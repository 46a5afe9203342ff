//! Which system tables there are, and their rows: as far as whoever asks may see them, and no others are ever copied.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Question, Room, Table, needle::Needle};
use crate::{
    dialect::{self, Dialect, KILL_HISTORY, Node, View, columns, row_of},
    engine::StatementContext,
    id::{RUN, Roll},
    model::{Column, KillRow, Killed, OwnedValue, ProcessRow, Reason, Seen, SqlError, Value},
    supervisor::{Listing, Registry},
};
#[cfg(feature = "cluster")]
use crate::{
    dialect::{KILLDEER, NODES},
    supervisor::NodeRow,
};

/// Each table's name, in every system, has one of these in it.
static WORDS: [Needle; if cfg!(feature = "cluster") { 4 } else { 3 }] = [
    Needle::new("processlist"),
    Needle::new("threads"),
    Needle::new(KILL_HISTORY),
    #[cfg(feature = "cluster")]
    Needle::new(NODES),
];

/// What tables have beside this node's own sessions and kills: what other nodes have told.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    /// The places of the tables that show the sessions of all nodes.
    pub(crate) wide: Vec<usize>,
    /// The sessions of other nodes.
    pub(crate) lists: Vec<(Node, Vec<ProcessRow>)>,
    /// The nodes of the cluster.
    #[cfg(feature = "cluster")]
    pub(crate) nodes: Vec<NodeRow>,
}

/// What a table's rows are.
enum Rows {
    /// Sessions, shown in this way.
    Sessions(&'static dialect::Table),
    /// Kills.
    Kills,
    /// The nodes of the cluster.
    #[cfg(feature = "cluster")]
    Nodes,
}

/// What the rows of the table at this place among the known ones are.
fn rows(dialect: &Dialect, place: usize) -> Rows {
    match dialect.tables().get(place) {
        Some(table) => Rows::Sessions(table),
        #[cfg(feature = "cluster")]
        None if is_nodes(dialect, place) => Rows::Nodes,
        None => Rows::Kills,
    }
}

/// Whether the table at this place is that of the cluster's nodes.
#[cfg(feature = "cluster")]
pub(crate) fn is_nodes(dialect: &Dialect, place: usize) -> bool {
    dialect.system_tables().get(place) == Some(&(KILLDEER, NODES))
}

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

/// The same with their rows, as of `now`, in the order of the sessions' ids, each node's behind this one's; of their columns
/// those that the question names. It blocks for as long as it takes.
///
/// # Errors
/// The statement is to stop, or there is no `room` for more.
pub(crate) fn filled(
    registry: &Arc<Registry>,
    cx: &StatementContext,
    places: &[usize],
    beyond: Beyond,
    now: Instant,
    question: &Question,
    room: &mut Room,
) -> Result<Vec<Table>, SqlError> {
    room.hold(beyond.lists.iter().flat_map(|(_, rows)| rows).map(weight).sum())?;
    let dialect = &registry.dialect;
    let listing = Listing::new(Arc::clone(registry), Arc::clone(cx.principal()));
    let mut tables = empty(registry, cx, places);
    let mut lists = Vec::new();
    for (place, table) in places.iter().zip(&mut tables) {
        let kept = narrow(table, question);
        match rows(dialect, *place) {
            Rows::Sessions(of) => lists.push(List { of, wide: beyond.wide.contains(place), table, kept }),
            Rows::Kills => {
                for kill in listing.kills() {
                    add(table, &kept, &kill.row(), room)?;
                }
            }
            #[cfg(feature = "cluster")]
            Rows::Nodes => {
                for node in &beyond.nodes {
                    add(table, &kept, &node.row(), room)?;
                }
            }
        }
    }
    if !lists.is_empty() {
        sessions(registry, cx, &listing, &mut lists, now, room)?;
        lists.retain(|list| list.wide);
        for (node, rows) in beyond.lists {
            let view = View::new(cx.principal(), Some(cx.session()), &node, true);
            for row in rows {
                cx.check()?;
                lists.iter_mut().try_for_each(|list| list.add(dialect, &view, &row, room))?;
            }
        }
    }
    Ok(tables)
}

/// A table of sessions that is being filled.
struct List<'a> {
    of: &'static dialect::Table,
    /// Whether it shows the sessions of all nodes.
    wide: bool,
    table: &'a mut Table,
    /// The places of the columns that are kept.
    kept: Vec<usize>,
}

impl List<'_> {
    fn add(&mut self, dialect: &Dialect, view: &View<'_>, row: &ProcessRow, room: &mut Room) -> Result<(), SqlError> {
        let (fields, mut added) = (dialect.table_fields(self.of, view), Ok(()));
        row_of(fields, view, &Seen::from(row), |values| {
            let row = self.kept.iter().filter_map(|at| values.get(*at).copied()).map(Value::to_owned);
            if added.is_ok() {
                added = push(self.table, row, room);
            }
        });
        added
    }
}

/// Fills tables with this node's sessions.
fn sessions(
    registry: &Registry,
    cx: &StatementContext,
    listing: &Listing,
    lists: &mut [List<'_>],
    now: Instant,
    room: &mut Room,
) -> Result<(), SqlError> {
    let mut roll = Roll::default();
    for ids in registry.client_ids() {
        roll.lead(ids);
        cx.check()?;
    }
    for ids in registry.ids() {
        roll.add(ids);
        cx.check()?;
    }
    let view = view(registry, cx);
    let (mut ids, mut slots) = (Vec::new(), Vec::new());
    loop {
        roll.next(RUN, &mut ids);
        if !registry.stands() {
            // A node that may have lost its place has no sessions to show.
            return Err(Killed(Reason::Offline).into());
        }
        if ids.is_empty() {
            return Ok(());
        }
        registry.get_each(&ids, &mut slots);
        for slot in slots.drain(..) {
            cx.check()?;
            let Some(row) = listing.show(&slot, now, |seen| ProcessRow::from(seen)) else { continue };
            lists.iter_mut().try_for_each(|list| list.add(&registry.dialect, &view, &row, room))?;
        }
    }
}

/// What a session's row takes of memory, about.
fn weight(row: &ProcessRow) -> usize {
    let text = |text: Option<&str>| text.map_or(0, str::len);
    size_of::<ProcessRow>() + text(row.info.as_deref()) + text(row.database.as_deref()) + text(row.trace_id.as_deref())
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

/// Adds a row, of which these places are kept.
fn add(table: &mut Table, kept: &[usize], row: &[OwnedValue], room: &mut Room) -> Result<(), SqlError> {
    push(table, kept.iter().filter_map(|at| row.get(*at).cloned()), room)
}

fn push(table: &mut Table, row: impl Iterator<Item = OwnedValue>, room: &mut Room) -> Result<(), SqlError> {
    let row: Vec<OwnedValue> = row.collect();
    room.take(&row)?;
    table.rows.push(row);
    Ok(())
}

fn headers(dialect: &Dialect, view: &View<'_>, place: usize) -> Vec<Column> {
    match rows(dialect, place) {
        Rows::Sessions(table) => columns(dialect.table_fields(table, view)),
        Rows::Kills => KillRow::columns(),
        #[cfg(feature = "cluster")]
        Rows::Nodes => NodeRow::columns(),
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
