//! Adds a module of the kernel to a symbolizer, with its file if that is found and proven.

use std::path::Path;
use std::sync::Arc;

use backsight_symbolize::{
    ModuleId, ModuleInput, Options, Place, Request, Sought, Symbolizer, Turn,
};
use backsight_types::{BuildId, Lookup, Module, Reason, VirtOffset};

use super::candidate::{Candidates, Proof};
use super::image_file::ImageFile;
use super::installed::Installed;
use super::kernel_file::KernelFile;
use super::layout::{MAX_IMAGE_BYTES, MAX_MODULE_BYTES, one_segment};
use super::module_names::ModuleNames;
use crate::lookup::Known;

/// Functions by which the layout of a module's file is compared with the module in memory.
const COMPARED_FUNCTIONS: usize = 16;

/// Where files of a kernel are looked for, and what names it without files.
#[derive(Debug)]
pub(crate) struct KernelFiles<'f> {
    pub(crate) options: &'f Options,
    pub(crate) installed: &'f Installed,
    /// Whether a file is accepted by its path alone, if the module has no build ID.
    pub(crate) trust_paths: bool,
    /// A file that is looked at before the usual places of `vmlinux`.
    pub(crate) vmlinux: Option<&'f Path>,
    /// The kernel's own list, if the module is one of the running kernel.
    pub(crate) names: Option<ModuleNames>,
}

impl KernelFiles<'_> {
    /// Adds a module to the symbolizer: its file and debug file, or the kernel's list of symbols,
    /// or nothing but its build ID.
    pub(crate) fn introduce(self, symbolizer: &Symbolizer, module: &Module) -> Known {
        match KernelFile::of(&module.path) {
            KernelFile::Image(path) => self.image(symbolizer, module, path),
            KernelFile::Module(name, path) => self.module(symbolizer, module, &name, path),
            KernelFile::None => self.without_file(symbolizer, module),
        }
    }

    fn image(self, symbolizer: &Symbolizer, module: &Module, path: Option<&Path>) -> Known {
        let Some(id) = module.build_id else {
            return self.without_file(symbolizer, module);
        };
        let releases = self.installed.releases(self.options);
        let found = ImageFile::find(id, self.vmlinux, path, releases, self.options);
        let ImageFile { file, text, sought } = found;
        let Some(text) = text else {
            let known = self.without_file(symbolizer, module);
            return noted(symbolizer, known, sought);
        };
        let source = match file {
            Some((file, path)) => ModuleInput::File {
                file: Arc::new(file),
                path: Some(path),
            },
            None => ModuleInput::BuildId(id),
        };
        let segments = Some(one_segment(text, MAX_IMAGE_BYTES));
        let added = symbolizer.add(source, Some(id), segments);
        let mut known = Known::of_kernel(added);
        known.adds_to_same_function = false;
        noted(symbolizer, known, sought)
    }

    fn module(
        self,
        symbolizer: &Symbolizer,
        module: &Module,
        name: &str,
        path: Option<&Path>,
    ) -> Known {
        let proven_otherwise = module.unreadable != Some(Reason::IdentityUnproven);
        let id = module.build_id.filter(|_| proven_otherwise);
        if id.is_none() && !self.trust_paths {
            return self.without_file(symbolizer, module);
        }
        let Candidates { found, sought } = self.file_of_module(id, name, path);
        let segments = module.segments.clone();
        let segments = segments.or_else(|| Some(one_segment(VirtOffset(0), MAX_MODULE_BYTES)));
        let (source, path) = match (found, id) {
            (Some((file, path)), _) => {
                let file = Arc::new(file);
                let shown = Some(path.clone());
                (
                    ModuleInput::File {
                        file,
                        path: Some(path),
                    },
                    shown,
                )
            }
            (None, Some(id)) => (ModuleInput::BuildId(id), None),
            (None, None) => {
                return noted(symbolizer, self.without_file(symbolizer, module), sought);
            }
        };
        let added = symbolizer.add(source, id, segments);
        let mut known = Known::of_kernel(added);
        known.by_path_alone = id.is_none();
        if let Some(names) = &self.names {
            if !is_laid_out_so(symbolizer, added, names) {
                names.note_other_layout(path.as_deref().unwrap_or(module.as_path()));
                return noted(symbolizer, self.without_file(symbolizer, module), sought);
            }
            symbolizer.add_source(added, Turn::After, Arc::new(names.clone()));
        }
        noted(symbolizer, known, sought)
    }

    fn file_of_module(&self, id: Option<BuildId>, name: &str, path: Option<&Path>) -> Candidates {
        let mut paths: Vec<_> = path.map(Path::to_owned).into_iter().collect();
        if paths.is_empty() {
            paths = self.installed.files_of_module(name, self.options);
        }
        let proof = match (id, paths.len()) {
            (None, _) => Proof::Path,
            (Some(id), 0 | 1) => Proof::BuildIdWhenRead(id),
            (Some(id), _) => Proof::BuildId(id),
        };
        let mut candidates = Candidates::default();
        for path in paths {
            candidates.look_at(&path, proof, self.options);
        }
        candidates
    }

    /// Adds the kernel's list of symbols, or the build ID, by which a debug file may be found.
    fn without_file(&self, symbolizer: &Symbolizer, module: &Module) -> Known {
        let Some(names) = &self.names else {
            // Without the image's `_text`, an offset in it leads to no symbol.
            return Known::without_id(Reason::Kernel);
        };
        let source = ModuleInput::Symbols(Arc::new(names.clone()));
        let segments = Some(names.segments().clone());
        let mut known = Known::of_kernel(symbolizer.add(source, module.build_id, segments));
        known.may_add_lines = false;
        known
    }
}

fn noted(symbolizer: &Symbolizer, known: Known, sought: Vec<Sought>) -> Known {
    if let Some(id) = known.id {
        for sought in sought {
            symbolizer.note_sought(id, sought);
        }
    }
    known
}

/// Returns whether functions begin in the file where they begin in memory. The kernel lays out
/// a module itself, and its build ID does not tell how.
fn is_laid_out_so(symbolizer: &Symbolizer, module: ModuleId, names: &ModuleNames) -> bool {
    let starts = names.some_starts(COMPARED_FUNCTIONS);
    let request = |start: &VirtOffset| Request::new(module, Place::Virt(*start), Lookup::Exact);
    let requests: Vec<Request> = starts.iter().map(request).collect();
    let (mut same, mut other) = (0_usize, 0_usize);
    for (found, start) in symbolizer.symbolize(&requests).iter().zip(&starts) {
        let physical = found.as_ref().ok().and_then(|frames| frames.last());
        match physical.and_then(|frame| frame.start) {
            Some(found) if found == *start => same = same.saturating_add(1),
            Some(_) => other = other.saturating_add(1),
            None => {}
        }
    }
    // Without the file there is nothing to compare, and the list names everything.
    same > other || starts.is_empty() || symbolizer.load(module).is_err()
}
