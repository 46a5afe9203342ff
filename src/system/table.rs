//! A system table as it is given to be asked: its columns, and the rows that this client may see.

use crate::model::{Column, OwnedValue};

/// A table with the rows that whoever asks may see. What is not in it cannot come out of a question.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The database that it is in, as results name it.
    pub(crate) database: &'static str,
    /// Its name, as results give it.
    pub(crate) name: &'static str,
    /// In the order of `SELECT *`.
    pub(crate) columns: Vec<Column>,
    /// One value for each column in each.
    pub(crate) rows: Vec<Vec<OwnedValue>>,
}
