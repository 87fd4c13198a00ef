//! Blazesym's symbolizer on an ELF file or on a process.

use std::path::{Path, PathBuf};

use blazesym::Pid;
use blazesym::symbolize::source::{Elf, Process, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolizer};

use super::consumed::Consumed;

/// A symbolizer, and its source.
#[derive(Debug)]
pub(crate) struct Blazesym {
    symbolizer: Symbolizer,
    source: Source<'static>,
}

impl Blazesym {
    /// Creates a symbolizer for the file with the debug information, without reading it.
    pub(crate) fn open(file: &Path) -> Self {
        let symbolizer = Symbolizer::builder()
            // It would otherwise follow the debug link that a debug file also contains.
            .set_debug_dirs(Some::<[PathBuf; 0]>([]))
            .enable_auto_reload(false)
            .build();
        let source = Source::from(Elf::new(file));
        Self { symbolizer, source }
    }

    /// Creates a symbolizer for the process, which looks for debug files in the default places.
    pub(crate) fn of_process(pid: u32) -> Self {
        let symbolizer = Symbolizer::builder().enable_auto_reload(false).build();
        let source = Source::from(Process::new(Pid::from(pid)));
        Self { symbolizer, source }
    }

    /// Looks up all addresses.
    pub(crate) fn run(&self, addrs: &[u64]) -> Consumed {
        let mut consumed = Consumed::default();
        let input = match self.source {
            Source::Process(_) => Input::AbsAddr(addrs),
            _ => Input::VirtOffset(addrs),
        };
        let answers = self.symbolizer.symbolize(&self.source, input);
        for answer in answers.expect("it can be read") {
            let Some(sym) = answer.as_sym() else {
                continue;
            };
            for inlined in &sym.inlined {
                level(&mut consumed, &inlined.name, inlined.code_info.as_ref());
            }
            level(&mut consumed, &sym.name, sym.code_info.as_deref());
        }
        consumed
    }

    /// Opens the file and looks up all addresses.
    pub(crate) fn cold(file: &Path, addrs: &[u64]) -> Consumed {
        Self::open(file).run(addrs)
    }
}

fn level(consumed: &mut Consumed, name: &str, info: Option<&CodeInfo<'_>>) {
    let dir = info.and_then(|info| info.dir.as_deref());
    let dir = dir.map(|dir| dir.as_os_str().as_encoded_bytes());
    let file = info.map(|info| info.file.as_encoded_bytes());
    let line = info.and_then(|info| info.line).unwrap_or(0);
    let column = info.and_then(|info| info.column).unwrap_or(0);
    consumed.level(name, dir.into_iter().chain(file), line, u32::from(column));
}
