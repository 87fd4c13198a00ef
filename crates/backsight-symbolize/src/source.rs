//! Sources of symbols beside a module's files: a seam for embedders.
//!
//! A symbolizer reads ELF and DWARF. Names from elsewhere (a just-in-time
//! compiler's map, another format, a service) come in by a [`SymbolSource`]:
//!
//! ```text
//!   [`ModuleInput::Symbols`]            is the only source of a module
//!   [`Symbolizer::add_source`]     is asked before its files, or after them
//! ```

use std::fmt::Debug;
use std::sync::Arc;

use backsight_index::{Frames, IndexBuilder};
use backsight_types::{Reason, VirtOffset};

use crate::error::Error;
use crate::shortfall::Shortfall;

/// Something that knows the symbols of one module.
///
/// It is asked from several threads at once, and once for each distinct place of a batch.
pub trait SymbolSource: Debug + Send + Sync {
    /// Says what its answers have.
    fn detail(&self) -> Detail;

    /// Returns the call levels at a virtual offset of the module, innermost first; `None`
    /// when it knows nothing there. Of a return address this is the byte before.
    fn find(&self, place: VirtOffset) -> Option<Frames>;

    /// Puts all of its symbols into an index, which then answers in its place, and returns
    /// `true`. `false` when it cannot enumerate them, which is the default.
    ///
    /// # Errors
    /// Why it could not be read. Each address of the module then has the
    /// [reason](Error::reason) of that.
    fn list(&self, index: &mut IndexBuilder) -> Result<bool, Error> {
        let _ = index;
        Ok(false)
    }

    /// Returns what it lacks of what it should have, as far as it was read: none, which is
    /// the default. [`Symbolizer::shortfalls`](crate::Symbolizer::shortfalls) has these too.
    fn shortfalls(&self) -> Vec<Shortfall> {
        Vec::new()
    }
}

/// What the answers of a source have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// Names of functions.
    Names,
    /// Inlined functions, files and lines too.
    Lines,
}

/// When a source is asked, where a module has files too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Turn {
    /// First. The files are asked where it has no answer.
    Before,
    /// Where the files have no answer. A source with lines is also asked where the files
    /// have no line, and its answer is used if it has one.
    After,
}

/// The sources of one module beside its files, in the order in which they were added. A
/// clone is cheap: each lookup takes one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Arc<[(Turn, Arc<dyn SymbolSource>)]>);

impl Sources {
    /// Returns these and one more.
    pub(crate) fn with(&self, turn: Turn, source: Arc<dyn SymbolSource>) -> Self {
        let all = self.0.iter().cloned();
        Self(all.chain([(turn, source)]).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what they lack.
    pub(crate) fn shortfalls(&self) -> Vec<Shortfall> {
        let all = self.0.iter().flat_map(|(_, source)| source.shortfalls());
        all.collect()
    }

    fn of(&self, wanted: Turn) -> impl Iterator<Item = &dyn SymbolSource> {
        let of_turn = self.0.iter().filter(move |(turn, _)| *turn == wanted);
        of_turn.map(|(_, source)| &**source)
    }

    /// Asks them around the module's files.
    pub(crate) fn ask(
        &self,
        place: VirtOffset,
        files: impl FnOnce() -> Result<Frames, Reason>,
    ) -> Result<Frames, Reason> {
        let found = self.of(Turn::Before).find_map(|source| source.find(place));
        let own = match found {
            Some(frames) => return Ok(frames),
            None => files(),
        };
        if own.as_ref().is_ok_and(has_line) {
            return own;
        }
        let mut others = self.of(Turn::After);
        let better = match own {
            Err(_) => others.find_map(|source| source.find(place)),
            Ok(_) => {
                let mut others = others.filter(|source| source.detail() >= Detail::Lines);
                others.find_map(|source| source.find(place).filter(has_line))
            }
        };
        better.map_or(own, Ok)
    }
}

fn has_line(frames: &Frames) -> bool {
    frames.iter().any(|frame| frame.line.is_some())
}
