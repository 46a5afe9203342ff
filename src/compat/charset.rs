//! The character sets and collations that are named in the answers, with MySQL 8.0's ids.

/// One character set.
#[derive(Debug)]
pub(super) struct Charset {
    pub name: &'static str,
    pub description: &'static str,
    /// Bytes of its longest character.
    pub longest: u64,
}

/// One collation.
#[derive(Debug)]
pub(super) struct Collation {
    pub name: &'static str,
    pub charset: &'static str,
    pub id: u64,
    pub default: bool,
    pub sort_length: u64,
    pub pads: bool,
}

/// All character sets, by name.
pub(super) const CHARSETS: [Charset; 5] = [
    Charset { name: "ascii", description: "US ASCII", longest: 1 },
    Charset { name: "binary", description: "Binary pseudo charset", longest: 1 },
    Charset { name: "latin1", description: "cp1252 West European", longest: 1 },
    Charset { name: "utf8mb3", description: "UTF-8 Unicode", longest: 3 },
    Charset { name: "utf8mb4", description: "UTF-8 Unicode", longest: 4 },
];

/// All collations, by character set.
pub(super) const COLLATIONS: [Collation; 18] = [
    collation("ascii_bin", "ascii", 65, 1),
    collation("ascii_general_ci", "ascii", 11, 1).by_default(),
    collation("binary", "binary", 63, 1).by_default().without_pads(),
    collation("latin1_bin", "latin1", 47, 1),
    collation("latin1_general_ci", "latin1", 48, 1),
    collation("latin1_german1_ci", "latin1", 5, 1),
    collation("latin1_swedish_ci", "latin1", 8, 1).by_default(),
    collation("utf8mb3_bin", "utf8mb3", 83, 1),
    collation("utf8mb3_general_ci", "utf8mb3", 33, 1).by_default(),
    collation("utf8mb3_unicode_ci", "utf8mb3", 192, 8),
    collation("utf8mb4_0900_ai_ci", "utf8mb4", 255, 0).by_default().without_pads(),
    collation("utf8mb4_0900_as_ci", "utf8mb4", 305, 0).without_pads(),
    collation("utf8mb4_0900_as_cs", "utf8mb4", 278, 0).without_pads(),
    collation("utf8mb4_0900_bin", "utf8mb4", 309, 1).without_pads(),
    collation("utf8mb4_bin", "utf8mb4", 46, 1),
    collation("utf8mb4_general_ci", "utf8mb4", 45, 1),
    collation("utf8mb4_unicode_520_ci", "utf8mb4", 246, 8),
    collation("utf8mb4_unicode_ci", "utf8mb4", 224, 8),
];

const fn collation(name: &'static str, charset: &'static str, id: u64, sort_length: u64) -> Collation {
    Collation { name, charset, id, default: false, sort_length, pads: true }
}

impl Collation {
    const fn by_default(self) -> Self {
        Self { default: true, ..self }
    }

    const fn without_pads(self) -> Self {
        Self { pads: false, ..self }
    }
}

impl Charset {
    /// The character set called `name`; `utf8` is utf8mb3, as in MySQL 8.0.
    pub fn find(name: &str) -> Option<&'static Charset> {
        let name = if name.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { name };
        CHARSETS.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The collation that it has unless another is asked for.
    pub fn default_collation(&self) -> &'static str {
        COLLATIONS.iter().find(|c| c.default && c.charset == self.name).map_or("binary", |c| c.name)
    }
}

impl Collation {
    /// The collation called `name`; `utf8_…` is `utf8mb3_…`, as in MySQL 8.0.
    pub fn find(name: &str) -> Option<&'static Collation> {
        let same = |known: &str, name: &str| known.eq_ignore_ascii_case(name);
        COLLATIONS.iter().find(|c| {
            same(c.name, name)
                || match (c.name.strip_prefix("utf8mb3_"), name.split_once('_')) {
                    (Some(known), Some((set, rest))) => set.eq_ignore_ascii_case("utf8") && same(known, rest),
                    _ => false,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_charset_has_one_default_collation_and_ids_are_unique() {
        for charset in &CHARSETS {
            assert_eq!(COLLATIONS.iter().filter(|c| c.charset == charset.name && c.default).count(), 1);
        }
        let mut ids: Vec<u64> = COLLATIONS.iter().map(|c| c.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), COLLATIONS.len());
    }

    #[test]
    fn the_old_name_of_utf8mb3_is_understood() {
        assert_eq!(Charset::find("UTF8").map(|c| c.name), Some("utf8mb3"));
        assert_eq!(Collation::find("utf8_general_ci").map(|c| c.name), Some("utf8mb3_general_ci"));
        assert_eq!(Collation::find("UTF8MB4_bin").map(|c| c.id), Some(46));
        assert!(Collation::find("utf8_klingon_ci").is_none());
    }
}
