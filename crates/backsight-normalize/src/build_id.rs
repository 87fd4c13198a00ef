//! Queries the kernel for a build ID.

use backsight_types::BuildId;
use vma_query::{Query, Vma};

use crate::process::OpenProcess;

/// Returns the build ID that the kernel reads from the mapped file of `vma`.
///
/// Returns `None` by text, for a file without one, and if the mapping at that address has
/// changed since `vma` was read.
pub(crate) fn by_kernel(process: &OpenProcess<'_>, vma: &Vma) -> Option<BuildId> {
    let (now, build_id) = process
        .maps
        .query_build_id(Query::covering(vma.start))
        .ok()??;
    build_id.filter(|_| now == *vma)
}
