//! A variable of a session, as those may see it who look at the session.

use std::borrow::Cow;

use super::{
    SECRET, Syntax,
    redact::{has_secret, redact_name},
};

/// The name of a variable without the secrets in it, and its value, or [`SECRET`] if the statement that gives it this value
/// would not be shown whole.
pub(crate) fn redact_variable<'a>(name: &str, value: &'a str) -> (String, &'a str) {
    let assignment = format!("SET @`{}` = {}", name.replace('`', "``"), quoted(value));
    let value = if has_secret(assignment.as_bytes(), &Syntax::MYSQL) { SECRET } else { value };
    (redact_name(name), value)
}

/// A value as a literal that ends at the same place in every reading of its backslashes. A number stays one: it is no secret
/// where a text would be.
fn quoted(value: &str) -> Cow<'_, str> {
    let is_number = value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')) && !value.is_empty();
    match is_number {
        true => value.into(),
        false => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_if_their_assignment_would_be() {
        for (name, value, expected) in [
            ("mine", "it's \\", "it's \\"),
            ("mine", "", ""),
            ("min_token_size", "3", "3"),
            ("password", "c", SECRET),
            ("PassWord", "", SECRET),
            ("password", "12", SECRET),
            ("my`s", "it's", "it's"),
            ("s3.secret_key", "c", SECRET),
            ("statement", "CREATE USER u IDENTIFIED BY 'c'", SECRET),
            ("statement", "x' \\' IDENTIFIED BY 'c", SECRET),
            ("statement", "SELECT 'c'", "SELECT 'c'"),
            ("server", "mysql://u:c@host/", SECRET),
            ("server", "host=h;pwd=c", SECRET),
        ] {
            assert_eq!(redact_variable(name, value), (name.to_owned(), expected), "{name} = {value}");
        }
        assert_eq!(redact_variable("pwd=c", "1").0, "pwd=<secret>");
    }
}
