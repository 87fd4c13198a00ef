//! Prints a table, and writes JSON.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::race::{Clock, Lane, Outcome, Role};

/// The results of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The properties of the machine that affect ratios.
    pub machine: Machine,
    /// The races, in the order of running.
    pub races: Vec<Outcome>,
    /// Rows that could not be measured, with the cause.
    pub failures: Vec<Failure>,
}

/// The properties of a machine that affect ratios.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The architecture, such as `x86_64`.
    pub arch: &'static str,
    /// The kernel version, such as `6.18`; empty if unknown.
    pub linux: String,
    /// CPUs available to this process.
    pub cpus: usize,
}

/// A row that could not be measured.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The row.
    pub row: &'static str,
    /// Why not.
    pub reason: String,
}

impl Machine {
    /// Returns the properties of this machine.
    #[must_use]
    pub fn here() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let numbers: Vec<&str> = release.split('.').take(2).collect();
        Self {
            arch: std::env::consts::ARCH,
            linux: numbers.join("."),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Report {
    /// Prints a race and stores it.
    pub fn add(&mut self, race: Outcome) {
        match &race.unmeasured {
            None => {
                println!("{}", table(&race));
                self.races.push(race);
            }
            Some(why) => self.failures.push(Failure {
                row: race.row,
                reason: format!("{}: {why}", race.part),
            }),
        }
    }

    /// Returns the failures of `--check`: missed targets and unmeasured rows.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let missed = self.races.iter().flat_map(|race| {
            let missed = race.verdicts.iter().filter(|verdict| !verdict.met);
            missed.map(|verdict| format!("{}, {}: {verdict}", race.row, race.part))
        });
        let unmeasured = self
            .failures
            .iter()
            .map(|Failure { row, reason }| format!("{row}: not measured: {reason}"));
        missed.chain(unmeasured).collect()
    }

    /// Writes everything to `path` as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, json)
    }
}

/// Returns a race as text: its title, a Markdown table, and its targets.
#[must_use]
pub fn table(race: &Outcome) -> String {
    let Outcome {
        row, part, sizes, ..
    } = race;
    let mut text = format!(
        "{row}: {part}\n{sizes}; {} rounds of {} calls\n\n",
        race.rounds,
        race.lanes.iter().map(|lane| lane.calls).max().unwrap_or(0),
    );
    let ours = race.first(Role::Ours);
    let (unit, ns) = unit(race);
    let heading = [
        "contestant".to_owned(),
        format!("{unit} a call"),
        "p10–p90".to_owned(),
        "× floor".to_owned(),
        "× ours".to_owned(),
    ];
    // Counts are whole numbers.
    let digits = match race.clock {
        Clock::Thread | Clock::Wall => 3,
        Clock::Count { .. } | Clock::Gauge { .. } => 0,
    };
    let lines = race.lanes.iter().map(|lane| {
        let times = |other: Option<&Lane>| {
            let ratio = other.map(|other| lane.ratio_to(other).median);
            let ratio = ratio.filter(|ratio| ratio.is_finite());
            ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.3}"))
        };
        [
            lane.name.to_owned(),
            format!("{:.digits$}", lane.ns.median / ns),
            format!(
                "{:.digits$}–{:.digits$}",
                lane.ns.p10 / ns,
                lane.ns.p90 / ns
            ),
            times(lane.floor_among(&race.lanes)),
            times(ours),
        ]
    });
    let lines: Vec<[String; 5]> = std::iter::once(heading).chain(lines).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let of = |line: &[String; 5]| line[column].chars().count();
        lines.iter().map(of).max().unwrap_or(0)
    });
    for (number, [name, figures @ ..]) in lines.iter().enumerate() {
        text += &format!("| {name:0$} |", widths[0]);
        for (figure, width) in figures.iter().zip(&widths[1..]) {
            text += &format!(" {figure:>width$} |");
        }
        text.push('\n');
        if number == 0 {
            text += &format!("|{:-<1$}|", "", widths[0] + 2);
            for width in &widths[1..] {
                text += &format!("{:-<1$}:|", "", width + 1);
            }
            text.push('\n');
        }
    }
    if !race.verdicts.is_empty() {
        text.push('\n');
    }
    for verdict in &race.verdicts {
        text += &format!("- {verdict}\n");
    }
    text
}

/// Returns a unit suitable for the fastest contestant, and its nanoseconds.
fn unit(race: &Outcome) -> (&'static str, f64) {
    match race.clock {
        Clock::Thread | Clock::Wall => {}
        Clock::Count { .. } => return ("count", 1.0),
        Clock::Gauge { unit } => return (unit, 1.0),
    }
    let medians = race.lanes.iter().map(|lane| lane.ns.median);
    match medians.fold(f64::INFINITY, f64::min) {
        fastest if fastest < 1e3 => ("ns", 1.0),
        fastest if fastest < 1e6 => ("µs", 1e3),
        _ => ("ms", 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Machine, Report, table};
    use crate::race::{Clock, Lane, Outcome, Role, Sizes};
    use crate::stats::Spread;
    use crate::target::{Bound, Verdict};
    use crate::work::Work;

    fn race() -> Outcome {
        let lane = |name, role, ns: f64| Lane {
            name,
            role,
            calls: 20,
            ns: Spread::of([ns]),
            times: vec![ns],
        };
        let verdict = |bound, ratio, met| Verdict {
            of: "ours",
            against: "floor",
            bound,
            figure: Spread::of([ratio]),
            met,
            floor: None,
        };
        Outcome {
            row: "T1",
            part: "a race".into(),
            sizes: Work::Process(Sizes {
                vmas: 30,
                addresses: 5,
                touched: 2,
            }),
            clock: Clock::Thread,
            rounds: 11,
            lanes: vec![
                lane("floor", Role::Floor, 1000.0),
                lane("ours", Role::Ours, 1500.0),
            ],
            verdicts: vec![
                verdict(Bound::AtMost(2.0), 1.5, true),
                verdict(Bound::AtMost(1.2), 1.5, false),
            ],
            unmeasured: None,
        }
    }

    #[test]
    fn a_table_is_markdown_with_sizes_and_verdicts() {
        let want = "\
T1: a race
N = 30 VMAs, K = 5 addresses, M = 2 VMAs touched; 11 rounds of 20 calls

| contestant | µs a call |     p10–p90 | × floor | × ours |
|------------|----------:|------------:|--------:|-------:|
| floor      |     1.000 | 1.000–1.000 |   1.000 |  0.667 |
| ours       |     1.500 | 1.500–1.500 |   1.500 |  1.000 |

- ours ≤ 2 × floor: 1.5 (1.5–1.5), met
- ours ≤ 1.2 × floor: 1.50 (1.50–1.50), MISSED by 25.0 %
";
        assert_eq!(table(&race()), want);
    }

    #[test]
    fn a_check_reports_misses_and_unmeasured_rows() {
        let mut report = Report {
            machine: Machine::here(),
            races: vec![race()],
            failures: vec![Failure {
                row: "T2",
                reason: "no ioctl".to_owned(),
            }],
        };
        let complaints = report.complaints();
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].starts_with("T1, a race: ours ≤ 1.2 × floor"));
        assert_eq!(complaints[1], "T2: not measured: no ioctl");
        report.races[0].verdicts.pop();
        report.failures.clear();
        assert!(report.complaints().is_empty());
    }

    #[test]
    fn json_contains_every_figure() {
        let json = serde_json::to_value(race()).unwrap();
        assert_eq!(json["sizes"]["vmas"], 30);
        assert_eq!(json["lanes"][1]["ns"]["median"], 1500.0);
        assert_eq!(json["lanes"][1]["role"], "ours");
        assert_eq!(json["verdicts"][1]["bound"]["at_most"], 1.2);
        assert_eq!(json["verdicts"][1]["met"], false);
    }
}
