//! What the kernel tells of a BPF program that it compiled.

use crate::addr::AbsAddr;

/// A BPF program in machine code, as `BPF_OBJ_GET_INFO_BY_FD` tells of it.
///
/// Source: `struct bpf_prog_info` in `include/uapi/linux/bpf.h`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpfProgramInfo {
    /// The hash of all its instructions: the tag in the kernel's name of its first function.
    pub tag: [u8; 8],
    /// Its functions, the program itself first.
    pub functions: Vec<BpfFunctionInfo>,
    /// Where code has which line.
    pub lines: Vec<BpfLineInfo>,
    /// The number of the type information that has the names of its files; 0 if it has none.
    pub btf_id: u32,
}

/// A function of a BPF program in machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BpfFunctionInfo {
    /// Where it begins.
    pub start: AbsAddr,
    /// Its bytes.
    pub size: u32,
    /// The hash of its instructions: the tag in its name, `bpf_prog_TAG_NAME`. In the kernel's name
    /// of the first function, that is the tag of the program; in the name that `perf` gives it,
    /// this.
    pub tag: [u8; 8],
}

/// The source line of machine code, from an address up to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BpfLineInfo {
    /// The first address.
    pub addr: AbsAddr,
    /// Where the file's name is among the strings of the type information.
    pub file_name_offset: u32,
    /// The line, counted from 1; 0 if it is not known.
    pub line: u32,
    /// The column, counted from 1; 0 if it is not known.
    pub column: u32,
}

impl BpfLineInfo {
    /// Returns the line of an address, of the number in which the kernel packs line and column
    /// (`line_col` of `struct bpf_line_info`).
    #[must_use]
    pub const fn packed(addr: AbsAddr, file_name_offset: u32, line_col: u32) -> Self {
        Self {
            addr,
            file_name_offset,
            line: line_col >> 10,
            column: line_col & 0x3ff,
        }
    }
}

/// Type information of BPF programs: BTF, as the kernel keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BtfBlob {
    /// Its number, until the kernel is started again.
    pub id: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}
