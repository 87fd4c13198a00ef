//! Ours against floors and peers, one file a family: see `docs/BENCHMARKS.md`.
//!
//! To add a family, write its file with a `ROWS`, and name it here twice.

mod allocator;
mod converting;
mod e;
mod floor;
mod live;
mod n;
mod ours;
mod peers;
mod process;
mod raw;
mod s;
mod target;
mod text;

use std::path::Path;
use std::process::ExitCode;

use benches::command;

fn main() -> ExitCode {
    if s::is_child() {
        return ExitCode::SUCCESS;
    }
    let rows = [n::ROWS, s::ROWS, live::ROWS, converting::ROWS, e::ROWS].concat();
    // Cargo gives a place below its target directory alone.
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ratios.json");
    command::run(&rows, json)
}
