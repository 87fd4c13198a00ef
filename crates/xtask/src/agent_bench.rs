//! What `backsight record` costs, and how right it is, beside `perf record`: rows A1 to A6.
//!
//! ```text
//! cargo run --release -p xtask -- agent-bench target/release/backsight --short
//! cargo run --release -p xtask -- agent-bench target/release/backsight A1 A2
//! ```
//!
//! Each row is printed when it is measured, with the commands that it ran.

mod bench;
mod cost;
mod growth;
mod programs;
mod shares;
mod stacks;
mod storm;
mod unwinding;
mod waits;

use std::fs;

use bench::Bench;

type Row = fn(&Bench) -> Result<String, String>;

const ROWS: [(&str, Row); 6] = [
    ("A1", cost::run),
    ("A2", storm::run),
    ("A3", shares::run),
    ("A4", unwinding::run),
    ("A5", growth::run),
    ("A6", waits::run),
];

const USAGE: &str = "agent-bench PROGRAM [--short | --seconds N] [ROW...]: PROGRAM is the backsight to measure; A5 \
                     takes ten times as long as the others";

/// Runs the rows that were asked for, or all.
pub(crate) fn run(args: &[&str]) -> Result<String, String> {
    let Some((program, flags)) = args.split_first() else {
        return Err(USAGE.to_owned());
    };
    let mut seconds = 60;
    let mut wanted = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "--short" => seconds = 5,
            "--seconds" => {
                let number = flags.next().and_then(|text| text.parse().ok());
                seconds = number.filter(|number| *number > 0).ok_or(USAGE)?;
            }
            row => {
                let known = ROWS.iter().find(|(name, _)| *name == row);
                wanted.push(known.ok_or(USAGE)?);
            }
        }
    }
    if wanted.is_empty() {
        wanted.extend(&ROWS);
    }
    // Commands run in other directories.
    let program = fs::canonicalize(program).map_err(|why| format!("{program}: {why}"))?;
    let mut bench = Bench {
        program: program.display().to_string(),
        seconds,
        dir: tempfile::tempdir().map_err(|why| why.to_string())?,
        commands: std::sync::Mutex::default(),
    };
    let mut missing = Vec::new();
    for (name, row) in wanted {
        bench.commands = std::sync::Mutex::default();
        match row(&bench) {
            Ok(line) => println!("{name}: {line}"),
            Err(why) => {
                println!("{name}: not measured: {why}");
                missing.push(*name);
            }
        }
        for command in bench.commands.lock().expect("no panic").iter() {
            println!("    {command}");
        }
    }
    match missing.is_empty() {
        true => Ok(String::new()),
        false => Err(format!("not measured: {}", missing.join(", "))),
    }
}
