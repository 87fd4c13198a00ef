//! Line plots with two logarithmic axes, as SVG.
//!
//! A line of slope 1 is a cost proportional to the size; a flat line is a constant cost.

use std::fmt::Write as _;

/// A plot of some lines.
#[derive(Clone, Debug)]
pub struct Plot<'p> {
    /// The title.
    pub title: &'p str,
    /// The label of the horizontal axis.
    pub x: &'p str,
    /// The label of the vertical axis, in nanoseconds.
    pub y: &'p str,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line and its name.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name, written at its right end.
    pub name: String,
    /// Its points, from left to right; all above zero.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 430.0;
/// The minimum distance of two names.
const MIN_LABEL_DISTANCE: f64 = 17.0;

/// A palette that is distinguishable with colour blindness (Okabe and Ito).
const COLOURS: [&str; 7] = [
    "#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Maps values to positions on a logarithmic axis.
#[derive(Clone, Copy)]
struct Axis {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let smallest = values.clone().fold(f64::INFINITY, f64::min);
        let largest = values.fold(0.0, f64::max);
        let first = smallest.log10().floor() as i32;
        let last = (largest.log10().ceil() as i32).max(first + 1);
        Self {
            first,
            last,
            from,
            to,
        }
    }

    fn place(self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.from + part * (self.to - self.from)
    }

    /// Returns each power of ten and its position.
    fn ticks(self) -> impl Iterator<Item = (f64, f64)> {
        (self.first..=self.last).map(move |power| {
            let value = 10_f64.powi(power);
            (value, self.place(value))
        })
    }
}

impl Plot<'_> {
    /// Returns the plot as SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::over(points.clone().map(|point| point.0), LEFT, RIGHT);
        let y = Axis::over(points.map(|point| point.1), BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        let mut text = |x: f64, y: f64, anchor: &str, words: &str| {
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
                escaped(words)
            );
        };
        text(LEFT, 25.0, "start", self.title);
        text(8.0, TOP - 10.0, "start", self.y);
        text((LEFT + RIGHT) / 2.0, HEIGHT - 10.0, "middle", self.x);
        x.ticks()
            .for_each(|(value, at)| text(at, BOTTOM + 18.0, "middle", &count(value)));
        y.ticks()
            .for_each(|(value, at)| text(LEFT - 8.0, at + 4.0, "end", &time(value)));
        let mut grid = |x1: f64, y1: f64, x2: f64, y2: f64| {
            let _ = writeln!(
                svg,
                "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ddd\"/>"
            );
        };
        x.ticks().for_each(|(_, at)| grid(at, TOP, at, BOTTOM));
        y.ticks().for_each(|(_, at)| grid(LEFT, at, RIGHT, at));
        for ((line, colour), name_at) in self.lines.iter().zip(colours()).zip(self.names(y)) {
            svg += &drawn(line, colour, x, y);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{name_at:.1}\" fill=\"{colour}\">{}</text>",
                RIGHT + 12.0,
                escaped(&line.name)
            );
        }
        svg + "</svg>\n"
    }

    /// Returns the positions of the lines' names: at their ends, without overlaps.
    fn names(&self, y: Axis) -> Vec<f64> {
        let end = |line: &Line| y.place(line.points.last().map_or(1.0, |point| point.1)) + 4.0;
        let mut order: Vec<(usize, f64)> = self.lines.iter().map(end).enumerate().collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut places = vec![0.0; order.len()];
        let mut free = f64::NEG_INFINITY;
        for (nth, wanted) in order {
            places[nth] = wanted.max(free);
            free = places[nth] + MIN_LABEL_DISTANCE;
        }
        places
    }
}

fn colours() -> impl Iterator<Item = &'static str> {
    COLOURS.into_iter().cycle()
}

fn drawn(line: &Line, colour: &str, x: Axis, y: Axis) -> String {
    let mut path = String::new();
    let mut dots = String::new();
    for (nth, point) in line.points.iter().enumerate() {
        let (at, up) = (x.place(point.0), y.place(point.1));
        let _ = write!(path, "{}{at:.1} {up:.1}", if nth == 0 { 'M' } else { 'L' });
        let _ = writeln!(
            dots,
            "<circle cx=\"{at:.1}\" cy=\"{up:.1}\" r=\"3\" fill=\"{colour}\"/>"
        );
    }
    format!("<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"1.5\" fill=\"none\"/>\n{dots}")
}

/// Returns a power of ten with thousands separators.
fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns nanoseconds in a suitable unit.
fn time(ns: f64) -> String {
    let (unit, of) = match ns {
        ns if ns < 1e3 => ("ns", 1.0),
        ns if ns < 1e6 => ("µs", 1e3),
        ns if ns < 1e9 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    format!("{} {unit}", ns / of)
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{Axis, Line, Plot, count, time};

    #[test]
    fn axes_run_over_whole_powers_of_ten() {
        let axis = Axis::over([20.0, 3_000.0].into_iter(), 0.0, 300.0);
        assert_eq!((axis.first, axis.last), (1, 4));
        assert!((axis.place(100.0) - 100.0).abs() < 1e-9);
        let alone = Axis::over(std::iter::once(10.0), 0.0, 1.0);
        assert_eq!((alone.first, alone.last), (1, 2));
    }

    #[test]
    fn labels_have_suitable_units() {
        assert_eq!(count(1e6), "1,000,000");
        assert_eq!(count(100.0), "100");
        assert_eq!(time(1e5), "100 µs");
        assert_eq!(time(1.0), "1 ns");
    }

    #[test]
    fn names_do_not_overlap() {
        let line = |name: &str| Line {
            name: name.to_owned(),
            points: vec![(10.0, 10.0), (100.0, 20.0)],
        };
        let plot = Plot {
            title: "a < b",
            x: "K",
            y: "time",
            lines: vec![line("one"), line("two"), line("three")],
        };
        let mut places = plot.names(Axis::over([1.0, 100.0].into_iter(), 400.0, 0.0));
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 17.0));
        let svg = plot.svg();
        assert!(svg.starts_with("<svg ") && svg.contains("a &lt; b"));
        assert_eq!(svg.matches("<circle").count(), 6);
    }
}
