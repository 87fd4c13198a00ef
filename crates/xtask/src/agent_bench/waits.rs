//! A6: the time that threads do not run, of a program that sleeps and waits for known times.

use std::process::Stdio;

use testkit::busy::busy;

use super::bench::{Bench, printed};
use super::stacks;

pub(super) fn run(bench: &Bench) -> Result<String, String> {
    let program = busy(true)?;
    let program = program.to_str().ok_or("a path that is no text")?;
    let times = (bench.seconds * 3).to_string();
    let mut rows = Vec::new();
    for (what, args, functions) in [
        ("naps of 20 ms", &["nap", &times, "20"][..], &["nap"][..]),
        (
            "a lock held for 2 s",
            &["blocked", "2000"],
            &[
                "___pthread_mutex_lock",
                "pthread_mutex_lock",
                "__lll_lock_wait",
                "lll_mutex_lock_optimized",
            ],
        ),
    ] {
        let flags = [
            "--off-cpu",
            "--call-graph",
            "dwarf",
            "-q",
            "-o",
            "a6.folded",
            "--",
            program,
        ];
        let mut command = bench.record(&[&flags[..], args].concat());
        // It prints for how long it slept.
        let slept: u64 = printed(command.stdout(Stdio::piped()))?
            .trim()
            .parse()
            .map_err(|_| "no time")?;
        let stacks = stacks::folded(&bench.path("a6.off-cpu.folded"))?;
        let waits = stacks.iter().filter(|stack| {
            let of_main = stack.functions.iter().any(|name| name == "main");
            of_main
                && stack
                    .functions
                    .iter()
                    .any(|name| functions.contains(&&**name))
        });
        let found: u64 = waits.map(|stack| stack.count).sum();
        let off = (found as f64 - slept as f64) / slept as f64 * 100.0;
        rows.push(format!(
            "{what}: {:.3} s of {:.3} s ({off:+.2} %)",
            found as f64 / 1e9,
            slept as f64 / 1e9
        ));
    }
    Ok(rows.join("; "))
}
