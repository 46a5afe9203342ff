//! A word that is looked for in the bytes of every statement, so that it must cost next to nothing: by Horspool's method,
//! which looks at one byte of as many as the word has.

/// The word, and how far a look can go on from each byte.
#[derive(Debug)]
pub(super) struct Needle {
    word: &'static [u8],
    /// For the last byte looked at: how far it is, at least, to the end of the word's next place.
    skips: [u8; 256],
}

impl Needle {
    /// For a word of 1 to 255 ASCII bytes, in small letters.
    pub(super) const fn new(word: &'static str) -> Self {
        let word = word.as_bytes();
        assert!(!word.is_empty() && word.len() < 256, "1 to 255 bytes");
        let last = word.len() - 1;
        #[allow(clippy::cast_possible_truncation)] // as asserted
        let mut skips = [word.len() as u8; 256];
        let mut at = 0;
        while at < last {
            assert!(word[at].is_ascii() && !word[at].is_ascii_uppercase(), "small letters");
            #[allow(clippy::cast_possible_truncation)]
            let skip = (last - at) as u8;
            skips[word[at] as usize] = skip;
            skips[word[at].to_ascii_uppercase() as usize] = skip;
            at += 1;
        }
        Self { word, skips }
    }

    /// Whether it stands anywhere in the text, in letters of either case.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let before = self.word.len() - 1;
        let mut at = before;
        while let Some(last) = text.get(at) {
            if last.eq_ignore_ascii_case(&self.word[before]) && text[at - before..=at].eq_ignore_ascii_case(self.word) {
                return true;
            }
            at += usize::from(self.skips[usize::from(*last)]);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static NEEDLES: [Needle; 4] = [Needle::new("a"), Needle::new("abab"), Needle::new("aab"), Needle::new("b_$a")];

    proptest! {
        #[test]
        fn a_word_is_found_where_it_stands_and_nowhere_else(text in "[abAB_$ ]{0,24}") {
            for needle in &NEEDLES {
                let word = std::str::from_utf8(needle.word).unwrap();
                prop_assert_eq!(needle.is_in(text.as_bytes()), text.to_ascii_lowercase().contains(word), "{}", word);
            }
        }

        #[test]
        fn any_bytes_are_looked_at(text in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..40) {
            let mut text = text;
            text.splice(at.min(text.len())..at.min(text.len()), *b"aBaB");
            prop_assert!(NEEDLES[1].is_in(&text));
        }
    }
}
