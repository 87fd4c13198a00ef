//! Conversion of perf recordings to profiles: the installed command, compared with `perf
//! script`.
//!
//! The recorded program is the workload `rg`, which searches the other workloads. It is recorded
//! here, so that both tools read a file of their own machine. Each call is a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use benches::command::Row;
use benches::race::{Clock, FileSizes, Outcome, Race, Role};
use testkit::workload;

use crate::symbolize;

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "E2",
        measures: "perf.data to pprof with functions, inlined functions and lines",
        run: e2,
    },
    Row {
        id: "E2s",
        measures: "perf.data of a program without DWARF to folded stacks",
        run: e2s,
    },
];

/// The search pattern, chosen to cause work.
const SEARCH_PATTERN: &str = "[a-f]+[0-9]{2}[g-z]_[a-z]+str";

/// The sampling period in nanoseconds of CPU time: about 4,400 and 150,000 samples where the
/// figures were made. At the higher rate, most of the time is spent on sampling, so that half of
/// the period gives five times as many samples.
const SMALL_PERIOD_NS: u64 = 500_000;
const LARGE_PERIOD_NS: u64 = 20_000;

fn e2(rounds: u32) -> Result<Vec<Outcome>, String> {
    let bench = Bench::new(false)?;
    let small = bench.record("small", SMALL_PERIOD_NS)?;
    let large = bench.record("large", LARGE_PERIOD_NS)?;
    let pprof = bench.dir.path().join("out.pb.gz");
    let convert = |from: &Recording| bench.convert(&from.path, &pprof);
    let small_race = Race::new("E2", "small", small.sizes)
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours", || convert(&small))
        .enter(Role::Peer, "perf script -F +srcline", || {
            small.perf_script(&["-F", "+srcline"])
        })
        .faster(50.0, "ours", "perf script -F +srcline")
        .run(rounds);
    // The target: three times the small recording, plus reading its bytes at 300 MB/s.
    let reading = large.sizes.bytes as f64 / 300e6 * 1e9;
    let large_race = Race::new("E2", "large", large.sizes)
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours", || convert(&large))
        .gauge(Role::Floor, "3 × small, and reading at 300 MB/s", || {
            let begin = Instant::now();
            convert(&small);
            (begin.elapsed().as_secs_f64() * 3e9 + reading) as u64
        })
        .at_most(1.0, "ours", "3 × small, and reading at 300 MB/s")
        .run(rounds);
    Ok(vec![small_race, large_race])
}

fn e2s(rounds: u32) -> Result<Vec<Outcome>, String> {
    let bench = Bench::new(true)?;
    let large = bench.record("large", LARGE_PERIOD_NS)?;
    let folded = bench.dir.path().join("out.folded");
    let race = Race::new("E2s", "large", large.sizes)
        .clock(Clock::Wall)
        .enter(Role::Ours, "ours", || bench.convert(&large.path, &folded))
        .enter(Role::Peer, "perf script --no-inline", || {
            large.perf_script(&["--no-inline"])
        })
        .faster(5.0, "ours", "perf script --no-inline");
    Ok(vec![race.run(rounds)])
}

/// The command, the recorded program, and the directory of recordings.
struct Bench {
    dir: tempfile::TempDir,
    backsight: PathBuf,
    program: PathBuf,
    searched: PathBuf,
}

/// A recording, and its size.
struct Recording {
    path: PathBuf,
    sizes: FileSizes,
}

impl Bench {
    fn new(stripped: bool) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let searched = workload::dir().ok_or("nowhere to look for workloads: no HOME")?;
        let rg = symbolize::named("rg")?.executable;
        let program = dir.path().join("rg");
        let flags: &[&str] = if stripped { &["--strip-debug"] } else { &[] };
        run(Command::new("objcopy").args(flags).arg(rg).arg(&program))?;
        Ok(Self {
            dir,
            backsight: backsight()?,
            program,
            searched,
        })
    }

    /// Records with this sampling period of CPU time.
    fn record(&self, name: &str, period_ns: u64) -> Result<Recording, String> {
        let path = self.dir.path().join(name).with_extension("data");
        let mut command = Command::new("perf");
        command.args([
            "record",
            "-q",
            "-e",
            "cpu-clock",
            "-g",
            "-c",
            &period_ns.to_string(),
            "-o",
        ]);
        command.arg(&path).arg("--").arg(&self.program);
        command
            .args(["-a", "-c", "-j2", SEARCH_PATTERN])
            .arg(&self.searched);
        run(&mut command)?;
        // Both tools must see the same samples.
        let listed = output(
            Command::new("perf")
                .args(["script", "-F", "time", "-i"])
                .arg(&path),
        )?;
        let listed = listed
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        let mut convert = Command::new(&self.backsight);
        convert.args(["convert", "--no-symbols", "-o", "-", "--to", "folded", "-i"]);
        let folded = output(convert.arg(&path))?;
        let value = |line: &str| line.rsplit(' ').next()?.parse::<usize>().ok();
        let counted: usize = folded.lines().filter_map(value).sum();
        if counted != listed {
            return Err(format!(
                "{name}: perf lists {listed} samples, ours are {counted}"
            ));
        }
        let bytes = path.metadata().map_err(|error| error.to_string())?.len();
        let sizes = FileSizes {
            bytes,
            addresses: counted,
        };
        Ok(Recording { path, sizes })
    }

    fn convert(&self, from: &Path, to: &Path) {
        let mut command = Command::new(&self.backsight);
        command.arg("convert").arg("-i").arg(from).arg("-o").arg(to);
        run(&mut command).expect("it went through before");
    }
}

impl Recording {
    fn perf_script(&self, flags: &[&str]) {
        let mut command = Command::new("perf");
        command.arg("script").args(flags).arg("-i").arg(&self.path);
        run(command.stderr(Stdio::null())).expect("it went through before");
    }
}

/// Builds the command as it is installed, and returns its path.
fn backsight() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    run(build.args([
        "build",
        "-q",
        "--release",
        "--locked",
        "-p",
        "backsight-cli",
    ]))?;
    // Cargo sets a path only inside its target directory.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    Ok(tmp.with_file_name("release").join("backsight"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.stdout(Stdio::null()).status();
    let status = status.map_err(|error| format!("{command:?}: {error}"))?;
    // Like grep, rg exits with 1 if nothing was found.
    let done = status.success() || status.code() == Some(1);
    done.then_some(())
        .ok_or_else(|| format!("{command:?}: {status}"))
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {words}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
