//! The head of a result set, its columns, encoded once per thread for as long as it is used again and again.
//!
//! An engine that keeps its columns in an `Arc` is asked for the same head many times; a few of the last ones are kept, by the address of their columns.

use std::{cell::RefCell, sync::Arc};

use super::packet;
use crate::model::{CharacterSet, Column};

/// So many heads a thread keeps.
const KEPT: usize = 16;

/// A longer one is not kept.
const LONGEST: usize = 4096;

/// The number of the first packet of an answer; a head that begins elsewhere is made anew.
const FIRST: u8 = 1;

struct Head {
    /// Held, so that no other columns can come to have its address.
    columns: Arc<[Column]>,
    bytes: Box<[u8]>,
    next: u8,
}

thread_local! {
    static HEADS: RefCell<[Option<Head>; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// Adds how many columns there are, and each of them, for clients that read text in this character set.
pub(super) fn put_in(out: &mut Vec<u8>, sequence: &mut u8, columns: &Arc<[Column]>, kept: bool, set: CharacterSet) {
    match set {
        CharacterSet::Utf8mb4 => put(out, sequence, columns, kept),
        // Rare.
        set => encode(out, sequence, columns, set),
    }
}

/// The same in UTF-8.
fn put(out: &mut Vec<u8>, sequence: &mut u8, columns: &Arc<[Column]>, kept: bool) {
    if *sequence != FIRST || !kept {
        return encode(out, sequence, columns, CharacterSet::Utf8mb4);
    }
    // Allocations are some tens of bytes apart.
    let place = (columns.as_ptr().addr() >> 5) % KEPT;
    HEADS.with_borrow_mut(|heads| match &mut heads[place] {
        Some(head) if Arc::ptr_eq(&head.columns, columns) => {
            out.extend_from_slice(&head.bytes);
            *sequence = head.next;
        }
        other => {
            let start = out.len();
            encode(out, sequence, columns, CharacterSet::Utf8mb4);
            let bytes = &out[start..];
            *other = (bytes.len() <= LONGEST).then(|| Head {
                columns: Arc::clone(columns),
                bytes: bytes.into(),
                next: *sequence,
            });
        }
    });
}

fn encode(out: &mut Vec<u8>, sequence: &mut u8, columns: &[Column], set: CharacterSet) {
    packet::column_count(out, sequence, columns.len());
    for column in columns {
        packet::column(out, sequence, column, set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ColumnType;

    fn head(columns: &Arc<[Column]>, first: u8) -> (Vec<u8>, u8) {
        let (mut out, mut sequence) = (Vec::new(), first);
        put(&mut out, &mut sequence, columns, true);
        (out, sequence)
    }

    #[test]
    fn a_head_that_was_kept_is_the_one_that_would_be_made() {
        let names = |prefix: &str, count: usize| -> Arc<[Column]> {
            (0..count).map(|n| Column::new(format!("{prefix}{n}"), ColumnType::BigInt)).collect()
        };
        // More than are kept, so that some take each other's place; one of them too long.
        let all: Vec<_> = (1..60).map(|n| names(&format!("t{n}_"), n)).collect();
        for _ in 0..3 {
            for columns in &all {
                for first in [FIRST, 5] {
                    let (mut expected, mut sequence) = (Vec::new(), first);
                    encode(&mut expected, &mut sequence, columns, CharacterSet::Utf8mb4);
                    assert_eq!(head(columns, first), (expected, sequence));
                }
            }
        }
    }

    #[test]
    fn columns_at_a_used_address_are_not_taken_for_those_before() {
        for n in 0..100 {
            let columns: Arc<[Column]> = [Column::new(format!("c{n}"), ColumnType::Int)].into();
            let kept = Arc::clone(&columns);
            let (mut expected, mut sequence) = (Vec::new(), FIRST);
            encode(&mut expected, &mut sequence, &columns, CharacterSet::Utf8mb4);
            drop(columns);
            assert_eq!(head(&kept, FIRST), (expected.clone(), sequence));
            let held = Arc::clone(&kept);
            assert_eq!(head(&held, FIRST), (expected, sequence));
        }
    }
}
