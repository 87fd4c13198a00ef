//! Places in code that was made at run time whose names were not in a file yet.
//!
//! A runtime writes names late: node those of the last 2 MB when it ends, Java all of them. Of a
//! recording in progress such places are looked up again at its end. Of code that says when it
//! was where, the one of the first and of the last time that the place was met must be the same.

use backsight_profile::LocationIdx;
use backsight_types::ModuleIdx;
use backsight_types::trace::ChainEntry;
use hashbrown::HashMap;

/// A place without a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamelessCode {
    pub(super) entry: ChainEntry,
    pub(super) module: ModuleIdx,
    /// When it was met first and last.
    pub(super) times: [Option<u64>; 2],
}

/// The places of a profile that have no names.
#[derive(Debug, Default)]
pub(super) struct NamelessCodes(HashMap<LocationIdx, NamelessCode>);

impl NamelessCodes {
    /// A place was met.
    pub(super) fn met(
        &mut self,
        index: LocationIdx,
        entry: &ChainEntry,
        module: ModuleIdx,
        time_ns: Option<u64>,
    ) {
        let new = NamelessCode {
            entry: *entry,
            module,
            times: [time_ns; 2],
        };
        let known = self.0.entry(index).or_insert(new);
        let [_, last] = &mut known.times;
        *last = time_ns;
    }

    /// Takes all of them, those of earlier indices first.
    pub(super) fn take(&mut self) -> Vec<(LocationIdx, NamelessCode)> {
        let mut all: Vec<_> = self.0.drain().collect();
        all.sort_by_key(|(index, _)| index.as_usize());
        all
    }

    /// Goes on with a profile that has no locations.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
