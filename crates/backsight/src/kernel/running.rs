//! The kernel that runs here, and the places of its addresses.

use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use backsight_elf::build_id_in_notes;
use backsight_formats::ndjson::{AddressLine, JsonFrame};
use backsight_symbolize::{BpfSource, Kallsyms, KallsymsError, KernelSymbol, demangle};
use backsight_types::{
    AbsAddr, BuildId, FileError, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, Outcome,
    Reason, VirtOffset,
};

use super::area::Area;
use super::bpf_lines::LoadedBpfLines;
use super::error::KernelError;
use super::image_file::ImageFile;
use super::kcore;
use super::layout::{MAX_IMAGE_BYTES, one_segment};
use super::module_table::ModuleTable;
use super::options::KernelOptions;
use super::root::Root;
use super::shortfall::{KernelShortfall, Shortfalls};

/// What `perf` calls the image of the running kernel, and recordings have.
pub(crate) const IMAGE_PATH: &[u8] = b"[kernel.kallsyms]";

const KALLSYMS: &str = "proc/kallsyms";
const NOTES: &str = "sys/kernel/notes";

/// Many times the size of a kernel's notes.
const MAX_NOTES_BYTES: u64 = 1 << 20;

/// Bytes of a demangled name at most.
const MAX_NAME_BYTES: usize = 64 << 10;

/// The first address of the kernel half.
const KERNEL_HALF: u64 = 0xff00_0000_0000_0000;

/// The kernel that runs here, as it was when this was opened.
///
/// Its [modules](Self::module) are the image, the kernel modules that are loaded, and one for
/// each kind of code without a file: BPF programs (`[bpf]`) and trampolines of ftrace
/// (`[__builtin__ftrace]`). Offsets count from the first address of the image (`_text`) or
/// of the module; in code without a file, an offset is the address.
///
/// ```no_run
/// use backsight::{KernelOptions, RunningKernel};
/// use backsight::types::{AbsAddr, Lookup};
///
/// let kernel = RunningKernel::open(KernelOptions::default())?;
/// let place = kernel.locate(AbsAddr(0xffff_ffff_8101_2345), Lookup::Exact);
/// println!("{:?} {:?}", place.outcome, place.symbol.map(|symbol| symbol.name));
/// # Ok::<(), backsight::KernelError>(())
/// ```
#[derive(Debug)]
pub struct RunningKernel {
    root: Root,
    options: KernelOptions,
    release: Option<String>,
    build_id: Option<BuildId>,
    symbols: Arc<Kallsyms>,
    modules: ModuleTable,
    /// Described when it is asked for.
    image: OnceLock<Module>,
    kaslr_offset: OnceLock<Option<u64>>,
    bpf_lines: LoadedBpfLines,
    shortfalls: Shortfalls,
}

/// Where an address of the kernel is, and in which function.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KernelPlace<'k> {
    /// The module and the offset in it; or [`Reason::Kernel`] for an address of the kernel half
    /// whose code is not known, [`Reason::Unmapped`] for any other.
    pub outcome: Outcome,
    /// The function, by the kernel's own list.
    pub symbol: Option<KernelSymbol<'k>>,
}

impl RunningKernel {
    /// Reads what the kernel lists of itself. Needs root or `CAP_SYSLOG`: others see no
    /// addresses.
    ///
    /// # Errors
    /// If the list of symbols cannot be read, has none, or has no addresses.
    pub fn open(options: KernelOptions) -> Result<Self, KernelError> {
        let root = Root::new(&options.root);
        let symbols = Kallsyms::read(BufReader::new(root.open(KALLSYMS)?))
            .map_err(|error| list_error(&root, error))?;
        Ok(Self::with_list(options, root, Arc::new(symbols)))
    }

    /// Like [`open`](Self::open), where its list of symbols was read before.
    pub(crate) fn listed(options: KernelOptions, symbols: Arc<Kallsyms>) -> Self {
        let root = Root::new(&options.root);
        Self::with_list(options, root, symbols)
    }

    fn with_list(options: KernelOptions, root: Root, symbols: Arc<Kallsyms>) -> Self {
        let shortfalls = Shortfalls::default();
        note_list(&symbols, &root, &shortfalls);
        let notes = root.read(NOTES, MAX_NOTES_BYTES).ok();
        let build_id = notes.and_then(|notes| build_id_in_notes(&notes));
        if build_id.is_none() {
            let path = root.path(NOTES);
            shortfalls.note(KernelShortfall::NoBuildId { path });
        }
        let release = root.line("proc/sys/kernel/osrelease");
        Self {
            modules: ModuleTable::read(&root, release.as_deref(), &symbols, &shortfalls),
            release,
            build_id,
            symbols,
            image: OnceLock::new(),
            kaslr_offset: OnceLock::new(),
            bpf_lines: LoadedBpfLines::default(),
            shortfalls,
            root,
            options,
        }
    }

    /// Returns its release, as printed by `uname -r`.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// Returns the build ID of its image.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        self.build_id
    }

    /// Returns its list of symbols.
    #[must_use]
    pub fn symbols(&self) -> &Kallsyms {
        &self.symbols
    }

    /// Returns the address where its image begins, `_text`.
    #[must_use]
    pub fn text(&self) -> Option<AbsAddr> {
        let image = || Some(self.symbols.image()?.start);
        self.symbols.text().or_else(image)
    }

    /// Returns by how many bytes KASLR moved the image: 0 without KASLR. `None` if neither
    /// `/proc/kcore` nor a `vmlinux` with the kernel's build ID tells it.
    #[must_use]
    pub fn kaslr_offset(&self) -> Option<u64> {
        *self.kaslr_offset.get_or_init(|| {
            let told = self.root.open("proc/kcore").ok();
            told.and_then(kcore::kaslr_offset).or_else(|| {
                let options = self.symbol_options();
                let release: Vec<String> = self.release.iter().cloned().collect();
                let given = self.vmlinux();
                let vmlinux = ImageFile::find(self.build_id?, given, None, &release, &options);
                self.text()?.0.checked_sub(vmlinux.text?.0)
            })
        })
    }

    /// Returns a module of an outcome; the image is the first.
    #[must_use]
    pub fn module(&self, index: ModuleIdx) -> Option<&Module> {
        match index {
            ModuleIdx(0) => Some(self.image.get_or_init(|| self.describe_image())),
            _ => self.modules.get(index, &self.root, &self.shortfalls),
        }
    }

    /// Returns where an address is. The function of a return address is that of the byte before,
    /// which belongs to the call.
    #[must_use]
    pub fn locate(&self, addr: AbsAddr, lookup: Lookup) -> KernelPlace<'_> {
        let at = addr.0.checked_sub(bytes_back(lookup)).map(AbsAddr);
        let found = at.and_then(|at| Area::of(at, self.text(), &self.symbols, &self.modules));
        let reason = match addr.0 {
            KERNEL_HALF.. => Reason::Kernel,
            _ => Reason::Unmapped,
        };
        let located = |area: &Area<'_>| Outcome::Located {
            module: area.module,
            file_offset: FileOffset(addr.0.saturating_sub(area.start.0)),
        };
        let symbol = match &found {
            Some(area) => area.symbol,
            None => {
                at.and_then(|at| Area::name_alone(at, self.text(), &self.symbols, &self.modules))
            }
        };
        KernelPlace {
            outcome: found.as_ref().map_or(Outcome::Unresolved(reason), located),
            symbol,
        }
    }

    /// Returns an address as the formats have it: its module and offset, and the name of its
    /// function, which another host cannot look up without the kernel's files. In a BPF program,
    /// whose file and line no other host can look up, it has these as well.
    #[must_use]
    pub fn answer(&self, addr: AbsAddr, lookup: Lookup) -> AddressLine<'static> {
        let KernelPlace { outcome, symbol } = self.locate(addr, lookup);
        let Outcome::Located {
            module,
            file_offset,
        } = outcome
        else {
            let mut answer = AddressLine::normalized(addr, lookup, outcome, None);
            if let Some(symbol) = symbol {
                // The name is all that is known.
                answer.reason = None;
                answer.frames = vec![self.frame(&symbol, addr, lookup)];
            }
            return answer;
        };
        let described = self.module(module);
        let mut answer = AddressLine::normalized(addr, lookup, outcome, described);
        if self.modules.is_without_file(module) {
            answer.virtual_offset = Some(VirtOffset(file_offset.0));
        }
        // Both are of one space, so the distance to the function's start is the same in it.
        let start = |symbol: &KernelSymbol<'_>| {
            let into = addr.distance_from(symbol.start)?;
            answer.virtual_offset?.0.checked_sub(into).map(VirtOffset)
        };
        let start_file_offset = |symbol: &KernelSymbol<'_>| {
            let into = addr.distance_from(symbol.start)?;
            let start = file_offset.0.checked_sub(into).map(FileOffset);
            start.filter(|_| answer.virtual_offset.is_none())
        };
        if let Some(symbol) = symbol {
            answer.frames = vec![JsonFrame {
                start: start(&symbol),
                start_file_offset: start_file_offset(&symbol),
                ..self.frame(&symbol, addr, lookup)
            }];
        }
        answer
    }

    /// Returns the frame of a function that the kernel lists.
    fn frame(
        &self,
        symbol: &KernelSymbol<'_>,
        addr: AbsAddr,
        lookup: Lookup,
    ) -> JsonFrame<'static> {
        let name = symbol.name.to_owned();
        let shown = demangle(&name, MAX_NAME_BYTES);
        let (function, linkage_name) = match shown {
            Some(shown) => (shown, Some(name.into())),
            None => (name, None),
        };
        let at = AbsAddr(addr.0.saturating_sub(bytes_back(lookup)));
        let source = self.bpf_source(symbol.name, symbol.start, at);
        let file = source.and_then(|source| source.file);
        JsonFrame {
            function: Some(function.into()),
            linkage_name,
            file: file.map(|file| file.to_owned().into()),
            line: source.and_then(|source| source.line),
            column: source.and_then(|source| source.column),
            ..JsonFrame::default()
        }
    }

    /// Returns the source of an address in the function of this name that begins at `start`, if
    /// it is one of a BPF program.
    pub(crate) fn bpf_source(
        &self,
        name: &str,
        start: AbsAddr,
        addr: AbsAddr,
    ) -> Option<BpfSource<'_>> {
        self.bpf_lines.at(name, start, addr, &self.shortfalls)
    }

    /// Returns what is not known of it, as far as it was asked for.
    #[must_use]
    pub fn shortfalls(&self) -> Vec<KernelShortfall> {
        self.shortfalls.list()
    }

    /// Returns the options of a symbolizer for its files.
    #[must_use]
    pub fn symbol_options(&self) -> backsight_symbolize::Options {
        let mut options = self.options.symbols.clone();
        let root = self.root.as_path();
        if root != Path::new("/") && !options.roots.iter().any(|known| known == root) {
            options.roots.insert(0, root.to_owned());
        }
        options
    }

    /// Returns the file that is looked at before the usual places of `vmlinux`.
    pub(super) fn vmlinux(&self) -> Option<&Path> {
        self.options.vmlinux.as_deref()
    }

    /// Notes that a module's file is laid out in another way than the module is.
    pub(super) fn note_other_layout(&self, path: &Path) {
        let path = path.to_owned();
        self.shortfalls.note(KernelShortfall::OtherLayout { path });
    }

    /// Returns the kernel module of this name, if it is loaded at this address.
    pub(crate) fn loaded_at(&self, name: &str, start: AbsAddr) -> Option<&Module> {
        let index = self.modules.named(name)?;
        let is_there = self.modules.start_of(index) == Some(start);
        is_there.then(|| self.module(index)).flatten()
    }

    /// Returns its kernel modules, and the code without a file.
    pub(super) fn modules(&self) -> &ModuleTable {
        &self.modules
    }

    /// Returns the absolute address of the first byte of a module: 0 for code without a file.
    pub(super) fn start_of(&self, index: ModuleIdx) -> Option<AbsAddr> {
        match index {
            ModuleIdx(0) => self.text(),
            _ => self.modules.start_of(index),
        }
    }

    fn describe_image(&self) -> Module {
        let segments = || {
            let virt = self.text()?.0.checked_sub(self.kaslr_offset()?)?;
            Some(one_segment(VirtOffset(virt), MAX_IMAGE_BYTES))
        };
        Module::default()
            .with_kind(ModuleKind::Kernel)
            .with_path(IMAGE_PATH)
            .with_build_id(self.build_id)
            .with_segments(segments())
    }
}

/// Returns how many bytes before an address is what is looked up.
fn bytes_back(lookup: Lookup) -> u64 {
    match lookup {
        Lookup::Exact => 0,
        Lookup::Return => 1,
    }
}

fn list_error(root: &Root, error: KallsymsError) -> FileError<KallsymsError> {
    FileError::new("read", Some(&root.path(KALLSYMS)), error)
}

/// Notes what the list of symbols lacks.
fn note_list(symbols: &Kallsyms, root: &Root, shortfalls: &Shortfalls) {
    let path = || root.path(KALLSYMS);
    if symbols.skipped_lines() > 0 {
        let (path, lines) = (path(), symbols.skipped_lines());
        shortfalls.note(KernelShortfall::SkippedLines { path, lines });
    }
    if symbols.is_cut() {
        shortfalls.note(KernelShortfall::CutOff { path: path() });
    }
    if symbols.text().is_none() && symbols.image().is_none() {
        shortfalls.note(KernelShortfall::NoText { path: path() });
    }
}
