//! Child processes with given numbers of VMAs, and addresses in them.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::child::Child;
use testkit::elf::{Elf, Note, Program, Shape};

use crate::process::Process;

pub(crate) const PAGE: u64 = 4096;

/// VMAs of one file in a large process: five groups of five.
const VMAS_OF_A_FILE: u64 = 25;

/// A sleeping child, and the files it maps.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) child: Child,
    directory: TempDir,
    files: u32,
    /// The ranges of executable memory of the files, lowest first.
    pub(crate) code: Vec<Range<u64>>,
}

impl Target {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for files");
        fs::create_dir(directory.path().join("x86_64-linux-gnu")).expect("a directory for files");
        Self {
            child: Child::spawn(),
            directory,
            files: 0,
            code: Vec::new(),
        }
    }

    /// Starts a child of about `vmas` VMAs, mapped as by a loader except for its own.
    pub(crate) fn of_size(vmas: u64) -> Self {
        let mut target = Self::new();
        target.fill(vmas);
        target
    }

    pub(crate) fn process(&self) -> Process {
        Process::Child(self.child.pid())
    }

    /// Returns `count` ranges of code, from the lowest to the highest.
    pub(crate) fn spread(&self, count: usize) -> Vec<Range<u64>> {
        let last = self.code.len() - 1;
        let nth = |nth: usize| self.code[last * nth / (count - 1).max(1)].clone();
        (0..count).map(nth).collect()
    }

    /// Maps groups of five VMAs, `r--`, `r-x`, `r--`, `rw-` and one without a file, until there
    /// are `vmas`.
    pub(crate) fn fill(&mut self, vmas: u64) {
        let mut missing = vmas.saturating_sub(self.process().vmas() as u64);
        while missing > 0 {
            let count = missing.min(VMAS_OF_A_FILE);
            let file = self.file(VMAS_OF_A_FILE * PAGE);
            let area = self.child.layout(file, count);
            let code = (1..count).step_by(5).map(|nth| area.start + nth * PAGE);
            self.code.extend(code.map(|start| start..start + PAGE));
            missing -= count;
        }
        self.code.sort_by_key(|code| code.start);
    }

    /// Maps a module as a loader does, with `size` bytes of code.
    pub(crate) fn module(&mut self, size: u64) {
        let file = self.file(size);
        // The kernel maps downwards.
        self.child.anon("rw-p", PAGE);
        self.child.map_part(&file, "rw-p", 0..PAGE);
        self.child.map_part(&file, "r--p", 0..PAGE);
        let code = self.child.map_part(&file, "r-xp", 0..size);
        self.child.map_part(&file, "r--p", 0..PAGE);
        let at = self.code.partition_point(|other| other.start < code.start);
        self.code.insert(at, code);
    }

    /// Creates a sparse ELF file with a build ID.
    pub(crate) fn file(&mut self, size: u64) -> PathBuf {
        self.files += 1;
        let name = format!("x86_64-linux-gnu/libmodule-{:03}.so.6.0", self.files);
        let path = self.directory.path().join(name);
        let mut build_id = [0xb5; 20];
        build_id[..4].copy_from_slice(&self.files.to_ne_bytes());
        let elf = Elf::new(Shape::ELF64_LITTLE)
            .program(Program::load(5, 0..size, 0x1000))
            .note_segment(&[Note::gnu_build_id(&build_id)], 4)
            .build();
        let mut file = File::create(&path).expect("a file in the directory");
        file.write_all(&elf).expect("room for a file");
        file.set_len(size).expect("room for a sparse file");
        path
    }
}

/// Many different batches of addresses, as from a profiler, so that branch predictors cannot
/// learn one batch.
#[derive(Debug)]
pub(crate) struct Batches {
    pub(crate) jumping: Vec<Vec<u64>>,
    pub(crate) sorted: Vec<Vec<u64>>,
}

impl Batches {
    /// Draws `count` batches of addresses.
    pub(crate) fn draw(count: usize, mut batch: impl FnMut() -> Vec<u64>) -> Self {
        let jumping: Vec<Vec<u64>> = (0..count).map(|_| batch()).collect();
        let mut sorted = jumping.clone();
        sorted.iter_mut().for_each(|batch| batch.sort_unstable());
        Self { jumping, sorted }
    }
}

/// Returns batches in turn, endlessly; the compiler cannot predict which.
#[derive(Debug)]
pub(crate) struct Rotation<'b> {
    batches: &'b [Vec<u64>],
    next: usize,
}

impl<'b> Rotation<'b> {
    pub(crate) fn of(batches: &'b [Vec<u64>]) -> Self {
        Self { batches, next: 0 }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> &'b [u64] {
        let batch = &self.batches[self.next];
        self.next += 1;
        if self.next == self.batches.len() {
            self.next = 0;
        }
        black_box(batch)
    }
}

/// Deterministic pseudo-random numbers (xorshift64*).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(0x5eed_0bac_4516_4711)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * u128::from(bound);
        (high >> 64) as u64
    }

    pub(crate) fn shuffle<T>(&mut self, these: &mut [T]) {
        for at in (1..these.len()).rev() {
            these.swap(at, self.below(at as u64 + 1) as usize);
        }
    }

    /// Returns an address in one of the ranges, each with equal probability.
    pub(crate) fn addr_in(&mut self, ranges: &[Range<u64>]) -> u64 {
        let range = &ranges[self.below(ranges.len() as u64) as usize];
        range.start + self.below(range.end - range.start)
    }
}
