//! A1: own processor time and memory at 99 Hz with 50 busy processes.

use std::process::{Command, Stdio};

use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::memory::{Usage, usage};

use super::bench::Bench;

/// The two recorders take turns.
const TURNS: u32 = 3;

pub(super) fn run(bench: &Bench) -> Result<String, String> {
    let program = busy(true)?;
    let start = |_| {
        let mut command = Command::new(&program);
        command.args(["spin", "9000000"]).stdout(Stdio::null());
        command
            .spawn()
            .map(KillOnDrop)
            .map_err(|why| why.to_string())
    };
    let busy: Result<Vec<KillOnDrop>, String> = (0..50).map(start).collect();
    let _busy = busy?;
    let seconds = bench.seconds.to_string();
    let (mut mine, mut perf) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let mut ours = bench.record(&["-a", "-F", "99", "-d", &seconds, "-o", "a1.pb.gz"]);
        mine.push(usage(&mut ours));
        let mut theirs = bench.perf(&["-g", "-F", "99", "-o", "a1.data"]);
        perf.push(usage(&mut theirs));
        if turn > 0 {
            bench.commands.lock().expect("no panic").truncate(2);
        }
    }
    let share = |usage: &Usage| usage.processor.as_secs_f64() / bench.seconds as f64 * 100.0;
    let median = |all: &[Usage]| {
        let mut shares: Vec<f64> = all.iter().map(share).collect();
        shares.sort_by(f64::total_cmp);
        shares.get(shares.len() / 2).copied().unwrap_or_default()
    };
    let peak = |all: &[Usage]| all.iter().map(|it| it.peak).max().unwrap_or_default();
    let (ours, theirs) = (median(&mine), median(&perf));
    Ok(format!(
        "{ours:.2} % of a CPU, {:.1} MB, with functions, lines and pprof; perf record {theirs:.2} %, \
         {:.1} MB, without: {:.2} of its processor time (medians of {TURNS} turns of {seconds} s)",
        peak(&mine) as f64 / 1e6,
        peak(&perf) as f64 / 1e6,
        ours / theirs
    ))
}
