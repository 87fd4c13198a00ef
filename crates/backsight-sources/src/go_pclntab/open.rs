//! Opens a table: checks the header and the order of functions, and reads data that is
//! stored elsewhere.

use super::header::{Layout, PclntabHeader, begins_with_magic};
use super::module_data::{self, ModuleData};
use super::table::{GoTable, TableView, Trees};
use crate::go_build_info::minor_release;
use crate::memory::{Memory, Relocation};

impl GoTable {
    /// Opens the table that is mapped at `addr`. `release` is the release of Go that
    /// built the file, from [`go_release`](crate::go_build_info::go_release). It is the
    /// only way to distinguish Go 1.14 and 1.15 from earlier releases.
    ///
    /// Returns `None` if there is no table, if none of its functions can be found, or if its parts
    /// are not where the header says: each name would be that of something else.
    #[must_use]
    pub fn open(
        addr: u64,
        memory: &Memory<'_>,
        relocations: &[Relocation],
        release: Option<&str>,
    ) -> Option<Self> {
        let bytes = memory.from(addr)?;
        let header = PclntabHeader::read(bytes)?;
        let size = u64::try_from(bytes.len()).ok()?;
        let end = addr.checked_add(size)?;
        let inside = relocations.iter();
        let inside = inside.filter(|moved| (addr..end).contains(&moved.addr));
        let mut relocated: Vec<(u64, u64)> =
            inside.map(|moved| (moved.addr, moved.target)).collect();
        relocated.sort_unstable();
        let module = match header.has_offsets() {
            true => module_data::find(&header, addr, memory, relocations),
            false => None,
        };
        let mut table = Self {
            header,
            addr,
            text: 0,
            functions: header.functions,
            trees: trees(&header, module.as_ref(), release),
            relocated,
            is_damaged: false,
        };
        if header.has_offsets() {
            table.text = text(&table, module.as_ref(), memory)?;
        }
        let view = table.view(memory).filter(TableView::are_parts_in_place)?;
        let ascending = ascending(&view);
        table.is_damaged = ascending < header.functions;
        table.functions = ascending;
        (ascending > 0).then_some(table)
    }
}

/// Returns whether the mapped bytes at `addr` begin as a table does, so that one that
/// [`GoTable::open`] refuses is damaged.
#[must_use]
pub fn begins_as_table(addr: u64, memory: &Memory<'_>) -> bool {
    memory.from(addr).is_some_and(begins_with_magic)
}

/// Returns the base of the entries of functions.
fn text(table: &GoTable, module: Option<&ModuleData>, memory: &Memory<'_>) -> Option<u64> {
    if let Some(module) = module {
        return Some(module.text);
    }
    // Releases since 1.26 write 0, and position-independent files may have 0.
    let at = table.header.text?;
    let addr = table.addr.checked_add(u64::try_from(at).ok()?)?;
    let moved = table.relocated.iter().find(|moved| moved.0 == addr);
    let header = table.header.bytes(memory.from(table.addr)?);
    let text = match moved {
        Some(moved) => moved.1,
        None => header.address(at)?,
    };
    (text != 0).then_some(text)
}

/// Returns the number of functions from the first on that ascend.
fn ascending(view: &TableView<'_, '_>) -> usize {
    let Some(mut last) = view.entry(0) else {
        return 0;
    };
    for number in 0..view.table.header.functions {
        let next = number.checked_add(1).and_then(|next| view.entry(next));
        match next.filter(|next| *next >= last) {
            Some(next) => last = next,
            None => return number,
        }
    }
    view.table.header.functions
}

/// Returns where inlined calls are, which depends on the release.
fn trees(
    header: &PclntabHeader,
    module: Option<&ModuleData>,
    release: Option<&str>,
) -> Option<Trees> {
    let (base, data) = match header.layout {
        Layout::Go1_2 => match release.and_then(minor_release)? {
            14 | 15 => (0, 4),
            _ => return None,
        },
        Layout::Go1_16 => (0, 3),
        Layout::Go1_18 | Layout::Go1_20 => (module?.trees?, 3),
    };
    Some(Trees {
        base,
        data,
        runs: 2,
    })
}
