//! Which call frame information of a file applies to an address.

use gimli::UnwindContext;

use crate::call_frames::CallFrames;
use crate::row::Row;

/// Returns the row for an address of a file. If several sections cover the address, the first
/// with a usable row applies. [`CallFrames`] has them in search order: `.eh_frame`, which is
/// loaded with the code and complete where exceptions or `-fasynchronous-unwind-tables` need
/// it; then the file's own `.debug_frame`; then the one of its debug file.
pub(crate) fn row_for(
    frames: &CallFrames,
    context: &mut UnwindContext<usize>,
    address: u64,
) -> Option<Row> {
    let sections = frames.sections.iter().enumerate();
    sections.into_iter().find_map(|(number, section)| {
        let fde = section.fde(address)?;
        Row::read(context, section, number, &fde, address)
    })
}
