//! Virtual offsets that a recorder computed, corrected by the files themselves.

use std::collections::HashMap;

use backsight_profile::Profile;
use backsight_types::ModuleIdx;

use crate::find::ModuleFiles;
use crate::module_code::ModuleCode;

/// Computes the virtual offsets of locations again that have an offset in a file, too, and whose
/// module has no segments: a recorder such as Perfetto's adds a load bias that it reads from the
/// file, and some of them read a wrong one. Only files count that the build ID proves. Returns of
/// how many locations the offset was another.
pub fn correct_virt_offsets(profile: &mut Profile, files: &ModuleFiles) -> u64 {
    let modules = &profile.modules;
    let mut codes: HashMap<ModuleIdx, Option<ModuleCode>> = HashMap::new();
    let mut corrected = 0_u64;
    for location in &mut profile.locations {
        let (Some(index), Some(offset)) = (location.module, location.file_offset) else {
            continue;
        };
        let Some(virt) = &mut location.virt_offset else {
            continue;
        };
        let code = codes.entry(index).or_insert_with(|| {
            let at = usize::try_from(index.0).ok()?;
            let module = modules.get(at)?;
            let is_open = module.build_id.is_some() && module.segments.is_none();
            is_open.then(|| ModuleCode::open(module, files).ok())?
        });
        let found = code.as_ref().and_then(|code| code.virt_offset_of(offset));
        if let Some(found) = found.filter(|found| found != virt) {
            *virt = found;
            corrected = corrected.saturating_add(1);
        }
    }
    corrected
}
