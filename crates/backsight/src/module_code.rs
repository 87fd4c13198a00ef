//! The code of a module: the bytes of its file, by virtual offset.

use std::time::SystemTime;

use backsight_elf::Headers;
use backsight_files::Image;
use backsight_symbolize::unpacked_file;
use backsight_types::{Arch, FileOffset, Module, ModuleKind, Reason, Segments, VirtOffset};

use crate::find::{ModuleFiles, path_of};

/// The code of a module, from a file whose identity is proven.
#[derive(Debug)]
pub struct ModuleCode {
    image: Image,
    arch: Arch,
    segments: Segments,
    modified: Option<SystemTime>,
}

/// Why there is no code of a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCode {
    /// No file is proven to be the module's, or it has none.
    #[error("{}", said(*.0))]
    Missing(Reason),
    /// The kernel changes its code when it starts, so that its file has not what ran.
    #[error("it is the kernel's, whose code in memory differs from that in its file")]
    Kernel,
    /// The file cannot be read, or is no ELF file.
    #[error("{0}")]
    Unreadable(String),
    /// It is an object file, whose sections have no addresses yet.
    #[error("its file has no program headers, which say where its code is")]
    NoSegments,
}

fn said(reason: Reason) -> &'static str {
    match reason {
        Reason::IdentityUnproven => "the file at its path is not proven to be of the same build",
        Reason::Deleted => "its file was deleted or replaced",
        Reason::Anonymous => "it is in memory without a file, as code made at run time is",
        Reason::VdsoNoSymbols => "it is the vDSO of another kernel",
        _ => "its file is not here, or cannot be read",
    }
}

impl ModuleCode {
    /// Opens the file of a module, found as for its symbols, and reads its headers.
    ///
    /// # Errors
    /// Why there is no code.
    pub fn open(module: &Module, files: &ModuleFiles) -> Result<Self, NoCode> {
        let unreadable = |error: &dyn std::fmt::Display| NoCode::Unreadable(error.to_string());
        let (image, modified) = match module.kind {
            ModuleKind::File => {
                let file = files.open(module).map_err(NoCode::Missing)?;
                let modified = file.metadata().and_then(|metadata| metadata.modified());
                let (options, path) = (files.symbols(), Some(path_of(module)));
                let limit = options.limits.file_bytes;
                let image = Image::of_path(&file, path, options.access, limit);
                let image = image.map_err(|error| unreadable(&error))?;
                let image = match unpacked_file(&image, &options.limits) {
                    Some(bytes) => Image::from(bytes.map_err(|error| unreadable(&error))?),
                    None => image,
                };
                (image, modified.ok())
            }
            ModuleKind::Vdso => {
                let image = module.build_id.and_then(|id| files.host().vdso_with(id));
                let image = image.ok_or(NoCode::Missing(Reason::VdsoNoSymbols))?;
                (Image::from(image), None)
            }
            ModuleKind::Kernel => return Err(NoCode::Kernel),
            ModuleKind::Anonymous => return Err(NoCode::Missing(Reason::Anonymous)),
            _ => return Err(NoCode::Missing(Reason::Unreadable)),
        };
        let headers = Headers::parse(&image).map_err(|error| unreadable(&error))?;
        let Headers { arch, segments, .. } = headers;
        if !segments
            .as_slice()
            .iter()
            .any(|it| it.flags.is_executable())
        {
            return Err(NoCode::NoSegments);
        }
        Ok(Self {
            image,
            arch,
            segments,
            modified,
        })
    }

    /// Returns the machine that the code is for.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Returns when the file was last changed, if it says so.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Returns the virtual offset that a byte of the file is loaded to.
    #[must_use]
    pub fn virt_offset_of(&self, offset: FileOffset) -> Option<VirtOffset> {
        self.segments.virt_offset_of(offset)
    }

    /// Returns the bytes from a virtual offset to the end of its executable segment; empty if
    /// there is none, or the file is too short.
    #[must_use]
    pub fn bytes_at(&self, virt: VirtOffset) -> &[u8] {
        let found = self.segments.as_slice().iter().find_map(|segment| {
            let inside = virt.0.checked_sub(segment.virt_offset.0)?;
            let rest = segment.file_size.checked_sub(inside)?;
            let start = segment.file_offset.0.checked_add(inside)?;
            let is_code = segment.flags.is_executable() && rest > 0;
            is_code.then_some((start, start.checked_add(rest)?))
        });
        let Some((start, end)) = found else {
            return &[];
        };
        let length = self.image.len();
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(length);
        self.image.get(at(start)..at(end)).unwrap_or_default()
    }
}
