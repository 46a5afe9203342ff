//! Values of binary rows as the texts that their server writes for them: for a client that has a prepared statement executed by
//! its name, and reads texts.

use mysql_common::constants::ColumnFlags;

use crate::{
    model::{Column, OwnedValue},
    wire::Reader,
};

/// More decimals than this stand for as many as a number takes (MySQL has 31, MariaDB 39).
const MOST_DECIMALS: u8 = 30;

/// A time has so many digits behind the point at most.
const MICROS: usize = 6;

/// The significant digits of a `FLOAT` that has no fixed number of decimals, but for the first.
const FLOAT_DIGITS: usize = 5;

/// How values of one column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Shown {
    /// Filled up with zeros to this width.
    zerofill: Option<usize>,
    decimals: Option<usize>,
}

impl Shown {
    /// As a column's definition says, of which that is the decoded one.
    pub(in crate::proxy) fn new(definition: &[u8], column: &Column) -> Self {
        let zerofill = flags(definition).is_some_and(|flags| flags.contains(ColumnFlags::ZEROFILL_FLAG));
        Self {
            zerofill: column.width.filter(|_| zerofill).and_then(|width| usize::try_from(width).ok()),
            decimals: column.decimals.filter(|decimals| *decimals <= MOST_DECIMALS).map(usize::from),
        }
    }

    /// A value as it is written, where that is not what its type alone says.
    pub(in crate::proxy) fn value(self, value: OwnedValue) -> OwnedValue {
        let fixed = |text: String| OwnedValue::Decimal(self.filled(text));
        match (value, self.decimals) {
            (OwnedValue::Int(v), _) if self.zerofill.is_some() => fixed(v.to_string()),
            (OwnedValue::UInt(v), _) if self.zerofill.is_some() => fixed(v.to_string()),
            (OwnedValue::Float(v), Some(decimals)) => fixed(format!("{v:.decimals$}")),
            (OwnedValue::Double(v), Some(decimals)) => fixed(format!("{v:.decimals$}")),
            (OwnedValue::Float(v), None) => {
                let rounded = format!("{v:.FLOAT_DIGITS$e}").parse();
                rounded.map_or(OwnedValue::Float(v), OwnedValue::Double)
            }
            (OwnedValue::DateTime(v), Some(decimals)) => OwnedValue::Text(with_fraction(&v.to_string(), decimals)),
            (OwnedValue::Time(v), Some(decimals)) => OwnedValue::Text(with_fraction(&v.to_string(), decimals)),
            (value, _) => value,
        }
    }

    fn filled(self, text: String) -> String {
        match self.zerofill {
            Some(width) => format!("{text:0>width$}"),
            None => text,
        }
    }
}

/// The flags in a column's definition.
fn flags(definition: &[u8]) -> Option<ColumnFlags> {
    let mut rest = Reader::new(definition);
    for _name in 0..6 {
        rest.counted()?;
    }
    let [_length, _, _, _, _, _, _, _, low, high] = *rest.array()?;
    Some(ColumnFlags::from_bits_truncate(u16::from_le_bytes([low, high])))
}

/// A time with exactly so many digits behind its point.
fn with_fraction(text: &str, decimals: usize) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    match decimals.min(MICROS) {
        0 => whole.to_owned(),
        decimals => format!("{whole}.{:0<decimals$.decimals$}", fraction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnType, model::Time};

    fn shown(zerofill: Option<usize>, decimals: Option<usize>, value: OwnedValue) -> String {
        let shown = Shown { zerofill, decimals }.value(value);
        shown.text().unwrap().into_owned()
    }

    #[test]
    fn numbers_are_written_as_their_columns_say() {
        assert_eq!(shown(Some(6), Some(0), OwnedValue::UInt(42)), "000042");
        assert_eq!(shown(Some(4), Some(0), OwnedValue::UInt(0)), "0000");
        assert_eq!(shown(None, Some(0), OwnedValue::Int(-42)), "-42");
        assert_eq!(shown(None, Some(3), OwnedValue::Float(12.5)), "12.500");
        assert_eq!(shown(Some(10), Some(4), OwnedValue::Double(0.0)), "00000.0000");
        assert_eq!(shown(None, None, OwnedValue::Float(12.345_679)), "12.3457");
        assert_eq!(shown(None, None, OwnedValue::Double(12.345_678_9)), "12.3456789");
    }

    #[test]
    fn times_have_the_digits_of_their_columns() {
        for (decimals, expected) in
            [(0, "-10:11:12"), (1, "-10:11:12.5"), (3, "-10:11:12.500"), (6, "-10:11:12.500000")]
        {
            let time = OwnedValue::Time(Time::new(true, 10, 11, 12, 500_000).unwrap());
            assert_eq!(shown(None, Some(decimals), time), expected);
        }
        assert_eq!(with_fraction("2024-01-01 00:00:00", 6), "2024-01-01 00:00:00.000000");
        assert_eq!(with_fraction("2024-01-01 00:00:00.123456", 2), "2024-01-01 00:00:00.12");
    }

    #[test]
    fn a_definition_says_how() {
        // INT(6) ZEROFILL; a DOUBLE.
        let number: &[u8] = b"\x03def\0\0\0\x01a\0\x0c?\0\x06\0\0\0\x03\x60\0\0\0\0";
        let column = Column::new("a", ColumnType::Int).width(6).decimals(0);
        assert_eq!(Shown::new(number, &column), Shown { zerofill: Some(6), decimals: Some(0) });
        let column = Column::new("a", ColumnType::Double).width(22).decimals(31);
        assert_eq!(Shown::new(b"cut", &column), Shown { zerofill: None, decimals: None });
    }
}
