//! Files with corrupted call frame information: every walk ends without a panic.

use backsight_types::{AbsAddr, AbsRange, FileOffset};
use backsight_unwind::{CallFrames, CodeMap, MappedCode, Registers, Walker};
use object::{Object, ObjectSection};
use testkit::tools::compile;

const SOURCE: &str = r#"
#include <alloca.h>
#include <stdlib.h>
#include <string.h>
static volatile unsigned long sink;
__attribute__((noipa)) void two(long n) { char *at = alloca(n); memset(at, 1, n); sink += at[n - 1]; }
__attribute__((noipa)) void one(long n) { char x[64] __attribute__((aligned(64))); memset(x, n, 64); two(n); sink += x[3]; }
int main(int count, char **args) { one(count); return puts_or_not(sink); }
"#;

/// Deterministic pseudo-random numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

struct Shape {
    bytes: Vec<u8>,
    /// The file range of `.eh_frame_hdr` and `.eh_frame`.
    frames: std::ops::Range<usize>,
    text: std::ops::Range<u64>,
}

fn shape() -> Option<Shape> {
    testkit::tools::tool("cc")?;
    let source = SOURCE.replace("puts_or_not(sink)", "sink != 0");
    let path = compile("cfi", &source, &["-Wl,--build-id"]).expect("cc takes it");
    let bytes = std::fs::read(path).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let place = |name: &str| {
        let section = elf.section_by_name(name).unwrap();
        let (at, size) = section.file_range().unwrap();
        (section.address(), at as usize..(at + size) as usize)
    };
    let (text, _) = place(".text");
    let size = elf.section_by_name(".text").unwrap().size();
    let (header, frames) = (place(".eh_frame_hdr").1, place(".eh_frame").1);
    assert!(header.start < frames.start, "the order that linkers have");
    drop(elf);
    Some(Shape {
        bytes,
        frames: header.start..frames.end,
        text: text..text + size,
    })
}

/// Walks from every fourth address of the code, and returns the number of frames.
fn walk(image: &[u8], text: &std::ops::Range<u64>, numbers: &mut Random) -> usize {
    let Some(file) = CallFrames::parse(image) else {
        return 0;
    };
    let machine = file.machine();
    let mut walker = Walker::new();
    let range = AbsRange {
        start: AbsAddr(text.start & !0xfff),
        end: AbsAddr((text.end + 0xfff) & !0xfff),
    };
    // The code is mapped at its address in the file.
    let offset = FileOffset(range.start.0);
    let bias = file.bias(range, offset);
    let file = walker.add(file);
    let code = CodeMap::new(vec![MappedCode {
        range,
        file: file.zip(bias),
    }]);
    let mut frames = 0;
    for pc in text.clone().step_by(4) {
        let mut registers = Registers::at(pc);
        let sp = 0x7ffc_0000_0000;
        for number in 0..17 {
            registers.set(number, Some(sp + u64::from(number) * 8));
        }
        registers.set(machine.stack_pointer(), Some(sp));
        registers.set(machine.frame_pointer(), Some(sp + 64));
        let seed = numbers.next();
        // A stack of code addresses, stack addresses above it, and arbitrary numbers.
        let mut word = |addr: u64| {
            let at = addr.checked_sub(sp).filter(|at| *at < 8192)?;
            let number = Random(seed ^ (at + 1)).next();
            Some(match number % 4 {
                0 => number,
                1 => addr + 16 + number % 64,
                _ => text.start + number % (text.end - text.start),
            })
        };
        walker.walk(machine, &code, registers, &mut word, |_| frames += 1);
    }
    frames
}

#[test]
fn a_walk_through_corrupted_call_frames_ends() {
    let Some(shape) = shape() else {
        return testkit::skip("there is no C compiler");
    };
    let mut numbers = Random(0x1234_5678_9abc_def1);
    let whole = walk(&shape.bytes, &shape.text, &mut numbers);
    let starts = shape.text.clone().step_by(4).count();
    assert!(whole > starts * 2, "{whole} frames from {starts} places");
    // Values that matter: lengths, encodings, operations, backward jumps.
    const VALUES: [u8; 12] = [
        0, 1, 2, 0x0f, 0x10, 0x16, 0x2f, 0x3b, 0x7f, 0x80, 0xfd, 0xff,
    ];
    for _ in 0..1500 {
        let mut bytes = shape.bytes.clone();
        for _ in 0..=numbers.below(6) {
            let at = shape.frames.start + numbers.below(shape.frames.len());
            bytes[at] = match numbers.below(3) {
                0 => numbers.next() as u8,
                _ => VALUES[numbers.below(VALUES.len())],
            };
        }
        let frames = walk(&bytes, &shape.text, &mut numbers);
        assert!(frames <= starts * 1024);
    }
    // Corrupts the headers of the file as well.
    for _ in 0..500 {
        let mut bytes = shape.bytes.clone();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(1024.min(bytes.len()));
            bytes[at] = numbers.next() as u8;
        }
        let cut = bytes.len() - numbers.below(2) * numbers.below(bytes.len());
        walk(&bytes[..cut], &shape.text, &mut numbers);
    }
}
