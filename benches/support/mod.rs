//! What the benchmarks share. Each uses its part of it.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `engine` | the engine that is measured under: it answers at once |
//! | `sessions` | sessions by the thousand |
//! | `figures` | rounds, medians, tables and verdicts |
//! | `process` | children, their CPU time and their memory |
#![allow(dead_code, reason = "every benchmark uses its own part")]

pub mod engine;
pub mod figures;
pub mod process;
pub mod sessions;

use killdeer::{Setting, Settings};

/// As many sessions as a benchmark likes, and one more.
pub fn many() -> Settings {
    Settings::new().count(Setting::MaxConnections, 10_000_000)
}
