//! The nouns that every other module speaks of: who asks ([`Principal`]), what is asked ([`Statement`]), what comes
//! back ([`Done`], [`Column`], [`Value`], [`SqlError`]), and why something was ended ([`Reason`]).
//!
//! Plain data and its rules; nothing here knows a runtime, an actor or a packet.

#[cfg(test)]
mod any_value;
mod attributes;
mod charset;
mod client;
mod clock;
mod cut;
mod digits;
mod encryption;
mod error;
mod error_kind;
mod escape;
mod event;
mod kill;
mod kill_row;
mod login;
mod origin;
#[cfg(feature = "cluster")]
mod peer_refusal;
mod principal;
mod process;
mod progress;
mod reason;
mod server_session;
mod setting;
mod settings;
mod statement;
mod temporal;
mod tracking;
mod value;
mod warning;

#[cfg(test)]
pub(crate) use any_value::any_value;
pub use attributes::Attributes;
pub use charset::{CharacterSet, CharacterSets};
pub use client::ClientSession;
pub use clock::Clock;
pub(crate) use cut::cut;
pub(crate) use digits::Digits;
pub use encryption::Encryption;
pub use error::{Killed, Refused, SqlError};
pub use error_kind::ErrorKind;
pub(crate) use escape::{Lines, escape_into, escaped, is_clean};
pub use event::Event;
pub use kill::{KillError, KillMode, KillOutcome, Target};
pub use kill_row::{KillCause, KillResult, KillRow, KillVictim};
pub use login::{Checking, Login, Proof, Verifier};
pub(crate) use origin::Address;
pub use origin::Origin;
#[cfg(feature = "cluster")]
pub use peer_refusal::PeerRefusal;
pub use principal::{Principal, Privileges, Tenant, UnknownPrivilege};
pub(crate) use process::Seen;
pub use process::{Behind, Command, Outcome, ProcessRow};
pub use progress::Progress;
pub use reason::Reason;
pub(crate) use server_session::{ChangedVariable, ServerEnd, ServerPlace, ServerSession, ServerSessions, Versions};
#[cfg(feature = "proxy")]
pub(crate) use server_session::{ServerAddress, ServerPeer, ServerState};
pub(crate) use setting::Amount;
pub use setting::{Setting, SettingReach, SettingUnit};
pub use settings::Settings;
pub(crate) use settings::{Allowance, Globals, limit};
pub use statement::{Done, Params, Prepared, Statement, StatementNo};
pub use temporal::{Date, DateTime, NotTemporal, Time};
pub use tracking::Tracking;
#[cfg(feature = "mysql")]
pub(crate) use tracking::transaction_state;
pub use value::{Column, ColumnType, OwnedValue, Value};
pub use warning::{Level, Warning};
