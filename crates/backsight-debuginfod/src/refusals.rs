//! Files that a server answered for with an error or with another file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use backsight_types::BuildId;

use crate::fault::FetchFault;
use crate::wanted_file::WantedFile;

/// What one server refused, so that a file that several parts of a program need is not
/// requested by each of them. Kept in memory: the next run asks again.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<(BuildId, WantedFile), (Instant, FetchFault)>>);

impl Refusals {
    /// Returns why the server did not send the file less than `time` ago.
    pub(crate) fn of(
        &self,
        id: &BuildId,
        wanted: &WantedFile,
        time: Duration,
    ) -> Option<FetchFault> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, fault) = known.get(&(*id, wanted.clone()))?;
        (since.elapsed() < time).then(|| fault.clone())
    }

    /// Adds an answer, if another request would get the same one. A transfer that broke off goes
    /// on where it ended.
    pub(crate) fn note<T>(
        &self,
        id: &BuildId,
        wanted: &WantedFile,
        answer: &Result<T, FetchFault>,
    ) {
        if let Err(fault @ (FetchFault::Status(_) | FetchFault::WrongBuildId)) = answer {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert((*id, wanted.clone()), (Instant::now(), fault.clone()));
        }
    }
}
