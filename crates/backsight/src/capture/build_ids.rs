//! Build IDs listed by a recording, for files whose mmap records have none.

use std::collections::HashMap;

use backsight_types::BuildId;
use backsight_types::trace::Facts;

use crate::kernel::IMAGE_PATH;

/// Build IDs by path, and by whether the file belongs to the kernel.
#[derive(Debug, Default)]
pub(super) struct RecordedBuildIds {
    by_path: HashMap<(Vec<u8>, bool), BuildId>,
    /// How many of those that the recording lists were taken.
    taken: usize,
}

impl RecordedBuildIds {
    /// Adds the build IDs that the recording has listed so far.
    pub(super) fn take(&mut self, facts: &Facts) {
        for file in facts.build_ids.iter().skip(self.taken) {
            // The kernel image may be listed under the path of a vmlinux.
            let is_image = file.is_kernel && !is_kernel_module(&file.path);
            let path = if is_image {
                IMAGE_PATH.to_vec()
            } else {
                file.path.clone()
            };
            self.by_path.insert((path, file.is_kernel), file.build_id);
        }
        self.taken = facts.build_ids.len();
    }

    /// Returns the build ID of a file. `path` is mutable to avoid a copy, and is unchanged on
    /// return.
    pub(super) fn of(&self, path: &mut Vec<u8>, is_kernel: bool) -> Option<BuildId> {
        if self.by_path.is_empty() {
            return None;
        }
        let key = (std::mem::take(path), is_kernel);
        let build_id = self.by_path.get(&key).copied();
        *path = key.0;
        build_id
    }
}

/// Kernel modules are named `[name]`, or by the path of their `.ko` file, which may be
/// compressed.
fn is_kernel_module(path: &[u8]) -> bool {
    let is_in_brackets = path.starts_with(b"[") && !path.starts_with(b"[kernel.");
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    is_in_brackets || name.windows(3).any(|part| part == b".ko")
}
