//! The distinct addresses of a batch, looked up unit by unit.

use std::sync::Arc;

use backsight_index::Frames;
use backsight_types::{Reason, VirtOffset};
use rayon::prelude::*;

use crate::module::SymbolModule;

/// Addresses that one thread takes at a time: enough to outweigh the cost of a task, few
/// enough to spread a single large module over all threads.
pub(crate) const ADDRESSES_PER_TASK: usize = 256;

/// One distinct address of a batch, and the requests that ask for it.
pub(crate) struct AddressGroup {
    pub(crate) module: usize,
    pub(crate) virt: VirtOffset,
    /// In the sorted list of requests.
    pub(crate) requests: std::ops::Range<usize>,
}

/// Returns the distinct addresses of a sorted list.
pub(crate) fn groups(order: &[(usize, VirtOffset, usize)]) -> Vec<AddressGroup> {
    let mut groups = Vec::new();
    let mut start: usize = 0;
    for same in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let end = start.saturating_add(same.len());
        if let Some((module, virt, _)) = same.first() {
            groups.push(AddressGroup {
                module: *module,
                virt: *virt,
                requests: start..end,
            });
        }
        start = end;
    }
    groups
}

/// Looks the groups up, the modules with most addresses first, so that no thread
/// is left alone with a large one at the end.
pub(crate) fn look_up(
    modules: &[Arc<SymbolModule>],
    groups: &[AddressGroup],
) -> Vec<Result<Frames, Reason>> {
    let mut by_module: Vec<(usize, &[AddressGroup])> = Vec::new();
    let mut start: usize = 0;
    for same in groups.chunk_by(|a, b| a.module == b.module) {
        by_module.push((start, same));
        start = start.saturating_add(same.len());
    }
    by_module.sort_by_key(|(_, groups)| std::cmp::Reverse(groups.len()));
    let chunks: Vec<(usize, &[AddressGroup])> = by_module
        .into_iter()
        .flat_map(|(start, groups)| {
            let starts = (start..).step_by(ADDRESSES_PER_TASK);
            starts.zip(groups.chunks(ADDRESSES_PER_TASK))
        })
        .collect();
    let find = |group: &AddressGroup| {
        let module = modules.get(group.module).ok_or(Reason::NoSymbols)?;
        module.find(group.virt)
    };
    let mut found: Vec<(usize, Vec<Result<Frames, Reason>>)> = chunks
        .into_par_iter()
        .with_max_len(1)
        .map(|(start, groups)| (start, groups.iter().map(find).collect()))
        .collect();
    found.sort_unstable_by_key(|(start, _)| *start);
    found.into_iter().flat_map(|(_, results)| results).collect()
}
