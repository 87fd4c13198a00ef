//! One ELF file: its headers, and what else was read of it, each when it is first asked for.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

use backsight_files::Identity;
use backsight_files::Image;
use backsight_index::engine::wide;

use super::dropped::CodeEnds;
use super::headers::ElfHeaders;
use super::opd::{Descriptors, has_descriptors};
use super::plt::Plt;
use super::symbol_table::{self, SymbolRow, TableKind};
use super::table_faults;
use crate::error::{Cause, Error};
use crate::options::Options;
use crate::packed::unpacked;

/// An ELF file. It derefs to its [`ElfHeaders`].
#[derive(Debug)]
pub(crate) struct ElfFile {
    headers: ElfHeaders,
    descriptors: OnceLock<Option<Descriptors>>,
    plt: OnceLock<Plt>,
    /// Of one that was read from a file.
    identity: Option<Identity>,
    /// Whether it was found inside a root, and is another file than the host's.
    of_root: bool,
    /// Where code ends, once something claims to begin at address 0.
    ends: OnceLock<Option<CodeEnds>>,
}

impl Deref for ElfFile {
    type Target = ElfHeaders;

    fn deref(&self) -> &ElfHeaders {
        &self.headers
    }
}

impl ElfFile {
    /// Reads the headers, as [`ElfHeaders::parse`] does.
    pub(crate) fn parse(image: Image) -> Result<Self, Error> {
        Ok(Self {
            headers: ElfHeaders::parse(image)?,
            descriptors: OnceLock::new(),
            plt: OnceLock::new(),
            identity: None,
            of_root: false,
            ends: OnceLock::new(),
        })
    }

    /// Reads an open file, or the member of an archive that the path names, also one that is
    /// packed as a whole; `limit` bounds the bytes of one that cannot be mapped.
    pub(crate) fn read(
        file: &File,
        path: Option<&Path>,
        limit: u64,
        options: &Options,
    ) -> Result<Self, Error> {
        let identity = Identity::of(file)?;
        let image = Image::of_path(file, path, options.access, limit)?;
        let elf = Self::parse(unpacked(image, &options.limits)?)?;
        Ok(Self {
            identity: Some(identity),
            ..elf
        })
    }

    /// Notes that it is a file of a root alone.
    pub(crate) fn found_in_root(mut self) -> Self {
        self.of_root = true;
        self
    }

    /// Returns which file it was read from, if it was.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Returns whether others than root and us decide what it says.
    pub(crate) fn is_untrusted(&self) -> bool {
        self.of_root || self.identity.is_some_and(|identity| !identity.is_ours)
    }

    /// Returns how many bytes of memory the image takes, none when it is mapped, and
    /// what was made of it.
    pub(crate) fn read_bytes(&self) -> u64 {
        let descriptors = self.descriptors.get().and_then(Option::as_ref);
        let descriptors = descriptors.map_or(0, |descriptors| wide(descriptors.bytes()));
        let plt = self.plt.get().map_or(0, |plt| wide(plt.bytes()));
        let ends = self.ends.get().and_then(Option::as_ref);
        let ends = ends.map_or(0, |ends| wide(ends.bytes()));
        let made = descriptors.saturating_add(plt).saturating_add(ends);
        self.headers.read_bytes().saturating_add(made)
    }

    /// Returns what is wrong with its symbol tables, and the headers that lead to them.
    pub(crate) fn faults_of_tables(&self) -> Vec<Cause> {
        let headers = Cause::Damaged {
            part: "section headers",
            wrong: "cannot be read: the file may be cut off",
        };
        let headers = self.has_lost_headers().then_some(headers);
        headers
            .into_iter()
            .chain(table_faults::of(&self.headers))
            .collect()
    }

    /// Returns the function descriptors, where functions have any.
    pub(super) fn descriptors(&self) -> Option<&Descriptors> {
        let read = || Descriptors::read(&self.headers);
        self.descriptors.get_or_init(read).as_ref()
    }

    /// Returns the stubs that jump to functions of other files.
    pub(super) fn plt(&self) -> &Plt {
        self.plt
            .get_or_init(|| Plt::read(&self.headers, self.descriptors()))
    }

    /// Returns bytes of the image, or of the names that were made for stubs: these
    /// count on behind its end.
    pub(crate) fn text(&self, (start, length): (usize, usize)) -> &[u8] {
        let image = self.image();
        let made = start.checked_sub(image.len());
        let rest = match made {
            Some(start) => self.plt.get().and_then(|plt| plt.names.get(start..)),
            None => image.get(start..),
        };
        let rest = rest.unwrap_or_default();
        rest.get(..length).unwrap_or_default()
    }

    /// Takes the function descriptors of the module that this is the debug file of, as
    /// it has the symbols alone.
    pub(crate) fn take_descriptors(&mut self, module: &Self) {
        if has_descriptors(self) && self.descriptors().is_none() {
            self.descriptors = OnceLock::from(module.descriptors().cloned());
        }
    }

    /// Returns whether a function can be there that debug information has there, and the
    /// linker did not drop it.
    pub(crate) fn has_function(&self, begin: u64, end: u64) -> bool {
        self.is_code(begin) && self.ends_at(begin, |ends| ends.has_function(end))
    }

    /// The same of a range of code: a unit's, or one with lines.
    pub(crate) fn has_code(&self, begin: u64, end: u64) -> bool {
        self.is_code(begin) && self.ends_at(begin, |ends| ends.has(end))
    }

    /// Only what begins at 0, or at 1, may have been dropped.
    fn ends_at(&self, begin: u64, is_known: impl FnOnce(&CodeEnds) -> bool) -> bool {
        if begin > 1 || self.is_relocatable() {
            return true;
        }
        let ends = self
            .ends
            .get_or_init(|| CodeEnds::read(&self.headers, self.descriptors()));
        ends.as_ref().is_none_or(is_known)
    }
}

/// Calls `found` for each function, object and label that the table defines, in its
/// order. A table that is missing or malformed has no symbols.
pub(crate) fn for_each<'d>(file: &'d ElfFile, table: TableKind, found: impl FnMut(SymbolRow<'d>)) {
    match table {
        TableKind::Stubs => file.plt().for_each(file, found),
        _ => symbol_table::for_each(file, file.descriptors(), table, found),
    }
}
