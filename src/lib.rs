//! Killdeer.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod id;
pub mod model;
