//! Finds the VMAs of captured addresses in a process, and measures the time.
//!
//! The patch series that added `PROCMAP_QUERY` to Linux 6.11 describes a tool for
//! comparing it with the maps text, but does not contain it. This is such a tool. Both
//! modes make the same single pass over the sorted addresses and print the same; `-Q`
//! uses the ioctl, the default is the text.
//!
//! ```sh
//! printf '%x\n' 0x7f0000001000 0x400000 > addresses
//! cargo run --release --example procmap_query -- -p PID -f addresses
//! cargo run --release --example procmap_query -- -p PID -f addresses -q -B 1000 -Q
//! ```
//!
//! A line of output has the address, `->`, and either `no VMA` or the fields of the maps
//! text. Times and counts are printed to standard error. The exit status is 0 for
//! success, 1 for a failure, and 2 for wrong arguments.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use vma_query::{
    AbsAddr, Backend, BuildId, Device, NameBuf, OpenOptions, ProcMaps, Query, Result, Vma,
};

const USAGE: &str = "\
usage: procmap_query -p PID -f ADDRESS-FILE [-Q] [-b] [-B RUNS] [-v] [-q]
  -p PID           the process
  -f ADDRESS-FILE  one hexadecimal address per line, 0x is optional; # starts a comment
  -Q               use the PROCMAP_QUERY ioctl instead of the maps text
  -b               print build IDs (needs -Q: the text has none)
  -B RUNS          repeat the pass RUNS times, and print how long one took
  -v               print the numbers of addresses and VMAs
  -q               do not print the matches
";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    ExitCode::from(run(&args, &mut out, &mut io::stderr().lock()))
}

/// Runs the command with `args` and returns the exit status.
pub(crate) fn run(args: &[OsString], out: &mut impl Write, err: &mut impl Write) -> u8 {
    let (status, said) = match Options::parse(args) {
        Err(wrong) => (2, format!("procmap_query: {wrong}\n{USAGE}")),
        Ok(options) => match options.run(out, err) {
            Err(why) => (1, format!("procmap_query: {why}\n")),
            Ok(()) => return 0,
        },
    };
    // If standard error is closed, the message cannot be reported elsewhere.
    let _ = err.write_all(said.as_bytes());
    status
}

#[derive(Debug, Default)]
struct Options {
    pid: u32,
    file: PathBuf,
    runs: Option<u32>,
    ioctl: bool,
    build_ids: bool,
    verbose: bool,
    quiet: bool,
}

impl Options {
    fn parse(args: &[OsString]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let mut value = || {
                args.next()
                    .ok_or_else(|| format!("{} needs a value", shown(flag)))
            };
            match flag.as_encoded_bytes() {
                b"-p" => options.pid = positive("-p", value()?)?,
                b"-f" => options.file = value()?.into(),
                b"-B" => options.runs = Some(positive("-B", value()?)?),
                b"-Q" => options.ioctl = true,
                b"-b" => options.build_ids = true,
                b"-v" => options.verbose = true,
                b"-q" => options.quiet = true,
                _ => return Err(format!("{} is not an option", shown(flag))),
            }
        }
        if options.pid == 0 || options.file.as_os_str().is_empty() {
            return Err("-p and -f are required".to_owned());
        }
        if options.build_ids && !options.ioctl {
            return Err("-b needs -Q: the text has no build IDs".to_owned());
        }
        Ok(options)
    }

    fn run(&self, out: &mut impl Write, err: &mut impl Write) -> Result<(), String> {
        let captured = self.captured()?;
        let mut sorted = captured.clone();
        sorted.sort_unstable();
        sorted.dedup();

        let mut matches = Matches::default();
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..self.runs.unwrap_or(1) {
            let begin = Instant::now();
            let pass = self.pass(&sorted);
            times.push(begin.elapsed());
            matches = pass.map_err(|why| format!("process {}: {why}", self.pid))?;
        }

        let mut say = || {
            if !self.quiet {
                for &addr in &captured {
                    matches.write(addr, &sorted, self.build_ids, out)?;
                }
            }
            if self.verbose {
                let (all, unique, vmas) = (captured.len(), sorted.len(), matches.vmas.len());
                writeln!(
                    err,
                    "{all} addresses, {unique} of them unique; {vmas} VMAs found"
                )?;
            }
            if let Some(runs) = self.runs {
                let by = if self.ioctl { "ioctl" } else { "text" };
                let mean = times.iter().sum::<Duration>() / runs;
                let fastest = times.iter().min().copied().unwrap_or_default();
                writeln!(
                    err,
                    "{by}: {mean:?} per run, mean of {runs} runs; fastest {fastest:?}"
                )?;
            }
            out.flush()
        };
        say().map_err(|why| why.to_string())
    }

    /// Reads the addresses, in the order in which they were captured.
    fn captured(&self) -> Result<Vec<AbsAddr>, String> {
        let shown = self.file.display();
        let text = std::fs::read_to_string(&self.file).map_err(|why| format!("{shown}: {why}"))?;
        let mut captured = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let addr = line.parse();
            captured.push(addr.map_err(|why| format!("{shown}: line {number}: {why}"))?);
        }
        Ok(captured)
    }

    /// Opens the process and finds the VMA of each address in one ascending pass.
    fn pass(&self, sorted: &[AbsAddr]) -> Result<Matches> {
        let backend = if self.ioctl {
            Backend::Ioctl
        } else {
            Backend::Text
        };
        let maps = OpenOptions::new()
            .backend(backend)
            .directory(false)
            .open(self.pid)?;
        let mut cursor = maps.cursor();
        let mut name = NameBuf::new();
        let mut build_ids = BuildIds::default();
        let mut matches = Matches::default();
        for &addr in sorted {
            // No VMA is in the gap below the last one.
            if matches.vmas.last().is_none_or(|last| last.vma.end <= addr) {
                let Some(vma) = cursor.seek_named(addr, &mut name)? else {
                    break; // no VMA is above `addr`
                };
                let build_id = match self.build_ids {
                    true => build_ids.of(&maps, &vma)?,
                    false => None,
                };
                let name = name.as_bytes().to_vec();
                matches.vmas.push(Found {
                    vma,
                    name,
                    build_id,
                });
            }
            let last = matches.vmas.len().saturating_sub(1);
            let inside = matches
                .vmas
                .last()
                .is_some_and(|last| last.vma.contains(addr));
            matches.places.push(inside.then_some(last));
        }
        Ok(matches)
    }
}

/// The build IDs of the files found so far, so that the kernel reads each file once.
#[derive(Debug, Default)]
struct BuildIds(HashMap<(Device, u64), Option<BuildId>>);

impl BuildIds {
    fn of(&mut self, maps: &ProcMaps, vma: &Vma) -> Result<Option<BuildId>> {
        if !vma.is_file_backed() {
            return Ok(None);
        }
        let file = (vma.device, vma.inode);
        if let Some(known) = self.0.get(&file) {
            return Ok(*known);
        }
        let answer = maps.query_build_id(Query::covering(vma.start))?;
        let build_id = answer.and_then(|(_, build_id)| build_id);
        self.0.insert(file, build_id);
        Ok(build_id)
    }
}

/// The result of a pass: the VMAs, and for each sorted address the index of its VMA.
#[derive(Debug, Default)]
struct Matches {
    vmas: Vec<Found>,
    /// Shorter than the addresses if the last ones are above all VMAs.
    places: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Found {
    vma: Vma,
    name: Vec<u8>,
    build_id: Option<BuildId>,
}

impl Matches {
    fn write(
        &self,
        addr: AbsAddr,
        sorted: &[AbsAddr],
        build_ids: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let place = sorted.binary_search(&addr).ok();
        let place = place.and_then(|place| self.places.get(place).copied().flatten());
        let Some(Found {
            vma,
            name,
            build_id,
        }) = place.and_then(|place| self.vmas.get(place))
        else {
            return writeln!(out, "{addr:016x} -> no VMA");
        };
        let Vma {
            start,
            end,
            offset,
            perms,
            device,
            inode,
        } = vma;
        write!(
            out,
            "{addr:016x} -> {start:08x}-{end:08x} {perms} {offset:08x} {device} {inode}"
        )?;
        match build_id {
            Some(build_id) => write!(out, " {build_id}")?,
            None if build_ids => write!(out, " -")?,
            None => {}
        }
        // A name may contain terminal escape sequences.
        writeln!(out, " {}", name.escape_ascii())
    }
}

fn positive(flag: &str, value: &OsStr) -> Result<u32, String> {
    let number = value.to_str().and_then(|digits| digits.parse().ok());
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{flag} needs a number of at least 1, not {}", shown(value)))
}

fn shown(word: &OsStr) -> String {
    word.as_encoded_bytes().escape_ascii().to_string()
}
