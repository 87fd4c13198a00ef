//! A file that may be one of the kernel's, and what proves it.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_elf::{Headers, ReadError};
use backsight_files::By;
use backsight_symbolize::{Cause, Error, Options, Sought, SoughtKind};
use backsight_types::BuildId;

use crate::headers::{HeadersError, headers};

/// What proves that a file is the one that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The build ID in its headers. A compressed file is decompressed for that.
    BuildId(BuildId),
    /// The same, but of a compressed file it is compared when the symbolizer decompresses it, so
    /// that this happens once.
    BuildIdWhenRead(BuildId),
    /// Nothing but its path, because the user says so.
    Path,
}

/// The files that were looked at, and the first that is proven.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) found: Option<(File, PathBuf)>,
    pub(super) sought: Vec<Sought>,
}

impl Candidates {
    /// Looks at one path on this host, unless a file was found.
    pub(super) fn look_at_given(&mut self, path: &Path, proof: Proof) {
        self.look_in(None, path, proof);
    }

    /// Looks at one path, inside each root and then on this host, unless a file was found.
    pub(super) fn look_at(&mut self, path: &Path, proof: Proof, options: &Options) {
        let roots = options.roots.iter().map(|root| Some(&**root));
        for root in roots.chain([None]) {
            self.look_in(root, path, proof);
        }
    }

    fn look_in(&mut self, root: Option<&Path>, path: &Path, proof: Proof) {
        if self.found.is_some() {
            return;
        }
        let shown = match root {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        };
        let opened = open(root, path, proof);
        let (file, outcome) = match opened {
            Ok(file) => (Some(file), Ok(())),
            Err(cause) => (None, Err(Error::new("open", Some(&shown), cause))),
        };
        self.sought
            .push(Sought::new(SoughtKind::Module, shown, outcome));
        // The path is relative to the root, as debug files are looked for by it there.
        self.found = file.map(|file| (file, path.to_owned()));
    }
}

fn open(root: Option<&Path>, path: &Path, proof: Proof) -> Result<File, Cause> {
    let file = match root {
        Some(root) => backsight_files::open_inside(root, path),
        None => backsight_files::open(path, By::Folder),
    };
    let file = file.map_err(|error| Cause::from(error.into_error()))?;
    let found = match (proof, Headers::read(&file)) {
        (Proof::Path, _) => return Ok(file),
        (Proof::BuildIdWhenRead(_), Err(ReadError::Elf(backsight_elf::Error::NotElf))) => {
            return Ok(file);
        }
        (_, Ok(headers)) => headers.build_id,
        (Proof::BuildId(_), Err(_)) => {
            let headers = headers(&file, None).map_err(|error| match error {
                HeadersError::Io(error) => Cause::from(error),
                HeadersError::Archive(error) => Cause::from(error.into_error()),
                HeadersError::Elf(error) => Cause::from(error),
                HeadersError::Packed(error) => error.cause().clone(),
            })?;
            headers.build_id
        }
        (Proof::BuildIdWhenRead(_), Err(error)) => return Err(Error::from(error).cause().clone()),
    };
    let wanted = match proof {
        Proof::BuildId(id) | Proof::BuildIdWhenRead(id) => Some(id),
        Proof::Path => None,
    };
    match wanted {
        Some(wanted) if found != Some(wanted) => Err(Cause::other_build(found.as_ref(), &wanted)),
        _ => Ok(file),
    }
}
