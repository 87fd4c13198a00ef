//! Files that are written to in place: what a parent has mapped, and what is loaded later.

mod common;
mod overwritten;

use std::io::{BufRead, Write};

use common::{run, wait_until};
use overwritten::{Builds, Change, LIBRARY, Process, check};
use testkit::skip;
use testkit::tools::compile;

/// Servers fork their workers late, which have what the parent has mapped.
#[test]
fn a_forked_child_gets_no_names_of_what_was_written_over_its_parents_file() {
    for build_id in ["none", "sha1"] {
        let builds = match Builds::new(build_id) {
            Ok(builds) => builds,
            Err(reason) => return skip(&reason),
        };
        for change in Change::ALL {
            let mut process = Process::that(&builds, Some("forks"));
            process.load();
            change.make(&process.library(), &builds.new);
            let stdin = process.child.0.stdin.as_mut().unwrap();
            stdin.write_all(b"\n").unwrap();
            let mut line = String::new();
            process.out.read_line(&mut line).unwrap();
            let mut text = String::new();
            wait_until("a stack in the library", || {
                text = run(["stack", line.trim_end()]).ok();
                text.contains("pause") && text.contains("library.so")
            });
            let what = format!("{build_id} {change:?}");
            check(&text, change.is_of_the_mapped_file(), &what);
        }
    }
}

/// The data of threads, to which the loader does not write, comes first of what it does write to.
#[test]
fn a_library_with_much_data_of_threads_is_named() {
    let source = format!("__thread int of_thread[40000] = {{ 1, 2, 3 }};\n{LIBRARY}");
    let args = ["-O1", "-fno-omit-frame-pointer", "-fPIC", "-shared"];
    let mut builds = match Builds::new("none") {
        Ok(builds) => builds,
        Err(reason) => return skip(&reason),
    };
    builds.new = match compile("of_threads.c", &source, &args) {
        Ok(library) => library,
        Err(reason) => return skip(&reason),
    };
    let mut process = Process::start(&builds, false);
    Change::Overwritten.make(&process.library(), &builds.new);
    process.load();
    check(&process.stack(), true, "written before it was loaded");
}
