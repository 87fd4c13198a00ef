//! Recordings made by `perf`, and the output of `perf script`.
//!
//! Software clocks only: a virtual machine often has no hardware counters.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::tools::{compile, tool};

/// A recording in a temporary directory.
#[derive(Debug)]
pub struct Recording {
    dir: TempDir,
    /// The file.
    pub data: PathBuf,
}

/// Common ways of recording: a name, the arguments of `perf record`, and what [`program`] does.
pub const WAYS: [(&str, &[&str], &str); 13] = [
    ("plain", &["-e", "cpu-clock"], "spin"),
    ("frame pointers", &["-e", "cpu-clock", "-g"], "spin"),
    (
        "user stacks",
        &["-e", "cpu-clock", "--call-graph", "dwarf,8192"],
        "threads",
    ),
    ("all processes", &["-e", "cpu-clock", "-a", "-g"], "forks"),
    (
        "build IDs of mappings",
        &["-e", "cpu-clock", "-g", "--buildid-mmap"],
        "forks",
    ),
    (
        "several events",
        &["-e", "cpu-clock,task-clock,page-faults", "-g"],
        "forks",
    ),
    ("threads", &["-e", "cpu-clock", "-g"], "threads"),
    ("compressed", &["-e", "cpu-clock", "-g", "-z"], "forks"),
    ("piped", &["-e", "cpu-clock", "-g", "-o", "-"], "threads"),
    (
        "without build IDs",
        &["-e", "cpu-clock,page-faults", "-B", "-N"],
        "forks",
    ),
    (
        "switches of context",
        &["-e", "cpu-clock", "-g", "--switch-events"],
        "forks",
    ),
    (
        "a file for each thread of perf",
        &["-e", "cpu-clock", "-g", "--threads"],
        "forks",
    ),
    (
        "compressed, all processes, data mappings",
        &["-e", "cpu-clock,page-faults", "-g", "-z", "-a", "-d"],
        "forks",
    ),
];

/// Events that every machine supports.
pub const EVENTS: [&str; 3] = ["cpu-clock", "task-clock", "page-faults"];

/// Returns the recorded program. Its arguments are `spin`, `forks` or `threads`, and the number
/// of turns each makes.
///
/// # Panics
/// When the C compiler refuses it.
#[must_use]
pub fn program() -> Option<PathBuf> {
    tool("cc")?;
    let args = ["-fno-omit-frame-pointer", "-pthread", "-Wl,--build-id"];
    Some(compile("perf", include_str!("perf.c"), &args).expect("cc takes it"))
}

/// Records `command` with `perf record` and these arguments.
///
/// # Errors
/// Why it cannot be done here: there is no `perf`, or the kernel does not let us.
///
/// perf 6.1 aborts while another recorder on the machine asks for build IDs: the kernel marks the
/// records of all with a flag then, and perf takes a device for an ID of more than 20 bytes. So it
/// is tried again.
///
/// # Panics
/// When `perf` cannot be run.
pub fn record(args: &[&str], command: &[&str]) -> Result<Recording, String> {
    let perf = tool("perf").ok_or("there is no perf")?;
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("perf.data");
    let to_pipe = args.contains(&"-");
    let mut record = Command::new(perf);
    record.env("LC_ALL", "C").current_dir(dir.path());
    record.arg("record").args(args);
    if !to_pipe {
        record.arg("-o").arg(&data);
    }
    record.arg("--").args(command).stdin(Stdio::null());
    let mut made = record.output().expect("perf runs");
    for _ in 0..MAX_ABORTS {
        if made.status.signal().is_none() {
            break;
        }
        made = record.output().expect("perf runs");
    }
    if !made.status.success() {
        return Err(said(&made));
    }
    if to_pipe {
        std::fs::write(&data, &made.stdout).map_err(|error| error.to_string())?;
    }
    Ok(Recording { dir, data })
}

/// How often a recording is tried again.
const MAX_ABORTS: usize = 20;

fn said(made: &Output) -> String {
    let text = String::from_utf8_lossy(&made.stderr);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    format!("perf: {}", last.unwrap_or("failed without a word"))
}

impl Recording {
    /// Returns the directory of the recording, for other files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the output of `perf script` with these arguments.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn script(&self, args: &[&str]) -> String {
        script(&self.data, args)
    }
}

/// Returns the output of `perf script` for a file with these arguments.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn script(data: &Path, args: &[&str]) -> String {
    let perf = tool("perf").expect("it recorded");
    let mut script = Command::new(perf);
    script.env("LC_ALL", "C").arg("script").arg("-i").arg(data);
    let done = script.args(args).stdin(Stdio::null()).output();
    let done = done.expect("perf runs");
    assert!(done.status.success(), "{}", said(&done));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Writes a recording of at least `size` bytes by repeating the records of another one with
/// increasing times. Feature sections are left out.
///
/// # Panics
/// When the input is no little-endian perf.data with times in the same place for all
/// events, or the output cannot be written.
pub fn enlarge(data: &Path, to: &Path, size: u64) {
    use std::io::Write;
    let bytes = std::fs::read(data).expect("a recording");
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let place = |at: usize| usize::try_from(word(at)).expect("a place");
    let (attrs, start, len) = (place(24), place(40), place(48));
    let records = &bytes[start..start + len];
    let sample_type = word(attrs + 24);
    let events = (attrs..attrs + place(32)).step_by(place(16));
    let mut others = events.map(|attr| word(attr + 24) ^ sample_type);
    assert!(
        others.all(|other| other & 0x1_02c7 == 0),
        "times in two places"
    );
    assert!(sample_type & 4 != 0, "no times");
    // `PERF_SAMPLE_IDENTIFIER`, `IP` and `TID` come before the time of a sample; in other
    // records, `TIME`, `ID`, `STREAM_ID`, `CPU` and `IDENTIFIER` are at the end.
    let words = |mask: u64| (sample_type & mask).count_ones() as usize * 8;
    let (in_sample, before_end) = (8 + words(0x1_0003), words(0x1_02c4));
    let mut times = Vec::new();
    let mut at = 0;
    while at + 8 <= records.len() {
        let kind = u32::from_le_bytes(records[at..at + 4].try_into().expect("4 bytes"));
        let size = usize::from(u16::from_le_bytes([records[at + 6], records[at + 7]]));
        match kind {
            9 => times.push(at + in_sample),
            1..64 => times.push(at + size - before_end),
            _ => {}
        }
        at += size;
    }
    let time = |at: usize| u64::from_le_bytes(records[at..at + 8].try_into().expect("8 bytes"));
    let all: Vec<u64> = times
        .iter()
        .map(|at| time(*at))
        .filter(|time| *time > 0)
        .collect();
    let first = all.iter().min().expect("a time");
    let span = all.iter().max().expect("a time") - first + 1_000_000;
    let turns = size.div_ceil(len as u64);
    let mut out = std::io::BufWriter::new(std::fs::File::create(to).expect("a file"));
    let mut header = bytes[..start].to_vec();
    header[48..56].copy_from_slice(&(turns * len as u64).to_le_bytes());
    header[72..104].fill(0);
    out.write_all(&header).expect("room");
    for turn in 0..turns {
        let mut later = records.to_vec();
        for at in &times {
            let time = time(*at);
            if time > 0 {
                let time = time + turn * span;
                later[*at..at + 8].copy_from_slice(&time.to_le_bytes());
            }
        }
        out.write_all(&later).expect("room");
    }
    out.flush().expect("room");
}
