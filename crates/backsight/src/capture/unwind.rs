//! Unwinds user stacks that were recorded as memory, with the call frame information of files.
//!
//! A stack is unwound when its sample arrives: the replay has the mappings of the process at
//! that time, and the files are looked for on this machine. If one is missing, the stack ends
//! with the last frame that could be found.

use backsight_normalize::{CodeMapping, Replay};
use backsight_types::trace::{ChainEntry, Context, SampleRecord, UserStack};
use backsight_types::{Module, ModuleIdx};
use backsight_unwind::{CodeMap, FileIdx, MappedCode, WalkEnd, Walker};
use hashbrown::HashMap;

use super::piece::Unwound;
use super::registers;
use super::spaces::LookupPids;
use crate::find::ModuleFiles;
use crate::host::Host;
use crate::module_call_frames::call_frames;

/// The mapped code of all processes with samples, and the unwinder.
#[derive(Debug)]
pub(super) struct Unwinders {
    machine: Option<backsight_unwind::Machine>,
    walker: Walker,
    /// For each module: its call frame information; `None` if its file was not found.
    files: HashMap<ModuleIdx, Option<FileIdx>>,
    processes: HashMap<u32, WalkedProcess>,
    found: Unwound,
    /// Samples with stacks of machines that are not supported.
    not_walked: u64,
    /// The name of the machine in the recording.
    name: Option<String>,
}

#[derive(Debug)]
struct WalkedProcess {
    code: CodeMap,
    mappings: Vec<CodeMapping>,
    is_outdated: bool,
}

/// Stacks recorded as memory that were not unwound, because the machine is not supported. They
/// keep the chain that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotWalked {
    /// The number of stacks.
    pub stacks: u64,
    /// The name of the machine in the recording, as printed by `uname -m`.
    pub machine: Option<String>,
    /// Whether only the 32-bit code of the machine is not supported.
    pub is_32_bit: bool,
}

impl Unwinders {
    /// Creates the unwinders of a machine, named as by `uname -m`; of the host if `machine` is
    /// `None`.
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

    /// Returns the stacks that were not unwound, if any.
    pub(super) fn not_walked(&self) -> Option<NotWalked> {
        (self.not_walked > 0).then(|| NotWalked {
            stacks: self.not_walked,
            machine: self.name.clone(),
            is_32_bit: self.machine.is_some(),
        })
    }

    /// The mappings of a process have changed.
    pub(super) fn changed(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.is_outdated = true;
        }
    }

    /// A process called `execve` or exited.
    pub(super) fn forget(&mut self, pid: u32) {
        self.processes.remove(&pid);
    }

    /// Modules have other indices from here on: what is known of their files is read again.
    pub(super) fn forget_files(&mut self) {
        self.walker = Walker::new();
        self.files = HashMap::new();
        self.processes = HashMap::new();
    }

    /// Returns the chain of the last unwound stack.
    pub(super) fn found(&self) -> &Unwound {
        &self.found
    }

    /// Unwinds the stack of a sample. `known` has the current mappings of its process. The
    /// kernel part of the chain comes before the unwound frames. Returns `None` if the stack
    /// cannot be unwound; the sample then keeps its recorded chain.
    pub(super) fn unwind(
        &mut self,
        sample: &SampleRecord<'_>,
        who: LookupPids,
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
        // Inside `execve`, the registers are those of the old program.
        let mut pid = who.pid;
        self.update(pid, known, files);
        if let Some(old_pid) = who.old_pid {
            self.update(old_pid, known, files);
            let code = self.processes.get(&old_pid).map(|it| &it.code);
            if code.is_some_and(|code| code.at(registers.pc).is_some()) {
                pid = old_pid;
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

    /// Updates the code map of a process, if its mappings have changed.
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
        let process = WalkedProcess {
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
