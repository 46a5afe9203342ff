//! Tables, for the terminal and for the page.

#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What it shows; may be empty.
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: impl Into<String>, head: &[&str]) -> Self {
        Self { title: title.into(), head: head.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// One more row, of as many cells as the head has.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.head.len(), "a row is as wide as the head");
        self.rows.push(cells);
    }

    /// The first column to the left, the others to the right.
    pub fn plain(&self) -> String {
        let mut out = if self.title.is_empty() { String::new() } else { format!("{}\n", self.title) };
        self.lines(&mut out, |cells| format!("  {}\n", cells.join("   ")));
        out
    }

    pub fn markdown(&self) -> String {
        let mut out = if self.title.is_empty() { String::new() } else { format!("{}\n\n", self.title) };
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        out += &line(&self.head);
        let rule: Vec<_> = (0..self.head.len()).map(|i| if i == 0 { "---" } else { "---:" }.to_owned()).collect();
        out += &line(&rule);
        self.rows.iter().for_each(|row| out += &line(row));
        out
    }

    fn lines(&self, out: &mut String, line: impl Fn(&[String]) -> String) {
        let width = |i: usize| {
            let cells = self.rows.iter().chain([&self.head]).map(|row| row[i].chars().count());
            cells.max().unwrap_or_default()
        };
        for row in [&self.head].into_iter().chain(&self.rows) {
            let cells = row.iter().enumerate().map(|(i, cell)| {
                let width = width(i);
                if i == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            *out += &line(&cells.collect::<Vec<_>>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_the_same_in_both_places() {
        let mut table = Table::new("Times", &["", "each"]);
        table.row(vec!["killdeer".to_owned(), "4 µs".to_owned()]);
        table.row(vec!["x".to_owned(), "40 µs".to_owned()]);
        assert_eq!(table.plain(), "Times\n              each\n  killdeer    4 µs\n  x          40 µs\n");
        assert_eq!(table.markdown(), "Times\n\n|  | each |\n| --- | ---: |\n| killdeer | 4 µs |\n| x | 40 µs |\n");
    }
}
