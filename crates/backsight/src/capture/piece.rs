//! Data of a recording that is buffered to be replayed together.

use std::collections::HashSet;

use backsight_normalize::{KERNEL_PID, Mmap, ProcessRecord, Replay};
use backsight_profile::{self as profile, Label, Profile};
use backsight_types::trace;
use backsight_types::trace::{ChainEntry, MovedText, SampleRecord};
use backsight_types::{Module, ModuleIdx, ModuleKind, Perms};
use hashbrown::HashMap;

use super::build_ids::RecordedBuildIds;
use super::chains::{ChainContext, ChainIdx, Chains};
use super::files;
use super::kernel::{KernelSymbols, RecordedKernel};
use super::labels::ProcessLabels;
use super::made_memory::told_from_file;
use super::off_cpu::Switches;
use super::places::Places;
use super::spaces::{self, ChainQuery, LookupPids};
use super::threads::Mapped;
use crate::find::ModuleFiles;
use crate::kernel::{IMAGE_PATH, kernel_module_of};

/// A piece ends when one of these limits is reached. The buffers take at most 10 MB.
const MAX_SAMPLES: usize = 1 << 16;
const MAX_RECORDS: usize = 1 << 14;
const MAX_SUMMED_SAMPLES: usize = 1 << 20;
const MAX_CHAIN_ENTRIES: usize = 1 << 18;

/// The buffered data, and the state left by earlier pieces.
#[derive(Debug, Default)]
pub(super) struct Piece {
    replay: Replay,
    chains: Chains,
    pub(super) places: Places,
    /// How often the mappings of each process have changed.
    epochs: HashMap<u32, u32>,
    last_epoch: Option<(u32, u32)>,
    /// Whether inode numbers prove a file's identity: the recording was made on this machine.
    pub(super) trust_inodes: bool,
    pub(super) recorded_kernel: RecordedKernel,
    /// Whether samples that differ only in time are summed to one.
    pub(super) summed: bool,
    /// Samples of this piece that were summed into another.
    summed_samples: usize,
    records: Vec<ProcessRecord>,
    pub(super) switches: Switches,
    pub(super) labels: ProcessLabels,
    pending: Vec<PendingSample>,
    /// The new chains, the replay queries for them, and their entries, one chain after the
    /// other.
    new_chains: Vec<(ChainIdx, ChainQuery, Option<u64>)>,
    queries: Vec<trace::CapturedAddrs>,
    entries: Vec<ChainEntry>,
}

/// A sample whose stack is not resolved yet.
#[derive(Clone, Copy, Debug)]
struct PendingSample {
    sample: profile::Sample,
    count: i64,
    period: i64,
    chain: ChainIdx,
    /// For a context switch sample: its number in [`Switches`].
    switch: Option<u64>,
}

impl Piece {
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_SAMPLES
            || self.summed_samples >= MAX_SUMMED_SAMPLES
            || self.records.len() >= MAX_RECORDS
            || self.entries.len() >= MAX_CHAIN_ENTRIES
    }

    pub(super) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// Returns the replay in the state after the last piece.
    pub(super) fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Buffers a record. Its time is its number among all events.
    pub(super) fn record(&mut self, record: ProcessRecord) {
        let epoch = self.epochs.entry(record.pid).or_default();
        *epoch = epoch.wrapping_add(1);
        self.last_epoch = None;
        self.records.push(record);
    }

    /// Buffers a sample. `order` is its number among all events; `unwound` replaces its chain.
    pub(super) fn push(
        &mut self,
        order: u64,
        who: LookupPids,
        sample: &SampleRecord<'_>,
        unwound: Option<&Unwound>,
        row: profile::Sample,
        switch: Option<Option<u64>>,
    ) {
        let setting = ChainContext {
            pid: sample.pid,
            epoch: self.epoch(sample.pid, sample.time_ns),
            kernel_epoch: self.epochs.get(&KERNEL_PID).copied().unwrap_or_default(),
            context: sample.context as u8,
            is_in_exec: who.old_pid.is_some(),
        };
        let pc = sample.pc.map(|pc| pc.0.to_ne_bytes());
        let key = match (unwound, sample.raw_chain()) {
            (Some(unwound), _) => &unwound.key,
            (None, []) => pc.as_ref().map_or(&[][..], |pc| &pc[..]),
            (None, chain) => chain,
        };
        let (chain, is_new) = self.chains.place(setting, key);
        if is_new {
            let from = self.entries.len();
            match unwound {
                Some(unwound) => self.entries.extend_from_slice(&unwound.entries),
                None => self.entries.extend(sample.chain()),
            }
            let entries = self.entries.get(from..).unwrap_or_default();
            let query = spaces::query(entries, order, who, &mut self.queries);
            self.new_chains.push((chain, query, sample.time_ns));
        }
        let pending = PendingSample {
            sample: row,
            count: 1,
            period: match switch {
                Some(_) => 0,
                None => i64::try_from(sample.period).unwrap_or(i64::MAX),
            },
            chain,
            switch: switch.flatten(),
        };
        if self.summed && switch.is_none() && self.add_to_last(&pending) {
            self.summed_samples += 1;
            return;
        }
        self.pending.push(pending);
    }

    /// Adds a sample to the last one with the same chain, if they have the same thread and
    /// event. Most do, and this is faster than searching the profile.
    fn add_to_last(&mut self, sample: &PendingSample) -> bool {
        let last = self.chains.note(sample.chain, self.pending.len());
        let Some((at, last)) = last.and_then(|at| Some((at, self.pending.get_mut(at)?))) else {
            return false;
        };
        let (a, b) = (&last.sample, &sample.sample);
        let is_alike =
            last.chain == sample.chain && (a.thread, a.first_type) == (b.thread, b.first_type);
        if is_alike {
            last.count += 1;
            last.period = last.period.saturating_add(sample.period);
            self.chains.note(sample.chain, at);
        }
        is_alike
    }

    fn epoch(&mut self, pid: u32, time_ns: Option<u64>) -> u32 {
        let made = self.places.made.changes(pid, time_ns);
        let mapped = match self.last_epoch {
            Some((last, epoch)) if last == pid => epoch,
            _ => {
                let epoch = self.epochs.get(&pid).copied().unwrap_or_default();
                self.last_epoch = Some((pid, epoch));
                epoch
            }
        };
        mapped.wrapping_add(made)
    }

    /// Replays the piece, and adds its samples to the profile.
    pub(super) fn finish(
        &mut self,
        profile: &mut Profile,
        build_ids: &RecordedBuildIds,
        files: &ModuleFiles,
    ) {
        let outcomes = self.replay.feed(&self.records, &self.queries);
        self.records.clear();
        self.queries.clear();
        self.add_modules(profile, build_ids, files);
        let mut outcomes = outcomes.into_iter();
        let mut entries = self.entries.as_slice();
        let mut locations = Vec::new();
        for (chain, query, time) in self.new_chains.drain(..) {
            locations.clear();
            let (these, rest) = entries.split_at(query.entries().min(entries.len()));
            entries = rest;
            query.answers(these, &mut outcomes, |entry, outcome| {
                let of = (query.pid(), time);
                locations.extend(self.places.location(entry, of, outcome, profile, files));
            });
            let stack = profile.stacks.intern(locations.iter().rev().copied());
            self.chains.resolve(chain, stack);
        }
        self.entries.clear();
        for pending in self.pending.drain(..) {
            let known = self.chains.stack(pending.chain);
            let stack = match pending.switch {
                Some(_) => known.or_else(|| self.places.unknown_stack(profile)),
                None => known,
            };
            let sample = profile::Sample {
                stack,
                ..pending.sample
            };
            let period = match pending.switch {
                None => pending.period,
                Some(number) => match self.switches.time_of(number, sample) {
                    Some(time) => time,
                    None => continue,
                },
            };
            let labels = self.labels.of_thread(sample.thread, profile);
            add(
                profile,
                self.summed,
                sample,
                [pending.count, period],
                labels,
            );
        }
        for (sample, time) in self.switches.take_done() {
            let labels = self.labels.of_thread(sample.thread, profile);
            add(profile, self.summed, sample, [1, time], labels);
        }
        self.summed_samples = 0;
        self.chains.clear_if_large();
    }

    fn add_modules(
        &mut self,
        profile: &mut Profile,
        build_ids: &RecordedBuildIds,
        found_in: &ModuleFiles,
    ) {
        let first = profile.modules.len();
        for (at, known) in self.replay.modules().iter().enumerate().skip(first) {
            let mut module = known.module.clone();
            told_from_file(&mut module);
            files::learn(&mut module, found_in, self.trust_inodes);
            if module.kind == ModuleKind::Kernel {
                // In a pipe, they may come after the mapping.
                let listed = || build_ids.of(&mut module.path, true);
                module.build_id = module.build_id.or_else(listed);
                let (symbols, recorded) = (&mut self.places.kernel, &self.recorded_kernel);
                learn_of_kernel(&mut module, at, &self.replay, symbols, recorded, found_in);
            }
            profile.modules.push(module);
        }
    }

    /// Goes on with an empty profile, after [`Self::finish`].
    pub(super) fn begin_profile(&mut self) {
        self.places.begin_profile();
        self.labels.begin_profile();
        self.chains.clear();
        // No chain is left that they distinguish.
        self.epochs = HashMap::new();
        self.last_epoch = None;
    }

    /// Forgets the modules that no process has mapped any more, but for those of `wanted`. Returns
    /// the new index of each.
    pub(super) fn forget_unmapped(
        &mut self,
        wanted: &HashSet<ModuleIdx>,
    ) -> Vec<Option<ModuleIdx>> {
        self.replay.forget_unmapped(wanted)
    }

    /// Returns the mappings with code that a process has, as its records said them.
    pub(super) fn mappings_of(&self, pid: u32) -> Vec<Mmap> {
        let modules = self.replay.modules();
        let mappings = self.replay.code_of(pid).filter_map(|code| {
            let module = &modules.get(code.module?.as_usize())?.module;
            let mut name = module.path.clone();
            if module.deleted {
                name.extend_from_slice(b" (deleted)");
            }
            Some(Mmap {
                range: code.range,
                offset: code.offset,
                perms: Perms::READ | Perms::EXECUTE,
                device: module.device,
                inode: module.inode,
                build_id: module.build_id,
                name,
                moved: match module.inferred {
                    true => MovedText::Moved,
                    false => MovedText::Unknown,
                },
            })
        });
        mappings.collect()
    }

    /// Adds mappings to the profile. Their modules must be those of a finished piece.
    pub(super) fn add_mappings(&self, mapped: Vec<Mapped>, profile: &mut Profile) {
        for Mapped {
            process,
            time_ns,
            mapping,
        } in mapped
        {
            let Some(module) = self.replay.module_of(&mapping) else {
                continue;
            };
            profile.mappings.push(profile::Mapping {
                process: Some(process),
                range: mapping.range,
                file_offset: mapping.offset,
                perms: mapping.perms,
                module: Some(module),
                start_ns: Some(time_ns),
            });
        }
    }
}

/// Reads the kernel's symbols when its image is met. A recording without build IDs gets those of the
/// host's kernel and modules, if they are proven to be the recorded ones.
fn learn_of_kernel(
    module: &mut Module,
    at: usize,
    replay: &Replay,
    symbols: &mut KernelSymbols,
    recorded: &RecordedKernel,
    files: &ModuleFiles,
) {
    let is_image = module.path == IMAGE_PATH;
    let wants_id = module.build_id.is_none() && symbols.are_of_host();
    let is_module = || kernel_module_of(&module.path).is_some();
    if !(is_image || wants_id && is_module()) {
        return;
    }
    let mut mapped = replay.code_of(KERNEL_PID);
    let own = mapped.find(|mapped| mapped.module.is_some_and(|it| it.as_usize() == at));
    let Some(start) = own.map(|mapped| mapped.range.start) else {
        return;
    };
    if !is_image {
        module.build_id = files.build_id_of_loaded(&module.path, start);
        return;
    }
    symbols.learn_image(files, recorded, module, start);
    if symbols.are_of_host() {
        module.build_id = module.build_id.or(files.host().kernel_build_id);
    }
}

fn add(
    profile: &mut Profile,
    summed: bool,
    sample: profile::Sample,
    values: [i64; 2],
    labels: &[Label],
) {
    match summed {
        true => profile.samples.sum(sample, &values, labels),
        false => profile.samples.push(sample, &values, labels),
    }
}

/// The chain of a sample whose user part was unwound here.
#[derive(Debug, Default)]
pub(super) struct Unwound {
    pub(super) entries: Vec<ChainEntry>,
    /// A byte string that is equal exactly if the entries are.
    pub(super) key: Vec<u8>,
}

impl Unwound {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.key.clear();
    }

    pub(super) fn push(&mut self, entry: ChainEntry) {
        self.key.extend(entry.addr.0.to_ne_bytes());
        self.key.push(entry.context as u8);
        self.entries.push(entry);
    }
}
