//! The executable memory of a live process, with the call frame information of its files.

use backsight_files::FilePart;
use backsight_normalize::{ModuleImage, NormalizedModule, Session};
use backsight_types::{AbsAddr, AbsRange, FileOffset, ModuleIdx, Outcome};
use backsight_unwind::{CallFrames, CodeMap, FileIdx, MappedCode, Walker};
use hashbrown::HashMap;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use vma_query::{Error, Snapshot};

use crate::find::path_of;
use crate::module_call_frames::completed;

/// The files of a live process whose call frame information was read.
#[derive(Debug)]
pub(super) struct LiveCode {
    /// Where debug files are looked for.
    symbols: backsight_symbolize::Options,
    /// `None` if a module has none.
    files: HashMap<ModuleIdx, Option<FileIdx>>,
}

impl LiveCode {
    pub(super) fn new(symbols: backsight_symbolize::Options) -> Self {
        Self {
            symbols,
            files: HashMap::new(),
        }
    }

    /// Returns the executable memory in a snapshot of a process's memory map, and adds the call
    /// frame information of its files to the walker.
    pub(super) fn map(
        &mut self,
        snapshot: &Snapshot,
        session: &mut Session,
        walker: &mut Walker,
    ) -> Result<CodeMap, Error> {
        let code = snapshot.iter().filter(|named| named.vma.is_executable());
        let ranges: Vec<_> = code.map(|named| named.vma.range()).collect();
        let starts: Vec<AbsAddr> = ranges.iter().map(|range| range.start).collect();
        let mut outcomes = Vec::new();
        session.normalize(&starts, &mut outcomes)?;
        self.read_new(session.modules(), walker);
        // Nothing else of the files is needed.
        session.release_images(0);
        let pieces = ranges.iter().zip(&outcomes).map(|(range, outcome)| {
            let file = match outcome {
                Outcome::Located {
                    module,
                    file_offset,
                } => self.file_of(*module, *range, *file_offset, walker),
                _ => None,
            };
            MappedCode {
                range: *range,
                file,
            }
        });
        Ok(CodeMap::new(pieces.collect()))
    }

    fn file_of(
        &self,
        module: ModuleIdx,
        range: AbsRange,
        offset: FileOffset,
        walker: &Walker,
    ) -> Option<(FileIdx, u64)> {
        let index = (*self.files.get(&module)?)?;
        let bias = walker.file(index)?.bias(range, offset)?;
        Some((index, bias))
    }

    fn read_new(&mut self, modules: &[NormalizedModule], walker: &mut Walker) {
        let new = modules
            .iter()
            .zip(0_u32..)
            .map(|(it, n)| (ModuleIdx(n), it));
        let new: Vec<_> = new.filter(|(n, _)| !self.files.contains_key(n)).collect();
        let read: Vec<_> = new
            .par_iter()
            .map(|(index, module)| (*index, call_frames(module, &self.symbols)))
            .collect();
        for (index, frames) in read {
            let file = frames.and_then(|frames| walker.add(frames));
            self.files.insert(index, file);
        }
    }
}

fn call_frames(
    known: &NormalizedModule,
    symbols: &backsight_symbolize::Options,
) -> Option<CallFrames> {
    let file = match known.image.as_ref()? {
        ModuleImage::File(file) => file,
        ModuleImage::Bytes(bytes) => return CallFrames::parse(bytes),
        _ => return None,
    };
    let whole = || Some(0..file.metadata().ok()?.len());
    let range = known.member.clone().or_else(whole)?;
    // By offset: the members of an archive share its file.
    let frames = CallFrames::read(FilePart::new(file, range))?;
    let is_empty = frames.is_empty();
    let debug_file = || {
        let path = Some(path_of(&known.module));
        if is_empty {
            return backsight_symbolize::open_debug_file(file, path, symbols);
        }
        // Of all that is mapped: no server is asked for files of modules that are in no stack.
        let local = symbols.clone().with_fetchers(Vec::new());
        backsight_symbolize::open_debug_file(file, path, &local)
    };
    Some(completed(frames, &known.module, debug_file, symbols))
}
