//! Programs that are sampled.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::tools::compile;

use super::bench::Bench;

/// The programs of the storm: each has a function of its own name.
const PROGRAMS: usize = 8;

/// Runs for so many milliseconds of processor time.
const SHORT: &str = "
#include <stdlib.h>
#include <time.h>
volatile unsigned long sink;
static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}
__attribute__((noinline)) void NAME(long end) {
    while (now() < end)
        for (unsigned long i = 0; i < 20000; i++) sink = sink * 31 + i;
    sink += (unsigned long)__builtin_frame_address(0) & 1;
}
int main(int count, char **words) {
    NAME(atol(words[1]) * 1000000);
    return count - 2;
}
";

/// Compiles the short programs.
#[expect(clippy::disallowed_methods, reason = "no other thread starts programs")]
pub(super) fn short(bench: &Bench) -> Result<Vec<PathBuf>, String> {
    let one = |number| {
        let name = format!("short_{number}");
        let define = format!("-DNAME={name}");
        let made = compile(&name, SHORT, &[&define, "-fno-omit-frame-pointer"])?;
        let path = bench.path(&name);
        fs::copy(made, &path).map_err(|why| why.to_string())?;
        Ok(path)
    };
    (0..PROGRAMS).map(one).collect()
}

/// Starts short programs, 5,000 a minute, each of 5 to 50 ms, until `ends`. As many run at once
/// as the machine has time for.
pub(super) fn start_short(programs: &[PathBuf], ends: &AtomicBool, started: &AtomicU64) {
    const EVERY: Duration = Duration::from_millis(12);
    const AT_ONCE: usize = 64;
    let mut running: Vec<Child> = Vec::new();
    let mut next = Instant::now();
    for number in 0_u64.. {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        let program = usize::try_from(number).ok();
        let program = program.and_then(|number| programs.get(number % programs.len()));
        let milliseconds = 5 + number * 7 % 46;
        let mut command = Command::new(program.expect("a program"));
        let command = command.arg(milliseconds.to_string()).stdout(Stdio::null());
        running.push(command.spawn().expect("it runs"));
        started.fetch_add(1, Ordering::Relaxed);
        next += EVERY;
        loop {
            running.retain_mut(|child| child.try_wait().is_ok_and(|status| status.is_none()));
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() && running.len() < AT_ONCE {
                break;
            }
            thread::sleep(left.clamp(Duration::from_millis(1), EVERY));
        }
    }
    for child in &mut running {
        let _ = child.wait();
    }
}
