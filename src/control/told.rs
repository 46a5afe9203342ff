//! What is told of a statement beside its text, to those who did not send it: its error, in lists and events; what a kill was
//! aimed at, and what a client says of itself, in the history and the log.

use super::{SECRET, Syntax, redact, redact::redact_name, sensitive, truncate_chars};
#[cfg(any(feature = "mysql", test))]
use crate::model::Attributes;
use crate::model::{KillError, Lines, SqlError, Target, escaped};

/// A longer statement is not looked through for its error's sake: it is taken to hold a secret.
const LONGEST_LOOK: usize = 1 << 20;

/// Of a name that a client chose, so many characters are kept and logged.
const LONGEST_NAME: usize = 80;

/// Of a client's attributes, so many are logged.
#[cfg(any(feature = "mysql", test))]
const MOST_ATTRIBUTES: usize = 16;

/// Whether an error of this statement may repeat a secret: one that stands in it, or one that was given to it as a parameter
/// or by a variable.
pub(crate) fn may_tell_secrets(sql: &[u8], syntax: &Syntax) -> bool {
    if sql.len() > LONGEST_LOOK {
        return true;
    }
    sensitive::keyword(sql).is_some()
        && (sql.iter().any(|b| matches!(b, b'?' | b'@')) || redact(sql, syntax).contains(SECRET))
}

/// An error as lists and events may show it. `tells`: it may repeat a secret of its statement, and has no text then. Of any
/// other, what follows `near` is left out, since it may begin in the middle of one.
pub(crate) fn shown_error(error: &SqlError, tells: bool, syntax: &Syntax) -> SqlError {
    let text = if tells {
        SECRET.to_owned()
    } else {
        let message = error.message();
        let near = [" near '", " near \""].into_iter().filter_map(|near| message.find(near)).min();
        let (text, rest) = near.map_or((message, ""), |at| (&message[..at], " near …"));
        redact(text.as_bytes(), syntax).into_owned() + rest
    };
    SqlError::new(error.code(), error.state(), text)
}

/// A name that a client chose, as the log may show it: on one line, without a secret, and cut.
pub(crate) fn logged(name: &str) -> String {
    let shown = redact_name(truncate_chars(name, LONGEST_NAME));
    escaped(shown.as_bytes(), Lines::Escaped).into_owned()
}

/// What a client says of itself, as the log may show it.
#[cfg(any(feature = "mysql", test))]
pub(crate) fn logged_attributes(attributes: Option<&Attributes>) -> String {
    let pairs = attributes.into_iter().flat_map(Attributes::pairs);
    let shown = pairs.take(MOST_ATTRIBUTES).map(|(name, value)| {
        let secret = sensitive::is_secret(name.as_bytes());
        format!("{}={}", logged(&name), if secret { SECRET.to_owned() } else { logged(&value) })
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// What a kill was aimed at, as a statement would name it.
pub(crate) fn logged_target(target: &Target) -> String {
    match target {
        Target::Session(id) => id.to_string(),
        Target::Statement(id) => format!("QUERY ID {id}"),
        Target::Named(name) => format!("'{}'", logged(name)),
        Target::User { user, host: None } => format!("USER {}", logged(user)),
        Target::User { user, host: Some(host) } => format!("USER {}@{}", logged(user), logged(host)),
    }
}

/// What a kill was aimed at, as events show it: names without the secrets that somebody put there by mistake.
pub(crate) fn shown_target(target: &Target) -> Target {
    let shown = redact_name;
    match target {
        Target::Named(name) => Target::Named(shown(name)),
        Target::User { user, host } => Target::User { user: shown(user), host: host.as_deref().map(shown) },
        other => other.clone(),
    }
}

/// Why a kill was not carried out, as events show it.
pub(crate) fn shown_kill_error(error: &KillError) -> KillError {
    match error {
        KillError::UnknownName(name) => KillError::UnknownName(logged(name)),
        KillError::UnknownSession(id) => KillError::UnknownSession(logged(id)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_statement_with_a_secret_has_no_text() {
        let syntax = Syntax::MYSQL;
        for (sql, tells) in [
            ("SET PASSWORD = 'hunter2'", true),
            ("CREATE USER u IDENTIFIED BY ?", true),
            ("UPDATE t SET token = @x", true),
            ("CREATE USER u IDENTIFED BY 'hunter2'", true),
            ("SELECT password FROM t", false),
            ("SELECT 1 FROM t WHERE a = ?", false),
        ] {
            assert_eq!(may_tell_secrets(sql.as_bytes(), &syntax), tells, "{sql}");
        }
        assert!(may_tell_secrets(&vec![b' '; LONGEST_LOOK + 1], &syntax));
        let error = |text: &'static str| SqlError::new(1064, "42000", text);
        for (text, tells, expected) in [
            ("Your password 'hunter2' is too weak", true, SECRET),
            ("No such table: t", false, "No such table: t"),
            ("wrong near 'unter2' at line 1", false, "wrong near …"),
            ("line 1 column 14 near \"set password 'aaae'\"", false, "line 1 column 14 near …"),
            ("found: PASSWORD = 'hunter2'\r\n", false, "found: PASSWORD = <secret>\\x0D\n"),
        ] {
            let shown = shown_error(&error(text), tells, &syntax);
            assert_eq!((shown.code(), shown.state(), shown.message()), (1064, "42000", expected), "{text}");
        }
    }

    #[test]
    fn what_is_logged_stands_on_one_line_and_holds_no_secret() {
        assert_eq!(logged("eve\nINFO killdeer: kill by=root"), "eve\\x0AINFO killdeer: kill by=root");
        assert_eq!(logged("x IDENTIFIED BY 'hunter2'"), "x IDENTIFIED BY <secret>");
        assert_eq!(logged("x --password=hunter2 y"), "x --password=<secret> y");
        assert_eq!(logged("password: hunter2"), "password: <secret>");
        assert_eq!(logged(&"ä".repeat(100)).chars().count(), 80);
        let target = Target::User { user: "a\u{202e}b".into(), host: Some("h\n".into()) };
        assert_eq!(logged_target(&target), "USER a\\xE2\\x80\\xAEb@h\\x0A");
        let named = |name: &str| Target::Named(name.into());
        assert_eq!(shown_target(&named("PASSWORD 'hunter2'")), named("PASSWORD <secret>"));
        assert_eq!(shown_target(&named("batch")), named("batch"));
        let pairs = [("program_name", "x\n--password='hunter2'"), ("_client_secret", "hunter2"), ("_os", "Linux")];
        let attributes = Attributes::new(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        assert_eq!(
            logged_attributes(Some(&attributes)),
            "program_name=x\\x0A--password=<secret> _client_secret=<secret> _os=Linux"
        );
    }
}
