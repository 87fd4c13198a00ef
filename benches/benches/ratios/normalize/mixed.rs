//! Addresses outside of files, each with its own reason.

use std::ops::Range;

use backsight_normalize::{Backend, Options, Outcome, Reason};
use backsight_types::AbsAddr;
use benches::race::{self, Race, Role, Sizes};

use super::batches::{self, K};
use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::process::Process;
use crate::raw::With;
use crate::target::{Batches, PAGE, Random, Target};

pub(super) fn n11(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let barren = Barren::new();
    Ok(vec![
        among_modules(rounds)?,
        barren.batch(rounds)?,
        barren.slowest(rounds),
    ])
}

/// The number of ranges of anonymous memory, and of gaps, not adjacent to each other.
const ELSEWHERE: usize = 10;

/// The total number of ranges, with vDSO and stack.
pub(super) const RANGES: usize = 2 * ELSEWHERE + 2;

/// The process and batches of N6, with a fifth of the addresses outside of files.
pub(super) fn elsewhere() -> (Target, Batches) {
    let mut target = batches::alike();
    let mut jit = Vec::new();
    let mut holes = Vec::new();
    for _ in 0..ELSEWHERE {
        jit.push(target.child.anon("r-xp", 0x1_0000));
        holes.push(target.child.anon("rw-p", 0x1_0000));
        target.child.map("/proc/self/exe", "r--p"); // or they would be one
    }
    holes
        .iter()
        .for_each(|hole| target.child.unmap(hole.clone()));
    let process = target.process();
    let maps = Text::of(process);
    let (vdso, stack) = (maps.named("[vdso]"), maps.named("[stack]"));

    let mut random = Random::new();
    let places = [&jit[..], &[vdso], &[stack], &holes];
    let batches = Batches::draw(32, || {
        let addr = |nth: usize| match nth % 20 {
            kind @ 0..4 => random.addr_in(places[kind]),
            _ => random.addr_in(&target.code),
        };
        let mut batch: Vec<u64> = (0..K).map(addr).collect();
        random_order(&mut batch);
        batch
    });
    (target, batches)
}

fn among_modules(rounds: u32) -> Result<race::Outcome, String> {
    let (target, batches) = elsewhere();
    let process = target.process();
    let options = ours::options(Backend::Ioctl, Know::Names);
    let touched = Text::of(process).check(process, &batches.jumping, &options)?;

    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: K,
        touched,
    };
    let floor = Floor::new(process, With::Name, K, touched + 1);
    let ours = ours::one_shots(process, &batches.jumping, &options);
    let part = "N6 with a fifth of the addresses in JIT memory, vdso, stack and holes";
    let race = Race::new("N11", part, sizes)
        .enter(Role::Floor, "floor", floor.one_shots(&batches.sorted))
        .enter(Role::Ours, "ours", ours)
        .at_most(1.3, "ours", "floor");
    Ok(race.run(rounds))
}

fn random_order(batch: &mut [u64]) {
    Random::new().shuffle(batch);
}

/// A process with 20,000 VMAs without code, and gaps.
struct Barren {
    target: Target,
    addrs: Batches,
}

impl Barren {
    const VMAS: u64 = 20_000;
    const ADDRS: usize = 2_000;

    fn new() -> Self {
        let mut target = Target::new();
        let file = target.file(PAGE);
        let mut areas: Vec<Range<u64>> = Vec::new();
        // Adjacent VMAs with equal permissions would be merged.
        for perms in ["r--p", "rw-p"].iter().cycle().take(Self::VMAS as usize) {
            areas.push(target.child.map(&file, perms));
        }
        areas.sort_by_key(|area| area.start);
        // Every tenth range has an address in the batch; a fourth of these are gaps.
        let tenth: Vec<Range<u64>> = areas.into_iter().step_by(10).collect();
        for hole in tenth.iter().step_by(4) {
            target.child.unmap(hole.clone());
        }
        let mut random = Random::new();
        let addrs = Batches::draw(8, || {
            let mut batch: Vec<u64> = tenth
                .iter()
                .map(|area| area.start + random.below(PAGE))
                .collect();
            random.shuffle(&mut batch);
            batch
        });
        Self { target, addrs }
    }

    fn batch(&self, rounds: u32) -> Result<race::Outcome, String> {
        let (process, batches) = (self.target.process(), &self.addrs);
        let options = ours::options(Backend::Ioctl, Know::Names);
        let touched = Text::of(process).check(process, &batches.jumping, &options)?;
        let sizes = Sizes {
            vmas: process.vmas(),
            addresses: Self::ADDRS,
            touched,
        };
        let Batches { sorted, jumping } = batches;
        let floor = |with| Floor::new(process, with, Self::ADDRS, Self::ADDRS).one_shots(sorted);
        let ours = |batches| ours::one_shots(process, batches, &options);
        let part = "one address in each of 2,000 VMAs and holes among 20,000 VMAs without code";
        let race = Race::new("N11", part, sizes)
            .enter(Role::Floor, "floor, names", floor(With::Name))
            .enter(Role::Floor, "floor, no names", floor(With::Nothing))
            .enter(Role::Ours, "ours, sorted", ours(sorted))
            .enter(Role::Ours, "ours, unsorted", ours(jumping))
            .at_most(1.3, "ours, sorted", "floor, no names")
            .at_most(1.3, "ours, unsorted", "floor, no names");
        Ok(race.run(rounds))
    }

    /// Finds the address whose call takes longest beyond its own query.
    fn slowest(&self, rounds: u32) -> race::Outcome {
        let process = self.target.process();
        let options = ours::options(Backend::Ioctl, Know::Names);
        let addrs = self.addrs.sorted[0].iter().step_by(Self::ADDRS / 40);
        let race = |addr: &u64| {
            let batches = [vec![*addr]];
            let floor = Floor::new(process, With::Nothing, 1, 1);
            let session = ours::open(process, &options);
            let sizes = Sizes {
                vmas: process.vmas(),
                addresses: 1,
                touched: 1,
            };
            let part = "one address a call, in a session: the slowest of 40";
            Race::new("N11", part, sizes)
                .enter(Role::Floor, "floor", floor.batches(&batches))
                .enter(Role::Ours, "ours", ours::calls(session, &batches, &options))
                .beyond(1000.0, "ours", "floor")
                .run(rounds.min(11))
        };
        // A run that counts has no targets.
        let beyond = |outcome: &race::Outcome| {
            let verdict = outcome.verdicts.first();
            verdict.map_or(0.0, |verdict| verdict.figure.median)
        };
        let slower = |a: &race::Outcome, b: &race::Outcome| beyond(a).total_cmp(&beyond(b));
        addrs.map(race).max_by(slower).expect("forty addresses")
    }
}

/// The results according to the maps text, found by a simple scan.
struct Text(Vec<(Range<u64>, String)>);

impl Text {
    fn of(process: Process) -> Self {
        let path = process.maps().into_string().expect("ASCII");
        let text = std::fs::read_to_string(path).expect("the process is there");
        let line = |line: &str| {
            let (range, rest) = line.split_once(' ').expect("a range");
            let (start, end) = range.split_once('-').expect("a range");
            let [start, end] =
                [start, end].map(|it| u64::from_str_radix(it, 16).expect("an address"));
            (start..end, rest.to_owned())
        };
        Self(text.lines().map(line).collect())
    }

    fn named(&self, name: &str) -> Range<u64> {
        let mut lines = self.0.iter();
        let line = lines.find(|(_, rest)| rest.ends_with(name));
        line.expect("every process has it").0.clone()
    }

    /// Checks each outcome and reason, and returns the maximum number of VMAs and gaps of a
    /// batch.
    fn check(
        &self,
        process: Process,
        batches: &[Vec<u64>],
        options: &Options,
    ) -> Result<usize, String> {
        let mut most = 0;
        for batch in batches {
            let mut session = ours::open(process, options);
            let mut outcomes = Vec::new();
            let addrs = AbsAddr::from_slice(batch);
            let done = session.normalize(addrs, &mut outcomes);
            done.map_err(|error| error.to_string())?;
            let mut touched = Vec::new();
            for (addr, outcome) in batch.iter().zip(&outcomes) {
                let after = self.0.partition_point(|(range, _)| range.start <= *addr);
                let line = after.checked_sub(1).map(|at| &self.0[at]);
                let line = line.filter(|(range, _)| range.contains(addr));
                touched.push((after, line.is_some()));
                let path = |outcome: &Outcome| match outcome {
                    Outcome::Located { module, .. } => {
                        let module = &session.modules()[module.as_usize()].module;
                        Ok(module.path_lossy().into_owned())
                    }
                    Outcome::Unresolved(reason) => Err(*reason),
                    other => panic!("{other:?}"),
                };
                if path(outcome) != wanted(line.map(|(_, rest)| rest.as_str())) {
                    return Err(format!("{addr:#x}: {outcome:?}, but it is {line:?}"));
                }
            }
            touched.sort_unstable();
            touched.dedup();
            most = most.max(touched.len());
        }
        Ok(most)
    }
}

/// Returns the path, or the reason, for an address in a line of the text.
fn wanted(line: Option<&str>) -> Result<String, Reason> {
    let line = line.ok_or(Reason::Unmapped)?;
    let name = line.splitn(5, ' ').nth(4).unwrap_or_default().trim_start();
    let inode = line.split(' ').nth(3);
    match line.as_bytes().get(2) {
        Some(b'x') if inode == Some("0") && name != "[vdso]" => Err(Reason::Anonymous),
        Some(b'x') => Ok(name.to_owned()),
        _ => Err(Reason::NotExecutable),
    }
}
