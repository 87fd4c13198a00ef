//! A symbol file in a format of its own, as a source of symbols.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use backsight_files::{Access, By, Image};
use backsight_index::{Frames, IndexBuilder};
use backsight_sources::breakpad::{
    Breakpad, BreakpadCounts, BreakpadError, BreakpadModule, CfiRows,
};
use backsight_sources::gsym::{Gsym, GsymError};
use backsight_types::{BuildId, DebugId, VirtOffset};

use crate::damage_reporter::DamageReporter;
use crate::error::{Cause, Error};
use crate::limits::Limits;
use crate::shortfall::{Shortfall, ShortfallKind};
use crate::sought::SoughtLog;
use crate::source::{Detail, SymbolSource};

/// A file that has the symbols of one module, in a format that is neither ELF nor DWARF: GSYM,
/// as LLVM's `llvm-gsymutil` writes it, or Breakpad's, as `dump_syms` does. Its first bytes
/// tell which. For [`ModuleInput::Symbols`](crate::ModuleInput::Symbols) or
/// [`Symbolizer::add_source`](crate::Symbolizer::add_source).
///
/// Whoever gives it says which module it is of; [`is_of`](Self::is_of) tells whether that is
/// right. [`SymbolFiles`](crate::SymbolFiles) finds the file of a module.
#[derive(Clone, Debug)]
pub struct SymbolFile {
    opened: Arc<Opened>,
    /// What addresses of a Breakpad file count from.
    load_address: u64,
}

/// A file that may be open no longer.
#[derive(Debug)]
pub(crate) struct WeakSymbolFile(Weak<Opened>);

impl WeakSymbolFile {
    pub(crate) fn upgrade(&self) -> Option<SymbolFile> {
        Some(SymbolFile {
            opened: self.0.upgrade()?,
            load_address: 0,
        })
    }
}

#[derive(Debug)]
struct Opened {
    image: Image,
    path: Option<PathBuf>,
    table: Table,
    reporter: DamageReporter,
    log: Arc<SoughtLog>,
}

#[derive(Debug)]
enum Table {
    Gsym(Gsym),
    Breakpad(Box<Breakpad>),
}

/// The format of a [`SymbolFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SymbolFormat {
    /// Version 1 of GSYM.
    Gsym,
    /// Breakpad's text.
    Breakpad,
}

impl SymbolFormat {
    /// Returns the format of a file that begins with these bytes, of which there are 8 at least
    /// unless the file is shorter. The rest of it may be damaged.
    #[must_use]
    pub fn of(first: &[u8]) -> Option<Self> {
        match first {
            [b'G', b'S', b'Y', b'M', ..] | [b'M', b'Y', b'S', b'G', ..] => Some(Self::Gsym),
            _ if first.starts_with(b"MODULE ") => Some(Self::Breakpad),
            _ => None,
        }
    }
}

impl fmt::Display for SymbolFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gsym => "GSYM",
            Self::Breakpad => "Breakpad",
        })
    }
}

impl SymbolFile {
    /// Opens a regular file, and reads where its tables are. A Breakpad file is read as a
    /// whole for that.
    ///
    /// # Errors
    /// [`Cause::File`] when it cannot be opened, [`Cause::TooLarge`] when it cannot be mapped and
    /// is larger than [`Limits::file_bytes`], [`Cause::NotSymbols`] and [`Cause::Damaged`] when
    /// it cannot be used.
    pub fn open(path: &Path, access: Access, limits: &Limits) -> Result<Self, Error> {
        Self::open_by(path, By::Caller, access, limits)
    }

    /// Returns the same file again, as long as somebody has it open.
    pub(crate) fn downgrade(&self) -> WeakSymbolFile {
        WeakSymbolFile(Arc::downgrade(&self.opened))
    }

    pub(crate) fn open_by(
        path: &Path,
        by: By,
        access: Access,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let file = backsight_files::open(path, by)?;
        let image = Image::of_file(&file, access, limits.file_bytes);
        let image = image.map_err(|error| Error::from(error).or_path(Some(path)))?;
        Self::of_image(image, Some(path))
    }

    /// Reads where the tables of these bytes are.
    ///
    /// # Errors
    /// [`Cause::NotSymbols`] and [`Cause::Damaged`] when they cannot be used.
    pub fn of_bytes(bytes: Arc<[u8]>) -> Result<Self, Error> {
        Self::of_image(Image::from(bytes), None)
    }

    fn of_image(image: Image, path: Option<&Path>) -> Result<Self, Error> {
        let damaged = |wrong| {
            let part = "a symbol file";
            Error::new("read", path, Cause::Damaged { part, wrong })
        };
        let table = match SymbolFormat::of(&image) {
            Some(SymbolFormat::Gsym) => Gsym::open(&image)
                .map(Table::Gsym)
                .map_err(|error| damaged(wrong_gsym(error)))?,
            Some(SymbolFormat::Breakpad) => Breakpad::open_in_pieces(&image, || image.release())
                .map(|table| Table::Breakpad(Box::new(table)))
                .map_err(|error| Error::new("read", path, Cause::of_breakpad(error)))?,
            None => return Err(Error::new("read", path, Cause::NotSymbols)),
        };
        let log = Arc::default();
        let reporter = DamageReporter::new(&path.map(Path::to_owned), &log);
        match &table {
            Table::Gsym(gsym) if gsym.is_cut() => reporter.report(ShortfallKind::Damaged),
            Table::Gsym(_) => {}
            Table::Breakpad(breakpad) => {
                let BreakpadCounts {
                    unread,
                    missing_texts,
                    overlapping,
                    ..
                } = breakpad.counts();
                if unread > 0 {
                    reporter.report(ShortfallKind::UnreadLines(unread));
                }
                if missing_texts > 0 {
                    reporter.report(ShortfallKind::MissingTexts(missing_texts));
                }
                if overlapping > 0 {
                    reporter.report(ShortfallKind::Overlapping(overlapping));
                }
            }
        }
        let opened = Opened {
            image,
            path: path.map(Path::to_owned),
            table,
            reporter,
            log,
        };
        Ok(Self {
            opened: Arc::new(opened),
            load_address: 0,
        })
    }

    /// Returns the same file for a module whose first `PT_LOAD` segment has this address, in
    /// the address space of the ELF file. Addresses of Breakpad files count from there, and
    /// those of GSYM do not. 0, the default, is right for shared libraries and
    /// position-independent programs.
    #[must_use]
    pub fn with_load_address(self, first: VirtOffset) -> Self {
        let load_address = match self.opened.table {
            Table::Gsym(_) => 0,
            Table::Breakpad(_) => first.0,
        };
        Self {
            load_address,
            ..self
        }
    }

    /// Returns where it was opened.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.opened.path.as_deref()
    }

    /// Returns its format.
    #[must_use]
    pub fn format(&self) -> SymbolFormat {
        match &self.opened.table {
            Table::Gsym(_) => SymbolFormat::Gsym,
            Table::Breakpad(_) => SymbolFormat::Breakpad,
        }
    }

    /// Returns the build ID of the program that it was made of, if it has all of it. A Breakpad
    /// file has it in an `INFO CODE_ID` line.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        match &self.opened.table {
            Table::Gsym(gsym) => gsym.build_id(),
            Table::Breakpad(breakpad) => breakpad.module().build_id,
        }
    }

    /// Returns the debug ID of a Breakpad file.
    #[must_use]
    pub fn debug_id(&self) -> Option<DebugId> {
        Some(self.breakpad()?.0.debug_id)
    }

    /// Returns whether it was made of a module of this build ID: by its own, or else by its
    /// debug ID.
    #[must_use]
    pub fn is_of(&self, id: &BuildId) -> bool {
        match &self.opened.table {
            Table::Gsym(gsym) => gsym.build_id() == Some(*id),
            Table::Breakpad(breakpad) => breakpad.module().is_of(id),
        }
    }

    /// Returns how many functions a GSYM file has.
    #[must_use]
    pub fn gsym_functions(&self) -> Option<usize> {
        match &self.opened.table {
            Table::Gsym(gsym) => Some(gsym.functions()),
            Table::Breakpad(_) => None,
        }
    }

    /// Returns the unwinding rules of a Breakpad file for the code around this virtual offset.
    #[must_use]
    pub fn cfi(&self, place: VirtOffset) -> Option<CfiRows> {
        let Opened { image, table, .. } = &*self.opened;
        match table {
            Table::Gsym(_) => None,
            Table::Breakpad(breakpad) => breakpad.cfi(image, self.load_address, place.0),
        }
    }

    /// Reads all unwinding rules of a Breakpad file, and returns how many ranges of code have
    /// some that cannot be read.
    #[must_use]
    pub fn unread_cfi(&self) -> usize {
        let Opened { image, table, .. } = &*self.opened;
        match table {
            Table::Gsym(_) => 0,
            Table::Breakpad(breakpad) => {
                let all = breakpad.all_cfi(image, self.load_address);
                all.filter(|rows| rows.is_damaged).count()
            }
        }
    }

    /// Returns what a Breakpad file says of its module, and how many records it has.
    #[must_use]
    pub fn breakpad(&self) -> Option<(&BreakpadModule, BreakpadCounts)> {
        match &self.opened.table {
            Table::Gsym(_) => None,
            Table::Breakpad(breakpad) => Some((breakpad.module(), breakpad.counts())),
        }
    }
}

impl SymbolSource for SymbolFile {
    fn detail(&self) -> Detail {
        Detail::Lines
    }

    fn find(&self, place: VirtOffset) -> Option<Frames> {
        let Opened {
            image,
            table,
            reporter,
            ..
        } = &*self.opened;
        let (found, is_damaged) = match table {
            Table::Gsym(gsym) => gsym.find(image, place.0),
            Table::Breakpad(breakpad) => breakpad.find(image, self.load_address, place.0),
        };
        if is_damaged {
            reporter.report(ShortfallKind::Damaged);
        }
        found
    }

    fn list(&self, index: &mut IndexBuilder) -> Result<bool, Error> {
        let Opened {
            image,
            table,
            reporter,
            ..
        } = &*self.opened;
        let is_damaged = match table {
            Table::Gsym(gsym) => gsym.list(image, index)?,
            Table::Breakpad(breakpad) => breakpad.list(image, self.load_address, index)?,
        };
        if is_damaged {
            reporter.report(ShortfallKind::Damaged);
        }
        image.release();
        Ok(true)
    }

    fn shortfalls(&self) -> Vec<Shortfall> {
        self.opened.log.shortfalls.list()
    }
}

fn wrong_gsym(error: GsymError) -> &'static str {
    match error {
        GsymError::NotGsym => "it is no GSYM",
        GsymError::Version(_) => "it is GSYM of another version than 1",
        GsymError::Damaged(wrong) => wrong,
        _ => "it cannot be read",
    }
}

impl Cause {
    /// Why a Breakpad file is not used.
    pub(crate) fn of_breakpad(error: BreakpadError) -> Self {
        let wrong = match error {
            BreakpadError::NotBreakpad => return Self::NotSymbols,
            BreakpadError::ContradictoryIds(claims) => {
                let [first, second] = *claims;
                return Self::ContradictoryIds {
                    first: first.to_string(),
                    second: second.to_string(),
                };
            }
            BreakpadError::BadModule => "its MODULE line has no debug ID and name",
            BreakpadError::TooManyRecords(_) => {
                "it has more functions, names and paths than are kept"
            }
            _ => "it cannot be read",
        };
        let part = "a symbol file";
        Self::Damaged { part, wrong }
    }
}
