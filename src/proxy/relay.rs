//! A server's answer on its way to the client: as it comes, where the client reads what servers write; decoded, where it
//! does not.

use super::{
    backend::{Answer, Backend, Changes, Head, Rows, binary_row, column, payloads, text_row},
    failure::Failure,
    kill::Watch,
};
use crate::{
    engine::{RowFormat, RowSink},
    model::{Column, Killed, OwnedValue, Value},
};

/// Hands the answer on: the results, one after the other, up to the end of the last one, which the caller tells. What the server
/// said of changes behind any of them is in the answer.
pub(super) async fn relay(
    watch: &mut Watch<'_>,
    backend: &mut Backend,
    out: &mut RowSink,
    format: RowFormat,
) -> Result<Answer, Failure> {
    let mut changes = Changes::default();
    loop {
        let mut answer = match watch.over(backend.head()).await? {
            // What stands between results, or behind them, has no rows to hand on.
            Head::Ok(answer) => answer,
            Head::Columns(definitions) if out.relays(format) => {
                out.relay_columns(&definitions)?;
                as_they_come(watch, backend, out).await?
            }
            Head::Columns(definitions) => {
                let columns = definitions.iter().map(|definition| column(definition));
                let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
                out.columns(columns.clone())?;
                decoded(watch, backend, out, &columns, format).await?
            }
        };
        changes.follow(std::mem::take(&mut answer.changes));
        if !answer.more {
            answer.changes = changes;
            return Ok(answer);
        }
    }
}

/// The values of the answer's first row, which goes to no client.
pub(super) async fn first_row(watch: &mut Watch<'_>, backend: &mut Backend) -> Result<Vec<OwnedValue>, Failure> {
    let columns: Vec<Column> = match watch.over(backend.head()).await? {
        Head::Ok(_) => return Ok(Vec::new()),
        Head::Columns(definitions) => {
            definitions.iter().map(|definition| column(definition)).collect::<Result<_, _>>()?
        }
    };
    let mut first = None;
    loop {
        match watch.over(backend.rows()).await? {
            Rows::Some(packets) if first.is_none() => {
                if let Some(payload) = payloads(packets).next() {
                    first = Some(text_row(&columns, &payload)?);
                }
            }
            Rows::Some(_) => {}
            Rows::End(_) => return Ok(first.unwrap_or_default()),
        }
    }
}

async fn as_they_come(watch: &mut Watch<'_>, backend: &mut Backend, out: &mut RowSink) -> Result<Answer, Failure> {
    loop {
        let behind = match watch.over(backend.rows()).await? {
            Rows::Some(packets) => out.relay_rows(packets)?,
            Rows::End(answer) => return Ok(answer),
        };
        if behind {
            watch.aside(out.ready()).await?;
        }
    }
}

async fn decoded(
    watch: &mut Watch<'_>,
    backend: &mut Backend,
    out: &mut RowSink,
    columns: &[Column],
    format: RowFormat,
) -> Result<Answer, Failure> {
    loop {
        let mut behind = false;
        match watch.over(backend.rows()).await? {
            Rows::Some(packets) => {
                for payload in payloads(packets) {
                    behind = put(out, columns, &payload, format)?;
                }
            }
            Rows::End(answer) => return Ok(answer),
        }
        if behind {
            watch.aside(out.ready()).await?;
        }
    }
}

/// Adds a row. `true`: the reader is behind.
fn put(out: &mut RowSink, columns: &[Column], payload: &[u8], format: RowFormat) -> Result<bool, Failure> {
    let row = match format {
        RowFormat::Text => text_row(columns, payload)?,
        RowFormat::Binary => binary_row(columns, payload)?,
    };
    let row: Vec<Value<'_>> = row.iter().map(OwnedValue::borrow).collect();
    out.row(&row).map_err(|killed: Killed| Failure::from(killed))
}
