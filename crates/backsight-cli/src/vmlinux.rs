//! The flag for the kernel's `vmlinux`, and what is said of it.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_symbolize::Symbolizer;

use crate::failure::{Done, WithWayOut, complain};
use crate::file::Shown;

/// A file that the user named as that of the kernel's image.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct VmlinuxFlag {
    /// The kernel's vmlinux, with debug information, for files, lines and inlined functions of
    /// kernel addresses: looked at before the usual places, and used only if it has the kernel's
    /// build ID
    #[arg(long = "vmlinux", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl VmlinuxFlag {
    /// Returns the file, if one was named.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reports a file that cannot be used.
    pub(crate) fn check(&self) -> Done {
        let Some((path, Err(cause))) = self.path().map(|path| (path, build_id(path))) else {
            return Done::Fully;
        };
        complain(format_args!("--vmlinux {}: {cause}", Shown(path)));
        Done::InPart
    }

    /// Reports that a file was not used, and why.
    pub(crate) fn report(&self, symbolizer: &Symbolizer) {
        let usable = self.path().filter(|path| build_id(path).is_ok());
        let Some(path) = usable else {
            return;
        };
        let modules = symbolizer.module_ids().into_iter();
        let sought = modules.flat_map(|module| symbolizer.sought(module));
        let outcomes: Vec<_> = sought
            .filter(|sought| sought.path == path)
            .map(|sought| sought.outcome)
            .collect();
        if outcomes.iter().any(Result::is_ok) {
            return;
        }
        let path = Shown(path);
        match outcomes.into_iter().find_map(Result::err) {
            Some(error) => complain(format_args!(
                "--vmlinux {path}: not used: {}",
                error.cause()
            )),
            None => complain(format_args!(
                "--vmlinux {path}: not used: no address of a kernel with a build ID was looked up"
            )),
        }
    }
}

/// Says why a file can prove nothing.
fn build_id(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| WithWayOut(&error).to_string())?;
    let metadata = file.metadata();
    if !metadata.is_ok_and(|metadata| metadata.is_file()) {
        return Err("not a regular file".to_owned());
    }
    let headers = backsight::headers(&file, None).map_err(|error| error.to_string())?;
    match headers.build_id {
        Some(_) => Ok(()),
        None => Err("it has no build ID, so nothing proves that it is the kernel's".to_owned()),
    }
}
