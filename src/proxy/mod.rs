//! A proxy in front of MySQL servers: the client's session is one of this runtime's, as any other; what it has at the servers
//! are its server sessions, and statements are passed on and answered as they come.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `engine` | the proxy as an engine of the runtime's: [`Proxy`], [`ProxyBuilder`] |
//! | `shun` | how long a server that could not be reached is asked last |
//! | `accounts` | who may log in at the proxy, and as whom its statements run at the servers: [`Accounts`], [`Account`] |
//! | `session` | what becomes of one client's statements: [`ProxySession`] |
//! | `open` | what is kept for one client, and what becomes of it when a statement has ended |
//! | `connect` | a new server session for a client |
//! | `connection` | a connection to a server, and what the server keeps behind it |
//! | `turn` | something asked of a server, on a server session that is lent for it |
//! | `catch_up` | what a server session is told before a statement runs on it |
//! | `relay` | a server's answer on its way to the client |
//! | `kill` | kills of statements that run at servers |
//! | `side` | side connections, on which kills are said to servers |
//! | `pool` | the server sessions of one client |
//! | `server` | a server session, and the actor that keeps its connection |
//! | `prepared` | the statements that are prepared on one server session |
//! | `recent` | things that belong to the texts of statements |
//! | `readings` | what the texts of prepared statements say, remembered |
//! | `failure` | how a statement can fail on its way, and what its client is told |
//! | `backend` | one connection to a server, and what comes over it |
//! | `assign` | the assignments of a `SET`, one after the other |
//! | `pins` | what ties a client to one server session |
//! | `route` | what a statement's text says of where it may run |
//! | `character_sets` | `SET NAMES` and what else says which character sets a client writes and reads |
//! | `state` | what a client has set in its session, and how another server session is brought up to it |

mod accounts;
mod assign;
mod backend;
mod catch_up;
mod character_sets;
mod connect;
mod connection;
mod engine;
mod failure;
mod kill;
mod open;
mod pins;
mod pool;
mod prepared;
mod readings;
mod recent;
mod relay;
mod route;
mod server;
mod session;
mod shun;
mod side;
mod state;
#[cfg(test)]
mod tests;
mod turn;

pub use self::{
    accounts::{Account, Accounts},
    engine::{Proxy, ProxyBuilder},
    session::ProxySession,
};
