//! The frame of code that was made at run time.

use std::borrow::Cow;

use backsight_formats::ndjson::JsonFrame;
use backsight_formats::perf_map::JitName;
use backsight_types::{AbsAddr, VirtOffset};

/// Returns the frame of code with this name, as its runtime wrote it, and start address.
pub(super) fn frame_of(name: &[u8], start: AbsAddr) -> JsonFrame<'static> {
    let name = String::from_utf8_lossy(name);
    let written = JitName::of(&name);
    let owned = |text: &str| Some(Cow::Owned(text.to_owned()));
    JsonFrame {
        function: owned(&written.function),
        linkage_name: owned(&name).filter(|_| written.function != name),
        file: written.file.and_then(owned),
        start_line: written.start_line,
        start: Some(VirtOffset(start.0)),
        ..JsonFrame::default()
    }
}
