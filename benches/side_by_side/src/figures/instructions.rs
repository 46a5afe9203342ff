//! The instructions of a statement outside the kernel, counted by callgrind: they tell differences that times are too noisy
//! for.

use std::{fs, io, process::Command, time::Duration};

use super::{Run, overhead, short};
use crate::{
    client::{Load, Mode},
    report::{Section, Table, Verdict},
    servers::Kind,
};

/// MariaDB is too much for callgrind.
const KINDS: [Kind; 4] = [Kind::Killdeer, Kind::Opensrv, Kind::FloorTokio, Kind::FloorActix];

const CONNECTIONS: usize = 64;

/// So long each asks. Under callgrind that is some thousand statements.
const STRETCH: Duration = Duration::from_secs(3);
const QUICK_STRETCH: Duration = Duration::from_millis(300);

/// What callgrind says at the end.
fn collected(log: &str) -> Option<f64> {
    log.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

/// All instructions of a server from its start to its end, and the statements that were asked in between.
fn count(run: &Run, kind: Kind, mode: Mode, options: &[&str], stretch: Duration) -> io::Result<(f64, f64)> {
    let log = run.workshop.file("callgrind", "")?;
    let server = run.workshop.start_counted(kind, options, &log)?;
    let mut load = Load::open(server.address, CONNECTIONS, mode, kind.is_floor())?;
    let statements = load.run(stretch)?.statements;
    drop(load);
    server.end()?;
    let all = collected(&fs::read_to_string(&log)?);
    all.map(|all| (all, statements)).ok_or_else(|| io::Error::other("callgrind has counted nothing"))
}

/// The instructions of one statement: what a longer run takes more than a shorter one.
fn each(run: &Run, kind: Kind, mode: Mode, options: &[&str]) -> io::Result<f64> {
    let stretch = run.sized(STRETCH, QUICK_STRETCH);
    let (short, long) = (count(run, kind, mode, options, stretch / 10)?, count(run, kind, mode, options, stretch)?);
    Ok((long.0 - short.0) / (long.1 - short.1))
}

pub fn measure(run: &Run) -> io::Result<Section> {
    let mut section = Section { title: "Instructions".to_owned(), ..Section::default() };
    if Command::new("valgrind").arg("--version").output().is_err() {
        section.paragraphs.push("Not counted: there is no valgrind here (apt-get install valgrind).".to_owned());
        return Ok(section);
    }
    let mut of_modes = Table::new("", &["", "text", "prepared"]);
    let kinds: &[Kind] = run.sized(&KINDS, &[Kind::Killdeer]);
    for kind in kinds.iter().copied() {
        let [text, prepared] = Mode::ALL.map(|mode| each(run, kind, mode, &[]));
        of_modes.row(vec![kind.name().to_owned(), short(text?), short(prepared?)]);
    }
    let mut of_variants = Table::new("Of Killdeer, with more and more turned on:", &["", "text", "of all off"]);
    let mut variants = Vec::new();
    let compared = overhead::variants(run)?.into_iter().take(run.sized(3, 1));
    for (name, options) in compared {
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        variants.push(each(run, Kind::Killdeer, Mode::Text, &options)?);
        let of_off = variants[variants.len() - 1] / variants[0];
        of_variants.row(vec![name.to_owned(), short(variants[variants.len() - 1]), format!("{of_off:.3}")]);
    }
    section.paragraphs.push(format!(
        "Of a `SELECT 1` at {CONNECTIONS} connections, outside the kernel, by callgrind; what a longer run takes more than a \
         shorter one."
    ));
    section.tables = vec![of_modes, of_variants];
    if let [off, on, log] = variants[..] {
        section.verdicts = vec![
            Verdict::at_most("8. instructions with all on", on / off, 1.1, "× all off"),
            Verdict::at_most("8. instructions with a subscriber at info", log / on, 1.02, "× without"),
        ];
    }
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_says_is_read() {
        let log = "==7== Events    : Ir\n==7== Collected : 205391\n==7== \n==7== I   refs:      205,391\n";
        assert_eq!(collected(log), Some(205_391.0));
        assert_eq!(collected("==7== Command: x\n"), None);
    }
}
