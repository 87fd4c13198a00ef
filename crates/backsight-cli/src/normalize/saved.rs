//! `normalize --maps`: a saved maps text.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::Path;

use backsight_normalize::normalize_snapshot;
use backsight_types::{AbsAddr, Device, Module, ModuleIdx, Outcome};
use vma_query::{Error, Snapshot};

use crate::failure::{Failure, Result, complain};
use crate::file::{Shown, open_text};

/// A saved maps text, and the modules of all batches so far.
pub(super) struct Saved {
    snapshot: Snapshot,
    pub(super) modules: Vec<Module>,
    known: HashMap<(Device, u64, Vec<u8>, bool, bool), ModuleIdx>,
}

/// Four times the text of two million VMAs, the most that a process was seen with.
const MAX_TEXT_BYTES: u64 = 1 << 30;

impl Saved {
    /// Reads a text, which may be a pipe: `--maps <(ssh host cat /proc/1/maps)`.
    ///
    /// If all addresses are known, only the lines that tell of them are kept, whatever the size
    /// of the text. Otherwise all lines are kept.
    pub(super) fn read(path: &Path, addrs: Option<&[AbsAddr]>) -> Result<Self> {
        let file = open_text(path).map_err(|error| Failure::io(Shown(path), &error))?;
        let (read, is_all) = match addrs {
            Some(addrs) => (Snapshot::read_at(BufReader::new(file), addrs), true),
            None => {
                let mut bounded = BufReader::new(file).take(MAX_TEXT_BYTES + 1);
                let read = Snapshot::read(&mut bounded, |_| true);
                (read, bounded.limit() > 0)
            }
        };
        if !is_all {
            let cause = "larger than 1 GiB, so it is not the maps text of one process";
            return Err(Failure::of(Shown(path), cause));
        }
        let snapshot = read.map_err(|error| match error {
            Error::Io(error) => Failure::io(Shown(path), error.error()),
            error => {
                let way_out = "give the complete text of /proc/PID/maps of one process";
                Failure::of(Shown(path), format_args!("{error}: {way_out}"))
            }
        })?;
        // The text may be cut within a name, and further lines may be missing.
        if snapshot.is_cut() {
            let cause = "its last line has no end: the text may be cut short";
            complain(format_args!("{}: {cause}", Shown(path)));
        }
        Ok(Self {
            snapshot,
            modules: Vec::new(),
            known: HashMap::new(),
        })
    }

    /// Module indexes are valid for one batch; they are mapped to indexes that stay valid.
    pub(super) fn normalize(
        &mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let found = normalize_snapshot(&self.snapshot, addrs)
            .map_err(|error| Failure::of("the maps text", error))?;
        let lasting: Vec<ModuleIdx> = found
            .modules
            .into_iter()
            .map(|new| self.index_of(new.module))
            .collect();
        outcomes.clear();
        outcomes.extend(found.outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Located {
                module,
                file_offset,
            } => Outcome::Located {
                module: lasting.get(module.as_usize()).copied().unwrap_or(module),
                file_offset,
            },
            unresolved => unresolved,
        }));
        Ok(())
    }

    fn index_of(&mut self, module: Module) -> ModuleIdx {
        let next = ModuleIdx(u32::try_from(self.modules.len()).unwrap_or(u32::MAX));
        let key = (
            module.device,
            module.inode,
            module.path.clone(),
            module.deleted,
            module.inferred,
        );
        *self.known.entry(key).or_insert_with(|| {
            self.modules.push(module);
            next
        })
    }
}
