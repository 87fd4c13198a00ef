//! A traced child stopped in the vDSO, and its stack: real registers and memory, unwound by the
//! `.eh_frame` of its mapped files.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use backsight_types::{AbsAddr, AbsRange};
use backsight_unwind::{CallFrames, CodeMap, Machine, MappedCode, Registers, Walker};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use vma_query::{Filter, NameBuf, ProcMaps, Vma, VmaName};

use crate::failure::{self, Failure, Result};
use crate::file::open_named;

/// From the end of `raise` to the vDSO it takes about a hundred instructions; unoptimized, a few
/// thousand.
const MAX_STEPS: u32 = 200_000;

/// A vDSO has a few pages.
const MAX_VDSO_SIZE: u64 = 1 << 20;

/// The child, stopped at the first instruction of the vDSO. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Stopped {
    process: Child,
    pid: Pid,
    /// Instructions since the child stopped itself.
    pub(super) steps: u32,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // If it cannot be killed, it has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stopped {
    /// Starts the child and steps it into the vDSO.
    pub(super) fn start() -> Result<Self> {
        // The path of this program may name a newer build by now, so use /proc/self/exe.
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
        while !vdso.contains(AbsAddr(registers(child.pid)?.pc)) {
            if child.steps == MAX_STEPS {
                return Err(Failure::of(
                    "the demo's child",
                    format_args!(
                        "it did not reach the vDSO in {MAX_STEPS} instructions: its C library \
                         does not use the vDSO to read the clock"
                    ),
                ));
            }
            ptrace::step(child.pid, signal).map_err(trace_failed)?;
            // Any other signal, such as SIGWINCH, is delivered with the next step.
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
            // The child has reported on stderr why it exited.
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
        found.ok_or_else(|| Failure::of("the demo", "processes have no vDSO on this kernel"))
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

    /// Returns the addresses of the child's stack: the program counter first, then return
    /// addresses.
    pub(super) fn unwind(&self) -> Result<Vec<AbsAddr>> {
        let path = format!("/proc/{}/mem", self.pid());
        let memory = File::open(&path).map_err(|error| Failure::of(&path, error))?;
        let mut walker = Walker::new();
        let code = self.code(&memory, &mut walker)?;
        let mut word = |addr| {
            let mut word = [0; 8];
            let read = memory.read_exact_at(&mut word, addr);
            read.ok().map(|()| u64::from_ne_bytes(word))
        };
        let mut stack = Vec::new();
        let registers = registers(self.pid)?;
        walker.walk(MACHINE, &code, registers, &mut word, |frame| {
            stack.push(frame.addr);
        });
        Ok(stack)
    }

    /// Adds the call frame information of each mapped file to the walker.
    fn code(&self, memory: &File, walker: &mut Walker) -> Result<CodeMap> {
        let mut code = Vec::new();
        self.each_vma(Filter::EXECUTABLE, |vma, name| {
            let frames = match name {
                // The child runs the same program in the same root, so its paths are valid here.
                VmaName::Path { path, .. } => open_named(Path::new(OsStr::from_bytes(path)))
                    .ok()
                    .and_then(CallFrames::read),
                VmaName::Vdso => vdso(memory, &vma),
                _ => None,
            };
            let file = frames.and_then(|frames| {
                let bias = frames.bias(vma.range(), vma.offset)?;
                Some((walker.add(frames)?, bias))
            });
            let range = vma.range();
            code.push(MappedCode { range, file });
        })?;
        Ok(CodeMap::new(code))
    }
}

fn vdso(memory: &File, vma: &Vma) -> Option<CallFrames> {
    let size = vma.range().size().min(MAX_VDSO_SIZE);
    let mut image = vec![0; usize::try_from(size).ok()?];
    memory.read_exact_at(&mut image, vma.start.0).ok()?;
    CallFrames::parse(&image)
}

#[cfg(target_arch = "x86_64")]
const MACHINE: Machine = Machine::X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: Machine = Machine::Aarch64;

#[cfg(target_arch = "x86_64")]
fn registers(pid: Pid) -> Result<Registers> {
    let regs = ptrace::getregs(pid).map_err(trace_failed)?;
    let mut registers = Registers::at(regs.rip);
    // In the order of DWARF register numbers.
    let values = [
        regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8,
        regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ];
    for (number, value) in (0..).zip(values) {
        registers.set(number, Some(value));
    }
    Ok(registers)
}

#[cfg(target_arch = "aarch64")]
fn registers(pid: Pid) -> Result<Registers> {
    let regs = ptrace::getregs(pid).map_err(trace_failed)?;
    let mut registers = Registers::at(regs.pc);
    for (number, value) in (0..).zip(regs.regs) {
        registers.set(number, Some(value));
    }
    registers.set(MACHINE.stack_pointer(), Some(regs.sp));
    Ok(registers)
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
