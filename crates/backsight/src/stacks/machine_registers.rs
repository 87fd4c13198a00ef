//! The registers of a stopped thread, by the numbers of DWARF.

use backsight_unwind::{Machine, Registers};
use nix::unistd::Pid;

use super::refusal::StackRefusal;

/// Reads the registers of a stopped thread.
#[cfg(target_arch = "x86_64")]
pub(super) fn read(tid: Pid) -> Result<(Machine, Registers), StackRefusal> {
    /// The code segment of 64-bit programs: `__USER_CS`.
    const CODE_OF_64_BITS: u64 = 0x33;
    let regs = nix::sys::ptrace::getregs(tid).map_err(failed)?;
    // A program of 32 bits may be in code of 64 bits, and the reverse: the processor's state
    // counts.
    if regs.cs & 0xff == CODE_OF_64_BITS {
        let all = [
            regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp,
            regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
        ];
        return Ok((Machine::X86_64, registers(regs.rip, &all)));
    }
    let all = [
        regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
    ];
    let all = all.map(|value| value & u64::from(u32::MAX));
    let pc = regs.rip & u64::from(u32::MAX);
    Ok((Machine::X86, registers(pc, &all)))
}

/// Reads the registers of a stopped thread.
#[cfg(all(target_arch = "x86", target_env = "gnu"))]
pub(super) fn read(tid: Pid) -> Result<(Machine, Registers), StackRefusal> {
    let regs = nix::sys::ptrace::getregs(tid).map_err(failed)?;
    let all = [
        regs.eax, regs.ecx, regs.edx, regs.ebx, regs.esp, regs.ebp, regs.esi, regs.edi,
    ];
    let all = all.map(|value| u64::from(value.cast_unsigned()));
    let pc = u64::from(regs.eip.cast_unsigned());
    Ok((Machine::X86, registers(pc, &all)))
}

/// Reads the registers of a stopped thread.
#[cfg(target_arch = "aarch64")]
pub(super) fn read(tid: Pid) -> Result<(Machine, Registers), StackRefusal> {
    let regs = nix::sys::ptrace::getregs(tid).map_err(failed)?;
    let mut all = [0; 32];
    let (of_calls, sp) = all.split_at_mut(31);
    of_calls.copy_from_slice(&regs.regs);
    sp.fill(regs.sp);
    Ok((Machine::Aarch64, registers(regs.pc, &all)))
}

/// Registers of this machine are not read.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "x86", target_env = "gnu")
)))]
pub(super) fn read(_: Pid) -> Result<(Machine, Registers), StackRefusal> {
    Err(StackRefusal::Unsupported)
}

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "x86", target_env = "gnu")
))]
fn failed(errno: nix::errno::Errno) -> StackRefusal {
    StackRefusal::Failed(errno as i32)
}

/// Whether the registers of a process whose program begins with these bytes can be read here.
pub(super) fn can_read(program: &[u8]) -> bool {
    /// `ELFCLASS32`, the byte after the magic number.
    const OF_32_BITS: Option<&u8> = Some(&1);
    // The kernel then writes registers of another layout, and fewer.
    !(cfg!(target_arch = "aarch64") && program.get(4) == OF_32_BITS)
}

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "x86", target_env = "gnu")
))]
fn registers(pc: u64, values: &[u64]) -> Registers {
    let mut registers = Registers::at(pc);
    for (number, value) in (0..).zip(values) {
        registers.set(number, Some(*value));
    }
    registers
}
