//! The programs and addresses of the family.

use std::ops::Range;
use std::path::{Path, PathBuf};

use benches::race::{FileSizes, Outcome};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use testkit::workload::{self, Manifest};

use super::addr2line::map;
use crate::target::Random;

/// The workloads of every row.
const NAMES: [&str; 5] = ["libc", "rg", "cpp", "samply", "vmlinux"];

/// Addresses per batch.
pub(crate) const K: usize = 100_000;

/// Distinct addresses of the batch with a Zipf distribution.
const ZIPF_DISTINCT: usize = 2_000;

/// A program.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
    debug_file: Option<PathBuf>,
    pub(crate) bytes: u64,
    pub(crate) compressed: Vec<Self>,
}

/// Addresses in a program.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Uniformly distributed over the bytes of its functions, unsorted.
    pub(crate) random: Vec<u64>,
    /// The same, sorted.
    pub(crate) sorted: Vec<u64>,
    /// Drawn from 2,000 of them: the nth has a weight of 1/n.
    pub(crate) skewed: Vec<u64>,
}

impl Subject {
    /// Returns the file with the debug information, which peers read.
    pub(crate) fn debug(&self) -> &Path {
        self.debug_file.as_deref().unwrap_or(&self.executable)
    }

    /// Returns the directory whose `.build-id` contains the debug file.
    pub(crate) fn debug_dir(&self) -> Option<&Path> {
        self.debug_file.as_ref()?.ancestors().nth(3)
    }

    pub(crate) fn sizes(&self, addresses: usize) -> FileSizes {
        FileSizes {
            bytes: self.bytes,
            addresses,
        }
    }

    /// Draws addresses, the same in each run.
    pub(crate) fn addresses(&self) -> Addresses {
        let functions = self.functions();
        let mut ends = Vec::new();
        let mut total = 0;
        for function in &functions {
            total += function.end - function.start;
            ends.push(total);
        }
        let mut random = Random::new();
        let mut draw = || {
            let into = random.below(total);
            let nth = ends.partition_point(|end| *end <= into);
            functions[nth].end - (ends[nth] - into)
        };
        let uniform: Vec<u64> = (0..K).map(|_| draw()).collect();
        let mut sorted = uniform.clone();
        sorted.sort_unstable();
        let skewed = zipf(&mut Random::new(), &uniform[..ZIPF_DISTINCT]);
        Addresses {
            random: uniform,
            sorted,
            skewed,
        }
    }

    /// Returns the ranges of functions according to the symbol table, sorted and without
    /// overlaps; of a stripped program, the sections with code.
    fn functions(&self) -> Vec<Range<u64>> {
        let file = map(self.debug());
        let object = object::File::parse(&*file).expect("a workload is an ELF file");
        let code = |section: &object::Section<'_, '_>| section.kind() == SectionKind::Text;
        // A debug file keeps the headers of sections whose content was removed.
        let code: Vec<Range<u64>> = (object.sections())
            .filter(|section| code(section) || section.name() == Ok(".text"))
            .map(|section| section.address()..section.address() + section.size())
            .collect();
        let within = |range: &Range<u64>| {
            (code.iter()).any(|code| code.start <= range.start && range.end <= code.end)
        };
        let functions = object
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            .map(|symbol| symbol.address()..symbol.address() + symbol.size());
        let mut functions: Vec<Range<u64>> = functions.filter(within).collect();
        if functions.is_empty() {
            functions = code;
        }
        functions.sort_unstable_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in functions {
            match merged.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        assert!(!merged.is_empty(), "{}: no functions", self.name);
        merged
    }
}

/// Draws a batch from these addresses.
fn zipf(random: &mut Random, these: &[u64]) -> Vec<u64> {
    let mut ends = Vec::new();
    let mut total = 0.0;
    for nth in 1..=these.len() {
        total += 1.0 / nth as f64;
        ends.push(total);
    }
    const STEPS: u64 = 1 << 53;
    let draw = |_| {
        let into = random.below(STEPS) as f64 / STEPS as f64 * total;
        let nth = ends.partition_point(|end| *end <= into);
        these[nth.min(these.len() - 1)]
    };
    (0..K).map(draw).collect()
}

/// Runs `race` for each workload, and reports missing ones.
pub(super) fn each(
    row: &'static str,
    mut races: impl FnMut(&Subject) -> Result<Vec<Outcome>, String>,
) -> Result<Vec<Outcome>, String> {
    let manifest = manifest()?;
    let mut outcomes = Vec::new();
    for name in NAMES {
        // It takes minutes, so print progress on stderr.
        eprintln!("{row}: {name} …");
        match subject(&manifest, name).and_then(|subject| races(&subject)) {
            Ok(races) => outcomes.extend(races),
            Err(why) => outcomes.push(Outcome::unmeasured(row, name, why)),
        }
    }
    Ok(outcomes)
}

/// Returns the workload with this name.
pub(crate) fn named(name: &str) -> Result<Subject, String> {
    subject(&manifest()?, name)
}

fn manifest() -> Result<Manifest, String> {
    let dir = workload::dir().ok_or("nowhere to look for workloads: no HOME")?;
    Manifest::read(&dir).map_err(|why| {
        let dir = dir.display();
        format!("no workloads in {dir} ({why}): `cargo xtask workloads` makes them")
    })
}

fn subject(manifest: &Manifest, name: &str) -> Result<Subject, String> {
    let mut all = manifest.workloads.iter();
    let Some(workload) = all.find(|workload| workload.name == name) else {
        let mut missing = manifest.missing.iter();
        let missing = missing.find(|missing| missing.name == name);
        let why = missing.map_or("", |missing| missing.why.as_str());
        return Err(format!("the workload is missing: {why}"));
    };
    let compressed = workload.compressed.iter().map(|compressed| Subject {
        name: format!("{name}, {}", compressed.with),
        executable: compressed.executable.clone(),
        debug_file: compressed.debug_file.clone(),
        bytes: compressed.bytes,
        compressed: Vec::new(),
    });
    Ok(Subject {
        name: name.to_owned(),
        executable: workload.executable.clone(),
        debug_file: workload.debug_file.clone(),
        bytes: workload.bytes,
        compressed: compressed.collect(),
    })
}
