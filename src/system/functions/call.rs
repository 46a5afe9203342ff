//! The arguments of a call, read as MySQL reads them, and what it gives back.

use std::{borrow::Cow, sync::Arc};

use rusqlite::{
    Error, Result,
    functions::Context,
    types::{Value, ValueRef},
};

use super::Environment;
use crate::{
    model::{ErrorKind, Killed, SqlError},
    system::held::too_much,
};

/// One call.
pub(super) struct Call<'a, 'b> {
    context: &'a Context<'b>,
    pub(super) environment: &'a Environment,
}

impl<'a, 'b> Call<'a, 'b> {
    pub(super) fn new(context: &'a Context<'b>, environment: &'a Environment) -> Self {
        Self { context, environment }
    }

    /// How many arguments there are.
    pub(super) fn count(&self) -> usize {
        self.context.len()
    }

    pub(super) fn raw(&self, at: usize) -> ValueRef<'a> {
        self.context.get_raw(at)
    }

    /// The argument as it is.
    pub(super) fn value(&self, at: usize) -> Value {
        self.raw(at).try_into().unwrap_or(Value::Null)
    }

    /// Whether one of them is NULL.
    pub(super) fn any_null(&self) -> bool {
        (0..self.count()).any(|at| self.raw(at) == ValueRef::Null)
    }

    /// As text. `None`: NULL.
    pub(super) fn text(&self, at: usize) -> Option<Cow<'a, str>> {
        match self.raw(at) {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number.to_string().into()),
            ValueRef::Real(number) => Some(number.to_string().into()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                self.environment.works(bytes.len() as u64);
                Some(String::from_utf8_lossy(bytes))
            }
        }
    }

    /// As a number. `None`: NULL. Of a text, the number that it begins with.
    pub(super) fn real(&self, at: usize) -> Option<f64> {
        match self.raw(at) {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number as f64),
            ValueRef::Real(number) => Some(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(leading_number(&String::from_utf8_lossy(bytes))),
        }
    }

    /// As a whole number, rounded. `None`: NULL. Beyond 64 bits it is the greatest or the least of them.
    pub(super) fn int(&self, at: usize) -> Option<i64> {
        match self.raw(at) {
            ValueRef::Integer(number) => Some(number),
            ValueRef::Text(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                Some(text.trim().parse().unwrap_or_else(|_| leading_number(&text).round() as i64))
            }
            _ => self.real(at).map(|number| number.round() as i64),
        }
    }

    /// Whether it is true. `None`: NULL.
    pub(super) fn truth(&self, at: usize) -> Option<bool> {
        self.real(at).map(|number| number != 0.0)
    }

    /// What was made of a constant argument before, or is made of it now.
    ///
    /// # Errors
    /// Of making it.
    pub(super) fn kept<T: Send + Sync + 'static>(
        &self,
        at: usize,
        make: impl FnOnce() -> std::result::Result<T, SqlError>,
    ) -> Result<Arc<T>> {
        self.context.get_or_create_aux(at as i32, |_| make().inspect_err(|error| self.environment.fail(error.clone())))
    }

    /// That so many bytes may be made.
    ///
    /// # Errors
    /// 1041: they are too many.
    pub(super) fn room(&self, bytes: usize) -> Result<()> {
        self.environment.handles(bytes);
        self.environment.works(bytes as u64);
        if bytes > self.environment.longest { Err(self.refuse(too_much("a text is too long"))) } else { Ok(()) }
    }

    /// An error of the function, which is the question's.
    pub(super) fn refuse(&self, error: SqlError) -> Error {
        self.environment.fail(error.clone());
        Error::UserFunctionError(Box::new(error))
    }

    /// 1582: the function has not so many arguments.
    pub(super) fn wrong_count(&self, function: &str) -> Error {
        let text = format!("Incorrect parameter count in the call to native function '{function}'");
        self.refuse(SqlError::of(ErrorKind::WrongArgumentCount, text))
    }

    /// Looks whether the question is to end: in loops.
    ///
    /// # Errors
    /// The reason.
    pub(super) fn check(&self) -> Result<()> {
        self.environment.stop.reason().map_or(Ok(()), |reason| Err(self.refuse(Killed(reason).into())))
    }
}

/// A text, or NULL.
pub(super) fn some(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::Text)
}

/// The number that a text begins with; 0 if it begins with none.
fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut end = sign + digits(sign);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let from = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if from <= bytes.len() && digits(from) > 0 {
            end = from + digits(from);
        }
    }
    text[..end].parse().unwrap_or(0.0)
}
