//! Unwinding rules of a Breakpad symbol file, as rows for the unwinder.

use std::sync::Arc;

use backsight_symbolize::{CfiRow, CfiRule, Options, SymbolFile};
use backsight_types::{Module, VirtOffset};
use backsight_unwind::{CallerValue, Machine, RowSource, SourceRow};

/// The rules of one module.
#[derive(Debug)]
struct SymbolFileRows {
    file: SymbolFile,
    machine: Machine,
}

/// Returns the unwinding rules of a module's symbol file, if there is one and it has any.
pub(crate) fn symbol_file_rows(
    module: &Module,
    options: &Options,
    machine: Machine,
) -> Option<Arc<dyn RowSource>> {
    let all = options.symbol_files.as_ref()?;
    // Why there is none is told by `SymbolFiles::problems`.
    let found = all.find(&module.build_id?, options.access, &options.limits);
    let file = found.ok().flatten()?;
    if file.breakpad()?.1.cfi_ranges == 0 {
        return None;
    }
    let first = module.segments.as_ref()?.as_slice().first();
    let first = first.map_or(VirtOffset(0), |first| first.virt_offset);
    let file = file.with_load_address(first);
    Some(Arc::new(SymbolFileRows { file, machine }))
}

impl RowSource for SymbolFileRows {
    fn row(&self, address: u64) -> Option<SourceRow> {
        let rows = self.file.cfi(VirtOffset(address))?.rows;
        let row = rows.iter().find(|row| row.range.contains(&address))?;
        row_of(row, self.machine)
    }
}

/// `None` if the rule of the frame or of the return address is none of the usual ones.
fn row_of(row: &CfiRow, machine: Machine) -> Option<SourceRow> {
    let mut cfa = None;
    let mut saved = Vec::new();
    for (name, rule) in &row.rules {
        if name == ".cfa" {
            let CfiRule::Register { register, offset } = rule else {
                return None;
            };
            cfa = Some((register_of(register, machine)?, *offset));
            continue;
        }
        // Vector registers, and others that no stack needs.
        let Some(register) = register_of(name, machine) else {
            continue;
        };
        let value = match rule {
            CfiRule::AtCfa(offset) => CallerValue::AtCfa(*offset),
            CfiRule::Cfa(offset) => CallerValue::Cfa(*offset),
            CfiRule::Register {
                register,
                offset: 0,
            } => {
                let other = register_of(register, machine);
                other.map_or(CallerValue::Undefined, CallerValue::Register)
            }
            CfiRule::Undefined => CallerValue::Undefined,
            _ if name == ".ra" => return None,
            _ => CallerValue::Undefined,
        };
        saved.push((register, value));
    }
    Some(SourceRow::new(cfa?, saved))
}

/// Returns the DWARF number of a register by its name in `STACK CFI` lines.
///
/// Source: the processor supplements of the System V ABI for x86-64 (figure 3.36) and i386
/// (table 2.14), and "DWARF for the Arm 64-bit Architecture".
fn register_of(name: &str, machine: Machine) -> Option<u16> {
    const X86_64: [&str; 16] = [
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ];
    const X86: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
    if name == ".ra" {
        return Some(machine.return_address());
    }
    let name = name.strip_prefix('$').unwrap_or(name);
    let in_list = |list: &[&str]| {
        let at = list.iter().position(|known| *known == name)?;
        u16::try_from(at).ok()
    };
    match machine {
        Machine::X86_64 => in_list(&X86_64),
        Machine::X86 => in_list(&X86),
        Machine::Aarch64 if name == "sp" => Some(machine.stack_pointer()),
        Machine::Aarch64 => {
            let number = name.strip_prefix('x')?.parse().ok();
            number.filter(|number| *number <= 30)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use backsight_symbolize::SymbolFile;
    use backsight_types::VirtOffset;
    use backsight_unwind::{CallerValue, Machine, RowSource as _, SourceRow};

    use super::{SymbolFileRows, register_of};

    fn row(machine: Machine, rules: &str) -> Option<SourceRow> {
        let text = format!(
            "MODULE Linux x 00112233445566778899AABBCCDDEEFF0 a\nSTACK CFI INIT 10 8 {rules}\n"
        );
        let file = SymbolFile::of_bytes(text.as_bytes().into()).unwrap();
        let file = file.with_load_address(VirtOffset(0x1000));
        let rows = SymbolFileRows { file, machine };
        assert_eq!(rows.row(0x1018), None);
        rows.row(0x1012)
    }

    #[test]
    fn rules_get_the_numbers_of_their_registers() {
        use CallerValue::{AtCfa, Cfa, Register, Undefined};
        let x86_64 = ".cfa: $rsp 16 + .ra: .cfa -8 + ^ $rbp: .cfa -16 + ^ $rsp: .cfa";
        let want = vec![(16, AtCfa(-8)), (6, AtCfa(-16)), (7, Cfa(0))];
        let found = row(Machine::X86_64, x86_64);
        assert_eq!(found, Some(SourceRow::new((7, 16), want)));
        let aarch64 = ".cfa: sp 32 + .ra: x30 x19: .undef v8: .cfa ^";
        let want = vec![(30, Register(30)), (19, Undefined)];
        let found = row(Machine::Aarch64, aarch64);
        assert_eq!(found, Some(SourceRow::new((31, 32), want)));
        let x86 = ".cfa: $ebp 8 + .ra: .cfa -4 + ^ $ebx: $ecx 4 +";
        let want = vec![(8, AtCfa(-4)), (3, Undefined)];
        let found = row(Machine::X86, x86);
        assert_eq!(found, Some(SourceRow::new((5, 8), want)));
    }

    #[test]
    fn a_frame_of_an_expression_has_no_row() {
        for rules in [
            ".cfa: $rsp 8 + ^ .ra: .cfa ^",
            ".cfa: $rsp 8 + .ra: $rsp 8 * ^",
            ".cfa: $xmm0 8 + .ra: .cfa ^",
        ] {
            assert_eq!(row(Machine::X86_64, rules), None, "{rules}");
        }
        assert_eq!(register_of("x31", Machine::Aarch64), None);
        assert_eq!(register_of("r16", Machine::X86_64), None);
    }
}
