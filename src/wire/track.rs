//! Changes of a session as OK packets carry them (MySQL: session state information), pure.

use super::packet::lenenc_bytes;
use crate::state::Changes;

const SYSTEM_VARIABLES: u8 = 0;
const SCHEMA: u8 = 1;
const TRANSACTION_STATE: u8 = 5;

/// All changes, one entry each: its type, then its data with their length. Nothing, if nothing changed.
pub(super) fn encode(changes: &Changes) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in &changes.variables {
        entry(&mut out, SYSTEM_VARIABLES, &[name, value]);
    }
    if let Some(name) = &changes.database {
        entry(&mut out, SCHEMA, &[name]);
    }
    if let Some(state) = changes.transaction {
        entry(&mut out, TRANSACTION_STATE, &[state]);
    }
    out
}

fn entry(out: &mut Vec<u8>, kind: u8, texts: &[&str]) {
    let mut data = Vec::new();
    texts.iter().for_each(|text| lenenc_bytes(&mut data, text.as_bytes()));
    out.push(kind);
    lenenc_bytes(out, &data);
}

#[cfg(test)]
mod tests {
    use mysql_common::{io::ParseBuf, packets::SessionStateInfo, proto::MyDeserialize};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_look_as_the_manual_shows_them() {
        // MySQL's manual of the protocol shows these two.
        let changes = Changes { database: Some("test".into()), ..Changes::default() };
        assert_eq!(encode(&changes), b"\x01\x05\x04test");
        let changes = Changes { variables: vec![("autocommit".into(), "OFF".into())], ..Changes::default() };
        assert_eq!(encode(&changes), b"\x00\x0f\x0aautocommit\x03OFF");
        let changes = Changes { transaction: Some("T_______"), ..Changes::default() };
        assert_eq!(encode(&changes), b"\x05\x09\x08T_______");
        assert!(encode(&Changes::default()).is_empty());
    }

    proptest! {
        /// Whatever changed is read back by somebody else's decoder.
        #[test]
        fn any_change_is_read_back(
            database in prop::option::of(".{0,400}"),
            variables in prop::collection::vec((".{0,70}", ".{0,400}"), 0..5),
        ) {
            let changes = Changes {
                database: database.as_deref().map(Into::into),
                variables: variables.iter().map(|(n, v)| (n.as_str().into(), v.as_str().into())).collect(),
                transaction: None,
            };
            let bytes = encode(&changes);
            let mut rest = ParseBuf(&bytes);
            let mut read = Vec::new();
            while !rest.0.is_empty() {
                let info = SessionStateInfo::deserialize((), &mut rest).unwrap();
                read.push(format!("{:?}", info.decode().unwrap()));
            }
            prop_assert_eq!(read.len(), variables.len() + usize::from(database.is_some()));
        }
    }
}
