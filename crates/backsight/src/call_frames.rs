//! The call frame information of a module, by which stacks in its code are walked.

use backsight_types::{Module, ModuleKind};
use backsight_unwind::CallFrames;

use crate::find::ModuleFiles;

/// Reads the call frame information of a module from its own file, and from its debug file
/// where `.debug_frame` was taken out of the first. `None` where no file is proven to be
/// the one, or it has none.
pub fn call_frames(module: &Module, files: &ModuleFiles) -> Option<CallFrames> {
    if module.kind == ModuleKind::Vdso {
        let image = files.host().vdso_with(module.build_id?)?;
        return CallFrames::parse(&image);
    }
    // Without segments nothing proved that this is the file.
    module.segments.as_ref()?;
    let file = files.open(module).ok()?;
    let mut frames = CallFrames::read(&file)?;
    // `strip` takes away `.debug_frame`, and leaves the `.eh_frame` of a few functions.
    if !frames.has_debug_frame()
        && let Some(debug_file) = files.open_debug_file(&file, module)
    {
        frames.add_debug_file(debug_file);
    }
    Some(frames)
}
