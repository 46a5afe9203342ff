//! Connections: to this crate's own server, and to servers that are played here.

mod played;
pub(in crate::proxy) mod player;
mod served;
mod small;

use std::{net::SocketAddr, time::Duration};

use super::*;
use crate::model::ServerAddress;

/// For ever, in a test.
const LONG: Duration = Duration::from_secs(20);

fn server(address: SocketAddr) -> ServerAddress {
    ServerAddress::Tcp(address.ip().to_string(), address.port())
}

fn account(user: &str, password: &str) -> Account {
    Account { user: user.to_owned(), password: password.to_owned(), takes_keys: false }
}

/// The code of the server's error.
fn code<T: std::fmt::Debug>(result: Result<T, BackendError>) -> u16 {
    match result {
        Err(BackendError::Server(error)) => error.code(),
        other => panic!("{other:?}"),
    }
}

/// Why the connection was lost.
fn lost<T: std::fmt::Debug>(result: Result<T, BackendError>) -> String {
    match result {
        Err(BackendError::Lost(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// What rows there are, to the end of the result set.
async fn all_rows(backend: &mut Backend) -> Result<(Vec<Vec<u8>>, Answer), BackendError> {
    let mut all = Vec::new();
    loop {
        match backend.rows().await? {
            Rows::Some(packets) => all.extend(payloads(packets).map(std::borrow::Cow::into_owned)),
            Rows::Part(_) => panic!("a part"),
            Rows::End(answer) => return Ok((all, answer)),
        }
    }
}
