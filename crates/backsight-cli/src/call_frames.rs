//! What an unwinder needs of a file: its call frame information, and its code.

use std::ops::Range;
use std::sync::Arc;

use backsight_types::{AbsAddr, AbsRange, FileOffset};
use framehop::{ExplicitModuleSectionInfo, Module};
use object::{Object, ObjectSection, ReadRef};

/// Sections larger than this are left out: the text of a browser has half of it.
const MAX_SECTION: u64 = 256 << 20;

/// The sections of one file, shared by all processes that map it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallFrames {
    text: Section,
    got: Section,
    eh_frame: Section,
    eh_frame_hdr: Section,
    /// The code that is loaded: where in the file, how much, and to where.
    code: Vec<(u64, u64, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Section {
    range: Option<Range<u64>>,
    bytes: Option<Arc<[u8]>>,
}

impl CallFrames {
    /// Reads the sections; `None` for what is no ELF file.
    pub(crate) fn read<'d>(data: impl ReadRef<'d>) -> Option<Self> {
        use object::{ObjectSegment, SegmentFlags};
        let elf = object::File::parse(data).ok()?;
        let section = |name: &str, with_bytes: bool| {
            let found = elf.section_by_name(name);
            let range = found.as_ref().and_then(|section| {
                let start = section.address();
                Some(start..start.checked_add(section.size())?)
            });
            let found = found.filter(|section| with_bytes && section.size() <= MAX_SECTION);
            let bytes = found.and_then(|section| section.data().ok().map(Arc::from));
            Section { range, bytes }
        };
        let code = elf.segments().filter_map(|segment| {
            let SegmentFlags::Elf { p_flags, .. } = segment.flags() else {
                return None;
            };
            let (offset, size) = segment.file_range();
            let is_code = (p_flags & object::elf::PF_X).0 != 0;
            is_code.then_some((offset, size, segment.address()))
        });
        Some(Self {
            text: section(".text", true),
            got: section(".got", false),
            eh_frame: section(".eh_frame", true),
            eh_frame_hdr: section(".eh_frame_hdr", true),
            code: code.collect(),
        })
    }

    /// Returns the file as it is mapped: the byte at `offset` stands at the start of
    /// `code`, and all that the file has mapped lies in `whole`. `None` when the file
    /// has no code there.
    pub(crate) fn mapped(
        &self,
        code: AbsRange,
        offset: FileOffset,
        whole: AbsRange,
    ) -> Option<Module<Arc<[u8]>>> {
        let bias = self.bias(code, offset)?;
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: self.text.range.clone(),
            text: self.text.bytes.clone(),
            got_svma: self.got.range.clone(),
            eh_frame_svma: self.eh_frame.range.clone(),
            eh_frame: self.eh_frame.bytes.clone(),
            eh_frame_hdr_svma: self.eh_frame_hdr.range.clone(),
            eh_frame_hdr: self.eh_frame_hdr.bytes.clone(),
            ..ExplicitModuleSectionInfo::default()
        };
        let (AbsAddr(start), AbsAddr(end)) = (whole.start, whole.end);
        Some(Module::new(String::new(), start..end, bias, sections))
    }

    /// Returns how far the code stands from where the file says.
    fn bias(&self, code: AbsRange, offset: FileOffset) -> Option<u64> {
        self.code.iter().find_map(|(in_file, size, virt)| {
            // A mapping begins at the page in which the segment begins.
            let shared = offset.0.max(*in_file);
            let in_mapping = shared.checked_sub(offset.0)?;
            let in_segment = shared.checked_sub(*in_file)?;
            if in_mapping >= code.size() || in_segment >= *size {
                return None;
            }
            let absolute = code.start.checked_add(in_mapping)?.0;
            absolute.checked_sub(virt.checked_add(in_segment)?)
        })
    }
}
