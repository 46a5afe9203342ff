//! What comes out: tables, verdicts, plots, and the page that keeps them.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `table` | tables, for the terminal and for the page |
//! | `verdict` | bounds, and whether they are kept |
//! | `plot` | plots, in SVG |
//! | `page` | `docs/performance.md`: its generated parts, and not a word of the others |

pub mod page;
mod plot;
mod table;
mod verdict;

pub use plot::{Line, Plot};
pub use table::Table;
pub use verdict::Verdict;

/// All of one figure.
#[derive(Default)]
pub struct Section {
    pub title: String,
    /// What was measured and how.
    pub paragraphs: Vec<String>,
    pub tables: Vec<Table>,
    pub plots: Vec<Plot>,
    pub verdicts: Vec<Verdict>,
}

impl Section {
    /// For the terminal.
    pub fn print(&self) {
        println!("\n== {}", self.title);
        self.paragraphs.iter().for_each(|paragraph| println!("{paragraph}"));
        self.tables.iter().for_each(|table| print!("\n{}", table.plain()));
        self.verdicts.iter().for_each(|verdict| println!("{verdict}"));
    }

    /// For the page; plots are in this directory beside it.
    pub fn markdown(&self, plots: &str) -> String {
        let mut out = format!("### {}\n", self.title);
        let mut add = |text: String| {
            out.push('\n');
            out.push_str(&text);
        };
        self.paragraphs.iter().for_each(|paragraph| add(format!("{paragraph}\n")));
        self.tables.iter().for_each(|table| add(table.markdown()));
        self.plots.iter().for_each(|plot| add(format!("![{}]({plots}/{}.svg)\n", plot.title, plot.name)));
        if !self.verdicts.is_empty() {
            add(verdict::markdown(&self.verdicts));
        }
        out
    }
}
