//! Frames of texts that have names alone.

use backsight_profile::{ProfileFrame, StrIdx, Strings};

use crate::perf_map::JitName;

/// Returns the frame of a name. The file and line that a runtime wrote into it stand apart, as they
/// do in a recording, and the whole is the linkage name.
pub(crate) fn jit_frame(strings: &mut Strings, name: StrIdx) -> ProfileFrame {
    let whole = ProfileFrame {
        function: Some(name),
        ..ProfileFrame::default()
    };
    let Some(text) = strings.get(name) else {
        return whole;
    };
    let written = JitName::of(text);
    let Some(file) = written.file.map(str::to_owned) else {
        return whole;
    };
    let (function, start_line) = (written.function.into_owned(), written.start_line);
    ProfileFrame {
        function: Some(strings.intern(&function)),
        linkage_name: Some(name),
        file: Some(strings.intern(&file)),
        start_line,
        ..whole
    }
}
