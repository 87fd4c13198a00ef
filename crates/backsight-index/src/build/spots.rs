//! Merges source locations ("spots") without duplicates.
//!
//! Many line rows repeat a location, above all in inlined code: of those of ripgrep, one
//! in nine is new.

use std::collections::hash_map::Entry;

use crate::format::{Le16, Le32, NONE, PointerMap, SourceSpot, empty};

/// Source locations, and their columns.
pub(super) type SpotTables = (Vec<SourceSpot>, Vec<Le16>);

/// The table of source locations while an index is built.
#[derive(Debug, Default)]
pub(super) struct SpotMerger {
    spots: Vec<SourceSpot>,
    columns: Vec<Le16>,
    known: PointerMap<(SourceSpot, Le16), u32>,
}

impl SpotMerger {
    /// Reserves room for this many locations.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            spots: Vec::with_capacity(count),
            columns: Vec::with_capacity(count),
            known: PointerMap::with_capacity_and_hasher(count, Default::default()),
        }
    }

    /// Returns the row of a location; [`NONE`] if neither file nor line is known.
    pub(super) fn add(&mut self, file: u32, line: u32, column: u16) -> u32 {
        if file == NONE && line == 0 {
            return NONE;
        }
        let spot = SourceSpot {
            file: Le32::new(file),
            line: Le32::new(line),
        };
        self.add_spot(spot, Le16::new(column))
    }

    fn add_spot(&mut self, spot: SourceSpot, column: Le16) -> u32 {
        match self.known.entry((spot, column)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let row = push(&mut self.spots, &mut self.columns, spot, column);
                *new.insert(row)
            }
        }
    }

    /// Adds the locations of a unit, which has no duplicates, and returns their rows.
    /// Locations in files that no other unit has are added without a search.
    pub(super) fn add_all(
        &mut self,
        (spots, columns): &SpotTables,
        shared: &SharedFiles,
    ) -> Vec<u32> {
        let add = |(spot, column): (&SourceSpot, &Le16)| match shared.has(spot.file.get()) {
            true => self.add_spot(*spot, *column),
            false => push(&mut self.spots, &mut self.columns, *spot, *column),
        };
        spots.iter().zip(columns).map(add).collect()
    }

    pub(super) fn into_tables(self) -> SpotTables {
        (self.spots, self.columns)
    }

    /// Returns the locations, and clears the tables.
    pub(super) fn take_tables(&mut self) -> SpotTables {
        empty(&mut self.known, self.spots.len());
        // Cloned, so that the returned tables have no unused capacity.
        let tables = (self.spots.clone(), self.columns.clone());
        self.spots.clear();
        self.columns.clear();
        tables
    }
}

fn push(
    spots: &mut Vec<SourceSpot>,
    columns: &mut Vec<Le16>,
    spot: SourceSpot,
    column: Le16,
) -> u32 {
    let row = u32::try_from(spots.len()).unwrap_or(NONE);
    spots.push(spot);
    columns.push(column);
    row
}

/// Which files are in more than one unit. In a C program, nearly all locations are in
/// files of only one unit.
#[derive(Debug)]
pub(super) struct SharedFiles(Vec<bool>);

impl SharedFiles {
    /// Finds the shared files. `units` has the file rows of each unit, `files` is the
    /// number of files.
    pub(super) fn of(units: &[Vec<u32>], files: usize) -> Self {
        let mut shared = vec![false; files];
        let mut first_unit = vec![usize::MAX; files];
        for (unit, rows) in units.iter().enumerate() {
            for at in rows.iter().filter_map(|row| usize::try_from(*row).ok()) {
                if let (Some(first), Some(shared)) = (first_unit.get_mut(at), shared.get_mut(at)) {
                    *shared |= ![usize::MAX, unit].contains(first);
                    *first = unit;
                }
            }
        }
        Self(shared)
    }

    /// Returns whether several units have this file, or if that is unknown.
    fn has(&self, file: u32) -> bool {
        let at = usize::try_from(file).ok();
        at.and_then(|at| self.0.get(at)).copied().unwrap_or(true)
    }
}

/// Returns the row of a unit's location.
pub(super) fn row_of(rows: &[u32], spot: u32) -> u32 {
    let row = usize::try_from(spot).ok().and_then(|at| rows.get(at));
    row.copied().unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::{SharedFiles, SpotMerger, row_of};
    use crate::format::NONE;

    #[test]
    fn a_place_has_one_row_in_all_units() {
        let mut units = [SpotMerger::default(), SpotMerger::default()];
        let rows = units[0].add(1, 10, 5);
        assert_eq!(
            [rows, units[0].add(1, 10, 6), units[0].add(1, 10, 5)],
            [0, 1, 0]
        );
        let rows = [
            units[1].add(2, 10, 5),
            units[1].add(1, 10, 6),
            units[1].add(NONE, 10, 6),
        ];
        assert_eq!(rows, [0, 1, 2]);
        let mut all = SpotMerger::with_capacity(4);
        let files = [vec![1], vec![2, 1, NONE]];
        let shared = SharedFiles::of(&files, 3);
        let rows = units.map(|unit| all.add_all(&unit.into_tables(), &shared));
        assert_eq!(rows, [vec![0, 1], vec![2, 1, 3]]);
        let (spots, columns) = all.into_tables();
        let rows = spots.iter().zip(&columns);
        let rows: Vec<_> = rows
            .map(|(spot, column)| (spot.file.get(), spot.line.get(), column.get()))
            .collect();
        assert_eq!(rows, [(1, 10, 5), (1, 10, 6), (2, 10, 5), (NONE, 10, 6)]);
    }

    #[test]
    fn a_file_is_shared_when_a_second_unit_has_it() {
        let shared = SharedFiles::of(&[vec![0, 1, 0], vec![2, 1, NONE], vec![1]], 4);
        let has = [0, 1, 2, 3, NONE].map(|file| shared.has(file));
        assert_eq!(has, [false, true, false, false, true]);
    }

    #[test]
    fn unknown_positions_have_no_row() {
        let mut spots = SpotMerger::default();
        assert_eq!(spots.add(NONE, 0, 0), NONE);
        assert_ne!(
            spots.add(NONE, 7, 0),
            NONE,
            "a line without a file is known"
        );
        assert_ne!(spots.add(7, 0, 0), NONE, "a file without a line is known");
        assert_eq!(row_of(&[4], NONE), NONE);
        assert_eq!(row_of(&[4], 0), 4);
    }
}
