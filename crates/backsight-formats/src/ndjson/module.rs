//! The line of a module, and its conversion from and to [`Module`].

use backsight_types::{
    BuildId, Device, FileOffset, Module, ModuleIdx, ModuleKind, Perms, Reason, Segment, Segments,
    VirtOffset,
};
use serde::{Deserialize, Serialize};

use super::text::{self, ArchText, DeviceText, HexBytes, KindText, Size};

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename = "module")]
pub(super) struct ModuleLine {
    index: u32,
    /// Absent for a file.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    kind: Option<KindText>,
    #[serde(default)]
    path: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    path_hex: Option<HexBytes>,
    #[serde(default)]
    deleted: bool,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    device: Option<DeviceText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build_id_kind: Option<BuildIdKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build_id: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    arch: Option<ArchText>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    reason: Option<Reason>,
    /// Whether only its path identifies the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_path: bool,
    /// Whether build ID and segments are from the memory of the process.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_memory: bool,
    /// Whether the code is in anonymous memory, and follows from the mappings around it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    inferred: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<SegmentText>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BuildIdKind {
    Gnu,
    /// A Go build ID: a text in Go's own form, which GNU tools do not look up.
    Go,
    None,
}

#[derive(Serialize, Deserialize)]
struct SegmentText {
    flags: String,
    #[serde(with = "text")]
    file_offset: FileOffset,
    #[serde(with = "text")]
    virtual_offset: VirtOffset,
    #[serde(with = "text")]
    file_size: Size,
    #[serde(with = "text")]
    memory_size: Size,
}

impl ModuleLine {
    pub(super) fn new(index: ModuleIdx, module: &Module) -> Self {
        let (path, path_hex) = HexBytes::beside_text(&module.path);
        let on_device = module.inode != 0 || module.device != Device::default();
        let segments = module.segments.as_ref().map(Segments::as_slice);
        Self {
            index: index.0,
            kind: Some(module.kind)
                .filter(|kind| *kind != ModuleKind::File)
                .map(KindText),
            path,
            path_hex,
            deleted: module.deleted,
            device: on_device.then_some(DeviceText(module.device)),
            inode: on_device.then_some(module.inode),
            build_id_kind: module.build_id.map(|_| BuildIdKind::Gnu),
            build_id: module.build_id.map(|id| id.to_string()),
            arch: module.arch.map(ArchText),
            reason: module.unreadable,
            by_path: module.by_path,
            from_memory: module.from_memory,
            inferred: module.inferred,
            segments: segments.map(|all| all.iter().map(SegmentText::new).collect()),
        }
    }

    /// Converts the line to a module; the error says what is wrong with the line.
    pub(super) fn into_module(self) -> Result<(ModuleIdx, Module), String> {
        let gnu = matches!(self.build_id_kind, None | Some(BuildIdKind::Gnu));
        let build_id: Option<BuildId> = match self.build_id.filter(|_| gnu) {
            Some(digits) => Some(digits.parse().map_err(|error| format!("{error}"))?),
            None => None,
        };
        let segments = match self.segments {
            Some(all) => {
                let all: Result<Vec<Segment>, String> =
                    all.into_iter().map(SegmentText::into_segment).collect();
                Some(Segments::new(all?))
            }
            None => None,
        };
        let module = Module::default()
            .with_kind(self.kind.map(|text| text.0).unwrap_or_default())
            .with_path(
                self.path_hex
                    .map_or_else(|| self.path.into_bytes(), |hex| hex.0),
            )
            .with_deleted(self.deleted)
            .with_device(self.device.map(|text| text.0).unwrap_or_default())
            .with_inode(self.inode.unwrap_or_default())
            .with_build_id(build_id)
            .with_segments(segments)
            .with_arch(self.arch.map(|text| text.0))
            .with_unreadable(self.reason)
            .with_by_path(self.by_path)
            .with_from_memory(self.from_memory)
            .with_inferred(self.inferred);
        Ok((ModuleIdx(self.index), module))
    }
}

impl SegmentText {
    fn new(segment: &Segment) -> Self {
        Self {
            flags: segment.flags.rwx().to_string(),
            file_offset: segment.file_offset,
            virtual_offset: segment.virt_offset,
            file_size: Size(segment.file_size),
            memory_size: Size(segment.memory_size),
        }
    }

    fn into_segment(self) -> Result<Segment, String> {
        let flags: Perms = self.flags.parse().map_err(|error| format!("{error}"))?;
        Ok(Segment {
            flags,
            file_offset: self.file_offset,
            virt_offset: self.virtual_offset,
            file_size: self.file_size.0,
            memory_size: self.memory_size.0,
        })
    }
}
