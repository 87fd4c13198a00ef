//! The running kernel, with its modules in a symbolizer.

use std::sync::Arc;

use backsight_formats::ndjson::AddressLine;
use backsight_symbolize::Symbolizer;
use backsight_types::{AbsAddr, Lookup, Module, ModuleIdx};

use super::error::KernelError;
use super::installed::Installed;
use super::introduce::KernelFiles;
use super::module_names::ModuleNames;
use super::options::KernelOptions;
use super::running::RunningKernel;
use crate::lookup::{Known, Lookups};

/// Symbolizes addresses of the kernel that runs here.
///
/// Functions have the names that the kernel lists. With `vmlinux` and the `.ko` files, or their
/// debug files, they have inlined calls, files and lines, too.
///
/// ```no_run
/// use backsight::{KernelOptions, LiveKernel};
/// use backsight::types::{AbsAddr, Lookup};
///
/// let mut kernel = LiveKernel::open(KernelOptions::default())?;
/// let asked = [(AbsAddr(0xffff_ffff_8101_2345), Lookup::Exact)];
/// let found = kernel.begin(asked).look_up(kernel.symbolizer());
/// found.each(|answer| Ok::<(), std::convert::Infallible>(println!("{:?}", answer.frames)));
/// # Ok::<(), backsight::KernelError>(())
/// ```
#[derive(Debug)]
pub struct LiveKernel {
    session: KernelSession,
    symbolizer: Symbolizer,
}

impl LiveKernel {
    /// Opens the kernel that runs here.
    ///
    /// # Errors
    /// If its list of symbols cannot be read, or has no addresses for this user.
    pub fn open(options: KernelOptions) -> Result<Self, KernelError> {
        let session = KernelSession::open(options)?;
        Ok(Self {
            symbolizer: Symbolizer::new(session.kernel.symbol_options()),
            session,
        })
    }

    /// Returns the kernel.
    pub fn kernel(&self) -> &RunningKernel {
        &self.session.kernel
    }

    /// Normalizes addresses. Look the result up with [`symbolizer`](Self::symbolizer).
    pub fn begin(
        &mut self,
        asked: impl IntoIterator<Item = (AbsAddr, Lookup)>,
    ) -> Lookups<'static> {
        let mut batch = Lookups::default();
        for (addr, lookup) in asked {
            let (answer, known) = self.session.answer(addr, lookup, &self.symbolizer);
            batch.push(answer, known);
        }
        batch
    }

    /// Returns the module that an answer refers to.
    pub fn module_of(&self, answer: &AddressLine<'_>) -> Option<&Module> {
        self.session.kernel.module(answer.module?)
    }

    /// Returns the symbolizer, which reports the files it looked for.
    pub fn symbolizer(&self) -> &Symbolizer {
        &self.symbolizer
    }
}

/// The running kernel, and which of its modules a symbolizer has.
#[derive(Debug)]
pub(crate) struct KernelSession {
    kernel: Arc<RunningKernel>,
    installed: Installed,
    /// One for each module.
    known: Vec<Option<Known>>,
}

impl KernelSession {
    pub(crate) fn open(options: KernelOptions) -> Result<Self, KernelError> {
        let kernel = RunningKernel::open(options)?;
        Ok(Self {
            installed: Installed::one(kernel.release()),
            kernel: Arc::new(kernel),
            known: Vec::new(),
        })
    }

    pub(crate) fn kernel(&self) -> &RunningKernel {
        &self.kernel
    }

    /// Returns an address with the name that the kernel lists, and its module in the symbolizer.
    pub(crate) fn answer(
        &mut self,
        addr: AbsAddr,
        lookup: Lookup,
        symbolizer: &Symbolizer,
    ) -> (AddressLine<'static>, Option<Known>) {
        let answer = self.kernel.answer(addr, lookup);
        let known = answer
            .module
            .and_then(|index| self.known(index, symbolizer));
        (answer, known)
    }

    fn known(&mut self, index: ModuleIdx, symbolizer: &Symbolizer) -> Option<Known> {
        let at = index.as_usize();
        if self.known.len() <= at {
            self.known.resize(at.saturating_add(1), None);
        }
        let slot = self.known.get_mut(at)?;
        if slot.is_none() {
            let module = self.kernel.module(index)?;
            let options = self.kernel.symbol_options();
            let files = KernelFiles {
                options: &options,
                installed: &self.installed,
                trust_paths: false,
                vmlinux: self.kernel.vmlinux(),
                names: ModuleNames::new(&self.kernel, index, module),
            };
            *slot = Some(files.introduce(symbolizer, module));
        }
        *slot
    }
}
