//! How a system behaves as its users know it.
