//! What a bench prints: one line each, told as soon as it is known, and all of them again at the end.

/// One line of the table.
pub(crate) struct Line {
    pub(crate) bench: &'static str,
    pub(crate) floor: String,
    pub(crate) figure: String,
    /// Figure over floor, in whichever direction the target is stated; none where there is no floor.
    pub(crate) ratio: Option<f64>,
    pub(crate) target: String,
    pub(crate) met: bool,
}

impl Line {
    /// A bench that must stay at or below so many times its floor (both in the same unit, named).
    pub(crate) fn at_most(bench: &'static str, floor: (f64, &str), figure: f64, most: f64) -> Line {
        let ratio = figure / floor.0;
        Line {
            bench,
            floor: format!("{:.2} {}", floor.0, floor.1),
            figure: format!("{figure:.2} {}", floor.1),
            ratio: Some(ratio),
            target: format!("<= {most} x"),
            met: ratio <= most,
        }
    }

    /// A bench that must reach so many times its floor.
    pub(crate) fn at_least(bench: &'static str, floor: (f64, &str), figure: f64, least: f64) -> Line {
        let ratio = figure / floor.0;
        Line { target: format!(">= {least} x"), met: ratio >= least, ..Line::at_most(bench, floor, figure, 0.0) }
    }

    /// A bench with a bound of its own.
    pub(crate) fn below(bench: &'static str, figure: (f64, &str), most: f64) -> Line {
        Line {
            bench,
            floor: "-".to_owned(),
            figure: format!("{:.2} {}", figure.0, figure.1),
            ratio: None,
            target: format!("<= {most} {}", figure.1),
            met: figure.0 <= most,
        }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.bench.to_owned(),
            self.floor.clone(),
            self.figure.clone(),
            self.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
            self.target.clone(),
            if self.met { "met" } else { "MISSED" }.to_owned(),
        ]
    }

    pub(crate) fn tell(&self) {
        eprintln!("  => {}", self.cells().join(" | "));
    }
}

/// Prints the table; whether every target was met.
pub(crate) fn print(lines: &[Line]) -> bool {
    let head = ["bench", "floor", "figure", "ratio", "target", "verdict"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(lines.iter().map(Line::cells)).collect();
    let widths: Vec<usize> =
        (0..6).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default()).collect();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        println!("| {} |", cells.join(" | "));
        if index == 0 {
            println!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
        }
    }
    lines.iter().all(|line| line.met)
}

/// The middle one of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which this share of the measurements lies.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
