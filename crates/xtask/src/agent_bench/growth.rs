//! A5: memory and descriptors of a recorder in a storm of processes, for ten times as long as
//! the other rows.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::programs;

const PARTS: u32 = 10;

pub(super) fn run(bench: &Bench) -> Result<String, String> {
    let programs = programs::short(bench)?;
    let (ends, started) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut recorder = Ended(
        bench
            .record(&["-a", "-F", "99", "--every", "10s", "-q", "-o", "a5"])
            .spawn()
            .map_err(|why| why.to_string())?,
    );
    let folder = format!("/proc/{}", recorder.0.id());
    let folder = Path::new(&folder);
    let mut seen = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| programs::start_short(&programs, &ends, &started));
        let begin = Instant::now();
        for part in 1..=PARTS {
            let at = Duration::from_secs(bench.seconds) * part;
            thread::sleep(at.saturating_sub(begin.elapsed()));
            let fds = fs::read_dir(folder.join("fd")).map_or(0, Iterator::count);
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let processes = started.load(Ordering::Relaxed);
            let rss = rss.map_or("gone", str::trim);
            seen.push(format!(
                "{} s: {rss}, {fds} descriptors, {processes} processes",
                at.as_secs()
            ));
        }
        ends.store(true, Ordering::Relaxed);
    });
    recorder
        .0
        .try_wait()
        .map_err(|why| why.to_string())?
        .map_or(Ok(()), |status| {
            Err(format!(
                "the recorder has ended: {status}; {}",
                seen.join("; ")
            ))
        })?;
    Ok(seen.join("; "))
}

/// A recorder, which is told to end.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}
