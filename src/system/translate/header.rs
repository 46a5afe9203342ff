//! The names of result columns: MySQL names a column by its alias, or by its text as it is typed; SQLite is told so by an
//! alias for each.

use super::{
    literal::name,
    piece::{Kind, Piece},
};

/// MySQL cuts such names there, in characters.
const LONGEST: usize = 256;

/// Gives every item of the lists behind `SELECT` the name that MySQL gives it.
pub(super) fn give(pieces: Vec<Piece>, sql: &[u8]) -> Vec<Piece> {
    let (mut out, mut pieces) = (Vec::with_capacity(pieces.len()), pieces.into_iter().peekable());
    while let Some(piece) = pieces.next() {
        let select = piece.is_keyword("SELECT");
        out.push(piece);
        if !select {
            continue;
        }
        out.extend(pieces.next_if(|piece| piece.is_keyword("DISTINCT")));
        loop {
            let mut item = Vec::new();
            while let Some(piece) = pieces.next_if(|piece| !ends_item(&piece.kind)) {
                item.push(piece);
            }
            alias(&mut item, sql);
            out.append(&mut item);
            match pieces.next_if(|piece| matches!(piece.kind, Kind::Comma)) {
                Some(comma) => out.push(comma),
                None => break,
            }
        }
    }
    out
}

fn ends_item(kind: &Kind) -> bool {
    match kind {
        Kind::Comma => true,
        Kind::Keyword(word) => matches!(
            *word,
            "FROM" | "WHERE" | "GROUP" | "HAVING" | "WINDOW" | "ORDER" | "LIMIT" | "UNION" | "EXCEPT" | "INTERSECT"
        ),
        _ => false,
    }
}

fn alias(item: &mut Vec<Piece>, sql: &[u8]) {
    let Some((last, before)) = item.split_last_mut() else { return };
    let (start, end) = (before.first().map_or(last.start, |first| first.start), last.end);
    let is_name = matches!(last.kind, Kind::Name { bare: true, .. } | Kind::Text(_));
    let named = match before.last() {
        Some(word) if word.is_keyword("AS") => true,
        Some(value) if is_name && ends_operand(value) => {
            last.text.insert_str(0, "AS ");
            true
        }
        _ => false,
    };
    if named {
        if let Kind::Text(text) = &last.kind {
            let word = if last.text.starts_with("AS ") { "AS " } else { "" };
            last.text = format!("{word}{}", name(text));
        }
        return;
    }
    if matches!(last.kind, Kind::Star) {
        return;
    }
    let typed = match (&last.kind, before.is_empty()) {
        (Kind::Name { last, .. } | Kind::Text(last), true) => last.clone(),
        _ => String::from_utf8_lossy(sql.get(start..end).unwrap_or_default()).into_owned(),
    };
    let typed: String = typed.chars().filter(|c| *c != '\0').take(LONGEST).collect();
    item.push(Piece { kind: Kind::Operand, text: format!("AS {}", name(&typed)), start: end, end });
}

/// Whether another operand behind it can be an alias only.
fn ends_operand(piece: &Piece) -> bool {
    piece.is_operand() || ["NULL", "TRUE", "FALSE"].iter().any(|word| piece.is_keyword(word))
}
