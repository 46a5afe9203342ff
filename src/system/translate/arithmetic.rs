//! Arithmetic, by MySQL's precedence. SQLite computes in doubles what no signed 64 bits hold, takes bits for signed, and has
//! one precedence for all operators of bits: so each operator becomes a call that is exact, or an error.

use super::piece::{Kind, Piece, replace, text};

/// Makes calls of `^`, and then of `*`, `/`, `%` and `DIV`, which are of one precedence.
pub(super) fn products(pieces: &mut Vec<Piece>) {
    fold(pieces, |piece| matches!(piece.kind, Kind::Caret), |_, left, right| format!("my_bitxor({left}, {right})"));
    fold(
        pieces,
        |piece| matches!(piece.kind, Kind::Multiply | Kind::Div),
        |operator, left, right| match operator {
            "*" => format!("my_mul({left}, {right})"),
            "%" => format!("my_mod({left}, {right})"),
            "* 1.0 /" => format!("({left} * 1.0 / {right})"),
            _ => format!("my_div({left}, {right})"),
        },
    );
}

/// Makes calls of `+` and `-`.
pub(super) fn sums(pieces: &mut Vec<Piece>) {
    fold(
        pieces,
        |piece| matches!(piece.kind, Kind::Add),
        |operator, left, right| match operator {
            "+" => format!("my_add({left}, {right})"),
            _ => format!("my_sub({left}, {right})"),
        },
    );
}

/// Makes calls of shifts, `&` and `|`, the closest first.
pub(super) fn bits(pieces: &mut Vec<Piece>) {
    fold(
        pieces,
        |piece| piece.text == "<<" || piece.text == ">>",
        |operator, left, right| match operator {
            "<<" => format!("my_shl({left}, {right})"),
            _ => format!("my_shr({left}, {right})"),
        },
    );
    fold(pieces, |piece| piece.text == "&", |_, left, right| format!("my_bitand({left}, {right})"));
    fold(pieces, |piece| piece.text == "|", |_, left, right| format!("my_bitor({left}, {right})"));
}

/// Makes whole operands of what computes as one: truth values beside an operator, and calls with their windows.
pub(super) fn operands(pieces: &mut Vec<Piece>) {
    let constant = |piece: &Piece| ["NULL", "TRUE", "FALSE"].iter().any(|word| piece.is_keyword(word));
    for at in 0..pieces.len() {
        if at > 0 && matches!(pieces[at].kind, Kind::Star) && constant(&pieces[at - 1]) {
            pieces[at].kind = Kind::Multiply;
        }
    }
    let computes = |piece: Option<&Piece>| piece.is_some_and(computes);
    for at in 0..pieces.len() {
        let beside = computes(pieces.get(at + 1)) || at > 0 && computes(pieces.get(at - 1));
        if beside && constant(&pieces[at]) {
            pieces[at].kind = Kind::Operand;
        }
    }
    let mut at = 1;
    while at + 2 < pieces.len() {
        let over = pieces[at].is_keyword("OVER") && pieces[at - 1].is_operand() && pieces[at + 1].is_operand();
        if over && computes(pieces.get(at + 2)) {
            let made = text(&pieces[at - 1..=at + 1]);
            replace(pieces, at - 1, at + 1, made);
        } else {
            at += 1;
        }
    }
    let mut at = pieces.len().saturating_sub(2);
    while at > 1 {
        let over = pieces[at].is_keyword("OVER") && pieces[at - 1].is_operand() && pieces[at + 1].is_operand();
        if over && computes(pieces.get(at - 2)) {
            let made = text(&pieces[at - 1..=at + 1]);
            replace(pieces, at - 1, at + 1, made);
        }
        at -= 1;
    }
}

/// Whether it is an operator of this file's.
pub(super) fn computes(piece: &Piece) -> bool {
    matches!(piece.kind, Kind::Multiply | Kind::Add | Kind::Bits | Kind::Div | Kind::Caret)
}

/// From the left to the right. What has no operand on one side is left to SQLite, which refuses it.
fn fold(pieces: &mut Vec<Piece>, is: fn(&Piece) -> bool, call: fn(&str, String, String) -> String) {
    let mut at = 1;
    while at < pieces.len() {
        let right = is(&pieces[at]).then(|| after(pieces, at + 1)).flatten();
        let (Some(to), true) = (right, pieces[at - 1].is_operand()) else {
            at += 1;
            continue;
        };
        let from = before(pieces, at - 1);
        let made = call(&pieces[at].text, text(&pieces[from..at]), text(&pieces[at + 1..=to]));
        replace(pieces, from, to, made);
        at = from + 1;
    }
}

/// Where the operand ends that begins here, maybe with signs.
fn after(pieces: &[Piece], mut at: usize) -> Option<usize> {
    while matches!(pieces.get(at)?.kind, Kind::Add) {
        at += 1;
    }
    pieces[at].is_operand().then_some(at)
}

/// Where the signs begin that belong to the operand here.
fn before(pieces: &[Piece], mut at: usize) -> usize {
    while at > 0 && matches!(pieces[at - 1].kind, Kind::Add) && (at == 1 || !pieces[at - 2].is_operand()) {
        at -= 1;
    }
    at
}
