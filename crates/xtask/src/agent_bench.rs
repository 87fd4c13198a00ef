//! What `backsight record` costs, and how right it is: rows A1, A2, A3 and A5, beside `perf record`
//! where it is the measure. Row A6 is the test `the_time_that_threads_wait_is_that_of_the_clock`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::busy::busy;
use testkit::child::KillOnDrop;
use testkit::memory::usage;
use testkit::tools::compile;

/// The programs of the storm: each has a function of its own name.
const PROGRAMS: u64 = 8;

const SHORT: &str = "
#include <stdlib.h>
volatile unsigned long sink;
__attribute__((noinline)) void NAME(unsigned long n) {
    for (unsigned long i = 0; i < n; i++) sink = sink * 31 + i;
    sink += (unsigned long)__builtin_frame_address(0) & 1;
}
int main(int count, char **words) {
    NAME(atol(words[1]) * 300000);
    return count - 2;
}
";

/// Runs all rows, each for so many seconds.
pub(crate) fn run(args: &[&str]) -> Result<String, String> {
    let (program, seconds) = match args {
        [program] => (*program, 60),
        [program, seconds] => (*program, seconds.parse().map_err(|_| "seconds: a number")?),
        _ => return Err("agent-bench PROGRAM [SECONDS]: the backsight to measure".to_owned()),
    };
    let dir = std::env::temp_dir().join(format!("agent-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|why| why.to_string())?;
    let bench = Bench {
        program: program.to_owned(),
        seconds,
        dir,
        busy: busy(true)?,
    };
    // Each row takes a while, so it is printed when it is there.
    println!("{}", bench.cost());
    println!("{}", bench.storm()?);
    println!("{}", bench.shares());
    let last = bench.growth()?;
    let _ = fs::remove_dir_all(&bench.dir);
    Ok(last)
}

struct Bench {
    program: String,
    seconds: u64,
    dir: PathBuf,
    busy: PathBuf,
}

impl Bench {
    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn record(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("record").args(args).stderr(Stdio::null());
        command
    }

    fn perf(&self, args: &[&str]) -> Command {
        let seconds = self.seconds.to_string();
        let mut command = Command::new("perf");
        command.args(["record", "-e", "cpu-clock", "-g"]).args(args);
        command.args(["--", "sleep", &seconds]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn busy(&self, count: usize) -> Vec<KillOnDrop> {
        let start = || Command::new(&self.busy).args(["spin", "9000000"]).spawn();
        (0..count)
            .map(|_| KillOnDrop(start().expect("it runs")))
            .collect()
    }

    /// A1: own processor time and memory at 99 Hz with 50 busy processes, and perf's.
    fn cost(&self) -> String {
        let _busy = self.busy(50);
        let seconds = self.seconds.to_string();
        let (ours, theirs) = (self.path("a1.pb.gz"), self.path("a1.data"));
        let mine = usage(&mut self.record(&["-a", "-F", "99", "-d", &seconds, "-o", &ours]));
        let perf = usage(&mut self.perf(&["-a", "-F", "99", "-o", &theirs]));
        let percent = |time: Duration| time.as_secs_f64() / self.seconds as f64 * 100.0;
        format!(
            "A1: backsight record {:.2} % of a CPU, {} MB, with symbols and pprof; perf record -g {:.2} %, {} MB",
            percent(mine.processor),
            mine.peak >> 20,
            percent(perf.processor),
            perf.peak >> 20
        )
    }

    /// Starts short programs, about 83 a second, until `ends`. Returns how many.
    fn start_short(programs: &[PathBuf], ends: &AtomicBool, started: &AtomicU64) {
        let mut running: Vec<Child> = Vec::new();
        while !ends.load(Ordering::Relaxed) {
            let number = started.fetch_add(1, Ordering::Relaxed);
            let program = &programs[(number % PROGRAMS) as usize];
            let turns = (2 + number % 9).to_string();
            running.push(Command::new(program).arg(turns).spawn().expect("it runs"));
            running.retain_mut(|child| child.try_wait().is_ok_and(|status| status.is_none()));
            thread::sleep(Duration::from_millis(11));
        }
        running.iter_mut().for_each(|child| drop(child.wait()));
    }

    fn programs(&self) -> Result<Vec<PathBuf>, String> {
        let one = |number| {
            let name = format!("short_{number}");
            let made = compile(
                &name,
                SHORT,
                &[&format!("-DNAME={name}"), "-fno-omit-frame-pointer"],
            );
            let path = self.dir.join(&name);
            fs::copy(made?, &path).map_err(|why| why.to_string())?;
            Ok(path)
        };
        (0..PROGRAMS).map(one).collect()
    }

    /// A2: a storm of short-lived processes at 997 Hz. The name of each program is that of its
    /// only function.
    fn storm(&self) -> Result<String, String> {
        let (programs, out) = (self.programs()?, self.path("a2.folded"));
        let (ends, started) = (AtomicBool::new(false), AtomicU64::new(0));
        let seconds = self.seconds.to_string();
        thread::scope(|scope| {
            scope.spawn(|| Self::start_short(&programs, &ends, &started));
            let done = self
                .record(&["-a", "-F", "997", "-d", &seconds, "-o", &out])
                .status();
            ends.store(true, Ordering::Relaxed);
            done.expect("it runs")
        });
        let [mut all, mut named, mut wrong] = [0; 3];
        for (stack, count) in folded(Path::new(&out)) {
            let mut frames = stack.split(';');
            let process = frames.next().unwrap_or_default().to_owned();
            if !process.starts_with("short_") {
                continue;
            }
            all += count;
            let frames: Vec<&str> = frames.collect();
            let is_other = |frame: &&str| frame.starts_with("short_") && *frame != process;
            wrong += if frames.iter().any(is_other) {
                count
            } else {
                0
            };
            let innermost = frames.last().copied().unwrap_or("[");
            let is_named = !innermost.starts_with('[') && !innermost.contains("+0x");
            named += if is_named { count } else { 0 };
        }
        Ok(format!(
            "A2: {} processes in {} s, {all} samples of them: {wrong} with a wrong module, {:.1} % with module and function",
            started.load(Ordering::Relaxed),
            self.seconds,
            percent(named, all)
        ))
    }

    /// A3: the shares of known functions, beside a simultaneous perf record.
    fn shares(&self) -> String {
        let _c = self.busy(1);
        let loops = "while True: sum(i * i for i in range(1000))";
        let python = Command::new("python3").args(["-c", loops]).spawn();
        let _python = python.map(KillOnDrop).ok();
        let shell = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn();
        let _shell = shell.map(KillOnDrop).ok();
        let (ours, theirs) = (self.path("a3.folded"), self.path("a3.data"));
        let seconds = self.seconds.to_string();
        let args = ["-a", "-F", "499", "-d", &seconds, "-o", &ours];
        let mut recording = self.record(&args).spawn().expect("it runs");
        let _ = self.perf(&["-a", "-F", "499", "-o", &theirs]).status();
        let _ = recording.wait();
        let mut perf = Command::new("perf");
        perf.args(["script", "-i", &theirs])
            .args(["-F", "comm,ip,sym"]);
        let text = perf_leaves(&String::from_utf8_lossy(&output(&mut perf)));
        let mut leaves: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (stack, count) in folded(Path::new(&ours)) {
            let (process, leaf) = (stack.split(';').next(), stack.rsplit(';').next());
            let key = (
                process.unwrap_or_default().to_owned(),
                leaf.unwrap_or_default().to_owned(),
            );
            *leaves.entry(key).or_default() += count;
        }
        let share = |all: &BTreeMap<(String, String), u64>, comm: &str, function: &str| {
            let of = all
                .iter()
                .filter(|((process, _), _)| process.starts_with(comm));
            let (mut whole, mut part) = (0, 0);
            for ((_, leaf), count) in of {
                whole += count;
                part += if leaf == function { *count } else { 0 };
            }
            percent(part, whole)
        };
        let rows = [
            ("testkit-busy", "hot"),
            ("testkit-busy", "warm"),
            ("python3", "_PyEval_EvalFrameDefault"),
        ];
        let rows = rows.map(|(comm, function)| {
            let (a, b) = (share(&leaves, comm, function), share(&text, comm, function));
            format!("{comm} {function} {a:.1} % (perf {b:.1} %)")
        });
        format!("A3: {}", rows.join(", "))
    }

    /// A5: memory and descriptors of a recorder in a storm, at the beginning and at the end.
    fn growth(&self) -> Result<String, String> {
        let programs = self.programs()?;
        let (ends, started) = (AtomicBool::new(false), AtomicU64::new(0));
        let out = self.path("a5");
        let mut recorder = self
            .record(&["-a", "-F", "99", "--every", "10s", "-q", "-o", &out])
            .spawn();
        let recorder = recorder.as_mut().map_err(|why| why.to_string())?;
        let folder = PathBuf::from(format!("/proc/{}", recorder.id()));
        let mut seen = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| Self::start_short(&programs, &ends, &started));
            let begin = Instant::now();
            for part in [1, 2, 4, 6, 8, 10] {
                let at = Duration::from_secs(self.seconds * part / 10);
                thread::sleep(at.saturating_sub(begin.elapsed()));
                let fds = fs::read_dir(folder.join("fd")).map_or(0, Iterator::count);
                let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
                let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
                seen.push(format!(
                    "{} s: {} {fds} descriptors",
                    at.as_secs(),
                    rss.unwrap_or("?").trim()
                ));
            }
            ends.store(true, Ordering::Relaxed);
        });
        let _ = recorder.kill();
        let _ = recorder.wait();
        Ok(format!(
            "A5: {} processes; {}",
            started.load(Ordering::Relaxed),
            seen.join(", ")
        ))
    }
}

fn output(command: &mut Command) -> Vec<u8> {
    let done = command.stderr(Stdio::null()).output();
    done.map(|done| done.stdout).unwrap_or_default()
}

/// Returns the innermost function of each sample of `perf script -F comm,ip,sym`.
fn perf_leaves(text: &str) -> BTreeMap<(String, String), u64> {
    let mut leaves = BTreeMap::new();
    for sample in text.split("\n\n") {
        let mut lines = sample.lines().filter(|line| !line.is_empty());
        let (Some(comm), Some(frame)) = (lines.next(), lines.next()) else {
            continue;
        };
        let function = frame.trim().split_once(' ').map_or("", |(_, name)| name);
        let key = (comm.trim().to_owned(), function.to_owned());
        *leaves.entry(key).or_default() += 1;
    }
    leaves
}

fn folded(path: &Path) -> Vec<(String, u64)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let parsed = lines.filter_map(|(stack, count)| Some((stack.to_owned(), count.parse().ok()?)));
    parsed.collect()
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}
