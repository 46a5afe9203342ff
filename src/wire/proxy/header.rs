//! The headers of the PROXY protocol, as HAProxy's `proxy-protocol.txt` specifies them, in the bytes that have come.
//!
//! Nothing here is a guess: what is not yet decided needs more bytes, and what is no header is an error as soon as its
//! first wrong byte is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header of version 1 begins with.
const TEXT: &[u8] = b"PROXY ";

/// The longest of them, with its end of line.
const TEXT_LIMIT: usize = 107;

/// What a header of version 2 begins with.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Its fixed part: the signature, version and command, family and transport, the length of the rest.
const FIXED: usize = BINARY.len() + 4;

/// So long the rest may be. The addresses take 216 bytes at the most, what proxies add (names, certificates' subjects)
/// some hundred.
const REST_LIMIT: usize = 4096;

/// No header is longer.
#[cfg(feature = "internals")]
pub(super) const LONGEST: usize = FIXED + REST_LIMIT;

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Its bytes.
    pub(super) length: usize,
    /// Whom it is for. None: the proxy itself (a check of its own), or somebody without a TCP address; then the
    /// connection's own address counts.
    pub(super) client: Option<SocketAddr>,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::wire) enum HeaderError {
    /// They do not begin like one.
    #[error("no PROXY header")]
    Missing,
    /// They begin like one.
    #[error("a broken PROXY header")]
    Malformed,
    /// It is, or claims to be, longer than is allowed.
    #[error("a PROXY header that is too long")]
    TooLong,
}

/// The header at the beginning of `bytes`, if all of it is there. The error comes with the first bytes that show it, and
/// of a header that is not whole there are never more than 16 + 4,096 bytes.
pub(super) fn find(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    if begins(bytes, BINARY) {
        binary(bytes)
    } else if begins(bytes, TEXT) {
        text(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

/// Whether `bytes` begin so, as far as they have come.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    bytes.iter().zip(with).all(|(one, other)| one == other)
}

/// Version 1: a line of words.
fn text(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let within = &bytes[..bytes.len().min(TEXT_LIMIT)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if within.len() < TEXT_LIMIT { Ok(None) } else { Err(HeaderError::TooLong) };
    };
    let line = within[..end].strip_suffix(b"\r").and_then(|line| str::from_utf8(line).ok());
    let client = line.and_then(client_of_line).ok_or(HeaderError::Malformed)?;
    Ok(Some(Header { length: end + 1, client }))
}

/// Whom a line of version 1 is for; `None`: it is none.
fn client_of_line(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ');
    let (_, family) = (words.next()?, words.next()?);
    if family == "UNKNOWN" {
        // Whatever else the line says.
        return Some(None);
    }
    let [source, destination, source_port, destination_port] =
        [words.next()?, words.next()?, words.next()?, words.next()?];
    let address = match family {
        "TCP4" => (IpAddr::V4(source.parse().ok()?), destination.parse::<Ipv4Addr>().is_ok()),
        "TCP6" => (IpAddr::V6(source.parse().ok()?), destination.parse::<Ipv6Addr>().is_ok()),
        _ => return None,
    };
    match (address, port(source_port)?, port(destination_port)?, words.next()) {
        ((client, true), port, _, None) => Some(Some(SocketAddr::new(client, port))),
        _ => None,
    }
}

/// A port in version 1: decimal, without a sign or leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    if plain { word.parse().ok() } else { None }
}

/// Version 2: addresses as they are in packets, and additions, which are skipped.
fn binary(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let needed = match (command, family >> 4, family & 0x0f) {
        // LOCAL: the proxy speaks for itself, and the family means nothing.
        (0x20, _, _) | (0x21, 0, 0..=2) => 0,
        (0x21, 1, 0..=2) => 12,
        (0x21, 2, 0..=2) => 36,
        (0x21, 3, 0..=2) => 216,
        _ => return Err(HeaderError::Malformed),
    };
    if length < needed {
        return Err(HeaderError::Malformed);
    }
    if length > REST_LIMIT {
        return Err(HeaderError::TooLong);
    }
    let Some(rest) = rest.get(..length) else { return Ok(None) };
    let client = match (command, family) {
        (0x21, 0x11) => source::<4>(rest, 8),
        (0x21, 0x21) => source::<16>(rest, 32),
        // Datagrams, Unix sockets and what the proxy does not know have no address of TCP.
        _ => None,
    };
    Ok(Some(Header { length: FIXED + length, client }))
}

/// The source in the addresses of version 2, of N bytes, its port so far behind it.
fn source<const N: usize>(rest: &[u8], port: usize) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let (address, port) = (rest.first_chunk::<N>()?, rest.get(port..)?.first_chunk::<2>()?);
    Some(SocketAddr::new((*address).into(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
