//! The kernel modules that are loaded, and the kinds of code without a file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use backsight_elf::build_id_in_notes;
use backsight_symbolize::{Kallsyms, KernelCode, KernelSymbol};
use backsight_types::{AbsAddr, BuildId, Module, ModuleIdx, ModuleKind, Reason, VirtOffset};

use super::file_names::FileNames;
use super::layout::one_segment;
use super::loaded::{self, Loaded, LoadedModules};
use super::root::{Root, is_missing};
use super::shortfall::{KernelShortfall, Shortfalls};

const MODULES: &str = "proc/modules";

/// Many times the size of a module's notes.
const MAX_NOTES_BYTES: u64 = 1 << 20;

/// Modules by index: 1 and on are those that are loaded, by address; then come the kinds of code
/// without a file, by name. The image, which is 0, is not part of it.
#[derive(Debug)]
pub(super) struct ModuleTable {
    loaded: LoadedModules,
    without_file: Vec<Box<str>>,
    /// One for each, described when it is asked for.
    described: Vec<OnceLock<Module>>,
    /// Where files of modules are, as the kernel's own root has it.
    folder: Option<String>,
    file_names: OnceLock<FileNames>,
}

impl ModuleTable {
    pub(super) fn read(
        root: &Root,
        release: Option<&str>,
        symbols: &Kallsyms,
        shortfalls: &Shortfalls,
    ) -> Self {
        let others = symbols.functions().filter(has_no_file);
        let others: BTreeSet<&str> = others.filter_map(|symbol| symbol.module).collect();
        let without_file: Vec<Box<str>> = others.into_iter().map(Box::from).collect();
        let loaded = loaded_of(root, symbols, shortfalls);
        let count = loaded.all.len().saturating_add(without_file.len());
        let release = release.filter(|release| is_release(release));
        Self {
            described: std::iter::repeat_with(OnceLock::new).take(count).collect(),
            loaded,
            without_file,
            folder: release.map(|release| format!("/lib/modules/{release}")),
            file_names: OnceLock::new(),
        }
    }

    /// Whether there is no list of the modules that are loaded, or it hides where they are.
    pub(super) fn are_unlisted(&self) -> bool {
        self.loaded.is_missing || self.loaded.hidden > 0
    }

    /// Returns a module by its index.
    pub(super) fn get(
        &self,
        index: ModuleIdx,
        root: &Root,
        shortfalls: &Shortfalls,
    ) -> Option<&Module> {
        let at = index.as_usize().checked_sub(1)?;
        let described = self.described.get(at)?;
        Some(described.get_or_init(|| match self.loaded.all.get(at) {
            Some(loaded) => self.describe(loaded, root, shortfalls),
            None => {
                let name = self.name_of(index).unwrap_or_default();
                let module = Module::default().with_kind(ModuleKind::Kernel);
                module.with_path(format!("[{name}]"))
            }
        }))
    }

    /// Returns the module whose memory an address is in, and where that begins.
    pub(super) fn at(&self, addr: AbsAddr) -> Option<(ModuleIdx, AbsAddr)> {
        let (at, loaded) = self.loaded.at(addr.0)?;
        Some((index_of(at)?, AbsAddr(loaded.base)))
    }

    /// Returns the index of a kind of code without a file.
    pub(super) fn without_file(&self, name: &str) -> Option<ModuleIdx> {
        let at = self
            .without_file
            .binary_search_by(|known| (**known).cmp(name));
        index_of(at.ok()?.checked_add(self.loaded.all.len())?)
    }

    /// Returns whether its code has no file.
    pub(super) fn is_without_file(&self, index: ModuleIdx) -> bool {
        index.as_usize() > self.loaded.all.len()
    }

    /// Returns the kernel's name of a module, or of a kind of code.
    pub(super) fn name_of(&self, index: ModuleIdx) -> Option<&str> {
        let at = index.as_usize().checked_sub(1)?;
        if let Some(loaded) = self.loaded.all.get(at) {
            return Some(&loaded.name);
        }
        let at = at.checked_sub(self.loaded.all.len())?;
        self.without_file.get(at).map(|name| &**name)
    }

    /// Returns the index of the module that is loaded by this name.
    pub(super) fn named(&self, name: &str) -> Option<ModuleIdx> {
        let mut all = self.loaded.all.iter();
        index_of(all.position(|loaded| *loaded.name == *name)?)
    }

    /// Returns the absolute address of the first byte of a module: 0 for code without a file.
    pub(super) fn start_of(&self, index: ModuleIdx) -> Option<AbsAddr> {
        let at = index.as_usize().checked_sub(1)?;
        let loaded = self.loaded.all.get(at);
        Some(AbsAddr(loaded.map_or(0, |loaded| loaded.base)))
    }

    /// Code of a module is laid out as the sections of an object file are by the symbolizer, so
    /// the distance from its base is its virtual offset.
    fn describe(&self, loaded: &Loaded, root: &Root, shortfalls: &Shortfalls) -> Module {
        let Loaded { name, base, size } = loaded;
        let build_id = build_id_of(name, root);
        if build_id.is_none() {
            let name = name.to_string();
            shortfalls.note(KernelShortfall::NoModuleBuildId { name });
        }
        let text = root.line(&format!("sys/module/{name}/sections/.text"));
        let text: Option<AbsAddr> = text.and_then(|text| text.parse().ok());
        // Zero is hidden. Without a list of its sections the base alone counts.
        let elsewhere = text.filter(|text| text.0 != 0 && text.0.wrapping_sub(*base) >= *size);
        if let Some(text) = elsewhere {
            let (name, base) = (name.to_string(), AbsAddr(*base));
            shortfalls.note(KernelShortfall::TextElsewhere { name, text, base });
        }
        let path = self.path_of(name, root);
        Module::default()
            .with_kind(ModuleKind::Kernel)
            .with_path(path.unwrap_or_else(|| format!("[{name}]").into_bytes()))
            .with_build_id(build_id)
            .with_segments(Some(one_segment(VirtOffset(0), *size)))
            .with_unreadable(elsewhere.map(|_| Reason::IdentityUnproven))
    }

    fn path_of(&self, name: &str, root: &Root) -> Option<Vec<u8>> {
        let folder = self.folder.as_deref()?;
        let list = || FileNames::in_folder(&root.path(folder));
        let path = self.file_names.get_or_init(list).of(name).first()?;
        let path = Path::new(folder).join(path);
        Some(path.into_os_string().into_encoded_bytes())
    }
}

fn index_of(at: usize) -> Option<ModuleIdx> {
    u32::try_from(at.checked_add(1)?).ok().map(ModuleIdx)
}

fn build_id_of(name: &str, root: &Root) -> Option<BuildId> {
    let notes = format!("sys/module/{name}/notes/.note.gnu.build-id");
    build_id_in_notes(&root.read(&notes, MAX_NOTES_BYTES).ok()?)
}

fn has_no_file(symbol: &KernelSymbol<'_>) -> bool {
    matches!(symbol.code(), KernelCode::Bpf | KernelCode::Trampoline)
}

/// Returns whether it can be a release: it becomes part of paths.
pub(super) fn is_release(release: &str) -> bool {
    !release.is_empty() && !release.starts_with('.') && !release.contains('/')
}

/// Lists the modules that are loaded. A kernel without loadable modules has no such list.
fn loaded_of(root: &Root, symbols: &Kallsyms, shortfalls: &Shortfalls) -> LoadedModules {
    let is_of_module = |symbol: KernelSymbol<'_>| symbol.code() == KernelCode::Module;
    let loaded = match root.read(MODULES, loaded::MAX_TEXT_BYTES) {
        Ok(text) => LoadedModules::parse(&text),
        Err(error) => {
            if !is_missing(&error) || symbols.functions().any(is_of_module) {
                shortfalls.note(KernelShortfall::NoModules(error));
            }
            LoadedModules {
                is_missing: true,
                ..LoadedModules::default()
            }
        }
    };
    let path = || root.path(MODULES);
    if loaded.skipped_lines > 0 {
        let (path, lines) = (path(), loaded.skipped_lines);
        shortfalls.note(KernelShortfall::SkippedLines { path, lines });
    }
    if loaded.hidden > 0 {
        let (path, modules) = (path(), loaded.hidden);
        shortfalls.note(KernelShortfall::HiddenModules { path, modules });
    }
    loaded
}
