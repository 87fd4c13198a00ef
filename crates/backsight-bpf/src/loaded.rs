//! The programs that are loaded.

use std::collections::HashSet;
use std::io;

use backsight_types::AbsAddr;
use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};
use nix::errno::Errno;

use crate::sys::{self, Arrays, ObjectKind};

/// Many times what hosts have.
const MAX_PROGRAMS: usize = 1 << 16;

/// The programs that are loaded and have lines, and their type information.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadedPrograms {
    /// The programs.
    pub programs: Vec<BpfProgramInfo>,
    /// The type information that has the names of their files.
    pub btf: Vec<BtfBlob>,
    /// Programs whose addresses the kernel hides from this process.
    pub hidden: usize,
}

/// Returns the programs that are loaded now. Those that end meanwhile are left out.
///
/// # Errors
/// The kernel's refusal: `EPERM` without `CAP_SYS_ADMIN`, `ENOSYS` in a kernel without BPF.
pub fn loaded_programs() -> io::Result<LoadedPrograms> {
    let mut loaded = LoadedPrograms::default();
    let mut wanted = HashSet::new();
    let mut id = 0;
    for _ in 0..MAX_PROGRAMS {
        let Some(next) = sys::next_program(id)? else {
            break;
        };
        id = next;
        let Some(arrays) = still_there(program(id))? else {
            continue;
        };
        if arrays.line_info.is_empty() {
            continue;
        }
        if !arrays.has_addresses() {
            loaded.hidden = loaded.hidden.saturating_add(1);
            continue;
        }
        let program = described(&arrays);
        let is_new = program.btf_id != 0 && wanted.insert(program.btf_id);
        if is_new && let Some(bytes) = still_there(btf(program.btf_id))? {
            let id = program.btf_id;
            loaded.btf.push(BtfBlob { id, bytes });
        }
        loaded.programs.push(program);
    }
    Ok(loaded)
}

fn program(id: u32) -> io::Result<Arrays> {
    sys::program(&sys::open(ObjectKind::Program, id)?)
}

fn btf(id: u32) -> io::Result<Vec<u8>> {
    sys::btf(&sys::open(ObjectKind::Btf, id)?)
}

/// Returns `None` for what is gone.
fn still_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The kernel has one size and one tag for each function, and one address for each line.
fn described(arrays: &Arrays) -> BpfProgramInfo {
    let sizes = arrays.jited_func_lens.iter().zip(&arrays.prog_tags);
    let functions = arrays.jited_ksyms.iter().zip(sizes);
    let functions = functions.map(|(start, (size, tag))| BpfFunctionInfo {
        start: AbsAddr(*start),
        size: *size,
        tag: *tag,
    });
    let lines = arrays.line_info.iter().zip(&arrays.jited_line_info);
    let lines = lines.map(|([_, file_name, _, line_col], addr)| {
        BpfLineInfo::packed(AbsAddr(*addr), *file_name, *line_col)
    });
    BpfProgramInfo {
        tag: arrays.tag,
        functions: functions.collect(),
        lines: lines.collect(),
        btf_id: arrays.btf_id,
    }
}
