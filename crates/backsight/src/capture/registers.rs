//! Maps perf's register numbers to those of DWARF.
//!
//! Source: `arch/x86/include/uapi/asm/perf_regs.h` and `arch/arm64/include/uapi/asm/
//! perf_regs.h` of the kernel.

use backsight_types::trace::UserStack;
use backsight_unwind::{Machine, Registers};

/// Returns the machine for a name of `uname -m`, if its stacks can be unwound.
pub(super) fn machine(name: &str) -> Option<Machine> {
    match name {
        "x86_64" => Some(Machine::X86_64),
        "i386" | "i486" | "i586" | "i686" => Some(Machine::X86),
        "aarch64" => Some(Machine::Aarch64),
        _ => None,
    }
}

/// Returns the machine of a 32-bit process on `machine`.
pub(super) fn of_32_bits(machine: Machine) -> Option<Machine> {
    match machine {
        Machine::X86_64 | Machine::X86 => Some(Machine::X86),
        _ => None,
    }
}

/// Returns the registers and the stack pointer; `None` if the program counter or the stack
/// pointer is missing.
pub(super) fn of(machine: Machine, user: &UserStack<'_>) -> Option<(Registers, u64)> {
    const PC_OF_X86: u32 = 8;
    const PC_OF_AARCH64: u32 = 32;
    let (pc, numbers): (u32, &mut dyn Iterator<Item = (u16, u32)>) = match machine {
        // AX, BX, CX, DX, SI, DI, BP, SP; R8 to R15 are 16 to 23.
        Machine::X86_64 => {
            let first = [
                (0, 0),
                (3, 1),
                (2, 2),
                (1, 3),
                (4, 4),
                (5, 5),
                (6, 6),
                (7, 7),
            ];
            let others = (8..16_u16).map(|number| (number, u32::from(number) + 8));
            (PC_OF_X86, &mut first.into_iter().chain(others))
        }
        // The same registers of perf; 32-bit DWARF numbers them differently.
        Machine::X86 => {
            let all = [
                (0, 0),
                (3, 1),
                (1, 2),
                (2, 3),
                (6, 4),
                (7, 5),
                (5, 6),
                (4, 7),
            ];
            (PC_OF_X86, &mut all.into_iter())
        }
        // X0 to X30 and SP have the same numbers.
        _ => (
            PC_OF_AARCH64,
            &mut (0..32_u16).map(|number| (number, u32::from(number))),
        ),
    };
    let mut registers = Registers::at(user.register(pc)?);
    for (dwarf, perf) in numbers {
        registers.set(dwarf, user.register(perf));
    }
    let sp = registers.get(machine.stack_pointer())?;
    Some((registers, sp))
}
