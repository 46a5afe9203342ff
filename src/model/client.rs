//! OceanBase: which client of a proxy a session is for.

#[cfg(any(feature = "mysql", test))]
use super::Attributes;
use crate::id::SessionId;

/// The session of a client at an OceanBase proxy, as servers are told of it: all sessions that the proxy opens for that
/// client have the same, on every server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientSession {
    /// Its id: 32 bits, of which bit 31 is clear (made by a proxy, see [`crate::CsIdLayout`]).
    pub id: SessionId,
    /// When the client connected to the proxy, in microseconds since 1970 by the proxy's clock. Ids come back; with this
    /// the one that has it now is told from the one that had it before.
    pub connected: u64,
}

#[cfg(any(feature = "mysql", test))]
impl ClientSession {
    /// By this attribute a proxy (ODP) says the client session's id.
    const ID: &str = "__client_session_id";
    /// By this one, when its client connected.
    const CONNECTED: &str = "__client_connect_time";

    /// What these attributes say; `None` unless both parts are there once, as decimal numbers: what is said twice may have
    /// been said by two.
    pub(crate) fn told(attributes: &Attributes) -> Option<Self> {
        let number = |name: &str| {
            let mut values = attributes.pairs().filter(|(known, _)| known == name).map(|(_, value)| value);
            let value = values.next().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?;
            if values.next().is_some() { None } else { value.parse::<u64>().ok() }
        };
        Some(Self { id: SessionId::new(number(Self::ID)?), connected: number(Self::CONNECTED)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_are_said_once_and_as_numbers() {
        let told = |pairs: &[(&str, &str)]| {
            let bytes = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            ClientSession::told(&Attributes::new(bytes))
        };
        let (id, at) = (("__client_session_id", "7"), ("__client_connect_time", "1700000000000000"));
        let client = ClientSession { id: SessionId::new(7), connected: 1_700_000_000_000_000 };
        assert_eq!(told(&[("_os", "Linux"), id, at, ("__client_addr_port", "40007")]), Some(client));
        assert_eq!(told(&[at, id]), Some(client));
        for pairs in [
            &[id][..],
            &[at],
            &[id, at, id],
            &[id, at, (at.0, "2")],
            &[(id.0, ""), at],
            &[(id.0, "+7"), at],
            &[(id.0, "7 "), at],
            &[(id.0, "-7"), at],
            &[id, (at.0, "now")],
            &[id, (at.0, "18446744073709551616")],
            &[("__CLIENT_SESSION_ID", "7"), at],
        ] {
            assert_eq!(told(pairs), None, "{pairs:?}");
        }
    }
}
