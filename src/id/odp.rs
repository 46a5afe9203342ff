//! The ids of OceanBase's proxy, ODP: the one by which it knows a client, and the one by which servers know the proxy's
//! session.
//!
//! ```text
//!   31  30       23  22  21                          0
//! +---+------------+---+--------------+---------------+
//! |=0 |  proxy id  | u |    thread    |   sequence    |     cs_id, version 1
//! |   |   (8 b)    |   |    (N b)     |  (22 - N b)   |
//! +---+------------+---+--------------+---------------+
//!
//!   31  30       18  17  16                          0
//! +---+------------+---+--------------+---------------+
//! |=0 |  proxy id  | u |    thread    |   sequence    |     cs_id, version 2
//! |   |   (13 b)   |   |    (N b)     |  (17 - N b)   |
//! +---+------------+---+--------------+---------------+
//!
//!  63             32 31           16 15              0
//! +-----------------+---------------+-----------------+
//! |  IPv4 address   |     port      |    sequence     |     proxy_sessid
//! +-----------------+---------------+-----------------+
//! ```
//!
//! *u* is the upgrade bit: the last bit of how often the proxy was replaced while it ran, so that the old process and
//! the new one have different ids. *N* is the number of bits that the count of the proxy's threads has. Bit 31 is clear,
//! and set in the ids that OceanBase's servers make.
//!
//! Nothing here gives ids out.

use std::net::Ipv4Addr;

use super::LayoutError;

/// Which of ODP's two layouts a cs_id has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsIdVersion {
    /// With 8 bits for the proxy's id: such ids are unique on one proxy, and among proxies with different ids.
    V1,
    /// With 13 bits for it: the ids go to the servers, too.
    V2,
}

impl CsIdVersion {
    /// How many bits the proxy's id has.
    const fn proxy_bits(self) -> u32 {
        match self {
            Self::V1 => 8,
            Self::V2 => 13,
        }
    }

    /// How many bits thread and sequence have together: what bit 31, the proxy's id and the upgrade bit leave.
    const fn local_bits(self) -> u32 {
        30 - self.proxy_bits()
    }
}

/// The layout of the ids by which a proxy knows its clients, `cs_id` for short: it depends on the count of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsIdLayout {
    version: CsIdVersion,
    thread_bits: u32,
}

/// The parts of a cs_id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsId {
    /// The proxy's id: at most 255 in version 1, and 8191 in version 2. 0 for a proxy that has none.
    pub proxy: u32,
    /// The upgrade bit.
    pub upgrade: bool,
    /// The thread that the client was given to.
    pub thread: u32,
    /// That thread's sequence. Never 0.
    pub sequence: u32,
}

impl CsIdLayout {
    /// The layout for a proxy with so many threads.
    ///
    /// # Errors
    /// [`LayoutError::Part`] if there is no thread, or so many that no bit is left for a sequence: 65536 are too many
    /// for version 2, and 2097152 for version 1.
    pub const fn new(version: CsIdVersion, threads: u32) -> Result<Self, LayoutError> {
        let greatest = (1 << (version.local_bits() - 1)) - 1;
        match part("thread counts", 1, greatest, threads) {
            Ok(_) => Ok(Self { version, thread_bits: u32::BITS - threads.leading_zeros() }),
            Err(error) => Err(error),
        }
    }

    /// The greatest sequence: after it comes 1.
    pub const fn greatest_sequence(self) -> u32 {
        (1 << (self.version.local_bits() - self.thread_bits)) - 1
    }

    /// The id with these parts.
    ///
    /// # Errors
    /// [`LayoutError::Part`] for one that does not fit.
    pub fn encode(self, id: CsId) -> Result<u32, LayoutError> {
        let local_bits = self.version.local_bits();
        let proxy = part("proxy ids", 0, (1 << self.version.proxy_bits()) - 1, id.proxy)?;
        let thread = part("threads", 0, (1 << self.thread_bits) - 1, id.thread)?;
        let sequence = part("sequences", 1, self.greatest_sequence(), id.sequence)?;
        let upgrade = u32::from(id.upgrade) << local_bits;
        Ok(proxy << (local_bits + 1) | upgrade | thread << (local_bits - self.thread_bits) | sequence)
    }

    /// The parts of `id`; `None` if no proxy makes such ids: bit 31 is set, or the sequence is 0.
    pub fn decode(self, id: u32) -> Option<CsId> {
        let local_bits = self.version.local_bits();
        let sequence = id & self.greatest_sequence();
        (id >> 31 == 0 && sequence != 0).then_some(CsId {
            proxy: id >> (local_bits + 1),
            upgrade: id >> local_bits & 1 == 1,
            thread: id >> (local_bits - self.thread_bits) & ((1 << self.thread_bits) - 1),
            sequence,
        })
    }
}

/// The parts of a `proxy_sessid`: the id by which the servers know a client's session at a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProxySessionId {
    /// The proxy's address.
    pub host: Ipv4Addr,
    /// The port on which it listens.
    pub port: u16,
    /// The proxy's count of sessions, which goes round.
    pub sequence: u16,
}

impl ProxySessionId {
    /// The id with these parts. All fit.
    pub const fn encode(self) -> u64 {
        let Self { host, port, sequence } = self;
        // `u64::from` is not for constants yet; the casts keep the numbers.
        (host.to_bits() as u64) << 32 | (port as u64) << 16 | sequence as u64
    }

    /// The parts of `id`. Any number has them.
    pub const fn decode(id: u64) -> Self {
        // The casts take the 32 and 16 bits that are meant.
        Self { host: Ipv4Addr::from_bits((id >> 32) as u32), port: (id >> 16) as u16, sequence: id as u16 }
    }
}

/// `given` if it is within bounds.
const fn part(part: &'static str, least: u32, greatest: u32, given: u32) -> Result<u32, LayoutError> {
    if given < least || given > greatest {
        // `u64::from` is not for constants yet; the casts keep the numbers.
        let (least, greatest, given) = (least as u64, greatest as u64, given as u64);
        return Err(LayoutError::Part { layout: "ODP's cs_id", part, least, greatest, given });
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    fn layout() -> impl Strategy<Value = CsIdLayout> {
        (select(vec![CsIdVersion::V1, CsIdVersion::V2]), 1..=65_535_u32)
            .prop_map(|(version, threads)| CsIdLayout::new(version, threads).unwrap())
    }

    proptest! {
        #[test]
        fn encode_and_decode_undo_each_other(layout in layout(), id: u32) {
            match layout.decode(id) {
                Some(parts) => prop_assert_eq!(layout.encode(parts), Ok(id)),
                None => prop_assert!(id >> 31 == 1 || id & layout.greatest_sequence() == 0),
            }
        }

        #[test]
        fn a_proxy_sessid_has_all_parts(id: u64) {
            prop_assert_eq!(ProxySessionId::decode(id).encode(), id);
        }
    }

    #[test]
    fn the_ids_of_odps_documents() {
        let host = Ipv4Addr::new(10, 125, 224, 18);
        for (id, sequence) in
            [(756_006_681_247_547_400, 8), (756_006_681_247_547_401, 9), (756_006_681_247_547_402, 10)]
        {
            assert_eq!(ProxySessionId::decode(id), ProxySessionId { host, port: 13_205, sequence });
        }
        // A proxy without an id, and its first thread, whatever their number.
        for version in [CsIdVersion::V1, CsIdVersion::V2] {
            for (id, threads) in [(7, 1), (8, 8), (9, 96)] {
                let parts = CsId { proxy: 0, upgrade: false, thread: 0, sequence: id };
                assert_eq!(CsIdLayout::new(version, threads).unwrap().decode(id), Some(parts));
            }
        }
    }

    #[test]
    fn each_part_has_its_bits() {
        use CsIdVersion::{V1, V2};
        // Eight threads have four bits.
        for (version, proxy, upgrade, thread, sequence, id) in [
            (V1, 255, false, 0, 1, 0x7F80_0001),
            (V1, 1, true, 0, 1, 0x00C0_0001),
            (V1, 0, false, 15, 1, 0x003C_0001),
            (V1, 0, false, 0, 0x3_FFFF, 0x0003_FFFF),
            (V2, 8_191, false, 0, 1, 0x7FFC_0001),
            (V2, 1, true, 0, 1, 0x0006_0001),
            (V2, 0, false, 15, 1, 0x0001_E001),
            (V2, 0, false, 0, 0x1FFF, 0x0000_1FFF),
        ] {
            let layout = CsIdLayout::new(version, 8).unwrap();
            assert_eq!(layout.encode(CsId { proxy, upgrade, thread, sequence }), Ok(id), "{id:#x}");
        }
        // One that a server made, and one without a sequence.
        for id in [0x8000_0001, 0x0003_E000, 0] {
            assert_eq!(CsIdLayout::new(V2, 8).unwrap().decode(id), None, "{id:#x}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let layout = CsIdLayout::new(CsIdVersion::V1, 8).unwrap();
        let good = CsId { proxy: 1, upgrade: false, thread: 1, sequence: 1 };
        for bad in [
            CsId { proxy: 256, ..good },
            CsId { thread: 16, ..good },
            CsId { sequence: 0, ..good },
            CsId { sequence: layout.greatest_sequence() + 1, ..good },
        ] {
            assert!(matches!(layout.encode(bad), Err(LayoutError::Part { .. })), "{bad:?}");
        }
        assert!(layout.encode(good).is_ok());
        for (version, greatest) in [(CsIdVersion::V1, 2_097_151), (CsIdVersion::V2, 65_535)] {
            for (threads, fits) in [(0, false), (1, true), (greatest, true), (greatest + 1, false), (u32::MAX, false)] {
                assert_eq!(CsIdLayout::new(version, threads).is_ok(), fits, "{threads}");
            }
        }
        assert_eq!(
            CsIdLayout::new(CsIdVersion::V2, 65_536).unwrap_err().to_string(),
            "ODP's cs_id has room for thread counts 1 to 65535, not for 65536"
        );
    }
}
