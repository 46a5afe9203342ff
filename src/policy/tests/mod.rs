//! What rules are read, and what they decide.

mod decide;
mod parse;
