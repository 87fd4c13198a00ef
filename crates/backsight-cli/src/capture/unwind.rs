//! User stacks that were recorded as memory, walked by the files' `.eh_frame`.
//!
//! What unwinding needs of a process is known when its sample comes: the replay says
//! what it has mapped, and the files are on this machine or they are not. Where they
//! are not, the stack ends with the last frame that could be found.

use std::rc::Rc;
use std::sync::Arc;

use backsight_formats::perf_data::{ChainEntry, Context, Sample, UserStack};
use backsight_normalize::{CodeMapping, Replay};
use backsight_types::{AbsAddr, Lookup, Module, ModuleIdx};
use framehop::aarch64::{UnwindRegsAarch64, UnwinderAarch64};
use framehop::x86_64::{UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, Unwinder};
use hashbrown::HashMap;
use object::ReadCache;

use super::piece::Unwound;
use crate::call_frames::CallFrames;
use crate::symbolize::find;

/// No stack has more frames.
const MAX_FRAMES: usize = 1024;

/// The unwinders of all processes with samples.
#[derive(Default)]
pub(super) struct Unwinders {
    x86_64: Machine<UnwinderX86_64<Arc<[u8]>>>,
    aarch64: Machine<UnwinderAarch64<Arc<[u8]>>>,
    files: Files,
    is_aarch64: bool,
    found: Unwound,
}

/// The call frames of modules, as far as their files were found.
#[derive(Default)]
struct Files(HashMap<ModuleIdx, Option<Rc<CallFrames>>>);

/// The processes of one kind of machine.
struct Machine<U: Unwinder> {
    processes: HashMap<u32, Process<U>>,
    cache: U::Cache,
}

struct Process<U> {
    unwinder: U,
    mappings: Vec<CodeMapping>,
    is_outdated: bool,
}

impl<U: Unwinder<Cache: Default>> Default for Machine<U> {
    fn default() -> Self {
        Self {
            processes: HashMap::new(),
            cache: U::Cache::default(),
        }
    }
}

impl Unwinders {
    /// Begins for a machine as `uname -m` names it; for this one when nothing says.
    pub(super) fn new(machine: Option<&str>) -> Self {
        Self {
            is_aarch64: machine.unwrap_or(std::env::consts::ARCH) == "aarch64",
            ..Self::default()
        }
    }

    /// What a process has mapped has changed.
    pub(super) fn changed(&mut self, pid: u32) {
        if let Some(process) = self.x86_64.processes.get_mut(&pid) {
            process.is_outdated = true;
        }
        if let Some(process) = self.aarch64.processes.get_mut(&pid) {
            process.is_outdated = true;
        }
    }

    /// A process runs another program, or none any more.
    pub(super) fn forget(&mut self, pid: u32) {
        self.x86_64.processes.remove(&pid);
        self.aarch64.processes.remove(&pid);
    }

    /// Returns what the last stack came to.
    pub(super) fn found(&self) -> &Unwound {
        &self.found
    }

    /// Walks the stack of a sample, whose process has mapped what `replay` says. What
    /// the kernel's part of the chain has comes before it.
    pub(super) fn unwind(
        &mut self,
        sample: &Sample<'_>,
        user: &UserStack<'_>,
        replay: &Replay,
        modules: &[Module],
    ) {
        self.found.clear();
        for entry in sample
            .chain()
            .filter(|entry| entry.context != Context::User)
        {
            self.found.push(entry);
        }
        let Self {
            x86_64,
            aarch64,
            files,
            is_aarch64,
            found,
        } = self;
        let before = found.entries.len();
        let pid = sample.pid;
        // The numbers are those of `asm/perf_regs.h`.
        if *is_aarch64 {
            let [fp, lr, sp, pc] = [29, 30, 31, 32].map(|number| user.register(number));
            if let (Some(fp), Some(lr), Some(sp), Some(pc)) = (fp, lr, sp, pc) {
                let regs = UnwindRegsAarch64::new(lr, sp, fp);
                aarch64.update(pid, replay, modules, files);
                aarch64.walk(pid, pc, regs, |addr| user.word(sp, addr), found);
            }
        } else if !user.is_32_bit {
            let [fp, sp, pc] = [6, 7, 8].map(|number| user.register(number));
            if let (Some(fp), Some(sp), Some(pc)) = (fp, sp, pc) {
                let regs = UnwindRegsX86_64::new(pc, sp, fp);
                x86_64.update(pid, replay, modules, files);
                x86_64.walk(pid, pc, regs, |addr| user.word(sp, addr), found);
            }
        }
        if found.entries.len() == before {
            for entry in sample
                .chain()
                .filter(|entry| entry.context == Context::User)
            {
                found.push(entry);
            }
        }
    }
}

impl<U> Machine<U>
where
    U: Unwinder<Module = framehop::Module<Arc<[u8]>>> + Default,
{
    /// Gives the unwinder of a process the modules that it has mapped now.
    fn update(&mut self, pid: u32, replay: &Replay, modules: &[Module], files: &mut Files) {
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
        let mut unwinder = U::default();
        for CodeMapping {
            range,
            offset,
            module,
        } in &mappings
        {
            let frames = files.frames_of(*module, modules);
            let mapped = frames.and_then(|frames| frames.mapped(*range, *offset, *range));
            if let Some(mapped) = mapped {
                unwinder.add_module(mapped);
            }
        }
        let process = Process {
            unwinder,
            mappings,
            is_outdated: false,
        };
        self.processes.insert(pid, process);
    }

    fn walk(
        &mut self,
        pid: u32,
        pc: u64,
        regs: U::UnwindRegs,
        word: impl Fn(u64) -> Option<u64>,
        found: &mut Unwound,
    ) {
        let Self { processes, cache } = self;
        let Some(process) = processes.get(&pid) else {
            return;
        };
        let mut read_stack = |addr| word(addr).ok_or(());
        let unwinder = &process.unwinder;
        let mut frames = unwinder.iter_frames(pc, regs, cache, &mut read_stack);
        // An error is the end as well: what came before it stands.
        for _ in 0..MAX_FRAMES {
            let Ok(Some(frame)) = frames.next() else {
                break;
            };
            found.push(ChainEntry {
                addr: AbsAddr(frame.address()),
                lookup: match frame {
                    FrameAddress::InstructionPointer(_) => Lookup::Exact,
                    FrameAddress::ReturnAddress(_) => Lookup::Return,
                },
                context: Context::User,
            });
        }
    }
}

impl Files {
    fn frames_of(&mut self, index: ModuleIdx, modules: &[Module]) -> Option<Rc<CallFrames>> {
        let read = || {
            let module = modules.get(index.as_usize())?;
            // Without segments nothing proved that this is the file.
            if module.kind == backsight_types::ModuleKind::Vdso {
                let image = find::vdso_image(module.build_id?)?;
                return CallFrames::read(&image[..]).map(Rc::new);
            }
            module.segments.as_ref()?;
            let file = find::open_proven(module).ok()?;
            CallFrames::read(&ReadCache::new(file)).map(Rc::new)
        };
        self.0.entry(index).or_insert_with(read).clone()
    }
}
