//! The results of all requested files, each file once.

use std::collections::HashMap;
use std::sync::Arc;

use backsight_types::BuildId;

use crate::file_kind::FileKind;
use crate::transfer::{Transfer, TransferOutcome};

/// The result of each file, in the order in which they were first requested. Repeated
/// requests of a file take no more memory.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    list: Vec<Transfer>,
    places: HashMap<(BuildId, FileKind, Option<Arc<str>>), usize>,
}

impl Transfers {
    /// Merges a result with earlier ones of the same file.
    pub(crate) fn add(&mut self, new: Transfer) {
        let key = (new.build_id, new.kind, new.source.clone());
        let place = *self.places.entry(key).or_insert(self.list.len());
        match self.list.get_mut(place) {
            None => self.list.push(new),
            Some(known) => {
                known.requests = known.requests.saturating_add(new.requests);
                known.received_bytes = known.received_bytes.saturating_add(new.received_bytes);
                known.elapsed = known.elapsed.saturating_add(new.elapsed);
                // `Fetched` is kept instead of `Cached`, because it has the server.
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
