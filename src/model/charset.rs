//! The character sets in which clients may write and read text. Engines see UTF-8 alone.

use std::borrow::Cow;

/// A character set of a client's, with MySQL's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum CharacterSet {
    /// `utf8mb4`: UTF-8.
    #[default]
    Utf8mb4 = 0,
    /// `utf8mb3`: UTF-8 without the characters beyond U+FFFF.
    Utf8mb3 = 1,
    /// `ascii`.
    Ascii = 2,
    /// `latin1`: Windows-1252; the five bytes that it leaves undefined are the control characters of these numbers.
    Latin1 = 3,
    /// `binary`: bytes, which nobody converts.
    Binary = 4,
}

/// What a client writes in, and what it wants to read (MySQL: `character_set_client`, `character_set_results`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CharacterSets {
    /// Of its statements.
    pub client: CharacterSet,
    /// Of text in results, names of columns and errors.
    pub results: CharacterSet,
}

/// What `latin1` has in the places of 0x80 to 0x9f.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

impl CharacterSet {
    /// All of them, by number.
    const ALL: [CharacterSet; 5] =
        [CharacterSet::Utf8mb4, CharacterSet::Utf8mb3, CharacterSet::Ascii, CharacterSet::Latin1, CharacterSet::Binary];

    /// The one that MySQL calls so; `utf8` is utf8mb3.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { name };
        Self::ALL.into_iter().find(|set| set.name().eq_ignore_ascii_case(name))
    }

    /// MySQL's name.
    pub fn name(self) -> &'static str {
        match self {
            CharacterSet::Utf8mb4 => "utf8mb4",
            CharacterSet::Utf8mb3 => "utf8mb3",
            CharacterSet::Ascii => "ascii",
            CharacterSet::Latin1 => "latin1",
            CharacterSet::Binary => "binary",
        }
    }

    /// The one of a collation with this id, as clients name theirs when they log in. Of an unknown one, the default.
    pub fn of_collation(id: u16) -> Self {
        match id {
            5 | 8 | 15 | 31 | 47..=49 | 94 => CharacterSet::Latin1,
            11 | 65 => CharacterSet::Ascii,
            63 => CharacterSet::Binary,
            33 | 76 | 83 | 192..=215 | 223 => CharacterSet::Utf8mb3,
            _ => CharacterSet::Utf8mb4,
        }
    }

    /// The id of the collation by which clients are told of it.
    pub fn collation(self) -> u16 {
        match self {
            // `utf8mb4_0900_ai_ci` is 255; clients older than it know `utf8mb4_general_ci`.
            CharacterSet::Utf8mb4 => 45,
            CharacterSet::Utf8mb3 => 33,
            CharacterSet::Ascii => 11,
            CharacterSet::Latin1 => 8,
            CharacterSet::Binary => 63,
        }
    }

    /// How many bytes its longest character has.
    pub fn longest(self) -> u32 {
        match self {
            CharacterSet::Utf8mb4 => 4,
            CharacterSet::Utf8mb3 => 3,
            CharacterSet::Ascii | CharacterSet::Latin1 | CharacterSet::Binary => 1,
        }
    }

    /// What a client wrote, as UTF-8. What is no UTF-8 of a client that says it is, and bytes of one that says they are
    /// none, stay as they are.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            CharacterSet::Latin1 if !bytes.is_ascii() => {
                let text: String = bytes.iter().map(|byte| latin1(*byte)).collect();
                Cow::Owned(text.into_bytes())
            }
            CharacterSet::Ascii if !bytes.is_ascii() => {
                Cow::Owned(bytes.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect())
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    /// Text for a client. What it cannot read becomes a question mark, as in MySQL.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        if text.is_ascii() {
            return Cow::Borrowed(text.as_bytes());
        }
        match self {
            CharacterSet::Utf8mb4 | CharacterSet::Binary => Cow::Borrowed(text.as_bytes()),
            CharacterSet::Utf8mb3 if text.chars().all(|c| c <= '\u{ffff}') => Cow::Borrowed(text.as_bytes()),
            CharacterSet::Utf8mb3 => {
                let shown = text.chars().map(|c| if c <= '\u{ffff}' { c } else { '?' });
                Cow::Owned(shown.collect::<String>().into_bytes())
            }
            CharacterSet::Ascii => {
                Cow::Owned(text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect())
            }
            CharacterSet::Latin1 => Cow::Owned(text.chars().map(|c| to_latin1(c).unwrap_or(b'?')).collect()),
        }
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or_default()
    }
}

fn latin1(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

fn to_latin1(character: char) -> Option<u8> {
    match u8::try_from(character) {
        Ok(byte) if !(0x80..=0x9f).contains(&byte) => Some(byte),
        _ => (0x80..=0x9f).find(|byte| latin1(*byte) == character),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn latin1_is_windows_1252_with_every_byte_a_character() {
        assert_eq!(CharacterSet::Latin1.decode(b"caf\xe9 \x80 \x81"), "café € \u{81}".as_bytes());
        assert_eq!(&*CharacterSet::Latin1.encode("café € \u{81} 😀 \u{80}"), b"caf\xe9 \x80 \x81 ? ?");
        for byte in 0..=u8::MAX {
            assert_eq!(to_latin1(latin1(byte)), Some(byte));
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_question_mark() {
        assert_eq!(&*CharacterSet::Ascii.encode("aé€"), b"a??");
        assert_eq!(&*CharacterSet::Utf8mb3.encode("é😀"), "é?".as_bytes());
        assert_eq!(&*CharacterSet::Utf8mb4.encode("é😀"), "é😀".as_bytes());
        assert_eq!(&*CharacterSet::Ascii.decode(b"a\xe9"), b"a?");
        assert_eq!(&*CharacterSet::Binary.decode(b"a\xe9"), b"a\xe9");
    }

    #[test]
    fn each_is_found_by_its_name_its_collation_and_its_number() {
        for set in CharacterSet::ALL {
            assert_eq!(CharacterSet::named(&set.name().to_uppercase()), Some(set));
            assert_eq!(CharacterSet::of_collation(set.collation()), set);
            assert_eq!(CharacterSet::from_code(set.code()), set);
        }
        assert_eq!(CharacterSet::named("utf8"), Some(CharacterSet::Utf8mb3));
        assert_eq!(CharacterSet::named("klingon"), None);
        for (ids, set) in [
            (&[8, 31, 47, 48][..], CharacterSet::Latin1),
            (&[45, 46, 224, 246, 255, 309], CharacterSet::Utf8mb4),
            (&[33, 192], CharacterSet::Utf8mb3),
        ] {
            assert!(ids.iter().all(|id| CharacterSet::of_collation(*id) == set));
        }
    }

    proptest! {
        /// Whatever a client writes in latin1, it reads back.
        #[test]
        fn latin1_survives_the_way_through_utf8(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = String::from_utf8(CharacterSet::Latin1.decode(&bytes).into_owned()).unwrap();
            prop_assert_eq!(CharacterSet::Latin1.encode(&text).into_owned(), bytes);
        }

        /// Any text becomes something in any of them.
        #[test]
        fn any_text_is_encoded(text in ".{0,100}") {
            for set in CharacterSet::ALL {
                prop_assert!(set.encode(&text).len() <= text.len());
            }
        }
    }
}
