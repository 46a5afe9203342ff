//! `LIKE` patterns, as MySQL's `SHOW … LIKE` and `WHERE … LIKE` match them.

/// How many characters times pattern characters one match may cost; a match that could cost more is not tried, so that
/// a client cannot keep a thread busy with two long strings.
const GREATEST_COST: usize = 4 << 20;

/// Whether `text` matches `pattern`: `%` is any run of characters, `_` is any one, `escape` (a backslash, unless the
/// statement says otherwise) takes the next character literally. Letters match in either case, as in MySQL's default
/// collations. `None`: too long to be tried.
pub(crate) fn like(text: &str, pattern: &str, escape: Option<char>) -> Option<bool> {
    if text.len().saturating_mul(pattern.len()) > GREATEST_COST {
        return None;
    }
    let (mut text, mut rest) = (text.chars(), pattern.chars());
    // Where to resume when a later part fails: behind the last `%`, one character of the text further on.
    let mut resume = None;
    loop {
        let mut after = rest.clone();
        let wanted = match after.next() {
            Some('%') => {
                resume = Some((text.clone(), after.clone()));
                rest = after;
                continue;
            }
            Some('_') => Wanted::Any,
            // An escape at the very end stands for itself.
            Some(c) if Some(c) == escape => Wanted::One(after.next().unwrap_or(c)),
            Some(c) => Wanted::One(c),
            None => Wanted::End,
        };
        let mut ahead = text.clone();
        let fits = match (wanted, ahead.next()) {
            (Wanted::End, None) => return Some(true),
            (Wanted::Any, Some(_)) => true,
            (Wanted::One(wanted), Some(c)) => same_letter(wanted, c),
            _ => false,
        };
        if fits {
            (text, rest) = (ahead, after);
            continue;
        }
        let Some((from, behind)) = &mut resume else { return Some(false) };
        if from.next().is_none() {
            return Some(false);
        }
        (text, rest) = (from.clone(), behind.clone());
    }
}

/// What the next part of the pattern asks for.
enum Wanted {
    Any,
    One(char),
    End,
}

/// Whether two characters are the same letter, whatever their case.
fn same_letter(a: char, b: char) -> bool {
    a == b || a.to_lowercase().eq(b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_escapes_and_cases() {
        for (text, pattern, expected) in [
            ("sql_mode", "sql_mode", true),
            ("sql_mode", "SQL%", true),
            ("sql_mode", "%mode", true),
            ("sql_mode", "%", true),
            ("", "%", true),
            ("", "_", false),
            ("", "", true),
            ("sql_mode", "sql\\_mode", true),
            ("sqlXmode", "sql\\_mode", false),
            ("sqlXmode", "sql_mode", true),
            ("100%", "100\\%", true),
            ("1000", "100\\%", false),
            ("a\\", "a\\", true),
            ("ÄRGER", "är%", true),
            ("abcabd", "%ab_d", false),
            ("abcabd", "%abd", true),
            ("mississippi", "m%iss%ppi", true),
            ("mississippi", "m%iss%pp", false),
        ] {
            assert_eq!(like(text, pattern, Some('\\')), Some(expected), "{text:?} LIKE {pattern:?}");
        }
        assert_eq!(like("a_b", "a|_b", Some('|')), Some(true));
        assert_eq!(like("a\\b", "a\\b", None), Some(true));
    }

    #[test]
    fn what_would_cost_too_much_is_not_tried() {
        assert_eq!(like(&"a".repeat(1 << 20), &"%a".repeat(1 << 10), Some('\\')), None);
    }
}
