//! A file of symbols in a format of its own, as a source of symbols.

use std::path::Path;
use std::sync::Arc;

use backsight_files::{Access, By, Image};
use backsight_index::{Frames, IndexBuilder};
use backsight_sources::gsym::{Gsym, GsymError};
use backsight_types::{BuildId, VirtOffset};

use crate::damage_reporter::DamageReporter;
use crate::error::{Cause, Error};
use crate::limits::Limits;
use crate::shortfall::{Shortfall, ShortfallKind};
use crate::sought::SoughtLog;
use crate::source::{Detail, SymbolSource};

/// A file that has the symbols of one module, in a format that is neither ELF nor DWARF:
/// GSYM, as LLVM's `llvm-gsymutil` writes it. For
/// [`ModuleInput::Symbols`](crate::ModuleInput::Symbols) or
/// [`Symbolizer::add_source`](crate::Symbolizer::add_source).
///
/// Whoever gives it says which module it is of; [`build_id`](Self::build_id) tells whether
/// that is right.
#[derive(Debug)]
pub struct SymbolFile {
    image: Image,
    table: Gsym,
    reporter: DamageReporter,
    log: Arc<SoughtLog>,
}

impl SymbolFile {
    /// Opens a regular file, and reads where its tables are.
    ///
    /// # Errors
    /// [`Cause::File`] when it cannot be opened, [`Cause::TooLarge`] when it cannot be mapped and
    /// is larger than [`Limits::file_bytes`], [`Cause::Damaged`] when it cannot be used.
    pub fn open(path: &Path, access: Access, limits: &Limits) -> Result<Self, Error> {
        let file = backsight_files::open(path, By::Caller)?;
        let image = Image::of_file(&file, access, limits.file_bytes)?;
        Self::of_image(image, Some(path))
    }

    /// Reads where the tables of these bytes are.
    ///
    /// # Errors
    /// [`Cause::Damaged`] when they cannot be used.
    pub fn of_bytes(bytes: Arc<[u8]>) -> Result<Self, Error> {
        Self::of_image(Image::from(bytes), None)
    }

    fn of_image(image: Image, path: Option<&Path>) -> Result<Self, Error> {
        let table = Gsym::open(&image).map_err(|error| {
            let cause = Cause::Damaged {
                part: "a file of symbols",
                wrong: match error {
                    GsymError::NotGsym => "it is no GSYM",
                    GsymError::Version(_) => "it is GSYM of another version than 1",
                    GsymError::Damaged(wrong) => wrong,
                    _ => "it cannot be read",
                },
            };
            Error::new("read", path, cause)
        })?;
        let log = Arc::default();
        let reporter = DamageReporter::new(&path.map(Path::to_owned), &log);
        if table.is_cut() {
            reporter.report(ShortfallKind::Damaged);
        }
        Ok(Self {
            image,
            table,
            reporter,
            log,
        })
    }

    /// Returns the build ID of the program that it was made of, if it has one.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        self.table.build_id()
    }
}

impl SymbolSource for SymbolFile {
    fn detail(&self) -> Detail {
        Detail::Lines
    }

    fn find(&self, place: VirtOffset) -> Option<Frames> {
        let (found, is_damaged) = self.table.find(&self.image, place.0);
        if is_damaged {
            self.reporter.report(ShortfallKind::Damaged);
        }
        found
    }

    fn list(&self, index: &mut IndexBuilder) -> Result<bool, Error> {
        if self.table.list(&self.image, index)? {
            self.reporter.report(ShortfallKind::Damaged);
        }
        self.image.release();
        Ok(true)
    }

    fn shortfalls(&self) -> Vec<Shortfall> {
        self.log.shortfalls.list()
    }
}
