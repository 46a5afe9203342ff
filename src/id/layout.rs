//! The layout of ids: which ones a server may give out, and where in an id the server's own count stands.
//!
//! One file for each family of layouts, with its bits drawn and the ids of its system's documents as tests; here is
//! what a server is built with. Not here: which id is next (`order.rs`) and who has which (`map.rs`).

mod error;
mod oceanbase;
mod odp;
mod plain;
mod reading;
mod tidb;

use self::tidb::Width;
pub use self::{
    error::LayoutError,
    reading::{Malformed, Reading},
};
use super::{SessionId, span::Span};

/// Which ids a server gives out, and how it reads the ids that clients type.
///
/// A server counts its sessions with a *local number*; the layout turns that number into the [`SessionId`] that clients
/// see, and back. The plain layouts have nothing but that number in an id. Those for clusters put the server's id around
/// it, so that an id is unique in the cluster while each server still counts for itself.
///
/// | layout | bits | server ids | ids each |
/// | --- | --- | --- | --- |
/// | [`plain32`](Self::plain32) | 32 | – | 4,294,967,295 |
/// | [`range`](Self::range) | 64 | – | as said |
/// | [`oceanbase`](Self::oceanbase) | 32 | 1 to 4,095 | 262,143 |
/// | [`oceanbase_older`](Self::oceanbase_older) | 32 | 1 to 32,767 | 65,535 |
/// | [`odp`](Self::odp) | 32 | 0 to 255 | 2,097,151 |
/// | [`tidb`](Self::tidb) | 32, and 64 when those are used up | 1 to 2,047 | 1,048,575, and 1,099,511,627,575 |
/// | [`tidb64`](Self::tidb64) | 64 | 1 to 4,194,303 | 1,099,511,627,575 |
///
/// The greeting of the MySQL protocol carries an id's low 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    family: Family,
    main: Span,
    /// The numbers to go over to when all of the main ones are live.
    spare: Option<Span>,
    /// Where the count begins, in each pool counted round.
    start: u64,
}

/// How a local number stands in an id, with the id of the server that gives it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Plain,
    OceanBase(u32),
    OceanBaseOlder(u32),
    Odp(u32),
    TiDb(u32),
    TiDb64(u32),
}

/// A server's own number of a session: two numbers of different pools are different, and have different ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Local {
    pub(crate) pool: Pool,
    pub(crate) number: u64,
}

/// Of which of a layout's ranges a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pool {
    /// The one that each layout has.
    Main,
    /// The one to go over to: TiDB's ids of 64 bits.
    Spare,
}

impl Layout {
    /// MySQL's: the ids 1 to 2^32 - 1, as the greeting has four bytes for the id. 0 is never given out.
    pub const fn plain32() -> Self {
        Self::of(Family::Plain, plain::LOCALS)
    }

    /// The ids `first` to `last`, both included: for tests, and for embedders whose ids must stay clear of others'.
    ///
    /// Ids above 2^32 - 1 do not fit the greeting of the MySQL protocol.
    ///
    /// # Errors
    /// [`LayoutError::Range`] if `first` is 0, which is no id, or greater than `last`.
    pub const fn range(first: u64, last: u64) -> Result<Self, LayoutError> {
        match Span::new(first, last) {
            Some(span) => Ok(Self::of(Family::Plain, span)),
            None => Err(LayoutError::Range { first, last }),
        }
    }

    /// OceanBase's, with the ids of server `server`: 3221487617 is the first of server 1.
    ///
    /// # Errors
    /// [`LayoutError::Part`] if the server id is not within 1 to 4095.
    pub const fn oceanbase(server: u32) -> Result<Self, LayoutError> {
        match of_server("OceanBase's layout", server, oceanbase::SERVERS) {
            Ok(()) => Ok(Self::of(Family::OceanBase(server), oceanbase::LOCALS)),
            Err(error) => Err(error),
        }
    }

    /// The one that OceanBase formerly had: 2147549203 is the 19th of server 1.
    ///
    /// # Errors
    /// [`LayoutError::Part`] if the server id is not within 1 to 32767.
    pub const fn oceanbase_older(server: u32) -> Result<Self, LayoutError> {
        match of_server("OceanBase's older layout", server, oceanbase::OLDER_SERVERS) {
            Ok(()) => Ok(Self::of(Family::OceanBaseOlder(server), oceanbase::OLDER_LOCALS)),
            Err(error) => Err(error),
        }
    }

    /// That of OceanBase's proxy, ODP: its cs_ids of version 1 ([`crate::CsIdVersion::V1`]) with one thread, of the proxy with
    /// this id; 0 for a proxy that has none. An id with bit 31 set stands for the same session: that is what
    /// [`CONNECTION_ID()`](crate::StatementContext::connection_id) says.
    ///
    /// # Errors
    /// [`LayoutError::Part`] if the proxy's id is greater than 255.
    pub const fn odp(proxy: u32) -> Result<Self, LayoutError> {
        if proxy > odp::PROXIES {
            // `u64::from` is not for constants yet; the casts keep the numbers.
            let (greatest, given) = (odp::PROXIES as u64, proxy as u64);
            return Err(LayoutError::Part { layout: "ODP's layout", part: "the proxy ids", least: 0, greatest, given });
        }
        Ok(Self::of(Family::Odp(proxy), odp::LOCALS))
    }

    /// TiDB's, with the ids of server `server`: of 32 bits, so that the greeting carries all of an id, and when those
    /// are used up, of 64 bits, until half of the former are free again.
    ///
    /// # Errors
    /// [`LayoutError::Part`] if the server id is not within 1 to 2047: such servers have [`Layout::tidb64`].
    pub const fn tidb(server: u32) -> Result<Self, LayoutError> {
        match of_server("TiDB's layout of 32 bits", server, tidb::SERVERS_32) {
            Ok(()) => {
                let mut layout = Self::of(Family::TiDb(server), tidb::LOCALS_32);
                layout.spare = Some(tidb::LOCALS_64);
                Ok(layout)
            }
            Err(error) => Err(error),
        }
    }

    /// TiDB's, with ids of 64 bits only. A client that reads the id in the greeting has half of it, by which it can
    /// kill nobody.
    ///
    /// # Errors
    /// [`LayoutError::Part`] if the server id is not within 1 to 4194303.
    pub const fn tidb64(server: u32) -> Result<Self, LayoutError> {
        match of_server("TiDB's layout of 64 bits", server, tidb::SERVERS_64) {
            Ok(()) => Ok(Self::of(Family::TiDb64(server), tidb::LOCALS_64)),
            Err(error) => Err(error),
        }
    }

    /// The same layout with the first `ids` ids only: with [`Layout::tidb`], of those of 32 bits; the others stay.
    ///
    /// # Errors
    /// [`LayoutError::Pool`] if there are fewer, or `ids` is 0.
    pub fn pool_of(mut self, ids: u64) -> Result<Self, LayoutError> {
        if ids == 0 || ids > self.main.size() {
            return Err(LayoutError::Pool { greatest: self.main.size(), given: ids });
        }
        // The first is left at least, and the sum is at most the last.
        self.main = self.main.up_to(self.main.first() + (ids - 1)).unwrap_or(self.main);
        Ok(self)
    }

    /// The same layout with a count that begins at `local` and goes round the whole range: a server that was restarted
    /// and begins at random does not give out at once the ids that it gave out before.
    ///
    /// A number outside of the range is counted round it, so any will do. Of two pools, each begins there.
    pub const fn starting_at(mut self, local: u64) -> Self {
        self.start = local;
        self
    }

    /// The same layout without the ids that have bit 31 set in the greeting, for clients that read it there as a signed
    /// number.
    ///
    /// Plain ids then end at 2^31 - 1. Of TiDB's ids of 64 bits the greeting carries the low half, so there the local
    /// numbers end at 2^30 - 1, for any server.
    ///
    /// # Errors
    /// [`LayoutError::Part`] for [`Layout::tidb`] if the server id is greater than 1023, since its highest bit is
    /// bit 31. [`LayoutError::NotSigned`] if all of a range is above 2^31 - 1. [`LayoutError::MarksServer`] for
    /// OceanBase's.
    pub fn keep_bit_31_clear(mut self) -> Result<Self, LayoutError> {
        match self.family {
            Family::Plain => {
                let first = self.main.first();
                self.main = self.main.up_to(plain::SIGNED).ok_or(LayoutError::NotSigned { first })?;
            }
            Family::OceanBase(_) | Family::OceanBaseOlder(_) => return Err(LayoutError::MarksServer),
            // They are so already.
            Family::Odp(_) => {}
            Family::TiDb(server) => {
                of_server("TiDB's layout of 32 bits with bit 31 clear", server, tidb::SIGNED_SERVERS_32)?;
                self.spare = self.spare.and_then(|spare| spare.up_to(tidb::SIGNED_LOCALS_64));
            }
            // The first is 1, so some are left.
            Family::TiDb64(_) => self.main = self.main.up_to(tidb::SIGNED_LOCALS_64).unwrap_or(self.main),
        }
        Ok(self)
    }

    /// How many ids there are, so how many sessions can live at once. At least 1.
    pub const fn size(&self) -> u64 {
        let spare = match self.spare {
            Some(spare) => spare.size(),
            None => 0,
        };
        // No overflow: a layout with a spare pool has less than 2^41 ids in all.
        self.main.size() + spare
    }

    /// The id of the server whose ids these are; `None` if the layout has none.
    pub const fn server(&self) -> Option<u32> {
        match self.family {
            Family::Plain => None,
            Family::OceanBase(server)
            | Family::OceanBaseOlder(server)
            | Family::Odp(server)
            | Family::TiDb(server)
            | Family::TiDb64(server) => Some(server),
        }
    }

    /// What `id` is: a number as a client typed it, or as it stood in a packet of `COM_PROCESS_KILL`.
    pub fn read(&self, id: u64) -> Reading {
        match self.parts(id) {
            Ok((Some(server), _)) if Some(server) != self.server() => Reading::OfServer(server),
            Ok(_) => Reading::Ours,
            Err(other) => other,
        }
    }

    /// The id of the server that gave out `id`, this one or another; `None` if none did, and if the layout has none.
    pub fn server_of(&self, id: SessionId) -> Option<u32> {
        match self.read(id.get()) {
            Reading::Ours => self.server(),
            Reading::OfServer(server) => Some(server),
            _ => None,
        }
    }

    /// What `CONNECTION_ID()` says in the session with this id: the id itself, but for a proxy's.
    pub const fn connection_id(&self, id: SessionId) -> SessionId {
        SessionId::new(id.get() | self.connection_mark())
    }

    /// The bits that `CONNECTION_ID()` has beside those of the id.
    pub(crate) const fn connection_mark(&self) -> u64 {
        match self.family {
            Family::Odp(_) => odp::MARK,
            _ => 0,
        }
    }

    /// The numbers of the main pool.
    pub(super) const fn main(&self) -> Span {
        self.main
    }

    /// The numbers of the spare pool.
    pub(super) const fn spare(&self) -> Option<Span> {
        self.spare
    }

    /// Where the count begins: in each pool counted round.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// The id for `local`, whose number must be one of its pool's. Different numbers have different ids.
    pub(crate) fn encode(&self, local: Local) -> SessionId {
        debug_assert!(self.has(local), "{local:?} is outside of {self:?}");
        let Local { pool, number } = local;
        SessionId::new(match (self.family, pool) {
            (Family::Plain, _) => plain::encode(number),
            (Family::OceanBase(server), _) => oceanbase::encode(server, number),
            (Family::OceanBaseOlder(server), _) => oceanbase::encode_older(server, number),
            (Family::Odp(proxy), _) => odp::encode(proxy, number),
            (Family::TiDb(server), Pool::Main) => tidb::encode(Width::Bits32, server, number),
            (Family::TiDb(server), Pool::Spare) => tidb::encode(Width::Bits64, server, number),
            (Family::TiDb64(server), _) => tidb::encode(Width::Bits64, server, number),
        })
    }

    /// The local number within `id`; `None` if this server never gives out such an id.
    pub(crate) fn decode(&self, id: SessionId) -> Option<Local> {
        let (server, local) = self.parts(id.get()).ok()?;
        (server == self.server() && self.has(local)).then_some(local)
    }

    /// The server id and the local number within `id`, if a server with this layout could have made it: perhaps not
    /// this server, and perhaps not a number that is given out.
    fn parts(&self, id: u64) -> Result<(Option<u32>, Local), Reading> {
        let main = |number| Local { pool: Pool::Main, number };
        match self.family {
            Family::Plain => plain::decode(id, self.main).map(|number| (None, main(number))),
            Family::OceanBase(_) => oceanbase::decode(id).map(|(server, number)| (Some(server), main(number))),
            Family::OceanBaseOlder(_) => {
                oceanbase::decode_older(id).map(|(server, number)| (Some(server), main(number)))
            }
            Family::Odp(_) => odp::decode(id).map(|(proxy, number)| (Some(proxy), main(number))),
            Family::TiDb(_) | Family::TiDb64(_) => tidb::decode(id).map(|(width, server, number)| {
                let pool = match (self.family, width) {
                    (Family::TiDb64(_), Width::Bits64) | (Family::TiDb(_), Width::Bits32) => Pool::Main,
                    // In a layout of 64 bits there is no such pool, hence no such number.
                    _ => Pool::Spare,
                };
                (Some(server), Local { pool, number })
            }),
        }
    }

    const fn of(family: Family, main: Span) -> Self {
        Self { family, main, spare: None, start: main.first() }
    }

    fn has(&self, local: Local) -> bool {
        match local.pool {
            Pool::Main => self.main.contains(local.number),
            Pool::Spare => self.spare.is_some_and(|spare| spare.contains(local.number)),
        }
    }

    /// A spare pool so small that it can be used up.
    #[cfg(test)]
    pub(super) fn spare_of(mut self, ids: u64) -> Self {
        self.spare = self.spare.and_then(|spare| spare.up_to(ids));
        self
    }
}

impl Default for Layout {
    /// MySQL's, [`Layout::plain32`].
    fn default() -> Self {
        Self::plain32()
    }
}

/// Whether `layout` has room for the server id, of which `greatest` is the greatest.
const fn of_server(layout: &'static str, server: u32, greatest: u32) -> Result<(), LayoutError> {
    if server == 0 || server > greatest {
        // `u64::from` is not for constants yet; the cast keeps the number.
        let (greatest, given) = (greatest as u64, server as u64);
        return Err(LayoutError::Part { layout, part: "the server ids", least: 1, greatest, given });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
