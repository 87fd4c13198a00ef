//! From places in modules to frames, the same for all sources.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_formats::ndjson::{Address, Frame};
use backsight_symbolize::{Frames, ModuleId, Place, Request, Source, Symbolizer};
use backsight_types::{Module, ModuleKind, Reason};

use crate::oversized;

/// A module as the symbolizer knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// `None` when there are no bytes to look into.
    pub(super) id: Option<ModuleId>,
    /// What to say when no symbol is found.
    pub(super) otherwise: Reason,
}

impl Known {
    /// Hands over a module whose bytes are at hand.
    pub(super) fn readable(symbolizer: &Symbolizer, source: Source, module: &Module) -> Self {
        let segments = module.segments.clone();
        Self {
            id: Some(symbolizer.add(source, module.build_id, segments)),
            otherwise: match module.kind {
                ModuleKind::File => Reason::NoSymbols,
                ModuleKind::Vdso => Reason::VdsoNoSymbols,
                ModuleKind::Kernel => Reason::Kernel,
            },
        }
    }

    /// Hands over a module whose bytes cannot be had: its build ID may still lead to
    /// a debug file. If it does not, `otherwise` is why.
    pub(super) fn by_build_id(symbolizer: &Symbolizer, module: &Module, otherwise: Reason) -> Self {
        let segments = module.segments.clone();
        let add = |id| symbolizer.add(Source::BuildId(id), Some(id), segments);
        Self {
            id: module.build_id.map(add),
            otherwise,
        }
    }
}

/// Answers that are looked up together.
#[derive(Debug, Default)]
pub(super) struct Lookups<'a> {
    answers: Vec<Address<'a>>,
    requests: Vec<Request>,
    /// For each request: the answer it belongs to, and what to say otherwise.
    asked: Vec<(usize, Reason)>,
}

impl<'a> Lookups<'a> {
    /// Takes an answer that normalization began. `known` is the module it names. Frames
    /// that it has already stay: whoever caught it may have known more than this host,
    /// of its kernel above all.
    pub(super) fn push(&mut self, mut answer: Address<'a>, known: Option<Known>) {
        let place = match (answer.virtual_offset, answer.file_offset) {
            _ if !answer.frames.is_empty() => None,
            (Some(virt), _) => Some(Place::Virt(virt)),
            (None, Some(offset)) => Some(Place::File(offset)),
            (None, None) => None,
        };
        if let (Some(place), Some(Known { id, otherwise })) = (place, known) {
            match id {
                Some(module) => {
                    self.asked.push((self.answers.len(), otherwise));
                    self.requests.push(Request {
                        module,
                        place,
                        lookup: answer.lookup,
                    });
                }
                None => answer.reason = Some(otherwise),
            }
        }
        self.answers.push(answer);
    }

    /// Looks all of them up, and gives each with its frames to `write`, in order.
    pub(super) fn finish<E>(
        self,
        symbolizer: &Symbolizer,
        mut write: impl FnMut(&Address<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let found = symbolizer.symbolize(&self.requests);
        let limited = self.requests.iter().zip(&found);
        let limited = limited.filter(|(_, found)| match found {
            Ok(frames) => frames.limit_reached(),
            Err(reason) => *reason == Reason::Limit,
        });
        oversized::say(symbolizer, limited.map(|(request, _)| request.module));
        let mut found = self.asked.iter().zip(&found).peekable();
        for (place, mut answer) in self.answers.into_iter().enumerate() {
            let mine = found.next_if(|((asked, _), _)| *asked == place);
            if let Some(((_, otherwise), result)) = mine {
                match result {
                    Ok(frames) => {
                        answer.frames = shown(frames);
                        answer.reason = frames.limit_reached().then_some(Reason::Limit);
                    }
                    Err(Reason::NoSymbols) => answer.reason = Some(*otherwise),
                    Err(reason) => answer.reason = Some(*reason),
                }
            }
            write(&answer)?;
        }
        Ok(())
    }
}

fn shown(frames: &Frames) -> Vec<Frame<'_>> {
    frames
        .iter()
        .map(|frame| Frame {
            function: text(&frame.function),
            linkage_name: text(&frame.linkage_name)
                .filter(|name| frame.function.as_deref() != Some(name)),
            file: text(&frame.file),
            line: frame.line,
            column: frame.column,
            start_line: frame.start_line,
            inlined: frame.inlined,
            start: frame.start,
        })
        .collect()
}

fn text(shared: &Option<Arc<str>>) -> Option<Cow<'_, str>> {
    shared.as_deref().map(Cow::Borrowed)
}
