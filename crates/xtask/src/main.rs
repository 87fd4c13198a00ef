//! Chores of the repository: `cargo xtask` and one of
//!
//! ```text
//! tidy [--floors]               the invariants that a scan of the text can hold; or on
//!                               how many floors the files of each crate stand
//! features                      each shipped crate builds with each feature alone
//! targets [TRIPLE…]             the libraries and the command build for musl, 32 bits
//! surface [--check]             the public items of each library, in docs/surface/
//! header [--check]              the header of the C library, made of its crate
//! licenses                      each dependency has a licence that deny.toml allows
//! package                       each shipped crate can be packaged, with what it should have
//! fixtures [rebuild]            each fixture is what its hash says
//! old-kernel ERRNO|all [ARGS]   the suite on a kernel that refuses PROCMAP_QUERY;
//!                               ARGS go to cargo test
//! kernels [--only 6.1|…]        the suites that ask the kernel, on Debian's kernels
//!                               in an emulator
//! workloads [--dir DIR] [NAME…] the large programs that symbolization is measured on
//! differential [--dir DIR] [NAME…|FILE…]
//!                               programs of Debian's packages, asked of us and of others
//! agent-bench PROGRAM [--short] [ROW...] what `PROGRAM record` costs, and how right it is, beside perf
//! exports [--dir DIR]           exported functions of stripped libraries have names
//! ```
//!
//! `tidy`, `fixtures` and `header --check` also run as tests of this crate.

#![forbid(unsafe_code)]

mod agent_bench;
mod debian;
mod differential;
mod features;
mod fixtures;
mod header;
mod kernels;
mod libtest;
mod licenses;
mod old_kernel;
mod package;
mod root;
mod rust_std;
mod shipped;
mod stop;
mod surface;
mod targets;
mod tidy;
mod workloads;

use std::process::ExitCode;

use root::root;

const USAGE: &str = "usage: cargo xtask tidy [--floors] | features | targets [--on-device] [TRIPLE…] | surface [--check] | header [--check] | licenses | package | \
     fixtures [rebuild] | old-kernel ERRNO|all [ARGS] | \
     kernels [--only 6.1|6.12|amd64|arm64] | workloads [--dir DIR] [NAME…] | \
     differential [--dir DIR] [NAME…|FILE…] | exports [--dir DIR] | \
     agent-bench PROGRAM [--short | --seconds N] [ROW...]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["tidy", "--floors"] => tidy::floors(),
        ["features"] => features::run(),
        ["targets", only @ ..] => return targets::run(only),
        ["licenses"] => licenses::run(),
        ["package"] => package::run(),
        ["surface"] => return surface::run(false),
        ["surface", "--check"] => return surface::run(true),
        ["header"] => header::run(false),
        ["header", "--check"] => header::run(true),
        ["fixtures"] => fixtures::verify(&root().join("fixtures")),
        ["fixtures", "rebuild"] => fixtures::rebuild(&root().join("fixtures")),
        ["old-kernel", errno, args @ ..] => old_kernel::run(errno, args),
        ["kernels", args @ ..] => return kernels::run(args),
        ["workloads", args @ ..] => return workloads::run(args),
        ["differential", args @ ..] => return differential::run(args),
        ["agent-bench", args @ ..] => agent_bench::run(args),
        ["exports", args @ ..] => return differential::run_exports(args),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
