//! Texts that have a longest length.

/// As much of a text as so many bytes have room for, cut at a character's end.
pub(crate) fn cut(text: &str, longest: usize) -> &str {
    // The first end is right for nearly all.
    let mut ends = (0..=text.len().min(longest)).rev();
    let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_characters_end() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(|longest| cut("aéz", longest)), ["", "a", "a", "aé", "aéz", "aéz"]);
    }
}
