//! Addresses of the kernel in the stacks of a live process.

use std::path::PathBuf;

use backsight_formats::ndjson::AddressLine;
use backsight_symbolize::{Options, Symbolizer};
use backsight_types::{AbsAddr, Lookup, Module, ModuleIdx};

use crate::kernel::{KernelError, KernelOptions, KernelSession, RunningKernel};
use crate::lookup::Known;

/// The kernel's modules have the indexes from here on, since those of the process grow. No
/// process has so many.
const FIRST_INDEX: u32 = 1 << 31;

/// The names that the running kernel lists, for addresses of it in the stacks of a live process.
/// The kernel is opened when the first of them is looked up.
#[derive(Debug)]
pub struct LiveKernelNames {
    /// How it is opened; `None` once it was, or if its addresses are not looked up.
    unopened: Option<KernelOptions>,
    opened: Option<Result<KernelSession, KernelError>>,
}

impl LiveKernelNames {
    /// Looks for the kernel beneath this directory; nowhere if `None`. `symbols` says where its
    /// files are.
    #[must_use]
    pub fn new(root: Option<PathBuf>, symbols: &Options) -> Self {
        let options = |root| {
            KernelOptions::default()
                .with_root(root)
                .with_symbols(symbols.clone())
        };
        Self::of(root.map(options))
    }

    /// Looks for the kernel as these options say; nowhere if `None`.
    pub(crate) fn of(options: Option<KernelOptions>) -> Self {
        Self {
            unopened: options,
            opened: None,
        }
    }

    /// Returns an address with the name that the kernel lists, and its module in the symbolizer.
    /// `None` if the kernel lists nothing, or this address is not known.
    pub(crate) fn answer(
        &mut self,
        addr: AbsAddr,
        lookup: Lookup,
        symbolizer: &Symbolizer,
    ) -> Option<(AddressLine<'static>, Option<Known>)> {
        let (answer, known) = self.open()?.answer(addr, lookup, symbolizer);
        Some((with_own_index(answer)?, known))
    }

    /// Returns an address with its module and the name that the kernel lists, which no other host
    /// can look up without the kernel's files. `None` if the kernel lists nothing, or this address
    /// is not known.
    pub fn listed(&mut self, addr: AbsAddr, lookup: Lookup) -> Option<AddressLine<'static>> {
        with_own_index(self.open()?.kernel().answer(addr, lookup))
    }

    fn open(&mut self) -> Option<&mut KernelSession> {
        if let Some(options) = self.unopened.take() {
            self.opened = Some(KernelSession::open(options));
        }
        self.opened.as_mut()?.as_mut().ok()
    }

    /// Returns the module of an index, if it is one of the kernel's.
    #[must_use]
    pub fn module(&self, index: ModuleIdx) -> Option<&Module> {
        let own = index.0.checked_sub(FIRST_INDEX)?;
        self.get()?.ok()?.module(ModuleIdx(own))
    }

    /// Returns the kernel, or why nothing is known of it; `None` if it was not asked for.
    #[must_use]
    pub fn get(&self) -> Option<Result<&RunningKernel, &KernelError>> {
        let opened = self.opened.as_ref()?;
        Some(opened.as_ref().map(KernelSession::kernel))
    }
}

/// Replaces the kernel's index of the module by the one that it has beside those of a process.
fn with_own_index(mut answer: AddressLine<'static>) -> Option<AddressLine<'static>> {
    let index = answer.module?.0.checked_add(FIRST_INDEX)?;
    answer.module = Some(ModuleIdx(index));
    Some(answer)
}
