//! Parsers of the maps text, written after descriptions of other projects.
//!
//! Each is as fast as its method allows: it allocates nothing once warm, and stops after the
//! last address.

mod by_char;
mod fscanf;
mod memchr;
mod parser;

use benches::race::{Race, Role};

use crate::process::{Place, Process, Truth};
use crate::raw::Maps;
use crate::target::Rotation;

pub(crate) use by_char::ByChar;
pub(crate) use fscanf::Fscanf;
pub(crate) use memchr::ByMemchr;
pub(crate) use parser::{Line, Parser, Sink, Wanted};

use parser::opened;

/// Adds all parsers to a race, for sorted batches in turn.
pub(crate) fn enter<'b>(race: Race<'b>, process: Process, batches: &'b [Vec<u64>]) -> Race<'b> {
    let race = enter_one(race, ByChar::new(process), batches);
    let race = enter_one(race, ByMemchr::new(process), batches);
    enter_one(race, Fscanf::new(process), batches)
}

fn enter_one<'b, P: Parser + 'b>(
    race: Race<'b>,
    mut parser: P,
    batches: &'b [Vec<u64>],
) -> Race<'b> {
    let (mut batches, mut matched) = (Rotation::of(batches), Matched::default());
    race.enter(Role::Peer, P::NAME, move || {
        matched.run(batches.next(), &mut parser);
    })
}

/// Returns an error if the parsers' results for sorted batches are wrong.
pub(crate) fn check(process: Process, batches: &[Vec<u64>], truth: &Truth) -> Result<(), String> {
    check_one(&mut ByChar::new(process), batches, truth)?;
    check_one(&mut ByMemchr::new(process), batches, truth)?;
    check_one(&mut Fscanf::new(process), batches, truth)
}

fn check_one<P: Parser>(parser: &mut P, batches: &[Vec<u64>], truth: &Truth) -> Result<(), String> {
    let mut matched = Matched::default();
    for batch in batches {
        matched.run(batch, parser);
        truth.check(P::NAME, batch, &matched.places())?;
    }
    Ok(())
}

/// The results of a sorted batch, matched in one pass.
#[derive(Debug, Default)]
struct Matched {
    addrs: Vec<u64>,
    answers: Vec<Option<(usize, u64)>>,
    names: Vec<u8>,
    /// The end of each VMA's name in `names`.
    ends: Vec<usize>,
}

impl Matched {
    /// Looks up sorted addresses.
    fn run(&mut self, addrs: &[u64], parser: &mut impl Parser) {
        self.addrs.clear();
        self.addrs.extend_from_slice(addrs);
        self.answers.clear();
        self.names.clear();
        self.ends.clear();
        if let Some(first) = addrs.first() {
            parser.read(Wanted::EndingAbove(*first), self);
        }
        self.answers.resize(addrs.len(), None);
    }

    fn places(&self) -> Vec<Option<Place>> {
        let place = |answer: &Option<(usize, u64)>| {
            let (vma, offset) = (*answer)?;
            let start = vma.checked_sub(1).map_or(0, |below| self.ends[below]);
            let name = &self.names[start..self.ends[vma]];
            (!name.is_empty()).then(|| (name.to_vec(), offset))
        };
        self.answers.iter().map(place).collect()
    }
}

impl Sink for Matched {
    fn take(&mut self, line: Line<'_>) -> Option<Wanted> {
        let Self {
            addrs,
            answers,
            names,
            ends,
        } = self;
        let known = ends.len();
        for addr in &addrs[answers.len()..] {
            if *addr >= line.end {
                return Some(Wanted::EndingAbove(*addr));
            }
            if *addr < line.start {
                answers.push(None);
                continue;
            }
            if ends.len() == known {
                names.extend_from_slice(line.name);
                ends.push(names.len());
            }
            answers.push(Some((known, addr - line.start + line.offset)));
        }
        None
    }
}

/// Reads a text past its byte `until` without parsing it: the cost of the kernel alone.
#[derive(Debug)]
pub(crate) struct Unparsed {
    maps: std::ffi::CString,
    room: Vec<u8>,
    until: usize,
}

impl Unparsed {
    /// Reads as much as is needed for the lines up to that of `addr`.
    pub(crate) fn up_to(process: Process, addr: u64) -> Self {
        let (maps, room) = opened(process);
        let text = std::fs::read(maps.to_str().expect("ASCII")).expect("the process is there");
        let mut until = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            until += line.len();
            if memchr::end_of(line) > addr {
                break;
            }
        }
        Self { maps, room, until }
    }

    /// Reads everything, up to the end of the file.
    pub(crate) fn whole(process: Process) -> Self {
        let (maps, room) = opened(process);
        let until = usize::MAX;
        Self { maps, room, until }
    }

    #[inline]
    pub(crate) fn run(&mut self) -> usize {
        let maps = Maps::open(&self.maps);
        let mut total = 0;
        while total < self.until {
            match maps.read(&mut self.room) {
                0 => break,
                read => total += read,
            }
        }
        total
    }
}
