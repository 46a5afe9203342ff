//! `BEGIN`, `COMMIT`, `ROLLBACK` and savepoints: the flags of the session. What they do to data is the engine's.

use sqlparser::tokenizer::Token;

use super::{
    Answer,
    cursor::Cursor,
    state::ClientState,
    stop::{Found, Stop},
};

/// Answers the statements that begin and end transactions.
///
/// # Errors
/// Not ours, if it is anything else (`START REPLICA`, `COMMIT RELEASE`, XA); 1305 for a savepoint that is not there.
pub(super) fn answer(state: &mut ClientState, mut cursor: Cursor<'_>) -> Found<Answer> {
    if cursor.word("BEGIN") {
        cursor.word("WORK");
        cursor.end()?;
        state.begin();
    } else if cursor.words(&["START", "TRANSACTION"]) {
        characteristics(&mut cursor)?;
        state.begin();
    } else if cursor.word("COMMIT") {
        end(state, &mut cursor)?;
    } else if cursor.word("ROLLBACK") {
        if cursor.words(&["WORK", "TO"]) || cursor.word("TO") {
            cursor.word("SAVEPOINT");
            let name = cursor.name()?;
            cursor.end()?;
            state.back_to_savepoint(&name, true)?;
        } else {
            end(state, &mut cursor)?;
        }
    } else if cursor.word("SAVEPOINT") {
        let name = cursor.name()?;
        cursor.end()?;
        state.set_savepoint(&name)?;
    } else if cursor.words(&["RELEASE", "SAVEPOINT"]) {
        let name = cursor.name()?;
        cursor.end()?;
        state.back_to_savepoint(&name, false)?;
    } else {
        return Err(Stop::NotOurs);
    }
    state.clear_warnings();
    Ok(Answer::Ok(state.done()))
}

/// `[WITH CONSISTENT SNAPSHOT | READ WRITE | READ ONLY], …`.
fn characteristics(cursor: &mut Cursor<'_>) -> Found<()> {
    if cursor.at_end() {
        return Ok(());
    }
    loop {
        let known = cursor.words(&["WITH", "CONSISTENT", "SNAPSHOT"])
            || cursor.words(&["READ", "WRITE"])
            || cursor.words(&["READ", "ONLY"]);
        if !known {
            return Err(Stop::NotOurs);
        }
        if !cursor.take(&Token::Comma) {
            return cursor.end();
        }
    }
}

/// `[WORK] [AND [NO] CHAIN] [NO RELEASE]`. RELEASE closes the connection: that is not ours to do.
fn end(state: &mut ClientState, cursor: &mut Cursor<'_>) -> Found<()> {
    cursor.word("WORK");
    let chain = cursor.words(&["AND", "CHAIN"]);
    if !chain {
        cursor.words(&["AND", "NO", "CHAIN"]);
    }
    cursor.words(&["NO", "RELEASE"]);
    cursor.end()?;
    if chain {
        state.begin();
    } else {
        state.end_transaction();
    }
    Ok(())
}
