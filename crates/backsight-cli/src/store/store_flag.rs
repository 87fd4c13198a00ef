//! The flag that names a store.

use std::path::PathBuf;

use backsight_store::Store;

use crate::failure::{Failure, Result};
use crate::store_dir::default_dir;

/// Which store.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StoreFlag {
    /// The directory of the store [default: backsight/store in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl StoreFlag {
    /// Returns the store that is named, or the default one.
    pub(super) fn store(&self) -> Result<Store> {
        let dir = self.store.clone().or_else(default_dir);
        let dir = dir.ok_or_else(|| {
            let why = "neither XDG_DATA_HOME nor HOME is an absolute path: give --store DIR";
            Failure::Failed(why.to_owned())
        })?;
        Ok(Store::at(dir))
    }
}
