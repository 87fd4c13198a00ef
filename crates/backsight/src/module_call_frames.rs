//! The call frame information of a module, used to unwind stacks in its code.

use backsight_files::{ArchiveMember, FilePart};
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
    let mut frames = match member {
        None => CallFrames::read(&file)?,
        Some(member) => CallFrames::read(FilePart::new(&file, member.range))?,
    };
    // `strip` removes `.debug_frame` but keeps `.eh_frame`, which may cover only a few
    // functions.
    if !frames.has_debug_frame()
        && let Some(debug_file) = files.open_debug_file(&file, module)
    {
        frames.add_debug_file(debug_file);
    }
    match symbol_file_rows(module, files, frames.machine()) {
        Some(rows) => Some(frames.with_row_source(rows)),
        None => Some(frames),
    }
}
