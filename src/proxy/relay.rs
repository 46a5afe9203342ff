//! A server's answer on its way to the client: as it comes, where the client reads what servers write; decoded, where it
//! does not.

use bytes::Bytes;

use super::{
    backend::{Answer, Backend, BackendError, Gathered, Head, Rows, Shown, binary_row, column, payloads, text_row},
    failure::{self, Failure},
    kill::Watch,
};
use crate::{
    engine::{RowFormat, RowSink},
    model::{Column, Killed, OwnedValue, Value},
    session::Allowed,
};

/// Hands the answer on: the results, one after the other, up to the end of the last one, which the caller tells. What the server
/// said of changes behind any of them is in the answer.
pub(super) async fn relay(
    watch: &mut Watch<'_>,
    backend: &mut Backend,
    out: &mut RowSink,
    format: RowFormat,
) -> Result<Answer, Failure> {
    let mut changes = Gathered::default();
    loop {
        let mut answer = match watch.over(backend.head()).await? {
            // What stands between results is of use to nobody.
            Head::Ok(mut answer) => {
                answer.info.take().iter().filter(|_| !answer.more).for_each(|info| out.info(info));
                answer
            }
            Head::Columns(definitions) if out.relays(format) => {
                out.relay_columns(&definitions)?;
                as_they_come(watch, backend, out).await?
            }
            // On the heap: it is rare, and large.
            Head::Columns(definitions) => {
                let written_anew = async {
                    let answer = decoded(watch, backend, out, &definitions, format).await;
                    readable(watch, backend, answer).await
                };
                Box::pin(written_anew).await?
            }
        };
        changes.add(std::mem::take(&mut answer.changes))?;
        if !answer.more {
            answer.changes = changes.all();
            return Ok(answer);
        }
        // What follows, be it an OK or an error, is none of these rows' end.
        out.end_rows();
    }
}

/// The values of the answer's first row, which goes to no client. One that is longer than a packet is more than is allowed.
pub(super) async fn first_row(
    watch: &mut Watch<'_>,
    backend: &mut Backend,
    allowed: Allowed,
) -> Result<Vec<OwnedValue>, Failure> {
    let definitions = match watch.over(backend.head()).await? {
        Head::Ok(_) => return Ok(Vec::new()),
        Head::Columns(definitions) => definitions,
    };
    let first = first_of(watch, backend, &definitions, allowed).await;
    readable(watch, backend, first).await
}

async fn first_of(
    watch: &mut Watch<'_>,
    backend: &mut Backend,
    definitions: &[Bytes],
    allowed: Allowed,
) -> Result<Vec<OwnedValue>, Failure> {
    let columns = columns(definitions)?;
    let mut first = None;
    loop {
        match watch.over(backend.pieces()).await? {
            Rows::Some(packets) if first.is_none() => {
                if let Some(payload) = payloads(packets).next() {
                    first = Some(text_row(&columns, &payload).map_err(unreadable)?);
                }
            }
            // A row that is not held whole.
            Rows::Part(_) if first.is_none() => return Err(Failure::Server(allowed.too_much())),
            Rows::Some(_) | Rows::Part(_) => {}
            Rows::End(_) => return Ok(first.unwrap_or_default()),
        }
    }
}

/// What became of an answer that was read here. If something of it could not be read, the rest is still on its way: it is dropped,
/// and the connection is fine.
async fn readable<T>(watch: &mut Watch<'_>, backend: &mut Backend, answer: Result<T, Failure>) -> Result<T, Failure> {
    if let Err(Failure::Server(_)) = &answer {
        match watch.over(backend.finish()).await {
            Ok(_) | Err(Failure::Server(_)) => {}
            Err(over) => return Err(over),
        }
    }
    answer
}

fn unreadable(what: BackendError) -> Failure {
    Failure::Server(failure::malformed(&what))
}

fn columns(definitions: &[Bytes]) -> Result<Vec<Column>, Failure> {
    definitions.iter().map(|definition| column(definition)).collect::<Result<_, _>>().map_err(unreadable)
}

async fn as_they_come(watch: &mut Watch<'_>, backend: &mut Backend, out: &mut RowSink) -> Result<Answer, Failure> {
    loop {
        let behind = match watch.over(backend.pieces()).await? {
            Rows::Some(packets) => out.relay_rows(packets)?,
            Rows::Part(part) => {
                let behind = out.relay_part(part.bytes, part.starts, part.ends);
                if behind && !part.ends {
                    // A row that was begun is made whole, also if the statement was killed: within the kill's time.
                    watch.over(async { Ok(out.room().await) }).await??;
                    continue;
                }
                behind
            }
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
    definitions: &[Bytes],
    format: RowFormat,
) -> Result<Answer, Failure> {
    let columns = columns(definitions)?;
    out.columns(columns.clone())?;
    let shown = (format == RowFormat::Binary && out.wants(RowFormat::Text)).then(|| {
        let each = definitions.iter().zip(&columns);
        each.map(|(definition, column)| Shown::new(definition, column)).collect::<Vec<_>>()
    });
    loop {
        let mut behind = false;
        match watch.over(backend.rows()).await? {
            Rows::Some(packets) => {
                for payload in payloads(packets) {
                    behind = put(out, &columns, &payload, (format, shown.as_deref()))?;
                }
            }
            Rows::Part(_) => {}
            Rows::End(answer) => return Ok(answer),
        }
        if behind {
            watch.aside(out.ready()).await?;
        }
    }
}

/// Adds a row, as `shown` if its values become texts here. `true`: the reader is behind.
fn put(
    out: &mut RowSink,
    columns: &[Column],
    payload: &[u8],
    (format, shown): (RowFormat, Option<&[Shown]>),
) -> Result<bool, Failure> {
    let row = match format {
        RowFormat::Text => text_row(columns, payload),
        RowFormat::Binary => binary_row(columns, payload),
    };
    let mut row = row.map_err(unreadable)?;
    if let Some(shown) = shown {
        row = shown.iter().zip(row).map(|(shown, value)| shown.value(value)).collect();
    }
    let row: Vec<Value<'_>> = row.iter().map(OwnedValue::borrow).collect();
    out.row(&row).map_err(|killed: Killed| Failure::from(killed))
}
