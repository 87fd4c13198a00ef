//! Names that runtimes write, as frames.

use backsight_formats::perf_map::JitName;
use backsight_profile::{ProfileFrame, Strings};
use backsight_types::VirtOffset;

/// Returns a frame of the code that is called so and begins there.
pub(super) fn named(name: &[u8], start: VirtOffset, strings: &mut Strings) -> ProfileFrame {
    let name = String::from_utf8_lossy(name);
    let written = JitName::of(&name);
    let linkage_name = (written.function != name).then(|| strings.intern(&name));
    ProfileFrame {
        function: Some(strings.intern(&written.function)),
        linkage_name,
        file: written.file.map(|file| strings.intern(file)),
        start_line: written.start_line,
        start: Some(start),
        ..ProfileFrame::default()
    }
}
