//! `SET NAMES` and whatever else says which character sets a client writes and reads. The proxy converts for the client
//! itself, and its connections to servers are in utf8mb4: what is said of the client's sets is taken out, and the rest of
//! the statement is passed on.
//!
//! A login says the same by a collation: in which servers are to compare literals, as far as the proxy's own login does not
//! say it.

use std::ops::Range;

use super::assign::{Assignment, Reach, Target, assignments, is, system};
use crate::{
    control::{Lexer, Syntax, Text, TokenKind},
    model::{CharacterSet, CharacterSets, OwnedValue, SqlError},
};

/// What a `SET` says of the client's character sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Named {
    /// What the client writes and reads from now on.
    pub(in crate::proxy) sets: CharacterSets,
    /// The set in which servers are to compare literals (`character_set_connection`), if it says that: noted by
    /// [`State::set_connection`](super::state::State::set_connection), for whatever runs next.
    pub(in crate::proxy) connection: Option<CharacterSet>,
    /// The rest, as a statement for the server: to be run first, for it may fail.
    pub(in crate::proxy) rest: Option<Vec<u8>>,
}

/// The variables that a `SET` gives to the client's sets, as they are written, and as a server has to be asked for them: dumps
/// keep the sets in user variables, and give them back.
pub(in crate::proxy) fn asked<'a>(sql: &'a [u8], syntax: &Syntax) -> Vec<&'a [u8]> {
    let all = assignments(sql, syntax).filter(|assignment| concerns(assignment.target));
    all.filter(|assignment| is_variable(assignment.first)).map(|assignment| &sql[assignment.value]).collect()
}

/// Reads a `SET` that [`concerns`] them, or that [`asks`] for them; `now` is what the client writes and reads so far, `values`
/// those of the variables that are [`asked`] for.
///
/// # Errors
/// 1115: a character set that the proxy does not know; 1231: NULL is none. Nothing is to be done then.
pub(in crate::proxy) fn read(
    sql: &[u8],
    syntax: &Syntax,
    now: CharacterSets,
    values: &[OwnedValue],
) -> Result<Named, SqlError> {
    let mut values = values.iter();
    let mut named = Named { sets: now, connection: None, rest: None };
    let mut rest: Vec<u8> = Vec::new();
    for assignment in assignments(sql, syntax) {
        let now = named.sets;
        let mut set = |assignment: &Assignment<'_>| match assignment.first {
            first if is_variable(first) => given(values.next()),
            first => set(first, now),
        };
        match assignment.target {
            Target::Names => {
                let set = set(&assignment)?.unwrap_or_default();
                named.sets = CharacterSets { client: set, results: set };
                match collation(sql, &assignment, syntax) {
                    Some(collation) => {
                        named.connection = None;
                        let set = set.name().as_bytes();
                        add(&mut rest, &[b"character_set_connection = ", set, b", collation_connection = ", collation]);
                    }
                    None => named.connection = Some(set),
                }
            }
            Target::CharacterSet => {
                let set = set(&assignment)?.unwrap_or_default();
                named.sets = CharacterSets { client: set, results: set };
                add(&mut rest, &[b"collation_connection = @@collation_database"]);
            }
            Target::System(Reach::Session, name) if is_set(name, "character_set_client") => {
                named.sets.client = set(&assignment)?.ok_or_else(|| no_set("character_set_client"))?;
            }
            Target::System(Reach::Session, name) if is_set(name, "character_set_results") => {
                // NULL: as it is stored, which is what utf8mb4 makes of nearly everything
                named.sets.results = set(&assignment)?.unwrap_or_default();
            }
            _ => add(&mut rest, &[&answered(&sql[assignment.whole.clone()], syntax, now)]),
        }
    }
    named.rest = (!rest.is_empty()).then_some(rest);
    Ok(named)
}

/// Whether a value asks for the client's own sets, of which a server knows nothing.
pub(in crate::proxy) fn asks(value: &[u8], syntax: &Syntax) -> bool {
    questions(value, syntax).next().is_some()
}

/// Which of the client's sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Client,
    Results,
}

/// Which one a token stands for.
fn own(token: TokenKind<'_>) -> Option<Which> {
    let TokenKind::SystemVar(name) = token else { return None };
    match system(name) {
        Target::System(Reach::Session, name) if is_set(name, "character_set_client") => Some(Which::Client),
        Target::System(Reach::Session, name) if is_set(name, "character_set_results") => Some(Which::Results),
        _ => None,
    }
}

/// Where a text asks for the client's own sets.
fn questions<'a>(text: &'a [u8], syntax: &Syntax) -> impl Iterator<Item = (Range<usize>, Which)> + use<'a> {
    let mut lexer = Lexer::new(text, syntax);
    std::iter::from_fn(move || {
        loop {
            let token = lexer.next_token();
            match (token.kind, own(token.kind)) {
                (_, Some(which)) => return Some((token.start..token.end, which)),
                (TokenKind::End | TokenKind::Unterminated, _) => return None,
                _ => {}
            }
        }
    })
}

/// An assignment that is passed on, with the client's sets where it asks for them.
fn answered(text: &[u8], syntax: &Syntax, now: CharacterSets) -> Vec<u8> {
    let (mut out, mut copied) = (Vec::new(), 0);
    // What is assigned to is none: that [`concerns`] them.
    for (place, which) in questions(text, syntax) {
        let set = match which {
            Which::Client => now.client,
            Which::Results => now.results,
        };
        out.extend_from_slice(&text[copied..place.start]);
        out.extend_from_slice(format!("'{}'", set.name()).as_bytes());
        copied = place.end;
    }
    out.extend_from_slice(&text[copied..]);
    out
}

/// Whether the token is a variable that a server knows.
fn is_variable(first: TokenKind<'_>) -> bool {
    matches!(first, TokenKind::UserVar(_) | TokenKind::SystemVar(_)) && own(first).is_none()
}

/// Puts an assignment behind those of `set`, a statement.
fn add(set: &mut Vec<u8>, text: &[&[u8]]) {
    set.extend_from_slice(if set.is_empty() { b"SET " } else { b", " });
    text.iter().for_each(|text| set.extend_from_slice(text));
}

/// A collation that a client has named at its login which servers are told in a `SET`, by its number: one of another character
/// set than utf8mb4, since the proxy's own login has to be in that. All servers know these.
pub(in crate::proxy) fn told(collation: u16) -> Option<u16> {
    // `utf8mb3_tolower_ci`, which MariaDB does not know.
    let known = collation != 76 && CharacterSet::of_collation(collation) != CharacterSet::Utf8mb4;
    known.then_some(collation)
}

/// Whether an assignment to this says which character sets the client writes and reads.
pub(in crate::proxy) fn concerns(target: Target<'_>) -> bool {
    match target {
        Target::Names | Target::CharacterSet => true,
        Target::System(Reach::Session, name) => {
            is_set(name, "character_set_client") || is_set(name, "character_set_results")
        }
        _ => false,
    }
}

/// Whether a value is the same wherever and whenever it is assigned: a number, a string, `TRUE`, `FALSE`, `NULL`.
pub(in crate::proxy) fn is_constant(assignment: &Assignment<'_>) -> bool {
    let word = matches!(assignment.first, TokenKind::Word(_));
    assignment.plain && (!word || ["TRUE", "FALSE", "NULL"].iter().any(|known| is(assignment.first, known)))
}

fn is_set(name: &[u8], known: &str) -> bool {
    name.eq_ignore_ascii_case(known.as_bytes())
}

/// The character set that is assigned by its name; `None`: by `NULL`.
fn set(first: TokenKind<'_>, now: CharacterSets) -> Result<Option<CharacterSet>, SqlError> {
    let name = match first {
        kind if is(kind, "DEFAULT") => return Ok(Some(CharacterSet::default())),
        kind if is(kind, "NULL") => return Ok(None),
        TokenKind::Word(name) => Text { raw: name, quote: None },
        TokenKind::Str(text) | TokenKind::QuotedIdent(text) => text,
        kind => match own(kind) {
            Some(Which::Client) => return Ok(Some(now.client)),
            Some(Which::Results) => return Ok(Some(now.results)),
            None => Text { raw: b"?", quote: None },
        },
    };
    known(&name.to_string_lossy()).map(Some)
}

/// The one that a variable's value names; `None`: NULL.
fn given(value: Option<&OwnedValue>) -> Result<Option<CharacterSet>, SqlError> {
    value.and_then(OwnedValue::text).map(|name| known(&name)).transpose()
}

fn known(name: &str) -> Result<CharacterSet, SqlError> {
    let unknown = || SqlError::new(1115, "42000", format!("Unknown character set: '{name}'"));
    CharacterSet::named(name).ok_or_else(unknown)
}

fn no_set(variable: &str) -> SqlError {
    SqlError::new(1231, "42000", format!("Variable '{variable}' can't be set to the value of 'NULL'"))
}

/// The collation behind `NAMES set COLLATE`, as it is written.
fn collation<'a>(sql: &'a [u8], assignment: &Assignment<'a>, syntax: &Syntax) -> Option<&'a [u8]> {
    let value = &sql[assignment.value.clone()];
    let mut lexer = Lexer::new(value, syntax);
    lexer.next_token();
    let collate = is(lexer.next_token().kind, "COLLATE");
    let name = lexer.next_token();
    (collate && !is(name.kind, "DEFAULT") && name.kind != TokenKind::End).then(|| &value[name.start..name.end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8MB4: CharacterSet = CharacterSet::Utf8mb4;
    const LATIN1: CharacterSet = CharacterSet::Latin1;

    #[test]
    fn what_is_said_of_the_clients_sets_is_taken_out() {
        let latin1 = CharacterSets { client: LATIN1, results: LATIN1 };
        for (sql, [client, results], connection, rest) in [
            ("SET NAMES utf8mb4", [UTF8MB4, UTF8MB4], Some(UTF8MB4), None),
            ("SET NAMES 'latin1'", [LATIN1, LATIN1], Some(LATIN1), None),
            ("/*!40101 SET NAMES utf8 */", [CharacterSet::Utf8mb3; 2], Some(CharacterSet::Utf8mb3), None),
            ("SET NAMES DEFAULT", [UTF8MB4, UTF8MB4], Some(UTF8MB4), None),
            (
                "SET NAMES latin1 COLLATE latin1_bin;",
                [LATIN1, LATIN1],
                None,
                Some("SET character_set_connection = latin1, collation_connection = latin1_bin"),
            ),
            (
                "SET a = 1, NAMES ascii, @b = (1, 2)",
                [CharacterSet::Ascii; 2],
                Some(CharacterSet::Ascii),
                Some("SET a = 1, @b = (1, 2)"),
            ),
            (
                "SET CHARACTER SET latin1",
                [LATIN1, LATIN1],
                None,
                Some("SET collation_connection = @@collation_database"),
            ),
            (
                "SET CHARSET 'utf8mb4'",
                [UTF8MB4, UTF8MB4],
                None,
                Some("SET collation_connection = @@collation_database"),
            ),
            ("SET character_set_results = NULL", [LATIN1, UTF8MB4], None, None),
            (
                "SET STATEMENT a = 1 FOR SET NAMES ascii, b = 2",
                [CharacterSet::Ascii; 2],
                Some(CharacterSet::Ascii),
                Some("SET b = 2"),
            ),
            ("SET @@session.character_set_client := utf8mb4", [UTF8MB4, LATIN1], None, None),
            (
                "/*!40101 SET @saved = @@character_set_client, @b = CONCAT(@@session.character_set_results, 'x') */",
                [LATIN1, LATIN1],
                None,
                Some("SET @saved = 'latin1', @b = CONCAT('latin1', 'x')"),
            ),
            (
                "SET character_set_results = DEFAULT, @a = @@character_set_results, @b = @@global.character_set_client",
                [LATIN1, UTF8MB4],
                None,
                Some("SET @a = 'utf8mb4', @b = @@global.character_set_client"),
            ),
            ("SET character_set_results = @@character_set_client", [LATIN1, LATIN1], None, None),
            (
                "SET SESSION character_set_results = binary, autocommit=1, session_track_schema = 1",
                [LATIN1, CharacterSet::Binary],
                None,
                Some("SET autocommit=1, session_track_schema = 1"),
            ),
            (
                "SET GLOBAL character_set_client = utf8",
                [LATIN1, LATIN1],
                None,
                Some("SET GLOBAL character_set_client = utf8"),
            ),
        ] {
            let named = read(sql.as_bytes(), &Syntax::MARIADB, latin1, &[]).unwrap();
            let text = named.rest.as_deref().map(|rest| str::from_utf8(rest).unwrap());
            assert_eq!(
                (named.sets, named.connection, text),
                (CharacterSets { client, results }, connection, rest),
                "{sql}"
            );
        }
    }

    #[test]
    fn a_set_that_is_not_known_is_refused() {
        for sql in ["SET NAMES klingon", "SET a = 1, character_set_client = 'gbk'", "SET CHARACTER SET 5"] {
            let error = read(sql.as_bytes(), &Syntax::MARIADB, CharacterSets::default(), &[]).unwrap_err();
            assert_eq!((error.code(), error.state()), (1115, "42000"), "{sql}");
        }
    }

    #[test]
    fn a_set_may_come_from_a_variable() {
        let sql =
            b"SET @a = 1, character_set_client = @old, character_set_results = @@x, character_set_client = latin1";
        assert_eq!(asked(sql, &Syntax::MARIADB), [&b"@old"[..], b"@@x"]);
        let text = |text: &str| OwnedValue::Text(text.to_owned());
        let sets = |values: &[OwnedValue]| {
            let read = read(&sql[..sql.len() - 31], &Syntax::MARIADB, CharacterSets::default(), values);
            read.map(|named| [named.sets.client, named.sets.results]).map_err(|error| error.code())
        };
        assert_eq!(sets(&[text("latin1"), text("ascii")]), Ok([LATIN1, CharacterSet::Ascii]));
        assert_eq!(sets(&[text("latin1"), OwnedValue::Null]), Ok([LATIN1, UTF8MB4]));
        assert_eq!(sets(&[OwnedValue::Null, text("latin1")]), Err(1231));
        assert_eq!(sets(&[text("klingon"), text("latin1")]), Err(1115));
    }

    #[test]
    fn servers_are_told_collations_that_all_of_them_know_and_no_login_can_say() {
        for told_one in [5, 8, 11, 33, 47, 49, 63, 65, 83, 94, 192, 215, 223] {
            assert_eq!(told(told_one), Some(told_one));
        }
        // utf8mb4's, those of sets that the proxy does not know, and numbers of nothing.
        for other in [0, 28, 35, 45, 46, 76, 100, 224, 247, 255, 309, 2304] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    /// What has its scope before another assignment keeps it when that is taken out.
    #[test]
    fn a_scope_holds_for_what_is_left() {
        let sql = b"SET SESSION character_set_results = NULL, GLOBAL a = 1, b = 2, @@session.c = 3";
        let named = read(sql, &Syntax::MARIADB, CharacterSets::default(), &[]).unwrap();
        assert_eq!(named.rest.unwrap(), b"SET GLOBAL a = 1, b = 2, @@session.c = 3");
    }
}
