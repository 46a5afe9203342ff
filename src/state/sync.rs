//! The primitives under the kill switch. `tests/kill_switch_loom.rs` puts loom's in their place and runs the same
//! switch through every interleaving.

pub use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};
