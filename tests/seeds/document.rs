//! The documents themselves: that a replay says what they print, and leaves nothing out.

use std::path::{Path, PathBuf};

use crate::replay::{Replay, Step};

/// A seed's text. The seeds lie beside the checkout.
pub fn read(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; the documents that are replayed belong in ../shared/seeds beside the checkout",
            path.display()
        )
    })
}

/// Compares a replay with its document.
pub fn compare(replay: &Replay) {
    let text = read(&replay.seed);
    let lines: Vec<&str> = text.lines().map(unprompted).collect();
    let (mut said, mut tables, mut misprint) = (Vec::new(), Vec::new(), false);
    for step in &replay.steps {
        let answer = match step {
            Step::Misprint(typed) => {
                assert!(lines.contains(&typed.as_str()), "{} does not have {typed}", replay.seed);
                said.push(typed.clone());
                misprint = true;
                None
            }
            Step::Say { statement, printed, answer, .. } => {
                // In place of a misprint stands what is not in the document.
                if *printed && !std::mem::take(&mut misprint) {
                    let typed = format!("{statement};");
                    let listed = answer.is_none() && text.contains(&format!("| {statement} "));
                    assert!(listed || lines.contains(&typed.as_str()), "{} does not have {typed}", replay.seed);
                    said.push(typed);
                }
                answer.as_ref()
            }
            Step::Get { answer, .. } => Some(answer),
            _ => None,
        };
        let Some(answer) = answer.filter(|answer| !answer.printed.is_empty()) else { continue };
        let printed: Vec<&str> = answer.printed.iter().map(String::as_str).collect();
        assert!(
            lines.windows(printed.len()).any(|window| window == printed),
            "{} does not have\n{}",
            replay.seed,
            printed.join("\n")
        );
        tables.push(printed);
    }
    for line in &lines {
        if is_statement(line) {
            assert!(said.iter().any(|said| said == line), "{} is not replayed: {line}", replay.seed);
        }
        if line.starts_with("+-") {
            assert!(
                tables.iter().any(|table| table.contains(line)),
                "{} has a table that is not replayed",
                replay.seed
            );
        }
    }
}

/// A line as it is typed: without the prompt, and without the place in a list where it stands.
fn unprompted(line: &str) -> &str {
    let line = line.trim_start();
    match line.split_once('>') {
        Some((prompt, rest)) if ["OceanBase(", "obclient"].iter().any(|client| prompt.starts_with(client)) => {
            rest.trim_start()
        }
        _ => line,
    }
}

/// Whether a line is a statement of an example. (A grammar ends without a semicolon.)
fn is_statement(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    line.ends_with(';') && ["SHOW", "SELECT", "KILL"].contains(&word.as_str())
}
