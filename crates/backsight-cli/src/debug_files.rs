//! Flags for finding the files of modules and bounding their memory, common to all commands.

use std::mem;
use std::path::PathBuf;

use backsight_symbolize::Options;

use crate::args::parse_size;
use crate::failure::{Done, WithWayOut, complain};
use crate::fetchers::Fetchers;
use crate::file::Shown;
use crate::memory;
use crate::perf_cache;
use crate::store_dir;

/// Where files are looked for.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DebugFiles {
    /// Additional directory to search first: for separate debug files at
    /// DIR/.build-id/xx/rest.debug or by debug link, and for modules not found at their paths at
    /// DIR/.build-id/xx/rest or DIR/.build-id/xx/rest/elf; may be given several times
    #[arg(long, value_name = "DIR")]
    debug_dir: Vec<PathBuf>,

    /// Search no other directories than those of --debug-dir: neither the store (`backsight store`)
    /// nor /usr/lib/debug nor perf's cache ($PERF_BUILDID_DIR, buildid.dir in ~/.perfconfig, or
    /// ~/.debug)
    #[arg(long)]
    no_default_debug_dir: bool,

    /// A root directory for the paths of files: files and their debug files are looked for in it
    /// before they are on this host; may be given several times, searched in that order
    /// [default: the root of the live process]
    #[arg(long, value_name = "DIR")]
    root: Vec<PathBuf>,

    /// Accept the file at a module's path, inside --root or on this host, even if neither a
    /// build ID nor device and inode prove that it is the same file. The output reports this,
    /// because names may be those of another version
    #[arg(long)]
    pub(crate) trust_paths: bool,

    /// Memory limit for decompressing the debug information of one file. A file that needs more
    /// is reported on standard error, and its functions come from symbol tables, without lines
    /// [default: half of the available memory; 256M for a file that decompresses to more than 16
    /// times its size]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    max_unpacked: Option<u64>,

    #[command(flatten)]
    pub(crate) fetchers: Fetchers,
}

impl DebugFiles {
    /// Reports directories that do not exist, and servers and buckets that cannot be asked. The others are
    /// still used.
    pub(crate) fn check(&self) -> Done {
        let mut done = match self.fetchers.can_all_be_asked() {
            true => Done::Fully,
            false => Done::InPart,
        };
        let debug_dirs = self.debug_dir.iter().map(|dir| ("--debug-dir", dir));
        let root = self.root.iter().map(|dir| ("--root", dir));
        for (flag, dir) in debug_dirs.chain(root) {
            // A debug directory may exist only inside a root.
            let path = dir.strip_prefix("/").ok().filter(|_| flag == "--debug-dir");
            let is_inside = |path| self.root.iter().any(|root| root.join(path).is_dir());
            if path.is_some_and(is_inside) {
                continue;
            }
            let cause = match dir.metadata() {
                Ok(metadata) if metadata.is_dir() => continue,
                Ok(_) => "not a directory".to_owned(),
                Err(error) => WithWayOut(&error).to_string(),
            };
            complain(format_args!("{flag} {}: {cause}", Shown(dir)));
            done = Done::InPart;
        }
        done
    }

    /// Whether no flag was given.
    pub(crate) fn is_default(&self) -> bool {
        let folders = self.debug_dir.is_empty() && self.root.is_empty();
        let unbounded = self.max_unpacked.is_none();
        let local = self.fetchers.is_default();
        folders && unbounded && local && !self.no_default_debug_dir && !self.trust_paths
    }

    /// Returns the user's store, if there is one and it is searched.
    pub(crate) fn store(&self) -> Option<PathBuf> {
        let store = store_dir::default_dir().filter(|_| !self.no_default_debug_dir);
        store.filter(|dir| dir.is_dir())
    }

    /// Returns the options for the symbolizer.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.roots.clone_from(&self.root);
        // What the user added to the store is preferred; most users have none.
        let defaults = self
            .store()
            .into_iter()
            .chain(mem::take(&mut options.debug_dirs));
        let defaults = defaults.chain(perf_cache::directory());
        options.debug_dirs.clone_from(&self.debug_dir);
        if !self.no_default_debug_dir {
            options.debug_dirs.extend(defaults);
        }
        options.fetchers.extend(self.fetchers.all());
        self.bound(&mut options);
        options
    }

    /// Sets memory limits according to the available memory.
    fn bound(&self, options: &mut Options) {
        let (limits, budget) = (&mut options.limits, &mut options.budget);
        if let Some(half) = memory::available().map(|bytes| bytes / 2) {
            limits.unpacked_bytes = half;
            budget.indexing_bytes = budget.indexing_bytes.min(half);
            budget.kept_bytes = budget.kept_bytes.min(half);
        }
        if let Some(most) = self.max_unpacked {
            limits.unpacked_bytes = most;
            // If the user names a limit, the file is trusted to decompress to that size,
            // whatever the ratio.
            limits.unpack_ratio_exempt_bytes = most;
            budget.indexing_bytes = budget.indexing_bytes.max(most);
        }
        // A file that cannot be mapped is read into memory.
        limits.file_bytes = limits.file_bytes.max(limits.unpacked_bytes);
    }
}
