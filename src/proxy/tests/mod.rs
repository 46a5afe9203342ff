//! The proxy in front of servers of this crate's own.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `behind` | a server behind the proxy |
//! | `stage` | a proxy and its servers, for the time of a test |

mod behind;
mod ends;
mod forwarding;
mod kills;
mod prepared;
mod several;
mod stage;
