//! The text of errors, counts and IDs.

use backsight_store::{StoreError, StoredFile};

use crate::failure::{Failure, WithWayOut};
use crate::file::Shown;

/// Returns the failure of the store as a whole.
pub(super) fn failed(error: &StoreError) -> Failure {
    Failure::Failed(message(error))
}

/// Returns the text of an error that is not of the file that is added, with the path.
pub(super) fn message(error: &StoreError) -> String {
    let path = match error {
        StoreError::File(error) => error.path(),
        // The others have the path in their text.
        _ => None,
    };
    match path {
        Some(path) => format!("{}: {}", Shown(path), cause(error)),
        None => cause(error),
    }
}

/// Returns the text of an error without the path of the file, with the way out.
pub(super) fn cause(error: &StoreError) -> String {
    match error {
        StoreError::File(error) => {
            let system: std::io::Error = error.error().clone().into();
            format!("{}: {}", error.operation(), WithWayOut(&system))
        }
        other => other.to_string(),
    }
}

/// `1 file`, `2 files`.
pub(super) fn files(count: u64) -> String {
    let noun = if count == 1 { "file" } else { "files" };
    format!("{count} {noun}")
}

/// The build ID of a file, or the debug ID by which it is found.
pub(super) struct Id<'f>(pub(super) &'f StoredFile);

impl std::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.build_id, self.0.debug_id) {
            (Some(id), _) => id.fmt(f),
            (None, Some(id)) => id.fmt(f),
            (None, None) => f.write_str("none"),
        }
    }
}
