//! Perf's access pattern: all executable file-backed VMAs at once.

use std::hint::black_box;

use benches::race::{self, Race, Role, Sizes};
use vma_query::{Backend, Filter, NameBuf, OpenOptions};

use crate::process::Process;
use crate::raw::{EXECUTABLE, FILE_BACKED, Maps, Room, With};
use crate::target::Target;
use crate::text::{ByChar, ByMemchr, Fscanf, Line, Parser, Sink, Unparsed, Wanted};

/// A VMA: its start and end, its file offset and its name.
type Listed = (u64, u64, u64, Vec<u8>);

/// Consumes each VMA: a sum of all its values.
#[derive(Debug, Default)]
struct Sum(u64);

impl Sink for Sum {
    #[inline]
    fn take(&mut self, line: Line<'_>) -> Option<Wanted> {
        let name = line.name.len() as u64;
        self.0 = self
            .0
            .wrapping_add(line.start ^ line.end ^ line.offset ^ name);
        Some(Wanted::Code)
    }
}

/// Or a list, for comparison.
#[derive(Debug, Default)]
struct List(Vec<Listed>);

impl Sink for List {
    fn take(&mut self, line: Line<'_>) -> Option<Wanted> {
        let listed = (line.start, line.end, line.offset, line.name.to_vec());
        self.0.push(listed);
        Some(Wanted::Code)
    }
}

pub(super) fn n5(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    Ok(vec![
        n5_race(rounds, 659, "all VMAs of code, named; open and close")?,
        n5_race(rounds, 20_000, "the same in a large process")?,
    ])
}

fn n5_race(rounds: u32, vmas: u64, part: &'static str) -> Result<race::Outcome, String> {
    let target = Target::of_size(vmas);
    let process = target.process();
    let mut floor = Floor::new(process);
    let (mut by_char, mut by_memchr) = (ByChar::new(process), ByMemchr::new(process));
    let (mut fscanf, mut unparsed) = (Fscanf::new(process), Unparsed::whole(process));
    let (mut name, mut name_text) = (NameBuf::new(), NameBuf::new());

    let mut want = List::default();
    floor.walk(&mut want);
    let mut lists: [List; 5] = Default::default();
    let [ioctl, text, chars, lines, scanned] = &mut lists;
    ours(process, Backend::Ioctl, &mut name, ioctl);
    ours(process, Backend::Text, &mut name, text);
    by_char.read(Wanted::Code, chars);
    by_memchr.read(Wanted::Code, lines);
    fscanf.read(Wanted::Code, scanned);
    if let Some(nth) = lists.iter().position(|list| list.0 != want.0) {
        return Err(format!("list {nth} differs from the floor's"));
    }

    let touched = want.0.len();
    let sizes = Sizes {
        vmas: process.vmas(),
        addresses: touched,
        touched,
    };
    let race = Race::new("N5", part, sizes)
        .enter(Role::Floor, "floor", || summed(|sum| floor.walk(sum)))
        .enter(Role::Ours, "ours, ioctl", || {
            summed(|sum| ours(process, Backend::Ioctl, &mut name, sum))
        })
        .enter(Role::Ours, "ours, text", || {
            summed(|sum| ours(process, Backend::Text, &mut name_text, sum))
        })
        .enter(Role::Peer, ByChar::NAME, || {
            summed(|sum| by_char.read(Wanted::Code, sum))
        })
        .enter(Role::Peer, ByMemchr::NAME, || {
            summed(|sum| by_memchr.read(Wanted::Code, sum))
        })
        .enter(Role::Peer, Fscanf::NAME, || {
            summed(|sum| fscanf.read(Wanted::Code, sum))
        })
        .enter(Role::Peer, "text, kernel alone", || unparsed.run())
        .faster(2.0, "ours, ioctl", "ours, text")
        .faster(2.5, "ours, ioctl", ByChar::NAME);
    Ok(race.run(rounds))
}

fn summed(walk: impl FnOnce(&mut Sum)) -> u64 {
    let mut sum = Sum::default();
    walk(&mut sum);
    sum.0
}

fn ours(process: Process, backend: Backend, name: &mut NameBuf, sink: &mut impl Sink) {
    let Process::Child(pid) = process else {
        unreachable!("a child is looked at")
    };
    let open = OpenOptions::new().backend(backend).directory(false);
    let maps = open.open(pid).expect("the process is there");
    let mut code = maps.vmas().only(Filter::EXECUTABLE | Filter::FILE_BACKED);
    while let Some(vma) = code.next_named(name) {
        let vma = vma.expect("the process is there");
        let line = Line {
            start: vma.start.0,
            end: vma.end.0,
            executable: true,
            offset: vma.offset.0,
            inode: vma.inode,
            name: name.as_bytes(),
        };
        sink.take(line);
    }
}

/// One filtered query for each VMA.
#[derive(Debug)]
struct Floor {
    maps: std::ffi::CString,
    room: Room,
}

impl Floor {
    fn new(process: Process) -> Self {
        Self {
            maps: process.maps(),
            room: Room::EMPTY,
        }
    }

    fn walk(&mut self, sink: &mut impl Sink) {
        let (maps, mut from) = (Maps::open(&self.maps), 0);
        let flags = black_box(EXECUTABLE | FILE_BACKED);
        while let Some(query) = maps.ask(from, flags, With::Name, &mut self.room) {
            from = query.vma_end;
            let line = Line {
                start: query.vma_start,
                end: query.vma_end,
                executable: true,
                offset: query.vma_offset,
                inode: 1,
                name: self.room.name(),
            };
            sink.take(line);
        }
    }
}
