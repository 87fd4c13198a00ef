//! Debug information as writers of files for just-in-time compilers make it: units that end
//! within their DIEs, files that a line program defines, and rows before the code. The oracle is
//! binutils' addr2line.

mod common;

use std::path::Path;
use std::process::Command;

use backsight_symbolize::{
    BuiltIndex, Frames, ModuleInput, Options, Shortfall, SymbolIndex, Symbolizer, Tier,
};
use backsight_types::Reason;
use common::{Fixture, at, brief, dwarf, no_debug_dirs};
use testkit::elf::Shape;
use testkit::tools::tool;

/// What is found at each address.
type Found = Vec<Result<Frames, Reason>>;

/// Returns what each way finds: unit by unit, by an index, and by an index of a file. They must
/// agree.
fn by_each_way(bytes: &[u8], addrs: &[u64]) -> (Found, Vec<Shortfall>) {
    let input = || ModuleInput::Bytes(bytes.to_vec().into());
    let ask = |symbolizer: &Symbolizer, module| -> Found {
        let requests: Vec<_> = addrs.iter().map(|addr| at(module, *addr)).collect();
        symbolizer.symbolize(&requests)
    };
    let mut ways = [Tier::Lazy, Tier::Flat].map(|tier| {
        let symbolizer = Symbolizer::new(no_debug_dirs().with_tier(tier));
        let module = symbolizer.add(input(), None, None);
        let found = ask(&symbolizer, module);
        (found, symbolizer.shortfalls(module))
    });
    let built = BuiltIndex::of(input(), None, &no_debug_dirs()).expect("an index");
    let fixture = Fixture::new();
    let path = fixture.path("index");
    built.index.write(&path).expect("written");
    let index = SymbolIndex::open(&path, &Options::default()).expect("opened");
    let symbolizer = Symbolizer::new(no_debug_dirs());
    let module = symbolizer.add_index(index, None);
    let of_file = (ask(&symbolizer, module), built.shortfalls);
    let [lazy, flat] = &mut ways;
    assert_eq!(lazy, flat);
    assert_eq!(flat, &of_file);
    of_file
}

/// Returns file and line of each address, as addr2line prints them; `None` if it is not there.
fn by_addr2line(path: &Path, addrs: &[u64]) -> Option<Vec<String>> {
    let mut ask = Command::new(tool("addr2line")?);
    ask.arg("-e").arg(path);
    ask.args(addrs.iter().map(|addr| format!("{addr:#x}")));
    let text = String::from_utf8(ask.output().expect("it runs").stdout).expect("text");
    let base = |line: &str| line.rsplit('/').next().unwrap_or_default().to_owned();
    Some(text.lines().map(base).collect())
}

/// Returns the same of what was found here.
fn lines(found: &Found) -> Vec<String> {
    let line = |found: &Result<Frames, Reason>| {
        let frame = found.as_ref().ok().and_then(|frames| frames.iter().next());
        let frame = frame.filter(|frame| frame.file.is_some());
        let (file, line) = frame.map_or((None, None), |it| (it.file.as_deref(), it.line));
        let file = file.map_or("??", |file| file.rsplit('/').next().unwrap_or_default());
        let line = line.map_or_else(|| "?".to_owned(), |line| line.to_string());
        format!("{file}:{line}")
    };
    found.iter().map(line).collect()
}

#[test]
fn a_unit_that_ends_within_its_entries_is_whole_up_to_there() {
    for shape in Shape::ALL {
        for depth in [0, 1, 2, 3, 40] {
            let nested = |is_cut: bool| {
                let mut unit = dwarf::Unit::new(shape);
                let origin = unit.here();
                unit.byte(dwarf::ABSTRACT);
                unit.text("folded");
                for level in 0..depth {
                    let code = 0x1100 + level..0x1200 - level;
                    match level {
                        0 => unit.function("whole", code),
                        _ => unit.inlined(origin, code, 7),
                    }
                }
                if !is_cut {
                    (0..depth).for_each(|_| unit.end());
                }
                let mut info = if is_cut { unit.cut() } else { unit.finish() };
                // Another one behind it.
                let mut unit = dwarf::Unit::new(shape);
                unit.function("next", 0x1300..0x1400);
                unit.end();
                info.extend(unit.finish());
                let sections = [(".debug_info", &*info), (".debug_abbrev", dwarf::ABBREV)];
                dwarf::elf(shape, &sections).build()
            };
            let addrs: Vec<u64> = (0x10f0..0x1410).collect();
            let (found, said) = by_each_way(&nested(true), &addrs);
            let whole = by_each_way(&nested(false), &addrs);
            assert_eq!((&found, &said), (&whole.0, &whole.1), "{depth} {shape:?}");
            assert_eq!(said, [], "{depth} {shape:?}");
            let last = brief(&found[0x1300 - 0x10f0]);
            assert_eq!(last, "next@?", "{depth} {shape:?}");
            let first = brief(&found[0x1180 - 0x10f0]);
            let frames = usize::try_from(depth).expect("small");
            assert_eq!(first.matches("folded").count(), frames.saturating_sub(1));
            assert_eq!(first.contains("whole"), depth > 0, "{first}");
        }
    }
}

/// A unit as perf writes it: a line program alone, and room for children that do not come.
const ABBREV: &[u8] = &[1, 0x11, 1, 0x10, 6, 0, 0, 0];
const INFO: &[u8] = &[12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0, 0];

/// All ten bytes of a signed number in LEB128, whatever it is.
fn sleb(value: i64) -> [u8; 10] {
    std::array::from_fn(|at| {
        let more = if at < 9 { 0x80 } else { 0 };
        let bits = (value >> (7 * at)) & 0x7f;
        u8::try_from(bits).expect("7 bits") | more
    })
}

fn uleb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// Opcodes of a line program.
enum Opcode {
    SetAddress(u64),
    DefineFile(&'static str),
    File(u8),
    /// Up to 63.
    AdvanceLine(i64),
    Advance(i64),
    Row,
    End,
}

fn line_section(version: u8, opcodes: &[Opcode]) -> Vec<u8> {
    let mut program = Vec::new();
    for opcode in opcodes {
        match opcode {
            Opcode::SetAddress(addr) => {
                program.extend([0, 9, 2]);
                program.extend(addr.to_le_bytes());
            }
            Opcode::DefineFile(name) => {
                program.extend([0, u8::try_from(name.len() + 5).expect("short"), 3]);
                program.extend(name.as_bytes());
                program.extend([0, 0, 0, 0]);
            }
            Opcode::File(number) => program.extend([4, *number]),
            Opcode::AdvanceLine(by) => {
                program.push(3);
                program.extend(sleb(*by));
            }
            Opcode::Advance(by) => {
                program.push(2);
                program.extend(uleb(by.cast_unsigned()));
            }
            Opcode::Row => program.push(1),
            Opcode::End => program.extend([0, 1, 1]),
        }
    }
    let mut rest = vec![1];
    if version >= 4 {
        rest.push(1);
    }
    rest.extend([1, 0xfb, 0xf2, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0]);
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_le_bytes();
    let body = [&[version, 0][..], &size(&rest), &rest, &program].concat();
    [&size(&body)[..], &body].concat()
}

fn with_lines(version: u8, opcodes: &[Opcode]) -> Vec<u8> {
    let lines = line_section(version, opcodes);
    let sections = [
        (".debug_info", INFO),
        (".debug_abbrev", ABBREV),
        (".debug_line", &*lines),
    ];
    dwarf::elf(Shape::ELF64_LITTLE, &sections).build()
}

/// As perf writes the lines of Erlang's machine, which begin with a header before the function;
/// and the same within code, where the rows count from the address that is gone back to.
#[test]
fn rows_may_begin_before_the_address_that_was_set() {
    use Opcode::{Advance, AdvanceLine, DefineFile, End, File, Row, SetAddress};
    if tool("addr2line").is_none() {
        return testkit::skip("there is no addr2line");
    }
    let fixture = Fixture::new();
    for version in [2, 3, 4] {
        for (start, back) in [
            (0x1000, -50),
            (0x1000, -256),
            (0x1000, 0),
            (0x1000, 5),
            (0x1400, -50),
            (0x1400, 0),
        ] {
            let opcodes = [
                SetAddress(start),
                DefineFile("work.erl"),
                File(1),
                AdvanceLine(2),
                Advance(back),
                Row,
                AdvanceLine(3),
                Advance(0x40 - back),
                Row,
                DefineFile("other.hrl"),
                File(2),
                AdvanceLine(10),
                Advance(0x20),
                Row,
                Advance(0x10),
                End,
            ];
            let bytes = with_lines(version, &opcodes);
            let addrs: Vec<u64> = (start.max(0x1040) - 0x40..start + 0x90).collect();
            let (found, said) = by_each_way(&bytes, &addrs);
            assert_eq!(said, [], "{version} {start:#x} {back}");
            let path = fixture.write("file", &bytes);
            let theirs = by_addr2line(&path, &addrs).expect("it is there");
            let ours = lines(&found);
            for ((addr, ours), theirs) in addrs.iter().zip(ours).zip(theirs) {
                // addr2line prints `?` for a file without a line as well.
                let theirs = theirs.replace(":0", ":?");
                // Behind what was set, addr2line goes on where there is no code.
                let is_code = *addr >= 0x1000;
                if is_code {
                    assert_eq!(ours, theirs, "{addr:#x} of {version} {start:#x} {back}");
                }
            }
        }
    }
}

/// Between rows, addresses never go down: a row that does is left out, and that is said.
#[test]
fn an_address_that_goes_back_between_rows_is_damage() {
    use Opcode::{Advance, AdvanceLine, DefineFile, End, File, Row, SetAddress};
    let whole = [
        SetAddress(0x1000),
        DefineFile("a.c"),
        File(1),
        Row,
        Advance(0x10),
        End,
    ];
    let broken = [
        SetAddress(0x1100),
        AdvanceLine(1),
        Row,
        Advance(0x20),
        Row,
        Advance(-0x10),
        Row,
        Advance(0x40),
        End,
    ];
    let opcodes: Vec<_> = whole.into_iter().chain(broken).collect();
    let (found, said) = by_each_way(&with_lines(2, &opcodes), &[0x1000, 0x1100, 0x1120]);
    assert_eq!(lines(&found), ["a.c:1", "a.c:2", "a.c:2"]);
    assert_eq!(said.len(), 1, "{said:?}");
}

/// As perf writes the lines of node, which has freed some before it tells of them: what lies in
/// the code counts up to its end, as for addr2line, and the rest is said to be damaged.
#[test]
fn rows_that_lead_anywhere_leave_the_others() {
    use Opcode::{Advance, AdvanceLine, DefineFile, End, File, Row, SetAddress};
    if tool("addr2line").is_none() {
        return testkit::skip("there is no addr2line");
    }
    let (far, back) = (0x4903_5ae9_efff_a4c0_i64, -0x4904_d8e5_5b7f_0494);
    for has_end in [false, true] {
        let mut opcodes = vec![
            SetAddress(0x1000),
            DefineFile("a.js"),
            File(1),
            AdvanceLine(1),
            Advance(0x40),
            Row,
        ];
        for _ in 0..3 {
            opcodes.extend([DefineFile("x"), File(2), AdvanceLine(9), Advance(far), Row]);
            opcodes.extend([DefineFile("y"), File(3), AdvanceLine(7), Advance(back), Row]);
            opcodes.push(Advance(-(far + back)));
        }
        if has_end {
            opcodes.extend([File(1), Advance(0x20), Row, Advance(0x10)]);
        } else {
            opcodes.push(Advance(far));
        }
        opcodes.push(End);
        let bytes = with_lines(2, &opcodes);
        let addrs: Vec<u64> = (0x1030..0x1060).collect();
        let (found, said) = by_each_way(&bytes, &addrs);
        assert_eq!(said.len(), 1, "{said:?}");
        let ours = lines(&found);
        assert!(
            ours.iter().all(|line| !line.starts_with(['x', 'y'])),
            "{ours:?}"
        );
        let fixture = Fixture::new();
        let path = fixture.write("file", &bytes);
        let theirs = by_addr2line(&path, &addrs).expect("it is there");
        let theirs: Vec<_> = theirs.iter().map(|it| it.replace("??:0", "??:?")).collect();
        assert_eq!(ours, theirs, "{has_end}");
        assert_eq!(ours[0x20], "a.js:2");
    }
}

/// A row of freed memory at an address in the code: its line is none.
#[test]
fn a_line_that_no_source_has_is_none_among_rows_that_lead_anywhere() {
    use Opcode::{Advance, AdvanceLine, DefineFile, End, File, Row, SetAddress};
    let (far, back) = (0x4903_5ae9_efff_a4c0_i64, -0x4903_5ae9_efff_a4c0_i64);
    let opcodes = [
        SetAddress(0x1000),
        DefineFile("a.js"),
        File(1),
        AdvanceLine(1),
        Row,
        Advance(0x10),
        AdvanceLine(1_437_153_289),
        Row,
        Advance(far),
        Row,
        Advance(back + 0x10),
        AdvanceLine(-1_437_153_288),
        Row,
        Advance(0x10),
        End,
    ];
    let (found, said) = by_each_way(&with_lines(2, &opcodes), &[0x1000, 0x1010, 0x1020]);
    assert_eq!(lines(&found), ["a.js:2", "a.js:?", "a.js:3"]);
    assert_eq!(said.len(), 1, "{said:?}");
}
