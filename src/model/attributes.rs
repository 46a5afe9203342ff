//! What a client says of itself when it connects.

use std::{fmt, sync::Arc};

/// What a client says of itself when it connects: names with values, such as `_client_name` and `program_name` (MySQL's
/// connection attributes). Nothing in it is proved.
///
/// One allocation, whatever it holds; clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Attributes(Arc<[u8]>);

impl Attributes {
    /// Keeps these pairs, in their order. A name or value of more than 65,535 bytes is cut there, as text that is no
    /// UTF-8 may be shown with its wrong bytes replaced.
    pub fn new<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut kept = Vec::new();
        for part in pairs.flat_map(|(name, value)| [name, value]) {
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            kept.extend_from_slice(&length.to_le_bytes());
            kept.extend_from_slice(&part[..length.into()]);
        }
        Self(kept.into())
    }

    /// The pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let mut rest = &*self.0;
        let mut part = move || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (part, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = after;
            Some(String::from_utf8_lossy(part).into_owned())
        };
        std::iter::from_fn(move || Some((part()?, part()?)))
    }

    /// The value of the first pair with this name.
    pub fn get(&self, name: &str) -> Option<String> {
        self.pairs().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All of it, in a form of its own.
    #[cfg(feature = "cluster")]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What [`Attributes::as_bytes`] gave. Of anything else, what can be read of it.
    #[cfg(feature = "cluster")]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pairs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn they_are_found_by_their_names() {
        let pairs = [("_os", "Linux"), ("program_name", "mysql"), ("_os", "other"), ("", "")];
        let kept = Attributes::new(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        assert_eq!(kept.get("_os").as_deref(), Some("Linux"));
        assert_eq!(kept.get("_pid"), None);
        assert_eq!(kept.pairs().count(), 4);
        assert_eq!(Attributes::new(std::iter::empty()).pairs().count(), 0);
    }

    proptest! {
        #[test]
        fn what_was_kept_is_read_back(pairs in prop::collection::vec((".{0,20}", ".{0,20}"), 0..10)) {
            let kept = Attributes::new(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
            prop_assert_eq!(kept.pairs().collect::<Vec<_>>(), pairs);
        }
    }
}
