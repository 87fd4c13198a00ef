//! The symbols of a file under comparison.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// The symbols of a file under comparison.
#[derive(Debug)]
pub struct Subject {
    /// For each name: the start and size of its symbols. Uninformative names are not included.
    pub(super) symbols: HashMap<String, Vec<(u64, u64)>>,
    /// The starts of all symbols, sorted.
    pub(super) starts: Vec<u64>,
    /// The ranges of symbols with a size: the start, and the highest end so far, sorted.
    pub(super) covered: Vec<(u64, u64)>,
    /// The code sections: start and end.
    pub(super) code: Vec<(u64, u64)>,
    /// The names of `STT_FILE` symbols.
    pub(super) files: HashSet<String>,
}

impl Subject {
    /// Reads the symbols of an executable, and of its debug file.
    ///
    /// # Panics
    /// When a file cannot be read or is no ELF file.
    #[must_use]
    pub fn of(files: &[&Path]) -> Self {
        let mut subject = Self {
            symbols: HashMap::new(),
            starts: Vec::new(),
            covered: Vec::new(),
            code: Vec::new(),
            files: HashSet::new(),
        };
        for path in files {
            let bytes = std::fs::read(path).expect("readable");
            subject.read(&object::File::parse(&*bytes).expect("an object file"));
        }
        // Data symbols do not name code, and the symbols of a section that is not loaded are at
        // 0.
        let code = std::mem::take(&mut subject.code);
        let is_code = |start: u64| code.iter().any(|(from, to)| *from <= start && start < *to);
        subject.starts.retain(|start| is_code(*start));
        subject.covered.retain(|(start, _)| is_code(*start));
        for places in subject.symbols.values_mut() {
            places.retain(|(start, _)| is_code(*start));
        }
        subject.code = code;
        subject.starts.sort_unstable();
        subject.covered.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut subject.covered {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        subject
    }

    fn read(&mut self, file: &object::File<'_>) {
        // The lowest bit of a function's address selects the instruction set.
        let is_arm = file.architecture() == object::Architecture::Arm;
        for symbol in file.symbols().chain(file.dynamic_symbols()) {
            let name = String::from_utf8_lossy(symbol.name_bytes().unwrap_or_default());
            let name = name.into_owned();
            if symbol.kind() == object::SymbolKind::File {
                self.files.insert(name);
                continue;
            }
            let is_place = matches!(symbol.section(), object::SymbolSection::Section(_));
            if name.is_empty() || symbol.is_undefined() || !is_place {
                continue;
            }
            let is_code = symbol.kind() == object::SymbolKind::Text;
            let start = symbol.address() & !u64::from(is_arm && is_code);
            self.starts.push(start);
            if symbol.size() > 0 {
                self.covered
                    .push((start, start.saturating_add(symbol.size())));
            }
            let places = self.symbols.entry(name).or_default();
            places.push((start, symbol.size()));
        }
        for section in file.sections() {
            if section.kind() == object::SectionKind::Text {
                let start = section.address();
                self.code
                    .push((start, start.saturating_add(section.size())));
            }
        }
    }

    /// Returns the start and size of the symbols with this name.
    pub(super) fn places(&self, name: &str) -> &[(u64, u64)] {
        let places = self.symbols.get(name);
        places.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a symbol of this name covers the address.
    pub(super) fn covers(&self, name: &str, addr: u64) -> bool {
        let mut places = self.places(name).iter();
        places.any(|(start, size)| *start <= addr && addr - start < *size)
    }

    /// Whether a symbol of any name covers the address.
    pub(super) fn is_covered(&self, addr: u64) -> bool {
        let before = self.covered.partition_point(|(start, _)| *start <= addr);
        before > 0 && addr < self.covered[before - 1].1
    }

    /// Whether symbols of these names are at the same address.
    pub(super) fn share_start(&self, one: &str, other: &str) -> bool {
        let starts = |start| self.places(other).iter().any(|place| place.0 == start);
        self.places(one).iter().any(|place| starts(place.0))
    }

    /// Whether the name is that of a symbol that does not reach the address.
    pub(super) fn stretches(&self, name: &str, addr: u64) -> bool {
        let mut places = self.places(name).iter();
        places.any(|(start, _)| *start <= addr) && !self.covers(name, addr)
    }

    /// Whether a symbol of this name covers the address; or has no size, is the nearest one
    /// before the address in its section, and no other symbol covers it.
    pub(super) fn is_of(&self, name: &str, addr: u64) -> bool {
        let together = |start: u64| {
            let is_in = |section: &&(u64, u64)| section.0 <= addr && addr < section.1;
            let mut around = self.code.iter().filter(is_in);
            start <= addr && around.any(|section| section.0 <= start)
        };
        let reaches = |(start, size): &(u64, u64)| *size == 0 && together(*start);
        self.covers(name, addr) || (!self.is_covered(addr) && self.places(name).iter().any(reaches))
    }

    /// Whether the cold part of this function, or of another one at the same address, covers the
    /// address; it has a symbol of its own.
    pub(super) fn covers_cold(&self, name: &str, addr: u64) -> bool {
        let mut names = self
            .symbols
            .keys()
            .filter_map(|it| it.strip_suffix(".cold"));
        names.any(|hot| {
            let is_same = hot == name || self.share_start(hot, name);
            is_same && self.covers(&format!("{hot}.cold"), addr)
        })
    }

    /// Whether no name is correct here: no symbol covers the address, and no symbol without a
    /// size reaches it.
    pub(super) fn is_nameless(&self, name: &str, addr: u64) -> bool {
        let reaches =
            |(start, size): &(u64, u64)| *size == 0 && *start <= addr && self.is_next(*start, addr);
        !self.is_covered(addr) && !self.places(name).iter().any(reaches)
    }

    /// The same for a name that the others take from a preceding symbol.
    pub(super) fn is_gap_behind(&self, name: &str, addr: u64) -> bool {
        self.stretches(name, addr) && self.is_nameless(name, addr)
    }

    /// Whether there is neither a symbol nor the end of a section between a symbol and an
    /// address.
    fn is_next(&self, start: u64, addr: u64) -> bool {
        let behind = self.starts.partition_point(|other| *other <= start);
        let is_free = self.starts.get(behind).is_none_or(|next| *next > addr);
        let is_in = |at: u64, section: &(u64, u64)| section.0 <= at && at < section.1;
        let together = |section: &(u64, u64)| is_in(start, section) && is_in(addr, section);
        is_free && self.code.iter().any(together)
    }
}
