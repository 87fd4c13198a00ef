//! Measures this project against floors and peers, one file per family: see
//! `docs/BENCHMARKS.md`.
//!
//! To add a family, write its file with `ROWS`, and add it in two places here.

mod allocator;
mod converting;
mod end_to_end;
mod floor;
mod go_table;
mod kernel;
mod live;
mod made_code;
mod normalize;
mod ours;
mod peers;
mod process;
mod raw;
mod symbolize;
mod target;
mod text;

use std::path::Path;
use std::process::ExitCode;

use benches::command;

fn main() -> ExitCode {
    if symbolize::is_child() {
        return ExitCode::SUCCESS;
    }
    let rows = [
        normalize::ROWS,
        symbolize::ROWS,
        live::ROWS,
        go_table::ROWS,
        kernel::ROWS,
        made_code::ROWS,
        converting::ROWS,
        end_to_end::ROWS,
    ]
    .concat();
    // Cargo sets a path only inside its target directory.
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ratios.json");
    command::run(&rows, json)
}
