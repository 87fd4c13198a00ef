//! Where the files of modules are looked for: the same for all commands.

use std::path::PathBuf;

use backsight_symbolize::Options;

use crate::failure::{Cause, complain};
use crate::file::Shown;
use crate::perf_cache;

/// Where files are looked for.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DebugFiles {
    /// Look here too, and first, for separate debug files, as DIR/.build-id/xx/rest.debug or
    /// by their debug links, and for files that are not under their path, as
    /// DIR/.build-id/xx/rest or DIR/.build-id/xx/rest/elf; may be given several times
    #[arg(long, value_name = "DIR")]
    debug_dir: Vec<PathBuf>,

    /// Look into no other folders than those of --debug-dir: not into /usr/lib/debug, nor
    /// into perf's cache ($PERF_BUILDID_DIR, buildid.dir in ~/.perfconfig, or ~/.debug)
    #[arg(long)]
    no_default_debug_dir: bool,

    /// The root directory that the files' paths begin at: they and their debug files are
    /// looked for in it before they are on this host [default: a live process's own]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Take the file that stands under a module's path, inside --root or on this host, where
    /// neither a build ID nor device and inode can prove that it is the one. The output says
    /// so: such names may be those of another version
    #[arg(long)]
    pub(crate) trust_paths: bool,
}

impl DebugFiles {
    /// Says which folders are none. The others may still do.
    pub(crate) fn check(&self) {
        let debug_dirs = self.debug_dir.iter().map(|dir| ("--debug-dir", dir));
        let root = self.root.iter().map(|dir| ("--root", dir));
        for (flag, dir) in debug_dirs.chain(root) {
            let inside = |root: &PathBuf| Some(root.join(dir.strip_prefix("/").ok()?));
            if (self.root.as_ref().and_then(inside)).is_some_and(|dir| dir.is_dir()) {
                continue;
            }
            let cause = match dir.metadata() {
                Ok(metadata) if metadata.is_dir() => continue,
                Ok(_) => "not a directory".to_owned(),
                Err(error) => Cause(&error).to_string(),
            };
            complain(format_args!("{flag} {}: {cause}", Shown(dir)));
        }
    }

    /// Whether nothing was said.
    pub(crate) fn is_default(&self) -> bool {
        let folders = self.debug_dir.is_empty() && self.root.is_none();
        folders && !self.no_default_debug_dir && !self.trust_paths
    }

    /// Returns what the symbolizer is told of them.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.root.clone_from(&self.root);
        let defaults = std::mem::take(&mut options.debug_dirs).into_iter();
        let defaults = defaults.chain(perf_cache::folder());
        options.debug_dirs.clone_from(&self.debug_dir);
        if !self.no_default_debug_dir {
            options.debug_dirs.extend(defaults);
        }
        options
    }
}
