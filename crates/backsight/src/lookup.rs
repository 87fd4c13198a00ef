//! From places in modules to frames, the same for all sources.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_formats::ndjson::{AddressLine, JsonFrame};
use backsight_symbolize::{Frames, ModuleId, Place, Request, Source, Symbolizer};
use backsight_types::{Module, ModuleKind, Reason};

/// A module as the symbolizer knows it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Known {
    /// `None` when there are no bytes to look into.
    pub id: Option<ModuleId>,
    /// What to say when no symbol is found.
    pub otherwise: Reason,
    /// Whether its file was taken by its path alone, as nothing could prove it.
    pub by_path_alone: bool,
}

impl Known {
    /// Hands over a module whose bytes are at hand.
    pub fn readable(symbolizer: &Symbolizer, source: Source, module: &Module) -> Self {
        let segments = module.segments.clone();
        Self {
            id: Some(symbolizer.add(source, module.build_id, segments)),
            otherwise: match module.kind {
                ModuleKind::Vdso => Reason::VdsoNoSymbols,
                ModuleKind::Kernel => Reason::Kernel,
                ModuleKind::Anonymous => Reason::Anonymous,
                _ => Reason::NoSymbols,
            },
            by_path_alone: false,
        }
    }

    /// Hands over a module whose bytes cannot be had: its build ID may still lead to
    /// a debug file. If it does not, `otherwise` is why.
    pub fn by_build_id(symbolizer: &Symbolizer, module: &Module, otherwise: Reason) -> Self {
        let segments = module.segments.clone();
        let add = |id| symbolizer.add(Source::BuildId(id), Some(id), segments);
        Self {
            id: module.build_id.map(add),
            otherwise,
            by_path_alone: false,
        }
    }
}

/// Answers that are looked up together.
///
/// An answer is an [`AddressLine`] as normalization began it, of a process or of a capture.
#[derive(Debug, Default)]
pub struct Lookups<'a> {
    answers: Vec<AddressLine<'a>>,
    requests: Vec<Request>,
    /// For each request: the answer it belongs to, and what to say otherwise.
    asked: Vec<(usize, Reason)>,
}

impl<'a> Lookups<'a> {
    /// Takes an answer that normalization began. `known` is the module it names. Frames
    /// that it has already stay: whoever caught it may have known more than this host,
    /// of its kernel above all.
    pub fn push(&mut self, mut answer: AddressLine<'a>, known: Option<Known>) {
        let place = match (answer.virtual_offset, answer.file_offset) {
            _ if !answer.frames.is_empty() => None,
            (Some(virt), _) => Some(Place::Virt(virt)),
            (None, Some(offset)) => Some(Place::File(offset)),
            (None, None) => None,
        };
        if let (Some(place), Some(Known { id, otherwise, .. })) = (place, known) {
            match id {
                Some(module) => {
                    self.asked.push((self.answers.len(), otherwise));
                    self.requests
                        .push(Request::new(module, place, answer.lookup));
                }
                None => answer.reason = Some(otherwise),
            }
        }
        self.answers.push(answer);
    }

    /// Looks all of them up, module by module in parallel.
    pub fn look_up(self, symbolizer: &Symbolizer) -> Found<'a> {
        Found {
            frames: symbolizer.symbolize(&self.requests),
            lookups: self,
        }
    }
}

/// Answers whose frames were looked up.
#[derive(Debug)]
pub struct Found<'a> {
    lookups: Lookups<'a>,
    /// One for each request.
    frames: Vec<Result<Frames, Reason>>,
}

impl Found<'_> {
    /// Returns the modules of which a limit left something out: see
    /// [`Symbolizer::oversized`].
    pub fn limited(&self) -> impl Iterator<Item = ModuleId> {
        let all = self.lookups.requests.iter().zip(&self.frames);
        let limited = all.filter(|(_, found)| match found {
            Ok(frames) => frames.limit_reached(),
            Err(reason) => *reason == Reason::Limit,
        });
        limited.map(|(request, _)| request.module)
    }

    /// Gives each answer with its frames to `write`, in order.
    ///
    /// # Errors
    /// The first of `write`.
    pub fn each<E>(
        self,
        mut write: impl FnMut(&AddressLine<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Lookups { answers, asked, .. } = self.lookups;
        let mut found = asked.iter().zip(&self.frames).peekable();
        for (place, mut answer) in answers.into_iter().enumerate() {
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

fn shown(frames: &Frames) -> Vec<JsonFrame<'_>> {
    frames
        .iter()
        .map(|frame| JsonFrame {
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
