//! A report as an SVG: hit ratio and origin load against size, one line per time to live.

use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;
use sluice_cache::simulate::{Outcome, Tally};
use thiserror::Error;

use super::Report;
use super::table::{distinct, seconds};

/// Rows of the drawing: all methods together, and the busiest.
const METHODS_DRAWN: usize = 5;

const WIDTH: u32 = 1100;
const ROW: u32 = 300;

/// The drawing could not be made.
#[derive(Debug, Error)]
#[error("cannot draw {}: {why}", file.display())]
pub struct ChartError {
    file: PathBuf,
    why: String,
}

/// Draws the report into an SVG file.
///
/// # Errors
/// The file cannot be written.
pub fn draw(report: &Report, file: &Path) -> Result<(), ChartError> {
    let busiest: Vec<usize> = report.busiest().into_iter().take(METHODS_DRAWN).collect();
    let rows = 1 + if report.methods.len() > 1 { busiest.len() } else { 0 };
    let failed = |error: &dyn std::fmt::Display| ChartError { file: file.into(), why: error.to_string() };
    let area = SVGBackend::new(file, (WIDTH, ROW * rows as u32)).into_drawing_area();
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let cells = area.split_evenly((rows, 2));
    let all = Row { report, name: "all methods", tally: &Outcome::total };
    all.draw(&cells).map_err(|e| failed(&e))?;
    for (row, place) in busiest.iter().enumerate().take(rows - 1) {
        let tally = |outcome: &Outcome| outcome.methods.get(*place).copied().unwrap_or_default();
        let name = report.methods.get(*place).map_or("", String::as_str);
        let cells = cells.get((row + 1) * 2..).unwrap_or_default();
        Row { report, name, tally: &tally }.draw(cells).map_err(|e| failed(&e))?;
    }
    area.present().map_err(|e| failed(&e))
}

type Cell<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Two drawings beside each other.
struct Row<'a> {
    report: &'a Report,
    name: &'a str,
    tally: &'a dyn Fn(&Outcome) -> Tally,
}

impl Row<'_> {
    fn draw(&self, cells: &[Cell<'_>]) -> Drawn {
        let [ratio, load, ..] = cells else { return Ok(()) };
        let percent = |outcome: &Outcome| (self.tally)(outcome).hit_ratio() * 100.0;
        self.lines(ratio, &format!("{}: hits, %", self.name), 100.0, &percent)?;
        let requests = |outcome: &Outcome| self.report.origin_load(&(self.tally)(outcome));
        let most = self.report.outcomes.iter().map(requests).fold(0.0, f64::max);
        self.lines(load, "requests/s to the origin", most.max(0.1), &requests)
    }

    fn lines(&self, cell: &Cell<'_>, title: &str, top: f64, value: &dyn Fn(&Outcome) -> f64) -> Drawn {
        let gigabytes = |outcome: &Outcome| outcome.case.capacity as f64 / 1e9;
        let sizes = || self.report.outcomes.iter().map(gigabytes);
        let (from, to) = (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max));
        let mut chart = ChartBuilder::on(cell)
            .caption(title, ("sans-serif", 15))
            .margin(12)
            .x_label_area_size(34)
            .y_label_area_size(48)
            .build_cartesian_2d((from..to.max(from * 1.01)).log_scale(), 0.0..top)?;
        let rounded = |gigabytes: &f64| ((gigabytes * 1e3).round() / 1e3).to_string();
        chart
            .configure_mesh()
            .x_desc("size, GB")
            .x_labels(6)
            .x_label_formatter(&rounded)
            .light_line_style(WHITE)
            .draw()?;
        let ttls = distinct(self.report.outcomes.iter().map(|outcome| outcome.case.ttl_ns));
        for (number, ttl) in ttls.into_iter().enumerate() {
            let points = self.report.outcomes.iter().filter(|outcome| outcome.case.ttl_ns == ttl);
            let colour = Palette99::pick(number).stroke_width(2);
            let line = LineSeries::new(points.map(|outcome| (gigabytes(outcome), value(outcome))), colour);
            let legend = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour);
            chart.draw_series(line)?.label(seconds(ttl)).legend(legend);
        }
        let style = WHITE.mix(0.8);
        let corner = SeriesLabelPosition::LowerRight;
        chart.configure_series_labels().position(corner).background_style(style).border_style(BLACK.mix(0.2)).draw()?;
        Ok(())
    }
}
