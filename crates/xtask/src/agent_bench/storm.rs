//! A2: 5,000 short-lived processes a minute, at 997 Hz. The name of each program is that of its
//! only hot function.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::bench::{Bench, percent};
use super::programs;
use super::stacks::{NamedStack, folded, of_perf};

/// What became of the samples of the short programs.
#[derive(Default)]
struct Found {
    all: u64,
    /// With a function of another program.
    wrong: u64,
    /// With module and function.
    named: u64,
    /// Others, with a reason.
    explained: u64,
    /// With a module and an offset alone, such as in the vDSO.
    placed: u64,
}

pub(super) fn run(bench: &Bench) -> Result<String, String> {
    let programs = programs::short(bench)?;
    let (ends, started) = (AtomicBool::new(false), AtomicU64::new(0));
    let seconds = bench.seconds.to_string();
    let args = ["-a", "-F", "997", "-d", &seconds, "-o", "a2.folded"];
    let mut ours = bench.record(&args);
    let mut theirs = bench.perf(&["-g", "-F", "997", "-o", "a2.data"]);
    let said = thread::scope(|scope| {
        scope.spawn(|| programs::start_short(&programs, &ends, &started));
        let theirs = scope.spawn(move || theirs.status());
        let ours = ours.stderr(std::process::Stdio::piped()).output();
        let theirs = theirs.join();
        ends.store(true, Ordering::Relaxed);
        let said = ours.map_err(|why| why.to_string())?;
        let theirs = theirs.expect("no panic").map_err(|why| why.to_string())?;
        match theirs.success() {
            true => Ok(String::from_utf8_lossy(&said.stderr).into_owned()),
            false => Err("perf record failed".to_owned()),
        }
    })?;
    let lost = said.lines().find(|line| line.contains(" lost"));
    let mine = judge(&folded(&bench.path("a2.folded"))?);
    let perf = judge(&of_perf(bench, "a2.data")?);
    Ok(format!(
        "{} processes in {seconds} s: {}; {}; perf at the same time: {}",
        started.load(Ordering::Relaxed),
        mine.text(),
        lost.unwrap_or("no status line").trim(),
        perf.text()
    ))
}

fn judge(stacks: &[NamedStack]) -> Found {
    let mut found = Found::default();
    for stack in stacks {
        // Before `execve`, a process still has the name of its parent.
        if !stack.process.starts_with("short_") {
            continue;
        }
        found.all += stack.count;
        let is_other = |name: &&String| name.starts_with("short_") && **name != stack.process;
        if stack.functions.iter().any(|name| is_other(&name)) {
            found.wrong += stack.count;
        }
        let innermost = stack.functions.first().map_or("", |name| name);
        match innermost {
            "" | "[unknown]" => {}
            reason if reason.starts_with('[') && !reason.contains("+0x") => {
                found.explained += stack.count;
            }
            place if place.contains("+0x") => found.placed += stack.count,
            address if address.starts_with("0x") => {}
            _ => found.named += stack.count,
        }
    }
    found
}

impl Found {
    fn text(&self) -> String {
        format!(
            "{} samples of them, {} with a function of another program, {:.2} % with module and \
             function, {} with a module alone, {} with a reason, {} with neither",
            self.all,
            self.wrong,
            percent(self.named, self.all),
            self.placed,
            self.explained,
            self.all - self.named - self.placed - self.explained
        )
    }
}
