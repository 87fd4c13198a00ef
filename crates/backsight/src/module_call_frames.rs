//! The call frame information of a module, used to unwind stacks in its code.

use std::fs::File;

use backsight_files::{ArchiveMember, FilePart};
use backsight_symbolize::Options;
use backsight_types::{Module, ModuleKind};
use backsight_unwind::CallFrames;

use crate::find::{ModuleFiles, path_of};
use crate::symbol_file_rows::symbol_file_rows;

/// Reads the call frame information of a module from its own file, and from its debug file if
/// `.debug_frame` was stripped; for code that neither covers, from its Breakpad symbol file.
/// Returns `None` if no file is proven to be the module's, or if the file has no call frame
/// information.
pub fn call_frames(module: &Module, files: &ModuleFiles) -> Option<CallFrames> {
    if module.kind == ModuleKind::Vdso {
        let image = files.vdso_with(module.build_id?)?;
        return CallFrames::parse(&image);
    }
    // Segments are set only if the file's identity was proven.
    module.segments.as_ref()?;
    let file = files.open(module).ok()?;
    let member = ArchiveMember::of_path(&file, Some(path_of(module))).ok()?;
    let frames = match member {
        None => CallFrames::read(&file)?,
        Some(member) => CallFrames::read(FilePart::new(&file, member.range))?,
    };
    let debug_file = || files.open_debug_file(&file, module);
    Some(completed(frames, module, debug_file, files.symbols()))
}

/// Adds to what a module's own file has: the `.debug_frame` of its debug file, and the rules of its
/// Breakpad symbol file.
pub(crate) fn completed(
    mut frames: CallFrames,
    module: &Module,
    debug_file: impl FnOnce() -> Option<File>,
    symbols: &Options,
) -> CallFrames {
    // `strip` removes `.debug_frame` but keeps `.eh_frame`, which may cover only a few
    // functions.
    if !frames.has_debug_frame()
        && let Some(debug_file) = debug_file()
    {
        frames.add_debug_file(debug_file);
    }
    match symbol_file_rows(module, symbols, frames.machine()) {
        Some(rows) => frames.with_row_source(rows),
        None => frames,
    }
}
