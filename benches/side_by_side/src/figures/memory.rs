//! What an idle client costs the server: resident memory for each, after login and one statement.

use std::io;

use super::{Run, short, spread};
use crate::{
    client::Crowd,
    report::{Line, Plot, Section, Table, Verdict},
    series::Series,
    servers::Kind,
};

/// These have been there and are gone when the memory of an empty server is read.
const BEFORE: usize = 128;

/// TLS takes long to begin, and its memory varies little: no more rounds than these.
const SECURE_ROUNDS: usize = 1;

/// One server, with TLS or without.
struct Sample {
    kind: Kind,
    secure: bool,
    /// Bytes for each connection, by the number of them.
    each: Vec<Series>,
    /// It has failed at so many: there are no more rounds of it.
    broke_off: bool,
}

impl Sample {
    fn name(&self) -> String {
        format!("{}{}", self.kind.name(), if self.secure { ", TLS" } else { "" })
    }

    /// A server started afresh, and filled in steps.
    fn round(&mut self, run: &Run, counts: &[usize]) -> io::Result<()> {
        let server = run.workshop.start(self.kind, self.secure)?;
        let mut before = Crowd::start(server.address, self.secure)?;
        before.grow(BEFORE.min(counts[0]))?;
        drop(before);
        let empty = server.resident()?;
        let mut crowd = Crowd::start(server.address, self.secure)?;
        for (count, each) in counts.iter().zip(&mut self.each) {
            crowd.grow(*count)?;
            each.push(server.resident()?.saturating_sub(empty) as f64 / *count as f64);
        }
        Ok(())
    }
}

pub fn measure(run: &Run) -> io::Result<Section> {
    let counts: &[usize] = run.sized(&[1_000, 10_000, 19_000], &[200]);
    let of = |kind, secure| Sample { kind, secure, each: vec![Series::default(); counts.len()], broke_off: false };
    let plain = Kind::ALL.map(|kind| of(kind, false));
    let secure = Kind::SERVERS.map(|kind| of(kind, true));
    let mut samples: Vec<_> = plain.into_iter().chain(secure).collect();
    for round in 0..run.rounds {
        let all = samples.len();
        for turn in 0..all {
            let sample = &mut samples[(round + turn) % all];
            if sample.broke_off || sample.secure && round >= SECURE_ROUNDS {
                continue;
            }
            if let Err(error) = sample.round(run, counts) {
                let failed = format!("{}: {error}", sample.name());
                if sample.kind == Kind::Killdeer {
                    return Err(io::Error::other(failed));
                }
                // One that we are compared with and does not bear so many is no reason to know nothing of the others.
                eprintln!("{failed}");
                sample.broke_off = true;
            }
        }
    }
    let head = ["", "connections", "bytes each", "", "ratio"];
    let (mut table, mut lines) = (Table::new("", &head), Vec::new());
    for sample in &samples {
        let killdeer = samples.iter().find(|other| other.kind == Kind::Killdeer && other.secure == sample.secure);
        for (place, count) in counts.iter().enumerate() {
            let each = &sample.each[place];
            if each.is_empty() {
                table.row(vec![sample.name(), count.to_string(), "broke off".to_owned(), String::new(), String::new()]);
                continue;
            }
            let own = killdeer.map_or(f64::NAN, |killdeer| killdeer.each[place].over(each).median());
            table.row(vec![
                sample.name(),
                count.to_string(),
                format!("{:.0}", each.median()),
                spread(each),
                short(own),
            ]);
        }
        if !sample.secure && !sample.broke_off {
            let medians = sample.each.iter().map(Series::median);
            lines.push(Line {
                name: sample.kind.name(),
                points: counts.iter().map(|count| *count as f64).zip(medians).collect(),
            });
        }
    }
    let killdeer = samples.iter().find(|sample| sample.kind == Kind::Killdeer && !sample.secure);
    let verdicts = counts.iter().zip(killdeer.map_or(&[][..], |killdeer| &killdeer.each)).skip(1);
    let verdicts = verdicts
        .map(|(count, each)| Verdict::at_most(format!("4. memory of one of {count}"), each.median(), 3072.0, "bytes"));
    Ok(Section {
        title: "Memory of an idle connection".to_owned(),
        paragraphs: vec![format!(
            "Resident memory of the server for each connection, which has logged in and run one statement, above what it \
             takes when {BEFORE} were there and are gone. Each round begins with a new server. With TLS: \
             {} round.",
            run.rounds.min(SECURE_ROUNDS)
        )],
        tables: vec![table],
        plots: vec![Plot {
            name: "memory".to_owned(),
            title: "Resident memory for each idle connection".to_owned(),
            x: "connections",
            y: "bytes",
            lines,
        }],
        verdicts: run.verdicts(verdicts.collect()),
    })
}
