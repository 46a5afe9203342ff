//! The proxy in front of servers of this crate's own, and of such that are played.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `behind` | a server behind the proxy |
//! | `raw` | a client that sees each packet |
//! | `stage` | a proxy and its servers, for the time of a test |

mod behind;
mod collations;
mod ends;
mod fetched;
mod forwarding;
mod kills;
mod long_rows;
mod losses;
mod played_answers;
mod played_kills;
mod prepared;
mod raw;
mod several;
mod stage;
