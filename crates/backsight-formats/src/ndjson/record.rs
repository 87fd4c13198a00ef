//! What one line holds.

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

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonLine {
    /// What made the lines that follow.
    Header(HeaderLine),
    /// A file that addresses lie in.
    Module {
        /// What addresses name it by.
        index: ModuleIdx,
        /// The file.
        module: Module,
    },
    /// An address, and what became of it.
    Address(AddressLine<'static>),
    /// Where a module was mapped.
    Mapping(MappingLine),
    /// A stack with its time and values.
    Sample(SampleLine),
    /// What the samples mean.
    About(ProfileLine),
    /// A process.
    Process(ProcessLine),
    /// A thread.
    Thread(ThreadLine),
    /// What else is known of a module or a place.
    Attribute(AttributeLine),
}

/// What made the lines that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "header")]
pub struct HeaderLine {
    /// The version of the format.
    pub schema_version: u64,
    /// The program and its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tool: String,
    /// The process, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How its VMAs were asked for: `ioctl` or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

/// An address, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "address")]
pub struct AddressLine<'a> {
    /// Which line of type `address` it is, counted from 0; without it, the one behind
    /// the line before. Profiles have it, so that a line that was lost on the way does
    /// not move all stacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// What the process saw; absent when only an offset was asked for.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub address: Option<AbsAddr>,
    /// The module it lies in.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "module_index"
    )]
    pub module: Option<ModuleIdx>,
    /// The byte of that module's file.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub file_offset: Option<FileOffset>,
    /// The same place as the file's symbols and DWARF call it.
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
    /// Why there is no answer, or why there is no more of one.
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
    /// The function's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Cow<'a, str>>,
    /// Its name for the linker, when it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linkage_name: Option<Cow<'a, str>>,
    /// The source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Cow<'a, str>>,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The line that the function begins on, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_line: Option<u32>,
    /// Whether the compiler folded it into the frame that follows.
    #[serde(default)]
    pub inlined: bool,
    /// Where the function begins.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    pub start: Option<VirtOffset>,
}

/// Where a module was mapped, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "mapping")]
pub struct MappingLine {
    /// The ID of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The index of the process, in a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The first address.
    #[serde(with = "text")]
    pub start: AbsAddr,
    /// The first address behind it.
    #[serde(with = "text")]
    pub end: AbsAddr,
    /// The byte of the file at `start`.
    #[serde(with = "text")]
    pub file_offset: FileOffset,
    /// What it allowed.
    #[serde(with = "text")]
    pub perms: Perms,
    /// The module.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "module_index"
    )]
    pub module: Option<ModuleIdx>,
    /// When it was mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
}

/// A stack with its time and values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "sample")]
pub struct SampleLine {
    /// The ID of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The ID of the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// The index of the thread, in a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<u32>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
    /// What was counted, in the order of the profile's sample types.
    #[serde(default)]
    pub values: Vec<i64>,
    /// What the first of the values counts: a place among the sample types, from 0.
    /// All that have no value here are zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub value_type: u32,
    /// Lines of type `address`, counted from 0, innermost first.
    #[serde(default)]
    pub stack: Vec<u64>,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<JsonLabel>,
}

/// A VMA, as `backsight maps --format json` writes it: a line without `"type"`.
///
/// `"kind"` is one of `file`, `memfd`, `anonymous` (without a name), `heap`, `stack`,
/// `vdso`, `vvar`, `vsyscall`, `uprobes`, `anon` and `anon_shmem` (named by the
/// process), and `other`.
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
    /// Takes the line of the maps text, whose name is to be without ` (deleted)`,
    /// and what that text does not say.
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
    /// Returns a header of this version.
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
    /// Returns the line for what normalization found. `module` is the one that
    /// `outcome` names.
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
            // Neither a place nor a reason is known.
            _ => line,
        }
    }

    /// Returns what normalization found; `None` when the line names neither a place
    /// in a file nor a reason.
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

/// A module's index is a plain number.
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
