//! What `fuzz/` does with a nightly toolchain, on the stable one and for a short while: the samples of `fuzz/corpus`, and
//! mutations of them, through the same functions.
//!
//! `cargo test --features internals,policies --test fuzz`; without `policies`, their reader is left out. `FUZZ_CASES` says how
//! many mutations each target gets (2,000), `FUZZ_SEED` from which seed: it is printed, and the same seed gives the same
//! mutations.

use std::{
    fmt::Write,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use killdeer::fuzz::TARGETS;
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

/// Bytes that matter to one reader or another: lengths at their bounds, quotes, the beginnings of comments.
const NASTY: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xff\xff\xff",
    b"\xff\xff\xff\0",
    b"\0\0\0\0",
    b"\xfb",
    b"\xfc\xff\xff",
    b"\xfd\xff\xff\xff",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
    b"'",
    b"\"",
    b"`",
    b"\\",
    b"''",
    b"/*",
    b"*/",
    b"/*!50000",
    b"/*T!",
    b"-- ",
    b"#",
    b";",
    b"$$",
    b"@",
    b"@@",
    b"0x",
    b"N'",
    b"_utf8mb4'",
    b"\xed\xaf\xb3",
    b"\xe2\x80\xae",
    b"\xc3",
    b"PASSWORD",
    b" IDENTIFIED BY ",
    b"://",
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The samples of a target, by file name.
fn samples(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut samples: Vec<_> = fs::read_dir(corpus().join(target))
        .unwrap_or_else(|error| panic!("no corpus for {target}: {error}"))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    samples.sort();
    samples
}

/// Bytes as a sample's file may be made of them.
fn written(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        write!(out, "\\x{b:02x}").unwrap();
        out
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn every_sample_of_the_corpus_is_answered() {
    let folders: Vec<_> = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for folder in folders {
        assert!(
            TARGETS.iter().any(|(name, _)| **name == *folder) || folder == "frames" || folder == "policies",
            "samples of nothing: {folder:?}"
        );
    }
    for (name, target) in TARGETS {
        let samples = samples(name);
        assert!(samples.len() >= 4, "{name} has {} samples", samples.len());
        for (file, bytes) in samples {
            if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
                panic!("{name}: the sample {file}");
            }
        }
    }
}

/// One change of a sample.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Cut(Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + 1;
        match self {
            Change::Replace(at, byte) => {
                let at = at.index(end);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Change::Insert(at, more) => {
                let at = at.index(end);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Remove(at, count) => {
                let at = at.index(end);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::Repeat(at, count, times) => {
                let at = at.index(end);
                let part = bytes[at..(at + count).min(bytes.len())].repeat(*times);
                bytes.splice(at..at, part);
            }
            Change::Cut(at) => bytes.truncate(at.index(end)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (at(), select(NASTY)).prop_map(|(at, more)| Change::Insert(at, more.to_vec())),
        (at(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, more)| Change::Insert(at, more)),
        (at(), 1usize..16).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), 1usize..32, 1usize..8).prop_map(|(at, count, times)| Change::Repeat(at, count, times)),
        at().prop_map(Change::Cut),
    ]
}

#[test]
fn mutations_of_the_corpus_are_answered() {
    let seed = number("FUZZ_SEED").unwrap_or_else(|| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one("fuzz")
    });
    let cases = u32::try_from(number("FUZZ_CASES").unwrap_or(2000)).expect("FUZZ_CASES fits 32 bits");
    println!("FUZZ_SEED={seed} FUZZ_CASES={cases}");
    let seed_bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    for (name, target) in TARGETS {
        let samples: Vec<Vec<u8>> = samples(name).into_iter().map(|(_, bytes)| bytes).chain([Vec::new()]).collect();
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes));
        let mutated = (select(samples), prop::collection::vec(change(), 0..12)).prop_map(|(mut bytes, changes)| {
            changes.iter().for_each(|change| change.apply(&mut bytes));
            bytes
        });
        let tried = runner.run(&mutated, |bytes| {
            catch_unwind(AssertUnwindSafe(|| target(&bytes)))
                .map_err(|_| TestCaseError::fail(format!("{name}, of seed {seed}: {}", written(&bytes))))
        });
        if let Err(error) = tried {
            panic!("{name}, FUZZ_SEED={seed}: {error}");
        }
    }
}
