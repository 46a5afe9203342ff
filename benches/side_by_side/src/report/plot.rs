//! Plots, in SVG: a line for each server over some count, both axes logarithmic.

use std::{error::Error, path::Path};

use plotters::prelude::*;

/// One plot.
pub struct Plot {
    /// Of its file, without `.svg`.
    pub name: String,
    pub title: String,
    pub x: &'static str,
    pub y: &'static str,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub name: &'static str,
    pub points: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (800, 420);

/// That are told apart by people who tell few colours apart.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(120, 120, 120),
    RGBColor(190, 190, 190),
];

impl Plot {
    /// Writes it into this directory.
    pub fn write(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let file = directory.join(format!("{}.svg", self.name));
        let points = || self.lines.iter().flat_map(|line| &line.points).copied();
        let [x, y] = [range(points().map(|point| point.0)), range(points().map(|point| point.1))];
        let area = SVGBackend::new(&file, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
        chart.configure_mesh().x_desc(self.x).y_desc(self.y).light_line_style(WHITE).draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), style))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
            chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

/// From somewhat less than the least to somewhat more than the most.
fn range(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = figures
        .filter(|figure| figure.is_finite() && *figure > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(least, most), figure| (least.min(figure), most.max(figure)));
    if least > most { (1.0, 10.0) } else { (least * 0.8, most * 1.25) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_every_line_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let line = |name, points: &[(f64, f64)]| Line { name, points: points.to_vec() };
        let plot = Plot {
            name: "rate".to_owned(),
            title: "Statements".to_owned(),
            x: "connections",
            y: "a second",
            lines: vec![line("one", &[(1.0, 10.0), (64.0, 100.0)]), line("two", &[(1.0, 20.0)]), line("none", &[])],
        };
        plot.write(directory.path()).unwrap();
        let svg = std::fs::read_to_string(directory.path().join("rate.svg")).unwrap();
        for text in ["<svg", "Statements", "connections", "a second", "one", "two"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn ranges_hold_all_that_can_be_shown() {
        assert_eq!(range([10.0, 100.0, f64::NAN, 0.0].into_iter()), (8.0, 125.0));
        assert_eq!(range([].into_iter()), (1.0, 10.0));
    }
}
