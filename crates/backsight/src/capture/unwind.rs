//! User stacks that were recorded as memory, walked by the files' call frame information.
//!
//! What unwinding needs of a process is known when its sample comes: the replay says
//! what it has mapped, and the files are on this machine or they are not. Where they
//! are not, the stack ends with the last frame that could be found.

use backsight_normalize::{CodeMapping, Replay};
use backsight_types::trace::{ChainEntry, Context, SampleRecord, UserStack};
use backsight_types::{Module, ModuleIdx};
use backsight_unwind::{CodeMap, FileIdx, MappedCode, WalkEnd, Walker};
use hashbrown::HashMap;

use super::piece::Unwound;
use super::registers;
use super::spaces::Who;
use crate::call_frames::call_frames;
use crate::find::ModuleFiles;
use crate::host::Host;

/// The code of all processes with samples, and what walks their stacks.
#[derive(Debug)]
pub(super) struct Unwinders {
    machine: Option<backsight_unwind::Machine>,
    walker: Walker,
    /// The call frames of modules, as far as their files were found.
    files: HashMap<ModuleIdx, Option<FileIdx>>,
    processes: HashMap<u32, Process>,
    found: Unwound,
    /// Samples with stacks of machines that cannot be walked here.
    not_walked: u64,
    /// What the recording says that its machine is called.
    name: Option<String>,
}

#[derive(Debug)]
struct Process {
    code: CodeMap,
    mappings: Vec<CodeMapping>,
    is_outdated: bool,
}

/// Stacks that were recorded as memory, of a machine whose stacks are not walked here: they
/// are as short as the recording has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotWalked {
    /// How many.
    pub stacks: u64,
    /// What the recording says that its machine is called, as by `uname -m`.
    pub machine: Option<String>,
    /// Whether they are those of 32-bit code alone.
    pub is_32_bit: bool,
}

impl Unwinders {
    /// Begins for a machine as `uname -m` names it; for the host when nothing says.
    pub(super) fn new(machine: Option<&str>, host: &Host) -> Self {
        let known = machine.or(host.machine.as_deref());
        Self {
            machine: known.and_then(registers::machine),
            walker: Walker::new(),
            files: HashMap::new(),
            processes: HashMap::new(),
            found: Unwound::default(),
            not_walked: 0,
            name: machine.map(str::to_owned),
        }
    }

    /// Returns which stacks were recorded as memory and are not walked, if there are some.
    pub(super) fn not_walked(&self) -> Option<NotWalked> {
        (self.not_walked > 0).then(|| NotWalked {
            stacks: self.not_walked,
            machine: self.name.clone(),
            is_32_bit: self.machine.is_some(),
        })
    }

    /// What a process has mapped has changed.
    pub(super) fn changed(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.is_outdated = true;
        }
    }

    /// A process runs another program, or none any more.
    pub(super) fn forget(&mut self, pid: u32) {
        self.processes.remove(&pid);
    }

    /// Returns what the last stack came to.
    pub(super) fn found(&self) -> &Unwound {
        &self.found
    }

    /// Walks the stack of a sample, whose process has mapped what `known` says. What
    /// the kernel's part of the chain has comes before it. `None` for a stack that cannot
    /// be walked here: it has the chain that was recorded, or its first frame.
    pub(super) fn unwind(
        &mut self,
        sample: &SampleRecord<'_>,
        who: Who,
        user: &UserStack<'_>,
        known: (&Replay, &[Module]),
        files: &ModuleFiles,
    ) -> Option<WalkEnd> {
        self.found.clear();
        let is_of_user = |entry: &ChainEntry| entry.context == Context::User;
        let others = sample.chain().filter(|entry| !is_of_user(entry));
        others.for_each(|entry| self.found.push(entry));
        let machine = match user.is_32_bit {
            true => self.machine.and_then(registers::of_32_bits),
            false => self.machine,
        };
        let registers = machine.and_then(|it| Some((it, registers::of(it, user)?)));
        let Some((machine, (registers, sp))) = registers else {
            let chain = sample.chain().filter(is_of_user);
            chain.for_each(|entry| self.found.push(entry));
            if machine.is_none() {
                self.not_walked = self.not_walked.saturating_add(1);
            }
            return None;
        };
        // Within execve, the registers are those of the program before.
        let mut pid = who.pid;
        self.update(pid, known, files);
        if let Some(before) = who.before {
            self.update(before, known, files);
            let code = self.processes.get(&before).map(|it| &it.code);
            if code.is_some_and(|code| code.at(registers.pc).is_some()) {
                pid = before;
            }
        }
        let Self {
            walker,
            processes,
            found,
            ..
        } = self;
        let code = &processes.get(&pid)?.code;
        let mut word = |addr| match machine.word_size() {
            4 => user.half_word(sp, addr),
            _ => user.word(sp, addr),
        };
        Some(walker.walk(machine, code, registers, &mut word, |frame| {
            found.push(ChainEntry {
                addr: frame.addr,
                lookup: frame.lookup,
                context: Context::User,
            });
        }))
    }

    /// Learns what a process has mapped now.
    fn update(&mut self, pid: u32, known: (&Replay, &[Module]), files: &ModuleFiles) {
        let (replay, modules) = known;
        let known = self.processes.get(&pid);
        if known.is_some_and(|process| !process.is_outdated) {
            return;
        }
        let mappings: Vec<CodeMapping> = replay.code_of(pid).collect();
        if let Some(process) = self.processes.get_mut(&pid)
            && process.mappings == mappings
        {
            process.is_outdated = false;
            return;
        }
        let pieces = mappings.iter().map(|mapping| MappedCode {
            range: mapping.range,
            file: self.file_of(mapping, modules, files),
        });
        let process = Process {
            code: CodeMap::new(pieces.collect()),
            mappings,
            is_outdated: false,
        };
        self.processes.insert(pid, process);
    }

    fn file_of(
        &mut self,
        mapping: &CodeMapping,
        modules: &[Module],
        found_in: &ModuleFiles,
    ) -> Option<(FileIdx, u64)> {
        let module = mapping.module?;
        let Self { files, walker, .. } = self;
        let read = || walker.add(call_frames(modules.get(module.as_usize())?, found_in)?);
        let index = (*files.entry(module).or_insert_with(read))?;
        let bias = walker.file(index)?.bias(mapping.range, mapping.offset)?;
        Some((index, bias))
    }
}
