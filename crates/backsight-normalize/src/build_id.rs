//! The kernel's answer for a build ID.

use backsight_types::BuildId;
use vma_query::{Query, Vma};

use crate::process::OpenProcess;

/// Returns the build ID that the kernel reads from the file behind `vma`.
///
/// `None` by text, for a file without one, and when another file was mapped
/// there since `vma` was seen.
pub(crate) fn by_kernel(process: &OpenProcess<'_>, vma: &Vma) -> Option<BuildId> {
    let (now, build_id) = process
        .maps
        .query_build_id(Query::covering(vma.start))
        .ok()??;
    build_id.filter(|_| now == *vma)
}
