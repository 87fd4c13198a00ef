//! Indexes taken out of a directory, and kept in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use backsight_files::Error;
use backsight_types::BuildId;

use crate::index::IndexError;
use crate::index_dir::{Binding, IndexDir, name_of, note_use};
use crate::options::Options;
use crate::symbol_index::SymbolIndex;

impl IndexDir {
    /// Returns the index of this build ID, of these files or by itself, if one is kept
    /// that can be read.
    ///
    /// # Errors
    /// Why not; the system's [`NotFound`](std::io::ErrorKind::NotFound) when there is none.
    pub(crate) fn get(
        &self,
        id: BuildId,
        binding: Option<Binding>,
        options: &Options,
    ) -> Result<SymbolIndex, IndexError> {
        let name = name_of(id, binding);
        let (file, _) = self.held()?.open(Path::new(&name))?;
        let index = SymbolIndex::of_file(&file, options)?;
        if index.build_id() != Some(id) {
            return Err(IndexError::BuildIdMismatch);
        }
        note_use(&file);
        Ok(index)
    }

    /// Keeps an index, and makes room for it. It is used for every file of its build ID
    /// from then on: whoever keeps it vouches for that.
    ///
    /// # Errors
    /// Those of [`SymbolIndex::write`]; also when the index has no build ID to be kept
    /// by, was built from files that others can change, or alone exceeds the room, and
    /// when others can change the directory.
    pub fn keep(&self, index: &SymbolIndex) -> Result<(), IndexError> {
        self.keep_bound(index, None)
    }

    /// The same for the files alone that it was built from.
    pub(crate) fn keep_bound(
        &self,
        index: &SymbolIndex,
        binding: Option<Binding>,
    ) -> Result<(), IndexError> {
        let no_room = Error::TooLarge {
            limit: self.max_bytes,
        };
        let id = index.build_id().ok_or(IndexError::BuildIdMismatch)?;
        if index.is_of_strangers {
            return Err(IndexError::OfStrangers);
        }
        let size = u64::try_from(index.file_size()).unwrap_or(u64::MAX);
        if size > self.max_bytes {
            return Err(no_room.into());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        let held = self.held()?;
        index.write(&held.path_of(&name_of(id, binding)))?;
        self.make_room_in(&held)?;
        Ok(())
    }
}
