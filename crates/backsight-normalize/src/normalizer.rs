//! Normalizes addresses of a process or a saved text with one call.

use std::io::BufRead;

use backsight_types::{AbsAddr, FileOffset, ModuleIdx, Outcome, VirtOffset};
use vma_query::{Backend, Error, NameBuf, Snapshot};

use crate::batch::BatchRun;
use crate::image::NormalizedModule;
use crate::live::LiveVmas;
use crate::modules::ModuleTable;
use crate::options::{Options, Trust};
use crate::remapped_text::Neighbours;
use crate::session::Session;
use crate::shared_modules::Modules;
use crate::vma_cache::VmaCache;

/// The result of one call.
#[derive(Debug)]
#[non_exhaustive]
pub struct Normalized {
    /// The modules that the outcomes refer to, each once.
    pub modules: Vec<NormalizedModule>,
    /// One outcome for each address, in the caller's order.
    pub outcomes: Vec<Outcome>,
    /// The backend that answered; `Text` for a saved text.
    pub backend: Backend,
}

impl Normalized {
    /// Returns the ELF virtual offset for a file offset in one of the modules; `None` if
    /// the module's segments are unknown or do not cover it.
    #[must_use]
    pub fn virt_offset(&self, module: ModuleIdx, offset: FileOffset) -> Option<VirtOffset> {
        self.modules
            .get(module.as_usize())?
            .module
            .virt_offset_of(offset)
    }
}

/// Normalizes addresses of process `pid`.
///
/// # Errors
/// As [`Session::open`] and [`Session::normalize`].
pub fn normalize(pid: u32, addrs: &[AbsAddr], options: Options) -> Result<Normalized, Error> {
    one_shot(Session::open(pid, options)?, addrs)
}

/// Normalizes addresses of the calling process.
///
/// # Errors
/// As [`Session::open_self`] and [`Session::normalize`].
pub fn normalize_self(addrs: &[AbsAddr], options: Options) -> Result<Normalized, Error> {
    one_shot(Session::open_self(options)?, addrs)
}

fn one_shot(mut session: Session, addrs: &[AbsAddr]) -> Result<Normalized, Error> {
    let mut outcomes = Vec::new();
    session.normalize(addrs, &mut outcomes)?;
    let backend = session.backend();
    Ok(Normalized {
        modules: session.into_modules(),
        outcomes,
        backend,
    })
}

/// Normalizes addresses with a saved maps text, for example from another machine or from
/// an earlier time. No file is opened, so modules have neither build ID nor segments. Text that the
/// program moved to memory without a file is located by what is mapped around it, and its module is
/// [inferred](backsight_types::Module::inferred).
///
/// # Errors
/// Currently none.
pub fn normalize_snapshot(maps: &Snapshot, addrs: &[AbsAddr]) -> Result<Normalized, Error> {
    let mut modules = Modules::Own(ModuleTable::default());
    let mut outcomes = Vec::new();
    let source = LiveVmas {
        cursor: maps.cursor(),
        process: None,
        modules: &mut modules,
        name: &mut NameBuf::new(),
        ahead: None,
        expects_code: true,
        identifies: false,
        neighbours: Neighbours::Saved(maps),
    };
    let (mut cache, mut pending) = (VmaCache::new(Trust::Recheck), Vec::new());
    let run = BatchRun {
        source,
        cache: &mut cache,
        pending: &mut pending,
    };
    run.run(addrs, &mut outcomes)?;
    Ok(Normalized {
        modules: modules.into_own(),
        outcomes,
        backend: Backend::Text,
    })
}

/// As [`normalize_snapshot`], with a text from a stream. Only the VMAs that are needed for the
/// addresses are kept, however long the text is.
///
/// # Errors
/// [`Error::Malformed`] with the number of a line that is not of the maps format;
/// [`Error::Io`] when the reader fails.
pub fn normalize_text(text: impl BufRead, addrs: &[AbsAddr]) -> Result<Normalized, Error> {
    normalize_snapshot(&Snapshot::read_at(text, addrs)?, addrs)
}
