//! What a stretch of a statement is made of once its parentheses are done with: operands and what stands between them.
//! Here the operators that SQLite does not have become calls.

use super::arithmetic;
use crate::{control::syntax_error, model::SqlError};

/// An operand, an operator or a keyword, with its text in SQLite's SQL and its place in the statement.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A whole operand.
    Operand,
    /// An operand that compares by the collation that it is said to.
    Collated(&'static str),
    /// A name: the last part of it, and whether that is all.
    Name {
        last: String,
        bare: bool,
    },
    /// A string, decoded.
    Text(String),
    /// A hexadecimal literal, a string: what it is as a number, where it fits one.
    Hex(Option<u64>),
    /// `*` in the place of an operand.
    Star,
    /// `*`, `/`, `%`.
    Multiply,
    /// `+`, `-`.
    Add,
    /// `^`, which binds closer than those.
    Caret,
    /// `DIV`.
    Div,
    /// Shifts, and `&` and `|`.
    Bits,
    /// A comparison.
    Compare,
    /// `!`.
    Bang,
    /// `BINARY`.
    Binary,
    /// `INTERVAL`: how much of which unit.
    Interval {
        amount: String,
        unit: &'static str,
    },
    Comma,
    Keyword(&'static str),
}

impl Piece {
    pub(super) fn is_operand(&self) -> bool {
        matches!(self.kind, Kind::Operand | Kind::Collated(_) | Kind::Name { .. } | Kind::Text(_) | Kind::Hex(_))
    }

    pub(super) fn is_keyword(&self, wanted: &str) -> bool {
        matches!(self.kind, Kind::Keyword(word) if word == wanted)
    }
}

/// The text of all of them.
pub(super) fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Puts one operand in the place of pieces.
pub(super) fn replace(pieces: &mut Vec<Piece>, from: usize, to: usize, text: String) {
    let piece = Piece { kind: Kind::Operand, text, start: pieces[from].start, end: pieces[to].end };
    pieces.splice(from..=to, [piece]);
}

/// SQLite compares by the left operand's collation; MySQL by the one that is written, be it the right operand's.
fn collations(pieces: &mut [Piece]) {
    for at in 1..pieces.len().saturating_sub(1) {
        let (Kind::Compare, Kind::Collated(collation)) = (&pieces[at].kind, &pieces[at + 1].kind) else { continue };
        let text = format!("({} COLLATE {collation})", pieces[at - 1].text);
        if pieces[at - 1].is_operand() && !matches!(pieces[at - 1].kind, Kind::Collated(_)) {
            pieces[at - 1].text = text;
        }
    }
}

/// So many of these operators may stand side by side: each moves what is behind it and copies what is before it.
const OPERATORS: usize = 300;

/// So many pieces may they move all together.
const MOVES: usize = 1 << 22;

/// Makes calls of the operators that SQLite does not have.
///
/// # Errors
/// 1064: one of them has no operand. 1235: there are too many.
pub(super) fn resolve(pieces: &mut Vec<Piece>, sql: &[u8]) -> Result<(), SqlError> {
    let moves = |piece: &&Piece| match piece.kind {
        Kind::Caret
        | Kind::Div
        | Kind::Multiply
        | Kind::Add
        | Kind::Bits
        | Kind::Bang
        | Kind::Binary
        | Kind::Interval { .. } => true,
        _ => piece.is_keyword("XOR"),
    };
    let operators = pieces.iter().filter(moves).count();
    if operators > OPERATORS || operators * pieces.len() > MOVES {
        return Err(SqlError::not_supported("so many operators in one expression"));
    }
    hex(pieces);
    prefixes(pieces, sql)?;
    collations(pieces);
    if pieces.iter().any(arithmetic::computes) {
        arithmetic::operands(pieces);
        arithmetic::products(pieces);
        if let Some(lonely) = pieces.iter().find(|piece| matches!(piece.kind, Kind::Div | Kind::Caret)) {
            return Err(syntax_error(sql, lonely.start));
        }
    }
    intervals(pieces, sql)?;
    arithmetic::sums(pieces);
    arithmetic::bits(pieces);
    exclusive_or(pieces, sql)
}

/// A hexadecimal literal is a number where one computes with it.
fn hex(pieces: &mut [Piece]) {
    let computes = |piece: Option<&Piece>| {
        piece.is_some_and(|piece| {
            matches!(piece.kind, Kind::Multiply | Kind::Add | Kind::Caret | Kind::Div | Kind::Bits)
        })
    };
    for at in 0..pieces.len() {
        let Kind::Hex(Some(number)) = pieces[at].kind else { continue };
        if computes(pieces.get(at + 1)) || computes(at.checked_sub(1).and_then(|before| pieces.get(before))) {
            let fits = i64::try_from(number).is_ok();
            // As an integer it would be another one.
            pieces[at].text = if fits { number.to_string() } else { format!("my_mul({}, 2)", i64::MAX) };
        }
    }
}

/// `!x` and `BINARY x`, from the last to the first, since each may stand before another.
fn prefixes(pieces: &mut Vec<Piece>, sql: &[u8]) -> Result<(), SqlError> {
    for at in (0..pieces.len()).rev() {
        let bang = match pieces[at].kind {
            Kind::Bang => true,
            Kind::Binary => false,
            _ => continue,
        };
        let Some(next) = pieces.get(at + 1).filter(|next| next.is_operand()) else {
            return Err(syntax_error(sql, pieces[at].end));
        };
        let text = if bang { format!("(NOT {})", next.text) } else { format!("({} COLLATE BINARY)", next.text) };
        replace(pieces, at, at + 1, text);
        if !bang {
            pieces[at].kind = Kind::Collated("BINARY");
        }
    }
    Ok(())
}

/// Where the chain of operands and such operators that ends before `at` begins.
fn chain(pieces: &[Piece], at: usize, closer: fn(&Kind) -> bool) -> usize {
    let mut from = at;
    while from > 0 && pieces[from - 1].is_operand() {
        from -= 1;
        if from == 0 || !closer(&pieces[from - 1].kind) {
            break;
        }
        from -= 1;
    }
    from
}

/// `x + INTERVAL 5 MINUTE`, and less of it.
fn intervals(pieces: &mut Vec<Piece>, sql: &[u8]) -> Result<(), SqlError> {
    let mut at = 0;
    while at < pieces.len() {
        let Kind::Interval { amount, unit } = &pieces[at].kind else {
            at += 1;
            continue;
        };
        let sign = at.checked_sub(1).map(|sign| &pieces[sign]).filter(|sign| sign.text == "+" || sign.text == "-");
        let from = if at > 1 { chain(pieces, at - 1, |kind| matches!(kind, Kind::Multiply | Kind::Add)) } else { at };
        let (Some(sign), true) = (sign, from + 1 < at) else { return Err(syntax_error(sql, pieces[at].start)) };
        let made = format!("my_date_add({}, {} ({amount}), '{unit}')", text(&pieces[from..at - 1]), sign.text);
        replace(pieces, from, at, made);
        at = from + 1;
    }
    Ok(())
}

/// `XOR` binds looser than `AND` and closer than `OR`.
fn exclusive_or(pieces: &mut Vec<Piece>, sql: &[u8]) -> Result<(), SqlError> {
    let ends = |piece: &Piece| match piece.kind {
        Kind::Comma => true,
        Kind::Keyword(word) => !matches!(
            word,
            "AND"
                | "NOT"
                | "IS"
                | "NULL"
                | "TRUE"
                | "FALSE"
                | "IN"
                | "LIKE"
                | "ESCAPE"
                | "BETWEEN"
                | "REGEXP"
                | "EXISTS"
        ),
        _ => false,
    };
    while let Some(at) = pieces.iter().position(|piece| piece.is_keyword("XOR")) {
        let from = pieces[..at].iter().rposition(ends).map_or(0, |before| before + 1);
        let to = pieces[at + 1..].iter().position(ends).map_or(pieces.len(), |behind| at + 1 + behind);
        if from == at || to == at + 1 {
            return Err(syntax_error(sql, pieces[at].start));
        }
        let made = format!("my_xor({}, {})", text(&pieces[from..at]), text(&pieces[at + 1..to]));
        replace(pieces, from, to - 1, made);
    }
    Ok(())
}
