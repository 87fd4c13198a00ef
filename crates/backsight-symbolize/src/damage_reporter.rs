//! Reports that a part of a module's own file is damaged.

use std::path::PathBuf;
use std::sync::Arc;

use crate::shortfall::{Shortfall, ShortfallKind};
use crate::sought::SoughtLog;

/// Records shortfalls of a module's own file, each kind once.
#[derive(Clone, Debug, Default)]
pub(crate) struct DamageReporter {
    path: Option<PathBuf>,
    log: Arc<SoughtLog>,
}

impl DamageReporter {
    pub(crate) fn new(path: &Option<PathBuf>, log: &Arc<SoughtLog>) -> Self {
        Self {
            path: path.clone(),
            log: Arc::clone(log),
        }
    }

    #[cold]
    pub(crate) fn report(&self, kind: ShortfallKind) {
        let new = Shortfall::new(self.path.clone(), kind);
        self.log.shortfalls.note(new);
    }
}
