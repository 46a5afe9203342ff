//! The SQL control statements, `KILL`, `SHOW PROCESSLIST`, `SHOW WARNINGS`, `SET` of the runtime's settings,
//! `SET STATEMENT … FOR`, `SET session_context`, `FLUSH HOSTS`, `SHOW` and `KILL PROXYSESSION`, and those about prepared
//! statements with names: their lexer,
//! their parser and what it makes; beside them what every statement's text meets on its way: the splitter, the optimizer
//! hint that bounds its time, and the redaction of secrets.
//!
//! A `SET` is one if it assigns at least one of the runtime's settings ([`Setting`](crate::Setting)): by any of its names, in
//! any case, in backquotes, with `@@` and a scope or without, by `=` or `:=`. What it assigns beside them is taken out as a
//! statement of the engine's ([`Rest`]).
//!
//! Pure: bytes in, values out. Which forms there are is a [`Syntax`], one for each system. Who may kill, and how, is
//! decided elsewhere; so is what statements mean that no [`Syntax`] knows, for which [`Lexer`] is
//! public.
//!
//! ```
//! use killdeer::control::{Control, Syntax, parse};
//!
//! let syntax = Syntax::default();
//! assert_eq!(parse(b"SELECT 1", &syntax), Ok(None));
//! assert_eq!(parse(b"show full processlist;", &syntax), Ok(Some(Control::ShowProcesslist { full: true })));
//! assert_eq!(parse(b"KILL 5 6", &syntax).unwrap_err().code(), 1064);
//! assert_eq!(parse(b"KILL TIDB 5", &syntax).unwrap_err().code(), 1064);
//! assert!(parse(b"KILL TIDB 5", &Syntax::TIDB).is_ok());
//! ```

mod address;
mod ast;
mod exact;
mod expr;
mod hint;
mod lexer;
mod like;
mod pairs;
mod parser;
mod pieces;
mod program;
mod proxy;
mod reads;
mod redact;
mod resolve;
mod rest;
mod secrets;
mod sensitive;
mod set;
mod split;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod told;
mod variable;

pub use ast::{Control, Hardness, Kill, KillTarget, Source, UserName};
pub use expr::{IdExpr, IdLiteral, Operator};
pub(crate) use hint::execution_time_hint;
#[cfg(feature = "compat")]
pub(crate) use lexer::Escapes;
pub use lexer::{Lexer, Number, Token, TokenKind};
pub(crate) use like::like;
pub use parser::{parse, syntax_error};
pub use proxy::{KillProxySession, ProxyShow, ShowProxySession};
pub(crate) use reads::only_reads;
#[cfg(feature = "compat")]
pub(crate) use redact::has_secret;
pub use redact::{SECRET, redact, truncate_chars};
pub use resolve::{Scope, id_from_value};
pub(crate) use set::{Assigned, Values};
pub use set::{Assignment, Rest, Set, SetStatement};
pub use split::{Statements, first_statement, split};
pub use syntax::{IdForms, KillForms, Syntax};
pub use text::Text;
#[cfg(feature = "mysql")]
pub(crate) use told::logged_attributes;
pub(crate) use told::{logged, logged_target, may_tell_secrets, shown_error, shown_kill_error, shown_target};
pub(crate) use variable::redact_variable;
