//! Breakpad symbol files, written from what is known of each stretch of code.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

/// Code at which the same functions and lines stand.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// In the address space of the file: from its first segment.
    pub range: Range<u64>,
    /// Innermost first. The last is the function.
    pub levels: Vec<Level>,
}

/// A function, and where it stands in the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    /// Its name, as it is to be written.
    pub name: String,
    /// A path and a line. Without it, an outermost function is written as a symbol.
    pub place: Option<(String, u32)>,
}

impl Stretch {
    /// Joins stretches with the same levels that follow each other.
    #[must_use]
    pub fn joined(all: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for stretch in all {
            match joined.last_mut() {
                Some(last)
                    if last.range.end == stretch.range.start && last.levels == stretch.levels =>
                {
                    last.range.end = stretch.range.end;
                }
                _ => joined.push(stretch),
            }
        }
        joined
    }
}

/// Returns the file of these stretches, which ascend. `module` is the line behind `MODULE `,
/// and `build_id` is written as digits.
#[must_use]
pub fn written(module: &str, build_id: Option<&str>, all: &[Stretch]) -> String {
    let mut writer = Writer::default();
    let same = |a: &Stretch, b: &Stretch| {
        let names = [a, b].map(|one| one.levels.last().map(|level| &level.name));
        a.range.end == b.range.start && names[0] == names[1] && has_place(a) == has_place(b)
    };
    for function in all.chunk_by(same) {
        writer.function(function);
    }
    let mut text = format!("MODULE {module}\n");
    if let Some(id) = build_id {
        _ = writeln!(text, "INFO CODE_ID {}", id.to_uppercase());
    }
    for (kind, texts) in [("FILE", &writer.files), ("INLINE_ORIGIN", &writer.origins)] {
        let mut texts: Vec<_> = texts.iter().collect();
        texts.sort_unstable_by_key(|(_, number)| **number);
        for (name, number) in texts {
            _ = writeln!(text, "{kind} {number} {name}");
        }
    }
    text + &writer.functions + &writer.symbols
}

fn has_place(stretch: &Stretch) -> bool {
    stretch.levels.iter().any(|level| level.place.is_some())
}

#[derive(Default)]
struct Writer {
    files: HashMap<String, usize>,
    origins: HashMap<String, usize>,
    functions: String,
    symbols: String,
}

impl Writer {
    fn function(&mut self, all: &[Stretch]) {
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            return;
        };
        let Some(outermost) = first.levels.last() else {
            return;
        };
        let (start, name) = (first.range.start, &outermost.name);
        if !has_place(first) {
            _ = writeln!(self.symbols, "PUBLIC {start:x} 0 {name}");
            return;
        }
        let size = last.range.end - start;
        _ = writeln!(self.functions, "FUNC {start:x} {size:x} 0 {name}");
        let all: Vec<&Stretch> = all.iter().collect();
        self.calls(&all, 0);
        for stretch in all {
            if let Some((file, line)) = &stretch.levels[0].place {
                let Range { start, end } = stretch.range;
                let file = number_of(&mut self.files, file);
                _ = writeln!(self.functions, "{start:x} {:x} {line} {file}", end - start);
            }
        }
    }

    /// Writes the calls with so many around them: one line for all ranges of a call.
    fn calls(&mut self, within: &[&Stretch], depth: usize) {
        type Call<'s> = (&'s Level, &'s Option<(String, u32)>);
        let mut calls: Vec<(Call<'_>, Vec<&Stretch>)> = Vec::new();
        for stretch in within {
            let levels = &stretch.levels;
            let Some(at) = levels.len().checked_sub(depth + 2) else {
                continue;
            };
            let call = (&levels[at], &levels[at + 1].place);
            let same = |known: &Call<'_>| known.0.name == call.0.name && known.1 == call.1;
            match calls.iter_mut().find(|(known, _)| same(known)) {
                Some((_, stretches)) => stretches.push(stretch),
                None => calls.push((call, vec![stretch])),
            }
        }
        for ((level, site), stretches) in calls {
            let origin = number_of(&mut self.origins, &level.name);
            let (file, line) = match site {
                Some((file, line)) => (number_of(&mut self.files, file).to_string(), *line),
                None => ("-1".to_owned(), 0),
            };
            _ = write!(self.functions, "INLINE {depth} {line} {file} {origin}");
            for Stretch { range, .. } in &stretches {
                _ = write!(
                    self.functions,
                    " {:x} {:x}",
                    range.start,
                    range.end - range.start
                );
            }
            self.functions.push('\n');
            self.calls(&stretches, depth + 1);
        }
    }
}

fn number_of(known: &mut HashMap<String, usize>, text: &str) -> usize {
    let next = known.len();
    *known.entry(text.to_owned()).or_insert(next)
}

#[cfg(test)]
mod tests {
    use super::{Level, Stretch, written};

    #[test]
    fn a_function_has_its_calls_and_lines() {
        let level = |name: &str, line| Level {
            name: name.to_owned(),
            place: Some(("a.c".to_owned(), line)),
        };
        let symbol = Level {
            name: "start".to_owned(),
            place: None,
        };
        let one = |range, levels| Stretch { range, levels };
        let all = [
            one(0x10..0x14, vec![level("main", 5)]),
            one(0x14..0x18, vec![level("square", 2), level("main", 6)]),
            one(0x18..0x20, vec![level("main", 7)]),
            one(0x20..0x30, vec![symbol]),
        ];
        let want = "MODULE Linux x86_64 0 a\nINFO CODE_ID AB\nFILE 0 a.c\n\
            INLINE_ORIGIN 0 square\nFUNC 10 10 0 main\nINLINE 0 6 0 0 14 4\n\
            10 4 5 0\n14 4 2 0\n18 8 7 0\nPUBLIC 20 0 start\n";
        assert_eq!(written("Linux x86_64 0 a", Some("ab"), &all), want);
    }
}
