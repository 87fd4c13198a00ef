//! Ours against floors and peers, one file a family: see `docs/BENCHMARKS.md`.
//!
//! To add a family, write its file with a `ROWS`, and name it here twice.

mod allocator;
mod converting;
mod end_to_end;
mod floor;
mod live;
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
        converting::ROWS,
        end_to_end::ROWS,
    ]
    .concat();
    // Cargo gives a place below its target directory alone.
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ratios.json");
    command::run(&rows, json)
}
