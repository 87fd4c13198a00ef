//! The types of lines.

use std::borrow::Cow;

use backsight_types::{
    AbsAddr, AddrKind, BuildId, FileOffset, Lookup, Module, ModuleIdx, Outcome, Perms, Reason,
    VirtOffset,
};
use serde::{Deserialize, Serialize};

use super::profile::lines::{AttributeLine, JsonLabel, ProcessLine, ProfileLine, ThreadLine};
use super::text::{self, DeviceText, HexBytes};
use super::version::SCHEMA_VERSION;
use crate::maps_text::MapsLine;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonLine {
    /// The program that wrote the lines that follow.
    Header(HeaderLine),
    /// A module.
    Module {
        /// The index by which addresses refer to it.
        index: ModuleIdx,
        /// The module.
        module: Module,
    },
    /// An address, and its outcome.
    Address(AddressLine<'static>),
    /// A mapping of a module.
    Mapping(MappingLine),
    /// A sample.
    Sample(SampleLine),
    /// The properties of a profile.
    About(ProfileLine),
    /// A process.
    Process(ProcessLine),
    /// A thread.
    Thread(ThreadLine),
    /// An attribute of a module or location.
    Attribute(AttributeLine),
}

/// The program that wrote the lines that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "header")]
pub struct HeaderLine {
    /// The version of the format.
    pub schema_version: u64,
    /// The name and version of the program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tool: String,
    /// The process ID, if all addresses are of one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How its VMAs were read: `ioctl` or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

/// An address, and its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "address")]
pub struct AddressLine<'a> {
    /// The index of this line among the lines of type `address`; if absent, one more than that of
    /// the previous line. Profiles state it, so that a lost line does not shift the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The address in the process; absent if only an offset was requested.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub address: Option<AbsAddr>,
    /// The module that contains it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "module_index"
    )]
    pub module: Option<ModuleIdx>,
    /// The offset in the file of the module.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub file_offset: Option<FileOffset>,
    /// The virtual offset, which symbols and DWARF of the file use.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub virtual_offset: Option<VirtOffset>,
    /// The kind of memory.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::kind")]
    pub kind: Option<AddrKind>,
    /// How to look it up.
    #[serde(default, with = "text::lookup")]
    pub lookup: Lookup,
    /// Why there is no answer, or why a part of it is missing.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub reason: Option<Reason>,
    /// The call levels at this address, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<JsonFrame<'a>>,
}

/// One call level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonFrame<'a> {
    /// The demangled name of the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Cow<'a, str>>,
    /// The linkage name of the function, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linkage_name: Option<Cow<'a, str>>,
    /// The source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Cow<'a, str>>,
    /// The line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The line on which the function starts, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_line: Option<u32>,
    /// Whether the function was inlined into that of the next frame.
    #[serde(default)]
    pub inlined: bool,
    /// The start address of the function.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub start: Option<VirtOffset>,
    /// The start of the function as an offset in the file of the module, if its virtual offset is
    /// not known: in the kernel's image, whose offsets count from its first byte.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub start_file_offset: Option<FileOffset>,
}

/// A mapping of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "mapping")]
pub struct MappingLine {
    /// The process ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The index of the process; only in profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The start address.
    #[serde(with = "text")]
    pub start: AbsAddr,
    /// The end address, exclusive.
    #[serde(with = "text")]
    pub end: AbsAddr,
    /// The file offset of the first byte.
    #[serde(with = "text")]
    pub file_offset: FileOffset,
    /// The permissions.
    #[serde(with = "text")]
    pub perms: Perms,
    /// The module.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "module_index"
    )]
    pub module: Option<ModuleIdx>,
    /// The time of the mapping, in nanoseconds on the clock of the samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
}

/// A stack with its values and time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "sample")]
pub struct SampleLine {
    /// The process ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The thread ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// The index of the thread; only in profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<u32>,
    /// The time of the sample, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
    /// The values, in the order of the profile's sample types.
    #[serde(default)]
    pub values: Vec<i64>,
    /// The index of the sample type of the first value. Values of types that are not listed are 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub value_type: u32,
    /// The indices of lines of type `address`, innermost first.
    #[serde(default)]
    pub stack: Vec<u64>,
    /// The labels of the sample.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<JsonLabel>,
}

/// A VMA, as written by `backsight maps --format json`: a line without `"type"`.
///
/// `"kind"` is `file`, `memfd`, `anonymous` (without a name), `heap`, `stack`, `vdso`, `vvar`,
/// `vsyscall`, `uprobes`, `anon` and `anon_shmem` (named by the process), or `other`.
#[derive(Clone, Debug, Serialize)]
pub struct VmaLine<'a> {
    #[serde(with = "text")]
    start: AbsAddr,
    #[serde(with = "text")]
    end: AbsAddr,
    #[serde(with = "text")]
    perms: Perms,
    #[serde(with = "text")]
    file_offset: FileOffset,
    #[serde(with = "text")]
    device: DeviceText,
    inode: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    name_hex: Option<HexBytes>,
    deleted: bool,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", with = "text::option")]
    build_id: Option<BuildId>,
}

impl<'a> VmaLine<'a> {
    /// Creates the line. `line` is a line of `/proc/PID/maps`, whose name must not end in `
    /// (deleted)`; the other parameters are not in that text.
    #[must_use]
    pub fn new(
        line: &MapsLine<'_>,
        deleted: bool,
        kind: &'a str,
        build_id: Option<BuildId>,
    ) -> Self {
        let (name, name_hex) = HexBytes::beside_text(line.name);
        Self {
            start: line.range.start,
            end: line.range.end,
            perms: line.perms,
            file_offset: line.file_offset,
            device: DeviceText(line.device),
            inode: line.inode,
            name,
            name_hex,
            deleted,
            kind,
            build_id,
        }
    }
}

impl HeaderLine {
    /// Returns a header of the current version.
    #[must_use]
    pub fn new(tool: impl Into<String>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: tool.into(),
            pid: None,
            backend: None,
        }
    }
}

impl AddressLine<'_> {
    /// Returns the line for an outcome of normalization. `module` is the module that `outcome`
    /// refers to.
    #[must_use]
    pub fn normalized(
        address: AbsAddr,
        lookup: Lookup,
        outcome: Outcome,
        module: Option<&Module>,
    ) -> Self {
        let line = Self {
            address: Some(address),
            lookup,
            ..Self::default()
        };
        match outcome {
            Outcome::Located {
                module: index,
                file_offset,
            } => Self {
                module: Some(index),
                file_offset: Some(file_offset),
                virtual_offset: module.and_then(|module| module.virt_offset_of(file_offset)),
                kind: module.map(|module| module.kind.into()),
                ..line
            },
            Outcome::Unresolved(reason) => Self {
                kind: match reason {
                    Reason::Anonymous => Some(AddrKind::Anonymous),
                    Reason::Kernel => Some(AddrKind::Kernel),
                    Reason::VdsoNoSymbols => Some(AddrKind::Vdso),
                    _ => None,
                },
                reason: Some(reason),
                ..line
            },
            // Neither an offset nor a reason is known.
            _ => line,
        }
    }

    /// Returns by how many bytes the address lies behind the start of a frame's function, if both
    /// are known.
    ///
    /// The start is a virtual offset, or an offset in the file if that is not known. Code that was made at run time has no file, so that its
    /// virtual offsets are the addresses in the process.
    #[must_use]
    pub fn offset_in(&self, frame: &JsonFrame<'_>) -> Option<u64> {
        let is_made = self.kind == Some(AddrKind::Anonymous);
        let address = self.address.filter(|_| is_made);
        let at = self.virtual_offset.or(address.map(|at| VirtOffset(at.0)));
        let by_virt = || at?.distance_from(frame.start?);
        let by_file = || self.file_offset?.distance_from(frame.start_file_offset?);
        by_virt().or_else(by_file)
    }

    /// Returns the outcome of normalization; `None` if the line has neither a file offset nor a
    /// reason.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match (self.module, self.file_offset) {
            (Some(module), Some(file_offset)) => Some(Outcome::Located {
                module,
                file_offset,
            }),
            _ => self.reason.map(Outcome::Unresolved),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Writes the index of a module as a number.
mod module_index {
    use backsight_types::ModuleIdx;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        index: &Option<ModuleIdx>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        index.map(|index| index.0).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<ModuleIdx>, D::Error> {
        u32::deserialize(from).map(|index| Some(ModuleIdx(index)))
    }
}
