//! The module itself, when it is not at hand: a container's, an image's that lies
//! elsewhere, or one that is kept by its build ID.
//!
//! ```text
//!   ROOT/PATH, PATH                         as the process named it
//!   DEBUG_DIR/.build-id/77/c7…4d/elf        as perf keeps it, in ~/.debug by default
//!   DEBUG_DIR/.build-id/77/c7…4d            a link to it, as Fedora's packages have it
//!   DEBUG_DIR/.build-id/77/c7…4d.debug      where it is no debug file, but all of it
//! ```
//!
//! Only its build ID proves it. A file that was split off with `objcopy
//! --only-keep-debug` has the ID as well, but no code, and its program headers do not
//! say where in the module anything is: it does not count.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_elf::{Headers, ReadError};
use backsight_files::{ArchiveMember, By, FilePart};
use backsight_types::BuildId;
use object::elf::{SHF_EXECINSTR, SHT_NOBITS};
use object::read::{Object, ObjectSection, ReadCache, ReadRef, SectionFlags};

use super::search::{FileSearch, path_of};
use super::site::Site;
use crate::error::{Cause, Error};
use crate::options::Options;
use crate::packed::unpacked;
use crate::sought::SoughtKind;
use backsight_files::Image;

impl<'o> FileSearch<'o> {
    /// Opens the module of this build ID.
    ///
    /// Returns why what stands in one of the places does not count, rather than that
    /// nothing stands in another.
    pub(crate) fn module(self, path: Option<&Path>, id: &BuildId) -> Result<File, Error> {
        let named = path.filter(|path| path.is_absolute());
        let named = named.map(|path| Site::of(path, By::File, &self.options.roots));
        let names = names_of(id);
        let by_id = self
            .debug_dirs()
            .flat_map(|dir| names.clone().map(|name| dir.join(&name)));
        let mut refused = None;
        for site in named.into_iter().flatten().chain(by_id) {
            let opened = open(&site, id, self.options);
            let outcome = opened.as_ref().map(drop).map_err(Clone::clone);
            self.base.note(SoughtKind::Module, &site, outcome);
            match opened {
                Ok(file) => return Ok(file),
                Err(error) if refused.is_none() && !is_missing(&error) => refused = Some(error),
                Err(_) => {}
            }
        }
        let fetched = self.fetched_module(id);
        fetched.ok_or_else(|| refused.unwrap_or_else(|| Cause::NotFound.into()))
    }
}

/// Opens the module of this build ID: under its path inside each of [`Options::roots`] and on the
/// host, or by the ID in each of [`Options::debug_dirs`], as `.build-id/xx/rest/elf`
/// (where `perf` keeps it), `.build-id/xx/rest`, or `.build-id/xx/rest.debug` that is more
/// than a debug file.
///
/// # Errors
/// [`Cause::NotFound`] when it is in none of these places, and why not when something
/// else is in one.
pub fn find(path: Option<&Path>, id: BuildId, options: &Options) -> Result<File, Error> {
    let base = super::search_base::SearchBase::default();
    let base = &base;
    FileSearch { options, base }.module(path, &id)
}

fn open(site: &Site, id: &BuildId, options: &Options) -> Result<File, Error> {
    let file = site.open()?;
    match prove(&file, Some(site.path()), id, options) {
        Ok(()) => Ok(file),
        Err(error) => Err(error.or_path(Some(&site.shown()))),
    }
}

/// Says why a file, or the member of it that the path names, is not the module of this build ID.
pub(super) fn prove(
    file: &File,
    path: Option<&Path>,
    id: &BuildId,
    options: &Options,
) -> Result<(), Error> {
    // An archive may begin with a program, which is not what the path names.
    if let Some(member) = ArchiveMember::of_path(file, path)? {
        let mut part = FilePart::new(file, member.range);
        return check(&Headers::read(&mut part)?, &ReadCache::new(part), id);
    }
    match Headers::read(file) {
        // Kernel modules are packed as a whole.
        Err(ReadError::Elf(backsight_elf::Error::NotElf)) => {
            let image = Image::of_file(file, options.access, options.limits.file_bytes)?;
            let image = unpacked(image, &options.limits)?;
            check(&Headers::parse(&image)?, &*image, id)
        }
        headers => check(&headers?, &ReadCache::new(file), id),
    }
}

/// Says why it is not the module of this build ID.
fn check<'d>(headers: &Headers, file: impl ReadRef<'d>, id: &BuildId) -> Result<(), Error> {
    if headers.build_id != Some(*id) {
        return Err(Cause::other_build(headers.build_id.as_ref(), id).into());
    }
    match has_code(file) {
        true => Ok(()),
        false => Err(Cause::NotTheModule.into()),
    }
}

/// Whether the sections of code have bytes in the file. One without sections has not lost
/// them.
fn has_code<'d>(file: impl ReadRef<'d>) -> bool {
    let Ok(file) = object::File::parse(file) else {
        return true;
    };
    let is_lost = |flags| match flags {
        SectionFlags::Elf {
            sh_flags, sh_type, ..
        } => sh_flags.0 & SHF_EXECINSTR.0 != 0 && sh_type == SHT_NOBITS,
        _ => false,
    };
    !file.sections().any(|section| is_lost(section.flags()))
}

fn is_missing(error: &Error) -> bool {
    match error.cause() {
        Cause::NotFound | Cause::NotTheModule => true,
        cause => cause.is_missing(),
    }
}

fn names_of(id: &BuildId) -> [PathBuf; 3] {
    let debug = path_of(id);
    let link = debug.with_extension("");
    [link.join("elf"), link, debug]
}
