//! Doris's `SET session_context = '…'`.

use super::Parser;
use crate::{
    control::{Control, TokenKind, truncate_chars},
    model::{ErrorKind, SqlError},
};

/// The longest session context, and so the longest name of a statement, in bytes.
pub(in crate::control) const LONGEST_CONTEXT: usize = 1024;

const NAME: &str = "session_context";

impl Parser<'_> {
    /// After `SET`: this variable of the session alone, and a string or `DEFAULT`. Every other `SET` is the engine's.
    pub(super) fn session_context(&mut self) -> Result<Option<Control>, SqlError> {
        let scoped = self.eat("SESSION") || self.eat("LOCAL");
        let named = match self.token.kind {
            TokenKind::Word(name) => name.eq_ignore_ascii_case(NAME.as_bytes()),
            TokenKind::QuotedIdent(name) => name.raw.eq_ignore_ascii_case(NAME.as_bytes()),
            TokenKind::SystemVar(name) => !scoped && names(name),
            _ => false,
        };
        if !named {
            return Ok(None);
        }
        self.bump();
        if !self.eat_symbol(b'=') {
            return Ok(None);
        }
        let value = match self.token.kind {
            TokenKind::Str(text) => text.decode(),
            _ if self.is("DEFAULT") => Default::default(),
            _ => return Ok(None),
        };
        self.bump();
        if !self.at_end() {
            return Ok(None);
        }
        match std::str::from_utf8(&value) {
            Ok(text) if text.len() <= LONGEST_CONTEXT => {
                Ok(Some(Control::SetSessionContext { value: text.to_owned() }))
            }
            _ => {
                let value = String::from_utf8_lossy(&value[..value.len().min(LONGEST_CONTEXT)]);
                let shown = truncate_chars(&value, 64);
                let text = format!("Variable '{NAME}' can't be set to the value of '{shown}'");
                Err(SqlError::of(ErrorKind::WrongValueForVariable, text))
            }
        }
    }
}

/// Whether `@@name`, without the signs, is the session's own variable.
fn names(name: &[u8]) -> bool {
    let is = |name: &[u8], word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    let variable = match name.iter().position(|b| *b == b'.') {
        Some(dot) if is(&name[..dot], "session") || is(&name[..dot], "local") => &name[dot + 1..],
        Some(_) => return false,
        None => name,
    };
    is(variable.strip_prefix(b"`").and_then(|rest| rest.strip_suffix(b"`")).unwrap_or(variable), NAME)
}
