//! Values of all types, for tests of laws.

use proptest::prelude::*;

use super::{Date, DateTime, OwnedValue, Time};

/// Any value; a span of time has at most so many hours.
pub(crate) fn any_value(hours: u32) -> impl Strategy<Value = OwnedValue> {
    let date = (0u16..=9999, 0u8..=12, 0u8..=31).prop_map(|(y, m, d)| Date::new(y, m, d).unwrap());
    let micros = || prop_oneof![Just(0), 0u32..1_000_000];
    prop_oneof![
        Just(OwnedValue::Null),
        any::<i64>().prop_map(OwnedValue::Int),
        any::<u64>().prop_map(OwnedValue::UInt),
        (-1e30f32..1e30).prop_map(OwnedValue::Float),
        (-1e300f64..1e300).prop_map(OwnedValue::Double),
        "-?[0-9]{1,20}(\\.[0-9]{1,5})?".prop_map(OwnedValue::Decimal),
        date.clone().prop_map(OwnedValue::Date),
        (date, 0u8..24, 0u8..60, 0u8..60, micros())
            .prop_map(|(date, h, m, s, u)| OwnedValue::DateTime(DateTime::new(date, h, m, s, u).unwrap())),
        (any::<bool>(), 0..=hours, 0u8..60, 0u8..60, micros()).prop_map(
            |(negative, hours, minutes, seconds, micros)| {
                OwnedValue::Time(Time { negative, hours, minutes, seconds, micros })
            }
        ),
        ".{0,300}".prop_map(OwnedValue::Text),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(OwnedValue::Bytes),
    ]
}
