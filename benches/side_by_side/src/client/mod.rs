//! The client: the same for every server, and no more work than it takes.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `packet` | the bytes of requests and the shape of answers |
//! | `connection` | one connection: login, and statements whose answers are looked at |
//! | `secure` | TLS that trusts anybody |
//! | `load` | a child that asks the same over many connections, as fast as it is answered |
//! | `crowd` | a child with many connections that do nothing |

mod connection;
pub mod crowd;
pub mod load;
pub mod packet;
pub mod secure;

pub use connection::{Connection, Prepared};
pub use crowd::Crowd;
pub use load::{Load, Mode, Report, STATEMENT};
