//! The kernel's own list of symbols as a source of names for one of its modules.

use std::sync::Arc;

use backsight_symbolize::{Detail, Frame, Frames, SymbolSource, demangle};
use backsight_types::{AbsAddr, Lookup, Module, ModuleIdx, Outcome, Segments, VirtOffset};

use super::kernel_file::KernelFile;
use super::layout::{MAX_IMAGE_BYTES, one_segment};
use super::running::RunningKernel;

/// Bytes of a demangled name at most.
const MAX_NAME_BYTES: usize = 64 << 10;

/// The names of one module of the running kernel, by virtual offset.
#[derive(Clone, Debug)]
pub(crate) struct ModuleNames {
    kernel: Arc<RunningKernel>,
    index: ModuleIdx,
    segments: Segments,
    /// An absolute address minus its virtual offset.
    load_bias: u64,
    /// Whether virtual offsets are those of the file: not so of an image whose KASLR offset is
    /// unknown. There they are distances from `_text`.
    is_of_file: bool,
}

impl ModuleNames {
    /// Returns the names of a captured module, if the build ID proves that it is one of the
    /// running kernel.
    pub(crate) fn of_captured(kernel: &Arc<RunningKernel>, module: &Module) -> Option<Self> {
        let id = module.build_id?;
        let index = match KernelFile::of(&module.path) {
            KernelFile::Image(_) => ModuleIdx(0),
            KernelFile::Module(name, _) => kernel.modules().named(&name)?,
            KernelFile::None => return None,
        };
        let is_it = kernel.module(index)?.build_id == Some(id);
        is_it.then(|| Self::new(kernel, index, module)).flatten()
    }

    /// Returns the names of a module, whose segments may be known from where it was captured.
    pub(super) fn new(
        kernel: &Arc<RunningKernel>,
        index: ModuleIdx,
        module: &Module,
    ) -> Option<Self> {
        let start = kernel.start_of(index)?;
        let own = kernel.module(index)?;
        let mut known = [&module.segments, &own.segments].into_iter().flatten();
        let known = known.find(|segments| !segments.as_slice().is_empty());
        let of_distance = || one_segment(VirtOffset(0), MAX_IMAGE_BYTES);
        let segments = known.cloned().unwrap_or_else(of_distance);
        let first = segments.as_slice().first()?;
        Some(Self {
            load_bias: start
                .0
                .wrapping_sub(first.virt_offset.0.wrapping_sub(first.file_offset.0)),
            is_of_file: known.is_some(),
            kernel: Arc::clone(kernel),
            index,
            segments,
        })
    }

    /// Returns how offsets in the module become those that the names are looked up by.
    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Returns some of the functions that the list has in the module: the virtual offsets where
    /// they begin.
    pub(super) fn some_starts(&self, count: usize) -> Vec<VirtOffset> {
        let functions = self.kernel.symbols().functions();
        let mine = functions.filter(|symbol| self.is_mine(symbol.start));
        let starts: Vec<u64> = mine.map(|symbol| symbol.start.0).collect();
        let step = starts.len().div_ceil(count.max(1)).max(1);
        let some = starts.into_iter().step_by(step);
        some.map(|start| VirtOffset(start.wrapping_sub(self.load_bias)))
            .collect()
    }

    /// Notes that a file of the module is laid out in another way than the module is.
    pub(super) fn note_other_layout(&self, path: &std::path::Path) {
        self.kernel.note_other_layout(path);
    }

    fn is_mine(&self, addr: AbsAddr) -> bool {
        let place = self.kernel.locate(addr, Lookup::Exact);
        matches!(place.outcome, Outcome::Located { module, .. } if module == self.index)
    }
}

impl SymbolSource for ModuleNames {
    fn detail(&self) -> Detail {
        Detail::Names
    }

    fn find(&self, place: VirtOffset) -> Option<Frames> {
        let addr = AbsAddr(place.0.wrapping_add(self.load_bias));
        let symbol = self.kernel.locate(addr, Lookup::Exact).symbol?;
        if !self.is_mine(addr) {
            return None;
        }
        let shown = demangle(symbol.name, MAX_NAME_BYTES);
        let mut frame = Frame::named(shown.as_deref().unwrap_or(symbol.name));
        frame.linkage_name = Some(symbol.name.into());
        let start = symbol.start.0.wrapping_sub(self.load_bias);
        frame.start = self.is_of_file.then_some(VirtOffset(start));
        Frames::of(vec![frame])
    }
}
