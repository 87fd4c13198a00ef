//! What records say of a process: the mappings to fall back on when it has ended.

use std::sync::Arc;

use backsight_types::trace::Mmap;
use backsight_types::{AbsAddr, AbsRange, Outcome, Reason};
use vma_query::{Error, Vma};

use crate::address_space::AddressSpace;
use crate::batch::VmaSource;
use crate::shared_modules::Modules;
use crate::span::{PENDING, Span};
use crate::trace_modules::TraceModules;

/// The mappings that the caller reported. A copy shares them until one is changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    space: AddressSpace,
    /// The files, by the indices in `space`.
    files: Arc<TraceModules>,
}

impl Records {
    pub(crate) fn map(&mut self, mapping: &Mmap) {
        // No PID is that of the kernel's mappings.
        let mapped = Arc::make_mut(&mut self.files).mapped(0, mapping);
        self.space.map(mapped);
    }

    pub(crate) fn unmap(&mut self, range: AbsRange) {
        self.space.unmap(range);
    }
}

/// The smallest page size of all machines that Linux runs on.
const SMALLEST_PAGE: u64 = 4096;

/// Looks up VMAs of a process that has ended in what was recorded of it.
pub(crate) struct RecordedVmas<'p> {
    pub(crate) records: &'p Records,
    pub(crate) modules: &'p mut Modules,
}

impl VmaSource for RecordedVmas<'_> {
    fn reads_upwards(&self) -> bool {
        false
    }

    fn vma_now(&mut self, _: AbsAddr) -> Result<Option<Vma>, Error> {
        // Spans of an ended process are never stale: there is nobody to ask again.
        Ok(None)
    }

    fn is_still(&self, _: &Vma, _: Outcome) -> bool {
        true
    }

    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        let Some(mapped) = self.records.space.covering(addr) else {
            // Nothing says what was there. A page is the most that one address tells of.
            let page = AbsAddr(addr.0 & !SMALLEST_PAGE.wrapping_sub(1));
            let end = AbsAddr(page.0.saturating_add(SMALLEST_PAGE));
            return Ok(Span::of(AbsRange { start: page, end }, PENDING));
        };
        let outcome = match mapped.outcome() {
            Outcome::Located {
                module,
                file_offset,
            } => {
                let files = self.records.files.as_slice();
                let recorded = files.get(module.as_usize());
                let module = recorded.and_then(|file| self.modules.add_recorded(&file.module));
                match module {
                    Some(module) => Outcome::Located {
                        module,
                        file_offset,
                    },
                    None => Outcome::Unresolved(Reason::Limit),
                }
            }
            other => other,
        };
        Ok(Span::of_vma(&mapped.vma, outcome))
    }
}
