//! Which call frame information of a file applies to an address.

use gimli::UnwindContext;

use crate::call_frames::CallFrames;
use crate::row::Row;
use crate::row_source::row_of;

/// Returns the row for an address of a file. If several sections cover the address, the first
/// with a usable row applies. [`CallFrames`] has them in search order: `.eh_frame`, which is
/// loaded with the code and complete where exceptions or `-fasynchronous-unwind-tables` need
/// it; then the file's own `.debug_frame`; then the one of its debug file. Where no section has a
/// row, that of the [`RowSource`](crate::RowSource) applies: `STACK CFI` of a Breakpad file.
pub(crate) fn row_for(
    frames: &CallFrames,
    context: &mut UnwindContext<usize>,
    address: u64,
) -> Option<Row> {
    let mut sections = frames.sections.iter().enumerate();
    let of_section = sections.find_map(|(number, section)| {
        let fde = section.fde(address)?;
        Row::read(context, section, number, &fde, address)
    });
    of_section.or_else(|| {
        let row = frames.row_source.as_ref()?.row(address)?;
        Some(row_of(&row, frames.machine()))
    })
}
