//! The SQL control statements, `KILL`, `SHOW PROCESSLIST` and those
//! about prepared statements with names: their lexer, their parser and what it makes; beside them
//! what every statement's text meets on its way: the splitter and the redaction of secrets.
//!
//! Pure: bytes in, values out. Who may kill, and how, is decided elsewhere; so is what other systems' own statements
//! (`KILL PROXYSESSION …`) mean, for which [`Lexer`] is public.
//!
//! ```
//! use killdeer::control::{Control, Syntax, parse};
//!
//! let syntax = Syntax::default();
//! assert_eq!(parse(b"SELECT 1", &syntax), Ok(None));
//! assert_eq!(parse(b"show full processlist;", &syntax), Ok(Some(Control::ShowProcesslist { full: true })));
//! assert_eq!(parse(b"KILL 5 6", &syntax).unwrap_err().code(), 1064);
//! ```

mod ast;
mod lexer;
mod parser;
mod redact;
mod resolve;
mod secrets;
mod split;
mod syntax;
#[cfg(test)]
mod tests;
mod text;

pub use ast::{Control, Hardness, IdExpr, IdLiteral, Kill, KillTarget, Source, UserName};
#[cfg(feature = "compat")]
pub(crate) use lexer::Escapes;
pub use lexer::{Lexer, Number, Token, TokenKind};
pub use parser::{parse, syntax_error};
pub use redact::{SECRET, redact, truncate_chars};
pub use resolve::{Scope, id_from_value};
pub use split::{Statements, first_statement, split};
pub use syntax::Syntax;
pub use text::Text;
