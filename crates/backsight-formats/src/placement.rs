//! Computes mappings, and addresses in them, for formats that need both: pprof and OTLP.
//!
//! The addresses are those of the file itself and not those of a process, so they are the same in
//! all processes that mapped the file.
//!
//! ```text
//!   virtual offsets known     address = virtual offset   start = virtual offset of the first byte
//!   program headers unknown   address = file offset      start = file offset
//! ```
//!
//! Both suit tools that look up symbols by `address - start + file offset`. Captures of the same
//! file have the same mapping.

use std::collections::HashMap;

use backsight_profile::{Location, Profile};
use backsight_types::{FileOffset, Module, ModuleIdx, ModuleKind, VirtOffset};

use crate::place_name::back;

/// Mappings start and end at page boundaries; the smallest page has 4 KiB.
const PAGE: u64 = 0x1000;

/// The address space of a module's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Virtual,
    File,
}

/// A mapping to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MappingRow {
    pub(crate) module: ModuleIdx,
    pub(crate) start: u64,
    pub(crate) limit: u64,
    pub(crate) file_offset: u64,
    pub(crate) space: Space,
}

/// The mapping and address of a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MappedPlace {
    /// The index of its mapping in [`Placement::rows`].
    pub(crate) row: Option<u32>,
    /// Its address in that mapping; 0 if it has none.
    pub(crate) address: u64,
}

/// The mappings of a profile, and the address of each location in them.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    pub(crate) rows: Vec<MappingRow>,
    /// One for each location, in the order of the profile.
    pub(crate) places: Vec<MappedPlace>,
}

impl Placement {
    pub(crate) fn new(profile: &Profile) -> Self {
        let mut builder = PlacementBuilder {
            spaces: spaces_of(profile),
            spans: Spans::new(profile),
            ..PlacementBuilder::default()
        };
        let locations = profile.locations.iter();
        let places = locations.map(|it| builder.place(profile, it)).collect();
        builder.finish(profile, places)
    }
}

/// The offsets of the instruction that a location is looked up by: for a return address, one byte
/// before it, which is inside the call.
#[derive(Clone, Copy, Debug)]
struct Spot {
    file_offset: Option<u64>,
    virt_offset: Option<u64>,
}

impl Spot {
    fn of(location: &Location, module: &Module) -> Self {
        let back = back(location.lookup);
        let file = (location.file_offset).map(|at| FileOffset(at.0.saturating_sub(back)));
        let virt = (location.virt_offset).map(|at| VirtOffset(at.0.saturating_sub(back)));
        let segments = module.segments.as_ref();
        let file_of = |virt| segments?.file_offset_of(virt);
        let virt_of = |file| segments?.virt_offset_of(file);
        Self {
            file_offset: file.or_else(|| file_of(virt?)).map(|at| at.0),
            virt_offset: virt.or_else(|| virt_of(file?)).map(|at| at.0),
        }
    }
}

/// Returns the address space of each module. Modules with the same path have the same one, because
/// the file exempts modules by path.
fn spaces_of(profile: &Profile) -> Vec<Space> {
    let mut by_path: HashMap<(&[u8], bool), Space> = HashMap::new();
    let named = |module: ModuleIdx| profile.module(module).map(|it| (it, name_of(it)));
    for location in &profile.locations {
        let Some((module, name)) = location.module.and_then(named) else {
            continue;
        };
        let spot = Spot::of(location, module);
        if spot.file_offset.is_some() && spot.virt_offset.is_none() {
            by_path.insert(name, Space::File);
        }
    }
    let modules = profile.modules.iter();
    let space = |module| by_path.get(&name_of(module)).copied();
    modules
        .map(|module| space(module).unwrap_or(Space::Virtual))
        .collect()
}

fn name_of(module: &Module) -> (&[u8], bool) {
    (&module.path, module.deleted)
}

#[derive(Debug, Default)]
struct PlacementBuilder {
    spaces: Vec<Space>,
    spans: Spans,
    rows: Vec<MappingRow>,
    by_row: HashMap<MappingRow, u32>,
    /// The first mapping of each module.
    by_module: HashMap<ModuleIdx, u32>,
    /// Mappings of which only locations are known. The key has the module, the difference between
    /// address and file offset, and the number of known spans below.
    grown: HashMap<(ModuleIdx, u64, usize), u32>,
}

impl PlacementBuilder {
    fn place(&mut self, profile: &Profile, location: &Location) -> MappedPlace {
        let module = location
            .module
            .and_then(|index| Some((index, profile.module(index)?)));
        let Some((index, module)) = module else {
            let address = location.address.map_or(0, |at| at.0);
            return MappedPlace {
                row: None,
                address: address.saturating_sub(back(location.lookup)),
            };
        };
        let space = self.spaces.get(index.as_usize()).copied();
        let space = space.unwrap_or(Space::File);
        let spot = Spot::of(location, module);
        let address = match space {
            Space::Virtual => spot.virt_offset,
            Space::File => spot.file_offset,
        };
        let row = match (address, spot.file_offset) {
            (Some(address), Some(offset)) => match self.spans.around(index, module, offset) {
                Some(span) => Some(self.row(row_of(index, space, span, address, offset))),
                None => self.grow(index, space, address, offset),
            },
            (Some(_), None) => Some(self.row(unknown_row(index, space))),
            (None, _) => Some(match self.by_module.get(&index) {
                Some(row) => *row,
                None => self.row(unknown_row(index, space)),
            }),
        };
        MappedPlace {
            row,
            address: address.unwrap_or(0),
        }
    }

    fn row(&mut self, row: MappingRow) -> u32 {
        if let Some(place) = self.by_row.get(&row) {
            return *place;
        }
        let place = self.push(row);
        self.by_row.insert(row, place);
        place
    }

    fn push(&mut self, row: MappingRow) -> u32 {
        // There are at most as many mappings as locations, and at most 2^32 locations.
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(row);
        self.by_module.entry(row.module).or_insert(place);
        place
    }

    /// Adds a location to the mapping that covers only such locations, and extends it to the page
    /// of the location.
    fn grow(&mut self, module: ModuleIdx, space: Space, address: u64, offset: u64) -> Option<u32> {
        let page = Span {
            offset: offset & !(PAGE - 1),
            end: (offset | (PAGE - 1)).saturating_add(1),
        };
        let new = row_of(module, space, page, address, offset);
        let gap = self.spans.gap(module, offset);
        let key = (module, address.wrapping_sub(offset), gap);
        let Some(place) = self.grown.get(&key).copied() else {
            let place = self.push(new);
            self.grown.insert(key, place);
            return Some(place);
        };
        let row = self.rows.get_mut(usize::try_from(place).ok()?)?;
        if new.start < row.start {
            (row.start, row.file_offset) = (new.start, new.file_offset);
        }
        row.limit = row.limit.max(new.limit);
        Some(place)
    }

    /// Sorts the mappings. Those of files come first, because readers take the first mapping for
    /// that of the main program.
    fn finish(self, profile: &Profile, mut places: Vec<MappedPlace>) -> Placement {
        let mut order: Vec<(usize, MappingRow)> = self.rows.into_iter().enumerate().collect();
        let is_other = |row: &MappingRow| {
            let module = profile.module(row.module);
            module.is_none_or(|module| module.kind != ModuleKind::File)
        };
        order.sort_by_key(|(_, row)| (is_other(row), row.module, row.file_offset, row.start));
        let mut now = vec![0_u32; order.len()];
        for (new, (old, _)) in (0..).zip(&order) {
            if let Some(now) = now.get_mut(*old) {
                *now = new;
            }
        }
        for place in &mut places {
            let old = place.row.and_then(|row| usize::try_from(row).ok());
            place.row = old.and_then(|old| now.get(old).copied());
        }
        Placement {
            rows: order.into_iter().map(|(_, row)| row).collect(),
            places,
        }
    }
}

/// Returns the mapping of a span, in which byte `offset` of the file is at `address`.
fn row_of(module: ModuleIdx, space: Space, span: Span, address: u64, offset: u64) -> MappingRow {
    // In a forged file, the address can be smaller than the distance from the start of the span.
    // Then the mapping starts later.
    let before = offset.saturating_sub(span.offset).min(address);
    let start = address.saturating_sub(before);
    let file_offset = offset.saturating_sub(before);
    let size = span.end.saturating_sub(file_offset);
    MappingRow {
        module,
        start,
        limit: start.saturating_add(size),
        file_offset,
        space,
    }
}

/// Returns the mapping of locations without a file offset.
fn unknown_row(module: ModuleIdx, space: Space) -> MappingRow {
    MappingRow {
        module,
        start: 0,
        limit: 0,
        file_offset: 0,
        space,
    }
}

/// A range of file offsets that was mapped as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    offset: u64,
    end: u64,
}

/// The ranges of each module that any process mapped.
#[derive(Debug, Default)]
struct Spans {
    /// Executable ranges and others; each sorted by offset, with at most one range per offset.
    by_module: HashMap<ModuleIdx, [Vec<Span>; 2]>,
}

impl Spans {
    fn new(profile: &Profile) -> Self {
        let mut by_module: HashMap<ModuleIdx, [Vec<Span>; 2]> = HashMap::new();
        for mapping in &profile.mappings {
            let Some(module) = mapping.module else {
                continue;
            };
            let [code, other] = by_module.entry(module).or_default();
            let spans = match mapping.perms.is_executable() {
                true => code,
                false => other,
            };
            let offset = mapping.file_offset.0;
            let end = offset.saturating_add(mapping.range.size());
            spans.push(Span { offset, end });
        }
        for spans in by_module.values_mut().flatten() {
            // Of ranges with the same offset, the longest is kept.
            spans.sort_by_key(|span| (span.offset, std::cmp::Reverse(span.end)));
            spans.dedup_by_key(|span| span.offset);
        }
        Self { by_module }
    }

    /// Returns the number of executable ranges that start at or below an offset.
    fn gap(&self, index: ModuleIdx, offset: u64) -> usize {
        let code = self.by_module.get(&index).map(|[code, _]| code);
        code.map_or(0, |code| code.partition_point(|span| span.offset <= offset))
    }

    /// Returns the range that contains an offset: a mapped range, or else that of the segment.
    fn around(&self, index: ModuleIdx, module: &Module, offset: u64) -> Option<Span> {
        let mapped = self.by_module.get(&index);
        let mapped = mapped.and_then(|all| all.iter().find_map(|spans| nearest(spans, offset)));
        mapped.or_else(|| {
            let segments = module.segments.as_ref()?.as_slice();
            let loaded = segments.iter().filter_map(|segment| {
                let end = segment.file_offset.0.checked_add(segment.file_size)?;
                let holds = segment.file_offset.0 <= offset && offset < end;
                holds.then_some((segment, end))
            });
            let (segment, end) = loaded
                .clone()
                .find(|(segment, _)| segment.flags.is_executable())
                .or_else(|| loaded.clone().next())?;
            Some(Span {
                offset: segment.file_offset.0 & !(PAGE - 1),
                end: end.checked_next_multiple_of(PAGE).unwrap_or(end),
            })
        })
    }
}

/// Returns the last range that starts at or below an offset, if it contains the offset.
fn nearest(spans: &[Span], offset: u64) -> Option<Span> {
    let behind = spans.partition_point(|span| span.offset <= offset);
    let span = *spans.get(behind.checked_sub(1)?)?;
    (offset < span.end).then_some(span)
}
