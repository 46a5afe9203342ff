//! The documents themselves: that a replay says what they print, and leaves nothing out.

use std::path::{Path, PathBuf};

use crate::replay::{Replay, Step};

/// The document of ODP, which is replayed against the proxy.
const OF_THE_PROXY: &str = "004_dc9d9655e1ed3a02.txt";

/// The names of all documents but the proxy's, in order.
pub fn names() -> Vec<String> {
    let entries = seeds().read_dir().unwrap_or_else(|error| absent(&seeds(), &error));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != OF_THE_PROXY).collect();
    names.sort_unstable();
    names
}

fn read(name: &str) -> String {
    let path = seeds().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| absent(&path, &error))
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds")
}

fn absent(path: &Path, error: &std::io::Error) -> ! {
    panic!("{}: {error}; the documents that are replayed belong in ../shared/seeds beside the checkout", path.display())
}

/// Compares a replay with its document.
pub fn compare(replay: &Replay) {
    let text = read(&replay.seed);
    let lines: Vec<&str> = text.lines().map(unprompted).collect();
    let (mut said, mut printed, mut misprint) = (Vec::new(), Vec::new(), false);
    for step in &replay.steps {
        let answer = match step {
            Step::Misprint(typed) => {
                assert!(lines.contains(&typed.as_str()), "{} does not have {typed}", replay.seed);
                said.push(typed.clone());
                misprint = true;
                None
            }
            Step::Say { statement, printed: from_it, answer, .. } => {
                // In place of a misprint stands what is not in the document.
                if *from_it && !std::mem::take(&mut misprint) {
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
        let block: Vec<&str> = answer.printed.iter().map(String::as_str).collect();
        let there = lines.windows(block.len()).any(|window| window == block);
        assert!(there, "{} does not have\n{}", replay.seed, block.join("\n"));
        printed.push(block);
    }
    for line in lines.iter().filter(|line| is_statement(line)) {
        assert!(said.iter().any(|said| said == line), "{} is not replayed: {line}", replay.seed);
    }
    for block in answers(&lines) {
        let replayed = printed.iter().any(|printed| printed.windows(block.len()).any(|window| window == block));
        assert!(replayed, "{} is not replayed:\n{}", replay.seed, block.join("\n"));
    }
}

/// The tables and the messages of a document. (A table of the text has no frame.)
fn answers<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = &'a [&'a str]> {
    let of_table = |line: &&str| line.starts_with(['+', '|']);
    lines
        .chunk_by(move |one, next| of_table(one) && of_table(next))
        .filter(|block| ["+-", "Query OK", "ERROR "].iter().any(|start| block[0].starts_with(start)))
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
