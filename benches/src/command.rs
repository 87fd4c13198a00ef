//! The command line: selects the rows to run, and the output of the figures.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::counting::Counting;
use crate::race::Outcome;
use crate::report::{Failure, Machine, Report};

/// A row of the benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The letters of a family and a number: `N1`.
    pub id: &'static str,
    /// What it measures, in one line.
    pub measures: &'static str,
    /// Runs its races, with this many rounds. It first checks that all contestants give the same
    /// answer, and returns an error if they cannot run or differ.
    pub run: fn(rounds: u32) -> Result<Vec<Outcome>, String>,
}

/// Measure backsight, floors and peers alternately, and print the ratios
#[derive(Debug, Parser)]
#[command(name = "ratios", version = None)]
struct Args {
    /// Families, such as N, and single rows, such as N1 (which does not select N10). Default:
    /// all rows
    #[arg(value_name = "ROW")]
    rows: Vec<String>,
    /// Exit with 1 if a target is missed or a row cannot be measured
    #[arg(long)]
    check: bool,
    /// Turns of each contestant
    #[arg(long, value_name = "COUNT", default_value_t = 31, value_parser = clap::value_parser!(u32).range(11..))]
    rounds: u32,
    /// Where to write the figures as JSON, relative to the workspace's root [default:
    /// ratios.json in cargo's target directory]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Instead of measuring, make calls only of this contestant, to be counted by a profiler
    #[arg(long, value_name = "CONTESTANT", conflicts_with_all = ["check", "rounds"])]
    only: Option<String>,
    /// Only in races whose title starts with this
    #[arg(long, value_name = "TITLE", default_value = "", requires = "only")]
    part: String,
    /// The number of calls
    #[arg(long, value_name = "COUNT", default_value_t = 32, requires = "only")]
    calls: u32,
    /// List the rows instead of running them
    #[arg(long)]
    list: bool,
    /// Added by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Runs the rows of `all` selected on the command line; exits with 2 on wrong usage.
///
/// `json` is the default path of the figures.
#[must_use]
pub fn run(all: &[Row], json: PathBuf) -> ExitCode {
    let args = Args::parse();
    let rows = match select(all, &args.rows) {
        Ok(rows) => rows,
        Err(message) => Args::command()
            .error(ErrorKind::InvalidValue, message)
            .exit(),
    };
    if args.list {
        for row in rows {
            println!("{:4} {}", row.id, row.measures);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(only) = args.only {
        let Args { part, calls, .. } = args;
        Counting { only, part, calls }.want();
        measure(&rows, 1);
        return ExitCode::SUCCESS;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let json = args
        .json
        .map_or(json, |path| PathBuf::from(root).join(path));
    let report = measure(&rows, args.rounds);
    if let Err(error) = report.write(&json) {
        eprintln!("{}: {error}", json.display());
        return ExitCode::FAILURE;
    }
    let complaints = report.complaints();
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    match args.check && !complaints.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn measure(rows: &[&Row], rounds: u32) -> Report {
    let mut report = Report {
        machine: Machine::here(),
        races: Vec::new(),
        failures: Vec::new(),
    };
    for row in rows {
        println!("# {} {}\n", row.id, row.measures);
        match (row.run)(rounds) {
            Ok(races) => {
                for race in races {
                    report.add(race);
                }
            }
            Err(reason) => report.failures.push(Failure {
                row: row.id,
                reason,
            }),
        }
    }
    report
}

/// Returns the rows selected by `names`, in the order of `all`.
fn select<'r>(all: &'r [Row], names: &[String]) -> Result<Vec<&'r Row>, String> {
    for name in names {
        if !all.iter().any(|row| is_named(row.id, name)) {
            let known: Vec<&str> = all.iter().map(|row| row.id).collect();
            let known = known.join(", ");
            return Err(format!(
                "no row or family is called {name:?}; there are {known}"
            ));
        }
    }
    let wanted = |row: &&Row| names.is_empty() || names.iter().any(|name| is_named(row.id, name));
    Ok(all.iter().filter(wanted).collect())
}

/// Returns whether `name` is that of the row or its family, which is the part before the number.
fn is_named(id: &str, name: &str) -> bool {
    let family = id.trim_end_matches(|c: char| !c.is_ascii_uppercase());
    name == id || name == family
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::{Args, Row, select};

    const ROWS: [Row; 6] = [
        row("N1"),
        row("N2"),
        row("N10"),
        row("S3"),
        row("S3s"),
        row("E1"),
    ];

    const fn row(id: &'static str) -> Row {
        Row {
            id,
            measures: "",
            run: |_| Ok(Vec::new()),
        }
    }

    #[test]
    fn a_name_is_a_family_or_exactly_one_row() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&[], &["N1", "N2", "N10", "S3", "S3s", "E1"]),
            (&["N"], &["N1", "N2", "N10"]),
            (&["N1"], &["N1"]),
            (&["N10"], &["N10"]),
            (&["S"], &["S3", "S3s"]),
            (&["S3"], &["S3"]),
            (&["S3s"], &["S3s"]),
            (&["E1", "N1", "N1"], &["N1", "E1"]),
        ];
        for (names, want) in cases {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let selected = select(&ROWS, &names).unwrap();
            let selected: Vec<&str> = selected.iter().map(|row| row.id).collect();
            assert_eq!(selected, want, "{names:?}");
        }
    }

    #[test]
    fn a_name_of_nothing_is_refused() {
        for name in ["N3", "X", "n1", "", "1", "N1 "] {
            let refused = select(&ROWS, &["N1".to_owned(), name.to_owned()]);
            assert!(refused.unwrap_err().contains(name), "{name:?}");
        }
    }

    #[test]
    fn arguments_are_read_as_cargo_passes_them() {
        let parse = |words: &str| Args::try_parse_from(words.split(' '));
        let args = parse("ratios N1 --check --bench").unwrap();
        assert!(args.check && args.rounds >= 11 && args.rows == ["N1"]);
        let cases = [
            ("ratios --chek", ErrorKind::UnknownArgument),
            ("ratios --rounds 10", ErrorKind::ValueValidation),
            ("ratios --rounds many", ErrorKind::ValueValidation),
        ];
        for (words, want) in cases {
            assert_eq!(parse(words).unwrap_err().kind(), want, "{words}");
        }
    }
}
