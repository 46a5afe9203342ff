//! The rules of the five systems, side by side.

mod answers;
mod privileges;
