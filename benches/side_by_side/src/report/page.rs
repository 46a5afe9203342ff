//! `docs/performance.md`: its generated parts, and not a word of the others.
//!
//! Each figure has a part of its own between two comments, so that a run of one figure leaves the others as they are.

/// The comments around the part of this name.
fn marks(name: &str) -> [String; 2] {
    [format!("<!-- side-by-side: {name} -->\n"), format!("<!-- end of {name} -->\n")]
}

/// The page with this part put in the place of the former one; at its end, if there is none.
pub fn with(page: &str, name: &str, part: &str) -> String {
    let [begin, end] = marks(name);
    let part = format!("{begin}{}\n{end}", part.trim_end());
    let found = page.find(&begin).and_then(|from| Some((from, from + page[from..].find(&end)? + end.len())));
    match found {
        Some((from, to)) => [&page[..from], &part, &page[to..]].concat(),
        None if page.is_empty() => part,
        None => format!("{}\n\n{part}", page.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_replaced_and_all_else_stays() {
        let page = with("# Performance\n", "select", "one\n");
        let page = with(&page, "rows", "two");
        let page = page.replace("<!-- end of select -->\n", "<!-- end of select -->\n\nBy hand.\n");
        let again = with(&page, "select", "three");
        assert_eq!(
            again,
            "# Performance\n\n<!-- side-by-side: select -->\nthree\n<!-- end of select -->\n\nBy hand.\n\n\
             <!-- side-by-side: rows -->\ntwo\n<!-- end of rows -->\n"
        );
        // The same run gives the same page.
        assert_eq!(with(&again, "select", "three"), again);
    }

    #[test]
    fn a_part_without_an_end_is_left_alone() {
        let torn = "<!-- side-by-side: rows -->\nBy hand.\n";
        assert!(with(torn, "rows", "new").starts_with(torn));
    }
}
