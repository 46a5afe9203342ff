//! What stands between two parentheses, or in the whole statement, piece by piece.

use super::{
    Bind, Translator, header, literal,
    piece::{self, Kind, Piece},
    words,
};
use crate::{control::TokenKind, model::SqlError};

/// So deep may parentheses, `CASE` and `INTERVAL` be nested.
const DEEPEST: usize = 150;

impl Translator<'_> {
    /// Translates the tokens of a stretch. `whole`: it is the statement.
    pub(super) fn level(&mut self, from: usize, to: usize, whole: bool) -> Result<String, SqlError> {
        if self.depth == DEEPEST {
            return Err(SqlError::not_supported("expressions nested more than 150 levels deep"));
        }
        self.depth += 1;
        let mut pieces = Vec::new();
        let (mut at, mut limit) = (from, false);
        while at < to {
            let before = pieces.len();
            at = self.piece(at, to, whole, limit, &mut pieces)?;
            limit |= pieces[before..].iter().any(|piece| piece.is_keyword("LIMIT"));
        }
        self.depth -= 1;
        piece::resolve(&mut pieces, self.tokens.sql)?;
        Ok(piece::text(&header::give(pieces, self.tokens.sql)))
    }

    /// Reads one piece, or skips what says nothing here; the place behind it.
    fn piece(
        &mut self,
        at: usize,
        to: usize,
        whole: bool,
        limit: bool,
        out: &mut Vec<Piece>,
    ) -> Result<usize, SqlError> {
        let tokens = self.tokens;
        match tokens.kind(at) {
            TokenKind::Word(_) => self.word(at, to, out),
            TokenKind::QuotedIdent(_) => self.name(at, to, out),
            TokenKind::Number(number) => match literal::number(number, limit) {
                _ if !limit && literal::is_too_great(number) => {
                    let digits = String::from_utf8_lossy(&tokens.sql[tokens.start(at)..tokens.end(at)]);
                    Err(SqlError::bigint_out_of_range(&digits))
                }
                (text, None) => self.put(out, at, Kind::Operand, text, at + 1),
                (text, Some(value)) => self.put(out, at, Kind::Hex(value), text, at + 1),
            },
            TokenKind::Str(_) => {
                let (mut text, mut behind) = (String::new(), at);
                while let TokenKind::Str(part) = tokens.kind(behind)
                    && behind < to
                {
                    text.push_str(&part.to_string_lossy());
                    behind += 1;
                }
                let sql = literal::text(&text);
                self.put(out, at, Kind::Text(text), sql, behind)
            }
            TokenKind::UserVar(text) => {
                let value = (self.variables)(false, &text.to_string_lossy())?;
                self.bind(Bind::Value(value), at, out)
            }
            TokenKind::SystemVar(name) => {
                let value = (self.variables)(true, &String::from_utf8_lossy(name))?;
                self.bind(Bind::Value(value), at, out)
            }
            TokenKind::Symbol(b'?') => {
                self.params += 1;
                self.bind(Bind::Client(self.params - 1), at, out)
            }
            // Nearly all that it gives is beyond 63 bits.
            TokenKind::Symbol(b'~') => Err(SqlError::not_supported("the operator ~ on the system tables")),
            TokenKind::Symbol(b'(') => self.parentheses(at, to, whole, out),
            TokenKind::Symbol(_) => {
                let operand = out.last().is_some_and(Piece::is_operand);
                let (symbols, kind, text) = self.operator(at, operand).ok_or_else(|| tokens.refuse(at))?;
                self.put(out, at, kind, text.into(), at + symbols)
            }
            TokenKind::Unterminated | TokenKind::End => Err(tokens.refuse(at)),
        }
    }

    /// A piece from this token to the one before `behind`, which is given back.
    fn put(&self, out: &mut Vec<Piece>, at: usize, kind: Kind, text: String, behind: usize) -> Result<usize, SqlError> {
        out.push(Piece { kind, text, start: self.tokens.start(at), end: self.tokens.end(behind - 1) });
        Ok(behind)
    }

    /// A parameter or a variable.
    fn bind(&mut self, bind: Bind, at: usize, out: &mut Vec<Piece>) -> Result<usize, SqlError> {
        if self.binds.len() == usize::from(u16::MAX) {
            return Err(SqlError::too_many_placeholders());
        }
        self.binds.push(bind);
        self.put(out, at, Kind::Operand, format!("?{}", self.binds.len()), at + 1)
    }

    /// The operator here: of how many symbols it is, and what it is to SQLite. `operand`: it stands behind one.
    fn operator(&self, at: usize, operand: bool) -> Option<(usize, Kind, &'static str)> {
        let is = |symbols| self.tokens.are_symbols(at, symbols);
        let long = [
            ("<=>", Kind::Compare, "IS"),
            ("<=", Kind::Compare, "<="),
            (">=", Kind::Compare, ">="),
            ("<>", Kind::Compare, "<>"),
            ("!=", Kind::Compare, "<>"),
            ("<<", Kind::Bits, "<<"),
            (">>", Kind::Bits, ">>"),
            ("&&", Kind::Keyword("AND"), "AND"),
            ("||", Kind::Keyword("OR"), "OR"),
        ];
        if let Some((symbols, kind, text)) = long.into_iter().find(|(symbols, ..)| is(symbols)) {
            return Some((symbols.len(), kind, text));
        }
        let TokenKind::Symbol(symbol) = self.tokens.kind(at) else { return None };
        let (kind, text) = match symbol {
            b'*' if operand => (Kind::Multiply, "*"),
            b'*' => (Kind::Star, "*"),
            // MySQL's division is never one of integers.
            b'/' => (Kind::Multiply, "* 1.0 /"),
            b'%' => (Kind::Multiply, "%"),
            b'+' => (Kind::Add, "+"),
            b'-' => (Kind::Add, "-"),
            b'^' => (Kind::Caret, "^"),
            b'&' => (Kind::Bits, "&"),
            b'|' => (Kind::Bits, "|"),
            b'=' => (Kind::Compare, "="),
            b'<' => (Kind::Compare, "<"),
            b'>' => (Kind::Compare, ">"),
            b'!' => (Kind::Bang, "!"),
            b',' => (Kind::Comma, ","),
            _ => return None,
        };
        Some((1, kind, text))
    }

    /// What stands in parentheses that belong to no function.
    fn parentheses(&mut self, at: usize, to: usize, whole: bool, out: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let (tokens, behind) = (self.tokens, self.tokens.behind(at));
        let inside = self.level(at + 1, behind - 1, false)?;
        let first = (at + 1..behind).find(|at| !tokens.is_symbol(*at, b'('));
        let question = first.is_some_and(|at| tokens.is_word(at, "SELECT") || tokens.is_word(at, "WITH"));
        let opens = out
            .last()
            .is_none_or(|piece| ["UNION", "EXCEPT", "INTERSECT", "ALL"].iter().any(|word| piece.is_keyword(word)));
        let joins = ["UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT"].iter().any(|word| tokens.is_word(behind, word));
        // SQLite does not know parentheses around the parts of a union.
        let part = question && opens && ((behind == to && (whole || !out.is_empty())) || (behind < to && joins));
        let text = if part { format!("SELECT * FROM ({inside})") } else { format!("({inside})") };
        out.push(Piece { kind: Kind::Operand, text, start: tokens.start(at), end: tokens.end(behind - 1) });
        Ok(behind)
    }

    /// A name of one part or more, or all columns of a table.
    pub(super) fn name(&mut self, at: usize, to: usize, out: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let tokens = self.tokens;
        let mut last = tokens.name(at).ok_or_else(|| tokens.refuse(at))?;
        let (mut text, mut behind, mut star) = (literal::name(&last), at + 1, false);
        while behind < to && tokens.is_symbol(behind, b'.') && !star {
            star = tokens.is_symbol(behind + 1, b'*');
            if star {
                text.push_str(".*");
            } else {
                last = tokens.name(behind + 1).ok_or_else(|| tokens.refuse(behind))?;
                text = format!("{text}.{}", literal::name(&last));
            }
            behind += 2;
        }
        let columns = tokens.is_symbol(behind, b'(')
            && tokens.is_word(tokens.behind(behind), "AS")
            && tokens.is_symbol(tokens.behind(behind) + 1, b'(');
        if !star && !columns && tokens.is_symbol(behind, b'(') {
            let typed = &tokens.sql[tokens.start(at)..tokens.end(behind - 1)];
            return Err(SqlError::no_such_function(None, &String::from_utf8_lossy(typed).replace('`', "")));
        }
        let kind = if star { Kind::Star } else { Kind::Name { last, bare: behind == at + 1 } };
        out.push(Piece { kind, text, start: tokens.start(at), end: tokens.end(behind - 1) });
        Ok(behind)
    }

    /// A keyword, a call or a name.
    fn word(&mut self, at: usize, to: usize, out: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let tokens = self.tokens;
        let word = tokens.word(at).unwrap_or_default();
        let next = |ahead: usize, word: &str| tokens.is_word(at + ahead, word);
        let called = tokens.is_symbol(at + 1, b'(');
        let operand = out.last().is_some_and(Piece::is_operand);
        match word.as_str() {
            _ if tokens.is_symbol(at + 1, b'.') => self.name(at, to, out),
            "SELECT" => {
                let mut behind = at + 1;
                while behind < to
                    && tokens.word(behind).is_some_and(|word| words::MODIFIERS.contains(&word.as_str()))
                    && !tokens.is_symbol(behind + 1, b'.')
                {
                    behind += 1;
                }
                self.put(out, at, Kind::Keyword("SELECT"), word, behind)
            }
            "DISTINCTROW" => self.put(out, at, Kind::Keyword("DISTINCT"), "DISTINCT".into(), at + 1),
            "DISTINCT"
                if out.last().is_some_and(|piece| {
                    ["UNION", "EXCEPT", "INTERSECT"].iter().any(|word| piece.is_keyword(word))
                }) =>
            {
                Ok(at + 1)
            }
            "FROM" if next(1, "DUAL") && !tokens.is_symbol(at + 2, b',') => Ok(at + 2),
            "FOR" if next(1, "UPDATE") || next(1, "SHARE") => Ok(to),
            "LOCK" if next(1, "IN") && next(2, "SHARE") && next(3, "MODE") => Ok(at + 4),
            "USE" | "FORCE" | "IGNORE" if next(1, "INDEX") || next(1, "KEY") => {
                let list = (at + 2..to).find(|at| tokens.is_symbol(*at, b'(')).ok_or_else(|| tokens.refuse(at))?;
                Ok(tokens.behind(list))
            }
            "WITH" if next(1, "ROLLUP") => Err(SqlError::not_supported("WITH ROLLUP")),
            "CASE" => {
                let end = self.end_of_case(at, to)?;
                let inside = self.level(at + 1, end, false)?;
                self.put(out, at, Kind::Operand, format!("(CASE {inside} END COLLATE NOCASE)"), end + 1)
            }
            "DIV" if operand => self.put(out, at, Kind::Div, word, at + 1),
            "MOD" if operand => self.put(out, at, Kind::Multiply, "%".into(), at + 1),
            "BINARY" if !called || !operand => self.put(out, at, Kind::Binary, word, at + 1),
            "UNKNOWN" if out.last().is_some_and(|piece| piece.is_keyword("IS") || piece.is_keyword("NOT")) => {
                self.put(out, at, Kind::Keyword("NULL"), "NULL".into(), at + 1)
            }
            "TRUE" | "FALSE" if out.last().is_some_and(|piece| matches!(piece.kind, Kind::Compare)) => {
                self.put(out, at, Kind::Operand, u8::from(word == "TRUE").to_string(), at + 1)
            }
            "COLLATE" => {
                let collation = tokens.name(at + 1).ok_or_else(|| tokens.refuse(at + 1))?.to_ascii_lowercase();
                let bytes = collation == "binary" || collation.ends_with("_bin") || collation.ends_with("_cs");
                let once = |last: &&mut Piece| last.is_operand() && !matches!(last.kind, Kind::Collated(_));
                let last = out.last_mut().filter(once).ok_or_else(|| tokens.refuse(at))?;
                last.text = format!("({} COLLATE {})", last.text, if bytes { "BINARY" } else { "NOCASE" });
                last.end = tokens.end(at + 1);
                last.kind = Kind::Collated(if bytes { "BINARY" } else { "NOCASE" });
                Ok(at + 2)
            }
            "INTERVAL" => self.interval(at, to, out),
            // `x (a, b) AS (SELECT …)`
            _ if called
                && tokens.is_word(tokens.behind(at + 1), "AS")
                && tokens.is_symbol(tokens.behind(at + 1) + 1, b'(') =>
            {
                self.name(at, to, out)
            }
            "LEFT" | "RIGHT" if called => self.call(&word, at, out),
            // A character set before a string.
            _ if word.starts_with('_') && matches!(tokens.kind(at + 1), TokenKind::Str(_)) => Ok(at + 1),
            _ => match words::keyword(&word) {
                Some(keyword) => self.put(out, at, Kind::Keyword(keyword), keyword.into(), at + 1),
                None if called || words::BARE.contains(&word.as_str()) => self.call(&word, at, out),
                None => self.name(at, to, out),
            },
        }
    }

    /// The place of the `END` of the `CASE` here.
    fn end_of_case(&self, at: usize, to: usize) -> Result<usize, SqlError> {
        let (tokens, mut open, mut place) = (self.tokens, 0usize, at);
        while place < to {
            let named = place > 0 && tokens.is_symbol(place - 1, b'.');
            if !named && tokens.is_word(place, "CASE") {
                open += 1;
            } else if !named && tokens.is_word(place, "END") {
                open -= 1;
            }
            if open == 0 {
                return Ok(place);
            }
            place = tokens.behind(place);
        }
        Err(tokens.refuse(to))
    }

    /// `INTERVAL 5 MINUTE`.
    pub(super) fn interval(&mut self, at: usize, to: usize, out: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let tokens = self.tokens;
        let mut place = at + 1;
        while place < to {
            if let Some(unit) = tokens.word(place).and_then(|word| words::UNITS.into_iter().find(|unit| *unit == word))
                && place > at + 1
                && !tokens.is_symbol(place + 1, b'(')
            {
                let amount = self.level(at + 1, place, false)?;
                let (start, end) = (tokens.start(at), tokens.end(place));
                out.push(Piece { kind: Kind::Interval { amount, unit }, text: String::new(), start, end });
                return Ok(place + 1);
            }
            place = tokens.behind(place);
        }
        Err(tokens.refuse(at + 1))
    }
}
