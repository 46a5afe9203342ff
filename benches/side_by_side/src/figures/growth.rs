//! What grows with the sessions: read from what `cargo bench --bench growth -- --csv FILE` has written, since sessions in
//! process have no client.

use std::{fs, io, path::Path};

use super::short;
use crate::report::{Line, Plot, Section, Table, Verdict};

/// Its name on the page.
pub const NAME: &str = "growth";

const HEAD: &str = "sessions,statement_ns,connect_ns,kill_ns,disconnect_ns";

/// What is measured at each number of sessions.
const COSTS: [&str; 4] = ["statement", "connect", "kill", "disconnect"];

/// A cost at twice the sessions, by the cost before.
const BOUND: f64 = 1.1;

/// One number of sessions.
#[derive(Debug, PartialEq)]
struct Size {
    sessions: f64,
    /// Nanoseconds, in the order of [`COSTS`].
    costs: [f64; COSTS.len()],
}

/// # Errors
/// The file cannot be read, or is not what the benchmark writes.
pub fn read(file: &Path) -> io::Result<Section> {
    let in_file = |error| io::Error::other(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| in_file(error.to_string()))?;
    Ok(section(&sizes(&text).map_err(in_file)?))
}

/// The lines behind the head, of which there are two at least, each of more sessions than the one before.
fn sizes(text: &str) -> Result<Vec<Size>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(format!("line 1 is not {HEAD}"));
    }
    let mut sizes: Vec<Size> = Vec::new();
    for (number, line) in (2..).zip(lines) {
        let size = size(line).map_err(|error| format!("line {number}: {error}"))?;
        if sizes.last().is_some_and(|before| before.sessions >= size.sessions) {
            return Err(format!("line {number}: no more sessions than in the line before"));
        }
        sizes.push(size);
    }
    if sizes.len() < 2 { Err("growth takes two numbers of sessions at least".to_owned()) } else { Ok(sizes) }
}

fn size(line: &str) -> Result<Size, String> {
    let figure = |text: &str| match text.parse() {
        Ok(figure) if f64::is_normal(figure) && figure > 0.0 => Ok(figure),
        _ => Err(format!("{text:?} is no figure")),
    };
    let figures: Vec<f64> = line.split(',').map(figure).collect::<Result<_, _>>()?;
    match figures[..] {
        [sessions, ref costs @ ..] if costs.len() == COSTS.len() => {
            Ok(Size { sessions, costs: std::array::from_fn(|cost| costs[cost]) })
        }
        _ => Err(format!("{} columns of {}", figures.len(), COSTS.len() + 1)),
    }
}

/// What a cost is multiplied by when the sessions are doubled: from one number of them to another, which need not be its
/// double.
fn per_doubling(from: &Size, to: &Size, cost: usize) -> f64 {
    (to.costs[cost] / from.costs[cost]).powf((to.sessions / from.sessions).log2().recip())
}

fn section(sizes: &[Size]) -> Section {
    let mut head = vec!["sessions".to_owned()];
    head.extend(COSTS.iter().flat_map(|cost| [format!("{cost}, ns"), String::new()]));
    let mut table = Table::new("", &head.iter().map(String::as_str).collect::<Vec<_>>());
    for (place, size) in sizes.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| &sizes[before]);
        let cells = (0..COSTS.len()).flat_map(|cost| {
            let growth = before.map(|before| format!("× {:.2}", per_doubling(before, size, cost)));
            [short(size.costs[cost]), growth.unwrap_or_default()]
        });
        table.row([size.sessions.to_string()].into_iter().chain(cells).collect());
    }
    let (least, most) = (&sizes[0], &sizes[sizes.len() - 1]);
    let mean = (0..COSTS.len()).flat_map(|cost| [String::new(), format!("× {:.2}", per_doubling(least, most, cost))]);
    table.row(["on average".to_owned()].into_iter().chain(mean).collect());
    let change = |two: &[Size], cost| per_doubling(&two[0], &two[1], cost);
    // A fall is a change as a rise is.
    let worst = |cost: usize| {
        sizes.windows(2).map(|two| change(two, cost)).map(|times| times.max(times.recip())).fold(f64::NAN, f64::max)
    };
    let places = || COSTS.into_iter().enumerate();
    Section {
        title: "Growth".to_owned(),
        paragraphs: vec![
            "The processor time of a statement, a connect, a kill and a disconnect while there are so many sessions in \
             process, by `cargo bench --bench growth`; behind each, what it is multiplied by when the sessions are \
             doubled. The bound is for the worst doubling of all, up or down."
                .to_owned(),
        ],
        tables: vec![table],
        plots: vec![Plot {
            name: NAME.to_owned(),
            title: "Costs by the number of sessions in process".to_owned(),
            x: "sessions",
            y: "ns",
            lines: places()
                .map(|(cost, name)| Line {
                    name,
                    points: sizes.iter().map(|size| (size.sessions, size.costs[cost])).collect(),
                })
                .collect(),
        }],
        verdicts: places()
            .map(|(cost, name)| {
                Verdict::at_most(format!("9. change per doubling, {name}"), worst(cost), BOUND, "×, up or down")
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str) -> String {
        format!("{HEAD}\n{lines}")
    }

    #[test]
    fn what_the_benchmark_writes_is_read_and_shown() {
        let text = text("1000,100.0,1000.0,10.0,50.0\n2000,105.0,1200.0,10.0,50.0\n8000,80.0,1200.0,40.0,50.0\n");
        let section = section(&sizes(&text).unwrap());
        let table = section.tables[0].markdown();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| 1000 | 100 |  | 1000 |  | 10.0 |  | 50.0 |  |",
                "| 2000 | 105 | × 1.05 | 1200 | × 1.20 | 10.0 | × 1.00 | 50.0 | × 1.00 |",
                // Two doublings, each of which has doubled the third.
                "| 8000 | 80.0 | × 0.87 | 1200 | × 1.00 | 40.0 | × 2.00 | 50.0 | × 1.00 |",
                "| on average |  | × 0.93 |  | × 1.06 |  | × 1.59 |  | × 1.00 |",
            ]
        );
        let kept: Vec<_> = section.verdicts.iter().map(Verdict::is_kept).collect();
        assert_eq!(kept, [false, false, false, true], "the first has fallen");
        let [plot] = &section.plots[..] else { panic!("one plot") };
        assert_eq!(plot.lines.len(), 4);
        assert_eq!(plot.lines[1].points, [(1e3, 1e3), (2e3, 1.2e3), (8e3, 1.2e3)]);
    }

    #[test]
    fn what_it_does_not_write_is_refused() {
        for (text, error) in [
            (String::new(), "line 1 is not sessions,"),
            ("sessions,statement_ns\n1,2\n".to_owned(), "line 1 is not sessions,"),
            (text(""), "two numbers of sessions"),
            (text("1000,1,1,1,1\n"), "two numbers of sessions"),
            (text("1000,1,1,1\n"), "line 2: 4 columns of 5"),
            (text("1000,1,1,1,1\n2000,1,1,1,1,1\n"), "line 3: 6 columns of 5"),
            (text("1000,1,1,x,1\n"), "line 2: \"x\" is no figure"),
            (text("1000,1,1,NaN,1\n"), "line 2: \"NaN\" is no figure"),
            (text("0,1,1,1,1\n"), "line 2: \"0\" is no figure"),
            (text("1000,1,1,-1,1\n"), "line 2: \"-1\" is no figure"),
            (text("1000,1,1,1,1\n\n"), "line 3: \"\" is no figure"),
            (text("1000,1,1,1,1\n1000,1,1,1,1\n"), "line 3: no more sessions"),
        ] {
            let refused = sizes(&text).unwrap_err();
            assert!(refused.starts_with(error) || refused.contains(error), "{text}: {refused}");
        }
    }
}
