//! Looks up addresses in modules; used for all inputs.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_formats::ndjson::{AddressLine, JsonFrame};
use backsight_symbolize::{Frames, ModuleId, ModuleInput, NewModule, Place, Request, Symbolizer};
use backsight_types::{Module, ModuleKind, Reason};

use crate::kernel_lines::PhysicalFunction;

/// A module that was added to a symbolizer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Known {
    /// Its ID in the symbolizer; `None` if neither bytes nor a build ID are available.
    pub id: Option<ModuleId>,
    /// The reason given if no symbol is found.
    pub otherwise: Reason,
    /// Whether its file was accepted by path alone, without proof of identity.
    pub by_path_alone: bool,
    /// Whether its files may have inlined calls and lines for an address of the kernel that has
    /// a name already.
    pub may_add_lines: bool,
    /// Whether these count only for the same function: a kernel module's file may be laid out in
    /// another way than the module was. The build ID alone proves where the image's code is.
    pub(crate) adds_to_same_function: bool,
}

impl Known {
    /// Adds a module whose bytes are available.
    pub fn readable(symbolizer: &Symbolizer, input: ModuleInput, module: &Module) -> Self {
        Self::readable_in(symbolizer, input, module, None)
    }

    /// As [`readable`](Self::readable), for a module whose path begins at one of these root
    /// directories.
    pub(crate) fn readable_in(
        symbolizer: &Symbolizer,
        input: ModuleInput,
        module: &Module,
        roots: Option<Vec<PathBuf>>,
    ) -> Self {
        let new = NewModule::new(input)
            .with_build_id(module.build_id)
            .with_segments(module.segments.clone())
            .with_roots(roots);
        Self {
            id: Some(symbolizer.add_new(new)),
            otherwise: match module.kind {
                ModuleKind::Kernel => Reason::Kernel,
                ModuleKind::Anonymous => Reason::Anonymous,
                _ => Reason::NoSymbols,
            },
            by_path_alone: false,
            may_add_lines: false,
            adds_to_same_function: true,
        }
    }

    /// The image or a module of a kernel, which was added by its file or build ID.
    pub(crate) fn of_kernel(id: ModuleId) -> Self {
        Self {
            id: Some(id),
            may_add_lines: true,
            ..Self::without_id(Reason::Kernel)
        }
    }

    /// A module that was not added.
    pub(crate) fn without_id(otherwise: Reason) -> Self {
        Self {
            id: None,
            otherwise,
            by_path_alone: false,
            may_add_lines: false,
            adds_to_same_function: true,
        }
    }

    /// Adds a module whose bytes are not available. Its build ID may still lead to a debug file;
    /// if it does not, `otherwise` is the reason given.
    pub fn by_build_id(symbolizer: &Symbolizer, module: &Module, otherwise: Reason) -> Self {
        let segments = module.segments.clone();
        let add = |id| symbolizer.add(ModuleInput::BuildId(id), Some(id), segments);
        Self {
            id: module.build_id.map(add),
            ..Self::without_id(otherwise)
        }
    }
}

/// A batch of addresses to look up.
///
/// Each is an [`AddressLine`] as normalized, from a process or from a capture.
#[derive(Debug, Default)]
pub struct Lookups<'a> {
    answers: Vec<AddressLine<'a>>,
    requests: Vec<Request>,
    /// For each request: the index of its answer, and the module.
    asked: Vec<(usize, Known)>,
}

impl<'a> Lookups<'a> {
    /// Adds a normalized address. `known` is the module that it refers to. Frames that it
    /// already has are kept: the machine that recorded it may have had better information, above
    /// all about its kernel. The name of a kernel's function is replaced by frames with lines,
    /// if its files have them and agree that this function is there.
    pub fn push(&mut self, mut answer: AddressLine<'a>, known: Option<Known>) {
        let place = match (answer.virtual_offset, answer.file_offset) {
            _ if !answer.frames.is_empty() && !known.is_some_and(may_add_lines(&answer)) => None,
            (Some(virt), _) => Some(Place::Virt(virt)),
            (None, Some(offset)) => Some(Place::File(offset)),
            (None, None) => None,
        };
        if let (Some(place), Some(known)) = (place, known) {
            match known.id {
                Some(module) => {
                    self.asked.push((self.answers.len(), known));
                    self.requests
                        .push(Request::new(module, place, answer.lookup));
                }
                None if answer.frames.is_empty() => answer.reason = Some(known.otherwise),
                None => {}
            }
        }
        self.answers.push(answer);
    }

    /// Looks up all addresses, modules in parallel.
    pub fn look_up(self, symbolizer: &Symbolizer) -> Found<'a> {
        Found {
            frames: symbolizer.symbolize(&self.requests),
            lookups: self,
        }
    }
}

/// A batch of addresses that were looked up.
#[derive(Debug)]
pub struct Found<'a> {
    lookups: Lookups<'a>,
    /// One for each request.
    frames: Vec<Result<Frames, Reason>>,
}

impl Found<'_> {
    /// Returns the modules for which a limit left something out: see [`Symbolizer::oversized`].
    pub fn limited(&self) -> impl Iterator<Item = ModuleId> {
        let all = self.lookups.requests.iter().zip(&self.frames);
        let limited = all.filter(|(_, found)| match found {
            Ok(frames) => frames.limit_reached(),
            Err(reason) => *reason == Reason::Limit,
        });
        limited.map(|(request, _)| request.module)
    }

    /// Calls `write` with each answer and its frames, in order.
    ///
    /// # Errors
    /// The first error of `write`.
    pub fn each<E>(
        self,
        mut write: impl FnMut(&AddressLine<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Lookups { answers, asked, .. } = self.lookups;
        let mut found = asked.iter().zip(&self.frames).peekable();
        for (place, mut answer) in answers.into_iter().enumerate() {
            let mine = found.next_if(|((asked, _), _)| *asked == place);
            if let Some(((_, known), result)) = mine {
                match result {
                    _ if !answer.frames.is_empty() => {
                        let found = result.as_ref().ok();
                        if let Some(better) =
                            found.filter(|found| adds_lines(found, &answer, known))
                        {
                            answer.frames = shown(better);
                            answer.reason = better.limit_reached().then_some(Reason::Limit);
                        }
                    }
                    Ok(frames) => {
                        answer.frames = shown(frames);
                        answer.reason = frames.limit_reached().then_some(Reason::Limit);
                    }
                    Err(Reason::NoSymbols) => answer.reason = Some(known.otherwise),
                    Err(reason) => answer.reason = Some(*reason),
                }
            }
            write(&answer)?;
        }
        Ok(())
    }
}

/// Returns whether files may add lines to a named address.
fn may_add_lines(answer: &AddressLine<'_>) -> impl Fn(Known) -> bool {
    let has_lines = answer.frames.iter().any(|frame| frame.line.is_some());
    move |known| known.may_add_lines && !has_lines
}

/// Returns whether frames have a line, and are of the function that the address has as its name.
fn adds_lines(found: &Frames, answer: &AddressLine<'_>, known: &Known) -> bool {
    let has_line = found.iter().any(|frame| frame.line.is_some());
    let (Some(found), Some(named)) = (found.last(), answer.frames.last()) else {
        return false;
    };
    let found = PhysicalFunction::from(found);
    found.replaces(&named.into(), has_line, known.adds_to_same_function)
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
            start_file_offset: None,
        })
        .collect()
}

fn text(shared: &Option<Arc<str>>) -> Option<Cow<'_, str>> {
    shared.as_deref().map(Cow::Borrowed)
}
