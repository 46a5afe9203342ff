//! Calls of functions, some of which have a grammar of their own.

use super::{
    Translator, literal,
    piece::{Kind, Piece},
    words,
};
use crate::model::SqlError;

/// From the first token to behind the last.
type Range = (usize, usize);

impl Translator<'_> {
    /// A call, with its parentheses or without; the place behind it.
    pub(super) fn call(&mut self, name: &str, at: usize, out: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let tokens = self.tokens;
        let called = tokens.is_symbol(at + 1, b'(');
        let behind = if called { tokens.behind(at + 1) } else { at + 1 };
        let inside = if called { (at + 2, behind - 1) } else { (behind, behind) };
        let text = self.special(name, inside)?;
        let text = match text {
            Some(text) => text,
            None => {
                let function = words::function(name).ok_or_else(|| {
                    let typed = String::from_utf8_lossy(&tokens.sql[tokens.start(at)..tokens.end(at)]).into_owned();
                    SqlError::no_such_function(self.database, &typed)
                })?;
                format!("{function}({})", self.arguments(inside)?)
            }
        };
        // Texts compare without case; with a window behind it, it is not an operand yet.
        let over = tokens.is_word(behind, "OVER");
        let text = if over { text } else { format!("({text} COLLATE NOCASE)") };
        out.push(Piece { kind: Kind::Operand, text, start: tokens.start(at), end: tokens.end(behind - 1) });
        Ok(behind)
    }

    fn expression(&mut self, (from, to): Range) -> Result<String, SqlError> {
        if from >= to {
            return Err(self.tokens.refuse(from));
        }
        self.level(from, to, false)
    }

    fn arguments(&mut self, (from, to): Range) -> Result<String, SqlError> {
        let parts = self.tokens.split(from, to);
        Ok(parts.into_iter().map(|part| self.expression(part)).collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    /// The functions whose arguments are more than expressions between commas.
    fn special(&mut self, name: &str, inside: Range) -> Result<Option<String>, SqlError> {
        let (tokens, (from, to)) = (self.tokens, inside);
        let find = |word| tokens.find(from, to, word);
        let text = match name {
            "CAST" => {
                let at = find("AS").ok_or_else(|| tokens.refuse(to))?;
                self.cast((from, at), at + 1, to)?
            }
            "CONVERT" => match (find("USING"), tokens.split(from, to).as_slice()) {
                (Some(at), _) => self.expression((from, at))?,
                (None, [value, (kind, _)]) => self.cast(*value, *kind, to)?,
                _ => return Err(tokens.refuse(to)),
            },
            "GROUP_CONCAT" => self.group_concat(inside)?,
            "DATE_ADD" | "ADDDATE" | "DATE_SUB" | "SUBDATE" => {
                let sign = if matches!(name, "DATE_ADD" | "ADDDATE") { '+' } else { '-' };
                let &[value, (amount, end)] = tokens.split(from, to).as_slice() else {
                    return Err(tokens.refuse(to));
                };
                let value = self.expression(value)?;
                let mut pieces = Vec::new();
                if !tokens.is_word(amount, "INTERVAL") {
                    let days = self.expression((amount, end))?;
                    return Ok(Some(format!("my_date_add({value}, {sign} ({days}), 'DAY')")));
                }
                let behind = self.interval(amount, end, &mut pieces)?;
                let Some(Piece { kind: Kind::Interval { amount, unit }, .. }) = pieces.pop().filter(|_| behind == end)
                else {
                    return Err(tokens.refuse(behind));
                };
                format!("my_date_add({value}, {sign} ({amount}), '{unit}')")
            }
            "TIMESTAMPDIFF" | "TIMESTAMPADD" => {
                let unit = self.unit(from)?;
                let &[_, first, second] = tokens.split(from, to).as_slice() else { return Err(tokens.refuse(to)) };
                let (first, second) = (self.expression(first)?, self.expression(second)?);
                if name == "TIMESTAMPDIFF" {
                    format!("my_timestampdiff('{unit}', {first}, {second})")
                } else {
                    format!("my_date_add({second}, {first}, '{unit}')")
                }
            }
            "EXTRACT" => {
                let at = find("FROM").ok_or_else(|| tokens.refuse(to))?;
                let unit = self.unit(from)?;
                if unit == "WEEK" {
                    return Err(SqlError::not_supported("EXTRACT(WEEK …)"));
                }
                format!("my_extract('{unit}', {})", self.expression((at + 1, to))?)
            }
            "POSITION" => {
                let at = find("IN").ok_or_else(|| tokens.refuse(to))?;
                format!("my_locate({}, {})", self.expression((from, at))?, self.expression((at + 1, to))?)
            }
            "SUBSTRING" | "SUBSTR" | "MID" => {
                let Some(at) = find("FROM") else { return Ok(None) };
                let length = find("FOR");
                let value = self.expression((from, at))?;
                let start = self.expression((at + 1, length.unwrap_or(to)))?;
                match length {
                    Some(at) => format!("my_substring({value}, {start}, {})", self.expression((at + 1, to))?),
                    None => format!("my_substring({value}, {start})"),
                }
            }
            "TRIM" => {
                let side = ["BOTH", "LEADING", "TRAILING"].into_iter().find(|side| tokens.is_word(from, side));
                let start = from + usize::from(side.is_some());
                let Some(at) = find("FROM") else { return Ok(None) };
                let what = if at == start { "' '".into() } else { self.expression((start, at))? };
                format!("my_trim('{}', {what}, {})", side.unwrap_or("BOTH"), self.expression((at + 1, to))?)
            }
            _ => return Ok(None),
        };
        Ok(Some(text))
    }

    fn unit(&self, at: usize) -> Result<&'static str, SqlError> {
        let word = self.tokens.word(at).unwrap_or_default();
        let word = word.strip_prefix("SQL_TSI_").unwrap_or(&word);
        words::UNITS.into_iter().find(|unit| *unit == word).ok_or_else(|| self.tokens.refuse(at))
    }

    /// `kind` is where the type begins that the value is made to be of.
    fn cast(&mut self, value: Range, kind: usize, to: usize) -> Result<String, SqlError> {
        let tokens = self.tokens;
        let value = self.expression(value)?;
        let word = tokens.word(kind).unwrap_or_default();
        let mut behind = kind + 1;
        let mut numbers = Vec::new();
        if tokens.is_symbol(behind, b'(') && behind < to {
            for (from, to) in tokens.split(behind + 1, tokens.closing(behind)) {
                let digits = String::from_utf8_lossy(&tokens.sql[tokens.start(from)..tokens.end(to - 1)]).into_owned();
                numbers.push(digits.parse::<u32>().map_err(|_| tokens.refuse(from))?);
            }
            behind = tokens.behind(behind);
        }
        let text = match (word.as_str(), numbers.as_slice()) {
            ("SIGNED", []) => format!("my_signed({value})"),
            ("UNSIGNED", []) => format!("my_unsigned({value})"),
            ("CHAR" | "NCHAR", []) => format!("my_char({value})"),
            ("CHAR" | "NCHAR", [length]) => format!("my_left(my_char({value}), {length})"),
            ("BINARY", []) => format!("CAST({value} AS BLOB)"),
            ("DECIMAL" | "DEC" | "NUMERIC", [] | [_]) => format!("my_round({value})"),
            ("DECIMAL" | "DEC" | "NUMERIC", [_, digits]) => format!("my_round({value}, {digits})"),
            ("DOUBLE" | "FLOAT" | "REAL", _) => format!("CAST({value} AS REAL)"),
            ("DATE", []) => format!("my_date({value})"),
            ("DATETIME" | "TIMESTAMP", [] | [_]) => format!("my_timestamp({value})"),
            ("TIME", [] | [_]) => format!("my_time({value})"),
            _ => return Err(tokens.refuse(kind)),
        };
        match word.as_str() {
            "SIGNED" | "UNSIGNED" if tokens.is_word(behind, "INTEGER") || tokens.is_word(behind, "INT") => behind += 1,
            "CHAR" if tokens.is_word(behind, "CHARSET") => behind += 2,
            "CHAR" if tokens.is_word(behind, "CHARACTER") && tokens.is_word(behind + 1, "SET") => behind += 3,
            _ => {}
        }
        if behind == to { Ok(text) } else { Err(tokens.refuse(behind)) }
    }

    fn group_concat(&mut self, (from, to): Range) -> Result<String, SqlError> {
        let tokens = self.tokens;
        let mark = tokens.find(from, to, "SEPARATOR");
        let separator = match mark {
            None => ",".to_owned(),
            Some(at) => match tokens.kind(at + 1) {
                crate::control::TokenKind::Str(text) if at + 2 == to => text.to_string_lossy(),
                _ => return Err(tokens.refuse(at + 1)),
            },
        };
        let end = mark.unwrap_or(to);
        let order = tokens.find(from, end, "ORDER");
        let distinct = tokens.is_word(from, "DISTINCT");
        let parts = tokens.split(from + usize::from(distinct), order.unwrap_or(end));
        let several = parts.len() > 1;
        let values = parts.into_iter().map(|part| self.expression(part)).collect::<Result<Vec<_>, _>>()?.join(", ");
        let value = if several { format!("my_concat({values})") } else { format!("my_char({values})") };
        let order = match order {
            Some(at) => format!(" {}", self.level(at, end, false)?),
            None => String::new(),
        };
        if !distinct {
            return Ok(format!("group_concat({value}, {}{order})", literal::plain(&separator)));
        }
        if separator != "," {
            return Err(SqlError::not_supported("GROUP_CONCAT(DISTINCT … SEPARATOR …)"));
        }
        // As the text that it stands for, it is one value to those that differ in case.
        Ok(format!("group_concat(DISTINCT ({value} COLLATE NOCASE){order})"))
    }
}
