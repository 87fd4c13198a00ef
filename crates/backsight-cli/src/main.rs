//! `backsight`: converts raw stack addresses of Linux processes to functions and lines.
//!
//! There is one file for each subcommand. It parses its arguments, connects the crates, and
//! writes the output. Results go to stdout only, messages to stderr.

#![forbid(unsafe_code)]
#![warn(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod account;
mod addr2line;
mod annotate;
mod archive_problems;
mod args;
mod buckets;
mod buildid;
mod columns;
mod command_line;
mod completions;
mod convert;
mod debug_files;
mod debuginfod;
mod decimals;
mod demo;
mod diff;
mod doctor;
mod failure;
mod fetch_cache;
mod fetchers;
mod file;
mod file_counts;
mod fitted_lines;
mod foreign;
mod guide;
mod index;
mod index_file;
mod input;
mod inspect;
mod inspect_symbol_file;
mod interrupt;
mod interruptible;
mod jit_maps;
mod kept_indexes;
mod kernel_shortfalls;
mod known_file;
mod man;
mod maps;
mod memory;
mod normalize;
mod not_elf;
mod output;
mod oversized;
mod page;
mod pager;
mod palette;
mod perf_cache;
mod progress;
mod record;
mod report;
mod screen;
mod shortfalls;
mod sink;
mod stack;
mod store;
mod store_dir;
mod symbol_files;
mod symbolize;
mod tool;
mod top;
mod unechoed_keys;
mod utc;
mod view;
mod vmlinux;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use command_line::{Backsight, Command};
use failure::{Failure, Result};
use interruptible::InterruptibleOut;

fn main() -> ExitCode {
    let parsed = command_line::whole().try_get_matches();
    let parsed = parsed.and_then(|matches| Backsight::from_arg_matches(&matches));
    match parsed {
        Ok(Backsight { command }) => failure::exit_code(run(command)),
        Err(error) => match pointer(&error) {
            Some(usage) => failure::exit_code(Err(usage)),
            None => error.exit(),
        },
    }
}

/// Returns a usage error with a hint, if the word is not a subcommand but is listed in the
/// guide.
fn pointer(error: &clap::Error) -> Option<Failure> {
    let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    else {
        return None;
    };
    let way = guide::pointer(word)?;
    Some(Failure::Usage(format!("no subcommand {word:?}: {way}")))
}

fn run(command: Command) -> Result {
    // The standard library's stdout would flush at the end of each line, and would ignore errors
    // when it flushes at exit.
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.map_err(|error| Failure::io("standard output", &error))?;
    let mut out = BufWriter::new(InterruptibleOut::new(File::from(stdout)));
    let result = match command {
        Command::Maps(maps) => maps.run(&mut out),
        Command::Normalize(normalize) => normalize.run(&mut out),
        Command::Symbolize(symbolize) => symbolize.run(&mut out),
        Command::Stack(stack) => stack.run(&mut out),
        Command::Convert(convert) => convert.run(&mut out),
        Command::Report(report) => report.run(&mut out),
        Command::Annotate(annotate) => annotate.run(&mut out),
        Command::Top(top) => top.run(&mut out),
        Command::View(view) => view.run(&mut out),
        Command::Diff(diff) => diff.run(&mut out),
        Command::Record(record) => record.run(&mut out),
        Command::RecordLaunched(launched) => Ok(failure::Done::Code(launched.run())),
        Command::BuildId(build_id) => build_id.run(&mut out),
        Command::Addr2line(addr2line) => addr2line.run(&mut out),
        Command::Index(index) => index.run(&mut out),
        Command::Inspect(inspect) => inspect.run(&mut out),
        Command::Store(store) => store.run(&mut out),
        Command::Doctor(doctor) => doctor.run(&mut out),
        Command::Completions(completions) => completions.run(command_line::whole(), &mut out),
        Command::Man(man) => man.run(command_line::whole(), &mut out),
        Command::Demo(demo) => demo.run(&mut out),
        Command::DemoChild => demo::child(),
    };
    // Write the results that were found before a failure.
    match (result, out.flush()) {
        (Ok(_), Err(error)) => Err(error.into()),
        (result, _) => result,
    }
}
