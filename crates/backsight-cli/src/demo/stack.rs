//! A traced child in the vDSO, and its stack: real registers, real memory, unwound
//! by the `.eh_frame` of the files it has mapped.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use backsight_types::{AbsAddr, AbsRange};
use framehop::{
    CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, UnwindRegsNative,
    Unwinder, UnwinderNative,
};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use object::{Object, ObjectSection, ObjectSegment, ReadCache, ReadRef, SegmentFlags};
use vma_query::{Filter, NameBuf, ProcMaps, Vma, VmaName};

use crate::failure::{self, Failure, Result};
use crate::file::open_named;

/// From the end of `raise` to the vDSO it takes about a hundred; unoptimized, a
/// few thousand.
const MAX_STEPS: u32 = 200_000;

/// The demo's stack has about twenty.
const MAX_FRAMES: usize = 200;

/// A vDSO has a few pages.
const MAX_VDSO_SIZE: u64 = 1 << 20;

/// The child, stopped at the first instruction of the vDSO. It is killed when this
/// is dropped.
#[derive(Debug)]
pub(super) struct Stopped {
    process: Child,
    pid: Pid,
    /// Instructions from where the child stopped by itself.
    pub(super) steps: u32,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // If it cannot be killed, it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stopped {
    /// Starts the child and steps it into the vDSO.
    pub(super) fn start() -> Result<Self> {
        // Not the path of this program: a newer build may stand there by now.
        let process = Command::new("/proc/self/exe")
            .arg0("backsight")
            .arg("demo-child")
            .spawn()
            .map_err(|error| Failure::of("cannot start the demo's child", error))?;
        let raw = i32::try_from(process.id()).map_err(|error| Failure::of("child", error))?;
        let mut child = Self {
            process,
            pid: Pid::from_raw(raw),
            steps: 0,
        };
        child.wait_for_stop()?;
        let options = ptrace::Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(child.pid, options).map_err(trace_failed)?;
        let vdso = child.vdso()?;
        let mut signal = None;
        while !vdso.contains(registers(child.pid)?.pc) {
            if child.steps == MAX_STEPS {
                return Err(Failure::of(
                    "the demo's child",
                    format_args!(
                        "it did not come to the vDSO in {MAX_STEPS} instructions: its C library \
                         reads the clock without it"
                    ),
                ));
            }
            ptrace::step(child.pid, signal).map_err(trace_failed)?;
            // A signal from elsewhere, such as that a terminal changed its size, is
            // handed on with the next step.
            signal = Some(child.wait_for_stop()?).filter(|signal| *signal != Signal::SIGTRAP);
            child.steps += 1;
        }
        Ok(child)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait_for_stop(&mut self) -> Result<Signal> {
        match waitpid(self.pid, None).map_err(trace_failed)? {
            WaitStatus::Stopped(_, signal) => Ok(signal),
            // It said itself, on stderr, why it ended.
            other => Err(Failure::of(
                "the demo's child",
                format_args!("it should have stopped to be traced: {other:?}"),
            )),
        }
    }

    fn vdso(&self) -> Result<AbsRange> {
        let mut found = None;
        self.each_vma(Filter::EXECUTABLE, |vma, name| {
            if name == VmaName::Vdso {
                found = Some(vma.range());
            }
        })?;
        found.ok_or_else(|| Failure::of("the demo", "this kernel gives processes no vDSO"))
    }

    fn each_vma(&self, filter: Filter, mut see: impl FnMut(Vma, VmaName<'_>)) -> Result<()> {
        let failed = |error| failure::process(self.pid(), &error);
        let maps = ProcMaps::open(self.pid()).map_err(failed)?;
        let (mut vmas, mut name) = (maps.vmas().only(filter), NameBuf::new());
        while let Some(vma) = vmas.next_named(&mut name) {
            see(vma.map_err(failed)?, name.name());
        }
        Ok(())
    }

    /// Returns the addresses of the child's stack: the program counter first, then
    /// return addresses.
    pub(super) fn unwind(&self) -> Result<Vec<AbsAddr>> {
        let path = format!("/proc/{}/mem", self.pid());
        let memory = File::open(&path).map_err(|error| Failure::of(&path, error))?;
        let mut unwinder = UnwinderNative::new();
        for module in self.modules(&memory)? {
            unwinder.add_module(module);
        }
        let mut cache = CacheNative::<MayAllocateDuringUnwind>::new();
        let mut read_stack = |addr| {
            let mut word = [0; 8];
            let read = memory.read_exact_at(&mut word, addr);
            read.map(|()| u64::from_ne_bytes(word)).map_err(drop)
        };
        let Registers { pc, unwind } = registers(self.pid)?;
        let mut frames = unwinder.iter_frames(pc.0, unwind, &mut cache, &mut read_stack);
        let mut stack = Vec::new();
        // An error is the end as well: what came before it stands.
        while let (true, Ok(Some(frame))) = (stack.len() < MAX_FRAMES, frames.next()) {
            stack.push(AbsAddr(frame.address()));
        }
        Ok(stack)
    }

    /// Returns what the unwinder needs of every file the child runs code of.
    fn modules(&self, memory: &File) -> Result<Vec<Module<Vec<u8>>>> {
        let mut ranges: HashMap<_, AbsRange> = HashMap::new();
        let mut code = Vec::new();
        self.each_vma(Filter::ANY, |vma, name| {
            let range = ranges.entry((vma.device, vma.inode)).or_insert(vma.range());
            range.end = vma.end;
            if vma.is_executable() {
                match name {
                    VmaName::Path { path, .. } => code.push((vma, Some(path.to_vec()))),
                    VmaName::Vdso => code.push((vma, None)),
                    _ => {}
                }
            }
        })?;
        let modules = code.into_iter().filter_map(|(vma, path)| match path {
            Some(path) => {
                // The child is this very program in this very root: its paths are ours.
                let file = open_named(Path::new(std::ffi::OsStr::from_bytes(&path))).ok()?;
                let whole = ranges.get(&(vma.device, vma.inode)).copied()?;
                module(&ReadCache::new(file), &vma, whole)
            }
            None => {
                let size = vma.range().size().min(MAX_VDSO_SIZE);
                let mut image = vec![0; usize::try_from(size).ok()?];
                memory.read_exact_at(&mut image, vma.start.0).ok()?;
                module(&image[..], &vma, vma.range())
            }
        });
        Ok(modules.collect())
    }
}

/// Reads the sections that unwinding needs; `None` for a file that is no ELF file
/// or has no segment there.
fn module<'d>(data: impl ReadRef<'d>, code: &Vma, whole: AbsRange) -> Option<Module<Vec<u8>>> {
    let elf = object::File::parse(data).ok()?;
    let bias = elf
        .segments()
        .find_map(|segment| load_bias(&segment, code))?;
    let range = |name: &str| -> Option<Range<u64>> {
        let section = elf.section_by_name(name)?;
        Some(section.address()..section.address().checked_add(section.size())?)
    };
    let bytes =
        |name: &str| -> Option<Vec<u8>> { Some(elf.section_by_name(name)?.data().ok()?.to_vec()) };
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        text: bytes(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: bytes(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: bytes(".eh_frame_hdr"),
        ..ExplicitModuleSectionInfo::default()
    };
    let (start, end) = (whole.start.0, whole.end.0);
    Some(Module::new(String::new(), start..end, bias, sections))
}

/// Returns how far the code stands from where the file says, if this executable
/// segment is what the VMA maps.
fn load_bias<'d>(segment: &impl ObjectSegment<'d>, code: &Vma) -> Option<u64> {
    let SegmentFlags::Elf { p_flags, .. } = segment.flags() else {
        return None;
    };
    let (offset, size) = segment.file_range();
    // A VMA begins at the page in which the segment begins.
    let shared = offset.max(code.offset.0);
    let in_vma = shared.checked_sub(code.offset.0)?;
    let in_segment = shared.checked_sub(offset)?;
    if (p_flags & object::elf::PF_X).0 == 0 || in_vma >= code.range().size() || in_segment >= size {
        return None;
    }
    let absolute = code.start.checked_add(in_vma)?.0;
    absolute.checked_sub(segment.address().checked_add(in_segment)?)
}

struct Registers {
    pc: AbsAddr,
    unwind: UnwindRegsNative,
}

#[cfg(target_arch = "x86_64")]
fn registers(pid: Pid) -> Result<Registers> {
    let regs = ptrace::getregs(pid).map_err(trace_failed)?;
    Ok(Registers {
        pc: AbsAddr(regs.rip),
        unwind: UnwindRegsNative::new(regs.rip, regs.rsp, regs.rbp),
    })
}

#[cfg(target_arch = "aarch64")]
fn registers(pid: Pid) -> Result<Registers> {
    let regs = ptrace::getregs(pid).map_err(trace_failed)?;
    let [fp, lr] = [29, 30].map(|x: usize| regs.regs.get(x).copied().unwrap_or_default());
    Ok(Registers {
        pc: AbsAddr(regs.pc),
        unwind: UnwindRegsNative::new(lr, regs.sp, fp),
    })
}

fn trace_failed(errno: nix::errno::Errno) -> Failure {
    Failure::of(
        "the demo's child cannot be traced",
        format_args!(
            "{}: set kernel.yama.ptrace_scope to 2 or less, or start the container with \
             --cap-add SYS_PTRACE",
            errno.desc()
        ),
    )
}
