//! The answers of a call in the form that C reads: structures that point to each other.

use std::collections::HashMap;
use std::ptr;

use backsight_formats::ndjson::AddressLine;
use backsight_symbolize::Stack;
use backsight_types::{FileOffset, Lookup, Module, ModuleIdx, Reason, VirtOffset};

use crate::module::backsight_module;
use crate::reason::number_of;
use crate::strings::{TextArena, backsight_string};

/// `file_offset` of an answer is known.
pub const BACKSIGHT_ANSWER_FILE_OFFSET: u32 = 1;
/// `virtual_offset` of an answer is known.
pub const BACKSIGHT_ANSWER_VIRTUAL_OFFSET: u32 = 2;

/// `start` of a frame is known.
pub const BACKSIGHT_FRAME_START: u32 = 1;
/// `offset` of a frame is known.
pub const BACKSIGHT_FRAME_OFFSET: u32 = 2;
/// The function was inlined into that of the next frame.
pub const BACKSIGHT_FRAME_INLINED: u32 = 4;

/// One call level at an address. Later versions add fields at the end: do not make or copy one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_frame {
    /// The function that this one was inlined into; null after the last, which has code of its
    /// own.
    pub next: *const backsight_frame,
    /// The function, demangled.
    pub function: backsight_string,
    /// Its name as the linker has it, if that is another one.
    pub linkage_name: backsight_string,
    /// The source file.
    pub file: backsight_string,
    /// The line, counted from 1; 0 if it is not known.
    pub line: u32,
    /// The column, counted from 1; 0 if it is not known.
    pub column: u32,
    /// The line that the function starts on; 0 if it is not known.
    pub start_line: u32,
    /// `BACKSIGHT_FRAME_START` and so on.
    pub flags: u32,
    /// Where the function starts, in virtual offsets of its file.
    pub start: u64,
    /// How far behind the start of the function the address is, in bytes.
    pub offset: u64,
}

/// What is known of one address. Later versions add fields at the end: do not make or copy one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct backsight_answer {
    /// The answer for the next address; null after the last.
    pub next: *const backsight_answer,
    /// The innermost frame; null if there is none, which `reason` then explains.
    pub frames: *const backsight_frame,
    /// The number of frames.
    pub frame_count: usize,
    /// The module that the address is in; null if it is in none, or not known here.
    pub module: *const backsight_module,
    /// The address as it was asked for.
    pub address: u64,
    /// The address as an offset in the file of the module.
    pub file_offset: u64,
    /// The address as symbols and DWARF of the module have it.
    pub virtual_offset: u64,
    /// Why there are no frames, or why something is missing in them: `BACKSIGHT_REASON_…`.
    pub reason: u32,
    /// `BACKSIGHT_ANSWER_FILE_OFFSET` and so on.
    pub flags: u32,
}

/// Answers, and all that they point to.
#[derive(Debug, Default)]
pub(crate) struct AnswerList {
    answers: Vec<backsight_answer>,
    /// For each answer, the number of its first frame and of its module.
    links: Vec<(usize, Option<usize>)>,
    frames: Vec<backsight_frame>,
    modules: Vec<backsight_module>,
    /// Where modules are in `modules`.
    known: HashMap<ModuleIdx, usize>,
    texts: TextArena,
}

// SAFETY: the pointers are to what the list itself has, and move with it.
unsafe impl Send for AnswerList {}

impl AnswerList {
    /// Forgets all answers, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.answers.clear();
        self.links.clear();
        self.frames.clear();
        self.modules.clear();
        self.known.clear();
        self.texts.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Returns the first answer. All that it leads to is there until the list is changed.
    pub(crate) fn first(&self) -> *const backsight_answer {
        self.answers.first().map_or(ptr::null(), ptr::from_ref)
    }

    /// Returns an answer by its place.
    pub(crate) fn at(&self, place: usize) -> *const backsight_answer {
        self.answers.get(place).map_or(ptr::null(), ptr::from_ref)
    }

    /// Adds the answer for an address of a process.
    pub(crate) fn add(&mut self, answer: &AddressLine<'_>, module: Option<&Module>) {
        let first = self.frames.len();
        for frame in &answer.frames {
            let offset = answer.offset_in(frame).filter(|_| !frame.inlined);
            let frame = NewFrame {
                function: frame.function.as_deref(),
                linkage_name: frame.linkage_name.as_deref(),
                file: frame.file.as_deref(),
                place: [frame.line, frame.column, frame.start_line],
                is_inlined: frame.inlined,
                start: frame.start,
                offset,
            };
            self.add_frame(&frame);
        }
        let module = module.map(|module| {
            // What is not in the list of modules has no number, and is no other's.
            let index = answer.module.unwrap_or(ModuleIdx(u32::MAX));
            let Self {
                known,
                modules,
                texts,
                ..
            } = self;
            *known.entry(index).or_insert_with(|| {
                modules.push(backsight_module::new(module, index.0, texts));
                modules.len() - 1
            })
        });
        let offsets = (answer.file_offset, answer.virtual_offset);
        let address = answer.address.map_or(0, |address| address.0);
        self.add_answer(address, offsets, answer.reason, (first, module));
    }

    /// Adds the answer for an address in a module of a symbolizer.
    pub(crate) fn add_stack(
        &mut self,
        address: u64,
        virt: Option<VirtOffset>,
        file: Option<FileOffset>,
        answer: &Result<Stack<'_>, Reason>,
    ) {
        let first = self.frames.len();
        let reason = match answer {
            Ok(stack) => {
                for frame in stack.frames() {
                    let start = frame.start();
                    let linkage_name = frame.linkage_name();
                    let linkage_name = linkage_name.as_deref();
                    let offset = virt.zip(start).and_then(|(at, of)| at.distance_from(of));
                    let frame = NewFrame {
                        function: frame.function,
                        linkage_name: linkage_name.filter(|name| frame.function != Some(name)),
                        file: frame.file,
                        place: [frame.line, frame.column, frame.start_line()],
                        is_inlined: frame.inlined,
                        start,
                        offset: offset.filter(|_| !frame.inlined),
                    };
                    self.add_frame(&frame);
                }
                stack.limit_reached().then_some(Reason::Limit)
            }
            Err(reason) => Some(*reason),
        };
        self.add_answer(address, (file, virt), reason, (first, None));
    }

    /// Makes the structures point to each other, when all are there.
    pub(crate) fn finish(&mut self) {
        let ends = self.links.iter().skip(1).map(|(first, _)| *first);
        let ends = ends.chain([self.frames.len()]);
        for ((answer, (first, module)), end) in self.answers.iter_mut().zip(&self.links).zip(ends) {
            let frames = self.frames.get_mut(*first..end).unwrap_or_default();
            chain(frames, |frame, next| frame.next = next);
            answer.frame_count = frames.len();
            answer.frames = frames.first().map_or(ptr::null(), ptr::from_ref);
            let module = module.and_then(|module| self.modules.get(module));
            answer.module = module.map_or(ptr::null(), ptr::from_ref);
        }
        chain(&mut self.answers, |answer, next| answer.next = next);
    }

    fn add_answer(
        &mut self,
        address: u64,
        (file, virt): (Option<FileOffset>, Option<VirtOffset>),
        reason: Option<Reason>,
        link: (usize, Option<usize>),
    ) {
        let of_file = flag(file.is_some(), BACKSIGHT_ANSWER_FILE_OFFSET);
        let of_virt = flag(virt.is_some(), BACKSIGHT_ANSWER_VIRTUAL_OFFSET);
        self.answers.push(backsight_answer {
            next: ptr::null(),
            frames: ptr::null(),
            frame_count: 0,
            module: ptr::null(),
            address,
            file_offset: file.map_or(0, |file| file.0),
            virtual_offset: virt.map_or(0, |virt| virt.0),
            reason: number_of(reason),
            flags: of_file | of_virt,
        });
        self.links.push(link);
    }

    fn add_frame(&mut self, frame: &NewFrame<'_>) {
        let [line, column, start_line] = frame.place.map(Option::unwrap_or_default);
        let of_start = flag(frame.start.is_some(), BACKSIGHT_FRAME_START);
        let of_offset = flag(frame.offset.is_some(), BACKSIGHT_FRAME_OFFSET);
        let shown = backsight_frame {
            next: ptr::null(),
            function: self.texts.add_some(frame.function),
            linkage_name: self.texts.add_some(frame.linkage_name),
            file: self.texts.add_some(frame.file),
            line,
            column,
            start_line,
            flags: of_start | of_offset | flag(frame.is_inlined, BACKSIGHT_FRAME_INLINED),
            start: frame.start.map_or(0, |start| start.0),
            offset: frame.offset.unwrap_or_default(),
        };
        self.frames.push(shown);
    }
}

struct NewFrame<'a> {
    function: Option<&'a str>,
    linkage_name: Option<&'a str>,
    file: Option<&'a str>,
    place: [Option<u32>; 3],
    is_inlined: bool,
    start: Option<VirtOffset>,
    offset: Option<u64>,
}

fn flag(is_set: bool, flag: u32) -> u32 {
    if is_set { flag } else { 0 }
}

/// Makes each lead to the next one.
pub(crate) fn chain<T>(all: &mut [T], set: impl Fn(&mut T, *const T)) {
    let mut next: *const T = ptr::null();
    for it in all.iter_mut().rev() {
        set(it, next);
        next = ptr::from_ref(it);
    }
}

/// How an address of a batch is looked up, by its place.
pub(crate) fn lookup_at(place: usize, is_return: bool) -> Lookup {
    match place {
        0 if !is_return => Lookup::Exact,
        _ => Lookup::Return,
    }
}
