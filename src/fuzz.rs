//! The places where bytes of strangers are read, one function for each, and with it the laws that hold whatever they are: no
//! panic, nothing kept that did not arrive, no room taken for a length that was merely claimed, no more read than was given,
//! and what is written is read back as it was.
//!
//! For `fuzz/` (cargo-fuzz) and `tests/fuzz.rs`, which run the same functions; no part of the interface of this crate. A new
//! reader of bytes gets a function here, a line in [`TARGETS`], a file in `fuzz/fuzz_targets` and some samples in `fuzz/corpus`.

use std::ops::Range;

#[cfg(feature = "policies")]
use crate::policy::Policies;
use crate::{
    control::{self, Lexer, SECRET, Syntax, TokenKind},
    model::{Lines, escaped, is_clean},
    wire::fuzz as wire,
};

/// One of them: it panics if a law does not hold.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("packets", packets),
    #[cfg(feature = "compression")]
    ("frames", frames),
    ("hello", hello),
    ("change_user", change_user),
    ("execute", execute),
    ("statements", statements),
    ("control", control),
    ("secrets", secrets),
    ("proxy", proxy),
    #[cfg(feature = "policies")]
    ("policies", policies),
];

/// Packets in a stream that arrives in pieces, and the commands in them.
pub fn packets(data: &[u8]) {
    wire::packets(data);
}

/// Frames of the compressed protocol.
#[cfg(feature = "compression")]
pub fn frames(data: &[u8]) {
    wire::frames(data);
}

/// An answer to the greeting.
pub fn hello(data: &[u8]) {
    wire::hello(data);
}

/// A COM_CHANGE_USER.
pub fn change_user(data: &[u8]) {
    wire::change_user(data);
}

/// The parameters of a COM_STMT_EXECUTE.
pub fn execute(data: &[u8]) {
    wire::execute(data);
}

/// The prepared statements of a connection.
pub fn statements(data: &[u8]) {
    wire::statements(data);
}

/// The header of a proxy.
pub fn proxy(data: &[u8]) {
    wire::proxy(data);
}

/// A file of rules.
#[cfg(feature = "policies")]
pub fn policies(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let again = Policies::parse(&text);
    match Policies::parse(&text) {
        Ok(policies) => {
            assert!(policies.len() <= 64, "bounded");
            assert_eq!(again.map(|again| again.len()), Ok(policies.len()), "the same text, the same rules");
            assert!(policies.decide(&[]).is_empty(), "of nobody, nobody is hit");
        }
        Err(error) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&error.line) && error.column >= 1, "a place in the text: {error}");
            assert!(error.text.len() <= 4 * text.len() + 4096, "bounded");
            assert_eq!(again.err(), Some(error), "the same text, the same mistake");
        }
    }
}

const SYNTAXES: [Syntax; 6] =
    [Syntax::MYSQL, Syntax::MARIADB, Syntax::DORIS, Syntax::OCEANBASE, Syntax::TIDB, Syntax::ODP];

/// A statement's text, in the grammar that the first byte says: lexer, splitter, parser, redaction.
pub fn control(data: &[u8]) {
    let Some((first, sql)) = data.split_first() else { return };
    let syntax = SYNTAXES[usize::from(*first) % SYNTAXES.len()];
    let mut lexer = Lexer::new(sql, &syntax);
    let mut at = 0;
    loop {
        let token = lexer.next_token();
        assert!(at <= token.start && token.start <= token.end && token.end <= sql.len(), "it moves on");
        at = token.end;
        if token.kind == TokenKind::End {
            break;
        }
    }
    let pieces: Vec<Range<usize>> = control::split(sql, &syntax).collect();
    assert!(pieces.iter().all(|piece| piece.start < piece.end && piece.end <= sql.len()), "pieces of the text");
    assert!(pieces.windows(2).all(|two| two[0].end < two[1].start), "in their order, with something between");
    for piece in pieces {
        if let Err(error) = control::parse(&sql[piece], &syntax) {
            assert!(error.message().len() <= 512, "no longer than MySQL's");
        }
    }
    let shown = control::redact(sql, &syntax);
    assert!(is_clean(&shown, Lines::Kept), "nothing that could upset a terminal");
    assert!(shown.len() <= 4 * sql.len() + SECRET.len() * (1 + sql.len()), "bounded");
    assert_eq!(escaped(shown.as_bytes(), Lines::Kept), shown, "what was escaped is not escaped again");
    let short = control::truncate_chars(&shown, 100);
    assert!(shown.starts_with(short) && short.chars().count() == shown.chars().count().min(100));
}

/// A secret in the middle of any text: the first byte says how it is written, the rest stands around it.
pub fn secrets(data: &[u8]) {
    const SECRETS: [&str; 8] = [
        " IDENTIFIED BY 'hunter2' ",
        " SET PASSWORD = 'hunter2' ",
        " IDENTIFIED WITH x AS \"hunter2\" ",
        " s3.secret_key = 'hunter2' ",
        " 's3://b?secret-access-key=hunter2' ",
        " 'mysql://u:hunter2@h/d' ",
        " MASTER_PASSWORD = N'hunter2' ",
        " PASSWORD(_utf8mb4'hunter2') ",
    ];
    let Some((first, rest)) = data.split_first() else { return };
    // What stands before it is text that closes what it opens: within somebody's quotes, a secret is no secret of ours.
    let before = String::from_utf8_lossy(&rest[..rest.len() / 2]);
    let before: String = before.chars().filter(|c| c.is_alphanumeric() || " .,;()=\n\t".contains(*c)).collect();
    let before = before.replace("hunter2", "");
    let sql = [before.as_bytes(), SECRETS[usize::from(*first) % 8].as_bytes(), &rest[rest.len() / 2..]].concat();
    if rest[rest.len() / 2..].windows(7).any(|seven| seven == b"hunter2") {
        return;
    }
    for syntax in SYNTAXES {
        let shown = control::redact(&sql, &syntax);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
