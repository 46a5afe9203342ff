//! The rules of the six systems, side by side.

mod answers;
mod privileges;
