//! What came of the files that were asked for, each file once.

use std::collections::HashMap;

use backsight_types::BuildId;

use crate::file_kind::FileKind;
use crate::transfer::{Transfer, TransferOutcome};

/// What came of each file, in the order in which they were first asked for. It takes memory
/// for each file, and none for asking again.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    list: Vec<Transfer>,
    places: HashMap<(BuildId, FileKind), usize>,
}

impl Transfers {
    /// Adds what came of a file to what came of it before.
    pub(crate) fn add(&mut self, new: Transfer) {
        let key = (new.build_id, new.kind);
        let place = *self.places.entry(key).or_insert(self.list.len());
        match self.list.get_mut(place) {
            None => self.list.push(new),
            Some(known) => {
                known.requests = known.requests.saturating_add(new.requests);
                known.received_bytes = known.received_bytes.saturating_add(new.received_bytes);
                known.elapsed = known.elapsed.saturating_add(new.elapsed);
                // That it is in the cache does not say who sent it.
                let is_fetched = matches!(known.outcome, TransferOutcome::Fetched(_));
                if !(is_fetched && new.outcome == TransferOutcome::Cached) {
                    known.outcome = new.outcome;
                }
            }
        }
    }

    pub(crate) fn list(&self) -> &[Transfer] {
        &self.list
    }
}
